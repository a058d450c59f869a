"""Depth over time: one series of points per queue, thinned so that a whole run always fits."""

from __future__ import annotations

from operator import add
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


_point = tuple.__new__  # half the time of `Point`, and one is made for every move of a copy


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

    def add(self, queue: str, point: tuple[int, float, int, int]) -> None:
        """The queue is that deep from now on: a `Point`, or what one is made of."""
        series = self._series.get(queue)
        if series is None:
            series = self._series[queue] = []
        series.append(_point(Point, point))
        if len(series) > MOST_POINTS:
            self._series[queue] = thinned(series)


def thinned(series: list[Point]) -> list[Point]:
    """At most about half of the points, with all peaks: of every eight the four outermost.

    These are the deepest and the shallowest, and where most was ready and most unacked.  The first and the
    last point stay.
    """
    ready, unacked = [point.ready for point in series], [point.unacked for point in series]
    depth = list(map(add, ready, unacked))
    keys = ready.__getitem__, unacked.__getitem__, depth.__getitem__
    kept = [0]
    for start in range(1, len(series) - 1, 8):
        group = range(start, min(start + 8, len(series) - 1))
        kept += sorted({min(group, key=keys[2]), *(max(group, key=key) for key in keys)})
    kept.append(len(series) - 1)
    return [series[index] for index in kept]
