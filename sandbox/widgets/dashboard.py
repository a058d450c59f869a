"""The dashboard: all regions of the live picture, and the forms for what is done by hand."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

import ipywidgets

from .forms import BuildForms, ConsumersForm, PublishForm
from .view import with_picture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .forms import Form
    from .player import Player
    from .view import View

#: The regions, from top to bottom.
REGIONS = ("clock", "graph", "ledger", "depth", "inspector", "forms")


class Dashboard(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A broker with everything about it in one place.

    `show` names regions (clock, graph, ledger, depth, inspector, forms); without it all are there.
    ValueError for a name that is none of them.
    """

    def __init__(self, player: Player, show: Iterable[str] | None = None, *, scale: float = 1) -> None:
        wanted = REGIONS if show is None else _checked(show)
        self._player = player
        self._scale = scale
        self._forms: list[Any] = []
        self._status = self._view("status")
        self._status.on_shown, self._status.on_press = self._follow, self._press
        self._following = threading.RLock()  # the last to write has seen the last state
        regions = [self._region(name) for name in REGIONS if name in wanted]
        grid = ipywidgets.Box(regions)
        grid.add_class("sandbox-regions")
        super().__init__([grid])
        self.add_class("sandbox-dashboard")
        if "inspector" not in wanted:
            self.add_class("sandbox-without-inspector")
        _listen(player, self)
        self._follow()

    @property
    def code(self) -> str:
        """What was done by hand, as a Python program that does the same to a broker as this one was."""
        return str(self._player.commands.program)

    # ------------------------------------------------------------ regions

    def _region(self, name: str) -> Any:
        match name:
            case "forms":
                region = self._tabs()
            case "graph":
                region = self._view("graph", "band")
            case _:
                region = self._view(name)
        region.add_class(f"sandbox-region-{name}")
        return region

    def _view(self, *parts: str) -> View:
        return self._player.view(parts, scale=self._scale)

    def _tabs(self) -> Any:
        """Forms, log and program; on a medium page the inspector comes first, and is hidden on a wide one."""
        self._forms = [PublishForm(self._submit), ConsumersForm(self._submit), BuildForms(self._submit)]
        self._forms[0].add_class("sandbox-publish-form")
        pages = {
            "Inspector": self._view("inspector"),
            "Publish": self._forms[0],
            "Consumers": self._forms[1],
            "Build": self._forms[2],
            "Log": self._view("log"),
            "Code": self._view("program"),
        }
        self._status.forms = [form.ids for form in self._all_forms()]
        tabs = ipywidgets.Tab(list(pages.values()), titles=list(pages), selected_index=1)
        return ipywidgets.VBox([self._status, tabs])

    def _submit(self, name: str, args: dict[str, Any]) -> Any:
        return self._player.run(name, args)

    def _all_forms(self) -> list[Form]:
        publish, consumers, build = self._forms
        return [publish, consumers, *build.forms.values()]

    def _press(self, button: str, values: dict[str, object]) -> None:
        """A button was pressed in a page, on whichever thread; `values` is what its form said then."""
        with self._following:
            for form in self._all_forms():
                form.press(button, values)

    def _follow(self) -> None:
        """The forms offer what there is, and are off while nothing can be done.

        One whose cell has run again is seen nowhere, though the front end's library keeps it: it rests.
        """
        if not self._forms or self._status.places == 0:
            return
        with self._following:
            for form in self._forms:
                form.enable(self._player.why_off)
            self._forms[1].hold(self._player.commands.by_hand)
            offered = self._player.names()
            if offered is not None:
                for form in self._forms:
                    form.offer(*offered)

    def _repr_mimebundle_(self, **wanted: Any) -> Any:
        return with_picture(super()._repr_mimebundle_(**wanted), self._player.picture)


def _listen(player: Player, dashboard: Dashboard) -> None:
    """Let the dashboard follow the player, which does not keep it alive for that."""
    found = weakref.ref(dashboard)

    def follow() -> None:
        there = found()
        if there is None:
            player.listeners.remove(follow)
        else:
            there._follow()  # noqa: SLF001  (this module's own class)

    player.listeners.append(follow)


def _checked(show: Iterable[str]) -> tuple[str, ...]:
    names = (show,) if isinstance(show, str) else tuple(show)
    for name in names:
        if name not in REGIONS:
            msg = f"there is no region {name!r}: the regions are {', '.join(REGIONS)}"
            raise ValueError(msg)
    return names
