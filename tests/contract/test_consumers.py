"""Consumers: prefetch, and who gets the next message (Q)."""

import pytest
from amqp.exceptions import (
    AccessRefused,
    AMQPNotImplementedError,
    NotAllowed,
    NotFound,
    PreconditionFailed,
)

from tests.contract.target import Inbox, Target


def consumers(target: Target, queue: str, count: int, prefetch: int | None = None) -> list[Inbox]:
    """So many consumers of a queue, each on a channel of its own."""
    return [target.consume(queue, prefetch=prefetch) for _ in range(count)]


@pytest.mark.statement("Q-1")
def test_prefetch_is_per_consumer(target: Target) -> None:
    """Q-1: each consumer that starts later has the limit for itself; those that run keep theirs."""
    queue, channel = target.queue(), target.new_channel()
    first = target.consume(queue, channel=channel, prefetch=2)
    second = target.consume(queue, channel=channel)
    channel.basic_qos(0, 5, False)
    third = target.consume(queue, channel=channel, prefetch=1)

    target.fill(queue, *"0123456789")

    first.expect("0", "3")
    second.expect("1", "4")
    third.expect("2")
    target.expect_ready(queue, 5)
    first.ack(0)
    first.expect("0", "3", "5")


@pytest.mark.statement("Q-1", "Q-9")
def test_prefetch_is_counted_by_the_tag(target: Target) -> None:
    """Q-1: acks of what a former consumer of the same tag got let the present one have more."""
    queue, channel = target.queue(), target.new_channel()
    former = target.consume(queue, channel=channel, consumer_tag="mine", prefetch=2)
    target.fill(queue, *"0123456")
    former.expect("0", "1")
    channel.basic_cancel("mine")
    inbox = target.consume(queue, channel=channel, consumer_tag="mine", prefetch=2)

    inbox.expect("2", "3")
    former.ack(0)
    inbox.expect("2", "3", "4")
    former.ack(1)
    inbox.expect("2", "3", "4", "5")
    inbox.ack(0)
    inbox.expect("2", "3", "4", "5", "6")


@pytest.mark.statement("Q-1")
def test_no_limit(target: Target) -> None:
    """Q-1: 0 is no limit."""
    queue = target.queue()
    channel = target.new_channel()
    channel.basic_qos(0, 1, False)
    inbox = target.consume(queue, channel=channel, prefetch=0)

    target.fill(queue, "0", "1", "2")

    inbox.expect("0", "1", "2")


@pytest.mark.statement("Q-2")
def test_what_prefetch_does_not_limit(target: Target) -> None:
    """Q-2: neither deliveries without acknowledgement nor fetching is limited."""
    queue, channel = target.queue(), target.new_channel()
    channel.basic_qos(0, 1, False)
    target.fill(queue, "0", "1", "2")

    assert [target.get(queue, channel).body for _ in range(3)] == ["0", "1", "2"]
    inbox = target.consume(queue, channel=channel, no_ack=True)
    target.fill(queue, "3", "4")

    inbox.expect("3", "4")


@pytest.mark.statement("Q-3", "ERR-1")
def test_prefetch_size(target: Target) -> None:
    """Q-3: a limit in bytes is not implemented, and costs the connection."""
    channel = target.new_connection().channel()

    target.refused(
        AMQPNotImplementedError, "prefetch_size!=0 (1)", channel.basic_qos, 1, 0, False, on=channel
    )


@pytest.mark.statement("Q-4")
def test_global(target: Target) -> None:
    """Q-4: `global` makes a limit for each consumer, as without it; before 4.3 one for the whole channel."""
    queue, channel = target.queue(), target.new_channel()
    target.fill(queue, *"01234567")
    channel.basic_qos(0, 3, True)

    first, second = target.consume(queue, channel=channel), target.consume(queue, channel=channel)

    first.expect("0", "1", "2")
    second.expect(*("3", "4", "5") if target.since(4, 3) else ())


@pytest.mark.statement("Q-4")
def test_global_and_not(target: Target) -> None:
    """Q-4: before 4.3 there were two limits, of the channel and of each consumer; now the last holds."""
    queue, channel = target.queue(), target.new_channel()
    target.fill(queue, *"01234567")
    channel.basic_qos(0, 2, False)
    channel.basic_qos(0, 3, True)

    first, second = target.consume(queue, channel=channel), target.consume(queue, channel=channel)

    first.expect(*"012" if target.since(4, 3) else "01")
    second.expect(*"345" if target.since(4, 3) else "2")


@pytest.mark.statement("Q-5")
def test_turns(target: Target) -> None:
    """Q-5: consumers that are free take turns."""
    queue = target.queue()
    a, b, c = consumers(target, queue, 3)

    target.fill(queue, *"012345678")

    a.expect("0", "3", "6")
    b.expect("1", "4", "7")
    c.expect("2", "5", "8")


@pytest.mark.statement("Q-5")
def test_only_the_free_get_more(target: Target) -> None:
    """Q-5: one who has its fill is passed over, however often."""
    queue = target.queue()
    a, b = consumers(target, queue, 2, prefetch=1)

    target.fill(queue, *"0123")
    b.expect("1")
    b.ack(0)
    b.expect("1", "2")
    b.ack(1)

    b.expect("1", "2", "3")
    a.expect("0")


@pytest.mark.statement("Q-5")
def test_acks_of_the_untried_change_no_order(target: Target) -> None:
    """Q-5: while nothing was offered to them in vain, consumers keep their turns, whoever acks first."""
    queue = target.queue()
    a, b, c = consumers(target, queue, 3, prefetch=1)
    target.fill(queue, *"012")
    for inbox, body in ((a, "0"), (b, "1"), (c, "2")):
        inbox.expect(body)

    for inbox in (c, a, b):
        inbox.ack(0)
    target.fill(queue, *"345")

    a.expect("0", "3")
    b.expect("1", "4")
    c.expect("2", "5")


@pytest.mark.statement("Q-5")
def test_acks_of_the_blocked_make_the_order(target: Target) -> None:
    """Q-5: those that were tried in vain come back in the order of their acks."""
    queue = target.queue()
    a, b, c = consumers(target, queue, 3, prefetch=1)
    target.fill(queue, *"0123")
    for inbox, body in ((a, "0"), (b, "1"), (c, "2")):
        inbox.expect(body)

    c.ack(0)
    c.expect("2", "3")
    b.ack(0)
    a.ack(0)
    target.fill(queue, *"45")

    b.expect("1", "4")
    a.expect("0", "5")


@pytest.mark.statement("Q-5")
def test_first_come_first_served(target: Target) -> None:
    """Q-5: who subscribes to a backlog without a limit takes all of it; then they take turns."""
    queue = target.queue()
    target.fill(queue, *"012345")
    a = target.consume(queue)
    a.expect(*"012345")
    b = target.consume(queue)

    b.expect()
    target.fill(queue, "6", "7")

    a.expect(*"0123456")
    b.expect("7")


@pytest.mark.statement("Q-5")
def test_requeued_to_the_next(target: Target) -> None:
    """Q-5: a message that is rejected again and again goes round."""
    queue = target.queue()
    a, b = consumers(target, queue, 2)
    target.fill(queue, "x")

    a.expect("x")
    a.requeue(0)
    b.expect("x")
    b.requeue(0)
    a.expect("x", "x")
    a.requeue(1)
    b.expect("x", "x")


@pytest.mark.statement("Q-5")
def test_requeued_to_the_same(target: Target) -> None:
    """Q-5: it comes back to the same one when the other is busy."""
    queue = target.queue()
    a, b = consumers(target, queue, 2, prefetch=1)
    target.fill(queue, "x", "y")

    a.expect("x")
    b.expect("y")
    a.requeue(0)

    a.expect("x", "x")
    b.expect("y")


@pytest.mark.statement("Q-6")
def test_priorities_of_consumers(target: Target) -> None:
    """Q-6: the highest that is free gets all, others what it cannot take; usual is 0, less is possible."""
    queue = target.queue()
    low = target.consume(queue, prefetch=2, arguments={"x-priority": -1})
    usual = target.consume(queue, prefetch=2)
    high = target.consume(queue, prefetch=2, arguments={"x-priority": 1})

    target.fill(queue, *"01234567")

    high.expect("0", "1")
    usual.expect("2", "3")
    low.expect("4", "5")
    low.ack(0)
    low.expect("4", "5", "6")
    high.ack(0)
    high.expect("0", "1", "7")


@pytest.mark.statement("Q-6")
def test_priority_is_a_number(target: Target) -> None:
    """Q-6: a consumer's priority is a whole number."""
    queue = target.queue()

    target.refused(
        PreconditionFailed,
        f"invalid arg 'x-priority' for queue '{queue}' in vhost '/': \"expected integer, got longstr\"",
        target.channel.basic_consume,
        queue,
        arguments={"x-priority": "a"},
    )


@pytest.mark.statement("Q-7")
def test_exclusive_consumer(target: Target) -> None:
    """Q-7: an exclusive consumer is the only one of its queue, though others may fetch from it."""
    queue, shared = target.queue(), target.queue()
    inbox = target.consume(queue, exclusive=True, prefetch=1)
    target.consume(shared)

    for name, exclusive in ((queue, False), (queue, True), (shared, True)):
        target.refused(
            AccessRefused,
            f"queue '{name}' in vhost '/' in exclusive use",
            target.channel.basic_consume,
            name,
            exclusive=exclusive,
        )
    target.fill(queue, "0", "1")
    inbox.expect("0")
    assert target.get(queue).body == "1"

    inbox.channel.basic_cancel(inbox.tag)
    target.fill(queue, "2")
    target.consume(queue).expect("2")


@pytest.mark.statement("Q-8")
def test_single_active_consumer(target: Target) -> None:
    """Q-8: the first is active and gets all, while it is free and while it is not; others may fetch."""
    queue = target.queue(single_active_consumer=True)
    a, b = consumers(target, queue, 2, prefetch=2)

    target.fill(queue, *"01234")

    a.expect("0", "1")
    b.expect()
    assert target.get(queue).body == "2"
    a.ack(0)
    a.expect("0", "1", "3")
    b.expect()


@pytest.mark.statement("Q-8")
def test_next_active_consumer(target: Target) -> None:
    """Q-8: after the active one comes the highest priority, then who subscribed first."""
    queue = target.queue(single_active_consumer=True)
    a, b, c = consumers(target, queue, 3)
    high = target.consume(queue, arguments={"x-priority": 5})
    target.fill(queue, "0")
    a.expect("0")

    a.channel.basic_cancel(a.tag)
    target.fill(queue, "1")
    high.expect("1")
    high.channel.basic_cancel(high.tag)
    target.fill(queue, "2")
    b.expect("2")
    b.channel.close()
    target.fill(queue, "3")
    c.expect("2", "3")


@pytest.mark.statement("Q-8")
def test_next_active_consumer_gets_what_waits(target: Target) -> None:
    """Q-8: the next one gets what waits at once; before 4 only when another subscribes or requeues."""
    queue = target.queue(single_active_consumer=True)
    a, b = consumers(target, queue, 2, prefetch=1)
    target.fill(queue, "0", "1")
    a.expect("0")

    a.channel.basic_cancel(a.tag)
    if not target.since(4):
        b.expect()
        target.consume(queue)
    b.expect("1")


@pytest.mark.statement("Q-8")
def test_single_active_consumer_is_a_flag(target: Target) -> None:
    """Q-8: the argument is true or false, and such a queue has no exclusive consumer."""
    name, queue = target.name("queue"), target.queue(single_active_consumer=True)

    target.refused(
        PreconditionFailed,
        f"invalid arg 'x-single-active-consumer' for queue '{name}' in vhost '/': "
        "{unacceptable_type,signedint}",
        target.queue,
        name,
        single_active_consumer=1,
    )
    target.refused(
        AccessRefused,
        f"queue '{queue}' in vhost '/' in exclusive use",
        target.channel.basic_consume,
        queue,
        exclusive=True,
    )
    shared = target.queue(single_active_consumer=False)
    a, b = consumers(target, shared, 2)
    target.fill(shared, "0", "1")
    a.expect("0")
    b.expect("1")


@pytest.mark.statement("Q-9", "ERR-1")
def test_consumer_tags(target: Target) -> None:
    """Q-9: a channel's tags are unique, or it costs the connection; unknown ones may be cancelled."""
    queue, channel, other = target.queue(), target.new_connection().channel(), target.new_channel()

    assert channel.basic_consume(queue, "mine") == "mine"
    assert other.basic_consume(queue, "mine") == "mine"
    assert channel.basic_consume(queue).startswith("amq.ctag-")
    channel.basic_cancel("nobody")
    channel.basic_cancel("mine")
    assert channel.basic_consume(queue, "mine") == "mine"
    target.refused(
        NotAllowed, "attempt to reuse consumer tag 'mine'", channel.basic_consume, queue, "mine", on=channel
    )


@pytest.mark.statement("Q-9", "U-8")
def test_queue_before_tag(target: Target) -> None:
    """Q-9: what an empty queue name means is asked before the tag is looked at."""
    queue, channel = target.queue(), target.new_channel()
    channel.basic_consume(queue, "mine")

    target.refused(NotFound, "no previously declared queue", channel.basic_consume, "", "mine", on=channel)


@pytest.mark.statement("Q-10")
def test_queue_deleted_under_a_consumer(target: Target) -> None:
    """Q-10: when its queue is deleted a consumer is told so; its channel stays as it is."""
    queue, other, channel = target.queue(), target.queue(), target.new_channel()
    inbox, more = target.consume(queue, channel=channel), target.consume(other, channel=channel)
    target.fill(queue, "0")
    inbox.expect("0")

    target.channel.queue_delete(queue)
    target.drain(lambda: bool(inbox.cancelled))

    assert inbox.cancelled == [inbox.tag]
    inbox.ack(0)
    target.fill(other, "1")
    more.expect("1")
    assert more.messages[0].delivery_tag == 2
    assert more.cancelled == []


@pytest.mark.statement("Q-9", "Q-10")
def test_tag_of_a_consumer_whose_queue_was_deleted(target: Target) -> None:
    """Q-10: its tag is free; who had it gets what was sent before and is told, who takes it gets the rest."""
    queue, other, channel = target.queue(), target.queue(), target.new_channel()
    former = target.consume(queue, channel=channel, consumer_tag="mine")
    target.fill(queue, "0")
    target.channel.queue_delete(queue)
    target.rest()

    inbox = target.consume(other, channel=channel, consumer_tag="mine")
    target.fill(other, "1")

    inbox.expect("1")
    assert inbox.cancelled == []
    former.expect("0")
    assert former.cancelled == ["mine"]
