"""Refusals: in RabbitMQ's words, byte for byte as observed on 4.3, and changing no more than it does."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from sandbox.engine import errors
from sandbox.engine.errors import (
    AccessRefused,
    BrokerError,
    ChannelError,
    Closed,
    NotAllowed,
    NotFound,
    NotImplementedByAMQP,
    PreconditionFailed,
    ResourceLocked,
)
from sandbox.engine.model import ExchangeOptions
from sandbox.engine.snapshot import Snapshot
from tests.engine.bench import Bench, assert_whole

Act = Callable[[Bench], object]


class Refusal(NamedTuple):
    """A call, the error it must raise, and what must have been done before it."""

    act: Act
    error: type[BrokerError]
    text: str
    before: Act = lambda _: None


# ---------------------------------------------------------------- the calls


def declare(name: str = "pq", **arguments: Any) -> Act:
    """Declare a queue with arguments whose names begin with x-."""
    given = {"x-" + key.replace("_", "-"): value for key, value in arguments.items()}
    return lambda b: b.engine.queue_declare(b.channel, name, arguments=given)


def declares(name: str = "pr", **options: Any) -> Act:
    """Declare a queue with options."""
    return lambda b: b.engine.queue_declare(b.channel, name, **options)


def exchange(name: str, type: str = "direct", **options: Any) -> Act:
    """Declare an exchange."""
    return lambda b: b.exchange(name, type, **options)


def expiring(expiration: str) -> Act:
    """Publish a message that nobody gets, with this expiration."""
    return lambda b: b.engine.basic_publish(b.channel, "", "nope", b"", {}, {"expiration": expiration})


def passive(name: str) -> Act:
    """Ask for an exchange."""
    return lambda b: b.engine.exchange_declare(b.channel, name, ExchangeOptions("direct"), passive=True)


def bind(queue: str, source: str, key: str = "k", **arguments: Any) -> Act:
    """Bind a queue."""
    return lambda b: b.bind(queue, source, key, **{k.replace("_", "-"): v for k, v in arguments.items()})


def link(destination: str, source: str) -> Act:
    """Bind an exchange to an exchange."""
    return lambda b: b.link(source, destination, "x")


def elsewhere(name: str = "pex") -> Act:
    """Another connection declares an exclusive queue, and binds it."""

    def act(bench: Bench) -> None:
        other = bench.client()
        bench.engine.queue_declare(other, name, exclusive=True)
        bench.engine.queue_bind(other, name, "amq.topic", "a", {})

    return act


def first(*acts: Act) -> Act:
    """Do these, in this order."""
    return lambda b: [act(b) for act in acts]


PQ = declares("pq")
TTL = declares(arguments={"x-message-ttl": 1000})

DEFAULT = "ACCESS_REFUSED - operation not permitted on the default exchange"
LOCKED = (
    "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{}' in vhost '/'. "
    "It could be originally declared on another connection "
    "or the exclusive property value does not match that of the original declaration."
)
EXPIRATION = "PRECONDITION_FAILED - invalid expiration '{}': {}"
NO_QUEUE = "NOT_FOUND - no queue '{}' in vhost '/'"
NO_EXCHANGE = "NOT_FOUND - no exchange '{}' in vhost '/'"
NONE_DECLARED = "NOT_FOUND - no previously declared queue"
QUEUE_ARGUMENT = "PRECONDITION_FAILED - invalid arg '{}' for queue 'pq' in vhost '/': {}"
INEQUIVALENT = "PRECONDITION_FAILED - inequivalent arg '{}' for queue 'pr' in vhost '/': {}"
INEQUIVALENT_EXCHANGE = "PRECONDITION_FAILED - inequivalent arg '{}' for exchange '{}' in vhost '/': {}"


def _times() -> dict[str, Refusal]:
    """TTL-2: times are whole numbers of milliseconds in a range, anything else is 406."""
    wrong: list[tuple[str, Any, str]] = [
        ("x-message-ttl", -1, "{value_negative,-1}"),
        ("x-message-ttl", "1000", '"expected integer, got longstr"'),
        ("x-message-ttl", 1.5, '"expected integer, got double"'),
        ("x-message-ttl", True, '"expected integer, got bool"'),
        ("x-message-ttl", None, '"expected integer, got void"'),
        ("x-message-ttl", 2**40, "{value_too_large,1099511627776}"),
        ("x-message-ttl", 315360000001, "{value_too_large,315360000001}"),
        ("x-message-ttl", {"a": 1}, '"expected integer, got table"'),
        ("x-message-ttl", [1], '"expected integer, got array"'),
        ("x-expires", 0, "{value_zero,0}"),
        ("x-expires", -1, "{value_negative,-1}"),
        ("x-expires", "a", '"expected integer, got longstr"'),
        ("x-expires", True, '"expected integer, got bool"'),
        ("x-expires", 1.0, '"expected integer, got double"'),
        ("x-expires", 315360000001, "{value_too_large,315360000001}"),
        ("x-queue-type", "quorumm", "\"unsupported queue type 'quorumm'\""),
        ("x-queue-type", 1, "{unacceptable_type,signedint}"),
    ]
    return {
        f"{name}={value!r}": Refusal(
            declares("pq", arguments={name: value}), PreconditionFailed, QUEUE_ARGUMENT.format(name, problem)
        )
        for name, value, problem in wrong
    }


def _expirations() -> dict[str, Refusal]:
    """TTL-1: a text of digits with an optional sign, as Erlang's string:to_integer reads it."""
    wrong = {
        "": "no_integer",
        "abc": "no_integer",
        "10s": '{leftover_string,"s"}',
        "1.5": '{leftover_string,".5"}',
        " 10": "no_integer",
        "-1": "{value_negative,-1}",
        "315360000001": "{value_too_large,315360000001}",
        "5 ": '{leftover_string," "}',
        " ": "no_integer",
        "1e3": '{leftover_string,"e3"}',
        "0x10": '{leftover_string,"x10"}',
        "\uff11": "no_integer",
    }
    return {
        f"expiration={text!r}": Refusal(expiring(text), PreconditionFailed, EXPIRATION.format(text, problem))
        for text, problem in wrong.items()
    }


def _locked() -> dict[str, Refusal]:
    """U-4: an exclusive queue is its connection's."""
    calls: dict[str, Act] = {
        "declare": declares("pex"),
        "declare exclusive": declares("pex", exclusive=True),
        "passive": declares("pex", passive=True),
        "get": lambda b: b.get("pex"),
        "consume": lambda b: b.consume("c", "pex"),
        "bind": bind("pex", "amq.direct", "a"),
        "unbind": lambda b: b.unbind("pex", "amq.topic", "a"),
        "purge": lambda b: b.engine.queue_purge(b.channel, "pex"),
        "delete": lambda b: b.engine.queue_delete(b.channel, "pex"),
    }
    return {
        f"exclusive {name}": Refusal(act, ResourceLocked, LOCKED.format("pex"), elsewhere())
        for name, act in calls.items()
    }


REFUSALS: dict[str, Refusal] = {
    **_times(),
    **_expirations(),
    **_locked(),
    "exclusive by its owner": Refusal(
        declares("pe2"), ResourceLocked, LOCKED.format("pe2"), declares("pe2", exclusive=True)
    ),
    "unknown type": Refusal(
        exchange("px", "nosuch"), PreconditionFailed, "PRECONDITION_FAILED - unknown exchange type 'nosuch'"
    ),
    "empty type": Refusal(
        exchange("px", ""), PreconditionFailed, "PRECONDITION_FAILED - invalid exchange type ''"
    ),
    "declare default": Refusal(exchange(""), AccessRefused, DEFAULT),
    "passive default": Refusal(passive(""), AccessRefused, DEFAULT),
    "delete default": Refusal(lambda b: b.engine.exchange_delete(b.channel, ""), AccessRefused, DEFAULT),
    "bind default": Refusal(bind("pq", ""), AccessRefused, DEFAULT, PQ),
    "unbind default": Refusal(lambda b: b.unbind("pq", "", "k"), AccessRefused, DEFAULT, PQ),
    "link default": Refusal(link("", "amq.direct"), AccessRefused, DEFAULT),
    "unlink default": Refusal(
        lambda b: b.engine.exchange_unbind(b.channel, "amq.direct", "", "k", {}), AccessRefused, DEFAULT
    ),
    "reserved exchange": Refusal(
        exchange("amq.foo"),
        AccessRefused,
        "ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'",
    ),
    "reserved queue": Refusal(
        declare("amq.foo"),
        AccessRefused,
        "ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'",
    ),
    "passive reserved exchange": Refusal(passive("amq.foo"), NotFound, NO_EXCHANGE.format("amq.foo")),
    "passive reserved queue": Refusal(
        declares("amq.foo", passive=True), NotFound, NO_QUEUE.format("amq.foo")
    ),
    "system type": Refusal(
        exchange("amq.direct", "fanout", durable=True),
        PreconditionFailed,
        INEQUIVALENT_EXCHANGE.format("type", "amq.direct", "received 'fanout' but current is 'direct'"),
    ),
    "system durable": Refusal(
        exchange("amq.direct"),
        PreconditionFailed,
        INEQUIVALENT_EXCHANGE.format("durable", "amq.direct", "received 'false' but current is 'true'"),
    ),
    "system auto-delete": Refusal(
        exchange("amq.direct", durable=True, auto_delete=True),
        PreconditionFailed,
        INEQUIVALENT_EXCHANGE.format("auto_delete", "amq.direct", "received 'true' but current is 'false'"),
    ),
    "delete system": Refusal(
        lambda b: b.engine.exchange_delete(b.channel, "amq.direct"),
        AccessRefused,
        "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
    ),
    "delete system missing": Refusal(
        lambda b: b.engine.exchange_delete(b.channel, "amq.nosuch"),
        AccessRefused,
        "ACCESS_REFUSED - deletion of system exchange 'amq.nosuch' in vhost '/' not allowed",
    ),
    "passive exchange missing": Refusal(passive("nope"), NotFound, NO_EXCHANGE.format("nope")),
    "passive queue missing": Refusal(declares("nope", passive=True), NotFound, NO_QUEUE.format("nope")),
    "passive queue unnamed": Refusal(declares("", passive=True), NotFound, NO_QUEUE.format("")),
    "bind queue missing": Refusal(bind("nope", "amq.direct"), NotFound, NO_QUEUE.format("nope")),
    "bind exchange missing": Refusal(bind("pq", "nope"), NotFound, NO_EXCHANGE.format("nope"), PQ),
    "bind both missing": Refusal(bind("nope1", "nope"), NotFound, NO_EXCHANGE.format("nope")),
    "link both missing": Refusal(link("nope", "nope2"), NotFound, NO_EXCHANGE.format("nope2")),
    "link source missing": Refusal(link("amq.direct", "nope2"), NotFound, NO_EXCHANGE.format("nope2")),
    "link destination missing": Refusal(link("nope", "amq.direct"), NotFound, NO_EXCHANGE.format("nope")),
    "consume missing": Refusal(lambda b: b.consume("c", "nope"), NotFound, NO_QUEUE.format("nope")),
    "get missing": Refusal(lambda b: b.get("nope"), NotFound, NO_QUEUE.format("nope")),
    "purge missing": Refusal(
        lambda b: b.engine.queue_purge(b.channel, "nope"), NotFound, NO_QUEUE.format("nope")
    ),
    "publish missing": Refusal(lambda b: b.publish("x", "k", "nope"), NotFound, NO_EXCHANGE.format("nope")),
    "publish immediate": Refusal(
        lambda b: b.engine.basic_publish(b.channel, "", "k", b"x", {}, {}, immediate=True),
        NotImplementedByAMQP,
        "NOT_IMPLEMENTED - immediate=true",
    ),
    "ack 7": Refusal(lambda b: b.ack(7), PreconditionFailed, "PRECONDITION_FAILED - unknown delivery tag 7"),
    "ack 0": Refusal(lambda b: b.ack(0), PreconditionFailed, "PRECONDITION_FAILED - unknown delivery tag 0"),
    "ack 3 multiple": Refusal(
        lambda b: b.engine.basic_ack(b.channel, 3, multiple=True),
        PreconditionFailed,
        "PRECONDITION_FAILED - unknown delivery tag 3",
    ),
    "reject 7": Refusal(
        lambda b: b.requeue(7), PreconditionFailed, "PRECONDITION_FAILED - unknown delivery tag 7"
    ),
    "recover without requeue": Refusal(
        lambda b: b.engine.basic_recover(b.channel, requeue=False),
        NotImplementedByAMQP,
        "NOT_IMPLEMENTED - requeue=false",
    ),
    "qos size": Refusal(
        lambda b: b.engine.basic_qos(b.channel, 1, 0),
        NotImplementedByAMQP,
        "NOT_IMPLEMENTED - prefetch_size!=0 (1)",
    ),
    "flow": Refusal(
        lambda b: b.engine.channel_flow(b.channel, active=False),
        NotImplementedByAMQP,
        "NOT_IMPLEMENTED - active=false",
    ),
    "tag twice": Refusal(
        lambda b: b.consume("a", "pq"),
        NotAllowed,
        "NOT_ALLOWED - attempt to reuse consumer tag 'a'",
        first(PQ, lambda b: b.consume("a", "pq")),
    ),
    "tag twice, exclusive": Refusal(
        lambda b: b.consume("a", "pq"),
        NotAllowed,
        "NOT_ALLOWED - attempt to reuse consumer tag 'a'",
        first(PQ, lambda b: b.consume("a", "pq", exclusive=True)),
    ),
    "tag twice, queue missing": Refusal(
        lambda b: b.consume("a", "nope"),
        NotAllowed,
        "NOT_ALLOWED - attempt to reuse consumer tag 'a'",
        first(PQ, lambda b: b.consume("a", "pq")),
    ),
    "get none declared": Refusal(lambda b: b.get(""), NotFound, NONE_DECLARED),
    "bind none declared": Refusal(bind("", "amq.direct", ""), NotFound, NONE_DECLARED),
    "delete none declared": Refusal(lambda b: b.engine.queue_delete(b.channel, ""), NotFound, NONE_DECLARED),
    "purge none declared": Refusal(lambda b: b.engine.queue_purge(b.channel, ""), NotFound, NONE_DECLARED),
    "consume none declared": Refusal(lambda b: b.consume("c", ""), NotFound, NONE_DECLARED),
    "unbind none declared": Refusal(lambda b: b.unbind("", "amq.direct", "k"), NotFound, NONE_DECLARED),
    "last declared is deleted": Refusal(
        bind("", "amq.direct"),
        NotFound,
        NO_QUEUE.format("pq"),
        first(PQ, lambda b: b.engine.queue_delete(b.channel, "pq")),
    ),
    "publish missing, expiration wrong": Refusal(
        lambda b: b.engine.basic_publish(b.channel, "nope", "k", b"x", {}, {"expiration": "abc"}),
        NotFound,
        NO_EXCHANGE.format("nope"),
    ),
    "publish missing, immediate": Refusal(
        lambda b: b.engine.basic_publish(b.channel, "nope", "k", b"x", {}, {}, immediate=True),
        NotImplementedByAMQP,
        "NOT_IMPLEMENTED - immediate=true",
    ),
    "reserved and of no type": Refusal(
        exchange("amq.foo", "nosuch"),
        PreconditionFailed,
        "PRECONDITION_FAILED - unknown exchange type 'nosuch'",
    ),
    "x-match unknown, queue missing": Refusal(
        bind("nope", "amq.headers", x_match="foo"), NotFound, NO_QUEUE.format("nope")
    ),
    "consumer priority a bool": Refusal(
        lambda b: b.consume("c", "pq", arguments={"x-priority": True}),
        PreconditionFailed,
        QUEUE_ARGUMENT.format("x-priority", '"expected integer, got bool"'),
        PQ,
    ),
    "consumer priority": Refusal(
        lambda b: b.consume("c", "pq", arguments={"x-priority": "a"}),
        PreconditionFailed,
        QUEUE_ARGUMENT.format("x-priority", '"expected integer, got longstr"'),
        PQ,
    ),
    "x-match unknown": Refusal(
        bind("pq", "amq.headers", x_match="foo"),
        PreconditionFailed,
        'PRECONDITION_FAILED - Invalid x-match field value <<"foo">>; '
        "expected all, any, all-with-x, or any-with-x",
        PQ,
    ),
    "x-match number": Refusal(
        bind("pq", "amq.headers", x_match=1),
        PreconditionFailed,
        "PRECONDITION_FAILED - Invalid x-match field type signedint (value 1); expected longstr",
        PQ,
    ),
    "three hashes": Refusal(
        bind("pq", "amq.topic", "#.a.#.b.#"),
        PreconditionFailed,
        "PRECONDITION_FAILED - Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed",
        PQ,
    ),
    "durable": Refusal(
        declares(durable=True),
        PreconditionFailed,
        INEQUIVALENT.format("durable", "received 'true' but current is 'false'"),
        declares(),
    ),
    "auto-delete": Refusal(
        declares(auto_delete=True),
        PreconditionFailed,
        INEQUIVALENT.format("auto_delete", "received 'true' but current is 'false'"),
        declares(),
    ),
    "made exclusive": Refusal(declares(exclusive=True), ResourceLocked, LOCKED.format("pr"), declares()),
    "durable before arguments": Refusal(
        declares(durable=True, arguments={"x-message-ttl": 1}),
        PreconditionFailed,
        INEQUIVALENT.format("durable", "received 'true' but current is 'false'"),
        declares(),
    ),
    "other TTL": Refusal(
        declares(arguments={"x-message-ttl": 2000}),
        PreconditionFailed,
        INEQUIVALENT.format("x-message-ttl", "received '2000' but current is '1000'"),
        TTL,
    ),
    "no TTL": Refusal(
        declares(),
        PreconditionFailed,
        INEQUIVALENT.format(
            "x-message-ttl", "received none but current is the value '1000' of type 'signedint'"
        ),
        TTL,
    ),
    "new TTL": Refusal(
        TTL,
        PreconditionFailed,
        INEQUIVALENT.format(
            "x-message-ttl", "received the value '1000' of type 'signedint' but current is none"
        ),
        declares(),
    ),
    "invalid TTL later": Refusal(
        declares(arguments={"x-message-ttl": -1}),
        PreconditionFailed,
        INEQUIVALENT.format("x-message-ttl", "received '-1' but current is '1000'"),
        TTL,
    ),
    "big TTL": Refusal(
        declares(),
        PreconditionFailed,
        INEQUIVALENT.format(
            "x-message-ttl", "received none but current is the value '3000000000' of type 'long'"
        ),
        declares(arguments={"x-message-ttl": 3_000_000_000}),
    ),
    "other type": Refusal(
        exchange("prx", "fanout"),
        PreconditionFailed,
        INEQUIVALENT_EXCHANGE.format("type", "prx", "received 'fanout' but current is 'direct'"),
        exchange("prx"),
    ),
    "exchange durable": Refusal(
        exchange("prx", durable=True),
        PreconditionFailed,
        INEQUIVALENT_EXCHANGE.format("durable", "prx", "received 'true' but current is 'false'"),
        exchange("prx"),
    ),
    "exchange auto-delete": Refusal(
        exchange("prx", auto_delete=True),
        PreconditionFailed,
        INEQUIVALENT_EXCHANGE.format("auto_delete", "prx", "received 'true' but current is 'false'"),
        exchange("prx"),
    ),
    "exchange in use": Refusal(
        lambda b: b.engine.exchange_delete(b.channel, "prx", if_unused=True),
        PreconditionFailed,
        "PRECONDITION_FAILED - exchange 'prx' in vhost '/' in use",
        first(exchange("prx"), PQ, bind("pq", "prx")),
    ),
    "queue in use": Refusal(
        lambda b: b.engine.queue_delete(b.channel, "pq2", if_unused=True),
        PreconditionFailed,
        "PRECONDITION_FAILED - queue 'pq2' in vhost '/' in use",
        first(declares("pq2"), lambda b: b.consume("c", "pq2")),
    ),
    "queue not empty": Refusal(
        lambda b: b.engine.queue_delete(b.channel, "pq3", if_empty=True),
        PreconditionFailed,
        "PRECONDITION_FAILED - queue 'pq3' in vhost '/' not empty",
        first(declares("pq3"), lambda b: b.publish("x", "pq3")),
    ),
    "consume exclusively used": Refusal(
        lambda b: b.consume("d", "pq"),
        AccessRefused,
        "ACCESS_REFUSED - queue 'pq' in vhost '/' in exclusive use",
        first(PQ, lambda b: b.consume("c", "pq", exclusive=True)),
    ),
    "consume used exclusively": Refusal(
        lambda b: b.consume("d", "pq", exclusive=True),
        AccessRefused,
        "ACCESS_REFUSED - queue 'pq' in vhost '/' in exclusive use",
        first(PQ, lambda b: b.consume("c", "pq")),
    ),
}

each_refusal = pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)


def lasting(snapshot: Snapshot) -> tuple[Any, ...]:
    """What no refusal may change; consumers belong to their channel, and go with it."""
    return snapshot.exchanges, snapshot.queues, snapshot.bindings, snapshot.publishers, snapshot.ledger


# ---------------------------------------------------------------- tests


@each_refusal
def test_words(bench: Bench, refusal: Refusal) -> None:
    """ERR: each refusal has RabbitMQ's class, code and words, to the byte."""
    refusal.before(bench)

    with pytest.raises(refusal.error) as caught:
        refusal.act(bench)

    assert type(caught.value) is refusal.error
    assert str(caught.value) == caught.value.reply_text == refusal.text
    assert str(caught.value.code) + " " + caught.value.name == CODES[refusal.error]


CODES = {
    AccessRefused: "403 ACCESS_REFUSED",
    NotFound: "404 NOT_FOUND",
    ResourceLocked: "405 RESOURCE_LOCKED",
    PreconditionFailed: "406 PRECONDITION_FAILED",
    NotAllowed: "530 NOT_ALLOWED",
    NotImplementedByAMQP: "540 NOT_IMPLEMENTED",
}


@each_refusal
def test_nothing_else_changes(bench: Bench, refusal: Refusal) -> None:
    """ERR: a refused call leaves topology, contents and ledger as they are, and closes its channel."""
    other = bench.client("bystander")
    bench.queue("kept", channel=other)
    bench.fill("a", "b", "c", key="kept")
    bench.fetch("kept", channel=other)
    bench.consume("other", "kept", prefetch=1, channel=other)
    refusal.before(bench)
    bench.engine.basic_qos(bench.channel, 0, 7)
    state = bench.engine.snapshot()

    with pytest.raises(refusal.error):
        refusal.act(bench)

    assert lasting(assert_whole(bench.engine)) == lasting(state)
    assert [delivery.tag for delivery in other.unacked.values()] == [1, 2]
    assert list(other.consumers) == ["other"]
    assert not bench.channel.consumers
    if issubclass(refusal.error, ChannelError):
        assert bench.channel.is_open
        assert bench.channel.prefetch == 0
        bench.engine.queue_declare(bench.channel, "next")
    else:
        assert not bench.connection.is_open
        with pytest.raises(Closed, match=r"^the connection is closed$"):
            bench.engine.queue_declare(bench.channel, "next")


def test_channel_close_requeues(bench: Bench) -> None:
    """R-4: what the refused channel holds goes back to its seats, its consumers go, its tags begin again."""
    bench.queue()
    bench.fill("a", "b", "c", "d")
    bench.fetch()
    bench.consume("c", prefetch=2)

    with pytest.raises(NotFound):
        bench.publish("x", "k", "nope")

    assert bench.ready() == ["a", "b", "c", "d"]
    assert [copy.redelivered for copy, _ in bench.engine.contents("q")] == [1, 1, 1, 0]
    assert list(bench.items()) == []
    assert bench.fetch().tag == 1
    assert assert_whole(bench.engine).consumers == {}


def test_connection_error_closes_all_channels(bench: Bench) -> None:
    """ERR: a connection error closes every channel of the connection, whose exclusive queues go."""
    second = bench.engine.open_channel(bench.connection)
    bench.queue("mine", channel=second, exclusive=True)
    bench.queue()
    bench.publish("a")
    bench.fetch(channel=second)

    with pytest.raises(NotImplementedByAMQP):
        bench.engine.basic_qos(bench.channel, 1, 0)

    snapshot = assert_whole(bench.engine)
    assert bench.ready() == ["a"]
    assert list(snapshot.queues) == ["q"]
    assert not snapshot.connections
    assert not snapshot.channels


ACCEPTED: dict[str, Act] = {
    "x-message-ttl=0": declare(message_ttl=0),
    "x-message-ttl of ten years": declare(message_ttl=315360000000),
    "x-expires=1": declare(expires=1),
    "x-queue-type=classic": declare(queue_type="classic"),
    "x-queue-mode": declare(queue_mode="bad"),
    "x-foo": declare(foo=1),
    "expiration 0": expiring("0"),
    "expiration +5": expiring("+5"),
    "expiration of ten years": expiring("315360000000"),
    "amq.direct again": exchange("amq.direct", durable=True),
    "exchange passive, other type": passive("amq.fanout"),
    "exchange with x-foo": exchange("prx", arguments={"x-foo": 1}),
    "delete missing exchange": lambda b: b.engine.exchange_delete(b.channel, "nope"),
    "unbind all missing": first(PQ, lambda b: b.unbind("pq", "nope", "k")),
    "unbind queue missing": lambda b: b.unbind("nope", "amq.direct", "k"),
    "unbind three hashes": first(PQ, lambda b: b.unbind("pq", "amq.topic", "#.a.#.b.#")),
    "unbind another's": first(elsewhere(), lambda b: b.unbind("pex", "amq.direct", "a")),
    "unlink missing": lambda b: b.engine.exchange_unbind(b.channel, "nope", "nope2", "x", {}),
    "ack all of none": lambda b: b.engine.basic_ack(b.channel, 0, multiple=True),
    "cancel unknown": lambda b: b.engine.basic_cancel(b.channel, "zz"),
    "flow on": lambda b: b.engine.channel_flow(b.channel, active=True),
    "again with x-foo": first(TTL, declares(arguments={"x-message-ttl": 1000, "x-foo": 1})),
    "again with its type": first(declares(), declares(arguments={"x-queue-type": "classic"})),
    "again without its type": first(declares(arguments={"x-queue-type": "classic"}), declares()),
    "odd name": declares("a bcé", auto_delete=True, exclusive=True),
}


@pytest.mark.parametrize("act", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(bench: Bench, act: Act) -> None:
    """TTL-1, TTL-2, U-1, U-9, EX-6, EX-10, R-6, Q-9: what RabbitMQ accepts beside what it refuses."""
    act(bench)

    assert_whole(bench.engine)


def test_delete_missing_answers_zero(bench: Bench) -> None:
    """U-6: deleting a queue that is not there is no error, even under a reserved name."""
    assert bench.engine.queue_delete(bench.channel, "nope") == 0
    assert bench.engine.queue_delete(bench.channel, "amq.nosuch") == 0


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("x-queue-version", 1, ": \"unsupported queue version '1'\""),
        ("x-queue-version", 3, ": \"unsupported queue version '3'\""),
        ("x-queue-version", "a", ': "expected integer, got longstr"'),
        ("x-queue-leader-locator", "zz", ": invalid_queue_locator_arg"),
        ("x-queue-leader-locator", 1, ": {unacceptable_type,signedint}"),
        ("x-consumer-timeout", 1000, " of queue type rabbit_classic_queue"),
        ("x-consumer-timeout", "a", " of queue type rabbit_classic_queue"),
    ],
)
def test_arguments_without_effect_are_checked(bench: Bench, name: str, value: Any, problem: str) -> None:
    """ERR: RabbitMQ checks these arguments too, though nothing of them shows in the sandbox."""
    with pytest.raises(PreconditionFailed) as caught:
        bench.engine.queue_declare(bench.channel, "pq", arguments={name: value})

    assert (
        str(caught.value)
        == f"PRECONDITION_FAILED - invalid arg '{name}' for queue 'pq' in vhost '/'{problem}"
    )


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("x-queue-type", "quorum", "received 'quorum' but current is 'classic'"),
        ("x-queue-type", "stream", "received 'stream' but current is 'classic'"),
        ("x-queue-type", 1, "received '1' but current is 'classic'"),
        ("x-queue-version", 2, "received the value '2' of type 'signedint' but current is none"),
        ("x-queue-mode", "lazy", "received the value 'lazy' of type 'longstr' but current is none"),
        (
            "x-queue-leader-locator",
            "client-local",
            "received the value 'client-local' of type 'longstr' but current is none",
        ),
    ],
)
def test_arguments_without_effect_are_compared(bench: Bench, name: str, value: Any, problem: str) -> None:
    """U-1: RabbitMQ compares these arguments too, though nothing of them shows in the sandbox."""
    bench.queue("pr")

    with pytest.raises(PreconditionFailed) as caught:
        bench.engine.queue_declare(bench.channel, "pr", arguments={name: value})

    assert str(caught.value) == INEQUIVALENT.format(name, problem)


# ---------------------------------------------------------------- help


def notes(act: Callable[[], object]) -> list[str]:
    """The notes of the error that this raises."""
    with pytest.raises(BrokerError) as caught:
        act()
    return getattr(caught.value, "__notes__", [])


def test_help_is_no_part_of_the_reply(bench: Bench) -> None:
    """The nearest names stand in a note; `reply_text` stays RabbitMQ's."""
    bench.queue("orders")
    bench.queue("order.late")

    assert notes(lambda: bench.get("oders")) == ["Did you mean 'orders'?"]
    assert notes(lambda: bench.publish(exchange="amq.topc"))[0].startswith("Did you mean 'amq.topic'")


def test_help_without_a_near_name(bench: Bench) -> None:
    """Where no name is near, the note lists a few that exist, or says that there is none."""
    assert notes(lambda: bench.get("zzz")) == ["No queue has been declared yet."]
    assert notes(lambda: bench.publish(exchange="zzz")) == ["No exchange has been declared yet."]
    for number in range(10):
        bench.queue(f"a{number}")

    assert notes(lambda: bench.get("zzz")) == [
        "Declared queues: 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7' and 2 more."
    ]


def test_a_refusal_without_help_has_no_note() -> None:
    """An error without help carries no empty note."""
    assert not hasattr(errors.BrokerError("text"), "__notes__")
    assert errors.BrokerError("text").reply_text == "text"


def test_closed_says_what(bench: Bench) -> None:
    """A closed channel, connection or broker says which of them it is."""
    other = bench.client()
    bench.engine.close_channel(bench.channel)
    with pytest.raises(Closed, match=r"^the channel is closed$"):
        bench.get()
    bench.engine.disconnect(other.connection)
    acts: list[Callable[[], object]] = [
        lambda: bench.get(channel=other),
        lambda: bench.engine.open_channel(other.connection),
        lambda: bench.engine.next_item(other.connection, 0),
    ]
    for act in acts:
        with pytest.raises(Closed, match=r"^the connection is closed$"):
            act()
    bench.engine.close()
    acts = [
        bench.get,
        bench.client,
        lambda: bench.engine.next_item(bench.connection, 0),
    ]
    for act in acts:
        with pytest.raises(Closed, match=r"^this broker is closed$"):
            act()
