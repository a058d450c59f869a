"""The page's side of the widgets, its modules and stylesheet, as the texts that anywidget takes."""

from __future__ import annotations

import json
import re
from graphlib import TopologicalSorter
from importlib.resources import files
from typing import TYPE_CHECKING

from sandbox.figures.palette import THEMES, Palette

if TYPE_CHECKING:
    from collections.abc import Iterator

STATIC = files("sandbox") / "static"

#: Where the modules begin.
ENTRY = "index.js"

_IMPORT = re.compile(r'from\s+"\./([\w.]+)"')


def read(name: str) -> str:
    """One of the files."""
    return (STATIC / name).read_text(encoding="utf-8")


def player() -> str:
    """One module that loads all those behind the entry: a front end knows a single text, and no folder."""
    sources: dict[str, str] = {}
    waiting = [ENTRY]
    while waiting:
        name = waiting.pop()
        if name not in sources:
            sources[name] = read(name)
            waiting += _IMPORT.findall(sources[name])
    order = TopologicalSorter({name: set(_IMPORT.findall(text)) for name, text in sources.items()})
    modules = json.dumps({name: sources[name] for name in order.static_order()})
    return read("loader.js").replace("const MODULES = {};", f"const MODULES = {modules};")


def view() -> str:
    """The module of a single view, which finds its player on the page."""
    return read("view.js")


def stylesheet() -> str:
    """The stylesheet, with the colours of both themes as the figures have them."""
    light, dark = (_variables(THEMES[name]) for name in ("light", "dark"))
    return "\n".join((
        f":root {{ {light} }}",
        f"@media (prefers-color-scheme: dark) {{ body:not([data-jp-theme-light]) {{ {dark} }} }}",
        f'body[data-jp-theme-light="false"], body.vscode-dark {{ {dark} }}',
        read("sandbox.css"),
    ))  # fmt: skip


def _variables(palette: Palette) -> str:
    return " ".join(_declarations(palette))


def _declarations(palette: Palette) -> Iterator[str]:
    for role, colour in palette._asdict().items():
        yield f"--sandbox-{role.replace('_', '-')}: {colour};"
