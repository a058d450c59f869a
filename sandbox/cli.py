"""The command `sandbox`: a story in the terminal, and the lessons in JupyterLab."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from . import Broker, ManualClock, __version__, figures, story

PACKAGE = Path(__file__).parent

#: Starts a program and returns its exit code, if it returns at all.
Launch = Callable[[list[str]], int]


def become(command: list[str]) -> int:
    """Run a program in place of this one, so that Ctrl-C and every other signal are its own to answer."""
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606  (this interpreter)
    return subprocess.call(command)  # noqa: S603  (Windows has no exec that keeps the terminal)


def main(argv: Sequence[str] | None = None, *, launch: Launch = become) -> int:
    """Do what the command line says, and return the exit code; `launch` starts JupyterLab."""
    try:
        code = _obey(list(sys.argv[1:] if argv is None else argv), launch)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough; what is still buffered has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}", 1)
    return code


def _obey(argv: list[str], launch: Launch) -> int:
    end = argv.index("--") if "--" in argv else len(argv)
    parser = _parser()
    args, extra = parser.parse_args(argv[:end]), argv[end + 1 :]
    if args.command == "lab":
        return _lab(args.directory, extra, launch)
    if extra:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    if args.command == "demo":
        return _demo(args.output)
    parser.print_help()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox",
        description="A message broker in memory that behaves as RabbitMQ 4 does and shows what happens.",
    )
    parser.add_argument("--version", action="version", version=f"kombu-sandbox {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="demo | lab")

    demo = commands.add_parser(
        "demo",
        help="say in words what happens to six messages",
        description="Say in words what happens to six messages.",
    )
    demo.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        help="draw two pictures as well: routing.svg and depth.svg in this folder",
    )

    lab = commands.add_parser(
        "lab",
        usage="sandbox lab [-h] [DIR] [-- OPTION ...]",
        help="open the lessons in JupyterLab",
        description="Open the lessons in JupyterLab.",
        epilog="What follows -- are options of JupyterLab's own, for instance: sandbox lab -- --no-browser",
    )
    lab.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        type=Path,
        help="copy the lessons there first; what is there already stays as it is "
        "(default: a checkout's own notebooks, or else ./sandbox-notebooks)",
    )
    return parser


def _fail(sentence: str, code: int) -> int:
    print(f"sandbox: {sentence}", file=sys.stderr)
    return code


# ---------------------------------------------------------------- demo


def _demo(output: Path | None) -> int:
    with Broker(clock=ManualClock()) as broker:
        for line in story.tell(broker):
            print(line)
        if output is None:
            print("To see it in two pictures: sandbox demo --output DIR")
        else:
            _draw(broker, output)
    return 0


def _draw(broker: Broker, folder: Path) -> None:
    """Write the routing graph and the depths, each with its description in words."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, axes in (("routing", broker.draw()), ("depth", broker.plot_depth())):
        figure, alt = axes.get_figure(root=True), getattr(axes, "alt", "")
        assert figure is not None  # it was made with the axes
        path = folder / f"{name}.svg"
        path.write_text(figures.to_svg(figure, alt.partition("\n")[0], alt), encoding="utf-8")
        print(f"Drawn: {path}")


# ---------------------------------------------------------------- lab


def _lab(directory: Path | None, extra: list[str], launch: Launch) -> int:
    if find_spec("jupyterlab") is None:
        return _fail("JupyterLab is not installed: python -m pip install 'kombu-sandbox[lab]'", 2)
    packed, checked_out = PACKAGE / "_notebooks", PACKAGE.parent / "notebooks"
    is_packed = packed.is_dir()
    lessons = packed if is_packed else checked_out
    folder = directory or (Path("sandbox-notebooks") if is_packed else checked_out)
    if folder is not lessons:
        _copy(lessons, folder)
    first = min(lessons.glob("*.ipynb")).name
    return launch([sys.executable, "-m", "jupyterlab", str(folder / first), *extra])


def _copy(lessons: Path, folder: Path) -> None:
    """Put the lessons into a folder; what is there already stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    print(f"The lessons are in {folder}")
    for lesson in sorted(path for path in lessons.glob("[!.]*") if path.is_file()):
        copy = folder / lesson.name
        if not copy.exists():
            shutil.copyfile(lesson, copy)
        elif copy.read_bytes() != lesson.read_bytes():
            print(f"{copy} stays as it is; rename it to get a fresh one")
