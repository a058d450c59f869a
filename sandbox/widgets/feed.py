"""What a page is told: where it begins, the events that followed, or, of too many, the state alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from sandbox.layout import Layout, Neighbourhood, arrange, neighbourhood

from . import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sandbox.engine.depth import Depths
    from sandbox.engine.events import Event
    from sandbox.engine.history import History
    from sandbox.engine.replay import Replay
    from sandbox.engine.snapshot import Snapshot

Json = dict[str, Any]

#: With how many events of the past a page begins, and how many it gets when it asks for an earlier time.
WINDOW = 2000

#: With more events than this since the last update, it is the state that is sent.
MOST_EVENTS = 300

#: How many copies of a queue a page knows one by one, from its head.
SEATS = 100

#: How many layouts go with one update at most.
MOST_LAYOUTS = 40

#: Where a copy is that leaves a queue.
LEFT = ("ready", "unacked")

#: After these events the picture may have other parts than before.
SHAPING = frozenset((
    "exchange_declared",
    "exchange_deleted",
    "queue_declared",
    "queue_deleted",
    "bound",
    "unbound",
    "consumer_started",
    "consumer_cancelled",
    "channel_closed",
    "fetched",
    "lost",
))  # fmt: skip


class Feed:
    """Reads one history for one page and remembers how far that page has come.

    `now` gives the state as it is.  Not thread-safe: one thread at a time.
    """

    def __init__(self, history: History, now: Callable[[], Snapshot]) -> None:
        self._history = history
        self._now = now
        #: The state at the last update.
        self.state = now()
        self._replay: Replay | None = None  # where the page is; None while it knows only a state
        self._serial = -1
        self._time = -1.0
        self._stage = Stage()

    # ------------------------------------------------------------ updates

    def start(self) -> Json:
        """Where a page begins: the last events, and the state before them."""
        self.state = self._now()
        last = self.state.serial
        replay, events = self._history.stretch(last - WINDOW, last)
        update = self._stretch("start", replay, events, self._stage)
        self._replay, self._serial = replay, last
        return update | {"depths": wire.depths(replay.depths)}

    def past(self, serial: int) -> Json:
        """A stretch of the past with the event `serial` in its middle, or what is remembered of it."""
        first = serial - WINDOW // 2
        replay, events = self._history.stretch(first, max(first, self._history.first - 1) + WINDOW)
        return self._stretch("past", replay, events[:WINDOW], Stage(self._stage))

    def update(self) -> Json | None:
        """What has happened since the last update; None if nothing has."""
        self.state = now = self._now()
        last, time = now.serial, now.time
        count = last - self._serial
        if not count and time == self._time:
            return None
        self._time = time
        if self._replay is None or count > MOST_EVENTS or self._serial < self._history.first - 1:
            return self._flow(now)
        events = self._history.after(self._serial, last)
        if len(events) != count:  # meanwhile another thread made the history forget some of them
            return self._flow(now)
        after, self._serial = self._serial, last
        layouts = self._play(self._replay, events, self._stage)
        return {"kind": "events", "after": after, "events": list(map(wire.event, events)), "layouts": layouts}

    def depths(self) -> Depths:
        """Depth over time up to now."""
        return self._history.replay_at(self._history.last).depths

    def focus(self, node: str | None) -> None:
        """Of many nodes, draw the neighbourhood of this one."""
        self._stage.focus = node

    def narrow(self) -> bool:
        """Make narrow layouts too from now on; returns if that is new."""
        was, self._stage.narrow = self._stage.narrow, True
        return not was

    # ------------------------------------------------------------ how

    def _stretch(self, kind: str, replay: Replay, events: Sequence[Event], stage: Stage) -> Json:
        """The state of a replay, and these events, to the last of which it goes on."""
        stage.begin(replay)
        state = wire.snapshot(replay.snapshot(seats=SEATS + most_leaving(events)))
        layouts = self._play(replay, events, stage)
        return {"kind": kind, "state": state, "events": list(map(wire.event, events)), "layouts": layouts}

    def _flow(self, now: Snapshot) -> Json:
        if self._replay is not None:
            self._stage.again()
        self._replay, self._serial = None, now.serial
        near, layouts = self._stage.set(now, now.serial)
        update = {"kind": "flow", "state": wire.snapshot(counted(now, near.snapshot))}
        return update | {"layouts": layouts} if layouts else update

    def _play(self, replay: Replay, events: Sequence[Event], stage: Stage) -> list[Any]:
        """Go on by these events: the layouts on the way.

        It is laid out anew after each run of events that change the parts of the picture, and at the end, for
        lanes and hands grow with what they hold.
        """
        last = events[-1].serial if events else replay.serial
        runs = shaping_runs(events, stage.seen)
        step = len(runs) // MOST_LAYOUTS + 1
        joined = [
            (first, runs[min(n + step, len(runs)) - 1][1]) for n, (first, _) in list(enumerate(runs))[::step]
        ]
        layouts = []
        rest = iter(events)
        for first, end in [*joined, (last, last)]:
            replay.apply(event[1:] for event in islice(rest, end - replay.serial))
            layouts += stage.set(replay.snapshot(), first)[1]
        return layouts


def most_leaving(events: Iterable[Event]) -> int:
    """How many copies leave any one queue meanwhile: so many more must be known from the beginning."""
    leaving = Counter(event.source.name for event in events if event.source and event.source.kind in LEFT)
    return max(leaving.values(), default=0)


def counted(now: Snapshot, near: Snapshot) -> Snapshot:
    """What is near, and of all that is not drawn the counts."""
    queues = {name: near.queues.get(name) or replace(view, seats=()) for name, view in now.queues.items()}
    return replace(near, queues=queues, exchanges=now.exchanges)


def shaping_runs(events: Iterable[Event], seen: set[tuple[str, str]]) -> list[tuple[int, int]]:
    """The runs of events that change the parts of the picture, as their first and last serials.

    Within a run no message moves, so that one layout serves for all of it.  `seen` are the pairs of publisher
    and exchange that have been met, to which new ones are added.
    """
    runs: list[tuple[int, int]] = []
    moved = True
    for event in events:
        if event.kind in SHAPING or _is_first_publish(event, seen):
            first = event.serial if moved else runs.pop()[0]
            runs.append((first, event.serial))
            moved = bool(event.message)
        else:
            moved = moved or bool(event.message)
    return runs


def _is_first_publish(event: Event, seen: set[tuple[str, str]]) -> bool:
    if event.kind != "published" or event.source is None or event.target is None:
        return False
    pair = event.source.name, event.target.name
    is_first = pair not in seen
    seen.add(pair)
    return is_first


class Stage:
    """Lays out one picture after the other, so that what stays keeps its place.

    A stage made after another shows the same, and does not disturb it.
    """

    def __init__(self, other: Stage | None = None) -> None:
        #: Of many nodes, the one whose neighbourhood is drawn, until it is gone or another is chosen.
        self.focus: str | None = None if other is None else other.focus
        self.narrow: bool = other is not None and other.narrow
        #: Which publishers have published to which exchanges so far.
        self.seen: set[tuple[str, str]] = set()
        self._wide: Layout | None = None
        self._narrow: Layout | None = None
        self._sent: tuple[Layout | None, Layout | None] = (None, None)

    def set(self, snapshot: Snapshot, serial: int) -> tuple[Neighbourhood, list[list[Any]]]:
        """What of the snapshot is drawn, and its layout, which holds from `serial` on, if it is a new one.

        [serial, wide, narrow, folded]: the last are the ids of what is not drawn.
        """
        near = neighbourhood(snapshot, self.focus)
        self.focus = near.focus or None
        self._wide = arrange(near.snapshot, self._wide, folds=near.folds)
        self._narrow = (
            arrange(near.snapshot, self._narrow, narrow=True, folds=near.folds) if self.narrow else None
        )
        if self._sent == (self._wide, self._narrow):
            return near, []
        self._sent = self._wide, self._narrow
        bindings = list(snapshot.bindings)
        narrow = None if self._narrow is None else wire.layout(self._narrow, bindings)
        folded = [wire.text(thing) for fold in near.folds for thing in fold.things]
        return near, [[serial, wire.layout(self._wide, bindings), narrow, folded]]

    def begin(self, replay: Replay) -> None:
        """A page begins here: it has no layout yet, and has seen what this replay has."""
        self.again()
        self.seen = {(name, to) for name, view in replay.publishers.items() for to in view.exchanges}

    def again(self) -> None:
        """Send the next layout though it may be the same."""
        self._sent = None, None
