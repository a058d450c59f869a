"""What falls due, and when: one heap for the whole broker."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .queues import Queue


class Deadlines:
    """A heap of (time, number of the queue, queue); a tie goes to the queue that was declared first.

    Each queue stands here with a moment that is never later than its next deadline.  If that has moved on
    in the meantime, it is found out when the entry comes to the top.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Queue]] = []
        self._dead = 0  # about how many entries are of queues that are gone
        #: Whether something was scheduled before all else, so that whoever sleeps until then sleeps too long.
        self.is_sooner = False

    def schedule(self, queue: Queue) -> None:
        """See to it that the queue's next deadline is not missed."""
        due = queue.next_deadline()
        if due is not None and (queue.timer is None or due < queue.timer):
            self.is_sooner = self.is_sooner or not self._heap or due < self._heap[0][0]
            heappush(self._heap, (due, queue.number, queue))
            queue.timer = due  # after the entry is there, or an interrupt could lose it

    def peek(self) -> tuple[float, Queue] | None:
        """The next deadline and its queue, or None if nothing will ever fall due."""
        while self._heap:
            due, _, queue = self._heap[0]
            if queue.exists:
                if queue.next_deadline() == due:
                    return due, queue
                if queue.timer in (
                    None,
                    due,
                ):  # the deadline has moved on: a later entry, before this one goes
                    queue.timer = None
                    self.schedule(queue)
            heappop(self._heap)
        return None

    def forget(self, queue: Queue) -> None:
        """The queue is gone; its entries go when they have become many, or else when they come to the top."""
        self._dead += queue.timer is not None
        if self._dead > 100 and self._dead > len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].exists]
            heapify(self._heap)
            self._dead = 0

    def may_be_due(self, now: float) -> bool:
        """Whether something may be due; quick, and never wrongly False."""
        return bool(self._heap) and self._heap[0][0] <= now

    def rebuild(self, queues: list[Queue]) -> None:
        """Make the heap anew for these queues."""
        self._heap.clear()
        for queue in queues:
            queue.timer = None
            self.schedule(queue)
