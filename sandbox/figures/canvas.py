"""From marks to matplotlib, and from its figures to SVG and HTML."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

from .shapes import Shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .marks import Picture
    from .palette import Palette
    from .shapes import Words

#: Dots per inch of our figures: one px of a layout is one px on a web page.
DPI = 96
POINTS_PER_INCH = 72


def picture_axes(width: float, height: float, page: str, alt: str) -> Axes:
    """Axes that fill a new figure of this size in px; `alt` says in words what they show."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width / DPI, height / DPI), DPI, facecolor=page)
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    return figure.add_axes(_axes_class()(figure, (0, 0, 1, 1), alt=alt))


@cache
def _axes_class() -> Any:
    from matplotlib.axes import Axes

    class PictureAxes(Axes):
        """Axes that a notebook shows as their picture, with `alt` for those who cannot see it."""

        def __init__(self, figure: Figure, position: tuple[float, float, float, float], alt: str) -> None:
            super().__init__(figure, position)
            self._picture = figure
            self.alt = alt

        def _repr_html_(self) -> str:
            return to_html(self._picture, self.alt)

    return PictureAxes


def paint(picture: Picture, ax: Axes, palette: Palette) -> None:
    """Put the marks on the axes, whose units become px of the picture."""
    from matplotlib.patches import PathPatch

    ax.set_axis_off()
    ax.set(xlim=(0, picture.width), ylim=(picture.height, 0), aspect="equal")
    scale = _points_per_px(ax)
    for mark in picture.marks:
        if isinstance(mark, Shape):
            ax.add_artist(PathPatch(_path(mark), **_style(mark, palette, scale)))
        else:
            _write(ax, mark, palette, scale)


def _points_per_px(ax: Axes) -> float:
    """How many printer's points one px of the picture has on these axes: the unit of lines and letters."""
    ax.apply_aspect()
    (left, _), (right, _) = ax.transData.transform([(0, 0), (1, 0)])
    return float(right - left) * POINTS_PER_INCH / ax.figure.dpi


def _path(shape: Shape) -> Any:
    from matplotlib.path import Path

    codes: list[int] = []
    points: list[tuple[Any, Any]] = []
    for command, *numbers in shape.path:
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True)) or [points[-1]]
        points += pairs
        codes += [_CODES[str(command)]] * len(pairs)
    return Path(points, codes)


#: SVG's commands as matplotlib.path.Path's codes.
_CODES = {"M": 1, "L": 2, "C": 4, "Z": 79}


def _style(shape: Shape, palette: Palette, scale: float) -> dict[str, Any]:
    dash = shape.dash and (0, [length / shape.width for length in shape.dash])
    return {
        "facecolor": getattr(palette, shape.fill) if shape.fill else "none",
        "edgecolor": getattr(palette, shape.line) if shape.line else "none",
        "linewidth": shape.width * scale if shape.line else 0,
        "linestyle": dash or "solid",
        "capstyle": shape.ends,
        "joinstyle": "round",
        "clip_on": False,
        "label": f"_{shape.fill or shape.line}",
    }


def _write(ax: Axes, words: Words, palette: Palette, scale: float) -> None:
    text, families = legible(words.text, bold=words.bold)
    ax.text(
        words.x,
        words.y,
        text,
        color=getattr(palette, words.role),
        fontsize=words.size * scale,
        fontfamily=families,
        fontweight="bold" if words.bold else "normal",
        fontstyle="normal",
        ha={"start": "left", "middle": "center", "end": "right"}[words.anchor],
        va="baseline",
        parse_math=False,
        usetex=False,
    )


# ---------------------------------------------------------------- letters

#: The font that matplotlib brings along, by which texts are measured.
FONT = "DejaVu Sans"

#: Where to look for what that font lacks, after the fonts of the user's own settings.
OTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
)


def legible(text: str, *, bold: bool = False) -> tuple[str, list[str]]:
    """The text, and the fonts to write it in; a character that none of them has becomes `�`."""
    if text.isascii():
        return text, [FONT]
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont, fontManager

    installed = {entry.name for entry in fontManager.ttflist}
    wanted = dict.fromkeys([FONT, *rcParams["font.sans-serif"], *OTHER_FONTS])
    families = [family for family in wanted if family in installed]
    weight = "bold" if bold else "normal"
    fonts = [_characters(findfont(FontProperties(family=family, weight=weight))) for family in families]
    shown = (char if any(ord(char) in font for font in fonts) else "�" for char in text)
    return "".join(shown), families


@cache
def _characters(path: str) -> frozenset[int]:
    """What a font file has glyphs for."""
    from matplotlib.font_manager import get_font

    return frozenset(get_font(path).get_charmap())


# ---------------------------------------------------------------- out of matplotlib


def to_svg(figure: Figure, title: str, description: str) -> str:
    """The figure as an SVG document with a title and a description; the same figure gives the same text."""
    out = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Type", "Format"))
    figure.savefig(out, format="svg", metadata=nothing, facecolor="auto", bbox_inches=None)
    svg = _with_steady_ids(out.getvalue())
    words = f"<title>{_xml(title)}</title>\n <desc>{_xml(description)}</desc>"
    return re.sub(r"(<svg [^>]*)>", lambda match: f'{match[1]} role="img">\n {words}', svg, count=1)


def _with_steady_ids(svg: str) -> str:
    """Matplotlib names clips and hatches at random: number them instead."""
    names = dict.fromkeys(re.findall(r'id="([a-z][0-9a-f]{10})"', svg))
    for number, name in enumerate(names):
        svg = svg.replace(name, f"part{number}")
    return svg


def _xml(text: str) -> str:
    """Text for an XML document, which cannot hold most control characters in any form."""
    return escape("".join(char if char.isprintable() or char == "\n" else "�" for char in text))


def to_html(figure: Figure, description: str) -> str:
    """The figure as an image for HTML, complete in itself, with the description as its alternative text."""
    svg = to_svg(figure, description.partition("\n")[0], description)
    data = b64encode(svg.encode()).decode("ascii")
    source = f"data:image/svg+xml;base64,{data}"
    return f'<img alt="{_xml(description)}" style="max-width: 100%" src="{source}">'
