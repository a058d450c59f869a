"""Timers that a test lets ring, so that nothing waits for real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeTimer:
    """What `later` returned: rings when the test says so."""

    def __init__(self, seconds: float, call: Callable[[], object]) -> None:
        self.seconds = seconds
        self.call = call
        self.is_over = False

    def cancel(self) -> None:
        self.is_over = True


class Timers:
    """Stands for `sandbox.widgets.throttle.later`, and keeps what was asked for."""

    def __init__(self) -> None:
        self.all: list[FakeTimer] = []

    def __call__(self, seconds: float, call: Callable[[], object]) -> FakeTimer:
        self.all.append(FakeTimer(seconds, call))
        return self.all[-1]

    @property
    def armed(self) -> list[FakeTimer]:
        """Those that will still ring."""
        return [timer for timer in self.all if not timer.is_over]

    def ring(self) -> int:
        """Let those ring that are armed now; returns how many."""
        armed = self.armed
        for timer in armed:
            timer.is_over = True
            timer.call()
        return len(armed)
