"""The Broker's face: what one types in a notebook, rightly and wrongly."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kombu
import pytest
from amqp.exceptions import (
    AccessRefused,
    AMQPNotImplementedError,
    ChannelError,
    FrameSyntaxError,
    NotFound,
    PreconditionFailed,
    RecoverableConnectionError,
)

import sandbox
from sandbox import Broker, ManualClock
from sandbox.tables import Table
from sandbox.transport import BROKERS


def payloads(broker: Broker, queue: str) -> list[Any]:
    """The payloads of a queue, head first; the queue is empty then."""
    return [message.payload for message in iter(lambda: broker.get(queue, no_ack=True), None)]


def names(table: Table[Any]) -> set[str]:
    """The first column."""
    return {row[0] for row in table}


def fill(broker: Broker, *bodies: Any, queue: str = "work") -> None:
    broker.queue(queue)
    for body in bodies:
        broker.publish(body, routing_key=queue)


# ---------------------------------------------------------------- declaring


@pytest.mark.parametrize("type", ["direct", "topic", "fanout", "headers"])
def test_exchange_is_declared_and_bound(broker: Broker, type: str) -> None:
    """`exchange` declares at once and returns kombu's Exchange, ready for use."""
    exchange = broker.exchange("x", type, durable=False, auto_delete=True, arguments={"x-mine": 1})

    assert isinstance(exchange, kombu.Exchange)
    assert exchange.is_bound
    assert (exchange.name, exchange.type, exchange.durable, exchange.auto_delete) == ("x", type, False, True)
    row = broker.exchanges["x"]
    assert (row.type, row.durable, row.auto_delete, row.arguments) == (type, False, True, {"x-mine": 1})
    exchange.declare()  # the same again


def test_exchange_is_durable_and_direct_by_default(broker: Broker) -> None:
    """Defaults are kombu's: durable, not deleted by itself, direct."""
    broker.exchange("x")

    row = broker.exchanges["x"]
    assert (row.type, row.durable, row.auto_delete, row.internal) == ("direct", True, False, False)


def test_queue_is_declared_and_bound(broker: Broker) -> None:
    """`queue` declares and binds at once and returns kombu's Queue, ready for use; times are in seconds."""
    queue = broker.queue(
        "work",
        exchange=broker.exchange("x", "topic"),
        routing_key="a.#",
        message_ttl=1.5,
        expires=60,
        auto_delete=True,
        durable=False,
        arguments={"x-mine": 1},
    )

    assert isinstance(queue, kombu.Queue)
    assert queue.is_bound
    row = broker.queues["work"]
    assert row.arguments == {"x-message-ttl": 1500, "x-expires": 60_000, "x-mine": 1}
    assert (row.durable, row.exclusive, row.auto_delete) == (False, False, True)
    assert [(b.source, b.routing_key, b.destination) for b in broker.bindings] == [("x", "a.#", "work")]
    queue.declare()  # the same again


def test_queue_finds_an_exchange_by_name(broker: Broker) -> None:
    """An exchange given by name is looked up: the returned Queue has its real type and options."""
    broker.exchange("x", "topic", durable=False, auto_delete=True, arguments={"x-mine": 1})
    queue = broker.queue("work", exchange="x", routing_key="a.*")

    found = queue.exchange
    assert (found.name, found.type, found.durable, found.auto_delete) == ("x", "topic", False, True)
    queue.declare()
    assert broker.publish("x", exchange="x", routing_key="a.b").queues == ("work",)
    assert broker.queue("other", exchange="amq.fanout").exchange.type == "fanout"


def test_queue_without_exchange_is_reached_by_its_name(broker: Broker) -> None:
    """Every queue is bound to the default exchange by its name, and to nothing else."""
    for exchange in (None, "", kombu.Exchange("")):
        broker.queue("work", exchange=exchange)

    assert len(broker.bindings) == 0
    assert broker.publish("x", routing_key="work").queues == ("work",)


def test_queue_without_a_name_gets_one(broker: Broker) -> None:
    """An empty name lets the broker choose one."""
    one, other = broker.queue(), broker.queue(exclusive=True)

    assert one.name.startswith("amq.gen-")
    assert one.name != other.name
    assert {row.name for row in broker.queues} == {one.name, other.name}


def test_declare_takes_an_applications_own_entities(broker: Broker) -> None:
    """`declare` takes unbound kombu Exchanges and Queues, and leaves them as they are."""
    exchange = kombu.Exchange("x", "topic")
    queue = kombu.Queue("work", exchange, routing_key="a")
    broker.declare(exchange, queue)

    assert not exchange.is_bound
    assert not queue.is_bound
    assert broker.bindings[0].destination == "work"
    broker.declare()


def test_bind_takes_names_and_objects(broker: Broker) -> None:
    """`bind` and `unbind` take a queue or an exchange as destination, by name or as an object."""
    source = broker.exchange("source", "topic")
    target = broker.exchange("target", "fanout")
    queue = broker.queue("work")
    broker.bind("target", "source", "a.#")
    broker.bind(target, source, "a.#")
    broker.bind("work", "target", "a.#")
    broker.bind(queue, target, "a.#")

    assert [(b.source, b.destination, b.kind) for b in broker.bindings] == [
        ("source", "target", "exchange"),
        ("target", "work", "queue"),
    ]
    assert broker.publish("x", exchange="source", routing_key="a").queues == ("work",)

    broker.unbind(target, "source", "other")  # not there: no error
    broker.unbind(target, "source", "a.#")
    broker.unbind("work", target, "a.#")
    broker.unbind("work", target, "a.#")
    assert len(broker.bindings) == 0


def test_bind_means_the_queue_first(broker: Broker) -> None:
    """A name that a queue and an exchange share means the queue; the object says the exchange."""
    exchange = broker.exchange("same")
    broker.queue("same")
    broker.bind("same", "amq.topic", "a")
    broker.bind(exchange, "amq.topic", "b")

    assert [(b.kind, b.routing_key) for b in broker.bindings] == [("queue", "a"), ("exchange", "b")]
    broker.delete("same")
    assert "same" not in names(broker.queues)
    broker.delete("same")
    assert "same" not in names(broker.exchanges)


def test_binding_arguments_tell_bindings_apart(broker: Broker) -> None:
    """A binding is taken away by its exact arguments."""
    broker.queue("work")
    for size in (1, 2):
        broker.bind("work", "amq.headers", arguments={"size": size})
    broker.unbind("work", "amq.headers", arguments={"size": 1})

    assert [b.arguments for b in broker.bindings] == [{"size": 2}]


def test_delete_and_purge(broker: Broker) -> None:
    """`purge` removes the ready messages and counts them; `delete` removes queues and exchanges for good."""
    fill(broker, 1, 2, 3)
    held = broker.get("work")
    assert held is not None
    assert broker.purge("work") == 2
    assert (broker.queues["work"].ready, broker.queues["work"].unacked) == (0, 1)

    broker.exchange("x")
    broker.bind("work", "x", "k")
    with pytest.raises(PreconditionFailed, match="in use"):
        broker.delete("x", if_unused=True)
    broker.delete("work")
    broker.delete("x")
    held.ack()  # of a message whose queue is gone: no error
    broker.delete("never there")
    assert len(broker.queues) == len(broker.bindings) == 0
    assert "x" not in names(broker.exchanges)


# ---------------------------------------------------------------- publishing


def test_publish_says_what_became_of_it(broker: Broker) -> None:
    """The result tells which queues got the message, in words too; messages are numbered."""
    broker.exchange("x", "fanout")
    for name in ("one", "two"):
        broker.queue(name, exchange="x")

    routed = broker.publish("a", exchange="x")
    lost = broker.publish("b", routing_key="nowhere")
    returned = broker.publish("c", routing_key="nowhere", mandatory=True)

    assert (routed.message_id, routed.queues, routed.routed, routed.returned) == (
        1,
        ("one", "two"),
        True,
        False,
    )
    assert (lost.message_id, lost.queues, lost.routed, lost.returned) == (2, (), False, False)
    assert (returned.message_id, returned.queues, returned.routed, returned.returned) == (3, (), False, True)
    assert repr(routed) == "<message 1 went to one, two>"
    assert repr(lost) == "<message 2 is lost: no queue>"
    assert repr(returned) == "<message 3 was returned: no queue>"


def test_publish_takes_objects_and_properties(broker: Broker) -> None:
    """`publish` takes kombu's Exchange, and kombu's and AMQP's properties; `expiration` is in seconds."""
    exchange = broker.exchange("x")
    broker.queue("work", exchange=exchange, routing_key="k")
    broker.publish(
        {1, 2},
        exchange,
        "k",
        headers={"a": 1},
        expiration=1.5,
        priority=3,
        serializer="pickle",
        correlation_id="c",
        delivery_mode=1,
    )

    message = broker.get("work")
    assert message is not None
    message.accept = {"application/x-python-serialize"}
    assert message.payload == {1, 2}
    assert message.headers == {"a": 1}
    assert message.properties["expiration"] == "1500"
    assert (message.properties["priority"], message.properties["delivery_mode"]) == (3, 1)
    assert message.properties["correlation_id"] == "c"


def test_publish_does_not_keep_what_it_was_given(broker: Broker) -> None:
    """The broker holds what was sent, whatever the publisher does with it afterwards."""
    broker.queue("work")
    headers, body = {"list": [1]}, {"list": [1]}
    broker.publish(body, routing_key="work", headers=headers)
    headers["list"].append(2)
    body["list"].append(2)

    message = broker.get("work")
    assert message is not None
    assert (message.payload, message.headers) == ({"list": [1]}, {"list": [1]})


# ---------------------------------------------------------------- getting


def test_get_gives_the_head(broker: Broker) -> None:
    """`get` gives messages in order, and None when there are none; each can be settled in four ways."""
    fill(broker, 0, 1, 2, 3)
    queue = kombu.Queue("work")
    messages: list[Any] = [broker.get(name) for name in ("work", queue, "work", "work")]
    assert [message.payload for message in messages] == [0, 1, 2, 3]
    assert broker.get("work") is None

    acked, rejected, back, requeued = messages
    acked.ack()
    rejected.reject()
    requeued.requeue()
    back.reject(requeue=True)
    assert payloads(broker, "work") == [2, 3]
    assert (broker.ledger.done, broker.ledger.dropped) == (3, 1)


def test_get_without_ack(broker: Broker) -> None:
    """With `no_ack` the message is done with when it is given."""
    fill(broker, "x")
    assert broker.get("work", no_ack=True) is not None

    assert (broker.queues["work"].ready, broker.queues["work"].unacked) == (0, 0)


def test_peek_disturbs_nothing(still: Broker) -> None:
    """Ready and unacked messages are shown, head first, with the TTL that is left; nothing happens by it."""
    still.queue("work", message_ttl=10)
    for body in ("first", b"\xff\x00", "x" * 100):
        still.publish(body, routing_key="work")
    held = still.get("work")
    assert held is not None
    still.publish("last", routing_key="work", expiration=2)
    still.advance(1)
    before = still.snapshot()

    rows = still.peek("work")

    assert still.snapshot() == before
    assert [(row.message, row.state, row.ttl_left) for row in rows] == [
        (1, "unacked", 9),
        (2, "ready", 9),
        (3, "ready", 9),
        (4, "ready", 1),
    ]
    assert [row.body for row in rows] == ["first", "\\xff\x00", "x" * 80, "last"]
    assert rows[0].held_by == f"channel {held.channel.channel_id}"
    assert [row.redelivered for row in rows] == [0, 0, 0, 0]
    held.requeue()
    assert (still.peek(kombu.Queue("work"))[0].redelivered, still.peek("work")[0].held_by) == (1, "")
    assert len(still.peek("work")) == 4


def test_peek_names_the_consumer(broker: Broker) -> None:
    """A message that a consumer holds is shown with its tag."""
    fill(broker, "x")
    consumption = broker.consume("work", lambda *_: None)

    assert broker.peek("work")[0].held_by == consumption.tag


# ---------------------------------------------------------------- consuming


def test_consume_and_drain(broker: Broker) -> None:
    """`drain` calls each consumer's callback with body and message, and counts the calls."""
    fill(broker, {"n": 1}, {"n": 2})
    received = []

    def callback(body: Any, message: kombu.Message) -> None:
        received.append(body)
        message.ack()

    consumption = broker.consume("work", callback)
    assert repr(consumption) == "<consumer consumer-1 of work>"
    assert received == []
    assert broker.drain() == 2
    assert received == [{"n": 1}, {"n": 2}]
    assert broker.drain() == 0
    assert broker.ledger.done == 2


def test_consume_options(broker: Broker) -> None:
    """A consumer has the prefetch, priority, exclusiveness and need of acks that it was given."""
    fill(broker, 1, 2, 3)
    broker.queue("alone")
    received: list[Any] = []
    broker.consume("work", lambda body, _: received.append(body), prefetch_count=2, priority=5)
    broker.consume(broker.queue("easy"), print, no_ack=True)
    broker.consume("alone", print, exclusive=True)

    assert [
        (row.queue, row.prefetch, row.priority, row.no_ack, row.exclusive) for row in broker.consumers
    ] == [
        ("work", 2, 5, False, False),
        ("easy", 0, 0, True, False),
        ("alone", 0, 0, False, True),
    ]
    assert broker.drain() == 2
    assert received == [1, 2]
    with pytest.raises(AccessRefused, match="exclusive use"):
        broker.consume("alone", print)
    assert len(broker.consumers) == 3


def test_cancel_keeps_what_was_delivered(broker: Broker) -> None:
    """After `cancel` nothing more comes, and what came can still be acknowledged; `close` gives it back."""
    fill(broker, "a", "b")
    held: list[kombu.Message] = []
    consumption = broker.consume("work", lambda _, message: held.append(message), prefetch_count=1)
    broker.drain()
    consumption.cancel()
    consumption.cancel()
    assert len(broker.consumers) == 0
    assert broker.drain() == 0
    held[0].ack()
    assert broker.queues["work"].ready == 1

    other = broker.consume("work", lambda *_: None)
    broker.drain()
    other.close()
    other.cancel()
    assert (broker.queues["work"].ready, broker.queues["work"].unacked) == (1, 0)


def test_drain_waits_for_the_first(broker: Broker) -> None:
    """`drain(timeout)` waits for a first message in real time, and ends when there are no more."""
    broker.queue("work")
    broker.consume("work", lambda _, message: message.ack())
    began = time.monotonic()
    assert broker.drain(timeout=0.05) == 0
    assert time.monotonic() - began >= 0.05

    with ThreadPoolExecutor() as pool:
        draining = pool.submit(broker.drain, timeout=10)
        broker.publish("x", routing_key="work")
        assert draining.result() == 1
    assert time.monotonic() - began < 5


def test_drain_passes_errors_on(broker: Broker) -> None:
    """What a callback raises comes out of `drain`; its message stays unacked, the others wait."""
    fill(broker, "bad", "good")
    received = []

    def callback(body: str, message: kombu.Message) -> None:
        if body == "bad":
            raise ZeroDivisionError
        received.append(body)
        message.ack()

    broker.consume("work", callback)
    with pytest.raises(ZeroDivisionError):
        broker.drain()
    assert broker.drain() == 1
    assert received == ["good"]
    assert broker.queues["work"].unacked == 1


def test_drain_has_a_limit(broker: Broker) -> None:
    """A message that is requeued for ever ends in an error that says so, not in a loop."""
    fill(broker, "hot potato")
    broker.consume("work", lambda _, message: message.requeue())

    with pytest.raises(RuntimeError, match="10 deliveries and no end: is a message requeued for ever"):
        broker.drain(limit=10)
    assert broker.peek("work")[0].redelivered == 10


def test_a_consumer_drains_alone(broker: Broker) -> None:
    """`Consumption.drain` calls that consumer only, in order, and what is for others stays on its way."""
    fill(broker, 1, 2, 3, 4)
    received: list[tuple[str, Any]] = []
    one = broker.consume("work", lambda body, _: received.append(("one", body)))
    two = broker.consume("work", lambda body, _: received.append(("two", body)))
    fill(broker, 5, 6, 7, 8)
    assert [row.unacked for row in broker.consumers] == [6, 2]

    assert two.drain() == 2
    assert received == [("two", 6), ("two", 8)]
    assert two.drain() == 0
    assert broker.drain() == 6
    assert received[2:] == [("one", body) for body in (1, 2, 3, 4, 5, 7)]
    one.cancel()
    two.close()
    assert one.drain() == two.drain() == 0


def test_a_consumer_drains_what_its_acks_let_in(broker: Broker) -> None:
    """What the callback acknowledges makes room, and the next one is handed over too."""
    fill(broker, 1, 2, 3)
    consumption = broker.consume("work", lambda _, message: message.ack(), prefetch_count=1)

    assert consumption.drain() == 3
    assert broker.ledger.done == 3


def test_a_consumer_that_requeues_for_ever_is_told(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Consumption.drain` ends like `broker.drain` does: in an error that says why."""
    monkeypatch.setattr("sandbox.broker.ENDLESS", 10)
    fill(broker, "hot potato")
    consumption = broker.consume("work", lambda _, message: message.requeue())

    with pytest.raises(RuntimeError, match="10 deliveries and no end"):
        consumption.drain()


# ---------------------------------------------------------------- mistakes

UNKNOWN: dict[str, tuple[Callable[[Broker], object], str]] = {
    "queue to an exchange": (lambda b: b.queue("new", exchange="odrers"), "Did you mean 'orders'?"),
    "bind to an exchange": (lambda b: b.bind("work", "odrers", "k"), "Did you mean 'orders'?"),
    "bind an exchange on": (lambda b: b.bind("orders", "amq.topik"), "Did you mean 'amq.topic'?"),
    "bind a queue": (lambda b: b.bind("wrok", "orders"), "Did you mean 'work'?"),
    "publish": (lambda b: b.publish("x", exchange="odrers"), "Did you mean 'orders'?"),
    "get": (lambda b: b.get("wrok"), "Did you mean 'work'?"),
    "get something else": (lambda b: b.get("zzz"), "Declared queues: 'work'."),
    "consume": (lambda b: b.consume("wrok", print), "Did you mean 'work'?"),
    "peek": (lambda b: b.peek("wrok"), "Did you mean 'work'?"),
    "purge": (lambda b: b.purge("wrok"), "Did you mean 'work'?"),
}


@pytest.mark.parametrize(("mistake", "note"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_names(broker: Broker, mistake: Callable[[Broker], object], note: str) -> None:
    """An unknown queue or exchange is RabbitMQ's 404, with what was meant as a note; nothing is made."""
    broker.exchange("orders")
    fill(broker, "x")
    broker.publish("x", routing_key="work")  # so that the verb's channel is there
    before = broker.snapshot()

    with pytest.raises(NotFound) as caught:
        mistake(broker)

    assert caught.value.reply_code == 404
    assert note in caught.value.__notes__
    after = broker.snapshot()
    assert (after.queues, after.exchanges, after.bindings) == (
        before.queues,
        before.exchanges,
        before.bindings,
    )
    assert after.consumers == before.consumers
    assert after.ledger == before.ledger


def test_unknown_names_on_an_empty_broker(broker: Broker) -> None:
    """When there is nothing yet, the note says so."""
    with pytest.raises(NotFound) as caught:
        broker.get("work")
    assert caught.value.__notes__ == ["No queue has been declared yet."]


BAD: dict[str, tuple[Callable[[Broker], object], type[Exception], str]] = {
    "negative TTL": (lambda b: b.queue("new", message_ttl=-1), PreconditionFailed, "value_negative,-1000"),
    "TTL of words": (lambda b: b.queue("new", message_ttl="10"), TypeError, "number of seconds"),  # type: ignore[arg-type]
    "TTL without end": (lambda b: b.queue("new", message_ttl=float("inf")), TypeError, "number of seconds"),
    "TTL of a bool": (lambda b: b.queue("new", message_ttl=True), TypeError, "number of seconds"),
    "TTL of a century": (lambda b: b.queue("new", message_ttl=4e9), PreconditionFailed, "value_too_large"),
    "no expiry at all": (lambda b: b.queue("new", expires=0), PreconditionFailed, "value_zero,0"),
    "negative expiry": (lambda b: b.queue("new", expires=-1), PreconditionFailed, "value_negative,-1000"),
    "negative expiration": (
        lambda b: b.publish("x", routing_key="work", expiration=-1),
        PreconditionFailed,
        "value_negative,-1000",
    ),
    "expiration of words": (
        lambda b: b.publish("x", routing_key="work", expiration="1"),  # type: ignore[arg-type]
        TypeError,
        "number of seconds",
    ),
    "no number": (
        lambda b: b.publish("x", routing_key="work", expiration=float("nan")),
        TypeError,
        "number of seconds",
    ),
    "another durability": (
        lambda b: b.queue("work", durable=False),
        PreconditionFailed,
        "inequivalent arg 'durable' for queue 'work' in vhost '/': received 'false' but current is 'true'",
    ),
    "another TTL": (
        lambda b: b.queue("work", message_ttl=1),
        PreconditionFailed,
        "inequivalent arg 'x-message-ttl'",
    ),
    "another type": (lambda b: b.exchange("orders", "topic"), PreconditionFailed, "inequivalent arg 'type'"),
    "unknown type": (
        lambda b: b.exchange("new", "tropic"),
        PreconditionFailed,
        "unknown exchange type 'tropic'",
    ),
    "reserved queue": (lambda b: b.queue("amq.mine"), AccessRefused, "reserved prefix"),
    "reserved exchange": (lambda b: b.exchange("amq.mine"), AccessRefused, "reserved prefix"),
    "delete a system exchange": (
        lambda b: b.delete("amq.topic"),
        AccessRefused,
        "deletion of system exchange",
    ),
    "delete the default exchange": (lambda b: b.delete(""), AccessRefused, "default exchange"),
    "bind to the default exchange": (lambda b: b.bind("work", ""), AccessRefused, "default exchange"),
    "delete what is full": (lambda b: b.delete("work", if_empty=True), PreconditionFailed, "not empty"),
    "prefetch below zero": (
        lambda b: b.consume("work", print, prefetch_count=-1),
        FrameSyntaxError,
        "prefetch count is a number from 0 to 65535",
    ),
    "a body of nothing known": (
        lambda b: b.publish(object(), routing_key="work"),
        kombu.exceptions.EncodeError,
        "not JSON serializable",
    ),
    "a header of nothing known": (
        lambda b: b.publish("x", routing_key="work", headers={"a": object()}),
        FrameSyntaxError,
        "not handled by AMQP",
    ),
    "a priority below zero": (
        lambda b: b.publish("x", routing_key="work", priority=-1),
        FrameSyntaxError,
        "0 to 255",
    ),
    "back in time": (lambda b: b.advance(-1), ValueError, "time cannot go back"),
    "no time at all": (lambda b: b.advance(float("nan")), ValueError, "nan"),
    "the end of time": (lambda b: b.advance(float("inf")), ValueError, "inf"),
}


@pytest.mark.parametrize(("mistake", "error", "words"), BAD.values(), ids=BAD)
def test_bad_input(
    still: Broker, mistake: Callable[[Broker], object], error: type[Exception], words: str
) -> None:
    """What cannot be is refused with the reason, and nothing has changed."""
    still.exchange("orders")
    fill(still, "held", "ready")
    still.consume("work", lambda *_: None, prefetch_count=1)
    before = still.snapshot()

    with pytest.raises(error) as caught:
        mistake(still)

    assert words in str(caught.value)
    after = still.snapshot()
    assert (after.queues, after.exchanges, after.bindings) == (
        before.queues,
        before.exchanges,
        before.bindings,
    )
    assert after.consumers == before.consumers
    assert after.ledger == before.ledger
    assert still.now == 0


def test_a_refused_consumer_leaves_no_channel(broker: Broker) -> None:
    """`consume` closes the channel that it opened if it cannot subscribe."""
    broker.queue("work")
    before = len(broker.snapshot().channels)
    for _ in range(3):
        with pytest.raises(NotFound):
            broker.consume("wrok", print)

    assert len(broker.snapshot().channels) == before


MISTAKES: dict[str, Callable[[Broker], object]] = {
    "declare": lambda b: b.queue("new", exchange="no such exchange"),
    "exchange": lambda b: b.exchange("amq.mine"),
    "bind": lambda b: b.bind("no such queue", "amq.topic"),
    "delete": lambda b: b.delete("amq.topic"),
    "purge": lambda b: b.purge("no such queue"),
    "peek": lambda b: b.peek("no such queue"),
    "publish": lambda b: b.publish("x", exchange="no such exchange"),
    "consume": lambda b: b.consume("no such queue", print),
    "channel": lambda b: b.channel().basic_ack(99),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_touch_nothing_else(broker: Broker, mistake: Callable[[Broker], object]) -> None:
    """A mistake in one verb never touches what another handed out: messages, consumers, queues, channels."""
    exchange, queue = broker.exchange("x", "fanout"), broker.queue("work", exchange="x")
    fill(broker, "got", "delivered", "given")
    held: list[kombu.Message] = []
    got = broker.get("work")
    broker.consume("work", lambda _, message: held.append(message), prefetch_count=1)
    channel = broker.channel()
    given: Any = channel.basic_get("work")
    broker.drain()
    assert got is not None

    with pytest.raises(ChannelError):
        mistake(broker)

    got.ack()
    held[0].ack()
    given.ack()
    assert broker.publish("more", exchange="x").queues == ("work",)
    assert broker.drain() == 1
    queue.declare()
    exchange.declare()
    assert broker.queues["work"].unacked == 1


def test_a_connection_error_is_got_over(broker: Broker) -> None:
    """An error that closes the broker's own connection gives back what it held; then every verb works."""
    exchange = broker.exchange("x", "fanout")
    fill(broker, "got", "delivered")
    got = broker.get("work")
    consumption = broker.consume("work", print)
    assert got is not None

    with pytest.raises(AMQPNotImplementedError):
        broker.channel().basic_recover(requeue=False)

    assert (broker.queues["work"].ready, len(broker.consumers)) == (2, 0)
    consumption.cancel()
    consumption.close()
    broker.bind("work", exchange)
    assert broker.publish("more", exchange="x").queues == ("work",)
    assert broker.exchange("x", "fanout").is_bound
    again = broker.get("work")
    assert again is not None
    assert (again.payload, again.delivery_info["redelivered"]) == ("got", True)
    received: list[Any] = []
    broker.consume("work", lambda body, _: received.append(body))
    assert broker.drain() == 2
    assert received == ["delivered", "more"]
    broker.purge("work")
    broker.delete("work")


def test_unmodelled_arguments_are_refused(broker: Broker) -> None:
    """What the sandbox does not model is refused with a sentence, not accepted in silence."""
    with pytest.raises(PreconditionFailed):
        broker.queue("new", arguments={"x-queue-type": "quorum"})
    assert "new" not in names(broker.queues)


# ---------------------------------------------------------------- time


def test_now_is_the_clocks(still: Broker) -> None:
    """A broker without a clock of its own begins at 0; brokers that share a clock have one time."""
    assert still.now == 0
    assert 0 <= Broker().now < 5

    clock = ManualClock()
    first, second = Broker(clock=clock), Broker(clock=clock)
    second.queue("work", message_ttl=2)
    second.publish("x", routing_key="work")
    first.advance(5)

    assert first.now == second.now == Broker(clock=clock).now == 5
    assert second.queues["work"].ready == 0
    assert second.history.filter(kind="expired")[0].time == 2


def test_a_manual_clock_stands_still(still: Broker) -> None:
    """Nothing expires until the broker is told to advance, however long one looks."""
    still.queue("brief", message_ttl=0.001)
    still.publish("x", routing_key="brief")
    still.drain(timeout=0.01)

    assert still.now == 0
    assert still.queues["brief"].ready == 1
    still.advance(0.001)
    assert still.queues["brief"].ready == 0


def test_advance_plays_each_moment_at_its_own_time(still: Broker) -> None:
    """In one big step everything on the way happens in order, at the time at which it was due."""
    for ttl in (3, 1, 2):
        still.queue(f"q{ttl}", message_ttl=ttl)
        still.publish("x", routing_key=f"q{ttl}")
    still.queue("idle", expires=1.5)
    still.advance(10)

    happened = [(event.time, event.kind) for event in still.history if event.time > 0]
    assert happened == [
        (1, "expired"),
        (1.5, "deleting"),
        (1.5, "queue_deleted"),
        (2, "expired"),
        (3, "expired"),
    ]
    assert still.now == 10


def test_small_steps_add_up(still: Broker) -> None:
    """Ten tenths of a second are one second."""
    still.queue("work", message_ttl=1)
    still.publish("x", routing_key="work")
    for _ in range(9):
        still.advance(0.1)
    assert still.queues["work"].ready == 1

    still.advance(0.1)
    assert still.now == 1
    assert still.queues["work"].ready == 0


def test_step_goes_to_the_next_moment(still: Broker) -> None:
    """`step` moves to where something happens by itself, and says when and where; None when nothing will."""
    still.queue("late", message_ttl=5)
    still.queue("soon", message_ttl=2)
    for name in ("late", "soon"):
        still.publish("x", routing_key=name)

    assert still.step() == (2, "soon")
    assert still.step() == (5, "late")
    assert still.step() is None
    assert still.now == 5


def test_due_tells_what_comes_next(still: Broker) -> None:
    """`due` is when, and in which queue, something happens by itself next; looking changes nothing."""
    before = still.due
    still.queue("late", message_ttl=5)
    still.queue("soon", message_ttl=2)
    for name in ("late", "soon"):
        still.publish("x", routing_key=name)

    for _ in range(2):
        due = still.due
        assert due is not None
        assert (due.time, due.queue, still.now) == (2, "soon", 0)
    assert still.run_until_idle() == 2
    assert [before, still.due] == [None, None]


def test_clock_is_the_one_that_was_given() -> None:
    """`clock` is the broker's clock, real time if it was given none."""
    clock = ManualClock()

    assert Broker(clock=clock).clock is clock
    assert isinstance(Broker().clock, sandbox.WallClock)


def test_run_until_idle_goes_to_the_end(still: Broker) -> None:
    """`run_until_idle` steps until nothing will happen by itself any more, and counts the steps."""
    still.queue("work")
    for seconds in (1, 2, 2, 3):
        still.publish("x", routing_key="work", expiration=seconds)

    assert still.run_until_idle() == 3
    assert still.now == 3
    assert still.run_until_idle() == 0
    assert still.ledger.expired == 4


def test_run_until_idle_has_a_limit(still: Broker) -> None:
    """Without an end in so many steps it is an error that names the queues concerned."""
    for number, queue in enumerate(["early", "loop-a", "loop-b", "loop-a", "loop-b", "loop-a", "loop-b"]):
        still.queue(queue)
        still.publish("x", routing_key=queue, expiration=number + 1)

    with pytest.raises(
        RuntimeError, match=r"6 steps and no end; the last ones were in early, loop-a, loop-b$"
    ):
        still.run_until_idle(limit=6)
    assert still.run_until_idle(limit=1) == 1


@pytest.mark.parametrize("move", ["advance", "step", "run_until_idle"])
def test_the_wall_clock_moves_by_itself(broker: Broker, move: str) -> None:
    """Moving time by hand needs a manual clock; the error shows how to get one."""
    broker.queue("work")
    broker.publish("x", routing_key="work", expiration=60)

    with pytest.raises(RuntimeError, match=r"sandbox\.Broker\(clock=sandbox\.ManualClock\(\)\)"):
        getattr(broker, move)(*[1] if move == "advance" else [])
    assert broker.queues["work"].ready == 1


# ---------------------------------------------------------------- names, connections, closing


def test_brokers_have_names_of_their_own() -> None:
    """Without a name a broker is given one that no other has."""
    names = {Broker().name for _ in range(3)}

    assert len(names) == 3


def test_url_connection_and_channel(broker: Broker) -> None:
    """Each `connection` and `channel` is a new one, closed with the broker; `url` is for kombu and Celery."""
    first, second = broker.connection(), broker.connection("worker")
    assert broker.url == f"sandbox://{broker.name}"
    assert first.connection is not second.connection
    assert repr(second.connection) == "<worker>"
    one, other = broker.channel(), broker.channel()
    assert one is not other
    assert {"you", "worker"} <= set(broker.snapshot().connections.values())

    broker.close()
    assert not first.connected
    assert not second.connected
    assert one.connection is other.connection is None


def test_tables_follow_what_happens(broker: Broker) -> None:
    """The four tables show the broker's topology and who uses it."""
    broker.exchange("x", "topic")
    broker.queue("work", exchange="x", routing_key="a")
    broker.publish("1", exchange="x", routing_key="a")
    broker.publish("2", exchange="x", routing_key="b")
    broker.publish("3", exchange="x", routing_key="b", mandatory=True)
    broker.consume("work", print)

    exchange, queue, binding = broker.exchanges["x"], broker.queues["work"], broker.bindings["x"]
    assert (exchange.published, exchange.lost, exchange.returned) == (3, 1, 1)
    assert (queue.ready, queue.unacked, queue.consumers) == (0, 1, 1)
    assert (binding.destination, binding.taken) == ("work", 1)
    assert broker.consumers[0].unacked == 1
    assert str(broker.ledger) == "3 published = 1 routed + 1 returned + 1 lost · 1 copy = 1 unacked"
    assert broker.ledger.balanced
    assert [event.kind for event in broker.history.filter(message=2)] == ["published", "lost"]
    assert repr(broker).startswith(f"<Broker {broker.url} at ")
    assert str(broker.ledger) in repr(broker)


def test_with_closes() -> None:
    """`with Broker() as broker` closes it at the end, whatever happens inside."""

    def program(connections: list[Any]) -> None:
        with Broker(name="brief") as broker:
            connections.append(kombu.Connection(broker.url))
            assert connections[0].connect()
            raise ZeroDivisionError

    connections: list[Any] = []
    with pytest.raises(ZeroDivisionError):
        program(connections)

    assert not connections[0].connected
    assert "brief" not in BROKERS


AFTER_CLOSE: dict[str, Callable[[Broker], object]] = {
    "exchange": lambda b: b.exchange("x"),
    "queue": lambda b: b.queue("work"),
    "declare": lambda b: b.declare(kombu.Queue("work")),
    "bind": lambda b: b.bind("work", "amq.topic", "a"),
    "unbind": lambda b: b.unbind("work", "amq.topic", "a"),
    "publish": lambda b: b.publish("x", routing_key="work"),
    "get": lambda b: b.get("work"),
    "consume": lambda b: b.consume("work", print),
    "drain": lambda b: b.drain(),
    "purge": lambda b: b.purge("work"),
    "delete": lambda b: b.delete("work"),
    "channel": lambda b: b.channel(),
    "connection": lambda b: b.connection().connect(),
    "default channel": lambda b: b.connection().default_channel,
}


@pytest.mark.parametrize("verb", AFTER_CLOSE.values(), ids=AFTER_CLOSE)
@pytest.mark.parametrize("used", [True, False], ids=["used before", "never used"])
def test_a_closed_broker_says_so(broker: Broker, verb: Callable[[Broker], object], used: bool) -> None:
    """After `close` every verb says at once that the broker is closed, in an error that kombu knows."""
    if used:
        fill(broker, "x")
        broker.get("work")
    broker.close()
    broker.close()

    began = time.monotonic()
    with pytest.raises((RecoverableConnectionError, kombu.exceptions.OperationalError), match="closed"):
        verb(broker)
    assert time.monotonic() - began < 0.5


def test_a_closed_broker_can_be_looked_at(broker: Broker) -> None:
    """After `close` what was is still to be seen: tables, history, ledger, messages."""
    fill(broker, "x")
    broker.get("work")
    broker.close()

    assert broker.queues["work"].ready == 1
    assert broker.peek("work")[0].body == "x"
    assert broker.ledger.balanced
    assert broker.snapshot().connections == {}
    assert broker.history.last == len(broker.history)
    assert broker.name in repr(broker)


def test_recreating_a_broker_leaks_nothing() -> None:
    """Running a cell again and again, with the same name, leaves one broker: the last."""
    engines: list[weakref.ref[Any]] = []
    connections: list[weakref.ref[Any]] = []
    threads = threading.active_count()
    broker = None
    for _ in range(20):
        broker = Broker(name="again")
        fill(broker, "a", "b")
        broker.consume("work", lambda _, message: message.ack(), prefetch_count=1)
        broker.drain()
        broker.get("work")
        connection = broker.connection()
        connection.connect()
        engines.append(weakref.ref(BROKERS["again"]))
        connections.append(weakref.ref(connection.connection))
        del connection
    gc.collect()

    assert [engine() is None for engine in engines] == [True] * 19 + [False]
    assert [connection() for connection in connections] == [None] * 20
    assert threading.active_count() == threads
    assert set(BROKERS) >= {"again"}
    assert broker is not None
    assert broker.snapshot().connections == {1: "you"}
    broker.close()


def test_the_face_is_kombus() -> None:
    """`Exchange` and `Queue` are kombu's own classes."""
    assert sandbox.Exchange is kombu.Exchange
    assert sandbox.Queue is kombu.Queue


def test_route_tells_where_a_message_would_go(still: Broker) -> None:
    """`route` gives the queues and the bindings that lead there, and changes nothing."""
    still.exchange("orders", type="topic")
    still.exchange("facts", type="headers")
    still.queue("eu", exchange="orders", routing_key="order.eu.#")
    still.queue("pdf", exchange="facts", binding_arguments={"format": "pdf"})
    before = still.snapshot()

    (binding,) = still.route("orders", "order.eu.new")["eu"]
    assert binding.routing_key == "order.eu.#"
    assert still.route("orders", "parcel") == {}
    assert list(still.route("", "eu")) == ["eu"]
    assert list(still.route("facts", headers={"format": "pdf"})) == ["pdf"]
    assert still.snapshot() == before


def test_route_refuses_what_publish_would(still: Broker) -> None:
    """An unknown exchange, a key that is too long, and headers that AMQP cannot carry."""
    before = still.snapshot()
    with pytest.raises(NotFound, match="no exchange 'x' in vhost '/'"):
        still.route("x")
    with pytest.raises(FrameSyntaxError, match="255 bytes"):
        still.route("", "k" * 256)
    with pytest.raises(FrameSyntaxError, match="not handled by AMQP"):
        still.route("", "k", {"a": object()})
    assert still.snapshot() == before


def test_route_runs_none_of_the_users_code_under_the_lock(still: Broker) -> None:
    """Headers are copied before the broker looks at them."""
    still.exchange("facts", type="headers")
    still.queue("pdf", exchange="facts", binding_arguments={"format": "pdf"})

    class Headers(dict[str, str]):
        def get(self, *args: Any) -> Any:
            assert not still._engine._lock.locked()  # type: ignore[union-attr]
            return super().get(*args)

    assert list(still.route("facts", headers=Headers(format="pdf"))) == ["pdf"]
