"""One copy of a message, in each of the states it can be in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .glyphs import again_badge, clock_badge, envelope_badge
from .shapes import Shape, Words, arc, circle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.snapshot import Seat

    from .shapes import Mark

RADIUS = 10  # px
RING = 13.2  # px: the ring of the time to live
DASH = (2.2, 2.2)


def ready(seat: Seat, time: float, x: float, y: float) -> Iterator[Mark]:
    """A copy that waits in its lane."""
    if seat.expires is not None and seat.expires <= time:
        yield Shape(circle(x, y, RING), line="muted", width=1)
        yield from token(seat.message, x, y, "dead")
        yield from clock_badge(x + 9, y - 9)
    else:
        if seat.expires is not None:
            yield _ring(seat.entered, seat.expires, time, x, y)
        yield from token(seat.message, x, y, "alive")
    yield from _again(seat, x, y)


def _ring(entered: float, expires: float, time: float, x: float, y: float) -> Shape:
    """What is left of a time to live, draining clockwise from twelve o'clock."""
    gone = min(0.97, max(0.0, (time - entered) / (expires - entered)))
    return Shape(arc(x, y, RING, 360 * gone, 360), line="ink", width=2)


def held(seat: Seat, x: float, y: float) -> Iterator[Mark]:
    """A copy in somebody's hands; sealed until the callback has begun."""
    yield from token(seat.message, x, y, "alive")
    if seat.consumer and not seat.handed:
        yield from envelope_badge(x + 8, y + 9.5)
    yield from _again(seat, x, y)


def _again(seat: Seat, x: float, y: float) -> Iterator[Mark]:
    if seat.redelivered:
        yield from again_badge(x - 8.5, y - 9.5, seat.redelivered)


def hollow(seat: Seat, x: float, y: float) -> Iterator[Mark]:
    """The seat in the lane to which an unacked copy would return."""
    yield Shape(circle(x, y, RADIUS), "", "muted", 1.3, DASH)
    yield number(seat.message, x, y, "muted")


def socket(x: float, y: float) -> Shape:
    """Room for one copy."""
    return Shape(circle(x, y, RADIUS), "", "edge", 1.3, DASH)


def token(message: int, x: float, y: float, meaning: str) -> Iterator[Mark]:
    """A filled circle with the number of its message."""
    yield Shape(circle(x, y, RADIUS), meaning, "ink")
    yield number(message, x, y, "on_alive" if meaning == "alive" else "on_colour")


def number(message: int, x: float, y: float, role: str) -> Words:
    """The number of a message; from 1,000 on its last three digits, for more do not fit."""
    text = str(message) if message < 1000 else f"{message % 1000:03}"
    size = 11 if len(text) < 3 else 8
    return Words(text, x, y + size * 0.36, size, role, "middle", bold=True)
