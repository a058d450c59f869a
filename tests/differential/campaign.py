"""Many programs, in several processes: most of the time is spent waiting for the broker."""

from __future__ import annotations

from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from .generate import draw_program
from .rabbit import Rabbit
from .run import Difference, Runner
from .shrink import shortest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Task(NamedTuple):
    """The program of this number is to be checked."""

    number: int
    steps: int
    shrink: bool


class Report(NamedTuple):
    """What came of a task; `text` is empty if there was no difference."""

    number: int
    counts: dict[str, int]
    text: str = ""


def reports(url: str, tasks: list[Task], jobs: int) -> Iterator[Report]:
    """Check them all, in any order."""
    with get_context("spawn").Pool(jobs, _begin, [url]) as pool:
        yield from pool.imap_unordered(_check, tasks)


_runners: list[Runner] = []  # one in each process


def _begin(url: str) -> None:
    _runners.append(Runner(Rabbit(url)))


def _check(task: Task) -> Report:
    runner = _runners[0]
    runner.counts.clear()
    program = draw_program(task.number, task.steps)
    try:
        runner.check(program)
    except Difference as difference:
        counts = dict(runner.counts)
        found = shortest(runner, program, difference) if task.shrink else difference
        return Report(task.number, counts, f"{found.program}\n{found.summary}")
    return Report(task.number, dict(runner.counts))
