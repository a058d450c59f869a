"""What stands in the routing graph, and how much room each part takes; where it stands comes later.

Lengths are in px.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.engine.snapshot import SEATS
from sandbox.texts import shown

from .words import label, seconds, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.model import Binding, QueueOptions
    from sandbox.engine.snapshot import (
        ChannelView,
        ConsumerView,
        ExchangeView,
        PublisherView,
        QueueView,
        Snapshot,
    )

NAME = 12  # the size of a name, in bold; all other text is a note
NOTE = 11
LINE = 15  # from one line of notes to the next
SEAT = 28  # one copy in a lane or in a socket
LANE_HEIGHT = 30
HEAD = 20  # the name above a lane or a consumer
STATUS = 17  # the note below a consumer
CHIP_LINE = 19
CHIP_GAP = 5
LONGEST_HEAD = SEAT * SEATS  # wider than this, and the chips get a line of their own
PUBLISHER = 40
EXCHANGE_HEIGHT = 42
EXCHANGE_WIDTH = 112
SLANT = 13  # of a hexagon's sides
PILL_HEIGHT = 28
LOST = 58  # the token that fell below an exchange, and its note
PALM = 24  # the hand that holds what was fetched by get
MOST_SOCKETS = 8  # a consumer that may hold more shows the first copies, and a number
FEW = 7  # copies, for which every lane has room
AT_THE_HEAD = 5  # how many copies stand before a bar with the exact number of the rest
BAR = 2 * SEAT
KEY_LINE = 18  # from one key to the next, where several lines end on one part
MOST_LINES = 6  # between one exchange and one destination; the others are folded


@dataclass(eq=False)
class Part:
    """A publisher, exchange, queue or consumer, or (`hand`) what was fetched by get on one channel.

    `width` and `height` are the body's; `above` and `below` what its texts need beside it.  `x` is the
    body's left side and `y` its middle.  `note_width` is the widest text's that is not inside the body.
    What belongs to a channel wants to stand `near` a queue.
    """

    id: str
    kind: str
    name: str
    label: str
    width: float
    height: float
    above: float = 0
    below: float = 0
    note_width: float = 0
    chips: tuple[str, ...] = ()
    channel: int = 0
    near: str = ""
    layer: int = 0
    x: float = 0
    y: float = 0

    @property
    def right(self) -> float:
        """The body's right side."""
        return self.x + self.width

    @property
    def has_chip_line(self) -> bool:
        """Whether the chips have a line of their own between the name and the lane."""
        return bool(self.chips) and self.above > HEAD


@dataclass(eq=False)
class Link:
    """A line from one part to another: publishes, binds or consumes.

    `bindings` are the places of its bindings in the snapshot's order.  A link is `back` if it closes a
    cycle of exchanges.
    """

    kind: str
    source: Part
    target: Part
    key: str = ""
    bindings: tuple[int, ...] = ()
    back: bool = False


@dataclass
class Graph:
    """All parts by their ids, in the order of declaring, and all links."""

    parts: dict[str, Part] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Part]:
        """The parts of these kinds."""
        return [part for part in self.parts.values() if part.kind in kinds]

    def get(self, kind: str, name: str) -> Part | None:
        """The part of this kind and name, if it stands in the picture."""
        return self.parts.get(f"{kind}:{name}")


def graph_of(snapshot: Snapshot, narrowest_lane: float = 0) -> Graph:
    """Everything of the snapshot that is drawn; its lanes are no narrower than that."""
    graph = Graph()
    for part in _parts(snapshot, max(narrowest_lane, lane_width(snapshot))):
        graph.parts[part.id] = part
    graph.links = [*_publishes(snapshot, graph), *_bindings(snapshot, graph), *_consumes(snapshot, graph)]
    return graph


def _parts(snapshot: Snapshot, lane: float) -> Iterator[Part]:
    yield from map(_publisher, snapshot.publishers.values())
    yield from map(_exchange, visible_exchanges(snapshot))
    yield from (_queue(queue, lane) for queue in snapshot.queues.values())
    yield from map(_consumer, snapshot.consumers.values())
    yield from (_hand(channel) for channel in snapshot.channels.values() if channel.fetched)


def visible_exchanges(snapshot: Snapshot) -> list[ExchangeView]:
    """All exchanges but those that every broker has and this one does not use."""
    bindings = snapshot.bindings
    used = {binding.source for binding in bindings} | {b.destination for b in bindings if b.to_exchange}
    return [
        exchange
        for exchange in snapshot.exchanges.values()
        if exchange.published or exchange.name in used or not _is_system(exchange.name)
    ]


def _is_system(exchange: str) -> bool:
    return not exchange or exchange.startswith("amq.")


# ---------------------------------------------------------------- parts


def publisher_notes(publisher: PublisherView) -> list[str]:
    """What stands below a publisher's circle: its name if that is too long for the circle, and counts."""
    notes = [] if _fits_in_circle(publisher.name) else [label(publisher.name)]
    notes.append(f"{publisher.published:,} sent")
    return [*notes, f"{publisher.returned:,} returned"] if publisher.returned else notes


def _fits_in_circle(name: str) -> bool:
    return width_of(shown(name), NOTE, bold=True) <= PUBLISHER - 8


def _publisher(publisher: PublisherView) -> Part:
    notes = publisher_notes(publisher)
    text = label(publisher.name) if _fits_in_circle(publisher.name) else ""
    room = max(width_of(note, NOTE) for note in (*notes, "8,888 sent"))
    below = 4 + LINE * len(notes)
    identity = f"publisher:{publisher.name}"
    return Part(
        identity, "publisher", publisher.name, text, PUBLISHER, PUBLISHER, below=below, note_width=room
    )


def lost_note(exchange: ExchangeView) -> str:
    """What is said of the messages that found no queue."""
    return f"{exchange.lost:,} lost: {'no binding' if exchange.name else 'no such queue'}"


def _exchange(exchange: ExchangeView) -> Part:
    text = label(exchange.name) or "default"
    width = max(EXCHANGE_WIDTH, width_of(text, NAME, bold=True) + 2 * SLANT + 8)
    part = Part(f"exchange:{exchange.name}", "exchange", exchange.name, text, width, EXCHANGE_HEIGHT)
    if not exchange.name:
        part.width, part.height = width_of(text, NOTE) + 46, PILL_HEIGHT
    if exchange.lost:
        part.below, part.note_width = LOST, width_of(lost_note(exchange), NOTE)
    return part


def queue_counts(queue: QueueView) -> str:
    """How many copies a queue has."""
    return f"{queue.ready:,} ready + {queue.unacked:,} unacked"


def lane_width(snapshot: Snapshot) -> float:
    """The width of all lanes: room for the copies that are shown one by one, and for each head."""
    queues = snapshot.queues.values()
    copies = (queue.ready + queue.unacked for queue in queues)
    seats = SEATS if any(FEW < count <= SEATS for count in copies) else FEW
    return max([seats * SEAT, *map(_head_width, queues), *map(_rest_width, queues)])


def _head_width(queue: QueueView) -> float:
    chips = chips_width(chips_of(queue.options))
    names = _names_width(queue)
    return names + chips if names + chips <= LONGEST_HEAD else max(names, chips)


def rest_in_lane(queue: QueueView) -> list[tuple[str, bool]]:
    """The bars behind the first copies of a long queue: how many more, and whether those are unacked."""
    copies = queue.ready + queue.unacked
    if copies <= SEATS:
        return []
    unacked = queue.unacked - sum(seat.unacked for seat in queue.seats[:AT_THE_HEAD])
    counts = ((unacked, True), (copies - AT_THE_HEAD - unacked, False))
    return [(f"+{count:,}", is_unacked) for count, is_unacked in counts if count]


def _rest_width(queue: QueueView) -> float:
    bars = rest_in_lane(queue)
    return (
        AT_THE_HEAD * SEAT
        + 12
        + len(bars) * max((width_of(text, NOTE, bold=True) + 14 for text, _ in bars), default=0)
    )


def _names_width(queue: QueueView) -> float:
    # The counts have room to grow, so that the lanes do not widen with every message.
    counts = max(width_of(text, NOTE) for text in (queue_counts(queue), "88 ready + 8 unacked"))
    return width_of(label(queue.name), NAME, bold=True) + 16 + counts


def chips_of(options: QueueOptions, most: int = 3) -> tuple[str, ...]:
    """What a queue was declared with, in few words: the first ones, then how many more."""
    times = (("TTL", options.message_ttl), ("expires", options.expires))
    chips = [f"{word} {seconds(time)}" for word, time in times if time is not None]
    limits = (("max", options.max_length, ""), ("max", options.max_length_bytes, " B"))
    chips += [f"{word} {limit:,}{unit}" for word, limit, unit in limits if limit is not None]
    if options.dead_letter_exchange is not None:
        chips.append(f"dead letters to {label(options.dead_letter_exchange) or 'default'}")
    chips += ["priority"] if options.max_priority else []
    chips += ["single active"] if options.single_active_consumer else []
    flags = (("exclusive", options.exclusive), ("auto-delete", options.auto_delete))
    chips += [word for word, is_set in flags if is_set]
    return (*chips[:most], f"+{len(chips) - most}") if len(chips) > most else tuple(chips)


def chip_width(chip: str) -> float:
    """The width of one chip."""
    return width_of(chip, NOTE) + 10


def chips_width(chips: tuple[str, ...]) -> float:
    """The width of a row of chips, and of the gap before it."""
    return sum(chip_width(chip) + CHIP_GAP for chip in chips)


def _queue(queue: QueueView, lane: float) -> Part:
    chips = chips_of(queue.options)
    part = Part(
        f"queue:{queue.name}", "queue", queue.name, label(queue.name), lane, LANE_HEIGHT, HEAD, chips=chips
    )
    if _names_width(queue) + chips_width(chips) > lane:
        part.above += CHIP_LINE
    return part


def sockets_of(consumer: ConsumerView) -> int:
    """How many sockets a consumer shows; a tray without limit has three, and as many more as it holds."""
    if consumer.no_ack:
        return 2
    wanted = consumer.prefetch or max(3, consumer.unacked)
    return wanted if wanted <= MOST_SOCKETS else AT_THE_HEAD


def rest_of(consumer: ConsumerView) -> int:
    """How many sockets, or held copies, are folded into a bar behind the first ones."""
    wanted = 0 if consumer.no_ack else consumer.prefetch or consumer.unacked
    return wanted - AT_THE_HEAD if wanted > MOST_SOCKETS else 0


def consumer_status(consumer: ConsumerView) -> str:
    """How busy a consumer is, in few words."""
    if consumer.no_ack:
        words = [f"no ack · {consumer.received:,} received"]
    elif not consumer.prefetch:
        words = [f"no limit · {consumer.unacked:,} held"]
    elif consumer.is_full:
        words = [f"full ({consumer.unacked:,} of {consumer.prefetch:,})"]
    else:
        words = [f"{consumer.unacked:,} of {consumer.prefetch:,}" if consumer.unacked else "idle"]
    words += ["exclusive"] * consumer.exclusive
    words += [] if consumer.active else ["stand-by"]
    words += [f"priority {consumer.priority}"] if consumer.priority else []
    return " · ".join(words)


def _consumer(consumer: ConsumerView) -> Part:
    text = label(consumer.tag)
    width = sockets_of(consumer) * SEAT + 8 + (BAR if rest_of(consumer) else 0)
    note = max(width_of(text, NAME, bold=True), width_of(consumer_status(consumer), NOTE))
    identity = f"consumer:{consumer.channel}:{consumer.tag}"
    part = Part(identity, "consumer", consumer.tag, text, width, LANE_HEIGHT, HEAD, STATUS, note)
    part.channel, part.near = consumer.channel, f"queue:{consumer.queue}"
    return part


def hand_status(channel: ChannelView) -> str:
    """Which queues the copies in a hand are from."""
    queues = list(dict.fromkeys(queue for queue, _ in channel.fetched))
    return f"from {label(queues[0])}" if len(queues) == 1 else f"from {len(queues)} queues"


def _hand(channel: ChannelView) -> Part:
    width = PALM + min(len(channel.fetched), MOST_SOCKETS) * SEAT + 8
    if len(channel.fetched) > MOST_SOCKETS:
        width = PALM + AT_THE_HEAD * SEAT + 8 + BAR
    note = width_of(hand_status(channel), NOTE)
    part = Part(f"hand:{channel.id}", "hand", "", "get", width, LANE_HEIGHT, HEAD, STATUS, note)
    part.channel, part.near = channel.id, f"queue:{channel.fetched[0][0]}"
    return part


# ---------------------------------------------------------------- links


def _publishes(snapshot: Snapshot, graph: Graph) -> Iterator[Link]:
    for publisher in snapshot.publishers.values():
        for name in publisher.exchanges:
            exchange = graph.get("exchange", name)
            if exchange is not None:
                yield Link("publish", graph.parts[f"publisher:{publisher.name}"], exchange)


def _bindings(snapshot: Snapshot, graph: Graph) -> Iterator[Link]:
    pairs: dict[tuple[str, str, bool], list[tuple[int, Binding]]] = defaultdict(list)
    for index, binding in enumerate(snapshot.bindings):
        pairs[binding.source, binding.destination, binding.to_exchange].append((index, binding))
    for (source_name, target_name, to_exchange), bindings in pairs.items():
        source = graph.get("exchange", source_name)
        target = graph.get("exchange" if to_exchange else "queue", target_name)
        if source is not None and target is not None:
            type_ = snapshot.exchanges[source_name].options.type
            yield from _lines(source, target, [(index, key_of(b, type_)) for index, b in bindings])


def _lines(source: Part, target: Part, keys: list[tuple[int, str]]) -> Iterator[Link]:
    """One line for each binding; beyond `MOST_LINES` the last stands for all that are left."""
    single = len(keys) if len(keys) <= MOST_LINES else MOST_LINES - 1
    for index, key in keys[:single]:
        yield Link("binding", source, target, key, (index,))
    rest = keys[single:]
    if rest:
        yield Link("binding", source, target, f"+{len(rest)} more", tuple(index for index, _ in rest))


def key_of(binding: Binding, exchange_type: str, *, cut: bool = True) -> str:
    """What decides whether this binding is taken; empty if its key means nothing, or is the queue's name.

    With `cut`, as short as in a picture, where of a headers binding only the first pair stands.
    """
    if not binding.source or exchange_type == "fanout":
        return ""
    show = label if cut else shown
    if exchange_type != "headers":
        return show(binding.routing_key) or '""'
    pairs = [f"{key}={value}" for key, value in binding.arguments.items() if not key.startswith("x-")]
    first = pairs[:1] if cut else pairs
    more = f" +{len(pairs) - len(first)}" if len(pairs) > len(first) else ""
    return show(" ".join([str(binding.arguments.get("x-match", "all")), *first])) + more


def _consumes(snapshot: Snapshot, graph: Graph) -> Iterator[Link]:
    for consumer in snapshot.consumers.values():
        queue = graph.get("queue", consumer.queue)
        if queue is not None:
            yield Link("consume", queue, graph.parts[f"consumer:{consumer.channel}:{consumer.tag}"])
