"""When a view is brought up to date: soon, not too often, and by no thread while idle."""

from __future__ import annotations

import math
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from sandbox.engine.clock import WallClock

if TYPE_CHECKING:
    from collections.abc import Callable

#: How often a second a view is brought up to date at most.
RATE = 13

#: In seconds, how late flushes may come so that it is made up for.
LATEST = 1


class Timer(Protocol):
    """Something that will call once, later, unless it is cancelled."""

    def cancel(self) -> object:
        """Do not call."""


def later(seconds: float, call: Callable[[], object]) -> Timer:
    """Call once after so many real seconds; where threads can't start (Pyodide), from the page's own loop."""
    if sys.platform == "emscripten":  # pragma: no cover  (not a platform of the test suite)
        import asyncio  # noqa: PLC0415  (only there is a loop sure to run)

        return asyncio.get_event_loop().call_later(seconds, call)
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.name = "sandbox-view"
    timer.start()
    return timer


class Throttle:
    """Calls `flush` soon after it was asked to, `RATE` times a second at most; `now` does so at once.

    To ask costs next to nothing and may be done on any thread.  `flush` is never called twice at once; what
    is asked for while it runs is done by a later one.
    """

    def __init__(self, flush: Callable[[], object], *, later: Callable[..., Timer] = later) -> None:
        self._flush = flush
        self._later = later
        self._timer: Timer | None = None
        self._clock = WallClock()
        self._due = -math.inf  # when it was to ring
        self._again = False
        self._arming = threading.RLock()  # asked by a finalizer, this thread may hold it already
        self._flushing = threading.Lock()

    def __call__(self) -> None:
        """Flush soon."""
        if not self._is_armed:
            with self._arming:
                self._arm()

    def _arm(self) -> None:
        if not self._is_armed:
            self._timer = self._later(self._pause(), self._ring)

    def _pause(self) -> float:
        """Until the next flush; what the last ones came late, as on a busy machine, is made up for."""
        now = self._clock.now()
        if now > self._due + LATEST:  # nothing was asked for in between
            self._due = now + 1 / RATE
            return 1 / RATE
        self._due += 1 / RATE
        return max(self._due - now, 0.5 / RATE)

    @property
    def _is_armed(self) -> bool:
        return self._timer is not None

    def _ring(self) -> None:
        with self._arming:  # it may ring before `_arm` knows it
            self._timer = None
        self.now()

    def now(self) -> None:
        """Flush at once, or, if another thread does so just now, let it do so again."""
        self._again = True
        while self._again:
            if not self._flushing.acquire(blocking=False):
                return
            try:
                self._again = False
                self._flush()
            finally:
                self._flushing.release()


class Alarm:
    """Calls once at a moment; a new moment replaces the old one."""

    def __init__(self, call: Callable[[], object], *, later: Callable[..., Timer] = later) -> None:
        self._call = call
        self._later = later
        self._timer: Timer | None = None
        self._moment: float | None = None

    def set(self, moment: float | None, seconds: float | None) -> None:
        """Call at `moment` of the broker's time, which is in so many real seconds; None: never."""
        if moment == self._moment and self._timer is not None:
            return
        self.close()
        if moment is not None and seconds is not None:
            self._moment = moment
            self._timer = self._later(min(seconds, threading.TIMEOUT_MAX), self._ring)

    def _ring(self) -> None:
        self._timer = self._moment = None
        self._call()

    def close(self) -> None:
        """Never call."""
        timer, self._timer, self._moment = self._timer, None, None
        if timer is not None:
            timer.cancel()
