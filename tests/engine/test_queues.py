"""One queue: seats, turns and deadlines."""

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.engine.model import Message, QueueOptions
from sandbox.engine.queues import Copy, Queue
from sandbox.engine.sessions import Delivery
from tests.engine.bench import CALM, Bench, body, seats_of


def a_queue(**options: float | None) -> Queue:
    """A queue that was declared at 0 s."""
    return Queue("q", QueueOptions(message_ttl=options.get("ttl"), expires=options.get("expires")), None, 0.0)


def put(queue: Queue, expires: float | None = None) -> Copy:
    """A new copy at the tail."""
    queue.last_position += 1
    message = Message(id=1, exchange="", routing_key="q", body=b"", headers={}, properties={})
    copy = Copy(queue.last_position, message, queue, queue.last_position, expires, 0)
    queue.push(copy)
    return copy


# ---------------------------------------------------------------- seats


class Hold(NamedTuple):
    """A step: put one in, take the head, put one back, or let one go."""

    act: str
    which: int = 0


holds = st.lists(
    st.builds(Hold, st.sampled_from(["put", "put", "take", "take", "back", "drop"]), st.integers(0, 9)),
    min_size=10,
    max_size=60,
)


@CALM
@given(holds)
def test_seats_are_kept(steps: list[Hold]) -> None:
    """R-2: the head is the ready copy of the lowest seat, in whatever order copies come back."""
    queue = a_queue()
    ready: list[int] = []
    taken: list[Copy] = []
    for act, which in steps:
        if act == "put":
            ready.append(put(queue).position)
        elif act == "take" and ready:
            copy = queue.pop()
            assert copy.position == min(ready)
            ready.remove(copy.position)
            taken.append(copy)
        elif act == "back" and taken:
            copy = taken.pop(which % len(taken))
            queue.put_back(copy)
            ready.append(copy.position)
        elif act == "drop" and taken:
            queue.discard(taken.pop(which % len(taken)))
        head = queue.head()
        assert (head.position if head else None) == min(ready, default=None)
        assert (queue.ready, queue.unacked) == (len(ready), len(taken))


@settings(CALM, max_examples=60)
@given(st.permutations(range(6)), st.integers(0, 6), st.booleans())
def test_requeue_keeps_the_order(order: list[int], count: int, at_once: bool) -> None:
    """R-2: whatever is requeued, in whatever order, the queue reads as it was published."""
    bench = Bench()
    bench.queue()
    bench.fill(*"012345")
    tags = {number: bench.fetch().tag for number in range(6)}
    kept = sorted(order[count:])

    if at_once and not kept:
        bench.engine.basic_nack(bench.channel, 0, multiple=True)
    else:
        bench.requeue(*(tags[number] for number in order[:count]))
    bench.publish("6")

    assert bench.ready() == [str(number) for number in sorted(order[:count])] + ["6"]
    assert bench.unacked() == [str(number) for number in kept]


def test_requeue_examples(bench: Bench) -> None:
    """R-2: reject 2, 0, 1 leaves 0, 1, 2, 3, 4; requeue `a` after `b` was published leaves a, b."""
    bench.queue()
    bench.fill(*"01234")
    for _ in range(3):
        bench.fetch()
    bench.requeue(3, 1, 2)
    assert bench.ready() == list("01234")

    bench.queue("ab")
    bench.publish("a", "ab")
    tag = bench.fetch("ab").tag
    bench.publish("b", "ab")
    bench.requeue(tag)
    assert bench.ready("ab") == ["a", "b"]


def test_positions_are_given_once(bench: Bench) -> None:
    """R-2: a seat belongs to its copy for good; the next copy gets a later one, though the queue is empty."""
    bench.queue()
    for each in "ab":
        bench.publish(each)
        bench.ack(bench.fetch().tag)
    bench.publish("c")

    assert [copy.position for copy, _ in bench.engine.contents("q")] == [3]


@CALM
@given(holds)
def test_rebuild_is_the_same_queue(steps: list[Hold]) -> None:
    """R-2: a queue rebuilt from its copies has the head, counts and order that it had, and keeps them."""
    queue = a_queue()
    taken: list[Copy] = []
    for act, which in steps:
        if act == "put":
            put(queue)
        elif act == "take" and queue.ready:
            taken.append(queue.pop())
        elif act == "back" and taken:
            queue.put_back(taken.pop(which % len(taken)))
        elif act == "drop" and taken:
            queue.discard(taken.pop(which % len(taken)))
    bench = Bench()
    for copy in taken:
        copy.holder = Delivery(1, copy, bench.channel, None, handed=True)
    before = queue.ready, queue.unacked, queue.head(), seats_of(queue)

    queue.rebuild([])

    assert (queue.ready, queue.unacked, queue.head(), seats_of(queue)) == before
    put(queue)
    for copy in taken:
        queue.put_back(copy)
    order = []
    while queue.ready:
        order.append(queue.pop().position)
    assert order == sorted(order)


# ---------------------------------------------------------------- turns


def consumers(bench: Bench, *tags: str, prefetch: int = 0) -> None:
    """Subscribe these to `q`, in this order."""
    for tag in tags:
        bench.consume(tag, prefetch=prefetch)


def numbers(bench: Bench, count: int, first: int = 0) -> None:
    """Publish that many, their numbers as bodies."""
    bench.fill(*(str(number) for number in range(first, first + count)))


def by_consumer(bench: Bench) -> dict[str, str]:
    """Take what was sent, each consumer's bodies in a row."""
    result: dict[str, str] = {}
    for tag, text in bench.sent():
        result[tag] = result.get(tag, "") + text
    return result


def tag_of(bench: Bench, text: str) -> int:
    """The delivery tag of the message with that body."""
    return next(tag for tag, delivery in bench.channel.unacked.items() if body(delivery) == text)


def test_turns(bench: Bench) -> None:
    """Q-5: three consumers, nine messages: A 0, 3, 6; B 1, 4, 7; C 2, 5, 8."""
    bench.queue()
    consumers(bench, *"ABC")
    numbers(bench, 9)

    assert by_consumer(bench) == {"A": "036", "B": "147", "C": "258"}


def test_only_one_acknowledges(bench: Bench) -> None:
    """Q-5: prefetch 1, and only B acks: A 0; B 1, 2, 3."""
    bench.queue()
    consumers(bench, "A", "B", prefetch=1)
    numbers(bench, 4)
    for text in "123":
        bench.ack(tag_of(bench, text))

    assert by_consumer(bench) == {"A": "0", "B": "123"}


def test_acks_of_the_untried_change_no_order(bench: Bench) -> None:
    """Q-5: prefetch 1, A, B, C hold one each, acks come C, A, B while nothing is queued: next A, B, C."""
    bench.queue()
    consumers(bench, *"ABC", prefetch=1)
    numbers(bench, 3)
    bench.sent()
    for text in "201":
        bench.ack(tag_of(bench, text))
    numbers(bench, 3, first=3)

    assert bench.sent() == [("A", "3"), ("B", "4"), ("C", "5")]


def test_acks_of_the_blocked_put_them_to_the_tail(bench: Bench) -> None:
    """Q-5: one found blocked comes back at the tail when it acks, in the order of the acks."""
    bench.queue()
    consumers(bench, *"ABC", prefetch=1)
    numbers(bench, 4)  # the fourth was tried on all three
    bench.sent()
    for text in "201":
        bench.ack(tag_of(bench, text))
    numbers(bench, 2, first=4)

    assert bench.sent() == [("C", "3"), ("A", "4"), ("B", "5")]


def test_backlog_goes_to_the_first(bench: Bench) -> None:
    """Q-5: a consumer that subscribes to a backlog takes all of it before the next one subscribes."""
    bench.queue()
    numbers(bench, 6)
    consumers(bench, "A", "B")

    assert by_consumer(bench) == {"A": "012345"}


def test_backlog_up_to_the_prefetch(bench: Bench) -> None:
    """Q-5: with prefetch 2, the first takes two of the backlog and the second the next two."""
    bench.queue()
    numbers(bench, 6)
    consumers(bench, "A", "B", prefetch=2)

    assert by_consumer(bench) == {"A": "01", "B": "23"}


def test_rejected_message_alternates(bench: Bench) -> None:
    """Q-5: a message that each consumer requeues goes A, B, A, B when both are free."""
    bench.queue()
    consumers(bench, "A", "B")
    bench.publish("m")
    turns = bench.sent()
    for _ in range(3):
        bench.requeue(tag_of(bench, "m"))
        turns += bench.sent()

    assert turns == [("A", "m"), ("B", "m"), ("A", "m"), ("B", "m")]


def test_rejected_message_returns_if_the_other_is_busy(bench: Bench) -> None:
    """Q-5: with prefetch 1 and B busy, the message that A requeues comes back to A."""
    bench.queue()
    consumers(bench, "A", "B", prefetch=1)
    numbers(bench, 2)
    bench.sent()
    bench.requeue(tag_of(bench, "0"))

    assert bench.sent() == [("A", "0")]


def test_new_consumer_joins_at_the_tail(bench: Bench) -> None:
    """Q-5: a new consumer comes after those that wait already."""
    bench.queue()
    consumers(bench, "A", "B")
    numbers(bench, 1)
    consumers(bench, "C")
    numbers(bench, 3, first=1)

    assert bench.sent() == [("A", "0"), ("B", "1"), ("A", "2"), ("C", "3")]


def test_priority(bench: Bench) -> None:
    """Q-6: the highest that is not blocked gets all; A(1), B(0), prefetch 2: A 0, 1; B 2, 3."""
    bench.queue()
    bench.consume("B", prefetch=2)
    bench.consume("A", prefetch=2, arguments={"x-priority": 1})
    bench.consume("N", prefetch=2, arguments={"x-priority": -1})
    numbers(bench, 5)

    assert by_consumer(bench) == {"A": "01", "B": "23", "N": "4"}
    bench.ack(tag_of(bench, "0"))
    numbers(bench, 1, first=5)
    assert by_consumer(bench) == {"A": "5"}


@pytest.mark.parametrize("priorities", [(0, 0, 0), (1, 0, 0), (0, 5, 5), (-1, 0, -1)])
def test_turns_within_a_priority(bench: Bench, priorities: tuple[int, ...]) -> None:
    """Q-6: consumers of the highest priority take turns, the others get nothing while one of them is free."""
    bench.queue()
    for tag, priority in zip("ABC", priorities, strict=True):
        bench.consume(tag, arguments={"x-priority": priority})
    numbers(bench, 12)

    highest = [tag for tag, priority in zip("ABC", priorities, strict=True) if priority == max(priorities)]
    counts = Counter(tag for tag, _ in bench.sent())
    assert counts == dict.fromkeys(highest, 12 // len(highest))


def test_cancelled_consumer_leaves_the_turns(bench: Bench) -> None:
    """R-5: one that is cancelled gets nothing more, blocked or not; the turns of the others go on."""
    bench.queue()
    bench.consume("A")
    bench.consume("B", prefetch=1)
    bench.consume("C")
    numbers(bench, 5)
    assert by_consumer(bench) == {"A": "03", "B": "1", "C": "24"}
    bench.engine.basic_cancel(bench.channel, "B")
    bench.engine.basic_cancel(bench.channel, "A")
    bench.ack(tag_of(bench, "1"))
    numbers(bench, 2, first=5)

    assert by_consumer(bench) == {"C": "56"}


# ---------------------------------------------------------------- deadlines


def test_the_next_deadline_is_the_earlier() -> None:
    """TTL-4, TTL-8: the next deadline is that of the head, or of the unused queue, whichever comes first."""
    queue = a_queue(expires=10.0)
    assert queue.next_deadline() == 10.0
    put(queue, expires=4.0)
    put(queue, expires=2.0)
    assert queue.next_deadline() == 4.0
    queue.last_used = -8.0
    assert queue.next_deadline() == 2.0
    assert a_queue().next_deadline() is None
    plain = a_queue()
    put(plain, expires=3.0)
    assert plain.next_deadline() == 3.0


@pytest.mark.parametrize(
    ("queue_ttl", "own", "expected"),
    [
        (None, None, None),
        (5.0, None, 7.0),
        (None, 3.0, 5.0),
        (5.0, 3.0, 5.0),
        (3.0, 5.0, 5.0),
        (0.0, 5.0, 2.0),
    ],
)
def test_effective_ttl(queue_ttl: float | None, own: float | None, expected: float | None) -> None:
    """TTL-3: the smaller of the message's and the queue's, counted from now."""
    message = Message(id=1, exchange="", routing_key="q", body=b"", headers={}, properties={}, ttl=own)

    assert a_queue(ttl=queue_ttl).new_copy(1, message, 2.0).expires == expected


def test_expired_at_the_moment() -> None:
    """TTL-3: a copy has expired when its time has come, not only after it."""
    queue = a_queue()
    assert not queue.has_expired(9.0)
    put(queue, expires=2.0)

    assert not queue.has_expired(1.999999999)
    assert queue.has_expired(2.0)
