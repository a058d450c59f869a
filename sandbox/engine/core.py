"""Engine: one virtual host with all its verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .clock import ManualClock, Patience, wait
from .errors import Closed, NotImplementedByAMQP
from .guard import channel_verb, verb
from .model import further_keys
from .publishing import Publishing
from .receiving import Receiving
from .sessions import Cancelled, Channel, Connection, Delivery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .depth import Depths
    from .queues import Copy
    from .snapshot import Snapshot
    from .topology import Route


class Due(NamedTuple):
    """A moment at which something will happen by itself, and the queue in which it will."""

    time: float
    queue: str


class Engine(Publishing, Receiving):
    """A broker without a client library: the verbs of AMQP as methods, on channels of connections.

    `clock` tells the time; `history` remembers everything.  Thread-safe.
    """

    @property
    def now(self) -> float:
        """Seconds since the clock began."""
        return self.clock.now()

    # ------------------------------------------------------------ connections and channels

    @verb
    def connect(self, name: str = "", user: str = "guest") -> Connection:
        """A new client that logs in as `user`, and is called `name`, or `connection 1` and so on."""
        if not self.is_open:
            raise Closed("this broker is closed")
        number = self._moves.number("connection")
        connection = Connection(number, name or f"connection {number}", user, self._new_condition())
        self._moves.connect(connection)
        return connection

    @verb
    def disconnect(self, connection: Connection, reason: str = "closed by the client") -> None:
        """Close a connection; closing it again does nothing."""
        if connection.is_open:
            self._moves.disconnect(connection, reason)

    @verb
    def open_channel(self, connection: Connection) -> Channel:
        """A new channel."""
        if not connection.is_open:
            raise self._closed(connection)
        channel = Channel(self._moves.number("channel"), connection)
        self._moves.open_channel(channel)
        return channel

    @verb
    def close_channel(self, channel: Channel) -> None:
        """Close a channel: its consumers go, its unacked messages return to their seats (R-4)."""
        if channel.is_open:
            self._moves.close_channel(channel, "closed by the client")

    @channel_verb
    def channel_flow(self, _channel: Channel, *, active: bool) -> None:
        """Stop the broker from sending, which RabbitMQ does not implement."""
        if not active:
            raise NotImplementedByAMQP("active=false")

    @verb
    def close(self) -> None:
        """Close every connection; after that the broker can only be looked at."""
        for connection in list(self._moves.connections.values()):
            self._moves.disconnect(connection, "the broker was closed")
        self.is_open = False

    # ------------------------------------------------------------ exchanges and bindings

    @verb
    def restart(self) -> None:
        """Stop and start the broker: what is durable and persistent is kept, every client is gone (U-12)."""
        if not self.is_open:
            raise Closed("this broker is closed")
        self._moves.restart()

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

    @verb
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
        """Sleep until something was sent to the connection, it was closed, or something may be due."""
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

    @verb
    def peek(self) -> Due | None:
        """When and where something will happen by itself next; None if nothing ever will."""
        due = self._moves.deadlines.peek()
        return None if due is None else Due(due[0], due[1].name)

    def step(self, until: float | None = None) -> Due | None:
        """Move a manual clock to the next deadline, if it is not after `until`, and play that moment.

        Returns what fell due, or None if nothing does; then the clock stands at `until`, if that is given.
        """
        return self._step(self._manual_clock(), until)

    @verb
    def _step(self, clock: ManualClock, until: float | None) -> Due | None:
        due = self._moves.deadlines.peek()
        if due is None or (until is not None and due[0] > until):
            if until is not None:
                clock.move_to(max(until, clock.now()))
                self.history.stir()
            return None
        clock.move_to(due[0])
        self._play_until(due[0])
        return Due(due[0], due[1].name)

    def advance(self, seconds: float) -> None:
        """Move a manual clock on, playing every moment on the way at its own time."""
        if seconds < 0:
            raise ValueError(f"time cannot go back: advance({seconds})")
        if not seconds < float("inf"):
            raise ValueError(f"time goes on by a number of seconds: advance({seconds})")
        end = round(self.now + seconds, 9)
        while self.step(end) is not None:
            pass

    def _manual_clock(self) -> ManualClock:
        if not isinstance(self.clock, ManualClock):
            raise RuntimeError(  # noqa: TRY004  (the call is right, for another broker)
                "the wall clock moves by itself; "
                "for time by hand: sandbox.Broker(clock=sandbox.ManualClock())"
            )
        return self.clock

    # ------------------------------------------------------------ looking

    @verb
    def route(self, exchange: str, routing_key: str, headers: Mapping[str, Any]) -> Route:
        """Where a message would go; nothing is published."""
        return self._moves.topology.route(exchange, (routing_key, *further_keys(headers)), headers)

    @verb
    def snapshot(self) -> Snapshot:
        """The state now."""
        return self.history.snapshot(self._moves.now)

    @verb
    def depths(self) -> Depths:
        """Depth over time of every queue that there has been."""
        return self.history.depths()

    @verb
    def contents(self, queue: str, limit: int | None = None) -> list[tuple[Copy, Delivery | None]]:
        """The copies in a queue, ready and unacked, head first, each with who holds it."""
        copies = sorted(
            self._moves.topology.queue(queue).copies.values(),
            key=lambda copy: (-copy.priority, copy.position),
        )
        return [(copy, copy.holder) for copy in copies[:limit]]
