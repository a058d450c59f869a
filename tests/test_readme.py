"""The README: its examples run, its links lead somewhere, its map is the territory."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = list(re.finditer(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))


def test_tour_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Python blocks run in order, as one program, and print what the text blocks after them say."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block, following in zip(BLOCKS, [*BLOCKS[1:], None], strict=True):
        if block[1] != "python":
            continue
        above = "\n" * README.count("\n", 0, block.start(2))  # so that a traceback names the README's line
        exec(compile(above + block[2], "README.md", "exec"), namespace)  # noqa: S102 (that is the test)
        printed = capsys.readouterr().out
        if following and following[1] == "text":
            assert printed == following[2]


def test_links_lead_somewhere() -> None:
    """Every file that the README links to is there."""
    targets = re.findall(r"\]\((?!https?://|#)([^)\s]+)\)", README)

    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_map_names_every_module() -> None:
    """The map lists the modules that there are, and no others."""
    (drawn,) = [block[2] for block in BLOCKS if block[2].startswith("sandbox/\n")]
    modules = set(re.findall(r"^ +(\w+\.py) ", drawn, re.MULTILINE))

    assert modules == {path.name for path in (ROOT / "sandbox").rglob("*.py")}
