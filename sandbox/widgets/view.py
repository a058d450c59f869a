"""A view: some regions of the live picture, one below the other, in the output of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from . import code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: How small and how large a view may be drawn; 1 is as the front end's own letters.
SMALLEST, LARGEST = 0.5, 4


class View(anywidget.AnyWidget):
    """Regions of a player's picture; where no kernel answers, `picture` stands for them."""

    _esm = code.view()

    player = traitlets.Unicode().tag(sync=True)
    parts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)
    #: The forms beside it, whose presses it hears: each {"fields": [[id, trait]...], "buttons": [id...]}.
    forms = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(
        self, player: str, parts: Iterable[str], *, scale: float, picture: Callable[[], dict[str, str]]
    ) -> None:
        if not SMALLEST <= scale <= LARGEST:
            raise ValueError(f"scale is from {SMALLEST} to {LARGEST}, not {scale!r}")
        self._picture = picture
        #: In how many places it is shown; None before the first of them.
        self.places: int | None = None
        #: Called when it is shown in one more.
        self.on_shown: Callable[[], object] = lambda: None
        #: Called with the id of a pressed button, and what its form says.
        self.on_press: Callable[[str, dict[str, object]], object] = lambda *_: None
        super().__init__(player=player, parts=list(parts), scale=scale)
        self.on_msg(self._hear)

    def _hear(self, _view: object, message: object, _buffers: object) -> None:
        match message:
            case {"shown": True}:
                self.places = (self.places or 0) + 1
                self.on_shown()
            case {"shown": False}:
                self.places = max(0, (self.places or 0) - 1)
            case {"press": str(button), "values": dict(values)}:
                self.on_press(button, values)

    def _repr_mimebundle_(self, **wanted: Any) -> Any:
        return with_picture(super()._repr_mimebundle_(**wanted), self._picture)


def with_picture(bundle: Any, picture: Callable[[], dict[str, str]]) -> Any:
    """What a widget shows itself as, and a picture for where there are no widgets (nbconvert, GitHub)."""
    data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
    data = {**data, **picture()}
    return (data, *metadata) if metadata else data
