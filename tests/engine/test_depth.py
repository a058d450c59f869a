"""Depth over time: every point of a queue, thinned without losing a peak."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.engine import depth as module
from sandbox.engine.depth import Depths, Point, thinned
from sandbox.engine.events import Event
from tests.engine.bench import CALM, Bench

counts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=200)


def series(of: Iterable[tuple[int, int]]) -> list[Point]:
    """Points with these counts, one after the other."""
    return [Point(number, number / 10, ready, unacked) for number, (ready, unacked) in enumerate(of, 1)]


def depth(point: Point) -> int:
    """All that stands in the queue."""
    return point.ready + point.unacked


def retold(events: Iterable[Event]) -> dict[str, list[Point]]:
    """The depth of each queue after each event that changed it, told again by counting places."""
    result: dict[str, list[Point]] = {}
    counts: dict[str, list[int]] = {}
    for event in events:
        if event.kind == "queue_declared" and event.target:
            counts[event.target.name] = [0, 0]
            result.setdefault(event.target.name, []).append(Point(event.serial, event.time, 0, 0))
        if not event.copy or event.kind == "handed":
            continue
        for place, step in ((event.source, -1), (event.target, 1)):
            if place and place.kind in ("ready", "unacked"):
                name = place.name
                counts[name][place.kind == "unacked"] += step
        result[name].append(Point(event.serial, event.time, *counts[name]))
    return result


def test_every_change_is_a_point(bench: Bench) -> None:
    """A queue's series has its depth after each event that changed it, at that event's time."""
    bench.queue(ttl=2000)
    bench.queue("other")
    bench.fill(*"abc")
    bench.fetch()
    bench.engine.advance(1)
    bench.requeue(1)
    bench.publish("d", "other")
    bench.engine.advance(5)
    bench.queue("empty")

    depths = bench.engine.depths()

    assert {name: depths[name] for name in depths} == retold(bench.engine.history)
    assert [(p.time, p.ready, p.unacked) for p in depths["q"]] == [
        (0.0, 0, 0),
        (0.0, 1, 0),
        (0.0, 2, 0),
        (0.0, 3, 0),
        (0.0, 2, 1),
        (1.0, 3, 0),
        (2.0, 2, 0),
        (2.0, 1, 0),
        (2.0, 0, 0),
    ]
    assert "empty" in depths
    assert "nope" not in depths
    assert list(depths) == ["q", "other", "empty"]
    with pytest.raises(KeyError):
        depths["nope"]


def test_depths_are_the_askers_own(bench: Bench) -> None:
    """What `depths` gave does not change when the broker goes on."""
    bench.queue()
    before = bench.engine.depths()
    bench.publish()

    assert len(before["q"]) == 1
    assert len(bench.engine.depths()["q"]) == 2


def test_deleted_queues_keep_their_series(bench: Bench) -> None:
    """The series of a queue that is gone stays, and goes on if there is a new one of its name."""
    bench.queue()
    bench.publish()
    bench.engine.queue_delete(bench.channel, "q")
    assert [point.ready for point in bench.engine.depths()["q"]] == [0, 1, 0]

    bench.queue()
    bench.publish()
    assert [point.ready for point in bench.engine.depths()["q"]] == [0, 1, 0, 0, 1]


@CALM
@given(counts)
def test_thinned(values: list[tuple[int, int]]) -> None:
    """Thinning halves a series and keeps its ends, its order, its deepest and its shallowest point."""
    points = series(values)

    kept = thinned(points)

    assert kept == sorted(set(kept))
    assert set(kept) <= set(points)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert max(map(depth, kept)) == max(map(depth, points))
    assert min(map(depth, kept)) == min(map(depth, points))
    assert len(kept) <= len(points) // 2 + 3


@CALM
@given(counts)
def test_thinned_keeps_peaks_of_what_is_ready(values: list[tuple[int, int]]) -> None:
    """Thinning keeps the peaks of both curves that are drawn: of the ready, and of the unacked."""
    points = series(values)

    kept = thinned(points)

    assert max(point.ready for point in kept) == max(point.ready for point in points)
    assert max(point.unacked for point in kept) == max(point.unacked for point in points)


@settings(CALM, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 99), st.just(0)), min_size=50, max_size=400))
def test_a_series_always_fits(values: list[tuple[int, int]]) -> None:
    """However long the run, a series stays bounded, in order, with first, last and highest point in it."""
    points = series(values)
    depths = Depths()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_POINTS", 16)
        for point in points:
            depths.add("q", point)

    kept = depths["q"]
    assert len(kept) <= 16
    assert kept == sorted(kept)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert max(map(depth, kept)) == max(map(depth, points))
