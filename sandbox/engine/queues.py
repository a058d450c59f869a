"""One queue: what is ready, in which order, who gets the next copy, and what has expired.

A queue is told the time and hands out what leaves it; where that goes is not its business.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from .events import Place

if TYPE_CHECKING:
    from .model import Message, QueueOptions
    from .sessions import Connection, Consumer, Delivery


class Copy:
    """One copy of a message in one queue.

    `position` is its seat, given once and kept when it is requeued (R-2).  `expires` is a broker time in
    seconds, or None.  `holder` is the delivery that took it out; a copy without one is ready.
    """

    __slots__ = ("expires", "holder", "id", "message", "position", "queue", "redelivered")

    def __init__(self, number: int, message: Message, queue: Queue, position: int, expires: float | None) -> None:
        self.id = number
        self.message = message
        self.queue = queue
        self.position = position
        self.expires = expires
        self.redelivered = 0
        self.holder: Delivery | None = None


class Queue:
    """A classic queue.

    `copies` holds every copy that is in the queue, ready or unacked, by its position.  It alone is the
    truth: the order of the ready ones and all counts follow from it, and `rebuild` makes them anew.
    """

    def __init__(self, name: str, options: QueueOptions, owner: Connection | None, now: float) -> None:
        self.name = name
        self.options = options
        self.owner = owner
        self.copies: dict[int, Copy] = {}
        self.place = Place("ready", name)
        self.last_position = 0
        self.last_used = now
        self.timer: float | None = None  # the earliest deadline that the engine's heap has for this queue
        self.exists = True
        self.had_consumer = False
        # Every copy that was ever taken stood at the head then, so those that came back stand before all
        # that were never taken: two plain structures instead of one sorted one.
        self._fresh: deque[Copy] = deque()
        self._returned: list[tuple[int, Copy]] = []
        self._active: deque[Consumer] = deque()
        self._blocked: dict[Consumer, None] = {}

    # ------------------------------------------------------------ copies

    @property
    def ready(self) -> int:
        """How many copies nobody holds."""
        return len(self._fresh) + len(self._returned)

    @property
    def unacked(self) -> int:
        """How many copies somebody holds."""
        return len(self.copies) - self.ready

    def expiry_of(self, message: Message, now: float) -> float | None:
        """When a message that is enqueued now will expire: the smaller of its TTL and the queue's (TTL-3)."""
        ttl = self.options.message_ttl
        if message.ttl is not None and (ttl is None or message.ttl < ttl):
            ttl = message.ttl
        return None if ttl is None else round(now + ttl, 9)

    def push(self, copy: Copy) -> None:
        """A new copy, at the tail."""
        self.copies[copy.position] = copy
        self._fresh.append(copy)

    def head(self) -> Copy | None:
        """The ready copy that is next."""
        if self._returned:
            return self._returned[0][1]
        return self._fresh[0] if self._fresh else None

    def first(self) -> Copy:
        """The head of a queue that has one."""
        return self._returned[0][1] if self._returned else self._fresh[0]

    def pop(self) -> Copy:
        """Take the head out of the order; it stays in the queue until `discard`."""
        return heappop(self._returned)[1] if self._returned else self._fresh.popleft()

    def put_back(self, copy: Copy) -> None:
        """Requeue a copy to its own seat (R-2)."""
        copy.redelivered += 1
        copy.holder = None
        heappush(self._returned, (copy.position, copy))

    def discard(self, copy: Copy) -> None:
        """The copy leaves the queue for good."""
        del self.copies[copy.position]
        copy.holder = None

    def has_expired(self, now: float) -> bool:
        """Whether the head has expired; behind a live head nothing does (TTL-4)."""
        head = self.head()
        return head is not None and head.expires is not None and head.expires <= now

    def rebuild(self, consumers: list[Consumer]) -> None:
        """Make all that follows from `copies` and these consumers anew."""
        ready = [copy for copy in self.copies.values() if copy.holder is None]
        self._returned = []
        self._fresh = deque(sorted(ready, key=lambda copy: copy.position))
        self.last_position = max([self.last_position, *self.copies])
        self._blocked = {}
        self._active = deque()
        for consumer in consumers:
            self._to_tail(consumer)

    # ------------------------------------------------------------ deadlines

    def next_deadline(self) -> float | None:
        """When something is due here next: the head expires, or the unused queue does."""
        head = self.head()
        expiry = None if head is None else head.expires
        idle = self.idle_deadline()
        if expiry is None or idle is None:
            return idle if expiry is None else expiry
        return min(expiry, idle)

    def idle_deadline(self) -> float | None:
        """When the queue will have been unused for its `expires`; None while it has consumers (TTL-8)."""
        if self.options.expires is None or self.consumer_count:
            return None
        return round(self.last_used + self.options.expires, 9)

    # ------------------------------------------------------------ consumers

    @property
    def consumer_count(self) -> int:
        """How many consumers there are, blocked by their prefetch or not."""
        return len(self._active) + len(self._blocked)

    @property
    def consumers(self) -> list[Consumer]:
        """Those that may be next in order, then those found blocked."""
        return [*self._active, *self._blocked]

    def add_consumer(self, consumer: Consumer) -> None:
        """A new consumer, at the tail of the rotation."""
        self._to_tail(consumer)
        self.had_consumer = True

    def remove_consumer(self, consumer: Consumer) -> None:
        """The consumer is gone."""
        if consumer in self._blocked:
            del self._blocked[consumer]
        else:
            self._active.remove(consumer)

    def next_consumer(self) -> Consumer | None:
        """Who gets the next copy, put at the tail for it; None if nobody can take one.

        A consumer without credit is found out only here, and then waits among the blocked.
        """
        while self._active:
            consumer = self._active.popleft()
            if consumer.has_credit:
                self._to_tail(consumer)
                return consumer
            self._blocked[consumer] = None
        return None

    def unblock(self, consumer: Consumer) -> bool:
        """The consumer has got credit back; whether that put it into the rotation again."""
        if consumer not in self._blocked or not consumer.has_credit:
            return False
        del self._blocked[consumer]
        self._to_tail(consumer)
        return True

    def _to_tail(self, consumer: Consumer) -> None:
        """Put the consumer behind the last one of its priority (Q-6)."""
        place = len(self._active)
        while place and self._active[place - 1].priority < consumer.priority:
            place -= 1
        self._active.insert(place, consumer)
