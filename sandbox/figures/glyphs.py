"""Small signs, drawn as paths because fonts lack them; each stands around its middle (x, y)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .shapes import Shape, Words, arc, box, circle, diamond, joined, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .shapes import Mark

#: How wide the sign of each type of exchange is, in px.
TYPE_WIDTHS = {"direct": 10, "fanout": 12, "topic": 21, "headers": 12}


def type_glyph(type_: str, x: float, y: float) -> Iterator[Shape]:
    """The sign of a type of exchange: `=`, a fork, `*#`, two sliders."""
    match type_:
        case "direct":
            strokes = [line((x - 4, y + dy), (x + 4, y + dy)) for dy in (-2, 2)]
        case "fanout":
            strokes = [line((x - 5, y), (x - 1.5, y), (x + 5, y + dy)) for dy in (-4.5, 0, 4.5)]
        case "topic":
            strokes = [*_asterisk(x - 5.5, y), *_hash(x + 5.5, y)]
        case _:
            strokes = [line((x - 5, y + dy), (x + 5, y + dy)) for dy in (-3, 3)]
    yield Shape(joined(strokes), line="muted", width=1.3, ends="round")
    if type_ == "headers":
        yield Shape(joined([circle(x - 2, y - 3, 2), circle(x + 2, y + 3, 2)]), "page", "muted", 1.3)


def _asterisk(x: float, y: float) -> Iterator[tuple[tuple[str | float, ...], ...]]:
    for dx, dy in ((0, 4.5), (3.9, 2.25), (3.9, -2.25)):
        yield line((x - dx, y - dy), (x + dx, y + dy))


def _hash(x: float, y: float) -> Iterator[tuple[tuple[str | float, ...], ...]]:
    for shift in (-2, 2):
        yield line((x + shift + 0.8, y - 4.5), (x + shift - 0.8, y + 4.5))
        yield line((x - 4.2, y + shift), (x + 4.2, y + shift))


# ---------------------------------------------------------------- on lines


def arrowhead(x: float, y: float, direction: int = 1) -> Shape:
    """An open tip at (x, y), pointing right, or left if the direction is -1."""
    return Shape(line((x - 6 * direction, y - 4), (x, y), (x - 6 * direction, y + 4)), line="edge", width=1.5)


def gate(x: float, y: float) -> Shape:
    """A double bar across a line: nothing passes."""
    return Shape(joined(line((x + dx, y - 9), (x + dx, y + 9)) for dx in (-2.5, 2.5)), line="ink", width=2.5)


def open_end(x: float, y: float) -> Shape:
    """An open circle: the line leads to nothing that exists."""
    return Shape(circle(x, y, 4.5), "page", "ink")


# ---------------------------------------------------------------- beside a copy


def clock_badge(x: float, y: float) -> Iterator[Shape]:
    """A small clock: the time to live is over."""
    yield Shape(circle(x, y, 5), "page", "ink", 1.2)
    yield Shape(line((x, y - 3), (x, y), (x + 2.3, y)), line="ink", width=1.2)


def again_badge(x: float, y: float, times: int) -> Iterator[Mark]:
    """A circular arrow: came back before; with the number from the second time on."""
    yield Shape(circle(x, y, 6.5), "page", "", 0)
    yield Shape(arc(x, y, 5.4, 55, 325), line="ink", width=1.2)
    yield Shape(line((x - 4.6, y - 7.2), (x + 0.6, y - 6.3), (x - 2.4, y - 2), closed=True), "ink", "", 0)
    if times > 1:
        text = str(times) if times < 10 else "9+"
        yield Words(text, x + 0.3, y + 3.2, 7.5 if times < 10 else 6, "ink", "middle", bold=True)


def deaths_badge(x: float, y: float, deaths: int) -> Iterator[Mark]:
    """A small diamond with the number of times that a copy was dead-lettered; 0 leaves it blank."""
    yield Shape(diamond(x, y, 7.5), "page", "ink", 1.2)
    if deaths:
        yield Words(str(deaths) if deaths < 10 else "9+", *_middle(x, y, deaths), "ink", "middle", bold=True)


def priority_badge(x: float, y: float, priority: int | None, digits: int = 1) -> Iterator[Mark]:
    """A small square with a priority, of up to three digits; None leaves it blank.

    It grows to the left: (x, y) is the middle of one for a single digit.
    """
    digits = digits if priority is None else len(str(priority))
    width, size = ((11, 8), (16, 8), (17, 6.5))[digits - 1]
    yield Shape(box(x + 5.5 - width, y - 5.5, width, 11, 2.5), "page", "ink", 1.2)
    if priority is not None:
        yield Words(str(priority), x + 5.5 - width / 2, y + size * 0.36, size, "ink", "middle", bold=True)


def _middle(x: float, y: float, number: int) -> tuple[float, float, float]:
    """Where a number stands on a badge, and its size."""
    return (x, y + 2.9, 8) if number < 10 else (x, y + 2.2, 6)


def envelope_badge(x: float, y: float) -> Iterator[Shape]:
    """A sealed envelope: delivered, and not yet opened."""
    yield Shape(box(x - 5.5, y - 4, 11, 8), "page", "ink", 1.2)
    yield Shape(line((x - 5.5, y - 4), (x, y + 0.8), (x + 5.5, y - 4)), line="ink", width=1.2)


def return_arrow(x: float, y: float) -> Iterator[Shape]:
    """An arrow that turns back: on its way to whoever sent it."""
    yield Shape(circle(x, y, 6.5), "page", "", 0)
    turn = (("M", x + 3, y - 3), ("C", x + 5.8, y - 3, x + 5.8, y + 3, x + 3, y + 3), ("L", x - 5, y + 3))
    yield Shape(turn, line="ink", width=1.4)
    yield Shape(line((x - 2.2, y), (x - 5.4, y + 3), (x - 2.2, y + 6)), line="ink", width=1.4)


# ---------------------------------------------------------------- how it ended


def tick(x: float, y: float) -> Shape:
    """Done."""
    return Shape(
        line((x - 4, y), (x - 1, y + 3.5), (x + 4.5, y - 3.5)), line="on_colour", width=2, ends="round"
    )


def bar(x: float, y: float) -> Shape:
    """Refused."""
    return Shape(line((x - 4, y), (x + 4, y)), line="on_colour", width=2.4)


def confirmed(x: float, y: float, radius: float = 8) -> Iterator[Shape]:
    """The broker has it, or a consumer is done with it."""
    yield Shape(circle(x, y, radius), "done", "ink")
    yield tick(x, y)


def nacked(x: float, y: float, radius: float = 8) -> Iterator[Shape]:
    """The broker does not have it."""
    yield Shape(circle(x, y, radius), "lost", "ink")
    yield bar(x, y)


def cross(x: float, y: float) -> Shape:
    """On a strip: here a message was lost."""
    strokes = (line((x - 3.5, y + dy), (x + 3.5, y - dy)) for dy in (-3.5, 3.5))
    return Shape(joined(strokes), line="ink", width=1.6)


def small_diamond(x: float, y: float) -> Shape:
    """On a strip: here a copy was dead-lettered."""
    return Shape(diamond(x, y, 4.5), "alive", "ink", 1.2)


# ---------------------------------------------------------------- people


def palm(x: float, y: float) -> Iterator[Shape]:
    """An open hand."""
    tips = ((-4.5, -4), (-1.5, -7), (1.5, -8), (4.5, -6))
    yield Shape(
        joined(line((x + dx, y + 2), (x + dx, y + top)) for dx, top in tips),
        line="ink",
        width=2.2,
        ends="round",
    )
    yield Shape(line((x - 8.5, y), (x - 4.5, y + 5)), line="ink", width=2.2, ends="round")
    yield Shape(box(x - 5.6, y, 11.2, 9, 4), "ink", "", 0)


def sender(x: float, y: float) -> Shape:
    """An arrow that leaves: a publisher whose name is too long for its circle."""
    strokes = [line((x - 8, y), (x + 8, y)), line((x + 2, y - 6), (x + 8, y), (x + 2, y + 6))]
    return Shape(joined(strokes), line="ink", width=1.8, ends="round")
