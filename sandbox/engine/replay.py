"""The reducer: from events back to the state.

A Replay begins empty, is told the events one after the other, and can be frozen into a Snapshot after any
of them.  It knows nothing but the events, which is what makes the history the whole truth: what it cannot
rebuild was never recorded.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from .depth import Depths
from .ledger import Ledger
from .model import PREDECLARED, Binding, ExchangeOptions
from .snapshot import (
    SEATS,
    ChannelView,
    ConsumerView,
    ExchangeView,
    PublisherView,
    QueueView,
    Seat,
    Snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .events import Event, Place
    from .model import QueueOptions


class Replay:
    """The state after the event `serial`, and the depth of every queue up to then."""

    def __init__(self) -> None:
        self.serial = 0
        self.time = 0.0
        self.queues: dict[str, _Queue] = {}
        self.exchanges = {name: ExchangeView(name, options) for name, options in PREDECLARED.items()}
        self.bindings: dict[Binding, int] = {}
        self.consumers: dict[tuple[int, str], ConsumerView] = {}
        self.channels: dict[int, ChannelView] = {}
        self.connections: dict[int, str] = {}
        self.publishers: dict[str, PublisherView] = {}
        self.on_its_way = 0
        self.depths = Depths()
        self._held: dict[tuple[int, str], dict[tuple[str, int], None]] = {}
        self._counts: Counter[str] = Counter()
        self._changed: set[str] = set()
        self._views: dict[str, QueueView] = {}

    def apply(self, event: Event) -> None:
        """Go on by one event."""
        if event.copy:
            self._move_copy(event)
        elif event.message:
            self._move_message(event)
        else:
            handler = _HANDLERS.get(event.kind)
            if handler is not None:
                handler(self, event)
        self.depths.apply(event)
        self.serial = event.serial
        self.time = event.time

    def apply_all(self, events: Iterable[Event]) -> None:
        """Go on by these events."""
        for event in events:
            self.apply(event)

    def copy(self) -> Replay:
        """An independent copy: events applied to one do not change the other."""
        twin = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (dict, set)):
                setattr(twin, name, value.copy())
        twin.depths = self.depths.copy()
        twin.queues = {name: queue.copy() for name, queue in self.queues.items()}
        twin._held = {holder: held.copy() for holder, held in self._held.items()}
        return twin

    # ------------------------------------------------------------ freezing

    def snapshot(self, time: float | None = None) -> Snapshot:
        """The state as a value; `time` may be later than the last event's."""
        for name in self._changed:
            if name in self.queues:
                self._views[name] = self.queues[name].view()
            else:
                self._views.pop(name, None)
        self._changed.clear()
        return Snapshot(
            serial=self.serial,
            time=self.time if time is None else time,
            exchanges=self.exchanges.copy(),
            queues={name: self._views[name] for name in self.queues},
            bindings=self.bindings.copy(),
            consumers={key: self._with_held(consumer) for key, consumer in self.consumers.items()},
            channels={key: self._with_fetched(channel) for key, channel in self.channels.items()},
            connections=self.connections.copy(),
            publishers=self.publishers.copy(),
            ledger=self.ledger(),
        )

    def ledger(self) -> Ledger:
        """Both balances.  Ready and unacked are what stands in the queues, the rest was counted at a door."""
        doors = {door: self._counts[door] for door in Ledger._fields if door in self._counts}
        return Ledger(**doors)._replace(
            on_its_way=1 if self.on_its_way else 0,
            ready=sum(queue.ready for queue in self.queues.values()),
            unacked=sum(len(queue.seats) - queue.ready for queue in self.queues.values()),
        )

    def _with_held(self, consumer: ConsumerView) -> ConsumerView:
        held = self._held.get((consumer.channel, consumer.tag), {})
        seats = tuple(self.queues[queue].seats[position] for queue, position in islice(held, SEATS))
        return replace(consumer, unacked=len(held), held=seats)

    def _with_fetched(self, channel: ChannelView) -> ChannelView:
        held = self._held.get((channel.id, ""), {})
        seats = ((queue, self.queues[queue].seats[position]) for queue, position in islice(held, SEATS))
        return replace(channel, fetched=tuple(seats))

    # ------------------------------------------------------------ moves

    def _move_message(self, event: Event) -> None:
        """A message was published, or found no queue."""
        assert event.source is not None and event.target is not None  # noqa: PT018  (a move has two ends)
        if event.kind == "published":
            self._counts["published"] += 1
            self.on_its_way = event.message
            self._publish(event.source.name, event.target.name)
            return
        self._counts[event.target.kind] += 1
        self.on_its_way = 0
        exchange = self.exchanges[event.source.name]
        if event.kind == "lost":
            self.exchanges[exchange.name] = replace(exchange, lost=exchange.lost + 1, last_lost=event.message)
        else:
            self.exchanges[exchange.name] = replace(exchange, returned=exchange.returned + 1)
            publisher = self.publishers[event.target.name]
            self.publishers[publisher.name] = replace(publisher, returned=publisher.returned + 1)

    def _publish(self, publisher_name: str, exchange_name: str) -> None:
        exchange = self.exchanges.get(exchange_name) or _default_exchange()
        self.exchanges[exchange_name] = replace(exchange, published=exchange.published + 1)
        publisher = self.publishers.get(publisher_name) or PublisherView(publisher_name)
        exchanges = publisher.exchanges
        if exchange_name not in exchanges:
            exchanges = (*exchanges, exchange_name)
        self.publishers[publisher_name] = replace(
            publisher, published=publisher.published + 1, exchanges=exchanges
        )

    def _move_copy(self, event: Event) -> None:
        """A copy was born, was taken, came back, or left through a door."""
        assert event.source is not None and event.target is not None  # noqa: PT018  (a move has two ends)
        source, target = event.source, event.target
        if source.kind == "exchange":
            self._birth(event, target.name)
            return
        queue = self.queues[source.name]
        seat = queue.seats[event.seat]
        self._changed.add(queue.name)
        if seat.unacked:
            self._let_go(queue, seat)
        if target.kind == "unacked":
            queue.take(seat, target, event)
            self._held.setdefault((target.channel, target.consumer), {})[queue.name, seat.position] = None
        elif target.kind == "ready":
            queue.put_back(seat)
        else:
            queue.remove(seat)
            self._counts[target.kind] += 1
        if event.kind in ("delivered", "sent") and target.consumer:
            consumer = self.consumers[target.channel, target.consumer]
            self.consumers[target.channel, target.consumer] = replace(
                consumer, received=consumer.received + 1
            )

    def _birth(self, event: Event, queue_name: str) -> None:
        arrival = event.what
        self._counts["copies"] += 1
        if self.on_its_way == event.message:
            self._counts["routed"] += 1
            self.on_its_way = 0
        self.queues[queue_name].add(Seat(event.seat, event.copy, event.message, event.time, arrival.expires))
        self._changed.add(queue_name)
        for binding in arrival.bindings:
            self.bindings[binding] = self.bindings.get(binding, 0) + 1

    def _let_go(self, queue: _Queue, seat: Seat) -> None:
        holder = seat.channel, seat.consumer
        del self._held[holder][queue.name, seat.position]
        if not self._held[holder]:
            del self._held[holder]

    # ------------------------------------------------------------ topology

    def _exchange_declared(self, event: Event) -> None:
        name = _name(event)
        self.exchanges[name] = ExchangeView(name, event.what)

    def _exchange_deleted(self, event: Event) -> None:
        del self.exchanges[_name(event)]

    def _queue_declared(self, event: Event) -> None:
        name = _name(event)
        self.queues[name] = _Queue(name, event.what)
        self._changed.add(name)

    def _queue_deleted(self, event: Event) -> None:
        name = _name(event)
        del self.queues[name]
        self.bindings.pop(Binding("", name, name), None)
        self._changed.add(name)

    def _bound(self, event: Event) -> None:
        self.bindings[event.what] = 0

    def _unbound(self, event: Event) -> None:
        del self.bindings[event.what]

    # ------------------------------------------------------------ clients

    def _connected(self, event: Event) -> None:
        self.connections[event.what] = _name(event)

    def _disconnected(self, event: Event) -> None:
        del self.connections[event.what]

    def _channel_opened(self, event: Event) -> None:
        place = _target(event)
        self.channels[place.channel] = ChannelView(place.channel, event.what)

    def _channel_closed(self, event: Event) -> None:
        del self.channels[_target(event).channel]

    def _prefetch_set(self, event: Event) -> None:
        place = _target(event)
        self.channels[place.channel] = replace(self.channels[place.channel], prefetch=event.what)

    def _consumer_started(self, event: Event) -> None:
        place = _target(event)
        self.consumers[place.channel, place.consumer] = event.what

    def _consumer_cancelled(self, event: Event) -> None:
        place = _target(event)
        del self.consumers[place.channel, place.consumer]


_HANDLERS: dict[str, Callable[[Replay, Event], None]] = {
    "exchange_declared": Replay._exchange_declared,
    "exchange_deleted": Replay._exchange_deleted,
    "queue_declared": Replay._queue_declared,
    "queue_deleted": Replay._queue_deleted,
    "bound": Replay._bound,
    "unbound": Replay._unbound,
    "connected": Replay._connected,
    "disconnected": Replay._disconnected,
    "channel_opened": Replay._channel_opened,
    "channel_closed": Replay._channel_closed,
    "prefetch_set": Replay._prefetch_set,
    "consumer_started": Replay._consumer_started,
    "consumer_cancelled": Replay._consumer_cancelled,
}


class _Queue:
    """All seats of one queue, by position; `ready` counts those that nobody holds."""

    def __init__(self, name: str, options: QueueOptions) -> None:
        self.name = name
        self.options = options
        self.seats: dict[int, Seat] = {}
        self.ready = 0

    def copy(self) -> _Queue:
        twin = _Queue(self.name, self.options)
        twin.seats = self.seats.copy()
        twin.ready = self.ready
        return twin

    def add(self, seat: Seat) -> None:
        self.seats[seat.position] = seat
        self.ready += 1

    def take(self, seat: Seat, holder: Place, event: Event) -> None:
        if seat.unacked:  # it had been delivered before, and is handed over now
            self.seats[seat.position] = seat._replace(handed=True)
            return
        self.ready -= 1
        self.seats[seat.position] = seat._replace(
            unacked=True,
            channel=holder.channel,
            consumer=holder.consumer,
            tag=event.what,
            handed=event.kind == "fetched",
        )

    def put_back(self, seat: Seat) -> None:
        self.ready += 1
        self.seats[seat.position] = seat._replace(
            unacked=False, channel=0, consumer="", tag=0, handed=False, redelivered=seat.redelivered + 1
        )

    def remove(self, seat: Seat) -> None:
        self.ready -= not seat.unacked
        del self.seats[seat.position]

    def view(self) -> QueueView:
        return QueueView(
            self.name,
            self.options,
            self.ready,
            len(self.seats) - self.ready,
            tuple(islice(self.seats.values(), SEATS)),
        )


def _target(event: Event) -> Place:
    assert event.target is not None  # an event of a client names its place
    return event.target


def _name(event: Event) -> Any:
    return _target(event).name


def _default_exchange() -> ExchangeView:
    return ExchangeView("", ExchangeOptions("direct", durable=True))
