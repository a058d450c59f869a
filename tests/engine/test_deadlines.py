"""The heap of deadlines, against looking at every queue."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sandbox.engine.deadlines import Deadlines
from sandbox.engine.model import QueueOptions
from sandbox.engine.queues import Queue
from tests.engine.bench import CALM

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["use", "use", "delete", "peek", "pass", "rebuild"]),
        st.integers(0, 3),
        st.integers(0, 20),
    ),
    max_size=60,
)


def unused(name: str, at: float) -> Queue:
    """A queue that will have been unused for ten seconds at ten seconds after `at`."""
    return Queue(name, QueueOptions(expires=10.0), None, at, next(NUMBERS))


NUMBERS = itertools.count(1)


def soonest(queues: list[Queue]) -> float | None:
    """The earliest deadline of all queues, found by looking at each."""
    return min((due for queue in queues if (due := queue.next_deadline()) is not None), default=None)


@CALM
@given(STEPS)
def test_the_next_is_the_soonest(steps: list[tuple[str, int, int]]) -> None:
    """C: whatever deadlines move, earlier or later, come or go, the heap gives the soonest of all."""
    deadlines = Deadlines()
    queues = [unused(str(number), 0.0) for number in range(4)]
    for queue in queues:
        deadlines.schedule(queue)
    for act, which, moment in steps:
        alive = [queue for queue in queues if queue.exists]
        if act == "use" and alive:
            queue = alive[which % len(alive)]
            queue.last_used = float(moment)
            deadlines.schedule(queue)
        elif act == "delete" and alive:
            alive[which % len(alive)].exists = False
        elif act == "rebuild":
            deadlines.rebuild(alive)
        elif act == "pass":
            expected = soonest(alive)
            if expected is not None and expected <= moment:
                assert deadlines.may_be_due(moment)
        found = deadlines.peek() if act == "peek" else None
        if found is not None:
            assert found == (soonest(alive), found[1])
            assert found[1].next_deadline() == found[0]

    alive = [queue for queue in queues if queue.exists]
    last = deadlines.peek()
    assert (last[0] if last else None) == soonest(alive)


def test_a_tie_goes_to_the_first() -> None:
    """Of two deadlines at one moment, that of the queue that was declared first comes first."""
    deadlines = Deadlines()
    queues = [unused(name, 1.0) for name in ("b", "a", "c")]
    for queue in reversed(queues):
        deadlines.schedule(queue)

    order = []
    while (due := deadlines.peek()) is not None:
        assert due[0] == 11.0
        order.append(due[1].name)
        due[1].exists = False

    assert order == ["b", "a", "c"]


def test_nothing_is_due_of_nothing() -> None:
    """Without deadlines nothing is due, and nothing ever will be."""
    deadlines = Deadlines()
    deadlines.schedule(Queue("q", QueueOptions(), None, 0.0))

    assert deadlines.peek() is None
    assert not deadlines.may_be_due(1e9)


def test_a_used_queue_does_not_fill_the_heap() -> None:
    """A queue whose deadline moves on with every use stands in the heap once."""
    deadlines = Deadlines()
    queue = unused("q", 0.0)
    for moment in range(1000):
        queue.last_used = float(moment)
        deadlines.schedule(queue)
        deadlines.peek()

    assert len(deadlines._heap) == 1
    assert deadlines.peek() == (1009.0, queue)
