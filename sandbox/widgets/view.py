"""A view: some regions of the live picture, one below the other, in the output of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from . import code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: The regions that the page knows how to draw.
PARTS = ("clock", "graph", "ledger", "band", "depth", "inspector", "log", "program", "status")


class View(anywidget.AnyWidget):
    """Regions of a player's picture; where no kernel answers, `picture` stands for them."""

    _esm = code.view()

    player = traitlets.Unicode().tag(sync=True)
    parts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)

    def __init__(
        self, player: str, parts: Iterable[str], *, scale: float, picture: Callable[[], dict[str, str]]
    ) -> None:
        self._picture = picture
        super().__init__(player=player, parts=list(parts), scale=scale)

    def _repr_mimebundle_(self, **wanted: Any) -> Any:
        return with_picture(super()._repr_mimebundle_(**wanted), self._picture)


def with_picture(bundle: Any, picture: Callable[[], dict[str, str]]) -> Any:
    """What a widget shows itself as, and a picture for where there are no widgets (nbconvert, GitHub)."""
    data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
    data = {**data, **picture()}
    return (data, *metadata) if metadata else data
