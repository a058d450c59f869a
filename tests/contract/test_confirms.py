"""Publisher confirms and transactions (CON)."""

from typing import Any

import pytest
from amqp.exceptions import PreconditionFailed

from tests.contract.target import Target


class Confirms:
    """What the broker answers to one channel's messages, by their number; and returns, in the same order."""

    def __init__(self, target: Target, channel: Any) -> None:
        self._target = target
        self.answers: dict[int, str] = {}
        self.order: list[str] = []
        channel.events["basic_ack"].add(lambda tag, multiple: self._answer("ack", tag, multiple))
        channel.events["basic_nack"].add(lambda tag, multiple: self._answer("nack", tag, multiple))
        channel.events["basic_return"].add(lambda *_: self.order.append("return"))

    def _answer(self, word: str, tag: int, multiple: bool) -> None:
        upto = range(1, tag + 1)  # a later message may have been answered for before
        for number in [number for number in upto if number not in self.answers] if multiple else [tag]:
            assert number not in self.answers
            self.answers[number] = word
            self.order.append(word)

    def expect(self, *answers: str) -> None:
        """These, and no more, are the answers to the messages from 1 on."""
        self._target.drain(lambda: len(self.answers) >= len(answers))
        assert self.answers == dict(enumerate(answers, start=1))


@pytest.mark.statement("CON-1")
def test_numbers(target: Target) -> None:
    """CON-1: messages are counted from the first `confirm.select` on; a second one changes nothing."""
    queue, channel = target.queue(), target.channel
    confirms = Confirms(target, channel)

    target.publish("before", "", queue)
    confirms.expect()
    channel.confirm_select()
    target.publish("one", "", queue)
    confirms.expect("ack")
    channel.confirm_select()
    target.publish("two", "", queue)
    confirms.expect("ack", "ack")
    target.expect(queue, "before", "one", "two")


@pytest.mark.statement("CON-2")
def test_unroutable_is_acked(target: Target) -> None:
    """CON-2: nobody got it, and the broker acknowledges it; if mandatory, after returning it."""
    exchange, channel = target.exchange(), target.channel
    confirms = Confirms(target, channel)
    channel.confirm_select()

    target.publish("dropped", exchange, "key")
    confirms.expect("ack")
    target.publish("returned", exchange, "key", mandatory=True)
    confirms.expect("ack", "ack")

    assert confirms.order == ["ack", "return", "ack"]


@pytest.mark.statement("CON-3")
def test_acked_when_the_queues_have_it(target: Target) -> None:
    """CON-3: what all queues accepted is acknowledged, even if it is dropped or expires at once."""
    exchange, channel = target.exchange("fanout"), target.channel
    queues = [
        target.queue(),
        target.queue(max_length=0),
        target.queue(message_ttl=0),
        target.queue(max_length=1),
    ]
    for queue in queues:
        channel.queue_bind(queue, exchange)
    confirms = Confirms(target, channel)
    channel.confirm_select()

    target.publish("one", exchange, delivery_mode=2)
    target.publish("two", exchange, delivery_mode=1)
    target.publish("three", "", queues[1], expiration="0")

    confirms.expect("ack", "ack", "ack")
    target.expect(queues[0], "one", "two")
    target.expect(queues[1])
    target.expect(queues[2])
    target.expect(queues[3], "two")


@pytest.mark.statement("CON-4", "L-5")
def test_nacked_when_a_queue_rejects(target: Target) -> None:
    """CON-4: a full queue that rejects makes it a nack; the other queues keep their copies."""
    exchange, channel = target.exchange("fanout"), target.channel
    full, other = target.queue(max_length=1, overflow="reject-publish"), target.queue()
    for queue in (full, other):
        channel.queue_bind(queue, exchange)
    confirms = Confirms(target, channel)
    channel.confirm_select()

    for body in ("0", "1", "2"):
        target.publish(body, exchange)

    confirms.expect("ack", "nack", "nack")
    target.expect(full, "0")
    target.expect(other, "0", "1", "2")
    target.publish("3", exchange)
    confirms.expect("ack", "nack", "nack", "ack")


@pytest.mark.statement("CON-5")
def test_rejected_is_not_returned(target: Target) -> None:
    """CON-5: a message that a full queue rejects was routed: it does not come back."""
    channel = target.channel
    full = target.queue(max_length=0, overflow="reject-publish")
    confirms = Confirms(target, channel)
    channel.confirm_select()

    target.publish("x", "", full, mandatory=True)

    confirms.expect("nack")
    assert confirms.order == ["nack"]


@pytest.mark.statement("CON-5")
def test_confirms_or_transactions(target: Target) -> None:
    """CON-5: a channel has confirms or transactions, not both; without the latter nothing can be ended."""
    with_tx, with_confirms = target.new_channel(), target.new_channel()
    with_tx.tx_select()
    with_tx.tx_select()
    with_confirms.confirm_select()

    for channel, call, text in (
        (with_tx, with_tx.confirm_select, "cannot switch from tx to confirm mode"),
        (with_confirms, with_confirms.tx_select, "cannot switch from confirm to tx mode"),
        (target.channel, target.channel.tx_commit, "channel is not transactional"),
        (target.channel, target.channel.tx_rollback, "channel is not transactional"),
    ):
        target.refused(PreconditionFailed, text, call, on=channel)


@pytest.mark.statement("CON-5")
def test_transaction_publishes(target: Target) -> None:
    """CON-5: what is published in a transaction is there when it is committed, or never."""
    queue, channel, returned = target.queue(), target.channel, target.returns()
    channel.tx_select()

    target.publish("kept", "", queue)
    target.publish("comes back", "", target.name("nobody"), mandatory=True)
    target.sync(channel)
    target.expect_ready(queue, 0)
    assert returned == []
    channel.tx_commit()
    target.expect(queue, "kept")
    target.sync(channel)
    assert [back.message.body for back in returned] == ["comes back"]

    target.publish("discarded", "", queue)
    channel.tx_rollback()
    target.publish("next", "", queue)
    channel.tx_commit()
    target.expect(queue, "next")


@pytest.mark.statement("CON-5")
def test_default_exchange_routes_at_the_commit(target: Target) -> None:
    """CON-5: published to a queue that is declared before the commit, a message gets there."""
    channel, returned = target.channel, target.returns()
    name = target.name("later")
    channel.tx_select()

    target.publish("in time", "", name, mandatory=True)
    target.sync(channel)
    target.queue(name)
    channel.tx_commit()
    target.expect(name, "in time")
    target.sync(channel)
    assert returned == []


@pytest.mark.statement("CON-5")
def test_transaction_acknowledges(target: Target) -> None:
    """CON-5: to acknowledge in a transaction waits for its commit; rolled back, it was never done."""
    queue, channel = target.queue(), target.new_channel()
    target.fill(queue, "0", "1", "2")
    channel.tx_select()
    tags = [target.get(queue, channel).delivery_tag for _ in range(3)]

    channel.basic_ack(tags[0])
    channel.tx_commit()
    channel.basic_ack(tags[1])
    channel.basic_reject(tags[2], requeue=False)
    channel.tx_rollback()
    channel.close()

    one, two = target.expect(queue, "1", "2")
    assert one.delivery_info["redelivered"]
    assert two.delivery_info["redelivered"]


@pytest.mark.statement("CON-5")
def test_rolled_back_and_done_again(target: Target) -> None:
    """CON-5: in a transaction a message is acknowledged once; after a rollback it can be once more."""
    queue, channel = target.queue(), target.new_channel()
    target.fill(queue, "0", "1")
    channel.tx_select()
    tags = [target.get(queue, channel).delivery_tag for _ in range(2)]

    channel.basic_ack(tags[1], multiple=True)
    channel.tx_rollback()
    channel.basic_ack(tags[0])
    channel.tx_commit()
    channel.basic_ack(tags[1])
    target.refused(
        PreconditionFailed, f"unknown delivery tag {tags[1]}", channel.basic_ack, tags[1], on=channel
    )

    target.expect(queue, "1")


@pytest.mark.statement("CON-5", "L-5")
def test_partial_commit(target: Target) -> None:
    """CON-5: a full queue fails the commit and so closes the channel, but all else in it is done."""
    full, other = target.queue(max_length=0, overflow="reject-publish"), target.queue()
    target.fill(other, "acked", "held")
    channel = target.new_channel()
    returned = target.returns(channel)
    channel.tx_select()
    acked = target.get(other, channel)
    held = target.get(other, channel)

    target.publish("refused", "", full, channel=channel)
    target.publish("kept", "", other, channel=channel)
    target.publish("comes back", "", target.name("nobody"), channel=channel, mandatory=True)
    channel.basic_ack(acked.delivery_tag)
    target.refused(PreconditionFailed, "partial tx completion", channel.tx_commit, on=channel)

    assert held.body == "held"
    target.expect(full)
    target.expect(other, "held", "kept")
    assert [back.message.body for back in returned] == ["comes back"]
    target.refused(PreconditionFailed, "channel is not transactional", channel.tx_commit, on=channel)


@pytest.mark.statement("CON-5")
def test_transaction_requeues(target: Target) -> None:
    """CON-5: a requeueing waits for its commit too."""
    queue, channel = target.queue(), target.channel
    target.fill(queue, "0")
    channel.tx_select()
    tag = target.get(queue).delivery_tag

    channel.basic_reject(tag, requeue=True)
    target.sync(channel)
    target.expect_ready(queue, 0)
    channel.tx_commit()

    target.expect(queue, "0")
