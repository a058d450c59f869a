"""What happened, in order, and the state at any remembered moment.

Pictures, life lines, the ledger, depth over time and time travel all read from here; nothing else
remembers the past.  The *serial* of an event is the address of a moment, for many events share one time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from .events import DOORS, Event
from .replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .depth import Depths
    from .events import Row
    from .model import Message
    from .snapshot import Snapshot

log = logging.getLogger(__name__)

#: How much of a message's body the history keeps, in bytes.
PREVIEW = 200

#: About what one event, and one header in it, cost in memory, in bytes.
ROW_BYTES = 300


class Preview(bytes):
    """The beginning of a body, and how many bytes the whole one has."""

    size: int

    def __new__(cls, body: bytes) -> Self:
        """The first `PREVIEW` bytes of a body."""
        preview = super().__new__(cls, body[:PREVIEW])
        preview.size = len(body)
        return preview


class Events(list[Event]):
    """Events in order; printed, one line of words for each."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "no events"


class History:
    """The log of one broker: read it, filter it, ask it for the state at a moment, subscribe to it.

    Iterating gives the remembered events, oldest first; `len` is their number.  It is bounded: beyond
    `most_events`, or about `most_bytes`, the older half is forgotten, but the state it led to is kept, so
    that every later moment can still be rebuilt.
    """

    def __init__(self, most_events: int = 200_000, most_bytes: int = 128 * 2**20) -> None:
        self.most_events = most_events
        self.most_bytes = most_bytes
        # The state before the first remembered row, and the rows: swapped together, so that a reader on
        # another thread, who takes no lock, always has two that fit.
        self._log: tuple[Replay, list[Row]] = (Replay(), [])
        self._bytes = 0
        self._now = Replay()
        self._middle: Replay | None = None  # where `trim` will cut, if `_now` has come by there
        self._snapshot: Snapshot | None = None
        self._observers: list[Callable[[], object]] = []
        self._told = 0
        self._waking = False

    # ------------------------------------------------------------ reading

    @property
    def first(self) -> int:
        """The serial of the oldest remembered event (1 until something was forgotten)."""
        return self._log[0].serial + 1

    @property
    def last(self) -> int:
        """The serial of the newest event; 0 before there is one."""
        base, rows = self._log
        return base.serial + len(rows)

    def __len__(self) -> int:
        return len(self._log[1])

    def __iter__(self) -> Iterator[Event]:
        return iter(self.after(0))

    def __getitem__(self, serial: int) -> Event:
        """The event with this serial; KeyError if it is forgotten or yet to come."""
        base, rows = self._log
        index = serial - base.serial - 1
        if not 0 <= index < len(rows):
            raise KeyError(serial)
        return Event(serial, *rows[index])

    def after(self, serial: int, until: int | None = None) -> Events:
        """The remembered events after `serial`, to the event `until` (None: to the newest)."""
        base, rows = self._log
        first = max(serial, base.serial) + 1
        return Events(Event(first + i, *row) for i, row in enumerate(_between(base, rows, serial, until)))

    def filter(
        self, *, kind: str | None = None, message: int | None = None, queue: str | None = None
    ) -> Events:
        """The remembered events of one kind, about one message, or through one queue; all given must hold."""
        return Events(
            event
            for event in self
            if (kind is None or event.kind == kind)
            and (message is None or event.message == message)
            and (queue is None or _concerns(event, queue))
        )

    def at(self, serial: int) -> Snapshot:
        """The state after the event `serial`; KeyError if it is forgotten or yet to come."""
        return self.replay_at(serial).snapshot()

    def replay_at(self, serial: int) -> Replay:
        """A replay of one's own that stands after the event `serial`; KeyError as for `at`."""
        base, rows = self._log
        if not base.serial <= serial <= base.serial + len(rows):
            raise KeyError(serial)
        replay = base.copy()
        replay.apply(_between(base, rows, 0, serial))
        return replay

    def stretch(self, serial: int, until: int | None = None) -> tuple[Replay, Events]:
        """A replay of one's own that stands after `serial`, and the events from there to `until`.

        If that is forgotten they begin where memory does.  The two fit, whatever is recorded meanwhile.
        """
        base, rows = self._log
        start = min(max(serial, base.serial), base.serial + len(rows))
        replay = base.copy()
        replay.apply(_between(base, rows, 0, start))
        later = _between(base, rows, start, until)
        return replay, Events(Event(start + 1 + place, *row) for place, row in enumerate(later))

    def subscribe(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Call `wake()` after every verb that recorded something or moved the clock; returns what ends that.

        The observer then reads from its last serial on.  It is called without any lock held, on the thread
        of the verb.  An observer that raises is dropped, and its error logged.
        """
        self._observers.append(wake)

        def unsubscribe() -> None:
            if wake in self._observers:
                self._observers.remove(wake)

        return unsubscribe

    def __repr__(self) -> str:
        return f"<History of {len(self)} events, {self.first} to {self.last}>"

    # ------------------------------------------------------------ for the engine, under its lock

    def append(self, row: Row) -> int:
        """Record one event; returns its serial."""
        base, rows = self._log
        rows.append(row)
        return base.serial + len(rows)

    def keep(self, message: Message) -> Message:
        """The message as an event remembers it: with the beginning of its body."""
        if len(message.body) > PREVIEW:
            message = message._replace(body=Preview(message.body))
        self._bytes += len(message.body) + _size(message.headers) + _size(message.properties)
        return message

    def snapshot(self, time: float) -> Snapshot:
        """The state now; the same object as long as nothing changes."""
        last = self._snapshot
        if last is None or (last.serial, last.time) != (self.last, time):
            last = self._snapshot = self.replay().snapshot(time)
        return last

    def depths(self) -> Depths:
        """Depth over time, up to the last event."""
        return self.replay().depths.copy()

    def replay(self) -> Replay:
        """The replay that has seen every event; not to be changed."""
        base, rows = self._log
        if self._now.serial < base.serial:
            self._now = base.copy()
        middle = base.serial + self.most_events // 2
        if self._now.serial < middle <= self.last:
            self._now.apply(_between(base, rows, self._now.serial, middle))
            self._middle = self._now.copy()
        self._now.apply(_between(base, rows, self._now.serial))
        return self._now

    def mend(self) -> Replay:
        """The same, made anew: an interrupt may have cut it off within an event."""
        self._now, self._middle = self._log[0].copy(), None
        return self.replay()

    def trim(self) -> None:
        """Forget the older half if there is too much: fold it into the state before the first row."""
        base, rows = self._log
        if len(rows) <= self.most_events and self._bytes + ROW_BYTES * len(rows) <= self.most_bytes:
            return
        half = (len(rows) + 1) // 2
        later, self._middle = self._middle, None
        if later is None or not base.serial <= later.serial <= base.serial + half:
            later = base.copy()
        later.apply(rows[later.serial - base.serial : half])
        self._log = later, rows[half:]
        self._bytes //= 2

    def stir(self) -> None:
        """Time has passed in which nothing happened: that is news too."""
        self._told = -1

    def wake(self) -> None:
        """Tell the observers if there is anything new; called after the lock is released."""
        if not self._observers or self._told == self.last or self._waking:
            return
        self._waking = True  # an observer that calls verbs is not woken by them
        try:
            self._wake()
        finally:
            self._waking = False

    def _wake(self) -> None:
        self._told = self.last
        for observer in tuple(self._observers):
            try:
                observer()
            except Exception:
                log.exception("dropped an observer of the history that raised")
                if observer in self._observers:
                    self._observers.remove(observer)


def _size(value: object) -> int:
    """About how many bytes a table, and all that is in it, takes."""
    if isinstance(value, dict):
        return sum(ROW_BYTES + _size(item) for item in value.values())
    if isinstance(value, list):
        return sum(ROW_BYTES + _size(item) for item in value)
    return len(value) if isinstance(value, (str, bytes)) else 0


def _between(base: Replay, rows: list[Row], serial: int, until: int | None = None) -> list[Row]:
    """The rows of the events after `serial`, to the event `until`."""
    stop = None if until is None else max(0, until - base.serial)
    return rows[max(0, serial - base.serial) : stop]


def _concerns(event: Event, queue: str) -> bool:
    """Whether the event moved something into, in or out of the queue, or changed the queue itself."""
    places = (event.source, event.target)
    return any(place is not None and place.kind in _OF_QUEUES and place.name == queue for place in places)


_OF_QUEUES = ("ready", "unacked", "queue", *DOORS)
