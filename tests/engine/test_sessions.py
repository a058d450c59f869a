"""Connections, channels and consumers: tags, prefetch, and what the outbox holds."""

import pytest

from sandbox.engine.errors import NotAllowed, PreconditionFailed
from sandbox.engine.sessions import Cancelled, Delivery
from tests.engine.bench import Bench, assert_whole, body


def test_tags_are_the_channels(bench: Bench) -> None:
    """R-1: delivery tags count 1, 2, 3 … per channel, shared by gets and consumers."""
    bench.queue("got")
    bench.queue("sent")
    other = bench.client()
    bench.fill(*"abcd", key="got")

    assert bench.fetch("got").tag == 1
    bench.consume("c", "sent")
    bench.publish("x", "sent")
    assert bench.fetch("got").tag == 3
    assert bench.fetch("got", channel=other).tag == 1
    assert [item.tag for item in bench.items()] == [2]
    assert bench.get("got", no_ack=True) is not None
    assert bench.channel.last_tag == 4
    assert list(bench.channel.unacked) == [1, 2, 3]


def test_ack_multiple(bench: Bench) -> None:
    """R-6: multiple means all outstanding tags up to this one; tag 0 means all."""
    bench.queue()
    bench.fill(*"abcdef")
    for _ in range(6):
        bench.fetch()
    bench.ack(2)

    bench.engine.basic_ack(bench.channel, 4, multiple=True)
    assert list(bench.channel.unacked) == [5, 6]
    bench.engine.basic_ack(bench.channel, 0, multiple=True)
    assert list(bench.channel.unacked) == []
    assert bench.ledger.done == 6


@pytest.mark.parametrize("tag", [1, 3, 5, 0, 99])
@pytest.mark.parametrize("multiple", [False, True])
def test_unknown_tags(bench: Bench, tag: int, multiple: bool) -> None:
    """R-6, R-7: acked already, of a get without ack, of another channel, or never given: 406."""
    bench.queue()
    bench.fill(*"abcd")
    bench.fetch()
    bench.ack(1)
    bench.fetch()
    assert bench.get(no_ack=True)
    other = bench.engine.open_channel(bench.connection)
    for _ in range(5):
        bench.publish()
        last = bench.fetch(channel=other)
    assert last.tag == 5

    if (tag, multiple) == (0, True):
        bench.engine.basic_ack(bench.channel, tag, multiple=multiple)
        assert not bench.channel.unacked
        return
    with pytest.raises(PreconditionFailed, match=rf"unknown delivery tag {tag}\b"):
        bench.engine.basic_ack(bench.channel, tag, multiple=multiple)
    assert len(other.unacked) == 5


def test_prefetch_is_for_later_consumers(bench: Bench) -> None:
    """Q-1: prefetch is of each consumer that starts later; two with 2 hold four; earlier ones keep theirs."""
    bench.queue()
    bench.consume("A", prefetch=2)
    bench.consume("B", prefetch=2)
    bench.engine.basic_qos(bench.channel, 0, 1)
    bench.fill(*"0123456")
    assert bench.unacked() == list("0123")
    bench.consume("C", prefetch=1)
    assert bench.unacked() == list("01234")
    bench.consume("D", prefetch=0)
    assert bench.unacked() == list("0123456")


def test_prefetch_is_the_channels_own(bench: Bench) -> None:
    """Q-1: prefetch that was set on one channel does not bind consumers of another."""
    bench.queue()
    other = bench.engine.open_channel(bench.connection)
    bench.engine.basic_qos(bench.channel, 0, 1)
    bench.engine.basic_consume(other, "q", "c")
    bench.fill(*"012")

    assert bench.unacked() == list("012")


def test_prefetch_does_not_bind_what_needs_no_ack(bench: Bench) -> None:
    """Q-2: prefetch is ignored for consumers without ack and for gets."""
    bench.queue()
    bench.consume("c", prefetch=1, no_ack=True)
    bench.fill(*"012")
    assert bench.sent() == [("c", "0"), ("c", "1"), ("c", "2")]
    bench.engine.basic_cancel(bench.channel, "c")

    bench.fill(*"345")
    assert [body(bench.fetch()) for _ in range(3)] == list("345")


def test_tags_of_consumers_are_the_channels(bench: Bench) -> None:
    """Q-9: a consumer tag may be used once per channel at a time, and again after a cancel."""
    bench.queue()
    other = bench.engine.open_channel(bench.connection)
    bench.consume("c")
    bench.consume("c", channel=other)
    bench.engine.basic_cancel(bench.channel, "c")
    bench.consume("c")

    with pytest.raises(NotAllowed):
        bench.consume("c", channel=other)


def test_a_tag_used_again_is_another_consumer(bench: Bench) -> None:
    """R-5, Q-9: what a cancelled consumer left unacked is not held by the next one of the same tag."""
    bench.queue()
    bench.fill(*"ab")
    bench.consume("c", prefetch=1)
    bench.sent()
    bench.engine.basic_cancel(bench.channel, "c")
    consumer = bench.consume("c", prefetch=1)

    assert consumer.held == 1
    assert bench.sent() == [("c", "b")]
    view = assert_whole(bench.engine).consumers[bench.channel.id, "c"]
    assert view.unacked == 1


def test_new_consumer_tags_differ(bench: Bench) -> None:
    """Q-9: the broker makes tags that nobody has."""
    tags = {bench.engine.new_consumer_tag() for _ in range(5)}

    assert len(tags) == 5
    assert all(tag.startswith("amq.ctag-") for tag in tags)


def test_cancel_keeps_what_is_unacked(bench: Bench) -> None:
    """R-5: cancelling requeues nothing; what was sent and not yet taken can be had before all else."""
    bench.queue()
    bench.consume("c")
    bench.consume("d")
    bench.fill(*"0123")
    taken = bench.engine.next_item(bench.connection, 0)
    assert isinstance(taken, Delivery)

    bench.engine.basic_cancel(bench.channel, "c")

    sent = list(iter(lambda: bench.engine.next_delivery(bench.channel, "c"), None))
    assert [body(delivery) for delivery in sent] == ["2"]
    assert all(delivery.handed for delivery in sent)
    assert bench.unacked() == list("0123")
    bench.ack(taken.tag, sent[0].tag)
    assert bench.sent() == [("d", "1"), ("d", "3")]
    assert_whole(bench.engine)


def test_what_a_cancelled_consumer_left_comes_back_on_close(bench: Bench) -> None:
    """R-5: unacked messages of a cancelled consumer are requeued when the channel closes."""
    bench.queue()
    bench.consume("c")
    bench.fill(*"01")
    bench.engine.basic_cancel(bench.channel, "c")

    bench.engine.close_channel(bench.channel)

    assert bench.ready() == list("01")
    assert [copy.redelivered for copy, _ in bench.engine.contents("q")] == [1, 1]


def test_cancel_of_a_stranger(bench: Bench) -> None:
    """Q-9: cancelling a tag of another channel does nothing."""
    bench.queue()
    other = bench.client()
    bench.consume("c", channel=other)

    bench.engine.basic_cancel(bench.channel, "c")

    assert "c" in other.consumers


def test_notices_stand_in_order(bench: Bench) -> None:
    """Q-10: deleting a queue sends a cancel after what was delivered before; the channel stays open."""
    bench.queue()
    bench.consume("c")
    bench.publish("a")
    bench.engine.queue_delete(bench.channel, "q")

    delivered, cancelled = list(bench.items())

    assert isinstance(delivered, Delivery)
    assert cancelled == Cancelled(bench.channel, "c")
    assert bench.channel.is_open
    assert not bench.channel.consumers
    bench.ack(delivered.tag)


def test_deliveries_are_marked_when_redelivered(bench: Bench) -> None:
    """R-3: redelivered is said after a requeue, and stays said of an earlier delivery what it was then."""
    bench.queue()
    bench.publish()
    first = bench.fetch()
    bench.requeue(first.tag)
    second = bench.fetch()

    assert not first.redelivered
    assert second.redelivered
    assert second.message is first.message


def test_connections_are_named(bench: Bench) -> None:
    """A connection has the name it was given, or its number."""
    assert bench.engine.connect("shop").name == "shop"
    assert bench.engine.connect().name == "connection 3"
    assert assert_whole(bench.engine).connections == {1: "client", 2: "shop", 3: "connection 3"}


def test_closing_twice(bench: Bench) -> None:
    """A channel or connection that is closed stays closed: closing it again does nothing."""
    serial = bench.engine.history.last
    bench.engine.close_channel(bench.channel)
    bench.engine.disconnect(bench.connection)
    kinds = bench.kinds(serial)
    bench.engine.close_channel(bench.channel)
    bench.engine.disconnect(bench.connection)

    assert bench.kinds(serial) == kinds
    assert_whole(bench.engine)
