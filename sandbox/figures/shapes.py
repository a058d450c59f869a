"""What a picture is made of: outlines and lines of text, before anything is drawn.

Units are px; x runs to the right and y down.  Colours are roles of the palette, by name.
"""

from __future__ import annotations

from itertools import pairwise
from math import cos, hypot, radians, sin, tan
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Commands as in SVG: M x y, L x y, C x1 y1 x2 y2 x y, Z.
Path = tuple[tuple[str | float, ...], ...]


class Shape(NamedTuple):
    """An outline, filled or drawn as a line, or both.

    `dash` is the length of a dash and of a gap; the ends of a line are flat or `round`.
    """

    path: Path
    fill: str = ""
    line: str = ""
    width: float = 1.5
    dash: tuple[float, float] | None = None
    ends: str = "butt"


class Words(NamedTuple):
    """One line of text.  `y` is its baseline; `anchor` says which end of it is at `x`: start, middle, end."""

    text: str
    x: float
    y: float
    size: float
    role: str = "ink"
    anchor: str = "start"
    bold: bool = False


Mark = Shape | Words


#: How near to a corner the handles of its curve are, for a quarter of a circle.
ROUND = 0.45


# ---------------------------------------------------------------- outlines


def line(*points: tuple[float, float], closed: bool = False) -> Path:
    """Straight from point to point."""
    start, *rest = points
    path: list[tuple[str | float, ...]] = [("M", *start), *(("L", *point) for point in rest)]
    return (*path, ("Z",)) if closed else tuple(path)


def arc(x: float, y: float, radius: float, start: float, end: float) -> Path:
    """Clockwise around (x, y), in degrees from twelve o'clock."""
    count = max(1, round((end - start) / 90 + 0.49))
    angles = [radians(start + (end - start) * step / count) for step in range(count + 1)]
    reach = 4 / 3 * tan((angles[1] - angles[0]) / 4) * radius
    path: list[tuple[str | float, ...]] = [("M", x + radius * sin(angles[0]), y - radius * cos(angles[0]))]
    for a, b in pairwise(angles):
        ax, ay = x + radius * sin(a), y - radius * cos(a)
        bx, by = x + radius * sin(b), y - radius * cos(b)
        path.append(
            ("C", ax + reach * cos(a), ay + reach * sin(a), bx - reach * cos(b), by - reach * sin(b), bx, by)
        )
    return tuple(path)


def circle(x: float, y: float, radius: float) -> Path:
    """A circle around (x, y)."""
    return (*arc(x, y, radius, 0, 360), ("Z",))


def diamond(x: float, y: float, radius: float) -> Path:
    """A square on its tip around (x, y)."""
    return line((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y), closed=True)


def rounded(points: Sequence[tuple[float, float]], radius: float) -> Path:
    """From point to point, with corners rounded as far as there is room."""
    path: list[tuple[str | float, ...]] = [("M", *points[0])]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        room = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        path.append(("L", *_towards(corner, before, room)))
        path.append(
            (
                "C",
                *_towards(corner, before, room * ROUND),
                *_towards(corner, after, room * ROUND),
                *_towards(corner, after, room),
            )
        )
    path.append(("L", *points[-1]))
    return tuple(path)


def box(x: float, y: float, width: float, height: float, radius: float = 0) -> Path:
    """A rectangle, its corners rounded as far as there is room."""
    right, bottom = x + width, y + height
    radius = min(radius, width / 2, height / 2)
    if not radius:
        return line((x, y), (right, y), (right, bottom), (x, bottom), closed=True)
    corners = ((right, y, -1, 1), (right, bottom, -1, -1), (x, bottom, 1, -1), (x, y, 1, 1))
    path: list[tuple[str | float, ...]] = [("M", x + radius, y)]
    for index, (cx, cy, dx, dy) in enumerate(corners):
        flat, upright = (cx + dx * radius, cy), (cx, cy + dy * radius)
        near_flat, near_upright = (cx + dx * radius * ROUND, cy), (cx, cy + dy * radius * ROUND)
        first, *turn = (
            (flat, near_flat, near_upright, upright)
            if index % 2 == 0
            else (upright, near_upright, near_flat, flat)
        )
        path += [("L", *first), ("C", *turn[0], *turn[1], *turn[2])]
    return (*path, ("Z",))


def joined(paths: Iterable[Path]) -> Path:
    """Several outlines as one."""
    return tuple(command for path in paths for command in path)


def _distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return hypot(b[0] - a[0], b[1] - a[1])


def _towards(start: tuple[float, float], end: tuple[float, float], length: float) -> tuple[float, float]:
    part = length / (_distance(start, end) or 1)
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
