"""Engine: one virtual host, its verbs, and the one lock.

Every verb goes the same way: take the lock, run what has fallen due, refuse or do, release the lock, wake
the observers.  A refused verb has changed nothing but what RabbitMQ's own channel close does.  A verb that
was interrupted (Ctrl-C) leaves a mark, and the next one repairs what it left half done.

No code of the user's runs under the lock: what a client is to be told stands in its connection's outbox.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, NoReturn, ParamSpec, TypeVar
from weakref import WeakSet

from .clock import ManualClock, Patience, WallClock, wait
from .errors import (
    AccessRefused,
    BrokerError,
    ChannelError,
    Closed,
    ConnectionError,  # noqa: A004  (AMQP's own name for it)
    NotAllowed,
    NotFound,
    NotImplementedByAMQP,
    PreconditionFailed,
    ResourceLocked,
)
from .model import Binding, ExchangeOptions, Message, QueueOptions, parse_expiration, type_name
from .moves import Moves
from .queues import Queue
from .repair import repair
from .sessions import Cancelled, Channel, Connection, Consumer, Delivery
from .topology import refuse_default

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .clock import Clock
    from .depth import Depths
    from .history import History
    from .queues import Copy
    from .snapshot import Snapshot

P = ParamSpec("P")
R = TypeVar("R")


class Published(NamedTuple):
    """What became of a message: the queues that got a copy, or that it came back to the publisher."""

    message: Message
    queues: tuple[str, ...]
    returned: bool = False


class Declared(NamedTuple):
    """The answer to `queue.declare`: the queue's name, its ready messages, its consumers (R-12)."""

    queue: str
    message_count: int
    consumer_count: int


class Due(NamedTuple):
    """A moment at which something will happen by itself, and the queue in which it will."""

    time: float
    queue: str


def _verb(method: Callable[Concatenate[Engine, P], R]) -> Callable[Concatenate[Engine, P], R]:
    """Run a method under the lock, at a moment at which everything due has happened."""

    @wraps(method)
    def verb(self: Engine, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with self._lock:
                self._settle()
                try:
                    result = method(self, *args, **kwargs)
                except BrokerError:
                    self._unfinished = False
                    raise
                self._unfinished = False
                return result
        finally:
            self.history.wake()

    return verb


def _channel_verb(
    method: Callable[Concatenate[Engine, Channel, P], R],
) -> Callable[Concatenate[Engine, Channel, P], R]:
    """Run a method as a verb on a channel, which a refusal closes, or even its connection."""

    @wraps(method)
    def verb(self: Engine, channel: Channel, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with self._lock:
                self._settle()
                try:
                    if not channel.is_open:
                        raise self._closed(channel.connection)
                    result = method(self, channel, *args, **kwargs)
                except BrokerError as error:
                    self._refuse(channel, error)
                    self._unfinished = False
                    raise
                self._unfinished = False
                return result
        finally:
            self.history.wake()

    return verb


class Engine:
    """A broker without a client library: the verbs of AMQP as methods, on channels of connections.

    `clock` tells the time; `history` remembers everything.  Thread-safe.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = WallClock() if clock is None else clock
        self.is_open = True
        #: Connections whose client was garbage-collected.  A finalizer may run while the lock is held, so it
        #: only appends here, and the next verb closes them.
        self.dropped: deque[Connection] = deque()
        self._lock: threading.Lock | _ForkedLock = threading.Lock()
        self._moves = Moves()
        #: Everything that happened.
        self.history: History = self._moves.history
        self._unfinished = False
        self._numbers = {"connection": 0, "channel": 0, "queue": 0, "consumer": 0}
        _engines.add(self)

    @property
    def now(self) -> float:
        """Seconds since the clock began."""
        return self.clock.now()

    def _settle(self) -> None:
        """Bring the broker up to date: what a verb before left undone, what has fallen due, who has gone."""
        moves = self._moves
        if self._unfinished:
            repair(moves)
        self._unfinished = True
        moves.now = now = self.clock.now()
        if moves.deadlines.may_be_due(now):
            self._play_until(now)
        while self.dropped:
            moves.disconnect(self.dropped[0], "the client's Connection was garbage-collected")
            self.dropped.popleft()
        self.history.trim()

    def _refuse(self, channel: Channel, error: BrokerError) -> None:
        """What RabbitMQ does beside answering: a channel error closes the channel, a worse one the connection."""
        if isinstance(error, ChannelError):
            self._moves.close_channel(channel, error.reply_text)
            self._moves.open_channel(channel)
        elif isinstance(error, ConnectionError):
            self._moves.disconnect(channel.connection, error.reply_text)

    def _number(self, noun: str) -> int:
        self._numbers[noun] += 1
        return self._numbers[noun]

    # ------------------------------------------------------------ connections and channels

    @_verb
    def connect(self, name: str = "") -> Connection:
        """A new client, called `name` in pictures, or `connection 1`, `connection 2` …"""
        if not self.is_open:
            raise Closed("this broker is closed")
        number = self._number("connection")
        arrived = threading.Condition(self._lock)  # type: ignore[arg-type]  # a forked lock never gets here
        connection = Connection(number, name or f"connection {number}", arrived)
        self._moves.connect(connection)
        return connection

    @_verb
    def disconnect(self, connection: Connection, reason: str = "closed by the client") -> None:
        """Close a connection; closing it again does nothing."""
        if connection.is_open:
            self._moves.disconnect(connection, reason)

    @_verb
    def open_channel(self, connection: Connection) -> Channel:
        """A new channel."""
        if not connection.is_open:
            raise self._closed(connection)
        channel = Channel(self._number("channel"), connection)
        self._moves.open_channel(channel)
        return channel

    @_verb
    def close_channel(self, channel: Channel) -> None:
        """Close a channel: its consumers go, its unacked messages return to their seats (R-4)."""
        if channel.is_open:
            self._moves.close_channel(channel, "closed by the client")

    @_channel_verb
    def channel_flow(self, _channel: Channel, *, active: bool) -> None:
        """Stop the broker from sending, which RabbitMQ does not implement."""
        if not active:
            raise NotImplementedByAMQP("active=false")

    @_verb
    def close(self) -> None:
        """Close every connection; after that the broker can only be looked at."""
        for connection in list(self._moves.connections.values()):
            self._moves.disconnect(connection, "the broker was closed")
        self.is_open = False

    def _closed(self, connection: Connection) -> Closed:
        """The error that says what is closed: the broker, the connection, or else the channel."""
        what = "this broker" if not self.is_open else "the channel" if connection.is_open else "the connection"
        return Closed(f"{what} is closed")

    # ------------------------------------------------------------ exchanges and bindings

    @_channel_verb
    def exchange_declare(
        self, _channel: Channel, name: str, options: ExchangeOptions, *, passive: bool = False
    ) -> None:
        """Declare an exchange; the same again is no change (EX-6 to EX-9)."""
        refuse_default(name)
        topology = self._moves.topology
        if passive:
            topology.exchange(name)
        elif name in topology.exchanges:
            options.check(name)
            topology.exchanges[name].options.check_equivalent(name, options)
        else:
            options.check(name)
            _refuse_reserved("exchange", name)
            self._moves.add_exchange(name, options)

    @_channel_verb
    def exchange_delete(self, _channel: Channel, name: str, *, if_unused: bool = False) -> None:
        """Delete an exchange; one that does not exist is no error (EX-10)."""
        refuse_default(name)
        if name.startswith("amq."):
            raise AccessRefused(f"deletion of system exchange '{name}' in vhost '/' not allowed")
        exchange = self._moves.topology.exchanges.get(name)
        if exchange is None:
            return
        if if_unused and exchange.bindings:
            raise PreconditionFailed(f"exchange '{name}' in vhost '/' in use", "It has bindings: unbind them first.")
        self._moves.delete_exchange(name)

    @_channel_verb
    def queue_bind(
        self, channel: Channel, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Let an exchange send what matches to a queue; twice is the same as once (EX-2)."""
        name = self._queue_name(channel, queue)
        if not queue and not routing_key:
            routing_key = name
        refuse_default(exchange)
        if exchange not in self._moves.topology.exchanges:
            self._moves.topology.exchange(exchange)
        self._queue(channel, name)
        self._moves.bind(Binding(exchange, name, routing_key, arguments))

    @_channel_verb
    def exchange_bind(
        self, _channel: Channel, destination: str, source: str, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Let one exchange send what matches on to another (E2E-1)."""
        refuse_default(source)
        refuse_default(destination)
        self._moves.topology.exchange(source)
        self._moves.topology.exchange(destination)
        self._moves.bind(Binding(source, destination, routing_key, arguments, to_exchange=True))

    @_channel_verb
    def exchange_unbind(
        self, _channel: Channel, destination: str, source: str, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Take such a binding away; what is not there is no error."""
        refuse_default(source)
        refuse_default(destination)
        binding = Binding(source, destination, routing_key, arguments, to_exchange=True)
        exchange = self._moves.topology.exchanges.get(source)
        if exchange is not None and binding in exchange.bindings:
            self._moves.unbind(binding)

    @_channel_verb
    def queue_unbind(
        self, channel: Channel, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Take a binding away; what is not there is no error (U-9)."""
        name = self._queue_name(channel, queue)
        if not queue and not routing_key:
            routing_key = name
        refuse_default(exchange)
        binding = Binding(exchange, name, routing_key, arguments)
        source = self._moves.topology.exchanges.get(exchange)
        if source is not None and binding in source.bindings:
            self._queue(channel, name)
            self._moves.unbind(binding)

    # ------------------------------------------------------------ queues

    @_channel_verb
    def queue_declare(  # noqa: PLR0913  (AMQP's parameters)
        self,
        channel: Channel,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> Declared:
        """Declare a queue, or only ask for it (`passive`); the same again is no change (U-1 to U-4, U-8)."""
        topology = self._moves.topology
        if passive:
            queue = self._queue(channel, name)
        elif name in topology.queues:
            queue = self._queue(channel, name, exclusive=exclusive)
            queue.options.check_equivalent(
                name, durable=durable, auto_delete=auto_delete, arguments=arguments or {}
            )
        else:
            options = QueueOptions.parse(
                name, durable=durable, exclusive=exclusive, auto_delete=auto_delete, arguments=arguments or {}
            )
            _refuse_reserved("queue", name)
            name = name or f"amq.gen-{self._number('queue')}"
            queue = Queue(name, options, channel.connection if exclusive else None, self._moves.now)
            self._moves.add_queue(queue)
        channel.last_queue = queue.name
        self._use(queue)
        return Declared(queue.name, queue.ready, queue.consumer_count)

    @_channel_verb
    def queue_delete(
        self, channel: Channel, name: str, *, if_unused: bool = False, if_empty: bool = False
    ) -> int:
        """Delete a queue; returns how many ready messages went with it, 0 if there was none (U-6)."""
        name = self._queue_name(channel, name)
        if name not in self._moves.topology.queues:
            return 0
        queue = self._queue(channel, name)
        if if_empty and queue.ready:
            raise PreconditionFailed(f"queue '{name}' in vhost '/' not empty", "Purge it first, or let it be read.")
        if if_unused and queue.consumer_count:
            raise PreconditionFailed(f"queue '{name}' in vhost '/' in use", "It has consumers: cancel them first.")
        ready = queue.ready
        self._moves.delete_queue(queue, "deleted")
        return ready

    @_channel_verb
    def queue_purge(self, channel: Channel, name: str) -> int:
        """Remove the ready messages; unacked ones stay with their consumers (U-7)."""
        return self._moves.purge(self._queue(channel, self._queue_name(channel, name)))

    def _queue(self, channel: Channel, name: str, *, exclusive: bool | None = None) -> Queue:
        """The queue of that name, if this connection may use it (U-4); `exclusive` as it is declared now."""
        queue = self._moves.topology.queue(name)
        foreign = queue.owner is not None and queue.owner is not channel.connection
        if foreign or (exclusive is not None and exclusive != queue.options.exclusive):
            raise ResourceLocked(
                f"cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be originally "
                "declared on another connection or the exclusive property value does not match that of the "
                "original declaration.",
                "An exclusive queue belongs to the connection that declared it.",
            )
        return queue

    @staticmethod
    def _queue_name(channel: Channel, name: str) -> str:
        """The name, or that of the queue that was last declared on this channel (U-8)."""
        if not name and not channel.last_queue:
            raise NotFound("no previously declared queue", "An empty name means the queue declared last.")
        return name or channel.last_queue

    def _use(self, queue: Queue) -> None:
        """The queue is used now, so that its `expires` begins anew (TTL-8)."""
        queue.last_used = self._moves.now
        self._moves.deadlines.schedule(queue)

    # ------------------------------------------------------------ messages in

    @_channel_verb
    def basic_publish(  # noqa: PLR0913  (AMQP's parameters)
        self,
        channel: Channel,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: dict[str, Any],
        properties: dict[str, Any],
        *,
        mandatory: bool = False,
        immediate: bool = False,
    ) -> Published:
        """Publish a message; `headers` and `properties` become the broker's and are not to be changed."""
        if immediate:
            raise NotImplementedByAMQP("immediate=true")
        moves = self._moves
        route = moves.topology.route(exchange, routing_key, headers)
        expiration = properties.get("expiration")
        ttl = None if expiration is None else parse_expiration(expiration) / 1000
        message = Message(moves.messages + 1, exchange, routing_key, body, headers, properties, ttl)
        moves.publish(message, channel.connection.place, route, mandatory=mandatory)
        return Published(message, route.queues, mandatory and not route.queues)

    # ------------------------------------------------------------ messages out

    @_channel_verb
    def basic_get(self, channel: Channel, queue: str, *, no_ack: bool = False) -> tuple[Delivery, int] | None:
        """The head of a queue and how many stay ready, or None if nothing is (R-12)."""
        found = self._queue(channel, self._queue_name(channel, queue))
        self._use(found)
        if found.head() is None:
            return None
        delivery = self._moves.fetch(channel, found, no_ack=no_ack)
        return delivery, found.ready

    @_verb
    def new_consumer_tag(self) -> str:
        """A tag for a consumer whose client gave it none."""
        return f"amq.ctag-{self._number('consumer')}"

    @_channel_verb
    def basic_consume(  # noqa: PLR0913  (AMQP's parameters)
        self,
        channel: Channel,
        queue: str,
        tag: str,
        *,
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Subscribe to a queue under a tag of the client's choice (Q-5 to Q-7, Q-9)."""
        name = self._queue_name(channel, queue)
        found = self._queue(channel, name)
        if tag in channel.consumers:
            raise NotAllowed(f"attempt to reuse consumer tag '{tag}'", "Tags are unique within a channel.")
        priority = _priority(name, arguments or {})
        consumers = found.consumers
        if consumers and (exclusive or consumers[0].exclusive):
            raise AccessRefused(
                f"queue '{name}' in vhost '/' in exclusive use", "An exclusive consumer is the only one of its queue."
            )
        consumer = Consumer(tag, found, channel, no_ack=no_ack, exclusive=exclusive, priority=priority)
        self._moves.add_consumer(consumer)

    @_channel_verb
    def basic_cancel(self, channel: Channel, tag: str) -> list[Delivery]:
        """End a subscription; what was already sent to it is returned, to be handed over (R-5).

        A tag that is not known is no error (Q-9).
        """
        consumer = channel.consumers.get(tag)
        if consumer is None:
            return []
        self._moves.cancel(consumer, "cancelled by the client")
        outbox = channel.connection.outbox
        sent = [item for item in outbox if isinstance(item, Delivery) and item.consumer is consumer]
        for delivery in sent:
            self._moves.hand(delivery)
            outbox.remove(delivery)
        return sent

    @_channel_verb
    def basic_qos(self, channel: Channel, prefetch_size: int, prefetch_count: int) -> None:
        """Limit the unacked messages of each consumer that starts later on this channel (Q-1, Q-3)."""
        if prefetch_size:
            raise NotImplementedByAMQP(f"prefetch_size!=0 ({prefetch_size})")
        channel.prefetch = prefetch_count
        self._moves.record("prefetch_set", channel.place, what=prefetch_count)

    # ------------------------------------------------------------ acknowledgements

    @_channel_verb
    def basic_ack(self, channel: Channel, tag: int, *, multiple: bool = False) -> None:
        """These messages are done with (R-6, R-7)."""
        self._moves.acknowledge(channel.outstanding(tag, multiple=multiple))

    @_channel_verb
    def basic_nack(
        self, channel: Channel, tag: int, *, multiple: bool = False, requeue: bool = True, verb: str = "nacked"
    ) -> None:
        """These messages go back to their seats, or away for good (R-2, R-8)."""
        deliveries = channel.outstanding(tag, multiple=multiple)
        if requeue:
            self._moves.requeue(deliveries, verb)
        else:
            self._moves.reject(deliveries, verb)

    @_channel_verb
    def basic_recover(self, channel: Channel, *, requeue: bool = True) -> None:
        """All unacked messages of the channel go back to their seats (R-9)."""
        if not requeue:
            raise NotImplementedByAMQP("requeue=false")
        self._moves.requeue(list(channel.unacked.values()), "recovered")

    # ------------------------------------------------------------ waiting

    def next_item(self, connection: Connection, timeout: float | None) -> Delivery | Cancelled | None:
        """What the broker sends next to this connection, waiting at most `timeout` real seconds for it.

        None when the time is over, Closed if the connection is, or is closed meanwhile.  `timeout` None
        waits for ever, 0 not at all.
        """
        patience = Patience(timeout)
        while True:
            item = self._take(connection)
            if item is not None or patience.left() == 0:
                return item
            self._wait(connection, patience)

    @_verb
    def _take(self, connection: Connection) -> Delivery | Cancelled | None:
        """The head of the outbox."""
        if not connection.is_open:
            raise self._closed(connection)
        if not connection.outbox:
            return None
        item = connection.outbox[0]
        if isinstance(item, Delivery):
            self._moves.hand(item)
        connection.outbox.popleft()
        return item

    def _wait(self, connection: Connection, patience: Patience) -> None:
        """Sleep until something was sent to the connection, it was closed, or something may have fallen due."""
        with self._lock:
            if connection.is_open and not connection.outbox:
                connection.waiting += 1
                try:
                    wait(connection.arrived, self._nap(patience))
                finally:
                    connection.waiting -= 1

    def _nap(self, patience: Patience) -> float | None:
        """How long to sleep: until patience ends or something falls due; None for ever."""
        left = patience.left()
        due = self._moves.deadlines.peek()
        until_due = None if due is None else self.clock.sleep_until(due[0])
        if left is None or until_due is None:
            return until_due if left is None else left
        return min(left, until_due)

    # ------------------------------------------------------------ time

    @_verb
    def peek(self) -> Due | None:
        """When and where something will happen by itself next; None if nothing ever will."""
        due = self._moves.deadlines.peek()
        return None if due is None else Due(due[0], due[1].name)

    @_verb
    def step(self, until: float | None = None) -> Due | None:
        """Move a manual clock to the next deadline, if it is not after `until`, and play that moment.

        Returns what fell due, or None if nothing does; then the clock stands at `until`, if that is given.
        """
        clock = self._manual_clock()
        due = self._moves.deadlines.peek()
        if due is None or (until is not None and due[0] > until):
            if until is not None:
                clock.move_to(max(until, clock.now()))
            return None
        clock.move_to(due[0])
        self._play_until(due[0])
        return Due(due[0], due[1].name)

    def advance(self, seconds: float) -> None:
        """Move a manual clock on, playing every moment on the way at its own time."""
        if seconds < 0:
            msg = f"time cannot go back: advance({seconds})"
            raise ValueError(msg)
        end = round(self.now + seconds, 9)
        while self.step(end) is not None:
            pass

    def _play_until(self, now: float) -> None:
        """Let everything happen that is due, in order, each at its own time even if it is run late."""
        moves = self._moves
        while (due := moves.deadlines.peek()) is not None and due[0] <= now:
            moves.now, queue = due
            if queue.has_expired(moves.now):
                moves.run(queue)
            else:
                moves.delete_queue(queue, f"unused for {queue.options.expires:g} s")
        moves.now = now

    def _manual_clock(self) -> ManualClock:
        if not isinstance(self.clock, ManualClock):
            msg = "the wall clock moves by itself; for time by hand: sandbox.Broker(clock=sandbox.ManualClock())"
            raise RuntimeError(msg)
        return self.clock

    # ------------------------------------------------------------ looking

    @_verb
    def snapshot(self) -> Snapshot:
        """The state now."""
        return self.history.snapshot(self._moves.now)

    @_verb
    def depths(self) -> Depths:
        """Depth over time of every queue that there has been."""
        return self.history.depths()

    @_verb
    def contents(self, queue: str, limit: int | None = None) -> list[tuple[Copy, Delivery | None]]:
        """The copies in a queue, ready and unacked, in the order of their seats, each with who holds it."""
        copies = sorted(self._moves.topology.queue(queue).copies.values(), key=lambda copy: copy.position)
        return [(copy, copy.holder) for copy in copies[:limit]]


def _refuse_reserved(noun: str, name: str) -> None:
    if name.startswith("amq."):
        raise AccessRefused(
            f"{noun} name '{name}' contains reserved prefix 'amq.*'", "Names beginning with amq. are the broker's."
        )


def _priority(queue: str, arguments: Mapping[str, Any]) -> int:
    """The consumer's `x-priority`, 0 if it has none (Q-6)."""
    priority = arguments.get("x-priority", 0)
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise PreconditionFailed(
            f"invalid arg 'x-priority' for queue '{queue}' in vhost '/': "
            f'"expected integer, got {type_name(priority)}"'
        )
    return priority


# ---------------------------------------------------------------- forks

_engines: WeakSet[Engine] = WeakSet()


class _ForkedLock:
    """The lock of an engine in a forked process, where the threads that shared it do not exist."""

    def __enter__(self) -> NoReturn:
        msg = "a sandbox broker does not cross a fork: use threads, or make a broker in the child process"
        raise RuntimeError(msg)

    def __exit__(self, *exc_info: object) -> None:
        """Never reached."""


def _after_fork() -> None:
    for engine in _engines:
        engine._lock = _ForkedLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
