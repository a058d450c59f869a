"""The one lock, and the way every verb goes.

Take the lock, run what has fallen due, refuse or do, release the lock, wake the observers.  A refused verb
has changed nothing but what RabbitMQ's own channel close does.  A verb that was interrupted (Ctrl-C) leaves
a mark, and the next one repairs what it left half done.

No code of the user's runs under the lock: what a client is to be told stands in its connection's outbox.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, NoReturn, ParamSpec, TypeVar
from weakref import WeakSet

from .clock import WallClock
from .errors import (
    BrokerError,
    ChannelError,
    Closed,
    ConnectionError,  # noqa: A004  (AMQP's own name for it)
)
from .moves import Moves
from .repair import repair

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clock import Clock
    from .history import History
    from .sessions import Channel, Connection

P = ParamSpec("P")
R = TypeVar("R")
G = TypeVar("G", bound="Guard")


def verb(method: Callable[Concatenate[G, P], R]) -> Callable[Concatenate[G, P], R]:
    """Run a method under the lock, at a moment at which everything due has happened."""

    @wraps(method)
    def locked(self: G, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with self._lock:
                self._settle()
                try:
                    result = method(self, *args, **kwargs)
                except BrokerError:
                    self._unfinished = False
                    raise
                self._finish()
                return result
        finally:
            self.history.wake()

    return locked  # type: ignore[return-value]  # `wraps` forgets that self is positional


def channel_verb(
    method: Callable[Concatenate[G, Channel, P], R],
) -> Callable[Concatenate[G, Channel, P], R]:
    """Run a method as a verb on a channel, which a refusal closes, or even its connection."""

    @wraps(method)
    def locked(self: G, channel: Channel, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with self._lock:
                self._settle()
                try:
                    if not channel.is_open:
                        raise self._closed(channel.connection)
                    result = method(self, channel, *args, **kwargs)
                except BrokerError as error:
                    self._refuse(channel, error)
                    self._finish()
                    raise
                self._finish()
                return result
        finally:
            self.history.wake()

    return locked  # type: ignore[return-value]  # `wraps` forgets that self is positional


class Guard:
    """What all verbs share: the lock, the clock, and the state that they move."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = WallClock() if clock is None else clock
        self.is_open = True
        #: Connections whose client was garbage-collected.  A finalizer may run while the lock is held, so it
        #: only appends here, and the next verb closes them.
        self.dropped: deque[Connection] = deque()
        self._lock: threading.Lock | _ForkedLock = threading.Lock()
        self._moves = Moves(self.clock.epoch)
        #: Everything that happened.
        self.history: History = self._moves.history
        self._unfinished = False
        _guards.add(self)

    def _new_condition(self) -> threading.Condition:
        """Something to wait for under the one lock."""
        return threading.Condition(self._lock)  # type: ignore[arg-type]  # a forked lock never gets here

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
            if self.dropped[0].is_open:
                moves.disconnect(self.dropped[0], "the client's Connection was garbage-collected")
            self.dropped.popleft()
        self.history.trim()

    def _finish(self) -> None:
        """The verb is done, and so are the dead letters it caused."""
        moves = self._moves
        if moves.letters:
            moves.send_letters()
        if moves.deadlines.is_sooner:
            moves.deadlines.is_sooner = False
            for connection in moves.connections.values():
                connection.arrived.notify_all()
        self._unfinished = False

    def _play_until(self, now: float) -> None:
        """Let everything happen that is due, in order, each at its own time even if it is run late."""
        moves = self._moves
        while (due := moves.deadlines.peek()) is not None and due[0] <= now:
            moves.now, queue = due
            if queue.has_expired(moves.now):
                moves.run(queue)
            else:
                moves.delete_queue(queue, f"unused for {queue.options.expires:g} s")
            moves.send_letters()
        moves.now = now

    def _refuse(self, channel: Channel, error: BrokerError) -> None:
        """What RabbitMQ does beside answering: it closes the channel, or even the connection."""
        if isinstance(error, ChannelError):
            self._moves.close_channel(channel, error.reply_text)
            self._moves.open_channel(channel)
        elif isinstance(error, ConnectionError):
            self._moves.disconnect(channel.connection, error.reply_text)

    def _closed(self, connection: Connection) -> Closed:
        """The error that says what is closed: the broker, the connection, or else the channel."""
        if not self.is_open:
            return Closed("this broker is closed")
        return Closed("the channel is closed" if connection.is_open else "the connection is closed")


# ---------------------------------------------------------------- forks

_guards: WeakSet[Guard] = WeakSet()


class _ForkedLock:
    """The lock of an engine in a forked process, where the threads that shared it do not exist."""

    def __enter__(self) -> NoReturn:
        msg = "a sandbox broker does not cross a fork: use threads, or make a broker in the child process"
        raise RuntimeError(msg)

    def __exit__(self, *exc_info: object) -> None:
        """Never reached."""


def _after_fork() -> None:
    for guard in _guards:
        guard._lock = _ForkedLock()  # noqa: SLF001  (the guard's own module)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
