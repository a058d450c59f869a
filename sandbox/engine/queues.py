"""One queue: what is ready, in which order, who gets the next copy, what has expired, what does not fit.

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

    __slots__ = ("expires", "holder", "id", "message", "position", "priority", "queue", "redelivered")

    def __init__(
        self, number: int, message: Message, queue: Queue, position: int, expires: float | None, priority: int
    ) -> None:
        self.id = number
        self.message = message
        self.queue = queue
        self.position = position
        self.expires = expires
        self.priority = priority
        self.redelivered = 0
        self.holder: Delivery | None = None


class Lane:
    """The ready copies of one priority, in the order of their positions.

    Every copy that was ever taken stood at the head then, so those that came back stand before all that
    were never taken: two plain structures instead of one sorted one.
    """

    __slots__ = ("fresh", "returned")

    def __init__(self) -> None:
        self.fresh: deque[Copy] = deque()
        self.returned: list[tuple[int, Copy]] = []

    def __len__(self) -> int:
        return len(self.fresh) + len(self.returned)

    def first(self) -> Copy:
        """The head."""
        return self.returned[0][1] if self.returned else self.fresh[0]

    def pop(self) -> Copy:
        """The head, taken out."""
        return heappop(self.returned)[1] if self.returned else self.fresh.popleft()

    def put_back(self, copy: Copy) -> None:
        """A copy that was taken out comes back to its place."""
        heappush(self.returned, (copy.position, copy))


class Queue:
    """A classic queue.

    `copies` holds every copy that is in the queue, ready or unacked, by its position.  It alone is the
    truth: the order of the ready ones and all counts follow from it, and `rebuild` makes them anew.
    `number` counts the queues of a broker in the order of declaring.
    """

    def __init__(
        self, name: str, options: QueueOptions, owner: Connection | None, now: float, number: int = 0
    ) -> None:
        self.name = name
        self.number = number
        self.options = options
        self.owner = owner
        self.copies: dict[int, Copy] = {}
        self.place = Place("ready", name)
        self.last_position = 0
        self.last_used = now
        self.timer: float | None = None  # the earliest deadline that the engine's heap has for this queue
        #: Whether anything here can ever fall due.
        self.is_timed = options.message_ttl is not None or options.expires is not None
        self.exists = True
        self.had_consumer = False
        self.ready = 0  # copies that nobody holds
        self.ready_bytes = 0  # the bytes of their bodies
        # The highest priority first; strict: nothing is delivered before it (P-2).
        self._lanes = [Lane() for _ in range((options.max_priority or 0) + 1)]
        self._active: deque[Consumer] = deque()
        self._blocked: dict[Consumer, None] = {}
        self.single_active: Consumer | None = None

    # ------------------------------------------------------------ copies

    @property
    def unacked(self) -> int:
        """How many copies somebody holds."""
        return len(self.copies) - self.ready

    def new_copy(self, number: int, message: Message, now: float) -> Copy:
        """A copy of the message with the next seat of this queue; not in it yet."""
        self.last_position += 1
        expires = self._expiry_of(message, now)
        priority = min(message.properties.get("priority", 0), self.options.max_priority or 0)
        return Copy(number, message, self, self.last_position, expires, priority)

    def _expiry_of(self, message: Message, now: float) -> float | None:
        """When a message that is enqueued now will expire: the smaller of its TTL and the queue's (TTL-3)."""
        ttl = self.options.message_ttl
        if message.ttl is not None and (ttl is None or message.ttl < ttl):
            ttl = message.ttl
        return None if ttl is None else round(now + ttl, 9)

    def _lane(self, copy: Copy) -> Lane:
        return self._lanes[-1 - copy.priority]

    def push(self, copy: Copy) -> None:
        """A new copy, at the tail of its priority."""
        self.copies[copy.position] = copy
        self.is_timed = self.is_timed or copy.expires is not None
        self._lane(copy).fresh.append(copy)
        self.ready += 1
        self.ready_bytes += len(copy.message.body)

    def head(self) -> Copy | None:
        """The ready copy that is next, if there is one."""
        return self.first() if self.ready else None

    def first(self) -> Copy:
        """The head of a queue in which something is ready."""
        return self._head_lane().first()

    def _head_lane(self) -> Lane:
        for lane in self._lanes:
            if lane.fresh or lane.returned:
                return lane
        raise IndexError(f"nothing is ready in {self.name}")

    def pop(self) -> Copy:
        """Take the head out of the order; it stays in the queue until `discard`."""
        copy = self._head_lane().pop()
        self.ready -= 1
        self.ready_bytes -= len(copy.message.body)
        return copy

    def put_back(self, copy: Copy) -> None:
        """Requeue a copy to its own seat (R-2)."""
        copy.redelivered += 1
        copy.holder = None
        self._lane(copy).put_back(copy)
        self.ready += 1
        self.ready_bytes += len(copy.message.body)

    def discard(self, copy: Copy) -> None:
        """The copy leaves the queue for good."""
        del self.copies[copy.position]
        copy.holder = None

    def has_expired(self, now: float) -> bool:
        """Whether the head has expired; behind a live head nothing does (TTL-4)."""
        if not self.is_timed or not self.ready:
            return False
        expires = self.first().expires
        return expires is not None and expires <= now

    def rebuild(self, consumers: list[Consumer]) -> None:
        """Make all that follows from `copies` and these consumers anew."""
        self._lanes = [Lane() for _ in self._lanes]
        self.ready = self.ready_bytes = 0
        for position in sorted(self.copies):
            copy = self.copies[position]
            if copy.holder is None:
                self.push(copy)
                if copy.redelivered:
                    self._lane(copy).put_back(self._lane(copy).fresh.pop())
        self.last_position = max([self.last_position, *self.copies])
        self._blocked = {}
        self._active = deque()
        for consumer in consumers:
            self._to_tail(consumer)
        if self.single_active not in consumers:
            self.single_active = None

    # ------------------------------------------------------------ limits

    def refuses(self, message: Message) -> bool:
        """Whether a queue that rejects what does not fit has no room for the message (L-5)."""
        if self.options.overflow == "drop-head":
            return False
        return self._exceeds(self.ready + 1, self.ready_bytes + len(message.body))

    def overflows(self) -> bool:
        """Whether a queue that drops from its head has to (L-1, L-2)."""
        return self.options.overflow == "drop-head" and self._exceeds(self.ready, self.ready_bytes)

    def _exceeds(self, count: int, size: int) -> bool:
        most, most_bytes = self.options.max_length, self.options.max_length_bytes
        return (most is not None and count > most) or (most_bytes is not None and size > most_bytes)

    # ------------------------------------------------------------ deadlines

    def next_deadline(self) -> float | None:
        """When something is due here next: the head expires, or the unused queue does."""
        if not self.is_timed:
            return None
        expiry = self.first().expires if self.ready else None
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
        self.had_consumer = True
        self._to_tail(consumer)

    def remove_consumer(self, consumer: Consumer) -> None:
        """The consumer is gone."""
        if consumer in self._blocked:
            del self._blocked[consumer]
        else:
            self._active.remove(consumer)
        if consumer is self.single_active:
            self.single_active = None

    def choose_single_active(self) -> Consumer | None:
        """The new single active consumer, if the queue wants one, has none, and can have one (Q-8)."""
        if not self.options.single_active_consumer or self.single_active is not None or not self._active:
            return None
        self.single_active = self._active[0]
        return self.single_active

    def next_consumer(self) -> Consumer | None:
        """Who gets the next copy, put at the tail for it; None if nobody can take one.

        A consumer without credit is found out only here, and then waits among the blocked.
        """
        if self.options.single_active_consumer:
            active = self.single_active
            return active if active is not None and active.has_credit else None
        while self._active:
            consumer = self._active.popleft()
            if consumer.has_credit:
                self._to_tail(consumer)
                return consumer
            self._blocked[consumer] = None
        return None

    def unblock(self, consumer: Consumer) -> bool:
        """The consumer has got credit back; whether that put it into the rotation again."""
        if consumer is self.single_active:
            return consumer.has_credit
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
