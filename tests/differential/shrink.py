"""Hypothesis makes a program that fails as short as it can."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky

from .generate import reductions
from .run import Difference

if TYPE_CHECKING:
    from .drafts import Program
    from .run import Runner


def shortest(runner: Runner, program: Program, found: Difference, seconds: float = 60) -> Difference:
    """The same difference in the shortest program that is found in this time."""
    best = found
    if found.place >= 0:
        program = program._replace(drafts=program.drafts[: found.place + 1])
    patience, runner.rabbit.patience = runner.rabbit.patience, 0.1
    ends = time.monotonic() + seconds

    @seed(0)
    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(reductions(program))
    def fails(reduced: Program) -> None:
        nonlocal best
        if time.monotonic() > ends:
            return
        try:
            runner.check(reduced, twice=False)
        except Difference as difference:
            if difference.kind != found.kind:
                return
            best = min(difference, best, key=lambda difference: len(difference.program))
            raise

    with suppress(Difference, Flaky):
        fails()
    runner.rabbit.patience = patience
    return best
