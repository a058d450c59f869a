"""Depth over time: one strip per queue, one above the other in one Axes."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sandbox.layout.arrangement import arrange
from sandbox.layout.measures import NAME, NOTE
from sandbox.layout.words import counted, label, seconds
from sandbox.texts import shown

from .canvas import DPI, FONT, POINTS_PER_INCH, legible, picture_axes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

    from sandbox.engine.depth import Depths, Point
    from sandbox.engine.snapshot import Snapshot

    from .palette import Palette

Unit = Literal["time", "event"]
UNITS: tuple[Unit, Unit] = ("time", "event")

WIDTH = 860  # px of a figure of its own
STRIP = 74  # px of one strip in it, with its name
ABOVE, BELOW, LEFT, RIGHT = 40, 52, 56, 24  # px around the strips
AREA = 0.6  # how much of a strip its area may fill; its name stands above that
MOST = 6  # strips, if nobody said which


class Strip(NamedTuple):
    """One queue: where each step begins on the x axis, and how deep the queue was from there on."""

    queue: str
    starts: list[float]
    ready: list[int]
    unacked: list[int]

    @property
    def peak(self) -> int:
        """How deep it was at most."""
        return max(map(sum, zip(self.ready, self.unacked, strict=True)))


class Strips(NamedTuple):
    """The strips of a picture from top to bottom, what their x axis counts, and how many are left out."""

    strips: list[Strip]
    unit: Unit
    left_out: int = 0

    @property
    def peak(self) -> int:
        """How deep the deepest queue was at most: the scale of all."""
        return max((strip.peak for strip in self.strips), default=0) or 1


def strips_of(depths: Depths, queues: Iterable[str] | None, x: str | None, now: Snapshot | None) -> Strips:
    """The strips of these queues or, if None are named, of the deepest ones in the order of the graph."""
    known = _in_order_of_graph(depths, now)
    names = known if queues is None else _checked(queues, known)
    unit = _unit(x, depths, names, now)
    end = _end(depths, unit, now)
    strips = [_strip(name, depths[name], unit, end) for name in names]
    if queues is not None or len(strips) <= MOST:
        return Strips(strips, unit)
    deepest = sorted(strips, key=lambda strip: -strip.peak)[:MOST]
    return Strips([strip for strip in strips if strip in deepest], unit, len(strips) - MOST)


def _in_order_of_graph(depths: Depths, now: Snapshot | None) -> list[str]:
    """Every queue that there ever was, those that are gone last."""
    shown = [node.name for node in arrange(now).of("queue").values()] if now else []
    return list(dict.fromkeys([*(name for name in shown if name in depths), *depths]))


def _checked(queues: Iterable[str], known: Sequence[str]) -> list[str]:
    names = [queues] if isinstance(queues, str) else list(queues)
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
            hint = f"; there is {' and '.join(map(repr, near))}" if near else ", nor any other"
            msg = f"there never was a queue {name!r}{hint}"
            raise ValueError(msg)
    return names


def _unit(x: str | None, depths: Depths, names: Sequence[str], now: Snapshot | None) -> Unit:
    """Time, unless nobody said so and everything happened within one second."""
    if x is not None:
        for unit in UNITS:
            if x == unit:
                return unit
        msg = f"x is 'time' or 'event', not {x!r}"
        raise ValueError(msg)
    start = min((depths[name][0].time for name in names), default=0)
    return "event" if _end(depths, "time", now) - start < 1 else "time"


def _end(depths: Depths, unit: Unit, now: Snapshot | None) -> float:
    """Where all strips end: now, or at the last point of any queue."""
    ends = [_place(depths[name][-1], unit) for name in depths]
    return max([*ends, *([] if now is None else [_place(now, unit)])], default=0)


def _place(moment: Point | Snapshot, unit: Unit) -> float:
    return moment.serial if unit == "event" else moment.time


def _strip(name: str, points: Sequence[Point], unit: Unit, end: float) -> Strip:
    starts = [*(_place(point, unit) for point in points), end]
    points = [*points, points[-1]]
    return Strip(name, starts, [point.ready for point in points], [point.unacked for point in points])


# ---------------------------------------------------------------- drawing


def strip_axes(count: int, palette: Palette, alt: str) -> Axes:
    """Axes in a new figure with room for so many strips."""
    width, height = WIDTH, ABOVE + max(1, count) * STRIP + BELOW
    axes = picture_axes(width, height, palette.page, alt)
    inner = LEFT / width, BELOW / height, (width - LEFT - RIGHT) / width, 1 - (ABOVE + BELOW) / height
    axes.set_position(inner)
    return axes


def paint_strips(picture: Strips, ax: Axes, palette: Palette) -> None:
    """Put the strips on the axes, the first one at the top, all on one scale."""
    strips = picture.strips
    start = min((strip.starts[0] for strip in strips), default=0)
    end = max((strip.starts[-1] for strip in strips), default=0)
    ax.set(xlim=(start, end if end > start else start + 1), ylim=(-max(1, len(strips)), 0))
    for index, strip in enumerate(strips):
        _paint_strip(strip, -index - 1, picture.peak, ax, palette)
    _paint_axes(picture, ax, palette)
    _paint_legend(picture.left_out, ax, palette)
    if not strips:
        ax.text(0.5, 0.5, "No queue yet", transform=ax.transAxes, ha="center", **_font(NOTE, palette.muted))


def _paint_strip(strip: Strip, base: float, peak: int, ax: Axes, palette: Palette) -> None:
    scale = AREA / peak
    middle = [base + scale * ready for ready in strip.ready]
    top = [low + scale * unacked for low, unacked in zip(middle, strip.unacked, strict=True)]
    bottom = [base] * len(top)
    areas: tuple[tuple[list[float], list[float], dict[str, Any]], ...] = (
        (bottom, middle, {"facecolor": palette.alive}),
        (middle, top, {"facecolor": palette.page, "edgecolor": palette.alive, "hatch": "/////"}),
    )
    for low, high, style in areas:
        ax.fill_between(strip.starts, low, high, step="post", linewidth=0, clip_on=False, **style)
    outline: dict[str, Any] = {
        "drawstyle": "steps-post",
        "color": palette.ink,
        "linewidth": 1.1,
        "marker": "",
    }
    ax.plot(strip.starts, top, clip_on=False, **outline)
    ax.axhline(base, color=palette.edge, linewidth=0.8, clip_on=False)
    name, families = legible(label(strip.queue), bold=True)
    above: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "va": "baseline"}
    y = base + AREA + 0.12
    ax.text(0, y, name, fontweight="bold", **above, **_font(NAME, palette.ink, families))
    ax.text(1, y, _counts(strip), ha="right", **above, **_font(NOTE, palette.muted))


def _counts(strip: Strip) -> str:
    return f"{strip.ready[-1]:,} ready + {strip.unacked[-1]:,} unacked · at most {strip.peak:,}"


def _paint_axes(picture: Strips, ax: Axes, palette: Palette) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_facecolor(palette.page)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bases = [-index - 1 for index in range(len(picture.strips))]
    heights = [base + height for base in bases for height in (0, AREA)]
    ax.set_yticks(heights, ["0", f"{picture.peak:,}"] * len(bases))
    by_event = picture.unit == "event"
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=by_event, min_n_ticks=1))
    font = {"labelsize": _points(NOTE), "labelcolor": palette.muted, "labelfontfamily": FONT}
    ax.tick_params("x", direction="out", length=4, width=0.8, color=palette.edge, labelrotation=0, **font)
    ax.tick_params("y", length=0, pad=8, **font)
    ax.set_xlabel("event" if by_event else "broker time (s)", **_font(NOTE, palette.ink))


def _paint_legend(left_out: int, ax: Axes, palette: Palette) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=palette.alive, edgecolor=palette.ink, linewidth=0.8, label="ready"),
        Patch(facecolor=palette.page, edgecolor=palette.alive, linewidth=0.8, hatch="/////", label="unacked"),
    ]
    font = {"family": FONT, "size": _points(NOTE)}
    ax.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        frameon=False,
        borderpad=0,
        borderaxespad=0.3,
        prop=font,
        labelcolor=palette.muted,
    )
    if left_out:
        ax.text(0, 1, _left_out(left_out), transform=ax.transAxes, va="bottom", **_font(NOTE, palette.muted))


def _left_out(count: int) -> str:
    return f"+{count} more, none of them deeper"


def _points(size: float) -> float:
    return size * POINTS_PER_INCH / DPI


def _font(size: float, color: str, families: list[str] | None = None) -> dict[str, Any]:
    return {
        "fontsize": _points(size),
        "color": color,
        "fontfamily": families or [FONT],
        "parse_math": False,
        "usetex": False,
    }


def describe_depths(picture: Strips) -> str:
    """What the strips show, in words."""
    by_event = picture.unit == "event"
    over = "event by event" if by_event else "over broker time"
    lines = [f"Depth of {counted(len(picture.strips), 'queue')}, {over}:"]
    for strip in picture.strips:
        start, end = strip.starts[0], strip.starts[-1]
        span = f"events {start:g} to {end:g}" if by_event else f"{seconds(start)} to {seconds(end)}"
        lines.append(f"Queue {shown(strip.queue)}, {span}: ends with {_counts(strip)}.")
    return "\n".join([*lines, *([f"{_left_out(picture.left_out)}."] if picture.left_out else [])])
