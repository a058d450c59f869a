"""Acknowledging, requeueing and redelivery (R)."""

from collections.abc import Callable
from typing import Any

import pytest
from amqp.exceptions import AMQPNotImplementedError, NotFound, PreconditionFailed

from tests.contract.target import Target


def tags(target: Target, queue: str, count: int, channel: Any = None) -> list[int]:
    """The delivery tags of so many messages that we fetch."""
    return [target.get(queue, channel).delivery_tag for _ in range(count)]


def redelivered(messages: list[Any]) -> list[bool]:
    return [message.delivery_info["redelivered"] for message in messages]


@pytest.mark.statement("R-1")
def test_delivery_tags(target: Target) -> None:
    """R-1: each channel counts its deliveries from 1, whether fetched or sent to a consumer."""
    queue, channel = target.queue(), target.channel
    target.fill(queue, "0", "1", "2", "3")

    assert tags(target, queue, 2) == [1, 2]
    inbox = target.consume(queue, channel=channel, prefetch=1)
    inbox.expect("2")
    assert [message.delivery_tag for message in inbox.messages] == [3]
    assert tags(target, queue, 1) == [4]
    target.fill(queue, "4")
    assert tags(target, queue, 1, target.new_channel()) == [1]


@pytest.mark.statement("R-2")
def test_requeued_to_its_place(target: Target) -> None:
    """R-2: a requeued message returns to its old place, in whatever order they are requeued."""
    queue = target.queue()
    target.fill(queue, "0", "1", "2", "3", "4")
    zero, one, two = tags(target, queue, 3)

    for tag in (two, zero, one):
        target.channel.basic_reject(tag, requeue=True)

    target.expect(queue, "0", "1", "2", "3", "4")


@pytest.mark.statement("R-2")
def test_requeued_before_younger_ones(target: Target) -> None:
    """R-2: before what was published meanwhile, and among what others still hold."""
    queue = target.queue()
    target.fill(queue, "a", "c", "e")
    a, c, _ = tags(target, queue, 3)
    target.fill(queue, "f")

    target.channel.basic_reject(c, requeue=True)
    target.channel.basic_reject(a, requeue=True)

    target.expect(queue, "a", "c", "f")


@pytest.mark.statement("R-2")
def test_requeued_in_portions(target: Target) -> None:
    """R-2: what each consumer of a channel has is requeued and delivered again by itself, by their tags."""
    queue, channel = target.queue(max_length=1), target.new_channel()
    second = target.consume(queue, channel=channel, consumer_tag="b")
    first = target.consume(queue, channel=channel, consumer_tag="a")
    target.fill(queue, "0", "1")
    second.expect("0")
    first.expect("1")

    target.nack(channel, 2, multiple=True, requeue=True)
    target.sync(channel)

    second.expect("0", "1")  # it came back first, and went to the next consumer
    first.expect("1", "0")


@pytest.mark.statement("R-2")
def test_fetched_is_requeued_one_by_one(target: Target) -> None:
    """R-2: messages that were fetched are requeued one after the other, and none is in another's way."""
    queue, channel = target.queue(max_length=1, overflow="drop-head"), target.new_channel()
    held = []
    for body in ("0", "1"):
        target.fill(queue, body)
        held += tags(target, queue, 1, channel)
    other = target.consume(queue, prefetch=2)

    target.nack(channel, held[1], multiple=True, requeue=True)
    target.sync(channel)

    other.expect("0", "1")


@pytest.mark.statement("CON-5", "R-2")
@pytest.mark.parametrize("same", [True, False], ids=["rejected", "rejected and nacked"])
def test_portions_of_a_commit(target: Target, *, same: bool) -> None:
    """CON-5: a commit does in one what is asked for in the same way; 3.10 knows no nack from a rejection."""
    queue, channel = target.queue(), target.new_channel()
    second = target.consume(queue, channel=channel, consumer_tag="b")
    first = target.consume(queue, channel=channel, consumer_tag="a")
    target.fill(queue, "0", "1")
    second.expect("0")
    first.expect("1")

    channel.tx_select()
    channel.basic_reject(1, requeue=True)
    if same:
        channel.basic_reject(2, requeue=True)
    else:
        target.nack(channel, 2, requeue=True)
    channel.tx_commit()

    in_one = same or not target.since(4, 3)
    second.expect("0", "1" if in_one else "0")
    first.expect("1", "0" if in_one else "1")


@pytest.mark.statement("R-6", "Q-5")
def test_acked_in_portions(target: Target) -> None:
    """R-6: consumers whose messages are acked together go on by their tags."""
    queue, channel = target.queue(), target.new_channel()
    second = target.consume(queue, channel=channel, consumer_tag="b", prefetch=1)
    first = target.consume(queue, channel=channel, consumer_tag="a", prefetch=1)
    target.fill(queue, *"0123")
    second.expect("0")
    first.expect("1")

    channel.basic_ack(2, multiple=True)
    target.sync(channel)

    first.expect("1", "2")
    second.expect("0", "3")


def by_reject(target: Target, channel: Any) -> None:
    for tag in (1, 2):
        channel.basic_reject(tag, requeue=True)
    target.sync(channel)


def by_nack(target: Target, channel: Any) -> None:
    target.nack(channel, 2, multiple=True, requeue=True)
    target.sync(channel)


def by_recovering(_target: Target, channel: Any) -> None:
    channel.basic_recover(requeue=True)


def by_closing_the_channel(_target: Target, channel: Any) -> None:
    channel.close()


def by_closing_the_connection(_target: Target, channel: Any) -> None:
    channel.connection.client.close()


def by_an_error(target: Target, channel: Any) -> None:
    name = target.name("missing")
    target.refused(
        NotFound, f"no queue '{name}' in vhost '/'", channel.queue_declare, name, on=channel, passive=True
    )


@pytest.mark.statement("R-3", "R-4", "R-8", "R-9")
@pytest.mark.parametrize(
    "give_back",
    [by_reject, by_nack, by_recovering, by_closing_the_channel, by_closing_the_connection, by_an_error],
)
def test_given_back(target: Target, give_back: Callable[[Target, Any], None]) -> None:
    """R-3, R-4: however a message comes back, it is at its place and redelivered; others are not."""
    queue, other = target.queue(), target.new_channel()
    target.fill(queue, "0", "1", "2", "3")
    channel = target.new_channel(target.new_connection())
    tags(target, queue, 2, channel)
    held = tags(target, queue, 1, other)

    give_back(target, channel)

    assert redelivered(target.expect(queue, "0", "1", "3")) == [True, True, False]
    other.basic_ack(*held)
    target.sync(other)
    target.expect(queue)


@pytest.mark.statement("R-3")
def test_prefetched_and_never_seen(target: Target) -> None:
    """R-3: what was sent to a consumer counts as delivered, though its program never looked at it."""
    queue, connection = target.queue(), target.new_connection()
    target.fill(queue, "0", "1", "2")
    inbox = target.consume(queue, channel=connection.channel(), prefetch=2)
    target.expect_ready(queue, 1)
    assert inbox.messages == []

    connection.close()

    assert redelivered(target.expect(queue, "0", "1", "2")) == [True, True, False]


@pytest.mark.statement("R-4")
def test_channels_do_not_share(target: Target) -> None:
    """R-4: a channel's error costs its own messages and consumers; the rest of the connection goes on."""
    queue, quiet = target.queue(), target.queue()
    target.fill(queue, "0", "1")
    failing, other = target.new_channel(), target.consume(quiet)
    dead, (first,) = target.consume(quiet, channel=failing), tags(target, queue, 1, target.channel)
    tags(target, queue, 1, failing)

    by_an_error(target, failing)

    assert failing.connection.connected
    target.fill(quiet, "2", "3")
    other.expect("2", "3")
    dead.expect()
    assert redelivered(target.expect(queue, "1")) == [True]
    target.channel.basic_ack(first)
    target.sync(target.channel)
    target.expect(queue)


@pytest.mark.statement("R-5")
def test_cancel_does_not_requeue(target: Target) -> None:
    """R-5: a cancelled consumer leaves its messages with the channel, which can still acknowledge them."""
    queue = target.queue()
    inbox = target.consume(queue, prefetch=3)
    target.fill(queue, "0", "1", "2")
    inbox.expect("0", "1", "2")

    inbox.channel.basic_cancel(inbox.tag)
    target.fill(queue, "3")
    target.expect_ready(queue, 1)
    inbox.ack(1)
    inbox.channel.close()

    assert redelivered(target.expect(queue, "0", "2", "3")) == [True, True, False]
    inbox.expect("0", "1", "2")


@pytest.mark.statement("R-6")
def test_multiple(target: Target) -> None:
    """R-6: `multiple` is all up to the tag; 0 is all there are, be it none."""
    queue, channel = target.queue(), target.new_channel()
    target.fill(queue, *"01234")
    tags(target, queue, 5, channel)

    channel.basic_ack(2)
    channel.basic_ack(3, multiple=True)
    target.nack(channel, 0, multiple=True, requeue=True)
    target.sync(channel)
    target.expect_ready(queue, 2)
    tags(target, queue, 2, channel)
    channel.basic_ack(0, multiple=True)
    channel.basic_ack(0, multiple=True)
    target.nack(channel, 0, multiple=True)
    channel.close()

    target.expect(queue)


@pytest.mark.statement("R-6", "R-7")
@pytest.mark.parametrize(
    ("tag", "multiple"), [(0, False), (1, False), (1, True), (3, False), (3, True), (4, True)]
)
def test_unknown_tags(target: Target, tag: int, multiple: bool) -> None:
    """R-6, R-7: the tag itself must be outstanding; else the channel is closed and gives back the others."""
    queue = target.queue()
    target.fill(queue, "0", "1")
    tags(target, queue, 2)
    target.channel.basic_ack(1)

    target.refused(
        PreconditionFailed, f"unknown delivery tag {tag}", target.channel.basic_ack, tag, multiple=multiple
    )

    assert redelivered(target.expect(queue, "1")) == [True]


@pytest.mark.statement("R-7")
def test_tags_that_are_not_ours(target: Target) -> None:
    """R-7: what needs no acknowledgement, or is another channel's, is unknown to ack and reject."""
    queue, channel, other = target.queue(), target.channel, target.new_channel()
    target.fill(queue, "0", "1", "2")
    channel.basic_get(queue, no_ack=True)
    tags(target, queue, 2, other)

    for call in (
        lambda: channel.basic_ack(1),
        lambda: channel.basic_reject(1, requeue=False),
        lambda: target.nack(channel, 1, multiple=True),
    ):
        target.refused(PreconditionFailed, "unknown delivery tag 1", call)

    other.basic_ack(1)
    target.sync(other)
    target.expect(queue)


@pytest.mark.statement("R-8")
def test_rejected_for_good(target: Target) -> None:
    """R-8: reject is for one message, nack for many; without a dead-letter exchange they are gone."""
    queue, channel = target.queue(), target.channel
    target.fill(queue, *"01234")
    tags(target, queue, 4)

    channel.basic_reject(2, requeue=False)
    target.sync(channel)
    target.nack(channel, 3, multiple=True, requeue=False)
    target.sync(channel)
    channel.basic_recover(requeue=True)

    target.expect(queue, "3", "4")


@pytest.mark.statement("R-9")
def test_recover(target: Target) -> None:
    """R-9: recover gives back all that the channel holds, and consumers get it again under new tags."""
    queue = target.queue()
    inbox = target.consume(queue)
    target.fill(queue, "0", "1")
    inbox.expect("0", "1")

    inbox.channel.basic_recover(requeue=True)

    inbox.expect("0", "1", "0", "1")
    assert [message.delivery_tag for message in inbox.messages] == [1, 2, 3, 4]
    assert redelivered(inbox.messages) == [False, False, True, True]


@pytest.mark.statement("R-9", "ERR-1")
def test_recover_without_requeueing(target: Target) -> None:
    """R-9: the other way is not implemented, and costs the connection."""
    channel = target.new_connection().channel()

    target.refused(AMQPNotImplementedError, "requeue=false", channel.basic_recover, on=channel, requeue=False)


@pytest.mark.statement("R-10")
def test_ack_after_the_queue(target: Target) -> None:
    """R-10: a message outlives its queue with whoever holds it: acknowledging and rejecting it is fine."""
    queue = target.queue()
    target.fill(queue, "0", "1", "2")
    tags(target, queue, 3)
    target.channel.queue_delete(queue)

    target.channel.basic_ack(1)
    target.channel.basic_reject(2, requeue=True)
    target.nack(target.channel, 3, requeue=False)
    target.sync(target.channel)

    assert not target.exists(queue)


@pytest.mark.statement("R-11")
def test_no_ack(target: Target) -> None:
    """R-11: without acknowledgements a message is gone as soon as it is sent, seen or not."""
    queue, connection = target.queue(), target.new_connection()
    target.fill(queue, "0", "1")
    inbox = target.consume(queue, channel=connection.channel(), no_ack=True)
    target.expect_ready(queue, 0)
    assert inbox.messages == []

    connection.close()

    target.expect(queue)


@pytest.mark.statement("R-12")
def test_counts(target: Target) -> None:
    """R-12: counts are of ready messages; a fetched one says how many remain."""
    queue = target.queue()
    target.fill(queue, "0", "1", "2")

    counts = [target.get(queue).delivery_info["message_count"] for _ in range(3)]

    assert counts == [2, 1, 0]
    assert target.get(queue) is None
    assert target.channel.queue_declare(queue, passive=True) == (queue, 0, 0)
    inbox = target.consume(queue, prefetch=1)
    target.nack(target.channel, 0, multiple=True)
    inbox.expect("0")
    assert target.channel.queue_declare(queue, passive=True) == (queue, 2, 1)
