"""One copy of a message, in each of the states it can be in.

What happened to it is told by badges, each in a corner of its own: came back (upper left), expired or still
sealed (upper right), its priority (lower right), its deaths (lower left).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .glyphs import again_badge, clock_badge, deaths_badge, envelope_badge, priority_badge
from .shapes import Shape, Words, arc, circle, diamond

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.snapshot import Seat

    from .shapes import Mark, Path

RADIUS = 10  # px
DIAMOND = 12.5  # px: from the middle of a dead letter to its tips
RING = 13.2  # px: the ring of the time to live
DASH = (2.2, 2.2)

#: Where the badges stand, from the middle of the copy.
AGAIN = (-8.5, -9.5)
CLOCK = (9.0, -9.0)
ENVELOPE = (8.0, -9.5)
PRIORITY = (8.0, 9.5)
DEATHS = (-8.0, 9.0)


def ready(seat: Seat, time: float, x: float, y: float) -> Iterator[Mark]:
    """A copy that waits in its lane."""
    if seat.expires is not None and seat.expires <= time:
        yield Shape(circle(x, y, RING), line="muted", width=1)
        yield from token(seat.message, x, y, "dead", is_dead_letter=bool(seat.deaths))
        yield from clock_badge(*_moved(CLOCK, x, y))
    else:
        if seat.expires is not None:
            yield _ring(seat.entered, seat.expires, time, x, y)
        yield from token(seat.message, x, y, "alive", is_dead_letter=bool(seat.deaths))
    yield from _badges(seat, x, y)


def _ring(entered: float, expires: float, time: float, x: float, y: float) -> Shape:
    """What is left of a time to live, draining clockwise from twelve o'clock."""
    gone = min(0.97, max(0.0, (time - entered) / (expires - entered)))
    return Shape(arc(x, y, RING, 360 * gone, 360), line="ink", width=2)


def held(seat: Seat, x: float, y: float) -> Iterator[Mark]:
    """A copy in somebody's hands; sealed until the callback has begun."""
    yield from token(seat.message, x, y, "alive", is_dead_letter=bool(seat.deaths))
    if seat.consumer and not seat.handed:
        yield from envelope_badge(*_moved(ENVELOPE, x, y))
    yield from _badges(seat, x, y)


def _badges(seat: Seat, x: float, y: float) -> Iterator[Mark]:
    if seat.redelivered:
        yield from again_badge(*_moved(AGAIN, x, y), seat.redelivered)
    if seat.priority:
        yield from priority_badge(*_moved(PRIORITY, x, y), seat.priority)
    if seat.deaths:
        yield from deaths_badge(*_moved(DEATHS, x, y), seat.deaths)


def _moved(offset: tuple[float, float], x: float, y: float) -> tuple[float, float]:
    return x + offset[0], y + offset[1]


def hollow(seat: Seat, x: float, y: float) -> Iterator[Mark]:
    """The seat in the lane to which an unacked copy would return."""
    yield hollow_seat(x, y, is_dead_letter=bool(seat.deaths))
    yield number(seat.message, x, y, "muted")


def hollow_seat(x: float, y: float, *, is_dead_letter: bool = False) -> Shape:
    """The outline that an unacked copy leaves behind."""
    return Shape(outline(x, y, is_dead_letter=is_dead_letter), "", "muted", 1.3, DASH)


def socket(x: float, y: float) -> Shape:
    """Room for one copy."""
    return Shape(circle(x, y, RADIUS), "", "edge", 1.3, DASH)


def token(message: int, x: float, y: float, meaning: str, *, is_dead_letter: bool = False) -> Iterator[Mark]:
    """A copy with the number of its message."""
    yield body(x, y, meaning, is_dead_letter=is_dead_letter)
    yield number(message, x, y, "on_alive" if meaning == "alive" else "on_colour")


def body(x: float, y: float, meaning: str, *, is_dead_letter: bool = False) -> Shape:
    """A filled circle, or a diamond for a dead letter."""
    return Shape(outline(x, y, is_dead_letter=is_dead_letter), meaning, "ink")


def outline(x: float, y: float, *, is_dead_letter: bool = False) -> Path:
    """The outline of a copy."""
    return diamond(x, y, DIAMOND) if is_dead_letter else circle(x, y, RADIUS)


def number(message: int, x: float, y: float, role: str) -> Words:
    """The number of a message; from 1,000 on its last three digits, for more do not fit."""
    text = str(message) if message < 1000 else f"{message % 1000:03}"
    size = 11 if len(text) < 3 else 8
    return Words(text, x, y + size * 0.36, size, role, "middle", bold=True)
