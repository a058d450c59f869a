"""The reducer: from events back to the state.

A Replay begins empty, is told the events one after the other, and can be frozen into a Snapshot after any
of them.  It knows nothing but the events, which is what makes the history the whole truth: what it cannot
rebuild was never recorded.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from .depth import Depths, Point
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

    from .events import Arrival, Place, Row
    from .model import QueueOptions


class Replay:
    """The state after the event `serial`, and the depth of every queue up to then."""

    def __init__(self) -> None:
        self.serial = 0
        self.time = 0.0
        self.on_its_way = 0
        self.exchanges = {name: _Exchange(name, options) for name, options in PREDECLARED.items()}
        self.queues: dict[str, _Queue] = {}
        self.bindings: dict[Binding, int] = {}
        self.consumers: dict[tuple[int, str], _Consumer] = {}
        self.channels: dict[int, ChannelView] = {}
        self.connections: dict[int, str] = {}
        self.publishers: dict[str, _Publisher] = {}
        self.deleting: set[str] = set()  # queues whose deletion has begun
        self.depths = Depths()
        self._doors: Counter[str] = Counter()

    def apply(self, rows: Iterable[Row]) -> None:
        """Go on by these events, given as the history keeps them."""
        for row in rows:
            self.time, message, copy = row[0], row[2], row[3]
            if copy:
                self._move_copy(row)
            elif message:
                self._move_message(row)
            else:
                handler = _HANDLERS.get(row[1])
                if handler is not None:
                    handler(self, row[5], row[9])
            self.serial += 1

    def copy(self) -> Replay:
        """An independent copy: events applied to one do not change the other."""
        twin = Replay()
        twin.serial, twin.time, twin.on_its_way = self.serial, self.time, self.on_its_way
        twin.exchanges = {name: exchange.copy() for name, exchange in self.exchanges.items()}
        twin.queues = {name: queue.copy() for name, queue in self.queues.items()}
        twin.bindings = self.bindings.copy()
        twin.consumers = {key: consumer.copy() for key, consumer in self.consumers.items()}
        twin.channels = self.channels.copy()
        twin.connections = self.connections.copy()
        twin.publishers = {name: publisher.copy() for name, publisher in self.publishers.items()}
        twin.deleting = self.deleting.copy()
        twin.depths = self.depths.copy()
        twin._doors = self._doors.copy()
        return twin

    def snapshot(self, time: float | None = None) -> Snapshot:
        """The state as a value; `time` may be later than the last event's."""
        queues = {name: queue.view() for name, queue in self.queues.items()}
        return Snapshot(
            serial=self.serial,
            time=self.time if time is None else time,
            exchanges={name: exchange.view() for name, exchange in self.exchanges.items()},
            queues=queues,
            bindings=self.bindings.copy(),
            consumers={key: self._consumer_view(consumer) for key, consumer in self.consumers.items()},
            channels={key: self._channel_view(channel) for key, channel in self.channels.items()},
            connections=self.connections.copy(),
            publishers={name: publisher.view() for name, publisher in self.publishers.items()},
            ledger=self.ledger(),
        )

    def _consumer_view(self, consumer: _Consumer) -> ConsumerView:
        view = consumer.view
        held = self.queues[view.queue].held_by.get((view.channel, view.tag), [])
        return replace(view, unacked=len(held), held=tuple(held[:SEATS]), received=consumer.received)

    def _channel_view(self, channel: ChannelView) -> ChannelView:
        """The channel, with what no consumer of it holds: fetched by a get, or left by one that has gone."""
        fetched = [
            (queue.name, seat)
            for queue in self.queues.values()
            for (number, tag), seats in queue.held_by.items()
            if number == channel.id and not tag
            for seat in seats[:SEATS]
        ]
        return replace(channel, fetched=tuple(fetched[:SEATS])) if fetched else channel

    def ledger(self) -> Ledger:
        """Both balances.  Ready and unacked are what stands in the queues, the rest was counted at a door."""
        return Ledger(
            **self._doors,
            on_its_way=1 if self.on_its_way else 0,
            ready=sum(len(queue.copies) - len(queue.holders) for queue in self.queues.values()),
            unacked=sum(len(queue.holders) for queue in self.queues.values()),
        )

    # ------------------------------------------------------------ messages

    def _move_message(self, row: Row) -> None:
        """A message was published, found no queue, or was answered for."""
        kind, message, source, target = row[1], row[2], row[4], row[5]
        if kind == "published":
            self._doors[kind] += 1
            self.on_its_way = message
            self._publish(source.name, target.name)
        elif kind in ("confirmed", "nacked"):
            publisher = self.publishers[target.name]
            setattr(publisher, kind, getattr(publisher, kind) + 1)
        else:
            self._doors[kind] += 1
            self.on_its_way = 0
            self._leave(self.exchanges.get(source.name), kind, message, target.name)

    def _leave(self, exchange: _Exchange | None, door: str, message: int, publisher: str) -> None:
        if door == "returned":
            self.publishers[publisher].returned += 1
        if exchange is None:
            return  # deleted since the message was published, within a transaction
        if door == "lost":
            exchange.lost += 1
            exchange.last_lost = message
        else:
            exchange.returned += 1

    def _publish(self, publisher_name: str, exchange_name: str) -> None:
        exchange = self.exchanges.get(exchange_name)
        if exchange is None and not exchange_name:  # the default one is there without having been declared
            exchange = self.exchanges[exchange_name] = _Exchange(exchange_name, _DEFAULT)
        if exchange is not None:  # or it was deleted since, and this is a transaction
            exchange.published += 1
        publisher = self.publishers.get(publisher_name)
        if publisher is None:
            publisher = self.publishers[publisher_name] = _Publisher(publisher_name)
        publisher.published += 1
        publisher.exchanges[exchange_name] = None

    # ------------------------------------------------------------ copies

    def _move_copy(self, row: Row) -> None:
        """A copy was born, was taken, came back, or left through a door."""
        time, kind, _, _, source, target, position = row[:7]
        if source.kind == "exchange":
            queue = self._birth(row)
        else:
            queue = self.queues[source.name]
            if kind == "handed":
                queue.hand(position)
                return
            if target.kind == "unacked":
                queue.holders[position] = target.channel, target.consumer, row[9], kind == "fetched"
            elif target.kind == "ready":
                queue.put_back(position)
            else:
                queue.remove(position)
                self._doors[target.kind] += 1
            if target.consumer and kind in ("delivered", "sent"):
                self.consumers[target.channel, target.consumer].received += 1
        queue.changed = True
        unacked = len(queue.holders)
        self.depths.add(queue.name, Point(self.serial + 1, time, len(queue.copies) - unacked, unacked))

    def _birth(self, row: Row) -> _Queue:
        self._doors["copies"] += 1
        if self.on_its_way == row[2]:
            self._doors["routed"] += 1
            self.on_its_way = 0
        arrival = row[9]
        bindings = self.bindings
        for binding in arrival.bindings:
            bindings[binding] = bindings.get(binding, 0) + 1
        queue = self.queues[row[5].name]
        if row[1] == "refused":
            self._doors["refused"] += 1
        else:
            queue.copies[row[6]] = row[3], row[2], row[0], arrival
        return queue

    # ------------------------------------------------------------ topology

    def _exchange_declared(self, place: Place, options: Any) -> None:
        self.exchanges[place.name] = _Exchange(place.name, options)

    def _exchange_deleted(self, place: Place, _what: Any) -> None:
        del self.exchanges[place.name]

    def _queue_declared(self, place: Place, options: Any) -> None:
        self.queues[place.name] = _Queue(place.name, options)
        self.depths.add(place.name, Point(self.serial + 1, self.time, 0, 0))

    def _deleting(self, place: Place, _what: Any) -> None:
        self.deleting.add(place.name)

    def _queue_deleted(self, place: Place, _what: Any) -> None:
        self.deleting.discard(place.name)
        del self.queues[place.name]
        self.bindings.pop(Binding("", place.name, place.name), None)

    def _bound(self, _place: Place, binding: Any) -> None:
        self.bindings[binding] = 0

    def _unbound(self, _place: Place, binding: Any) -> None:
        del self.bindings[binding]

    # ------------------------------------------------------------ clients

    def _connected(self, place: Place, number: Any) -> None:
        self.connections[number] = place.name

    def _disconnected(self, _place: Place, number: Any) -> None:
        del self.connections[number]

    def _channel_opened(self, place: Place, connection: Any) -> None:
        self.channels[place.channel] = ChannelView(place.channel, connection)

    def _channel_closed(self, place: Place, _what: Any) -> None:
        del self.channels[place.channel]

    def _prefetch_set(self, place: Place, count: Any) -> None:
        self.channels[place.channel] = replace(self.channels[place.channel], prefetch=count)

    def _consumer_started(self, place: Place, view: Any) -> None:
        self.consumers[place.channel, place.consumer] = _Consumer(view)

    def _consumer_activated(self, place: Place, _what: Any) -> None:
        consumer = self.consumers[place.channel, place.consumer]
        consumer.view = replace(consumer.view, active=True)

    def _consumer_cancelled(self, place: Place, _what: Any) -> None:
        """What it holds is its channel's from now on (R-5)."""
        queue = self.queues[self.consumers.pop((place.channel, place.consumer)).view.queue]
        queue.changed = True
        for position, (channel, consumer, tag, handed) in queue.holders.items():
            if (channel, consumer) == (place.channel, place.consumer):
                queue.holders[position] = channel, "", tag, handed

    handlers = (
        _exchange_declared,
        _exchange_deleted,
        _queue_declared,
        _deleting,
        _queue_deleted,
        _bound,
        _unbound,
        _connected,
        _disconnected,
        _channel_opened,
        _channel_closed,
        _prefetch_set,
        _consumer_started,
        _consumer_activated,
        _consumer_cancelled,
    )


_HANDLERS: dict[str, Callable[[Replay, Place, Any], None]] = {
    handler.__name__.removeprefix("_"): handler for handler in Replay.handlers
}

_DEFAULT = ExchangeOptions("direct", durable=True)


class _Exchange:
    """An exchange and its counts."""

    def __init__(self, name: str, options: ExchangeOptions) -> None:
        self.name = name
        self.options = options
        self.published = self.lost = self.returned = self.last_lost = 0

    def copy(self) -> _Exchange:
        twin = _Exchange(self.name, self.options)
        vars(twin).update(vars(self))
        return twin

    def view(self) -> ExchangeView:
        return ExchangeView(**vars(self))


class _Publisher:
    """Who has published, how much, and to which exchanges."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.published = self.returned = self.confirmed = self.nacked = 0
        self.exchanges: dict[str, None] = {}

    def copy(self) -> _Publisher:
        twin = _Publisher(self.name)
        vars(twin).update(vars(self), exchanges=self.exchanges.copy())
        return twin

    def view(self) -> PublisherView:
        return PublisherView(**{**vars(self), "exchanges": tuple(self.exchanges)})


class _Consumer:
    """A consumer as it began, and how many copies it was sent."""

    def __init__(self, view: ConsumerView, received: int = 0) -> None:
        self.view = view
        self.received = received

    def copy(self) -> _Consumer:
        return _Consumer(self.view, self.received)


class _Queue:
    """All that stands in one queue, by position.

    `copies` has (copy, message, entered, arrival), `holders` (channel, consumer, tag, handed) of those
    that are unacked, and `returns` how often a copy came back, if it did.
    """

    def __init__(self, name: str, options: QueueOptions) -> None:
        self.name = name
        self.options = options
        self.copies: dict[int, tuple[int, int, float, Arrival]] = {}
        self.holders: dict[int, tuple[int, str, int, bool]] = {}
        self.returns: dict[int, int] = {}
        self.changed = False
        self._view = QueueView(name, options)
        self._held_by: dict[tuple[int, str], list[Seat]] = {}

    def copy(self) -> _Queue:
        twin = _Queue(self.name, self.options)
        twin.copies, twin.holders, twin.returns = self.copies.copy(), self.holders.copy(), self.returns.copy()
        twin.changed = True
        return twin

    def hand(self, position: int) -> None:
        channel, consumer, tag, _ = self.holders[position]
        self.holders[position] = channel, consumer, tag, True
        self.changed = True

    def put_back(self, position: int) -> None:
        del self.holders[position]
        self.returns[position] = self.returns.get(position, 0) + 1

    def remove(self, position: int) -> None:
        del self.copies[position]
        self.holders.pop(position, None)
        self.returns.pop(position, None)

    def seat(self, position: int) -> Seat:
        copy, message, entered, arrival = self.copies[position]
        held = self.holders.get(position)
        return Seat(
            position,
            copy,
            message,
            entered,
            arrival.expires,
            self.returns.get(position, 0),
            arrival.priority,
            arrival.deaths,
            *((True, *held) if held else ()),
        )

    def _in_order(self) -> Iterable[int]:
        """The positions, head first: the highest priority stands before all others (P-1)."""
        if self.options.max_priority is None:
            return self.copies
        return sorted(self.copies, key=lambda position: (-self.copies[position][3].priority, position))

    @property
    def seats(self) -> dict[int, Seat]:
        """All seats by position, head first."""
        return {position: self.seat(position) for position in self._in_order()}

    @property
    def held_by(self) -> dict[tuple[int, str], list[Seat]]:
        """The unacked seats by (channel, consumer)."""
        self.view()
        return self._held_by

    def view(self) -> QueueView:
        """The queue as a value, made anew only if it changed."""
        if self.changed:
            unacked = len(self.holders)
            first = tuple(self.seat(position) for position in islice(self._in_order(), SEATS))
            self._view = QueueView(self.name, self.options, len(self.copies) - unacked, unacked, first)
            self._held_by = {}
            for position, (channel, consumer, *_) in self.holders.items():
                self._held_by.setdefault((channel, consumer), []).append(self.seat(position))
            self.changed = False
        return self._view
