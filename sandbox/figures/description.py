"""A picture in words: for print(), for alternative texts, for whoever cannot see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.layout.notes import chips_of, consumer_status, hand_status, key_of, reasons_of, visible_exchanges
from sandbox.layout.words import counted, seconds
from sandbox.texts import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.model import Binding
    from sandbox.engine.snapshot import ExchangeView, PublisherView, QueueView, Snapshot


def describe(snapshot: Snapshot) -> str:
    """What the routing graph shows, line by line: who publishes, what leads where, who holds what."""
    return "\n".join(_lines(snapshot))


def _lines(snapshot: Snapshot) -> Iterator[str]:
    exchanges = visible_exchanges(snapshot)
    yield f"The broker at {seconds(snapshot.time)}, after {counted(snapshot.serial, 'event')}:"
    if not exchanges and not snapshot.queues:
        yield "nothing is declared yet."
    yield from map(_publisher, snapshot.publishers.values())
    for exchange in exchanges:
        yield _exchange(exchange, snapshot)
        yield from _bindings(exchange, snapshot)
    yield from (_queue(queue, snapshot) for queue in snapshot.queues.values())
    for consumer in snapshot.consumers.values():
        place = f"of queue {shown(consumer.queue)} on channel {consumer.channel}"
        yield f"Consumer {shown(consumer.tag)} {place}: {consumer_status(consumer)}."
    for channel in snapshot.channels.values():
        if channel.fetched:
            copies = counted(len(channel.fetched), "copy")
            yield f"Channel {channel.id}: {copies} fetched by get, {hand_status(channel)}."
    yield f"{snapshot.ledger}."


def _publisher(publisher: PublisherView) -> str:
    returned = f", {publisher.returned:,} returned" if publisher.returned else ""
    targets = f", to {_listed(publisher.exchanges)}" if publisher.exchanges else ""
    return f"Publisher {shown(publisher.name)}: {publisher.published:,} sent{returned}{targets}."


def _listed(exchanges: tuple[str, ...]) -> str:
    return ", ".join(shown(name) or "the default exchange" for name in exchanges)


def _exchange(exchange: ExchangeView, snapshot: Snapshot) -> str:
    name = f"Exchange {shown(exchange.name)}" if exchange.name else "The default exchange"
    lost = f", {exchange.lost:,} lost: no binding" if exchange.lost else ""
    returned = f", {exchange.returned:,} returned: no binding" if exchange.returned else ""
    published = counted(exchange.published, "message")
    internal = ", internal" if exchange.options.internal else ""
    alternate = exchange.options.alternate_exchange
    second = f", what nothing matches goes to {_target(alternate, snapshot)}" if alternate is not None else ""
    return f"{name}, {exchange.options.type}{internal}, got {published}{lost}{returned}{second}."


def _target(exchange: str, snapshot: Snapshot) -> str:
    """An exchange that is only named somewhere."""
    if not exchange or exchange in snapshot.exchanges:
        return shown(exchange) or "the default exchange"
    return f"{shown(exchange)}, which does not exist"


def _bindings(exchange: ExchangeView, snapshot: Snapshot) -> Iterator[str]:
    for binding, taken in snapshot.bindings.items():
        if binding.source == exchange.name:
            yield f"  {_binding(binding, exchange.options.type)}, {_taken(taken)}."


def _binding(binding: Binding, exchange_type: str) -> str:
    key = key_of(binding, exchange_type, cut=False)
    target = f"{'exchange' if binding.to_exchange else 'queue'} {shown(binding.destination)}"
    return f"{key} leads to {target}" if key else f"leads to {target}"


def _taken(count: int) -> str:
    return {0: "never taken", 1: "taken once"}.get(count, f"taken {count:,} times")


def _queue(queue: QueueView, snapshot: Snapshot) -> str:
    expired = sum(
        not seat.unacked and seat.expires is not None and seat.expires <= snapshot.time
        for seat in queue.seats
    )
    dead = f", {expired} of them expired but not at the head" if expired else ""
    options = "".join(f", {chip}" for chip in chips_of(queue.options, most=99))
    counts = f"{queue.ready:,} ready{dead}, {queue.unacked:,} unacked"
    return f"Queue {shown(queue.name)}, {counts}{options}{_dead_letters(queue, snapshot)}."


def _dead_letters(queue: QueueView, snapshot: Snapshot) -> str:
    exchange = queue.options.dead_letter_exchange
    if exchange is None:
        return ""
    reasons = reasons_of(queue).replace(" · ", ", ")
    return f", dead letters ({reasons}) to {_target(exchange, snapshot)}"
