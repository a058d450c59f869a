"""Every event is a move: one copy goes from a place to a place for a reason.

The kinds, by what moves:

    a message    published   publisher -> exchange
                 lost        exchange -> lost            no queue, and the publisher did not ask
                 returned    exchange -> returned        no queue, and it was mandatory
                 confirmed   exchange -> publisher       the broker has dealt with it
                 nacked      exchange -> publisher       a queue refused it
    a copy       routed      exchange -> ready           a new copy is born
                 refused     exchange -> refused         born, and not let in by a full queue
                 delivered   ready -> unacked            sent to a consumer
                 handed      unacked -> unacked          the consumer's callback has begun
                 fetched     ready -> unacked            by basic.get
                 sent        ready -> done               to a consumer or a get that does not acknowledge
                 acked       unacked -> done
                 requeued    unacked -> ready            back to its own seat
                 rejected    unacked -> dropped
                 expired     ready -> expired
                 dropped     ready -> dropped            the queue is over its limit
                 dead_lettered   ready or unacked -> dead_lettered    it is published anew, as new copies
                 purged      ready -> removed
                 removed     ready or unacked -> removed    its queue was deleted
    nothing      exchange_declared, exchange_deleted, queue_declared, queue_deleted, bound, unbound,
                 connected, disconnected, channel_opened, channel_closed, prefetch_set,
                 consumer_started, consumer_activated, consumer_cancelled, restarted; closing (a channel
                 or connection) and deleting (a queue) stand before all that they cause
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .model import Binding

#: The ways in which a copy leaves a queue for good, as places.
DOORS = ("done", "dead_lettered", "expired", "dropped", "refused", "removed")


#: An Event as the history keeps it: a plain tuple without the serial, which is its place in the log.
Row = tuple[Any, ...]


class Place(NamedTuple):
    """Where a copy is, or what an event is about.

    `kind` is queue, channel, connection or broker for an event that moves nothing, and else publisher,
    exchange, ready, unacked, or one of the doors out: done, lost, returned, expired, dropped,
    dead_lettered, refused, removed.  `name` is the publisher's, the exchange's or the queue's; `channel`
    and `consumer` say who holds an unacked copy (no consumer: it was fetched by a get).
    """

    kind: str
    name: str = ""
    channel: int = 0
    consumer: str = ""

    def __str__(self) -> str:
        who = f" of {self.consumer}" if self.consumer else ""
        number = f" {self.channel}" if self.kind == "channel" else ""
        return _shown(f"{self.kind} {self.name}{number}{who}".replace("  ", " ").strip())


class Event(NamedTuple):
    """One move.

    `time` is in seconds of broker time.  `message` and `copy` number the message and its copy (0: this
    event is about neither).  `seat` is the copy's position in its queue, which it keeps when requeued.
    `cause` is the serial of the event that led to this one (0: a verb of the user), `reason` says why in a
    few words, and `what` is the value that came to be: a message, an arrival, options, a binding.
    """

    serial: int
    time: float
    kind: str
    message: int = 0
    copy: int = 0
    source: Place | None = None
    target: Place | None = None
    seat: int = 0
    cause: int = 0
    reason: str = ""
    what: Any = None

    def __str__(self) -> str:
        number = f" message {self.message}" if self.message else ""
        way = f": {self.source} -> {self.target}" if self.source and self.target else ""
        subject = f" {self.target}" if self.target and not self.source else ""
        reason = f" ({_shown(self.reason)})" if self.reason else ""
        return f"{self.serial} {self.time:.3f} s {self.kind.replace('_', ' ')}{number}{subject}{way}{reason}"


def _shown(text: str) -> str:
    """The text without characters that have an effect of their own."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class Arrival(NamedTuple):
    """What a `routed` event brings: how the copy came, and what it brought.

    `bindings` led here; `expires` is a broker time, None for never; `deaths` counts the entries of a dead
    letter's passport.
    """

    bindings: tuple[Binding, ...] = ()
    expires: float | None = None
    priority: int = 0
    deaths: int = 0
