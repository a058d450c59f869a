"""Clocks: seconds from zero, forwards only, and how long a thread may really sleep."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.engine import clock as module
from sandbox.engine.clock import MANUAL_EPOCH, ManualClock, Patience, WallClock, wait
from sandbox.engine.core import Engine
from tests.engine.bench import CALM, Bench


class Monotonic:
    """A stand-in for the module `time`, whose seconds a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def time(self) -> float:
        return 86_400.0


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Monotonic:
    """Real time, in the hands of the test."""
    stand_in = Monotonic()
    monkeypatch.setattr(module, "time", stand_in)
    return stand_in


def test_ten_tenths_are_one(bench: Bench) -> None:
    """Ten advances of 0.1 s are one second, to the bit."""
    for _ in range(10):
        bench.engine.advance(0.1)

    assert bench.engine.now == 1.0


@CALM
@given(st.lists(st.integers(0, 10**9), max_size=50))
def test_manual_time_is_exact_to_the_millisecond(steps: list[int]) -> None:
    """However a whole number of milliseconds is cut up, the sum is the same moment."""
    engine = Engine(ManualClock())

    for step in steps:
        engine.advance(step / 1000)

    assert engine.now == round(sum(steps) / 1000, 9)


def test_manual_clock_does_not_go_back(bench: Bench) -> None:
    """Neither the clock nor the broker goes back in time, and a refused move changes nothing."""
    bench.engine.advance(5)
    clock = bench.engine.clock
    assert isinstance(clock, ManualClock)

    with pytest.raises(ValueError, match=r"^time cannot go back from 5\.0 s to 4 s$"):
        clock.move_to(4)
    with pytest.raises(ValueError, match=r"^time cannot go back: advance\(-1\)$"):
        bench.engine.advance(-1)

    assert clock.now() == 5.0


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_time_stays_a_number(bench: Bench, seconds: float) -> None:
    """Time that is no number of seconds is refused, and the clock goes on."""
    with pytest.raises(ValueError, match="time"):
        bench.engine.advance(seconds)

    bench.engine.advance(1)
    assert bench.engine.now == 1.0


def test_sleep_does_not_move_a_manual_clock() -> None:
    """Sleeping brings no moment of manual time; one that has come needs no sleep."""
    clock = ManualClock()
    clock.move_to(2.0)

    assert clock.sleep_until(2.0) == 0.0
    assert clock.sleep_until(2.5) is None


def test_manual_clock_begins_on_the_same_day() -> None:
    """A manual clock's zero is 2026-01-01 UTC unless told otherwise, so that a lesson prints the same."""
    assert ManualClock().epoch == MANUAL_EPOCH == 1767225600
    assert ManualClock(epoch=7.0).epoch == 7.0
    assert repr(ManualClock()) == "<ManualClock 0 s>"


def test_wall_clock_is_real_time(real: Monotonic) -> None:
    """A wall clock counts real seconds from its making, and knows the Unix time of its zero."""
    clock = WallClock()
    real.seconds += 2.5

    assert clock.now() == 2.5
    assert clock.epoch == 86_400.0
    assert clock.sleep_until(4.0) == 1.5
    assert clock.sleep_until(1.0) == 0.0
    assert repr(clock) == "<WallClock 2.500 s>"


@pytest.mark.parametrize("act", ["advance", "step"])
def test_real_time_is_not_moved_by_hand(act: str) -> None:
    """`advance` and `step` raise under the wall clock."""
    engine = Engine(WallClock())

    with pytest.raises(RuntimeError, match="the wall clock moves by itself"):
        engine.advance(1) if act == "advance" else engine.step()


def test_a_refused_step_changes_nothing() -> None:
    """A refused verb changes nothing, the consumers' turns included."""
    bench = Bench(WallClock())
    bench.queue()
    bench.consume("A")
    bench.consume("B")
    bench.publish("0")

    with pytest.raises(RuntimeError):
        bench.engine.step()
    bench.publish("1")

    assert bench.sent() == [("A", "0"), ("B", "1")]


def test_an_engine_has_real_time_by_default() -> None:
    """A broker without a clock of its own runs in real time."""
    assert isinstance(Engine().clock, WallClock)


def test_patience(real: Monotonic) -> None:
    """Patience is real seconds whatever the broker's clock; None has no end."""
    patience = Patience(3)
    assert patience.left() == 3.0
    real.seconds += 2
    assert patience.left() == 1.0
    real.seconds += 2
    assert patience.left() == 0.0
    assert Patience(None).left() is None


def test_wait_ends_in_time() -> None:
    """Waiting on a condition that nobody notifies ends when the seconds are over."""
    condition = threading.Condition()
    with condition:
        wait(condition, 0.001)
