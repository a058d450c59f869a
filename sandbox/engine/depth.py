"""Depth over time: one series of points per queue, thinned so that a whole run always fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .events import Event

#: How many points one series keeps; when it is full it is thinned by half.
MOST_POINTS = 4096


class Point(NamedTuple):
    """How deep a queue was from the event `serial` on, at `time` seconds."""

    serial: int
    time: float
    ready: int
    unacked: int


class Depths:
    """The series of every queue that there has been, under its name, up to the event `serial`."""

    def __init__(self) -> None:
        self.serial = 0
        self.time = 0.0
        self._series: dict[str, list[Point]] = {}

    def __getitem__(self, queue: str) -> list[Point]:
        """The points of one queue, oldest first; KeyError if there never was such a queue."""
        return self._series[queue]

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __contains__(self, queue: str) -> bool:
        return queue in self._series

    def copy(self) -> Depths:
        """An independent copy."""
        twin = Depths()
        twin.serial, twin.time = self.serial, self.time
        twin._series = {name: series.copy() for name, series in self._series.items()}
        return twin

    def apply(self, event: Event) -> None:
        """Go on by one event."""
        if event.copy:
            self._move(event)
        elif event.kind == "queue_declared" and event.target is not None:
            self._add(event.target.name, Point(event.serial, event.time, 0, 0))
        self.serial, self.time = event.serial, event.time

    def _move(self, event: Event) -> None:
        source, target = event.source, event.target
        assert source is not None and target is not None  # noqa: PT018  (a move has two ends)
        name = target.name if source.kind == "exchange" else source.name
        _, _, ready, unacked = self._series[name][-1]
        ready += (target.kind == "ready") - (source.kind == "ready")
        unacked += (target.kind == "unacked") - (source.kind == "unacked")
        self._add(name, Point(event.serial, event.time, ready, unacked))

    def _add(self, name: str, point: Point) -> None:
        series = self._series.setdefault(name, [])
        series.append(point)
        if len(series) > MOST_POINTS:
            self._series[name] = thinned(series)


def thinned(series: list[Point]) -> list[Point]:
    """About half of the points: of every four the deepest and the shallowest, so that no peak is lost.

    The first and the last point stay.
    """
    kept = series[:1]
    for start in range(1, len(series) - 1, 4):
        group = series[start : min(start + 4, len(series) - 1)]
        ends = {min(group, key=_depth), max(group, key=_depth)}
        kept += sorted(ends)
    return kept + series[-1:]


def _depth(point: Point) -> tuple[int, int]:
    return point.ready + point.unacked, point.serial
