"""Depth over time: one series of points per queue, thinned so that a whole run always fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How many points one series keeps; when it is full it is thinned by half.
MOST_POINTS = 4096


class Point(NamedTuple):
    """How deep a queue was from the event `serial` on, at `time` seconds."""

    serial: int
    time: float
    ready: int
    unacked: int


class Depths:
    """The series of every queue that there has been, under its name."""

    def __init__(self) -> None:
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
        twin._series = {name: series.copy() for name, series in self._series.items()}
        return twin

    def add(self, queue: str, point: Point) -> None:
        """The queue is that deep from now on."""
        series = self._series.get(queue)
        if series is None:
            series = self._series[queue] = []
        series.append(point)
        if len(series) > MOST_POINTS:
            self._series[queue] = thinned(series)


def thinned(series: list[Point]) -> list[Point]:
    """At most about half of the points, with all peaks: of every eight the four outermost.

    These are the deepest and the shallowest, and where most was ready and most unacked.  The first and the
    last point stay.
    """
    kept = series[:1]
    for start in range(1, len(series) - 1, 8):
        group = series[start : min(start + 8, len(series) - 1)]
        outermost = {
            min(group, key=_depth),
            max(group, key=_depth),
            max(group, key=lambda point: point.ready),
            max(group, key=lambda point: point.unacked),
        }
        kept += sorted(outermost)
    return kept + series[-1:]


def _depth(point: Point) -> int:
    return point.ready + point.unacked
