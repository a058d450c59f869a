"""Whether a picture can be read: what a person would see at a glance, measured.

Boxes are in pixels of the page; a contrast is WCAG's ratio, 1 to 21.  Colours behind a text or a mark are
taken from a screenshot without it, so that opacity, gradients and whatever lies between count as they look.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from playwright.sync_api import Locator

SURVEY = (Path(__file__).parent / "looks.js").read_text(encoding="utf-8")
NO_MARK = ":not(*)"

TEXT_CONTRAST, MARK_CONTRAST = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11
SYMBOLS = "·…"  # beside letters and ASCII, what fonts everywhere have

#: Takes the letters away, and leaves what is behind them: `currentColor` keeps its colour.
WITHOUT_TEXT = """
* { -webkit-text-fill-color: transparent !important; text-shadow: none !important; }
text, tspan, textPath { fill: transparent !important; }
"""
SHARE = 0.2  # a colour of a smaller part of what is behind is a line that passes there


@dataclass(frozen=True)
class Box:
    """A part of the page."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """By how much two boxes lie over each other, in the direction in which it is less."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return min(across, down)


@dataclass(frozen=True)
class Text:
    """Words that stand together, as they are seen."""

    words: str
    lines: tuple[Box, ...]  # where their ink is
    colour: tuple[float, ...]  # red, green, blue (0 to 255) and alpha (0 to 1)
    halo: tuple[float, ...] | None  # the colour drawn around the letters
    cut: float  # by how much they reach out of what is shown of them
    missing: str  # the characters that no font here has
    idle: bool  # of something disabled, which may be faint


def survey(root: Locator) -> list[Text]:
    """All visible texts in an element."""
    root.scroll_into_view_if_needed()
    found = root.evaluate(SURVEY, NO_MARK)
    return [
        Text(
            words=text["words"],
            lines=tuple(_boxes(text["lines"], found["scroll"])),
            colour=tuple(text["colour"]),
            halo=None if text["halo"] is None else tuple(text["halo"]),
            cut=text["cut"],
            missing="".join(text["missing"]),
            idle=text["idle"],
        )
        for text in found["texts"]
    ]


def check(root: Locator, *, symbols: str = SYMBOLS) -> None:
    """Fail with every problem of the texts in an element."""
    found = problems(root, symbols=symbols)
    assert not found, "\n".join(found)


def problems(root: Locator, *, symbols: str = SYMBOLS) -> list[str]:
    """What is wrong with the texts in an element; an element without any is wrong too."""
    texts = survey(root)
    if not texts:
        return ["there is no text"]
    return [*overlaps(texts), *cuts(texts), *strange_glyphs(texts, symbols), *faint_texts(root, texts)]


def overlaps(texts: Sequence[Text], tolerance: float = 1) -> list[str]:
    """The pairs of texts of which one lies over the other."""
    return [
        f"overlap: {one.words!r} and {other.words!r}"
        for one, other in combinations(texts, 2)
        if any(line.overlap(below) > tolerance for line in one.lines for below in other.lines)
    ]


def cuts(texts: Iterable[Text], tolerance: float = 1) -> list[str]:
    """The texts of which a part is cut off."""
    return [f"cut by {text.cut:.0f} px: {text.words!r}" for text in texts if text.cut > tolerance]


def strange_glyphs(texts: Iterable[Text], symbols: str = SYMBOLS) -> list[str]:
    """The texts with characters that are shown as a box here, or may be elsewhere."""
    found = []
    for text in texts:
        strange = {sign for sign in text.words if not (sign.isascii() or sign.isalpha() or sign in symbols)}
        if strange or text.missing:
            found.append(f"may be a box: {''.join(sorted(strange | set(text.missing)))!r} in {text.words!r}")
    return found


def faint_texts(root: Locator, texts: Iterable[Text], least: float = TEXT_CONTRAST) -> list[str]:
    """The texts that do not stand out from what is behind them."""
    with_text, without = _screenshot(root), _screenshot(root, WITHOUT_TEXT)
    found = []
    for text in texts:
        behind = _cut_out(without, text.lines)
        if not behind.size:
            found.append(f"outside of the page: {text.words!r}")
        elif np.array_equal(behind, _cut_out(with_text, text.lines)):
            found.append(f"not to be seen: {text.words!r}")
        elif not text.idle:
            ratio = _worst([text.colour], [text.halo] if text.halo else _main_colours(behind))
            if ratio < least:
                found.append(f"contrast {ratio:.2f}: {text.words!r}")
    return found


def faint_marks(root: Locator, selector: str, least: float = MARK_CONTRAST) -> list[str]:
    """The marks of which neither the fill nor the outline stands out from what is behind them."""
    root.scroll_into_view_if_needed()
    survey = root.evaluate(SURVEY, selector)
    without = _screenshot(root, f"{selector} {{ visibility: hidden !important; }}")
    found = [] if survey["marks"] else [f"there is no mark {selector}"]
    for mark in survey["marks"]:
        behind = _cut_out(without, _boxes(mark["lines"], survey["scroll"]))
        if not behind.size:
            found.append(f"outside of the page: {mark['name']}")
            continue
        ratio = _worst(mark["colours"], _main_colours(behind))
        if ratio < least:
            found.append(f"contrast {ratio:.2f}: {mark['name']}")
    return found


def signature(mark: Locator, size: int = 32) -> NDArray[np.float64]:
    """An element as it looks without colours, small: what is left to tell marks apart by."""
    image = Image.open(io.BytesIO(mark.screenshot(animations="disabled", scale="css"))).convert("L")
    square = Image.new("L", (max(image.size),) * 2, image.getpixel((0, 0)))
    square.paste(image, ((square.width - image.width) // 2, (square.height - image.height) // 2))
    return np.asarray(square.resize((size, size), Image.Resampling.BOX), dtype=np.float64) / 255


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How different two signatures are, from 0 to 1: the mean over all their pixels."""
    return float(np.abs(one - other).mean())


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """The contrast of two colours, each red, green, blue from 0 to 255.

    >>> round(contrast((0, 0, 0), (255, 255, 255)))
    21
    """
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Sequence[float]) -> float:
    parts = (part / 255 for part in colour[:3])
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _worst(paints: Iterable[Sequence[float]], grounds: Iterable[Sequence[float]]) -> float:
    """The contrast of the best paint with the ground from which it stands out least."""
    return max(
        (min(contrast(_over(paint, ground), ground) for ground in grounds) for paint in paints), default=1
    )


def _over(paint: Sequence[float], ground: Sequence[float]) -> list[float]:
    """A colour, as it looks on another that shines through it."""
    alpha = paint[3]
    return [above * alpha + below * (1 - alpha) for above, below in zip(paint[:3], ground[:3], strict=True)]


def _main_colours(pixels: NDArray[np.uint8]) -> list[tuple[float, ...]]:
    """The colours that make up a good part each."""
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    often = colours[counts >= min(SHARE * len(pixels), counts.max())]
    return [tuple(map(float, colour)) for colour in often]


def _screenshot(root: Locator, style: str | None = None) -> NDArray[np.uint8]:
    picture = root.page.screenshot(animations="disabled", scale="css", full_page=True, style=style)
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def _cut_out(picture: NDArray[np.uint8], boxes: Iterable[Box]) -> NDArray[np.uint8]:
    """The pixels in these boxes, one after the other."""
    parts = [
        picture[max(0, round(box.top)) : round(box.bottom), max(0, round(box.left)) : round(box.right)]
        for box in boxes
    ]
    return np.concatenate([part.reshape(-1, 3) for part in parts])


def _boxes(found: Iterable[dict[str, Any]], scroll: Sequence[float]) -> Iterator[Box]:
    """Boxes of the window, as boxes of the page."""
    right, down = scroll
    for box in found:
        yield Box(box["left"] + right, box["top"] + down, box["right"] + right, box["bottom"] + down)
