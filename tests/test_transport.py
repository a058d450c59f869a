"""`sandbox://` as a kombu transport: what code written against RabbitMQ calls, passes and catches."""

import copy
import gc
import inspect
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import amqp
import kombu
import pytest
from amqp.exceptions import (
    AccessRefused,
    AMQPError,
    AMQPNotImplementedError,
    ChannelError,
    ConsumerCancelled,
    FrameSyntaxError,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    RecoverableConnectionError,
    ResourceLocked,
)
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.common import maybe_declare
from kombu.exceptions import MessageStateError
from kombu.mixins import ConsumerMixin
from kombu.pools import ProducerPool
from kombu.utils.limits import TokenBucket

import sandbox
from sandbox import Broker, UnknownBroker
from sandbox.tables import Table
from sandbox.transport import BROKERS, Transport

# What kombu annotates is annotated with another transport's classes.
Channel = Any
Connection = Any
Message = Any


@pytest.fixture
def channel(connection: Connection) -> Channel:
    """The application's channel, with a durable queue `work`."""
    channel = connection.default_channel
    channel.queue_declare("work", durable=True, auto_delete=False)
    return channel


def names(table: Table[Any]) -> set[str]:
    """The first column."""
    return {row[0] for row in table}


@contextmanager
def at_once() -> Iterator[None]:
    """Hold that what is done takes well under a second."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 0.5


def text(channel: Channel, body: str = "x", **properties: Any) -> Any:
    """A message to be published."""
    return channel.prepare_message(body, properties=properties)


# ---------------------------------------------------------------- signatures

#: What `amqp.Channel` needs for the wire, and we do not.
PLUMBING = {"collect", "dispatch_method", "open", "send_method", "then", "wait"}

#: Verbs of AMQP that are not modelled yet.
LATER = {"basic_publish_confirm", "confirm_select", "tx_commit", "tx_rollback", "tx_select"}

#: Parameters that we have beyond `amqp.Channel`'s, which leaves out this one.
EXTRAS = {"exchange_declare": {"internal"}}

OURS = sandbox.transport.Channel

VERBS = sorted(
    name
    for name, _ in inspect.getmembers(amqp.Channel, inspect.isfunction)
    if not name.startswith("_") and name not in PLUMBING
)


def parameters(method: Callable[..., object]) -> dict[str, tuple[object, object]]:
    """Each parameter's kind and default, in order, but for `argsig`, which is py-amqp's wire format."""
    signature = inspect.signature(method)
    return {name: (p.kind, p.default) for name, p in signature.parameters.items() if name != "argsig"}


@pytest.mark.parametrize("name", [name for name in VERBS if name not in LATER or hasattr(OURS, name)])
def test_verb_has_amqps_parameters(name: str) -> None:
    """A method has the parameters of `amqp.Channel`'s, in their order, with their defaults."""
    ours = parameters(getattr(OURS, name))
    extra = EXTRAS.get(name, set())

    assert extra <= set(ours)
    assert [(p, ours[p]) for p in ours if p not in extra] == list(
        parameters(getattr(amqp.Channel, name)).items()
    )
    assert list(ours)[len(ours) - len(extra) :] == [p for p in ours if p in extra]  # the extras stand last


def test_basic_nack_is_there(channel: Channel) -> None:
    """`basic_nack`, which py-amqp lacks, has AMQP's parameters and RabbitMQ's defaults."""
    assert not hasattr(amqp.Channel, "basic_nack")
    own = parameters(channel.basic_nack)
    assert {name: default for name, (_, default) in own.items()} == {
        "delivery_tag": 0,
        "multiple": False,
        "requeue": True,
    }


def test_answers_are_amqps(channel: Channel) -> None:
    """What a verb returns is what `amqp.Channel` returns."""
    channel.basic_publish(text(channel), "", "work")
    declared = channel.queue_declare("work", passive=True)

    assert declared == ("work", 1, 0)
    assert (declared.queue, declared.message_count, declared.consumer_count) == declared
    assert channel.basic_consume("work", "mine") == "mine"
    assert channel.basic_cancel("mine") == "mine"
    assert channel.basic_cancel("unknown") == "unknown"
    assert channel.basic_consume("work").startswith("amq.ctag-")
    assert channel.queue_purge("work") == 0
    assert channel.queue_delete("work") == 0
    assert channel.queue_delete("work") == 0
    assert channel.queue_declare("").queue.startswith("amq.gen-")


# ---------------------------------------------------------------- errors


def declare_twice(channel: Channel, **other: Any) -> None:
    channel.queue_declare("mine", durable=True, auto_delete=False)
    channel.queue_declare("mine", **{"durable": True, "auto_delete": False, **other})


def redeclare_exchange(channel: Channel) -> None:
    channel.exchange_declare("x", "direct")
    channel.exchange_declare("x", "topic")


def lock(channel: Channel, other: Channel, use: Callable[[str], object]) -> None:
    other.queue_declare("locked", exclusive=True)
    use("locked")
    assert channel.is_open


def exclude(channel: Channel, other: Channel) -> None:
    other.basic_consume("work", exclusive=True)
    channel.basic_consume("work")


def delete_full(channel: Channel) -> None:
    channel.basic_publish(text(channel), "", "work")
    channel.queue_delete("work", if_empty=True)


def delete_used(channel: Channel) -> None:
    channel.basic_consume("work")
    channel.queue_delete("work", if_unused=True)


def delete_bound(channel: Channel) -> None:
    channel.exchange_declare("x", "direct")
    channel.queue_bind("work", "x")
    channel.exchange_delete("x", if_unused=True)


def reuse_tag(channel: Channel) -> None:
    channel.basic_consume("work", "tag")
    channel.basic_consume("work", "tag")


#: What is done on a channel, with another connection's at hand; the error's class, its text, its method.
#: Each row was compared with RabbitMQ 4.3, reached by py-amqp.
REFUSED: dict[str, tuple[Callable[[Channel, Channel], object], type[AMQPError], str, str]] = {
    "get from no queue": (
        lambda c, _: c.basic_get("jobs"),
        NotFound,
        "NOT_FOUND - no queue 'jobs' in vhost '/'",
        "Basic.get",
    ),
    "consume from no queue": (
        lambda c, _: c.basic_consume("jobs"),
        NotFound,
        "NOT_FOUND - no queue 'jobs' in vhost '/'",
        "Basic.consume",
    ),
    "purge no queue": (
        lambda c, _: c.queue_purge("jobs"),
        NotFound,
        "NOT_FOUND - no queue 'jobs' in vhost '/'",
        "Queue.purge",
    ),
    "ask for no queue": (
        lambda c, _: c.queue_declare("jobs", passive=True),
        NotFound,
        "NOT_FOUND - no queue 'jobs' in vhost '/'",
        "Queue.declare",
    ),
    "bind no queue": (
        lambda c, _: c.queue_bind("jobs", "amq.direct"),
        NotFound,
        "NOT_FOUND - no queue 'jobs' in vhost '/'",
        "Queue.bind",
    ),
    "bind to no exchange": (
        lambda c, _: c.queue_bind("work", "orders"),
        NotFound,
        "NOT_FOUND - no exchange 'orders' in vhost '/'",
        "Queue.bind",
    ),
    "bind from no exchange": (
        lambda c, _: c.exchange_bind("amq.direct", "orders"),
        NotFound,
        "NOT_FOUND - no exchange 'orders' in vhost '/'",
        "Exchange.bind",
    ),
    "ask for no exchange": (
        lambda c, _: c.exchange_declare("orders", "direct", passive=True),
        NotFound,
        "NOT_FOUND - no exchange 'orders' in vhost '/'",
        "Exchange.declare",
    ),
    "publish to no exchange": (
        lambda c, _: c.basic_publish(text(c), "orders", "work"),
        NotFound,
        "NOT_FOUND - no exchange 'orders' in vhost '/'",
        "Basic.publish",
    ),
    "mean no queue": (
        lambda c, _: c.connection and c.connection.channel().basic_get(""),
        NotFound,
        "NOT_FOUND - no previously declared queue",
        "Basic.get",
    ),
    "ack an unknown tag": (
        lambda c, _: c.basic_ack(7),
        PreconditionFailed,
        "PRECONDITION_FAILED - unknown delivery tag 7",
        "Basic.ack",
    ),
    "reject an unknown tag": (
        lambda c, _: c.basic_reject(7, requeue=True),
        PreconditionFailed,
        "PRECONDITION_FAILED - unknown delivery tag 7",
        "Basic.reject",
    ),
    "nack an unknown tag": (
        lambda c, _: c.basic_nack(7),
        PreconditionFailed,
        "PRECONDITION_FAILED - unknown delivery tag 7",
        "Basic.nack",
    ),
    "declare a queue otherwise": (
        lambda c, _: declare_twice(c, durable=False),
        PreconditionFailed,
        (
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'mine' in vhost '/': "
            "received 'false' but current is 'true'"
        ),
        "Queue.declare",
    ),
    "declare a queue with another TTL": (
        lambda c, _: declare_twice(c, arguments={"x-message-ttl": 1000}),
        PreconditionFailed,
        (
            "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'mine' in vhost '/': "
            "received the value '1000' of type 'signedint' but current is none"
        ),
        "Queue.declare",
    ),
    "declare an exchange otherwise": (
        lambda c, _: redeclare_exchange(c),
        PreconditionFailed,
        (
            "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': "
            "received 'topic' but current is 'direct'"
        ),
        "Exchange.declare",
    ),
    "declare an unknown type": (
        lambda c, _: c.exchange_declare("x", "nosuch"),
        PreconditionFailed,
        "PRECONDITION_FAILED - unknown exchange type 'nosuch'",
        "Exchange.declare",
    ),
    "declare a negative TTL": (
        lambda c, _: c.queue_declare("mine", arguments={"x-message-ttl": -1}),
        PreconditionFailed,
        (
            "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'mine' in vhost '/': "
            "{value_negative,-1}"
        ),
        "Queue.declare",
    ),
    "declare a TTL in words": (
        lambda c, _: c.queue_declare("mine", arguments={"x-message-ttl": "10"}),
        PreconditionFailed,
        (
            "PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'mine' in vhost '/': "
            '"expected integer, got longstr"'
        ),
        "Queue.declare",
    ),
    "publish with an expiration in words": (
        lambda c, _: c.basic_publish(text(c, expiration="10s"), "", "work"),
        PreconditionFailed,
        "PRECONDITION_FAILED - invalid expiration '10s': {leftover_string,\"s\"}",
        "Basic.publish",
    ),
    "bind with three #": (
        lambda c, _: c.queue_bind("work", "amq.topic", "#.a.#.b.#"),
        PreconditionFailed,
        "PRECONDITION_FAILED - Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed",
        "Queue.bind",
    ),
    "bind with an unknown x-match": (
        lambda c, _: c.queue_bind("work", "amq.headers", arguments={"x-match": "some"}),
        PreconditionFailed,
        (
            'PRECONDITION_FAILED - Invalid x-match field value <<"some">>; '
            "expected all, any, all-with-x, or any-with-x"
        ),
        "Queue.bind",
    ),
    "delete a queue that is not empty": (
        lambda c, _: delete_full(c),
        PreconditionFailed,
        "PRECONDITION_FAILED - queue 'work' in vhost '/' not empty",
        "Queue.delete",
    ),
    "delete a queue in use": (
        lambda c, _: delete_used(c),
        PreconditionFailed,
        "PRECONDITION_FAILED - queue 'work' in vhost '/' in use",
        "Queue.delete",
    ),
    "delete an exchange in use": (
        lambda c, _: delete_bound(c),
        PreconditionFailed,
        "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use",
        "Exchange.delete",
    ),
    "use another's exclusive queue": (
        lambda c, other: lock(c, other, c.basic_get),
        ResourceLocked,
        (
            "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'locked' in vhost '/'. "
            "It could be originally declared on another connection or the exclusive property value does not "
            "match that of the original declaration."
        ),
        "Basic.get",
    ),
    "consume beside an exclusive consumer": (
        exclude,
        AccessRefused,
        "ACCESS_REFUSED - queue 'work' in vhost '/' in exclusive use",
        "Basic.consume",
    ),
    "declare a reserved name": (
        lambda c, _: c.queue_declare("amq.mine"),
        AccessRefused,
        "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'",
        "Queue.declare",
    ),
    "delete a system exchange": (
        lambda c, _: c.exchange_delete("amq.direct"),
        AccessRefused,
        "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
        "Exchange.delete",
    ),
    "bind to the default exchange": (
        lambda c, _: c.queue_bind("work", ""),
        AccessRefused,
        "ACCESS_REFUSED - operation not permitted on the default exchange",
        "Queue.bind",
    ),
    "use a consumer tag twice": (
        lambda c, _: reuse_tag(c),
        NotAllowed,
        "NOT_ALLOWED - attempt to reuse consumer tag 'tag'",
        "Basic.consume",
    ),
    "limit bytes by prefetch": (
        lambda c, _: c.basic_qos(1, 0, a_global=False),
        AMQPNotImplementedError,
        "NOT_IMPLEMENTED - prefetch_size!=0 (1)",
        "Basic.qos",
    ),
    "recover without requeue": (
        lambda c, _: c.basic_recover(requeue=False),
        AMQPNotImplementedError,
        "NOT_IMPLEMENTED - requeue=false",
        "Basic.recover",
    ),
    "publish immediately": (
        lambda c, _: c.basic_publish(text(c), "", "work", immediate=True),
        AMQPNotImplementedError,
        "NOT_IMPLEMENTED - immediate=true",
        "Basic.publish",
    ),
    "stop the flow": (
        lambda c, _: c.flow(active=False),
        AMQPNotImplementedError,
        "NOT_IMPLEMENTED - active=false",
        "Channel.flow",
    ),
}


@pytest.mark.parametrize(("fault", "error", "reply_text", "method"), REFUSED.values(), ids=REFUSED)
def test_refusal_is_rabbitmqs(
    broker: Broker,
    channel: Channel,
    fault: Callable[[Channel, Channel], object],
    error: type[AMQPError],
    reply_text: str,
    method: str,
) -> None:
    """A refusal is py-amqp's exception with RabbitMQ's code, words and method; help is only in its notes."""
    with pytest.raises(error) as caught:
        fault(channel, broker.channel())

    raised = caught.value
    assert type(raised) is error
    assert raised.reply_code == error.code
    assert raised.reply_text == raised.message == reply_text
    assert raised.method_name == method
    assert str(raised) == f"{method}: ({error.code}) {reply_text}"
    for note in getattr(raised, "__notes__", ()):
        assert note not in str(raised.args)
    assert raised.__cause__ is None
    assert isinstance(
        raised, Transport.channel_errors if isinstance(raised, ChannelError) else Transport.connection_errors
    )


@pytest.mark.parametrize("name", [name for name, row in REFUSED.items() if issubclass(row[1], ChannelError)])
def test_channel_error_leaves_the_connection(
    broker: Broker, connection: Connection, channel: Channel, name: str
) -> None:
    """A 403, 404, 405 or 406 closes the channel, which begins anew in place."""
    established = connection.connection
    with pytest.raises(ChannelError):
        REFUSED[name][0](channel, broker.channel())

    assert channel.connection is connection.connection is established
    assert channel.queue_declare("work", passive=True).queue == "work"


@pytest.mark.parametrize(
    "name", [name for name, row in REFUSED.items() if not issubclass(row[1], ChannelError)]
)
def test_connection_error_closes_the_connection(
    broker: Broker, connection: Connection, channel: Channel, name: str
) -> None:
    """A 530 or 540 closes the connection with all its channels; kombu's Connection makes a new one."""
    neighbour = connection.channel()
    channel.basic_publish(text(channel), "", "work")
    neighbour.basic_get("work")
    neighbour.queue_declare("mine", exclusive=True)

    with pytest.raises(AMQPError):
        REFUSED[name][0](channel, broker.channel())

    assert not connection.connected
    for closed in (channel, neighbour):
        assert closed.connection is None
        with pytest.raises(RecoverableConnectionError):
            closed.queue_declare("work", passive=True)
    assert broker.queues["work"].unacked == 0
    assert "mine" not in names(broker.queues)
    assert connection.default_channel.queue_declare("work", passive=True).queue == "work"


def test_notes_name_what_is_near(channel: Channel) -> None:
    """The help beside a 404 names what was probably meant."""
    with pytest.raises(NotFound) as caught:
        channel.basic_get("wrok")

    assert caught.value.__notes__ == ["Did you mean 'work'?"]


def test_errors_are_listed_as_py_amqps(connection: Connection) -> None:
    """Errors are told apart by the same four lists as with RabbitMQ, so kombu recovers from the same ones."""
    rabbitmq = kombu.Connection("amqp://")

    for name in (
        "connection_errors",
        "channel_errors",
        "recoverable_connection_errors",
        "recoverable_channel_errors",
    ):
        assert getattr(connection, name) == getattr(rabbitmq, name)


def test_channel_error_is_not_retried(connection: Connection, channel: Channel) -> None:
    """A 404 under kombu's retry comes out as it is, and costs no connection."""
    established = connection.connection
    with at_once(), pytest.raises(NotFound):
        kombu.Producer(channel).publish("x", exchange="orders", retry=True)

    assert connection.connection is established


# ---------------------------------------------------------------- what AMQP cannot carry

LONG = "x" * 256

UNENCODABLE: dict[str, Callable[[Channel], object]] = {
    "body: a table": lambda c: c.basic_publish(c.prepare_message({"a": 1}), "", "work"),
    "body: nothing": lambda c: c.basic_publish(c.prepare_message(None), "", "work"),
    "body: a number": lambda c: c.basic_publish(c.prepare_message(1), "", "work"),
    "routing key: a number": lambda c: c.basic_publish(text(c), "", 1),
    "routing key: too long": lambda c: c.basic_publish(text(c), "", LONG),
    "routing key: too long in bytes": lambda c: c.basic_publish(text(c), "", "\N{EURO SIGN}" * 86),
    "exchange: too long": lambda c: c.basic_publish(text(c), LONG, "work"),
    "header: an object": lambda c: c.basic_publish(
        c.prepare_message("x", headers={"a": object()}), "", "work"
    ),
    "header: a set, deep down": lambda c: c.basic_publish(
        c.prepare_message("x", headers={"a": {"b": [{1}]}}), "", "work"
    ),
    "header: too large a number": lambda c: c.basic_publish(
        c.prepare_message("x", headers={"a": 2**63}), "", "work"
    ),
    "header: no name": lambda c: c.basic_publish(
        c.prepare_message("x", headers={1: "a"}),
        "",
        "work",
    ),
    "header: too long a name": lambda c: c.basic_publish(
        c.prepare_message("x", headers={LONG: 1}), "", "work"
    ),
    "property: a number for a text": lambda c: c.basic_publish(text(c, correlation_id=1), "", "work"),
    "property: too long": lambda c: c.basic_publish(text(c, message_id=LONG), "", "work"),
    "property: a text for a number": lambda c: c.basic_publish(text(c, priority="1"), "", "work"),
    "property: too large": lambda c: c.basic_publish(text(c, priority=256), "", "work"),
    "property: negative": lambda c: c.basic_publish(text(c, priority=-1), "", "work"),
    "property: a fraction": lambda c: c.basic_publish(text(c, timestamp=1.5), "", "work"),
    "queue: a number": lambda c: c.queue_declare(1),
    "queue: too long": lambda c: c.queue_declare(LONG),
    "queue argument: an object": lambda c: c.queue_declare("mine", arguments={"x-mine": object()}),
    "exchange argument: an object": lambda c: c.exchange_declare("x", "direct", arguments={"a": object()}),
    "binding argument: an object": lambda c: c.queue_bind("work", "amq.topic", arguments={"a": object()}),
    "consumer argument: an object": lambda c: c.basic_consume("work", arguments={"a": object()}),
    "consumer tag: too long": lambda c: c.basic_consume("work", LONG),
    "prefetch: negative": lambda c: c.basic_qos(0, -1, a_global=False),
    "prefetch: too large": lambda c: c.basic_qos(0, 65_536, a_global=False),
}


@pytest.mark.parametrize("send", UNENCODABLE.values(), ids=UNENCODABLE)
def test_unencodable_is_refused(broker: Broker, channel: Channel, send: Callable[[Channel], object]) -> None:
    """What AMQP cannot carry never reaches the broker: nothing has happened, the channel is as it was."""
    channel.basic_publish(text(channel), "", "work")
    channel.basic_consume("work", "reader")
    before = broker.snapshot()

    with pytest.raises(FrameSyntaxError):
        send(channel)

    assert broker.snapshot().serial == before.serial
    channel.basic_ack(1)


@pytest.mark.parametrize("given", ["\ud800", "text in no encoding"])
def test_unencodable_text_is_refused(broker: Broker, channel: Channel, given: str) -> None:
    """Text that its encoding cannot express is refused as Python does it, and nothing has happened."""
    encoding = "utf-8" if given == "\ud800" else "nonesuch"
    before = broker.snapshot()

    with pytest.raises((UnicodeEncodeError, LookupError)):
        channel.basic_publish(channel.prepare_message(given, content_encoding=encoding), "", "work")

    assert broker.snapshot().serial == before.serial


# ---------------------------------------------------------------- messages


def test_message_arrives_as_it_was_sent(channel: Channel) -> None:
    """Body, headers, properties and delivery info are those that py-amqp shows."""
    headers = {"n": 1, "deep": {"list": [1, 2.5, None, True, "x"]}}
    kombu.Producer(channel).publish(
        {"id": 7},
        routing_key="work",
        headers=headers,
        priority=3,
        expiration=10,
        correlation_id="c",
        reply_to="r",
        message_id="m",
        timestamp=123,
        type="t",
        app_id="a",
        delivery_mode=1,
    )

    message = channel.basic_get("work")

    assert message is not None
    assert message.payload == {"id": 7}
    assert message.body == '{"id": 7}'
    assert message.headers == headers
    assert message.properties == {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "application_headers": headers,
        "delivery_mode": 1,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "r",
        "expiration": "10000",
        "message_id": "m",
        "timestamp": 123,
        "type": "t",
        "app_id": "a",
    }
    assert message.delivery_info == {
        "delivery_tag": 1,
        "redelivered": False,
        "exchange": "",
        "routing_key": "work",
        "message_count": 0,
    }
    assert message.channel is channel
    assert channel.message_to_python(message) is message


def test_delivery_names_its_consumer(connection: Connection, channel: Channel) -> None:
    """A consumed message's delivery info has the consumer's tag, where a fetched one's has a count."""
    received: list[Any] = []
    channel.basic_consume("work", "reader", callback=received.append)
    channel.basic_publish(text(channel), "", "work")
    connection.drain_events(timeout=1)

    assert received[0].delivery_info == {
        "consumer_tag": "reader",
        "delivery_tag": 1,
        "redelivered": False,
        "exchange": "",
        "routing_key": "work",
    }


@pytest.mark.parametrize(
    ("body", "encoding", "expected"),
    [
        ("text", None, "text"),
        (b"bytes", None, b"bytes"),
        ("caf\xe9", "latin-1", "caf\xe9"),
        (b"\xff", "utf-8", b"\xff"),
    ],
)
def test_body_is_text_if_its_encoding_says_so(
    channel: Channel, body: Any, encoding: str | None, expected: Any
) -> None:
    """A body comes back as text if it has an encoding and fits it, else as bytes, as from py-amqp."""
    channel.basic_publish(channel.prepare_message(body, content_encoding=encoding), "", "work")

    message = channel.basic_get("work")

    assert message is not None
    assert message.body == expected


def test_amqp_messages_are_taken(channel: Channel) -> None:
    """A message built with py-amqp itself can be published."""
    channel.basic_publish(amqp.Message("x", correlation_id="c", application_headers={"a": 1}), "", "work")

    message = channel.basic_get("work")

    assert message is not None
    assert (message.body, message.headers, message.properties["correlation_id"]) == ("x", {"a": 1}, "c")


def test_ack_twice_is_kombus_error(channel: Channel) -> None:
    """The message remembers that it was settled; the broker is not asked again."""
    channel.basic_publish(text(channel), "", "work")
    message = channel.basic_get("work")
    assert message is not None
    message.ack()

    for settle in (message.ack, message.reject, message.requeue):
        with pytest.raises(MessageStateError):
            settle()
    assert channel.basic_get("work") is None


def test_ack_of_a_message_that_needs_none(connection: Connection, channel: Channel) -> None:
    """`message.ack()` of a delivery without acknowledgement does nothing, as kombu has it."""
    received: list[Any] = []
    channel.basic_consume("work", "reader", no_ack=True, callback=received.append)
    assert channel.no_ack_consumers == {"reader"}
    channel.basic_publish(text(channel), "", "work")
    connection.drain_events(timeout=1)

    received[0].ack()

    assert channel.is_open
    channel.basic_cancel("reader")
    assert channel.no_ack_consumers == set()


# ---------------------------------------------------------------- finding a broker

WAYS: dict[str, Callable[[Connection], object]] = {
    "connect": lambda connection: connection.connect(),
    "connection": lambda connection: connection.connection,
    "channel": lambda connection: connection.channel(),
    "default_channel": lambda connection: connection.default_channel,
    "ensure_connection": lambda connection: connection.ensure_connection(),
    "publish": lambda connection: connection.Producer().publish("x", routing_key="work", retry=True),
    "SimpleQueue": lambda connection: connection.SimpleQueue("work"),
    "autoretry": lambda connection: connection.autoretry(lambda channel: channel)(),
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@each_way
def test_unknown_broker_is_told_at_once(broker: Broker, way: Callable[[Connection], object]) -> None:
    """A name without a broker is an error, without retries, whatever asks for it; it lists the known ones."""
    with at_once(), pytest.raises(UnknownBroker) as caught:
        way(kombu.Connection("sandbox://ordres"))

    assert str(caught.value).startswith("no broker at sandbox://ordres; alive in this process: ")
    assert broker.url in str(caught.value)
    assert any(
        'Broker(name="ordres")' in note and "keep the reference" in note for note in caught.value.__notes__
    )


@each_way
def test_collected_broker_is_unknown(way: Callable[[Connection], object]) -> None:
    """A broker that nothing refers to is gone, and its name with it."""
    Broker(name="brief").publish("x")
    gc.collect()

    assert "brief" not in BROKERS
    with at_once(), pytest.raises(UnknownBroker):
        way(kombu.Connection("sandbox://brief"))


@pytest.mark.parametrize("url", ["sandbox://", "sandbox:///", ""])
def test_a_url_without_a_name_is_unknown(url: str) -> None:
    """There is no nameless broker."""
    with at_once(), pytest.raises(UnknownBroker):
        kombu.Connection(url, transport="sandbox").connect()


@each_way
def test_failover_reaches_the_next_url(broker: Broker, way: Callable[[Connection], object]) -> None:
    """With several URLs an unknown broker is passed over at once."""
    with at_once(), kombu.Connection(f"sandbox://gone;{broker.url}") as connection:
        way(connection)
        assert connection.hostname == broker.name
        assert connection.connection.engine is BROKERS[broker.name]


def test_failover_when_a_broker_closes() -> None:
    """When the broker in use is closed, kombu goes on with the next URL."""
    with Broker() as first, Broker() as second:
        connection = kombu.Connection([first.url, second.url])
        producer = connection.Producer()
        producer.publish("one", routing_key="work", declare=[kombu.Queue("work")])
        first.close()

        with at_once():
            producer.publish("two", routing_key="work", declare=[kombu.Queue("work")], retry=True)
        assert second.queues["work"].ready == 1


@pytest.mark.parametrize("path", ["", "/", "//", "/%2F"])
def test_the_virtual_host_is_slash(broker: Broker, path: str) -> None:
    """One broker is one virtual host, and `/` is its name."""
    assert kombu.Connection(broker.url + path).connect()


@pytest.mark.parametrize("url", ["sandbox://{}:5672", "sandbox://guest:guest@{}", "sandbox://me@{}:1//"])
def test_ports_and_users_mean_nothing(broker: Broker, url: str) -> None:
    """A URL may have a port, a user and a password, as a RabbitMQ URL has; only the name counts."""
    assert kombu.Connection(url.format(broker.name)).connect()


def test_other_virtual_hosts_are_refused(broker: Broker) -> None:
    """A URL that names another virtual host is refused as RabbitMQ refuses it, at once."""
    with at_once(), pytest.raises(NotAllowed, match=r"\(530\) NOT_ALLOWED - vhost staging not found"):
        kombu.Connection(f"{broker.url}/staging").connect()


@pytest.mark.parametrize(
    "name", ["", "Orders", "my orders", "a/b", "a:b", ".a", "-a", "_a", "a\n", "caf\xe9", "a;b"]
)
def test_a_name_that_no_url_can_hold_is_refused(name: str) -> None:
    """A broker is only called what kombu can find again in a URL."""
    with pytest.raises(ValueError, match="small letters"):
        Broker(name=name)
    assert name not in BROKERS


@pytest.mark.parametrize("name", ["a", "0", "a.b-c_d", "orders-2"])
def test_a_name_that_a_url_can_hold_is_found(name: str) -> None:
    """A broker is reached by its name, in capitals too."""
    with Broker(name=name) as broker:
        assert broker.url == f"sandbox://{name}"
        for url in (broker.url, f"sandbox://{name.upper()}"):
            assert kombu.Connection(url).connection.engine is BROKERS[name]


def test_the_newest_broker_has_the_name() -> None:
    """Of two brokers with one name the URL means the newer; the older goes on for those who have it."""
    with Broker(name="twice") as older:
        older.queue("work")
        before = kombu.Connection(older.url)
        before.connect()

        with Broker(name="twice") as newer:
            assert kombu.Connection(older.url).connection.engine is not before.connection.engine
            assert "work" not in names(newer.queues)
            older.publish("x", routing_key="work")
            assert before.default_channel.basic_get("work").body == "x"
            assert older.connection().default_channel.queue_declare("work", passive=True).queue == "work"

            older.close()
            assert kombu.Connection(newer.url).connect()  # the name is still the newer one's


def test_connections_keep_their_broker() -> None:
    """A broker lives while a connection to it does."""
    broker = Broker(name="kept")
    broker.queue("work")
    connection = kombu.Connection(broker.url)
    channel = connection.channel()
    del broker
    gc.collect()

    assert channel.queue_declare("work", passive=True).queue == "work"
    assert kombu.Connection("sandbox://kept").connect()
    del connection, channel
    gc.collect()
    assert "kept" not in BROKERS


# ---------------------------------------------------------------- closed

USES: dict[str, Callable[[Channel], object]] = {
    "publish": lambda c: c.basic_publish(text(c), "", "work"),
    "get": lambda c: c.basic_get("work"),
    "consume": lambda c: c.basic_consume("work"),
    "qos": lambda c: c.basic_qos(0, 1, a_global=False),
    "ack": lambda c: c.basic_ack(1),
    "reject": lambda c: c.basic_reject(1, requeue=True),
    "nack": lambda c: c.basic_nack(1),
    "recover": lambda c: c.basic_recover(requeue=True),
    "queue_declare": lambda c: c.queue_declare("work"),
    "queue_bind": lambda c: c.queue_bind("work", "amq.topic"),
    "queue_unbind": lambda c: c.queue_unbind("work", "amq.topic"),
    "queue_purge": lambda c: c.queue_purge("work"),
    "queue_delete": lambda c: c.queue_delete("work"),
    "exchange_declare": lambda c: c.exchange_declare("x", "direct"),
    "exchange_bind": lambda c: c.exchange_bind("amq.topic", "amq.direct"),
    "exchange_unbind": lambda c: c.exchange_unbind("amq.topic", "amq.direct"),
    "exchange_delete": lambda c: c.exchange_delete("x"),
    "flow": lambda c: c.flow(active=True),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("what", ["channel", "connection", "broker"])
def test_use_after_close(
    broker: Broker,
    connection: Connection,
    channel: Channel,
    what: str,
    use: Callable[[Channel], object],
) -> None:
    """A channel that is closed, by itself or with its connection or broker, says so at every verb."""
    {"channel": channel, "connection": connection, "broker": broker}[what].close()

    assert channel.connection is None
    assert not channel.is_open
    before = broker.snapshot()
    with pytest.raises(RecoverableConnectionError, match=rf"th(e|is) {what} is closed"):
        use(channel)
    assert broker.snapshot().serial == before.serial


def test_closing_twice_is_no_error(connection: Connection, channel: Channel) -> None:
    """What is closed can be closed."""
    established = connection.connection
    channel.close()
    channel.close()
    established.close()
    established.close()
    connection.close()
    channel.close()


def test_cancel_on_a_closed_channel_is_no_error(channel: Channel) -> None:
    """On a closed channel `basic_cancel` does nothing, as py-amqp's; code that cleans up relies on it."""
    channel.basic_consume("work", "reader")
    channel.close()

    channel.basic_cancel("reader")


def test_a_closed_connection_hands_out_nothing(connection: Connection) -> None:
    """`drain_events` and `channel` of what kombu had established raise after it is closed."""
    established = connection.connection
    connection.close()

    with pytest.raises(RecoverableConnectionError):
        established.drain_events(timeout=0)
    with pytest.raises(RecoverableConnectionError):
        established.channel()


def test_ack_after_close_is_no_ack(broker: Broker, connection: Connection, channel: Channel) -> None:
    """Acknowledging too late raises, and the message is back in its queue."""
    channel.basic_publish(text(channel), "", "work")
    message = channel.basic_get("work")
    assert message is not None
    connection.close()

    with pytest.raises(RecoverableConnectionError):
        message.ack()
    assert broker.queues["work"].ready == 1


def test_a_connection_can_be_opened_again(connection: Connection) -> None:
    """A kombu Connection reconnects after it was closed."""
    connection.connect()
    connection.close()

    assert connection.connection is None
    assert connection.default_channel.is_open
    assert connection.connected


# ---------------------------------------------------------------- returns and cancel notices


def test_return_reaches_the_producer(channel: Channel) -> None:
    """A mandatory message without a queue comes back to `on_return` before `publish` has returned."""
    returned: list[tuple[Any, ...]] = []
    producer = kombu.Producer(channel, on_return=lambda *args: returned.append(args))

    producer.publish("x", routing_key="nowhere", headers={"a": 1}, correlation_id="c", mandatory=True)

    ((error, exchange, routing_key, message),) = returned
    assert isinstance(error, ChannelError)
    assert (error.reply_code, error.reply_text, error.method_name) == (312, "NO_ROUTE", "Basic.return")
    assert (exchange, routing_key) == ("", "nowhere")
    assert (message.body, message.headers) == ("x", {"a": 1})
    assert message.properties["correlation_id"] == "c"
    assert channel.is_open


def test_return_without_a_handler_is_raised(broker: Broker, channel: Channel) -> None:
    """Without a handler the return is raised, as py-amqp does; the message is counted as returned."""
    with pytest.raises(ChannelError, match=r"Basic\.return: \(312\) NO_ROUTE"):
        channel.basic_publish(text(channel), "", "nowhere", mandatory=True)

    assert channel.is_open
    assert broker.ledger.returned == 1


def test_unroutable_messages_are_lost_if_nobody_minds(broker: Broker, channel: Channel) -> None:
    """Without `mandatory` a message without a queue is dropped, without a word to the publisher."""
    published = channel.basic_publish(text(channel), "", "nowhere")

    assert (published.queues, published.returned) == ((), False)
    assert broker.ledger.lost == 1


def test_cancel_notice_reaches_the_consumer(connection: Connection, channel: Channel) -> None:
    """When its queue is deleted a consumer's `on_cancel` gets its tag, after what was sent before."""
    heard: list[object] = []
    channel.basic_publish(text(channel), "", "work")
    kombu.Queue("work")(channel).consume(
        "reader", callback=lambda _: heard.append("message"), on_cancel=heard.append
    )

    channel.queue_delete("work")
    connection.drain_events(timeout=1)
    connection.drain_events(timeout=1)

    assert heard == ["message", "reader"]
    assert channel.is_open


def test_cancel_notice_without_a_handler_is_raised(connection: Connection, channel: Channel) -> None:
    """Without `on_cancel` the notice is raised by `drain_events`, and the consumer is gone."""
    channel.basic_consume("work", "reader")
    channel.queue_delete("work")

    with pytest.raises(ConsumerCancelled, match="reader"):
        connection.drain_events(timeout=1)
    assert channel.is_open
    channel.queue_declare("work")
    channel.basic_consume("work", "reader")  # the tag is free


def test_cancelling_hands_over_what_is_under_way(connection: Connection, channel: Channel) -> None:
    """Before `basic_cancel` returns it gives the callback what was sent, as py-amqp's; it stays unacked."""
    received: list[Any] = []
    for body in "abc":
        channel.basic_publish(text(channel, body), "", "work")
    channel.basic_consume("work", "reader", callback=received.append)

    channel.basic_cancel("reader")

    assert [message.body for message in received] == ["a", "b", "c"]
    assert channel.queue_declare("work", passive=True).message_count == 0
    received[1].ack()
    received[2].requeue()
    assert channel.queue_declare("work", passive=True).message_count == 1
    with pytest.raises(socket.timeout):
        connection.drain_events(timeout=0)


def test_cancelling_survives_a_callback_that_raises(connection: Connection, channel: Channel) -> None:
    """If the callback raises meanwhile, the rest is handed over by `drain_events`, as from RabbitMQ."""
    received: list[str] = []

    def callback(message: Message) -> None:
        received.append(message.body)
        if message.body == "a":
            raise ZeroDivisionError

    for body in "abc":
        channel.basic_publish(text(channel, body), "", "work")
    channel.basic_consume("work", "reader", callback=callback)

    with pytest.raises(ZeroDivisionError):
        channel.basic_cancel("reader")
    connection.drain_events(timeout=0)
    connection.drain_events(timeout=0)
    assert received == ["a", "b", "c"]


def test_cancelling_leaves_other_consumers_mail(connection: Connection, channel: Channel) -> None:
    """What is under way to another consumer waits for `drain_events`, in its order."""
    received: list[str] = []
    for tag in ("leaves", "stays"):
        channel.basic_consume(
            "work", tag, callback=lambda message, tag=tag: received.append(tag + message.body)
        )
    for number in range(4):
        channel.basic_publish(text(channel, str(number)), "", "work")

    channel.basic_cancel("leaves")
    assert received == ["leaves0", "leaves2"]
    connection.drain_events(timeout=0)
    connection.drain_events(timeout=0)
    assert received == ["leaves0", "leaves2", "stays1", "stays3"]


def test_drain_events_hands_out_one(connection: Connection, channel: Channel) -> None:
    """One call is one message, in the order in which the broker sent them, whatever the channel."""
    received: list[str] = []
    other = connection.channel()
    for name, on in (("work", channel), ("play", other)):
        on.queue_declare(name, durable=True, auto_delete=False)
        on.basic_consume(name, callback=lambda message: received.append(message.body))
    for number, queue in enumerate(["work", "play", "play", "work"]):
        channel.basic_publish(text(channel, str(number)), "", queue)

    for count in range(1, 5):
        connection.drain_events(timeout=1)
        assert received == ["0", "1", "2", "3"][:count]


def test_callbacks_may_use_the_broker(connection: Connection, channel: Channel) -> None:
    """User code runs without any lock held: a callback may publish, declare, cancel and drain."""
    received: list[str] = []

    def callback(message: Any) -> None:
        received.append(message.body)
        message.ack()
        if message.body == "a":
            channel.queue_declare("more", auto_delete=False)
            channel.basic_publish(text(channel, "b"), "", "work")
            connection.drain_events(timeout=1)
            channel.basic_cancel("reader")

    channel.basic_consume("work", "reader", callback=callback)
    channel.basic_publish(text(channel, "a"), "", "work")
    connection.drain_events(timeout=1)

    assert received == ["a", "b"]


# ---------------------------------------------------------------- prefetch


def test_prefetch_is_per_consumer(broker: Broker, channel: Channel) -> None:
    """A limit holds for each consumer that starts after it, and for those alone, whatever `a_global` says."""
    for number in range(9):
        channel.basic_publish(text(channel, str(number)), "", "work")
    channel.basic_qos(prefetch_size=0, prefetch_count=2, a_global=False)
    channel.basic_consume("work", "two")
    channel.basic_qos(0, 3, True)  # as Celery calls it
    channel.basic_consume("work", "three")

    assert [(row.tag, row.prefetch, row.unacked) for row in broker.consumers] == [
        ("two", 2, 2),
        ("three", 3, 3),
    ]
    assert channel.basic_get("work") is not None  # a get is not counted


def test_qos_semantics_are_rabbitmqs(connection: Connection) -> None:
    """By its flag kombu takes this broker for what it takes RabbitMQ 4 for."""
    assert connection.qos_semantics_matches_spec is True


# ---------------------------------------------------------------- kombu's own objects


def test_exchange_round_trip(broker: Broker, channel: Channel) -> None:
    """A kombu Exchange declares, binds, publishes, unbinds and deletes."""
    source = kombu.Exchange("source", "topic", durable=True)(channel)
    target = kombu.Exchange("target", "fanout", durable=False, auto_delete=True)(channel)
    source.declare()
    source.declare()
    target.declare()
    target.bind_to(source, routing_key="a.*")
    queue = kombu.Queue("fed", target)(channel)
    queue.declare()

    source.publish(source.Message("x"), routing_key="a.b")
    message = queue.get()
    assert (message.body, message.delivery_info["exchange"]) == ("x", "source")
    assert broker.exchanges["target"].auto_delete

    target.unbind_from(source, routing_key="a.*")
    assert [row.source for row in broker.bindings] == ["target"]
    source.delete(if_unused=True)
    queue.delete()
    assert not {"source", "target"} & {row.name for row in broker.exchanges}  # target deleted itself


def test_queue_round_trip(broker: Broker, channel: Channel) -> None:
    """A kombu Queue declares itself with its exchange, binds, gets, purges, unbinds and deletes."""
    exchange = kombu.Exchange("x", "direct")
    queue = kombu.Queue("q", exchange, routing_key="k", message_ttl=5, expires=60)(channel)
    queue.declare()
    kombu.Queue("q", exchange, routing_key="k", message_ttl=5, expires=60)(channel).declare()
    assert broker.queues["q"].arguments == {"x-message-ttl": 5000, "x-expires": 60_000}

    for _ in range(2):
        queue.exchange.publish(
            exchange.Message("x") if exchange.is_bound else channel.prepare_message("x"), "k"
        )
    assert queue.get(no_ack=True).body == "x"
    assert queue.purge() == 1
    assert queue.get() is None
    queue.unbind_from(exchange, routing_key="k")
    assert len(broker.bindings) == 0
    assert queue.delete(if_unused=True, if_empty=True) == 0
    assert "q" not in names(broker.queues)


def test_several_bindings_of_one_queue(broker: Broker, channel: Channel) -> None:
    """A kombu Queue with a list of bindings has them all."""
    exchange = kombu.Exchange("x", "topic")
    bindings = [kombu.binding(exchange, routing_key=key) for key in ("a.*", "*.b")]
    kombu.Queue("q", bindings=bindings)(channel).declare()

    assert {row.routing_key for row in broker.bindings} == {"a.*", "*.b"}
    assert broker.publish("x", exchange="x", routing_key="a.b").queues == ("q",)


def test_producer_and_consumer(connection: Connection) -> None:
    """A Producer declares what it needs, a Consumer decodes, and `accept` is kept."""
    exchange = kombu.Exchange("tasks", "direct")
    queue = kombu.Queue("tasks", exchange, routing_key="tasks")
    received: list[Any] = []
    problems: list[Exception] = []

    def work(body: object, message: Message) -> None:
        received.append(body)
        message.ack()

    def refuse(message: Message, error: Exception) -> None:
        problems.append(error)
        message.reject()

    with connection.Producer(exchange=exchange, auto_declare=True) as producer:
        producer.publish({"a": 1}, routing_key="tasks", declare=[queue], compression="zlib")
        producer.publish({2, 3}, routing_key="tasks", serializer="pickle")
    with connection.Consumer([queue], accept=["json"], callbacks=[work]) as consumer:
        consumer.on_decode_error = refuse
        connection.drain_events(timeout=1)
        connection.drain_events(timeout=1)
        consumer.add_queue(kombu.Queue("more"))
        consumer.consume()
        consumer.qos(prefetch_count=3)
        consumer.recover(requeue=True)

    assert received == [{"a": 1}]
    assert [type(error).__name__ for error in problems] == ["ContentDisallowed"]


def test_simple_queue(connection: Connection) -> None:
    """A SimpleQueue puts, counts, gets in order, waits in vain and clears."""
    with connection.SimpleQueue("simple") as queue:
        for number in range(3):
            queue.put({"number": number})
        assert queue.qsize() == 3
        for number in range(2):
            message = queue.get(timeout=1)
            assert message.payload == {"number": number}
            message.ack()
        queue.get(timeout=1).reject()
        with pytest.raises(queue.Empty):
            queue.get(timeout=0.01)
    with connection.SimpleQueue("simple") as queue:
        queue.put("x")
        assert queue.clear() == 1
        with pytest.raises(queue.Empty):
            queue.get_nowait()


def test_simple_buffer(broker: Broker, connection: Connection) -> None:
    """A SimpleBuffer is a queue that goes with its consumer."""
    with connection.SimpleBuffer("buffer") as buffer:
        buffer.put("x")
        assert buffer.get(timeout=1).payload == "x"
        assert broker.queues["buffer"].auto_delete
    assert "buffer" not in names(broker.queues)


def test_pools(broker: Broker, connection: Connection) -> None:
    """Pools of connections, channels and producers lend, take back and close."""
    broker.queue("work")
    connections = connection.Pool(2)
    with connections.acquire() as one, connections.acquire() as other:
        assert one.connection is not other.connection
        other.SimpleQueue("work").put("x")
        with pytest.raises(connections.LimitExceeded):
            connections.acquire()
    with connections.acquire() as again:
        assert again.connection in {one.connection, other.connection}
        with again.ChannelPool(2).acquire() as channel:
            assert channel.basic_get("work").payload == "x"
    connections.force_close_all()

    producers = ProducerPool(connection.Pool(2), limit=2)
    with producers.acquire(block=True) as producer:
        producer.publish("y", routing_key="work", retry=True)
    producers.force_close_all()
    assert broker.queues["work"].ready == 2


def test_maybe_declare(broker: Broker, connection: Connection) -> None:
    """`maybe_declare` declares once for a connection, and anew for the next one."""
    queue = kombu.Queue("lasting", kombu.Exchange("x"), routing_key="k")
    assert maybe_declare(queue, connection.default_channel)
    assert not maybe_declare(queue, connection.default_channel)

    channel = connection.default_channel
    channel.close()
    with pytest.raises(RecoverableConnectionError):
        maybe_declare(kombu.Queue("other")(channel))
    connection.close()
    broker.delete("lasting")
    assert maybe_declare(queue, connection.default_channel)
    assert "lasting" in names(broker.queues)


def test_consumer_mixin(broker: Broker, connection: Connection) -> None:
    """A program built on kombu's ConsumerMixin runs, and goes on after its connection was lost."""
    queue = kombu.Queue("work")
    received = []

    class Worker(ConsumerMixin):
        restart_limit = TokenBucket(100)  # restarts in a second

        def __init__(self) -> None:
            self.connection = connection

        def get_consumers(self, consumer: Any, _channel: Any) -> list[Any]:
            return [consumer([queue], callbacks=[self.work])]

        def work(self, body: str, message: Message) -> None:
            received.append((body, message.delivery_info["redelivered"]))
            if body == "lose the connection" and not message.delivery_info["redelivered"]:
                message.channel.basic_recover(requeue=False)
            message.ack()
            self.should_stop = body == "stop"

    broker.queue("work")
    for body in ("go", "lose the connection", "stop"):
        broker.publish(body, routing_key="work")
    with at_once():
        worker: Any = Worker()
        worker.run()

    assert received == [
        ("go", False),
        ("lose the connection", False),
        ("lose the connection", True),
        ("stop", True),
    ]
    assert broker.queues["work"].ready == broker.queues["work"].unacked == 0


# ---------------------------------------------------------------- kombu's Connection


def test_clone_and_copy_reach_the_same_broker(broker: Broker, connection: Connection) -> None:
    """A clone of a connection, made from a URL or by the broker, is another connection to the same place."""
    for original in (connection, broker.connection()):
        for other in (original.clone(), copy.copy(original)):
            assert other.connection is not original.connection
            assert other.connection.engine is original.connection.engine


def test_pickle_keeps_the_url(broker: Broker) -> None:
    """A connection made from a URL can be pickled; it finds the broker again by its name."""
    original = kombu.Connection(broker.url)
    other = pickle.loads(pickle.dumps(original))  # noqa: S301  (our own)

    assert other.as_uri() == original.as_uri()
    assert other.connection.engine is original.connection.engine


def test_as_uri_leads_back(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    """What `as_uri` shows is a URL of the same broker; nothing is logged on the way."""
    connection = kombu.Connection(broker.url)
    uri = connection.as_uri(include_password=True)

    assert uri.startswith("sandbox://")
    assert kombu.Connection(uri).connection.engine is connection.connection.engine
    assert connection.info()["hostname"] == broker.name
    assert caplog.records == []


def test_heartbeats_are_not_needed(connection: Connection) -> None:
    """The heartbeat calls of kombu are harmless."""
    connection.connect()
    connection.heartbeat_check()

    assert connection.get_heartbeat_interval() == 0
    assert connection.transport.driver_version() == sandbox.__version__


def test_collect_is_a_dropped_socket(broker: Broker, connection: Connection, channel: Channel) -> None:
    """`Connection.collect`, which kombu calls after an error, lets go of everything at once."""
    channel.basic_publish(text(channel), "", "work")
    channel.basic_get("work")

    connection.collect()

    assert broker.queues["work"].ready == 1
    assert channel.connection is None
    assert connection.default_channel.basic_get("work").delivery_info["redelivered"]


# ---------------------------------------------------------------- Celery


def test_celery_runs_a_task() -> None:
    """A Celery worker takes a task from the broker, runs it and acknowledges it."""
    with Broker(name="celery-test") as broker:
        app = Celery(broker=broker.url, backend="cache+memory://", set_as_current=False)
        app.conf.worker_hijack_root_logger = False

        def add(x: int, y: int) -> int:
            return x + y

        task: Any = app.task(name="add", shared=False)(add)  # not a task of other tests

        with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=20):
            assert task.delay(2, 3).get(timeout=10) == 5
        assert broker.queues["celery"].ready == 0
        assert broker.queues["celery"].unacked == 0
        app.close()
