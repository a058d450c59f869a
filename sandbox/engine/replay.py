"""The reducer: from events back to the state.

A Replay begins empty, is told the events one after the other, and can be frozen into a Snapshot after any
of them.  It knows nothing but the events, which is what makes the history the whole truth: what it cannot
rebuild was never recorded.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

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

    from .events import Arrival, Place, Row
    from .model import Message, QueueOptions

#: How many dead letters a Replay keeps in mind at least: those of one transaction, for example.
MOST_LETTERS = 200


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
        self._header: Message | None = None  # of the message that was published last
        self._letters: dict[int, Message | None] = {}  # the dead letters, by the serials of their deaths

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
        twin._header, twin._letters = self._header, self._letters.copy()
        return twin

    def snapshot(self, time: float | None = None, seats: int = SEATS) -> Snapshot:
        """The state as a value; `time` may be later than the last event's.

        Of each queue, consumer and channel it shows so many `seats`.
        """
        held = {name: queue.held_by(seats) for name, queue in self.queues.items()}
        fetched = _fetched(held)
        return Snapshot(
            serial=self.serial,
            time=self.time if time is None else time,
            exchanges={name: exchange.view() for name, exchange in self.exchanges.items()},
            queues={name: queue.view(seats) for name, queue in self.queues.items()},
            bindings=self.bindings.copy(),
            consumers={key: consumer.look(held) for key, consumer in self.consumers.items()},
            channels={
                number: replace(channel, fetched=tuple(fetched[number][:seats]))
                if number in fetched
                else channel
                for number, channel in self.channels.items()
            },
            connections=self.connections.copy(),
            publishers={name: publisher.view() for name, publisher in self.publishers.items()},
            ledger=self.ledger(),
        )

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
            self._header = row[9]
            if len(self._letters) > MOST_LETTERS:  # all of them have arrived
                self._letters.clear()
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
        time, kind, _, _, source, target, position, _, _, what = row
        if source.kind == "exchange":
            queue = self._birth(row)
        else:
            queue = self.queues[source.name]
            if kind == "handed":
                queue.hand(position)
                return
            place = target.kind
            if place == "unacked":
                queue.holders[position] = target.channel, target.consumer, what, kind == "fetched"
            elif place == "ready":
                queue.put_back(position)
            else:
                queue.remove(position)
                self._doors[place] += 1
                if kind == "dead_lettered":
                    self._letters[self.serial + 1] = what
            if target.consumer and kind in ("delivered", "sent"):
                self.consumers[target.channel, target.consumer].received += 1
        queue.changed = True
        unacked = len(queue.holders)
        self.depths.add(queue.name, (self.serial + 1, time, len(queue.copies) - unacked, unacked))

    def _birth(self, row: Row) -> _Queue:
        time, kind, message, copy, _, target, position, cause, _, arrival = row
        doors = self._doors
        doors["copies"] += 1
        if self.on_its_way == message:
            doors["routed"] += 1
            self.on_its_way = 0
        bindings = self.bindings
        for binding in arrival.bindings:
            bindings[binding] = bindings.get(binding, 0) + 1
        queue = self.queues[target.name]
        header = self._letters.get(cause) if cause else self._header
        if kind == "refused":
            doors["refused"] += 1
            if queue.options.overflow == "reject-publish-dlx":
                self._letters[self.serial + 1] = header
        else:
            queue.copies[position] = copy, message, time, arrival, header
        return queue

    # ------------------------------------------------------------ topology

    def _exchange_declared(self, place: Place, options: Any) -> None:
        self.exchanges[place.name] = _Exchange(place.name, options)

    def _exchange_deleted(self, place: Place, _what: Any) -> None:
        del self.exchanges[place.name]

    def _queue_declared(self, place: Place, options: Any) -> None:
        self.queues[place.name] = _Queue(place.name, options)
        self.depths.add(place.name, (self.serial + 1, self.time, 0, 0))

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

    def look(self, held: dict[str, dict[tuple[int, str], _Held]]) -> ConsumerView:
        view = self.view
        unacked, seats = held[view.queue].get((view.channel, view.tag), _NOTHING)
        return replace(view, unacked=unacked, held=tuple(seats), received=self.received)


class _Held(NamedTuple):
    """How many copies somebody holds, and the first ones' seats."""

    number: int
    seats: list[Seat]


_NOTHING = _Held(0, [])


def _fetched(held: dict[str, dict[tuple[int, str], _Held]]) -> dict[int, list[tuple[str, Seat]]]:
    """By channel what no consumer of it holds: fetched by a get, or left by one that has gone."""
    fetched: dict[int, list[tuple[str, Seat]]] = {}
    for queue, holders in held.items():
        for (channel, consumer), (_, seats) in holders.items():
            if not consumer:
                fetched.setdefault(channel, []).extend((queue, seat) for seat in seats)
    return fetched


class _Queue:
    """All that stands in one queue, by position.

    `copies` has (copy, message, entered, arrival, header), `holders` (channel, consumer, tag, handed) of
    those that are unacked, and `returns` how often a copy came back, if it did.
    """

    def __init__(self, name: str, options: QueueOptions) -> None:
        self.name = name
        self.options = options
        self.copies: dict[int, tuple[int, int, float, Arrival, Message | None]] = {}
        self.holders: dict[int, tuple[int, str, int, bool]] = {}
        self.returns: dict[int, int] = {}
        self.changed = False
        self._views: dict[int, QueueView] = {}  # by how many seats they show
        self._held_by: dict[int, dict[tuple[int, str], _Held]] = {}  # likewise

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
        copy, message, entered, arrival, header = self.copies[position]
        unacked = position in self.holders
        channel, consumer, tag, handed = self.holders[position] if unacked else _NOBODY
        return Seat(
            position,
            copy,
            message,
            entered,
            arrival.expires,
            self.returns.get(position, 0),
            arrival.priority,
            arrival.deaths,
            unacked,
            channel,
            consumer,
            tag,
            handed,
            header,
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

    def held_by(self, seats: int = SEATS) -> dict[tuple[int, str], _Held]:
        """What each (channel, consumer) holds; made anew only if it changed."""
        self._look()
        if seats not in self._held_by:
            held: dict[tuple[int, str], list[int]] = {}
            for position, (channel, consumer, *_) in self.holders.items():
                held.setdefault((channel, consumer), []).append(position)
            self._held_by[seats] = {
                holder: _Held(len(positions), list(map(self.seat, positions[:seats])))
                for holder, positions in held.items()
            }
        return self._held_by[seats]

    def view(self, seats: int = SEATS) -> QueueView:
        """The queue as a value, made anew only if it changed."""
        self._look()
        if seats not in self._views:
            unacked = len(self.holders)
            first = tuple(self.seat(position) for position in islice(self._in_order(), seats))
            self._views[seats] = QueueView(
                self.name, self.options, len(self.copies) - unacked, unacked, first
            )
        return self._views[seats]

    def _look(self) -> None:
        """Forget how the queue looked before it changed."""
        if self.changed:
            self._views, self._held_by = {}, {}
            self.changed = False


_NOBODY = 0, "", 0, False
