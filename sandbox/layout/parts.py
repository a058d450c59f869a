"""How much room each part of a snapshot takes; where it stands comes later."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from .graph import Part
from .measures import (
    ASIDE,
    BAR,
    CHIP_LINE,
    EXCHANGE_HEIGHT,
    HEAD,
    LANE_HEIGHT,
    LINE,
    LOST,
    NAME,
    NOTE,
    PALM,
    PILL_HEIGHT,
    PUBLISHER,
    SEAT,
    SLANT,
    STATUS,
)
from .notes import (
    alternate_label,
    chips_width,
    consumer_status,
    fits_in_circle,
    fitting_chips,
    hand_status,
    in_hand,
    lost_note,
    missing_note,
    publisher_notes,
    queue_counts,
    rest_in_lane,
    rest_of,
    seats_in_lane,
    sockets_of,
    visible_exchanges,
)
from .words import fitted, label, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.engine.snapshot import (
        ChannelView,
        ConsumerView,
        ExchangeView,
        PublisherView,
        QueueView,
        Snapshot,
    )

    from .measures import Measures
    from .neighbourhood import Fold

LONGEST_HEAD = 12 * SEAT  # wider than this, and the chips get a line of their own
FOLDED = 6  # of the things below the uppermost, which look out
SIGN = 34  # beside a publisher's counts, on both sides
SHORTEST_LANE = 10  # of a queue into which nothing fits


def parts_of(
    snapshot: Snapshot, measures: Measures, narrowest_lane: float, folds: Sequence[Fold]
) -> Iterator[Part]:
    """Everything of the snapshot that stands in a picture; its lanes are no narrower than that."""
    lane = max(narrowest_lane, ceil(lane_width(snapshot, measures)))
    if not measures.narrow:
        yield from map(_publisher, snapshot.publishers.values())
    exchanges = {
        *snapshot.exchanges,
        *(name for fold in folds if fold.kind == "exchange" for name in fold.names),
    }
    yield from (_exchange(exchange, exchanges, measures) for exchange in visible_exchanges(snapshot))
    yield from (_queue(queue, lane, measures) for queue in snapshot.queues.values())
    yield from (_consumer(consumer, measures) for consumer in snapshot.consumers.values())
    yield from (_hand(channel, measures) for channel in snapshot.channels.values() if channel.fetched)
    yield from (_fold(fold) for fold in folds if fold.kind != "publisher" or not measures.narrow)


def _fold(fold: Fold) -> Part:
    """As many things as there is no room for."""
    width = width_of(fold.label, NOTE, bold=True) + 24
    return Part(fold.id, "fold", fold.label, fold.label, width, LANE_HEIGHT, 0, FOLDED, column=fold.kind)


# ---------------------------------------------------------------- publishers and exchanges


def _publisher(publisher: PublisherView) -> Part:
    notes = publisher_notes(publisher)
    text = label(publisher.name) if fits_in_circle(publisher.name) else ""
    room = max(width_of(note, NOTE) + SIGN for note in (*notes, "88 sent"))
    below = 4 + LINE * len(notes)
    identity = f"publisher:{publisher.name}"
    return Part(
        identity, "publisher", publisher.name, text, PUBLISHER, PUBLISHER, below=below, note_width=room
    )


def _exchange(exchange: ExchangeView, existing: set[str], measures: Measures) -> Part:
    text = fitted(label(exchange.name) or "default", NAME, measures.longest_name, bold=True)
    width = measures.exchange
    if not measures.narrow:
        width = max(width, width_of(text, NAME, bold=True) + 2 * SLANT + 8)
    part = Part(f"exchange:{exchange.name}", "exchange", exchange.name, text, width, EXCHANGE_HEIGHT)
    if not exchange.name:
        part.width, part.height = width_of(text, NOTE) + 46, PILL_HEIGHT
    notes = [lost_note(exchange, measures)] if exchange.lost else []
    part.below = LOST * len(notes)
    alternate = exchange.options.alternate_exchange
    if alternate is None:
        part.note_width = max((width_of(note, NOTE) for note in notes), default=0)
        return part
    part.aside = True
    notes.append(alternate_label(measures))
    if alternate and alternate not in existing:
        notes.append(missing_note("alternate", measures))
    part.overhang = max(0, leaves_at(part) + ASIDE + max(width_of(note, NOTE) for note in notes) - part.width)
    return part


def leaves_at(part: Part) -> float:
    """Where on its lower side a dashed line leaves a part: below a lane's head, or left below an exchange."""
    return part.width - SEAT / 2 if part.kind == "queue" else SLANT + 5


# ---------------------------------------------------------------- queues


def lane_width(snapshot: Snapshot, measures: Measures) -> float:
    """The width of all lanes: room for the copies that are shown one by one, and for each head."""
    queues = snapshot.queues.values()
    if measures.narrow:
        return measures.seats * SEAT
    counts = (max(queue.ready + queue.unacked, _room(queue)) for queue in queues)
    seats = (
        measures.seats if any(measures.few < count <= measures.seats for count in counts) else measures.few
    )
    heads = (_head_width(queue, measures) for queue in queues)
    rests = (_rest_width(queue, measures) for queue in queues)
    return max([seats * SEAT, *heads, *rests])


def _room(queue: QueueView) -> int:
    """How many copies fit into a queue: unacked ones do not count for its limit; 0 without one."""
    limit = queue.options.max_length
    return 0 if limit is None else limit + queue.unacked


def _head_width(queue: QueueView, measures: Measures) -> float:
    chips = chips_width(fitting_chips(queue.options, measures, LONGEST_HEAD))
    names = _names_width(queue, measures)
    return names + chips if names + chips <= LONGEST_HEAD else max(names, chips)


def _rest_width(queue: QueueView, measures: Measures) -> float:
    bars = rest_in_lane(queue, measures)
    widest = max((width_of(text, NOTE, bold=True) + 14 for text, _ in bars), default=0)
    return measures.at_the_head * SEAT + 12 + len(bars) * widest


def _counts_width(queue: QueueView, measures: Measures) -> float:
    # The counts have room to grow, so that the lanes do not widen with every message.
    room = "88 + 8" if measures.narrow else "88 ready + 8 unacked"
    return 16 + max(width_of(text, NOTE) for text in (queue_counts(queue, measures), room))


def _names_width(queue: QueueView, measures: Measures) -> float:
    return width_of(label(queue.name), NAME, bold=True) + _counts_width(queue, measures)


def _queue(queue: QueueView, lane: float, measures: Measures) -> Part:
    text = label(queue.name)
    if measures.narrow:
        text = fitted(text, NAME, lane - _counts_width(queue, measures), bold=True)
    chips = fitting_chips(queue.options, measures, lane)
    part = Part(f"queue:{queue.name}", "queue", queue.name, text, lane, LANE_HEIGHT, HEAD, chips=chips)
    names = width_of(text, NAME, bold=True) + _counts_width(queue, measures)
    if chips and names + chips_width(chips) > lane:
        part.above += CHIP_LINE
        part.chips_below = True
    copies = queue.ready + queue.unacked
    if queue.options.max_length is not None and max(copies, _room(queue)) <= measures.seats:
        part.lane = min(lane, max(SHORTEST_LANE, SEAT * max(_room(queue), seats_in_lane(queue, measures))))
    return part


# ---------------------------------------------------------------- consumers


def _consumer(consumer: ConsumerView, measures: Measures) -> Part:
    text = fitted(label(consumer.tag), NAME, measures.longest_note, bold=True)
    width = sockets_of(consumer, measures) * SEAT + 8 + (BAR if rest_of(consumer, measures) else 0)
    status = consumer_status(consumer, measures)
    note = max(width_of(text, NAME, bold=True), width_of(status, NOTE))
    identity = f"consumer:{consumer.channel}:{consumer.tag}"
    part = Part(identity, "consumer", consumer.tag, text, width, LANE_HEIGHT, HEAD, STATUS, note)
    part.channel, part.near = consumer.channel, f"queue:{consumer.queue}"
    return part


def _hand(channel: ChannelView, measures: Measures) -> Part:
    single = in_hand(channel, measures)
    width = PALM + single * SEAT + 8 + (BAR if single < len(channel.fetched) else 0)
    note = width_of(hand_status(channel, measures), NOTE)
    part = Part(f"hand:{channel.id}", "hand", "", "get", width, LANE_HEIGHT, HEAD, STATUS, note)
    part.channel, part.near = channel.id, f"queue:{channel.fetched[0][0]}"
    return part
