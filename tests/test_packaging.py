"""What a user meets before the first broker: the commands, the version, the names, the cost of importing."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import sandbox

ROOT = Path(__file__).parent.parent

LAB_LINE = 'python3 -m venv .venv && . .venv/bin/activate && python -m pip install -e ".[lab]" && sandbox lab'
TEST_LINE = (
    'python3 -m venv .venv && . .venv/bin/activate && python -m pip install -e ".[dev]" && python -m pytest'
)

FACE = [
    "AMQPNotImplementedError",
    "AccessRefused",
    "Broker",
    "ChannelError",
    "ConnectionError",
    "ConsumerCancelled",
    "Exchange",
    "FrameSyntaxError",
    "ManualClock",
    "MessageNacked",
    "NotAllowed",
    "NotFound",
    "PreconditionFailed",
    "Queue",
    "RecoverableConnectionError",
    "ResourceLocked",
    "UnknownBroker",
    "WallClock",
]


def test_import_is_light() -> None:
    """`import sandbox` loads nothing that draws: that comes on first use."""
    program = "import sandbox, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()

    assert "sandbox" in loaded
    assert not {"matplotlib", "ipywidgets", "anywidget", "IPython"}.intersection(loaded)


def test_face_is_pinned() -> None:
    """The public names are these; adding or removing one is a decision, made here."""
    assert sorted(sandbox.__all__) == FACE


def test_face_holds_its_promise() -> None:
    """Every public name can be had, and is listed by `dir`."""
    for name in sandbox.__all__:
        assert getattr(sandbox, name) is not None
    assert set(sandbox.__all__) <= set(dir(sandbox))


def test_version_is_the_installed_one() -> None:
    """The version is written once, in the package's metadata."""
    assert sandbox.__version__ == importlib.metadata.version("kombu-sandbox")


def test_readme_gives_both_commands() -> None:
    """The two commands stand in the README to be copied, each on a line of its own."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert lines.count(LAB_LINE) == 1
    assert lines.count(TEST_LINE) == 1


def test_ci_runs_the_readme_line() -> None:
    """CI takes its test command out of the README, so that the two cannot differ."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)

    extraction = re.search(r"grep .* README\.md", script.read_text(encoding="utf-8"))
    assert extraction
    found = subprocess.run(
        ["bash", "-c", extraction[0]], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert found == TEST_LINE + "\n"
