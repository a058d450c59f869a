"""The small signs of a picture as plain values: a web page draws the very same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import glyphs, tokens
from .shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .shapes import Mark, Path

#: How far from its middle any sign reaches, in px, its line included.
REACH = 17

#: The meanings of a filled mark.
MEANINGS = ("alive", "done", "lost", "dead")


def sprites() -> dict[str, list[dict[str, Any]]]:
    """Every sign by its name, as what it is made of, around (0, 0).

    An outline has its path in SVG's words as `d`, then `fill` and `line` (roles of the palette; "" is none),
    `width`, `dash` and `ends`.  A line of text has `text`, `x`, `y`, `size`, `role`, `anchor` and `bold`.
    """
    return {name: [_plain(mark) for mark in drawn] for name, drawn in _signs()}


def _signs() -> Iterator[tuple[str, Iterable[Mark]]]:
    for meaning in MEANINGS:
        yield f"token_{meaning}", [tokens.body(0, 0, meaning)]
        yield f"diamond_{meaning}", [tokens.body(0, 0, meaning, is_dead_letter=True)]
    yield "token_returned", [tokens.body(0, 0, "page")]
    yield "hollow", [tokens.hollow_seat(0, 0)]
    yield "hollow_diamond", [tokens.hollow_seat(0, 0, is_dead_letter=True)]
    yield "socket", [tokens.socket(0, 0)]
    yield "again", glyphs.again_badge(0, 0, 1)
    yield "clock", glyphs.clock_badge(0, 0)
    yield "envelope", glyphs.envelope_badge(0, 0)
    yield "deaths", glyphs.deaths_badge(0, 0, 0)
    for digits in (1, 2, 3):
        yield f"priority_{digits}", glyphs.priority_badge(0, 0, None, digits)
    yield "return_arrow", glyphs.return_arrow(0, 0)
    yield "tick", [glyphs.tick(0, 0)]
    yield "bar", [glyphs.bar(0, 0)]
    yield "confirmed", glyphs.confirmed(0, 0)
    yield "nacked", glyphs.nacked(0, 0)
    yield "gate", [glyphs.gate(0, 0)]
    yield "open_end", [glyphs.open_end(0, 0)]
    yield "arrowhead", [glyphs.arrowhead(0, 0)]
    yield "arrowhead_back", [glyphs.arrowhead(0, 0, -1)]
    yield "palm", glyphs.palm(0, 0)
    yield "sender", [glyphs.sender(0, 0)]
    for type_ in glyphs.TYPE_WIDTHS:
        yield f"type_{type_}", glyphs.type_glyph(type_, 0, 0)
    yield "cross", [glyphs.cross(0, 0)]
    yield "small_diamond", [glyphs.small_diamond(0, 0)]


def _plain(mark: Mark) -> dict[str, Any]:
    plain = mark._asdict()
    if isinstance(mark, Shape):
        plain["d"] = svg_path(plain.pop("path"))
        plain["dash"] = mark.dash and list(mark.dash)
    return plain


def svg_path(path: Path) -> str:
    """An outline in SVG's words.

    >>> svg_path((("M", 0, 0.5), ("L", 1 / 3, 2), ("Z",)))
    'M0 0.5L0.33 2Z'
    """
    return "".join(f"{command}{' '.join(map(_short, numbers))}" for command, *numbers in path)


def _short(number: float | str) -> str:
    return f"{round(float(number), 2) + 0:g}"  # + 0: no negative zero
