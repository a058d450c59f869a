"""The command `sandbox`."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import sandbox
from sandbox import cli

ROOT = Path(__file__).parent.parent


class Launcher:
    """Notes how JupyterLab would be started, and starts nothing."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str]) -> int:
        self.commands.append(command)
        return self.code


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As from a wheel, in an empty folder: the package holds two lessons, and there is no checkout."""
    lessons = tmp_path / "site-packages" / "sandbox" / "_notebooks"
    lessons.mkdir(parents=True)
    (lessons / "01-tour.ipynb").write_text("tour")
    (lessons / "02-acks.ipynb").write_text("acks")
    monkeypatch.setattr(cli, "PACKAGE", lessons.parent)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    return home


# ---------------------------------------------------------------- demo


def test_demo_tells_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    """Where each message went, what expired, what came back, and that all of it adds up."""
    assert cli.main(["demo"]) == 0

    out, err = capsys.readouterr()
    assert err == ""
    assert "   0 s  message 1 (order.eu.new) goes to billing, packing, audit\n" in out
    assert "   0 s  message 4 (parcel.eu.sent) is lost: no binding\n" in out
    assert "  30 s  message 1 (order.eu.new) expires in packing\n" in out
    assert "  35 s  message 1 (order.eu.new) is acknowledged, and leaves billing\n" in out
    assert "  45 s  message 2 (order.us.new) is back in billing: channel closed\n" in out
    assert "\n6 published = 5 routed + 1 lost · 12 copies = 9 ready + 1 done + 2 expired\n" in out


def test_demo_is_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["demo"])
    first = capsys.readouterr().out
    cli.main(["demo"])

    assert capsys.readouterr().out == first


def test_demo_writes_nothing_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert cli.main(["demo"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_demo_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder is made, and each picture says in words what it shows."""
    folder = tmp_path / "new" / "pictures"

    assert cli.main(["demo", "--output", str(folder)]) == 0

    said = {path.name: ET.parse(path).findtext("{*}desc") for path in folder.iterdir()}  # noqa: S314  (our own)
    assert said.keys() == {"depth.svg", "routing.svg"}
    assert "1 lost: no binding" in (said["routing.svg"] or "")
    assert "Queue billing" in (said["depth.svg"] or "")
    assert re.findall("Drawn: (.*)", capsys.readouterr().out) == [
        str(folder / "routing.svg"),
        str(folder / "depth.svg"),
    ]


def test_demo_into_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that cannot be made is one sentence, not a traceback."""
    file = tmp_path / "pictures"
    file.write_text("mine")

    assert cli.main(["demo", "--output", str(file)]) == 1
    assert capsys.readouterr().err == f"sandbox: {file}: File exists\n"
    assert file.read_text() == "mine"


# ---------------------------------------------------------------- lab


def test_lab_in_a_checkout() -> None:
    """The lessons are used where they are, with this interpreter's JupyterLab, and its exit code is ours."""
    launcher = Launcher(code=3)

    assert cli.main(["lab"], launch=launcher) == 3
    assert launcher.commands == [
        [sys.executable, "-m", "jupyterlab", str(ROOT / "notebooks" / "01-tour.ipynb")]
    ]


def test_lab_passes_options_on() -> None:
    """What follows the dashes is JupyterLab's, even if it looks like ours."""
    launcher = Launcher()

    assert cli.main(["lab", "--", "--no-browser", "--port", "9000", "--help"], launch=launcher) == 0
    assert launcher.commands[0][4:] == ["--no-browser", "--port", "9000", "--help"]


def test_lab_from_a_wheel(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lessons are copied out of the package into a folder that is named."""
    launcher = Launcher()

    assert cli.main(["lab"], launch=launcher) == 0

    copies = installed / "sandbox-notebooks"
    assert {path.name: path.read_text() for path in copies.iterdir()} == {
        "01-tour.ipynb": "tour",
        "02-acks.ipynb": "acks",
    }
    assert launcher.commands[0][3:] == [str(Path("sandbox-notebooks", "01-tour.ipynb"))]
    assert capsys.readouterr().out == "The lessons are in sandbox-notebooks\n"


def test_lab_keeps_what_is_there(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A learner's work is never overwritten, and is named; what is missing is added."""
    mine = installed / "course"
    mine.mkdir()
    (mine / "01-tour.ipynb").write_text("my answers")
    (mine / "00-notes.ipynb").write_text("my notes")
    launcher = Launcher()

    assert cli.main(["lab", "course"], launch=launcher) == 0

    assert {path.name: path.read_text() for path in mine.iterdir()} == {
        "00-notes.ipynb": "my notes",
        "01-tour.ipynb": "my answers",
        "02-acks.ipynb": "acks",
    }
    out = capsys.readouterr().out
    assert f"{Path('course', '01-tour.ipynb')} stays as it is" in out
    assert "02-acks" not in out
    assert launcher.commands[0][3:] == [str(Path("course", "01-tour.ipynb"))]


def test_lab_without_jupyterlab(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to install, and does nothing else."""
    monkeypatch.setitem(sys.modules, "jupyterlab", None)  # as if it were not installed
    launcher = Launcher()

    assert cli.main(["lab"], launch=launcher) == 2
    assert "pip install 'kombu-sandbox[lab]'" in capsys.readouterr().err
    assert launcher.commands == []
    assert list(installed.iterdir()) == []


def test_interrupt_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_command: list[str]) -> int:
        raise KeyboardInterrupt

    assert cli.main(["lab"], launch=interrupted) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no exec that keeps the terminal")
def test_jupyterlab_takes_our_place() -> None:
    """One process, so that whoever stops us stops it; what was printed before is not lost."""
    program = "import os; print(os.getpid()); raise SystemExit(7)"
    starter = f"from sandbox import cli; print('before'); cli.become([{sys.executable!r}, '-c', {program!r}])"
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate()

    assert out.split() == ["before", str(process.pid)]
    assert process.returncode == 7


# ---------------------------------------------------------------- the command itself


def test_without_a_command_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0

    out = capsys.readouterr().out
    assert re.search(r"^ +demo +\w+", out, re.MULTILINE)
    assert re.search(r"^ +lab +\w+", out, re.MULTILINE)


@pytest.mark.parametrize("argv", [["dance"], ["demo", "--colour"], ["demo", "--", "--no-browser"]])
def test_what_it_does_not_know(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(argv)

    assert argv[-1] in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["sandbox"], [sys.executable, "-m", "sandbox"]], ids=["script", "module"]
)
def test_version(command: list[str]) -> None:
    """The script and the module are one command."""
    done = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True)

    assert done.stdout == f"kombu-sandbox {sandbox.__version__}\n"


def test_reader_that_stops_early() -> None:
    """`sandbox demo | head` ends without complaint."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "demo"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.stderr == ""
