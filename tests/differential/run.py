"""One program, rehearsed on the sandbox and run on the real broker: the same at every step."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from .rehearse import Rehearsal, rehearse
from .rules import alike
from .steps import script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .client import Seen
    from .drafts import Program
    from .rabbit import Rabbit


class Difference(AssertionError):
    """The sandbox is not as RabbitMQ is."""

    def __init__(self, rehearsal: Rehearsal, number: int, real: Seen, version: tuple[int, ...]) -> None:
        self.step = rehearsal.steps[number]
        expected = rehearsal.seen[number]
        lines = list(_differences("", expected._asdict(), real._asdict(), version))
        code = script(rehearsal.steps[: number + 1], {number: "<- here"})
        super().__init__("\n".join([code, *lines]))
        self.place = rehearsal.places[number]
        #: What two differences have in common that have, probably, one cause.
        self.kind = (self.step.verb, [line.split(":")[0].strip(" 0123456789[]") for line in lines])
        self.summary = "\n".join(lines)
        self.program = "\n".join(step.code() for step in rehearsal.steps[: number + 1])


def _differences(path: str, ours: Any, theirs: Any, version: tuple[int, ...]) -> Iterator[str]:
    """In words, down to the smallest parts that differ."""
    if alike(ours, theirs, version):
        return
    if hasattr(ours, "_asdict") and hasattr(theirs, "_asdict"):
        ours, theirs = ours._asdict(), theirs._asdict()
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in {**ours, **theirs}:
            yield from _differences(
                f"{path} {key}", ours.get(key, "nothing"), theirs.get(key, "nothing"), version
            )
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(f"{path} [{number}]", mine, yours, version)
    else:
        yield f"{path.strip()}:\n    sandbox  {ours!r}\n    RabbitMQ {theirs!r}"


class TooSlow(Exception):
    """The real run took longer than the program's short times allow."""


class Runner:
    """Checks programs against a real broker, and counts."""

    def __init__(self, rabbit: Rabbit) -> None:
        self.rabbit = rabbit
        self.pace = 0.004  # seconds for a step, of late
        #: programs, steps, observations, slow, unsteady, given up
        self.counts: Counter[str] = Counter()

    def check(self, program: Program, *, twice: bool = True) -> None:
        """Raise Difference if the two brokers differ, and do so again (if `twice`) with longer times."""
        self.counts["programs"] += 1
        factor, found = 1, None
        for _ in range(6):
            rehearsal = rehearse(program, self.rabbit.version, 1.5 * self.pace, factor)
            try:
                self.run(rehearsal)
            except TooSlow:
                self.counts["slow"] += 1
            except Difference as difference:
                if found is not None or not twice:
                    raise
                found = difference
            else:
                self.counts["unsteady"] += found is not None
                return
            factor = rehearsal.factor * 2
        if found is not None:
            raise found
        self.counts["given up"] += 1

    def run(self, rehearsal: Rehearsal) -> None:
        """Run a rehearsed program."""
        rabbit = self.rabbit
        rabbit.begin()
        clean = False
        try:
            self._run(rehearsal)
            clean = rehearsal.is_tidy
        finally:
            rabbit.end(clean=clean)

    def _run(self, rehearsal: Rehearsal) -> None:
        rabbit, short = self.rabbit, rehearsal.short
        began: float | None = None
        parts = zip(rehearsal.steps, rehearsal.seen, rehearsal.hints, rehearsal.ticking, strict=True)
        for number, (step, expected, hint, ticking) in enumerate(parts):
            before = time.monotonic()
            if step.verb == "advance":
                if began is not None and time.monotonic() - began > 0.45 * short:
                    raise TooSlow
                began = None
            elif ticking and began is None:
                began = time.monotonic()
            reply, error = rabbit.do(step)
            queues = rabbit.settle(hint)
            heard = None if expected.heard is None else rabbit.heard()
            real = type(expected)(reply, error, heard, queues)
            if step.verb != "advance":
                self.pace += 0.02 * (min(time.monotonic() - before, 0.02) - self.pace)
            self.counts["steps"] += 1
            self.counts["observations"] += 1 + len(queues) + _size(expected.heard)
            if not alike(expected, real, rabbit.version):
                if began is not None and before - began > 0.45 * short:
                    raise TooSlow
                raise Difference(rehearsal, number, real, rabbit.version)
        if began is not None and time.monotonic() - began > 0.8 * short:
            raise TooSlow


def _size(heard: Any) -> int:
    return 0 if heard is None else sum(len(things) for kind in heard for things in kind.values())
