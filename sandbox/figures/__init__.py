"""Static pictures: matplotlib Axes in and out.

pyplot is never touched and no setting of matplotlib is changed, so that pictures can be drawn on any thread.
matplotlib is imported when the first picture is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .canvas import paint, picture_axes, to_html, to_svg
from .description import describe
from .marks import picture_of
from .palette import palette_of
from .strips import describe_depths, paint_strips, strip_axes, strips_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

    from sandbox.engine.depth import Depths
    from sandbox.engine.snapshot import Snapshot
    from sandbox.layout import Fold

__all__ = ["describe", "describe_depth", "draw", "plot_depth", "to_html", "to_svg"]


def draw(
    snapshot: Snapshot, ax: Axes | None = None, *, theme: str = "light", folds: Sequence[Fold] = ()
) -> Axes:
    """Draw the routing graph of a snapshot, with its ledger below.

    Without `ax`, in a figure of its own that is as large as the graph, and that a notebook shows with
    alternative text.  On given axes it is scaled to their size, its letters too.  `theme` is light or dark.
    Of a large broker the snapshot may be a neighbourhood, whose `folds` say what is not in it.
    """
    palette = palette_of(theme)
    picture = picture_of(snapshot, folds=folds)
    if ax is None:
        ax = picture_axes(picture.width, picture.height, palette.page, describe(snapshot))
    paint(picture, ax, palette)
    return ax


def plot_depth(
    depths: Depths,
    queues: Iterable[str] | str | None = None,
    x: str | None = None,
    ax: Axes | None = None,
    *,
    now: Snapshot | None = None,
    theme: str = "light",
) -> Axes:
    """Plot how deep queues were, one strip each: what was ready as a solid area, unacked hatched on top.

    Without `queues` the six deepest; ValueError for a name that no queue ever had.  The x axis counts broker
    `time` in seconds, or the `event`s; without `x` it is events as long as all happened within one second.
    `now` is the moment at which the strips end, and whose routing graph says in which order they stand.
    """
    palette = palette_of(theme)
    picture = strips_of(depths, queues, x, now)
    if ax is None:
        ax = strip_axes(len(picture.strips), palette, describe_depths(picture))
    paint_strips(picture, ax, palette)
    return ax


def describe_depth(depths: Depths, *, now: Snapshot | None = None) -> str:
    """What `plot_depth` shows, in words."""
    return describe_depths(strips_of(depths, None, None, now))
