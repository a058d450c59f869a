"""The walls between the modules: who imports whom, who asks for the time, who makes a lock."""

import ast
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sandbox"

#: What may be imported from the engine to draw it: values, and nothing that could change one.
TYPES = (
    "engine.model",
    "engine.snapshot",
    "engine.events",
    "engine.history",
    "engine.ledger",
    "engine.depth",
    "engine.replay",  # from events to a state: it knows nothing but the events
)

VIEWS = ("layout", "figures", "widgets")

#: What a module may import beside the standard library: our own modules, by their names within the package,
#: and other people's packages.  The first row that fits a module is its.
WALLS: dict[str, tuple[str, ...]] = {
    "engine.*": ("engine.*",),
    "engine": ("engine.*",),
    "transport": ("transport.*", "kombu"),
    "transport.*": ("engine.*", "transport.*", "kombu", "amqp"),
    "texts": (),
    "tables": ("engine.*", "texts"),
    "layout": ("layout.*",),
    "layout.*": (*TYPES, "layout.*", "texts"),
    "figures": (*TYPES, "layout", "figures.*", "matplotlib"),
    "figures.*": (*TYPES, "layout.*", "layout", "figures.*", "texts", "matplotlib"),
    "widgets.wire": (*TYPES, "layout.*", "layout"),
    "widgets": ("widgets.*",),
    "widgets.source": (*TYPES, "engine.clock"),  # the clock: for types
    "widgets.*": (
        *TYPES,
        "engine.clock",
        "widgets.*",
        "layout",
        "layout.neighbourhood",
        "figures",
        "figures.palette",
        "figures.sprites",
        "texts",
        "matplotlib",
        "anywidget",
        "ipywidgets",
        "traitlets",
        "IPython",
    ),
    "__main__": ("cli",),
    "broker": ("engine.*", "transport", "tables", "texts", *VIEWS, "kombu", "amqp", "matplotlib", "IPython"),
    "story": ("broker", "kombu"),
    "cli": ("*",),
    "": ("*", "kombu", "amqp"),  # the package itself, which is its face
}

#: Slow to load, and not there in every environment: `import sandbox` leaves them alone.
HEAVY = ("matplotlib", "anywidget", "ipywidgets", "traitlets", "IPython")

#: Where threads, locks and other ways of waiting come from.
WAITING = (
    "threading",
    "_thread",
    "queue",
    "asyncio",
    "concurrent",
    "multiprocessing",
    "sched",
    "signal",
    "select",
)


class Import(NamedTuple):
    """An import: the module that has it, what it is of (`sandbox` left out), and when it happens."""

    importer: str
    name: str
    when: Literal["at once", "later", "for types"]

    @property
    def is_ours(self) -> bool:
        return self.name in MODULES

    @property
    def package(self) -> str:
        """Whose it is, if it is not ours."""
        return self.name.partition(".")[0]


def name_of(path: Path) -> str:
    """A module's name within the package; the package itself is ``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports_of(module: str) -> list[Import]:
    """Every import statement of a module, wherever in it it stands."""

    def visit(node: ast.AST, when: Literal["at once", "later", "for types"]) -> Iterator[Import]:
        match node:
            case ast.Import(names):
                yield from (Import(module, _ours(alias.name), when) for alias in names)
            case ast.ImportFrom(source, names, level):
                yield from (Import(module, name, when) for name in _targets(module, source, names, level))
            case ast.If(ast.Name("TYPE_CHECKING")):
                yield from (found for child in node.body for found in visit(child, "for types"))
                yield from (found for child in node.orelse for found in visit(child, when))
            case _:
                inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                for child in ast.iter_child_nodes(node):
                    yield from visit(child, "later" if inside and when == "at once" else when)

    return list(visit(tree(module), "at once"))


def _ours(name: str) -> str:
    """`sandbox.x` as `x`."""
    return "" if name == "sandbox" else name.removeprefix("sandbox.")


def _targets(module: str, source: str | None, names: list[ast.alias], level: int) -> Iterator[str]:
    """What `from source import names` is of: modules, where the names are modules, or else the source."""
    base = source or ""
    if level:
        package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
        for _ in range(level - 1):
            package = package.rpartition(".")[0]
        base = ".".join(filter(None, [package, base]))
    base = _ours(base)
    for alias in names:
        inner = ".".join(filter(None, [base, alias.name]))
        yield inner if inner in MODULES and (level or source) else base


IMPORTS = [found for module in MODULES for found in imports_of(module)]


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def rule_of(module: str) -> str:
    """The row of WALLS that a module belongs to."""
    found = [row for row in WALLS if fnmatchcase(module, row)]
    assert found, f"{module} is new: say in WALLS what it may import"
    return found[0]


# ---------------------------------------------------------------- who imports whom


@pytest.mark.parametrize("module", MODULES)
def test_imports_stay_within_the_walls(module: str) -> None:
    """A module imports what its row of the table allows, and the standard library."""
    allowed = WALLS[rule_of(module)]
    beyond = [
        found
        for found in IMPORTS
        if found.importer == module
        and not (fits(found.name, allowed) if found.is_ours else fits(found.package, allowed))
        and (found.is_ours or found.package not in sys.stdlib_module_names)
    ]

    assert beyond == []


def test_the_engine_is_on_its_own() -> None:
    """The engine knows the standard library and itself: no client library, no drawing, not even for types."""
    assert {
        found.name
        for found in IMPORTS
        if found.importer.startswith("engine")
        and not found.name.startswith("engine.")
        and found.package not in sys.stdlib_module_names
    } == set()


def test_nothing_below_knows_the_broker() -> None:
    """The broker is imported by what stands above it only."""
    importers = {found.importer for found in IMPORTS if found.name == "broker"}

    assert importers <= {"", "cli", "story"}


def test_no_module_needs_itself() -> None:
    """At run time imports have no cycle, those inside functions left aside."""
    needs: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in IMPORTS:
        if found.is_ours and found.name and found.when == "at once":
            needs[found.importer].add(found.name)

    TopologicalSorter(needs).prepare()  # CycleError names the cycle


def listed(docstring: str) -> Iterator[list[str]]:
    """The names in the left column of an indented list; a comma at a line's end lets a row go on."""
    row: list[str] = []
    for line in docstring.splitlines():
        names = re.fullmatch(r"(?: {4})?(\w+(?:, \w+)*)(,?)(?: {2,}\S.*)?", line)
        if names:
            row += names[1].split(", ")
            if not names[2]:
                yield row
                row = []


def test_the_engine_goes_by_its_layers() -> None:
    """Each engine module is in the list at the top of the engine, and imports nothing that is below it."""
    layers = list(listed(ast.get_docstring(tree("engine"), clean=False) or ""))
    layer_of = {f"engine.{name}": number for number, names in enumerate(layers) for name in names}

    assert set(layer_of) == {module for module in MODULES if module.startswith("engine.")}
    assert [
        found
        for found in IMPORTS
        if found.importer in layer_of and found.is_ours and layer_of[found.name] > layer_of[found.importer]
    ] == []


def test_the_package_goes_by_its_map() -> None:
    """The map at the top of the package is true: whatever stands in it imports only what stands below it."""
    rows = [name for row in listed(ast.get_docstring(tree(""), clean=False) or "") for name in row]
    assert rows[0] == "cli"
    assert rows[-1] == "engine"
    assert set(rows) - {"engine"} <= set(MODULES)

    def rank(module: str) -> int | None:
        top = module.partition(".")[0]
        return rows.index(top) if top in rows else None

    upwards = [
        found
        for found in IMPORTS
        for importer, imported in [(rank(found.importer), rank(found.name) if found.is_ours else None)]
        if importer is not None and imported is not None and imported < importer
    ]
    assert upwards == []


def test_only_the_transport_knows_kombus_transports() -> None:
    """To the transport alone kombu's transports and py-amqp are known; the face shows py-amqp's errors."""
    of_kombu = {found.importer for found in IMPORTS if found.name.startswith("kombu.transport")}
    of_amqp = {(found.importer, found.name) for found in IMPORTS if found.package == "amqp"}

    assert {importer.partition(".")[0] for importer in of_kombu} == {"transport"}
    assert {importer.partition(".")[0] for importer, _ in of_amqp} == {"transport", "broker", ""}
    assert {name for importer, name in of_amqp if importer in ("", "broker")} == {"amqp.exceptions"}


def test_what_draws_is_loaded_on_use() -> None:
    """What is slow to load is imported inside functions or for types; `widgets` alone is free to."""
    early = [
        found
        for found in IMPORTS
        if found.package in HEAVY and found.when == "at once" and not found.importer.startswith("widgets.")
    ]
    assert early == []
    assert [f for f in IMPORTS if f.name == "widgets" and f.when == "at once"] == []


def test_pyplot_is_not_used() -> None:
    """The global state of pyplot is the user's own; our figures are objects."""
    assert [found for found in IMPORTS if found.name.startswith("matplotlib.pyplot")] == []
    for module, path in MODULES.items():
        assert "import_module(" not in path.read_text(encoding="utf-8"), module
        assert not [node for node in ast.walk(tree(module)) if getattr(node, "attr", "") == "pyplot"], module


# ---------------------------------------------------------------- time, locks, threads


def test_only_the_clock_tells_the_time() -> None:
    """`time` is imported in one file; nothing else asks what time it is, not even by `datetime`."""
    assert {found.importer for found in IMPORTS if found.package == "time"} == {"engine.clock"}
    for module in MODULES:
        asked = [
            ast.unparse(node)
            for node in ast.walk(tree(module))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("now", "utcnow", "today")
            and ast.unparse(node.func.value) in ("datetime", "datetime.datetime", "date", "datetime.date")
        ]
        assert asked == [], module


def test_only_the_guard_makes_locks() -> None:
    """One file makes the one lock and its conditions; no thread, timer or event loop is started anywhere."""
    users = {
        (found.importer, found.name)
        for found in IMPORTS
        if found.package in WAITING and found.when != "for types"
    }
    assert users == {
        ("engine.guard", "threading"),
        ("engine.clock", "threading"),  # for a constant
        ("widgets.throttle", "threading"),  # one-shot timers, while somebody looks and something happens
        ("widgets.throttle", "asyncio"),  # instead, where threads can't start
        ("widgets.dashboard", "threading"),  # so that the last to write into a form has seen the last state
        ("widgets.commands", "threading"),  # so that lines of the program stand in the order of their effects
    }

    made = [
        node.func.attr
        for node in ast.walk(tree("engine.guard"))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "threading"
    ]
    assert sorted(made) == ["Condition", "Lock"]


def test_engine_tests_do_not_sleep() -> None:
    """The engine's tests move a clock by hand: none of them waits for real time to pass."""
    for path in (ROOT / "tests" / "engine").glob("test_*.py"):
        sleeps = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sleep", "time.sleep")
        ]
        assert sleeps == [], path.name


# ---------------------------------------------------------------- these tests themselves


def test_imports_are_found() -> None:
    """What the rules above are asked about is really what the files say."""
    assert Import("engine.guard", "threading", "at once") in IMPORTS
    assert Import("engine.core", "engine.clock", "at once") in IMPORTS
    assert Import("engine.core", "engine.depth", "for types") in IMPORTS
    assert Import("broker", "tables", "at once") in IMPORTS
    assert Import("broker", "figures", "later") in IMPORTS
    assert Import("transport.wire", "kombu.transport", "at once") in IMPORTS
    assert Import("transport.channel", "engine.publishing", "for types") in IMPORTS
