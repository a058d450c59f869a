"""What is said of each part, in as few words as a picture has room for."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from sandbox.engine.model import ExchangeOptions
from sandbox.engine.snapshot import ExchangeView
from sandbox.texts import shown

from .measures import CHIP_GAP, MOST_LINES, NOTE, PUBLISHER, WIDE
from .words import fitted, label, seconds, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.model import Binding, QueueOptions
    from sandbox.engine.snapshot import ChannelView, ConsumerView, PublisherView, QueueView, Snapshot

    from .measures import Measures

#: The default exchange is there without having been declared, and in a snapshot once it was used.
DEFAULT_EXCHANGE = ExchangeView("", ExchangeOptions("direct", durable=True))


# ---------------------------------------------------------------- publishers and exchanges


def publisher_notes(publisher: PublisherView) -> list[str]:
    """What stands below a publisher's circle: its name if that is too long for the circle, and counts."""
    notes = [] if fits_in_circle(publisher.name) else [label(publisher.name)]
    notes.append(f"{publisher.published:,} sent")
    counts = (
        (publisher.confirmed, "confirmed"),
        (publisher.nacked, "nacked"),
        (publisher.returned, "returned"),
    )
    return [*notes, *(f"{count:,} {word}" for count, word in counts if count)]


def fits_in_circle(name: str) -> bool:
    """Whether a publisher's name stands within its circle."""
    return width_of(shown(name), NOTE, bold=True) <= PUBLISHER - 8


def visible_exchanges(snapshot: Snapshot) -> list[ExchangeView]:
    """All exchanges but those that every broker has and this one does not use."""
    used = {way.to for way in second_ways(snapshot)}
    exchanges = dict(snapshot.exchanges)
    if "" in used:
        exchanges.setdefault("", DEFAULT_EXCHANGE)
    used.update(_bound(snapshot))
    return [
        exchange
        for exchange in exchanges.values()
        if exchange.published or exchange.name in used or not _is_system(exchange.name)
    ]


def _bound(snapshot: Snapshot) -> Iterator[str]:
    for binding in snapshot.bindings:
        yield binding.source
        if binding.to_exchange:
            yield binding.destination


class SecondWay(NamedTuple):
    """Where messages go from an exchange or a queue if nothing else wants them: to an exchange.

    `kind` is that of the edge, `source` the id of the node, `to` the name of the exchange.
    """

    kind: str
    source: str
    to: str


def second_ways(snapshot: Snapshot) -> Iterator[SecondWay]:
    """All of them: the alternates of exchanges, then the dead letters of queues."""
    for exchange in snapshot.exchanges.values():
        if exchange.options.alternate_exchange is not None:
            yield SecondWay("alternate", f"exchange:{exchange.name}", exchange.options.alternate_exchange)
    for queue in snapshot.queues.values():
        if queue.options.dead_letter_exchange is not None:
            yield SecondWay("dead_letter", f"queue:{queue.name}", queue.options.dead_letter_exchange)


def _is_system(exchange: str) -> bool:
    return not exchange or exchange.startswith("amq.")


def lost_note(exchange: ExchangeView, measures: Measures = WIDE) -> str:
    """What is said of the messages that found no queue."""
    if measures.narrow and (exchange.lost > 99 or exchange.options.alternate_exchange is not None):
        return f"{exchange.lost:,} lost"
    return f"{exchange.lost:,} lost: {'no binding' if exchange.name else 'no such queue'}"


def alternate_label(measures: Measures = WIDE) -> str:
    """When a message goes to the alternate exchange."""
    return "unmatched" if measures.narrow else "if nothing matches"


def missing_note(kind: str, measures: Measures = WIDE) -> str:
    """What is said where a line of that kind leads to no exchange."""
    return "missing" if measures.narrow and kind == "alternate" else "no such exchange"


# ---------------------------------------------------------------- queues


def queue_counts(queue: QueueView, measures: Measures = WIDE) -> str:
    """How many copies a queue has."""
    if measures.narrow:
        return f"{queue.ready:,} + {queue.unacked:,}"
    return f"{queue.ready:,} ready + {queue.unacked:,} unacked"


def seats_in_lane(queue: QueueView, measures: Measures = WIDE) -> int:
    """How many copies of a queue are shown one by one."""
    copies = queue.ready + queue.unacked
    return copies if copies <= measures.seats else measures.at_the_head


def rest_in_lane(queue: QueueView, measures: Measures = WIDE) -> list[tuple[str, bool]]:
    """The bars behind the first copies of a long queue: how many more, and whether those are unacked.

    A narrow lane has room for one, which then stands for both.
    """
    single = seats_in_lane(queue, measures)
    rest = queue.ready + queue.unacked - single
    unacked = queue.unacked - sum(seat.unacked for seat in queue.seats[:single]) if rest else 0
    counts = [(unacked, True), (rest - unacked, False)]
    if measures.narrow:
        counts = [(rest, unacked == rest)]
    return [(f"+{count:,}", is_unacked) for count, is_unacked in counts if count]


def has_limit(options: QueueOptions) -> bool:
    """Whether only so much fits into a queue."""
    return options.max_length is not None or options.max_length_bytes is not None


def chips_of(options: QueueOptions, most: int = 3) -> tuple[str, ...]:
    """What a queue was declared with, in few words: the first ones, then how many more."""
    chips = list(_chips(options))
    return (*chips[:most], f"+{len(chips) - most}") if len(chips) > most else tuple(chips)


def _chips(options: QueueOptions) -> Iterator[str]:
    limits = (("max", options.max_length, ""), ("max", options.max_length_bytes, " B"))
    times = (("TTL", options.message_ttl), ("expires", options.expires))
    yield from (f"{word} {limit:,}{unit}" for word, limit, unit in limits if limit is not None)
    yield from (f"{word} {seconds(time)}" for word, time in times if time is not None)
    flags = (
        ("priority", options.max_priority),
        ("single active", options.single_active_consumer),
        ("exclusive", options.exclusive),
        ("auto-delete", options.auto_delete),
    )
    yield from (word for word, is_set in flags if is_set)


def fitting_chips(options: QueueOptions, measures: Measures, room: float) -> tuple[str, ...]:
    """As many chips as a picture has room for."""
    if not measures.narrow:
        return chips_of(options)
    most = 3
    while most and chips_width(chips_of(options, most)) > room:
        most -= 1
    return chips_of(options, most)


def chip_width(chip: str) -> float:
    """The width of one chip."""
    return width_of(chip, NOTE) + 10


def chips_width(chips: tuple[str, ...]) -> float:
    """The width of a row of chips, and of the gap before it."""
    return sum(chip_width(chip) + CHIP_GAP for chip in chips)


def reasons_of(queue: QueueView, earlier: str = "") -> str:
    """Why copies may leave a queue as dead letters; what once was a reason (`earlier`) stays one.

    Any copy may bring a time to live along, but that is said only of queues in which one was seen.
    """
    options = queue.options
    expires = options.message_ttl is not None or any(seat.expires is not None for seat in queue.seats)
    reasons = ["expired"] if expires or "expired" in earlier else []
    reasons.append("rejected")
    if has_limit(options) and options.overflow != "reject-publish":
        reasons.append("full")
    return " · ".join(reasons)


# ---------------------------------------------------------------- consumers


def sockets_of(consumer: ConsumerView, measures: Measures = WIDE) -> int:
    """How many sockets a consumer shows: its prefetch, three if it has none, and as many as it holds."""
    if consumer.no_ack:
        return 2
    wanted = max(consumer.prefetch or 3, consumer.unacked)
    return wanted if wanted <= measures.sockets else measures.at_the_head


def rest_of(consumer: ConsumerView, measures: Measures = WIDE) -> int:
    """How many sockets, or held copies, are folded into a bar behind the first ones."""
    wanted = 0 if consumer.no_ack else max(consumer.prefetch, consumer.unacked)
    return wanted - measures.at_the_head if wanted > measures.sockets else 0


def in_hand(channel: ChannelView, measures: Measures = WIDE) -> int:
    """How many of the copies fetched by get are shown one by one."""
    copies = len(channel.fetched)
    return copies if copies <= measures.grasp else min(measures.at_the_head, measures.grasp - 2)


def consumer_status(consumer: ConsumerView, measures: Measures = WIDE) -> str:
    """How busy a consumer is, in few words; in a narrow picture on which channel, too.

    What its shape says already is left out there.
    """
    if consumer.no_ack:
        words = ["no ack", f"{consumer.received:,} received"][measures.narrow :]
    elif not consumer.prefetch:
        words = ["no limit", f"{consumer.unacked:,} held"][measures.narrow :]
    elif consumer.is_full:
        words = [f"full ({consumer.unacked:,} of {consumer.prefetch:,})"]
    else:
        words = [f"{consumer.unacked:,} of {consumer.prefetch:,}" if consumer.unacked else "idle"]
    if not consumer.active:
        words = ["stand-by", *(word for word in words if word != "idle")]
    words += ["exclusive"] * consumer.exclusive
    words += [f"priority {consumer.priority}"] if consumer.priority else []
    return _status(words, consumer.channel, measures)


def hand_status(channel: ChannelView, measures: Measures = WIDE) -> str:
    """Which queues the copies in a hand are from."""
    queues = list(dict.fromkeys(queue for queue, _ in channel.fetched))
    words = f"from {label(queues[0])}" if len(queues) == 1 else f"from {len(queues)} queues"
    return _status([words], channel.id, measures)


def _status(words: list[str], channel: int, measures: Measures) -> str:
    if not measures.narrow:
        return " · ".join(words)
    return fitted(" · ".join([f"ch {channel}", *words]), NOTE, measures.longest_note)


# ---------------------------------------------------------------- bindings


def key_of(binding: Binding, exchange_type: str, *, cut: bool = True, room: float = inf) -> str:
    """What decides whether this binding is taken; empty if its key means nothing, or is the queue's name.

    With `cut`, as short as in a picture with that much `room`, where of a headers binding only the first
    pair stands, or none.
    """
    if not binding.source or exchange_type == "fanout":
        return ""
    show = label if cut else shown
    if exchange_type != "headers":
        return fitted(show(binding.routing_key) or '""', NOTE, room)
    pairs = [f"{key}={value}" for key, value in binding.arguments.items() if not key.startswith("x-")]
    match = str(binding.arguments.get("x-match", "all"))
    for count in (1, 0) if cut else ():
        text = _with_rest(show(" ".join([match, *pairs[:count]])), len(pairs) - count)
        if width_of(text, NOTE) <= room:
            return text
    return fitted(match, NOTE, room) if cut else show(" ".join([match, *pairs]))


def _with_rest(text: str, rest: int) -> str:
    return f"{text} +{rest}" if rest > 0 else text


def folded_keys(keys: list[tuple[int, str]]) -> list[tuple[str, tuple[int, ...]]]:
    """One key for each binding of a pair; beyond `MOST_LINES` the last stands for all that are left."""
    single = len(keys) if len(keys) <= MOST_LINES else MOST_LINES - 1
    shown_keys = [(key, (index,)) for index, key in keys[:single]]
    rest = keys[single:]
    return [*shown_keys, *([(f"+{len(rest)} more", tuple(index for index, _ in rest))] if rest else [])]
