"""Time.  The only file that calls `time.*`; everything else is told what time it is.

A clock counts seconds from zero.  The engine never asks what kind of clock it has: it asks how long a
waiting thread may really sleep until a moment of broker time (trio's idea), and a manual clock answers
that no sleep will bring it.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Protocol

#: Midnight of 2026-01-01 UTC: a manual clock begins there, so that a lesson prints the same on any day.
MANUAL_EPOCH = 1_767_225_600.0


#: The end of the year 9999 as a Unix time: AMQP's timestamps go on, Python's end there.
LAST_MOMENT = 253_402_300_800.0


class Clock(Protocol):
    """What the engine asks of a clock."""

    @property
    def epoch(self) -> float:
        """The Unix time, in seconds, at which this clock showed zero."""

    def now(self) -> float:
        """Seconds since the clock began; never goes back."""

    def sleep_until(self, due: float) -> float | None:
        """Real seconds to sleep until `due`; None if only `advance` can bring that moment."""


class WallClock:
    """Real time: messages expire while you look at them."""

    def __init__(self) -> None:
        self.epoch = time.time()
        self._began = time.monotonic()

    def now(self) -> float:
        """Real seconds since this clock was made."""
        return time.monotonic() - self._began

    def sleep_until(self, due: float) -> float | None:
        """The real seconds from now to `due`, at least 0."""
        return max(0.0, due - self.now())

    def __repr__(self) -> str:
        return f"<WallClock {self.now():.3f} s>"


class ManualClock:
    """Time that stands still until the broker is told to `advance` or `step`.

    `epoch` is the Unix time of zero, used in AMQP timestamps.  Times are kept to the nanosecond, so that
    ten steps of 0.1 s are one second.
    """

    def __init__(self, epoch: float = MANUAL_EPOCH) -> None:
        if not 0 <= epoch < LAST_MOMENT:
            raise ValueError(f"the epoch is a Unix time in seconds, before the year 10000, not {epoch!r}")
        self.epoch = epoch
        self._now = 0.0

    def now(self) -> float:
        """Seconds advanced so far."""
        return self._now

    def sleep_until(self, due: float) -> float | None:
        """0 if `due` has come, else None: sleeping does not move a manual clock."""
        return 0.0 if due <= self._now else None

    def move_to(self, moment: float) -> None:
        """Set the time; only forwards.  Called by the engine, which plays what falls due on the way."""
        if moment < self._now:
            msg = f"time cannot go back from {self._now} s to {moment} s"
            raise ValueError(msg)
        if not self.epoch + moment < LAST_MOMENT:
            raise ValueError(f"time ends with the year 9999: {moment} s is later")
        self._now = round(moment, 9)

    def __repr__(self) -> str:
        return f"<ManualClock {self._now:g} s>"


class Patience:
    """How long a client is still willing to wait: real seconds, whatever the broker's clock."""

    def __init__(self, timeout: float | None) -> None:
        self._ends = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Seconds left, 0 when there are none; None for a client that waits for ever."""
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())


def wait(condition: threading.Condition, seconds: float | None) -> None:
    """Wait on the condition, for `seconds` at most (None: without end).

    Where threads cannot start (Pyodide) nobody could notify us, so we only let the time pass.
    """
    if sys.platform == "emscripten":  # pragma: no cover  (not a platform of the test suite)
        time.sleep(seconds or 0)
    else:
        condition.wait(None if seconds is None else min(seconds, threading.TIMEOUT_MAX))
