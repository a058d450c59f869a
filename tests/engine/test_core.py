"""The verbs: exchanges, bindings, queues, messages in and out, acknowledgements."""

import gc
import weakref
from collections.abc import Callable

import pytest

from sandbox.engine.clock import ManualClock
from sandbox.engine.core import Engine
from sandbox.engine.declaring import Declared
from sandbox.engine.errors import BrokerError, NotAllowed, NotFound, ResourceLocked
from sandbox.engine.model import ExchangeOptions
from sandbox.engine.publishing import Published
from sandbox.engine.sessions import Delivery
from tests.engine.bench import Bench, assert_whole, body

# ---------------------------------------------------------------- exchanges and bindings


def test_declaring_again_changes_nothing(bench: Bench) -> None:
    """EX-6, U-1: the same declaration again is no change: nothing is recorded, nothing is lost."""
    bench.exchange("x", "topic", durable=True)
    bench.queue(ttl=1000)
    bench.bind("q", "x", "#")
    serial = bench.engine.history.last

    bench.exchange("x", "topic", durable=True)
    bench.queue(ttl=1000)
    bench.bind("q", "x", "#")

    assert bench.engine.history.last == serial
    assert bench.publish(exchange="x").queues == ("q",)


def test_passive_exchange(bench: Bench) -> None:
    """EX-8: a passive declaration checks neither type nor options, and makes nothing."""
    bench.exchange("x", "topic", durable=True)
    serial = bench.engine.history.last

    bench.engine.exchange_declare(bench.channel, "x", ExchangeOptions("nosuch"), passive=True)

    assert bench.engine.history.last == serial


def test_delete_exchange(bench: Bench) -> None:
    """EX-10: a deleted exchange goes with its bindings, those that end at it included."""
    bench.queue()
    for name in "xyz":
        bench.exchange(name, "fanout")
    bench.link("x", "y")
    bench.link("y", "z")
    bench.bind("q", "y")

    bench.engine.exchange_delete(bench.channel, "y")

    snapshot = assert_whole(bench.engine)
    assert "y" not in snapshot.exchanges
    assert not snapshot.bindings
    assert bench.publish(exchange="x").queues == ()
    with pytest.raises(NotFound):
        bench.publish(exchange="y")


def test_delete_unused_exchange(bench: Bench) -> None:
    """EX-10: an exchange that is only a destination is unused."""
    bench.exchange("x")
    bench.exchange("y")
    bench.link("x", "y")

    bench.engine.exchange_delete(bench.channel, "y", if_unused=True)

    assert "y" not in assert_whole(bench.engine).exchanges


@pytest.mark.parametrize("how", ["unbind", "delete queue", "delete destination", "unlink"])
def test_auto_delete_exchange(bench: Bench, how: str) -> None:
    """EX-12: an auto-delete exchange goes with the last binding that has it as source."""
    bench.queue()
    bench.exchange("y")
    bench.exchange("x", auto_delete=True)
    bench.bind("q", "x", "one")
    bench.bind("q", "x", "two")
    bench.unbind("q", "x", "one")
    assert "x" in bench.engine.snapshot().exchanges
    if how in ("delete destination", "unlink"):
        bench.link("x", "y")
        bench.unbind("q", "x", "two")
        assert "x" in bench.engine.snapshot().exchanges

    if how == "unbind":
        bench.unbind("q", "x", "two")
    elif how == "delete queue":
        bench.engine.queue_delete(bench.channel, "q")
    elif how == "delete destination":
        bench.engine.exchange_delete(bench.channel, "y")
    else:
        bench.engine.exchange_unbind(bench.channel, "y", "x", "", {})

    assert "x" not in assert_whole(bench.engine).exchanges
    history = bench.engine.history
    (deleted,) = [e for e in history.filter(kind="exchange_deleted") if e.target and e.target.name == "x"]
    assert deleted.reason == "auto-delete: its last binding is gone"
    assert history[deleted.cause].kind == "unbound"
    assert history[deleted.cause].what.source == "x"


def test_auto_delete_is_about_the_source(bench: Bench) -> None:
    """EX-12: an exchange that was never bound stays, and so does one that only loses a binding to it."""
    bench.exchange("x")
    bench.exchange("y", auto_delete=True)
    bench.link("x", "y")

    bench.engine.exchange_unbind(bench.channel, "y", "x", "", {})

    assert "y" in assert_whole(bench.engine).exchanges


def test_auto_delete_in_a_chain(bench: Bench) -> None:
    """EX-12: one that deletes itself takes the bindings to it along, and so the next one before it."""
    bench.queue()
    for name in "abc":
        bench.exchange(name, "fanout", auto_delete=True)
    bench.link("a", "b")
    bench.link("b", "c")
    bench.bind("q", "c")

    bench.engine.queue_delete(bench.channel, "q")

    assert not {"a", "b", "c"} & set(assert_whole(bench.engine).exchanges)


def test_auto_delete_of_the_source_alone(bench: Bench) -> None:
    """EX-12: deleting the destination of a chain takes along all that led to it, and nothing else did."""
    for name in "ab":
        bench.exchange(name, "fanout", auto_delete=True)
    bench.exchange("y")
    bench.link("a", "y")
    bench.link("b", "a")

    bench.engine.exchange_delete(bench.channel, "y")

    assert not {"a", "b", "y"} & set(assert_whole(bench.engine).exchanges)


def test_auto_delete_in_a_cycle(bench: Bench) -> None:
    """EX-12: of exchanges bound in a circle, those go that lose their last binding, as on RabbitMQ 4.3."""
    bench.queue()
    for name in "abc":
        bench.exchange(name, "fanout", auto_delete=True)
    for source, destination in ("ab", "ba", "bc", "ca", "cc"):
        bench.link(source, destination)
    bench.bind("q", "b")

    bench.engine.exchange_delete(bench.channel, "b")

    assert {"a", "b", "c"} & set(assert_whole(bench.engine).exchanges) == {"c"}


def test_a_binding_to_itself_keeps_an_exchange(bench: Bench) -> None:
    """EX-12: an exchange that is bound to itself has a binding as source, and stays."""
    bench.queue()
    bench.exchange("x", "fanout", auto_delete=True)
    bench.link("x", "x")
    bench.bind("q", "x")
    bench.unbind("q", "x")

    assert "x" in assert_whole(bench.engine).exchanges


def test_unbind_what_is_not_there(bench: Bench) -> None:
    """U-9, EX-2: unbinding with another key or other arguments is no error and no change."""
    bench.queue()
    bench.bind("q", "amq.topic", "a")
    serial = bench.engine.history.last

    bench.unbind("q", "amq.topic", "b")
    bench.unbind("q", "amq.topic", "a", arg=1)
    bench.unbind("nope", "amq.topic", "a")
    bench.unbind("q", "nope", "a")

    assert bench.engine.history.last == serial


# ---------------------------------------------------------------- queues


def test_declared(bench: Bench) -> None:
    """R-12: declaring answers with the ready messages only, and with the number of consumers."""
    bench.queue()
    bench.fill("a", "b", "c")
    bench.fetch()

    assert bench.engine.queue_declare(bench.channel, "q") == Declared("q", 2, 0)
    bench.consume(prefetch=1)
    assert bench.engine.queue_declare(bench.channel, "q", passive=True) == Declared("q", 1, 1)


def test_passive_ignores_options(bench: Bench) -> None:
    """U-3: a passive declaration ignores arguments, even wrong ones."""
    bench.queue()

    declared = bench.engine.queue_declare(
        bench.channel, "q", passive=True, durable=True, arguments={"x-message-ttl": "?"}
    )

    assert declared == Declared("q", 0, 0)


def test_unnamed_queues(bench: Bench) -> None:
    """U-8: a queue without a name gets one, and an empty name then means the last declared."""
    first, second = bench.queue(""), bench.queue("")
    assert first != second
    assert first.startswith("amq.gen-")
    bench.bind("", "amq.direct")
    bench.bind("", "amq.topic", "k")

    keys = {binding.routing_key for binding in bench.engine.snapshot().bindings}
    assert keys == {second, "k"}
    assert bench.publish(key=second, exchange="amq.direct").queues == (second,)
    assert bench.get("") is not None
    bench.engine.queue_unbind(bench.channel, "", "amq.direct", "", {})
    assert bench.publish(key=second, exchange="amq.direct").queues == ()
    assert bench.queue(first) == first
    bench.consume("c", "")
    assert bench.channel.consumers["c"].queue.name == first
    assert bench.engine.queue_purge(bench.channel, "") == 0
    assert bench.engine.queue_delete(bench.channel, "") == 0
    assert second in assert_whole(bench.engine).queues
    assert first not in bench.engine.snapshot().queues


def test_the_last_declared_is_the_channels(bench: Bench) -> None:
    """U-8: an empty name means the queue that was last declared on this very channel."""
    bench.queue()
    other = bench.engine.open_channel(bench.connection)

    with pytest.raises(NotFound, match="no previously declared queue"):
        bench.get("", channel=other)
    bench.engine.queue_declare(other, "q", passive=True)
    assert bench.get("", channel=other) is None


def test_exclusive_queue(bench: Bench) -> None:
    """U-4: an exclusive queue is for all channels of its connection, survives its channel, ends with it."""
    bench.queue("mine", exclusive=True)
    second = bench.engine.open_channel(bench.connection)
    stranger = bench.client()
    bench.engine.close_channel(bench.channel)

    assert bench.publish(key="mine", channel=stranger).queues == ("mine",)
    assert bench.fetch("mine", channel=second).tag == 1
    bench.queue("mine", exclusive=True, durable=True, channel=second)
    with pytest.raises(ResourceLocked):
        bench.get("mine", channel=stranger)
    bench.engine.disconnect(bench.connection)
    assert "mine" not in assert_whole(bench.engine).queues


def test_exclusive_queue_takes_its_bindings(bench: Bench) -> None:
    """U-4, EX-12: bindings of an exclusive queue go with it when the connection closes."""
    bench.exchange("x", auto_delete=True)
    bench.queue("mine", exclusive=True)
    bench.bind("mine", "x", "k")

    bench.engine.disconnect(bench.connection)

    snapshot = assert_whole(bench.engine)
    assert not snapshot.bindings
    assert "x" not in snapshot.exchanges


def refused(bench: Bench) -> None:
    """Make a channel error."""
    with pytest.raises(NotFound):
        bench.publish(exchange="nope")


LEAVE: dict[str, Callable[[Bench], object]] = {
    "cancel": lambda b: b.engine.basic_cancel(b.channel, "c"),
    "close channel": lambda b: b.engine.close_channel(b.channel),
    "disconnect": lambda b: b.engine.disconnect(b.connection),
    "channel error": refused,
    "drop": lambda b: b.drop(b.connection),
    "close": lambda b: b.engine.close(),
}


@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
def test_auto_delete_queue(bench: Bench, leave: Callable[[Bench], object]) -> None:
    """U-5, C: an auto-delete queue goes with its last consumer and all messages, before any returns."""
    stays = bench.client("other")
    bench.queue(auto_delete=True)
    bench.bind("q", "amq.fanout")
    bench.consume("c", prefetch=1)
    bench.consume("d", prefetch=1, channel=stays)
    bench.fill("0", "1", "2")
    bench.engine.basic_cancel(stays, "d")
    assert "q" in bench.engine.snapshot().queues

    leave(bench)

    snapshot = bench.engine.snapshot()
    assert not snapshot.queues
    assert not snapshot.bindings
    assert snapshot.ledger.removed == 3
    assert not bench.engine.history.filter(kind="requeued")


def test_auto_delete_needs_a_consumer(bench: Bench) -> None:
    """U-5: an auto-delete queue that never had a consumer stays; a get does not count as one."""
    bench.queue(auto_delete=True)
    bench.publish()
    bench.fetch()
    bench.engine.close_channel(bench.channel)

    assert bench.ready() == ["m"]


def test_delete_queue(bench: Bench) -> None:
    """U-6: deleting answers with the ready messages; unacked are no content; consumers are users."""
    bench.queue()
    bench.fill("a", "b", "c")
    bench.fetch()
    assert bench.engine.queue_delete(bench.channel, "q", if_unused=True) == 2

    bench.queue()
    bench.publish()
    bench.consume()
    assert bench.engine.queue_delete(bench.channel, "q", if_empty=True) == 0
    assert bench.ledger.removed == 4


def test_ack_after_delete(bench: Bench) -> None:
    """R-10: acking what a deleted queue had delivered is fine, also if there is a new one of its name."""
    bench.queue()
    bench.fill("a", "b", "c")
    tags = [bench.fetch().tag for _ in range(3)]
    bench.engine.queue_delete(bench.channel, "q")
    bench.queue()
    bench.publish("new")
    removed = bench.ledger

    bench.ack(tags[0])
    bench.requeue(tags[1])
    bench.engine.basic_nack(bench.channel, tags[2], requeue=False)

    assert bench.ledger == removed
    assert bench.ready() == ["new"]
    assert not bench.channel.unacked


def test_purge(bench: Bench) -> None:
    """U-7: purging removes the ready ones and counts them; unacked ones survive and can come back."""
    bench.queue()
    bench.fill("a", "b", "c")
    tag = bench.fetch().tag

    assert bench.engine.queue_purge(bench.channel, "q") == 2
    assert bench.engine.queue_purge(bench.channel, "q") == 0
    bench.requeue(tag)
    assert bench.ready() == ["a"]
    assert bench.ledger.removed == 2


def test_transient_queues_are_noted(bench: Bench) -> None:
    """U-11: a queue neither durable nor exclusive is accepted, with a note in the history."""
    bench.queue("durable", durable=True)
    bench.queue("exclusive", exclusive=True)
    bench.queue("transient")

    noted = [str(event) for event in bench.engine.history if "deprecated" in str(event)]
    assert len(noted) == 1
    assert "transient" in noted[0]


# ---------------------------------------------------------------- messages


def test_published(bench: Bench) -> None:
    """MAN-1: publishing tells the queues that got a copy, and whether the message was returned or lost."""
    bench.queue("a")
    bench.queue("b")
    bench.bind("b", "amq.fanout")
    bench.bind("a", "amq.fanout")

    first = bench.publish("one", exchange="amq.fanout")
    assert first == Published(first.message, ("b", "a"))
    assert (first.message.id, first.message.body) == (1, b"one")
    lost = bench.publish(key="nope")
    assert lost == Published(bench.engine.history[bench.engine.history.last - 1].what, ())
    returned = bench.publish(key="nope", mandatory=True)
    assert returned.returned
    assert bench.publish(key="a", mandatory=True).returned is False
    ledger = assert_whole(bench.engine).ledger
    assert (ledger.published, ledger.routed, ledger.lost, ledger.returned) == (4, 2, 1, 1)


def test_messages_are_what_was_published(bench: Bench) -> None:
    """A message keeps body, headers and properties, and is shared by its copies."""
    bench.queue("a")
    bench.queue("b")
    bench.bind("a", "amq.fanout")
    bench.bind("b", "amq.fanout")
    headers, properties = {"h": 1}, {"message_id": "7", "expiration": "1500"}

    bench.engine.basic_publish(bench.channel, "amq.fanout", "k", b"x" * 1000, headers, properties)

    message = bench.fetch("a").message
    assert message is bench.fetch("b").message
    assert (message.body, message.headers, message.properties) == (b"x" * 1000, headers, properties)
    assert (message.exchange, message.routing_key, message.ttl) == ("amq.fanout", "k", 1.5)


def test_get_counts_what_remains(bench: Bench) -> None:
    """R-12: a get tells how many stay ready: 2, 1, 0, and nothing when there is nothing."""
    bench.queue()
    bench.fill("a", "b", "c")

    found = [bench.engine.basic_get(bench.channel, "q") for _ in range(4)]

    assert [each and (body(each[0]), each[1]) for each in found] == [("a", 2), ("b", 1), ("c", 0), None]


def test_get_without_ack(bench: Bench) -> None:
    """R-11: what is fetched without ack is gone at once and cannot be acknowledged."""
    bench.queue()
    bench.publish("a")
    delivery = bench.get(no_ack=True)

    assert delivery is not None
    assert delivery.handed
    assert bench.ledger.done == 1
    with pytest.raises(BrokerError):
        bench.ack(delivery.tag)


def test_consume_without_ack(bench: Bench) -> None:
    """R-11: what is sent without ack is done when it is sent, and lost if the client dies."""
    bench.queue()
    bench.consume(no_ack=True)
    bench.publish("a")
    assert bench.ledger.done == 1
    assert not bench.channel.unacked

    bench.engine.close_channel(bench.channel)
    assert bench.ready() == []
    assert_whole(bench.engine)


def test_exclusive_consumer(bench: Bench) -> None:
    """Q-7: beside an exclusive consumer a get is still allowed, and after it anybody may consume."""
    bench.queue()
    bench.consume("c", exclusive=True, prefetch=1)
    bench.fill("a", "b")
    assert body(bench.fetch()) == "b"
    bench.engine.basic_cancel(bench.channel, "c")

    bench.consume("d")


@pytest.mark.parametrize("requeue", [True, False])
def test_nack_multiple(bench: Bench, requeue: bool) -> None:
    """R-8: nack is reject with multiple; without requeue the messages are dropped."""
    bench.queue()
    bench.fill(*"abcd")
    for _ in range(4):
        bench.fetch()

    bench.engine.basic_nack(bench.channel, 3, multiple=True, requeue=requeue)

    assert bench.ready() == (list("abc") if requeue else [])
    assert bench.unacked() == ["d"]
    assert bench.ledger.dropped == (0 if requeue else 3)


def test_recover(bench: Bench) -> None:
    """R-9: recover requeues all unacked of this channel, which come again under new tags."""
    other = bench.client()
    bench.queue()
    bench.fill(*"abcd")
    bench.consume("c", prefetch=2)
    bench.fetch(channel=other)
    assert bench.sent() == [("c", "a"), ("c", "b")]

    bench.engine.basic_recover(bench.channel)

    assert list(bench.channel.unacked) == [3, 4]
    assert [d.redelivered for d in bench.channel.unacked.values()] == [True, True]
    assert bench.sent() == [("c", "a"), ("c", "b")]
    assert list(other.unacked) == [1]
    bench.engine.basic_recover(bench.client())


def test_recover_does_not_call_back(bench: Bench) -> None:
    """R-9: what was sent and not yet taken when it is recovered comes twice, as on RabbitMQ 4.3."""
    bench.queue()
    bench.fill(*"ab")
    bench.consume("c")

    bench.engine.basic_recover(bench.channel)

    came = [(body(i), i.tag, i.redelivered) for i in bench.items() if isinstance(i, Delivery)]
    assert came == [("a", 1, False), ("b", 2, False), ("a", 3, True), ("b", 4, True)]
    assert list(bench.channel.unacked) == [3, 4]
    assert_whole(bench.engine)


def test_ack_of_what_was_not_taken_yet(bench: Bench) -> None:
    """R-6: acking all acks what is under way too, and lets the next come, as on RabbitMQ 4.3."""
    bench.queue()
    bench.fill(*"abc")
    bench.consume("c", prefetch=2)

    bench.engine.basic_ack(bench.channel, 0, multiple=True)

    assert bench.sent() == [("c", "a"), ("c", "b"), ("c", "c")]
    assert list(bench.channel.unacked) == [3]
    assert_whole(bench.engine)


@pytest.mark.parametrize("leave", [LEAVE[name] for name in LEAVE if name != "cancel"])
def test_leaving_requeues_in_place(bench: Bench, leave: Callable[[Bench], object]) -> None:
    """R-3, R-4: when a channel or connection closes, unacked return to their seats, prefetched ones too."""
    other = bench.client("other")
    bench.queue()
    bench.fill(*"abcdef")
    bench.fetch(channel=other)
    bench.fetch()
    bench.consume("c", prefetch=2)
    next(bench.items())

    leave(bench)

    broker_is_open = bench.engine.is_open
    assert bench.ready() == list("bcdef" if broker_is_open else "abcdef")
    returned = [copy.redelivered for copy, _ in bench.engine.contents("q")]
    assert returned == ([0, 1, 1, 1, 0, 0] if broker_is_open else [1, 1, 1, 1, 0, 0])
    assert not bench.connection.outbox
    assert_whole(bench.engine)


def test_requeued_messages_go_to_others(bench: Bench) -> None:
    """R-4, C: what a closed channel held goes to the consumers of others at once, marked as redelivered."""
    other = bench.client("other")
    bench.queue()
    bench.consume("c", prefetch=2)
    bench.consume("d", prefetch=3, channel=other)
    bench.fill(*"0123")
    assert bench.unacked() == list("0123")

    bench.engine.close_channel(bench.channel)

    assert bench.sent(other.connection) == [("d", "1"), ("d", "3"), ("d", "0")]
    assert bench.ready() == ["2"]


def test_closing_one_channel_leaves_the_others(bench: Bench) -> None:
    """R-4: closing a channel takes its own deliveries out of the outbox, and leaves others in order."""
    second = bench.engine.open_channel(bench.connection)
    bench.queue()
    bench.consume("c")
    bench.consume("d", channel=second)
    bench.fill(*"0123")

    bench.engine.close_channel(bench.channel)

    assert bench.sent() == [("d", "1"), ("d", "3"), ("d", "0"), ("d", "2")]


def test_close(bench: Bench) -> None:
    """A closed broker has no clients, keeps its durable state to look at, and lets nobody in."""
    bench.queue()
    bench.publish("a")
    bench.fetch()

    bench.engine.close()
    bench.engine.close()

    snapshot = assert_whole(bench.engine)
    assert not bench.engine.is_open
    assert not snapshot.connections
    assert not snapshot.channels
    assert bench.ready() == ["a"]


# ---------------------------------------------------------------- clients that are gone


def test_dropped_connections_are_closed_by_the_next_verb(bench: Bench) -> None:
    """A client that was garbage-collected is a dropped socket: the next verb sends back what it held."""
    other = bench.client("other")
    bench.queue()
    bench.fill("a", "b")
    bench.fetch(channel=other)
    bench.consume("c", prefetch=1, channel=other)

    bench.drop(other.connection)

    assert bench.ready() == ["a", "b"]
    assert not bench.engine.dropped
    assert not other.connection.is_open
    assert_whole(bench.engine)


@pytest.mark.parametrize("how", ["disconnect", "connection error", "close", "twice"])
def test_dropping_what_is_closed(bench: Bench, how: str) -> None:
    """A client that is collected after its connection was closed, in whatever way, changes nothing more."""
    other = bench.client("other")
    if how == "disconnect":
        bench.engine.disconnect(other.connection)
    elif how == "connection error":
        with pytest.raises(BrokerError):
            bench.engine.basic_qos(other, 1, 0)
    elif how == "close":
        bench.engine.close()
    else:
        bench.engine.dropped.append(other.connection)

    bench.engine.dropped.append(other.connection)

    assert_whole(bench.engine)
    assert not bench.engine.dropped


def test_engines_are_collected() -> None:
    """An engine that nobody refers to is gone with all its messages."""
    bench = Bench()
    bench.queue()
    bench.publish()
    gone = weakref.ref(bench.engine)

    del bench
    gc.collect()

    assert gone() is None


def test_engines_share_nothing() -> None:
    """Two brokers are two worlds, even with one clock."""
    clock = ManualClock()
    one, other = Bench(clock), Bench(clock)
    one.queue()

    with pytest.raises(NotFound):
        other.get()
    assert isinstance(other.engine, Engine)
    one.engine.advance(2)
    assert other.engine.now == 2.0


def test_a_connection_error_ends_only_its_connection(bench: Bench) -> None:
    """ERR: after a connection error other clients go on."""
    other = bench.client("other")
    bench.queue()
    bench.consume("a", channel=other)
    with pytest.raises(NotAllowed):
        bench.consume("a", channel=other)

    bench.publish("x")
    assert bench.ready() == ["x"]
    assert_whole(bench.engine)


def test_contents_are_limited(bench: Bench) -> None:
    """`contents` gives copies in the order of their seats, as many as asked for; 404 without the queue."""
    bench.queue()
    bench.fill(*"abc")
    bench.fetch()

    assert [copy.message.body for copy, _ in bench.engine.contents("q", 2)] == [b"a", b"b"]
    assert [holder is not None for _, holder in bench.engine.contents("q")] == [True, False, False]
    with pytest.raises(NotFound):
        bench.engine.contents("nope")
