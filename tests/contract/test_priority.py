"""Queues with priorities (P)."""

import pytest
from amqp.exceptions import PreconditionFailed

from tests.contract.target import Target


def fill(target: Target, queue: str, **bodies: int | None) -> None:
    """Publish these bodies with their priorities, in this order."""
    for body, priority in bodies.items():
        target.publish(body, "", queue, priority=priority)
    target.sync(target.channel)


@pytest.mark.statement("P-1")
def test_order(target: Target) -> None:
    """P-1: higher ones first, equal ones as they came; none is 0, and too much is the most there is."""
    queue = target.queue(max_priority=5)

    fill(target, queue, none=None, low=1, zero=0, five=5, nine=9, low2=1, most=255)

    messages = target.expect(queue, "five", "nine", "most", "low", "low2", "none", "zero")
    assert [message.properties.get("priority") for message in messages] == [5, 9, 255, 1, 1, None, 0]


@pytest.mark.statement("P-2")
def test_strict(target: Target) -> None:
    """P-2: the highest priority is always next, though others have waited longer."""
    queue = target.queue(max_priority=5)
    fill(target, queue, lo0=0, lo1=0)
    inbox = target.consume(queue, prefetch=1)
    inbox.expect("lo0")

    fill(target, queue, hi=5, hi2=5)
    inbox.ack(0)
    inbox.expect("lo0", "hi")
    inbox.ack(1)
    inbox.expect("lo0", "hi", "hi2")
    inbox.ack(2)

    inbox.expect("lo0", "hi", "hi2", "lo1")


@pytest.mark.statement("P-3")
def test_prefetched_stay_with_their_consumer(target: Target) -> None:
    """P-3: a message of any priority waits behind those that a consumer already holds."""
    queue = target.queue(max_priority=5)
    fill(target, queue, lo0=0, lo1=0)
    inbox = target.consume(queue, prefetch=2)
    inbox.expect("lo0", "lo1")

    fill(target, queue, hi=5)
    inbox.expect("lo0", "lo1")
    target.expect_ready(queue, 1)
    inbox.ack(0)

    inbox.expect("lo0", "lo1", "hi")


@pytest.mark.statement("P-4")
def test_without_the_argument(target: Target) -> None:
    """P-4: in other queues a priority is only a property."""
    queue = target.queue()

    fill(target, queue, low=0, high=9, none=None)

    target.expect(queue, "low", "high", "none")


@pytest.mark.statement("P-5")
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (-1, "{value_negative,-1}"),
        (256, "{max_value_exceeded,256}"),
        ("3", '"expected integer, got longstr"'),
        (True, '"expected integer, got bool"'),
    ],
)
def test_argument(target: Target, value: object, problem: str) -> None:
    """P-5: the highest priority is a whole number from 0 to 255."""
    name = target.name("queue")

    target.refused(
        PreconditionFailed,
        f"invalid arg 'x-max-priority' for queue '{name}' in vhost '/': {problem}",
        target.queue,
        name,
        max_priority=value,
    )


@pytest.mark.statement("P-5")
def test_the_least_and_the_most(target: Target) -> None:
    """P-5: with 255 all priorities differ; 0 acts as 1, and before 4 as none."""
    most, least = target.queue(max_priority=255), target.queue(max_priority=0)

    fill(target, most, a=253, b=254, c=255)
    fill(target, least, a=0, b=1, c=2)

    target.expect(most, "c", "b", "a")
    target.expect(least, *(("b", "c", "a") if target.since(4) else ("a", "b", "c")))


@pytest.mark.statement("P-6")
def test_overflow_drops_the_highest(target: Target) -> None:
    """P-6: the head that a full queue drops is the highest priority."""
    dead = target.queue()
    queue = target.queue(max_priority=9, max_length=2, dead_letter_exchange="", dead_letter_routing_key=dead)

    fill(target, queue, hi=9, mid=5, lo=1)

    target.expect(dead, "hi")
    target.expect(queue, "mid", "lo")


@pytest.mark.statement("P-7")
def test_expired_behind_a_higher_one(target: Target) -> None:
    """P-7: an expired message stays as long as one of higher priority lives before it; then it goes."""
    dead = target.queue()
    queue = target.queue(max_priority=5, dead_letter_exchange="", dead_letter_routing_key=dead)
    target.publish("low", "", queue, expiration="40")
    target.publish("high", "", queue, priority=5)
    target.sync(target.channel)
    target.pass_time(0.1)

    target.expect(dead)
    target.expect(queue, "high", counted=2)

    target.expect(dead, "low")


@pytest.mark.statement("P-8")
def test_requeue(target: Target) -> None:
    """P-8: a requeued message returns to its place among its equals."""
    queue = target.queue(max_priority=5)
    fill(target, queue, hi0=5, hi1=5, lo0=0, lo1=0)
    tags = [target.get(queue).delivery_tag for _ in range(3)]
    fill(target, queue, mid=3, hi2=5)

    for tag in reversed(tags):
        target.channel.basic_reject(tag, requeue=True)

    target.expect(queue, "hi0", "hi1", "hi2", "mid", "lo0", "lo1")
