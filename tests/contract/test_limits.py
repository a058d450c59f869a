"""Length limits of queues (L)."""

from typing import Any

import pytest
from amqp.exceptions import PreconditionFailed

from tests.contract.target import Target


@pytest.mark.statement("L-1")
def test_only_ready_messages_count(target: Target) -> None:
    """L-1: what a client holds does not count."""
    queue = target.queue(max_length=2)
    target.fill(queue, "0")
    held = target.get(queue)

    target.fill(queue, "1", "2")
    target.expect_ready(queue, 2)
    target.fill(queue, "3")

    target.expect(queue, "2", "3")
    target.channel.basic_ack(held.delivery_tag)


@pytest.mark.statement("L-1")
def test_bytes_are_those_of_bodies(target: Target) -> None:
    """L-1: neither headers nor properties weigh anything, and small letters of other scripts two bytes."""
    queue = target.queue(max_length_bytes=10)

    target.fill(queue, "12345", "жж1", headers={"long": "x" * 100}, message_id="y" * 100)
    target.expect_ready(queue, 2)
    target.fill(queue, "6")

    target.expect(queue, "жж1", "6")


@pytest.mark.statement("L-1")
def test_both_limits(target: Target) -> None:
    """L-1: with both limits, both hold."""
    queue = target.queue(max_length=3, max_length_bytes=10)

    target.fill(queue, "0", "1", "2", "3")
    target.expect_ready(queue, 3)
    target.fill(queue, "123456789")

    target.expect(queue, "3", "123456789")


@pytest.mark.statement("L-2")
def test_drop_head(target: Target) -> None:
    """L-2: the oldest goes, and dies for want of room; said explicitly or not."""
    dead = target.queue()
    letters: dict[str, Any] = {"dead_letter_exchange": "", "dead_letter_routing_key": dead}
    for queue in (
        target.queue(max_length=2, **letters),
        target.queue(max_length=2, overflow="drop-head", **letters),
    ):
        target.fill(queue, "0", "1", "2", "3")

        dropped = target.expect(dead, "0", "1")
        assert [message.headers["x-death"][0]["reason"] for message in dropped] == ["maxlen", "maxlen"]
        target.expect(queue, "2", "3")


@pytest.mark.statement("L-2")
def test_the_new_message_may_go_itself(target: Target) -> None:
    """L-2: a body larger than the limit empties the queue, itself included."""
    dead = target.queue()
    queue = target.queue(max_length_bytes=10, dead_letter_exchange="", dead_letter_routing_key=dead)
    target.fill(queue, "12345", "67890")

    target.fill(queue, "x" * 20)

    target.expect(dead, "12345", "67890", "x" * 20)
    target.expect(queue)


@pytest.mark.statement("L-3")
@pytest.mark.parametrize("limit", [0, 1])
def test_straight_to_a_consumer(target: Target, limit: int) -> None:
    """L-3: a message for which a consumer waits never counts, however small the limit."""
    queue = target.queue(max_length=limit)
    inbox = target.consume(queue)

    target.fill(queue, "0", "1", "2")

    inbox.expect("0", "1", "2")


@pytest.mark.statement("L-3")
def test_not_to_a_consumer_that_is_busy(target: Target) -> None:
    """L-3: what it cannot take counts."""
    queue = target.queue(max_length=1)
    inbox = target.consume(queue, prefetch=1)

    target.fill(queue, "0", "1", "2")
    inbox.expect("0")
    inbox.ack(0)

    inbox.expect("0", "2")


@pytest.mark.statement("L-4")
def test_requeued_into_a_full_queue(target: Target) -> None:
    """L-4: a requeued message returns to the front, and from the front what is too much is dropped."""
    queue = target.queue(max_length=2)
    target.fill(queue, "0")
    tag = target.get(queue).delivery_tag
    target.fill(queue, "2", "3")

    target.channel.basic_reject(tag, requeue=True)

    target.expect(queue, "2", "3")


@pytest.mark.statement("L-4")
def test_many_requeued_at_once(target: Target) -> None:
    """L-4: three that come back to a queue for one: the newest stays."""
    queue = target.queue(max_length=1)
    inbox = target.consume(queue)
    target.fill(queue, "0", "1", "2")
    inbox.expect("0", "1", "2")

    inbox.channel.close()

    target.expect(queue, "2")


@pytest.mark.statement("L-5")
def test_reject_publish(target: Target) -> None:
    """L-5: a queue that rejects counts ready messages only; requeued ones may exceed the limit, and stay."""
    queue = target.queue(max_length=1, overflow="reject-publish")
    target.fill(queue, "a")
    tag = target.get(queue).delivery_tag
    target.fill(queue, "b", "rejected")

    target.channel.basic_reject(tag, requeue=True)
    target.sync(target.channel)
    target.expect_ready(queue, 2)
    target.fill(queue, "rejected too")

    target.expect(queue, "a", "b")
    target.fill(queue, "c")
    target.expect(queue, "c")


@pytest.mark.statement("L-5")
def test_reject_publish_by_bytes(target: Target) -> None:
    """L-5: so with bytes: what would exceed them is rejected, a smaller one fits."""
    queue = target.queue(max_length_bytes=10, overflow="reject-publish")

    target.fill(queue, "123456", "12345", "1234", "1")

    target.expect(queue, "123456", "1234")


@pytest.mark.statement("L-5")
def test_rejected_before_a_consumer_is_asked(target: Target) -> None:
    """L-5: a queue for none rejects all, though a consumer waits; one for one nothing that goes on."""
    none, one = (target.queue(max_length=limit, overflow="reject-publish") for limit in (0, 1))
    of_none, of_one = target.consume(none), target.consume(one)

    target.fill(none, "0", "1")
    target.fill(one, "0", "1")

    of_none.expect()
    of_one.expect("0", "1")


@pytest.mark.statement("L-6")
@pytest.mark.parametrize(
    ("argument", "value", "problem"),
    [
        ("max-length", -1, "{value_negative,-1}"),
        ("max-length", "3", '"expected integer, got longstr"'),
        ("max-length", 1.5, '"expected integer, got double"'),
        ("max-length", True, '"expected integer, got bool"'),
        ("max-length-bytes", -1, "{value_negative,-1}"),
        ("max-length-bytes", "a", '"expected integer, got longstr"'),
        ("overflow", "foo", "invalid_overflow"),
        ("overflow", 1, "{unacceptable_type,signedint}"),
    ],
)
def test_arguments(target: Target, argument: str, value: object, problem: str) -> None:
    """L-6: limits are whole numbers from 0, and there are three ways to overflow."""
    name = target.name("queue")

    target.refused(
        PreconditionFailed,
        f"invalid arg 'x-{argument}' for queue '{name}' in vhost '/': {problem}",
        target.queue,
        name,
        **{argument: value},
    )


@pytest.mark.statement("L-6")
def test_room_for_none(target: Target) -> None:
    """L-6: 0 is a limit, and with it nothing stays."""
    for queue in (target.queue(max_length=0), target.queue(max_length_bytes=0)):
        target.fill(queue, "x")
        target.expect(queue)
