"""The page's side: plain modules that belong together, ask the network for nothing, and make no markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.figures.palette import THEMES
from sandbox.widgets import code

STATIC = Path(str(code.STATIC))
MODULES = sorted(STATIC.glob("*.js"))

#: Loaded by Python as texts of their own; all others are reached from the entry.
APART = {"loader.js", "view.js"}

#: A file that grows beyond this has more than one noun in it.
LONGEST = 450

#: What would turn a stranger's text into markup or code.
DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setTimeout\(\s*[\"']"
)


def test_every_module_is_loaded() -> None:
    loaded = code.player()

    assert {path.name for path in MODULES} - APART == set(re.findall(r'"(\w+\.js)": "', loaded))


def test_the_loader_has_each_module_after_those_that_it_imports() -> None:
    names = re.findall(r'"(\w+\.js)": "', code.player())
    for position, name in enumerate(names):
        for imported in re.findall(r'from\s+"\./([\w.]+)"', code.read(name)):
            assert names.index(imported) < position, f"{name} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_has_one_noun_and_no_danger(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.startswith("// "), "the first line says what the file is"
    assert len(text.splitlines()) <= LONGEST
    assert not DANGEROUS.search(text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), "no address but SVG's name"


def test_a_view_needs_no_other_file() -> None:
    assert "import " not in code.view()


def test_the_colours_are_those_of_the_figures() -> None:
    sheet = code.stylesheet()
    for palette in THEMES.values():
        for role, colour in palette._asdict().items():
            assert f"--sandbox-{role.replace('_', '-')}: {colour};" in sheet
    used = set(re.findall(r"var\(--sandbox-([\w-]+)", sheet))
    assert used <= {role.replace("_", "-") for role in THEMES["light"]._fields} | {"scale"}
