"""Throttle and Alarm: soon, not too often, the last time included, and nothing while idle."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sandbox.widgets.throttle import RATE, Alarm, Throttle, later
from tests.widgets.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable


def test_many_requests_are_one_flush() -> None:
    timers, flushed = Timers(), []
    throttle = Throttle(lambda: flushed.append(1), later=timers)

    for _ in range(1000):
        throttle()

    assert flushed == []
    assert [timer.seconds for timer in timers.armed] == [1 / RATE]
    timers.ring()
    assert flushed == [1]
    assert timers.armed == []  # idle: nothing is running


def test_what_comes_after_a_flush_is_flushed_too() -> None:
    timers, flushed = Timers(), []
    throttle = Throttle(lambda: flushed.append(1), later=timers)

    throttle()
    timers.ring()
    throttle()
    timers.ring()

    assert flushed == [1, 1]


def test_a_timer_may_ring_before_it_is_known() -> None:
    """A thread may be kept from running between starting a timer and noting it."""
    flushed: list[int] = []

    def at_once(_seconds: float, call: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join(0.1)
        threads.append(thread)
        return thread

    threads: list[threading.Thread] = []
    throttle = Throttle(lambda: flushed.append(1), later=at_once)  # type: ignore[arg-type]  # is not cancelled
    for count in (1, 2):
        throttle()
        threads[-1].join()
        assert len(flushed) == count


def test_what_is_asked_for_during_a_flush_is_done_after_it() -> None:
    asked: list[str] = []

    def flush() -> None:
        asked.append("flush")
        if len(asked) == 1:
            throttle.now()  # as another thread would
            assert asked == ["flush"]  # not within this one

    throttle = Throttle(flush, later=Timers())
    throttle.now()

    assert asked == ["flush", "flush"]


def test_one_thread_flushes_at_a_time() -> None:
    inside, most, count = 0, 0, 0
    lock = threading.Lock()

    def flush() -> None:
        nonlocal inside, most, count
        with lock:
            inside += 1
            most = max(most, inside)
            count += 1
        with lock:
            inside -= 1

    def ask() -> None:
        for _ in range(200):
            throttle.now()

    throttle = Throttle(flush, later=Timers())
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1
    assert count >= 200


def test_an_error_in_a_flush_does_not_block_the_next() -> None:
    flushed: list[int] = []

    def flush() -> None:
        flushed.append(1)
        if len(flushed) == 1:
            raise ValueError

    throttle = Throttle(flush, later=Timers())
    try:
        throttle.now()
    except ValueError:
        throttle.now()

    assert flushed == [1, 1]


def test_an_alarm_rings_once_and_a_new_moment_replaces_the_old() -> None:
    timers, rung = Timers(), []
    alarm = Alarm(lambda: rung.append(1), later=timers)

    alarm.set(10.0, 10.0)
    alarm.set(10.0, 9.5)  # the same moment: left as it is
    assert [timer.seconds for timer in timers.armed] == [10.0]
    alarm.set(5.0, 4.5)
    assert [timer.seconds for timer in timers.armed] == [4.5]
    timers.ring()
    assert rung == [1]
    alarm.set(None, None)
    assert timers.armed == []


def test_real_timers_are_threads_that_end() -> None:
    rung = threading.Event()
    timer = later(0.001, rung.set)

    assert rung.wait(10)
    timer.cancel()
    assert isinstance(timer, threading.Timer)
    timer.join()
    assert not [thread for thread in threading.enumerate() if thread.name == "sandbox-view"]
