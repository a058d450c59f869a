"""Direct, fanout and default exchanges, and the declaring of exchanges (EX-1 to EX-13)."""

import pytest
from amqp.exceptions import (
    AccessRefused,
    AMQPNotImplementedError,
    InvalidCommand,
    NotFound,
    PreconditionFailed,
)

from tests.contract.target import Target


@pytest.mark.statement("EX-1")
def test_direct(target: Target) -> None:
    """EX-1: a direct exchange compares the whole key, letter by letter."""
    exchange = target.exchange("direct")
    queue = target.bound(exchange, "Red.Green")

    for key in ("Red.Green", "red.green", "Red", "Red.*", "", "Red.Green."):
        target.publish(key, exchange, key)

    target.expect(queue, "Red.Green")


@pytest.mark.statement("EX-1")
def test_fanout(target: Target) -> None:
    """EX-1: a fanout exchange does not look at the key."""
    exchange = target.exchange("fanout")
    queues = [target.bound(exchange, key) for key in ("", "a")]

    for key in ("", "a", "b"):
        target.publish(f"with {key}", exchange, key)

    for queue in queues:
        target.expect(queue, "with ", "with a", "with b")


@pytest.mark.statement("EX-2")
def test_binding_twice(target: Target) -> None:
    """EX-2: the same binding again is no second one: one copy, and one unbind is enough."""
    exchange = target.exchange("direct")
    queue = target.bound(exchange, "key")
    target.channel.queue_bind(queue, exchange, "key")

    target.publish("once", exchange, "key")
    target.expect(queue, "once")

    target.channel.queue_unbind(queue, exchange, "key")
    target.publish("never", exchange, "key")
    target.expect(queue)


@pytest.mark.statement("EX-2")
def test_bindings_differ_by_arguments(target: Target) -> None:
    """EX-2: key and arguments make a binding; to unbind is to repeat both, anything else does nothing."""
    exchange = target.exchange("direct")
    queue = target.bound(exchange, "key", {"mine": 1})
    target.channel.queue_bind(queue, exchange, "key", arguments={"mine": 2})
    target.channel.queue_bind(queue, exchange, "other")

    target.publish("one copy", exchange, "key")
    target.expect(queue, "one copy")

    target.channel.queue_unbind(queue, exchange, "key")
    target.channel.queue_unbind(queue, exchange, "key", arguments={"mine": 3})
    target.channel.queue_unbind(queue, exchange, "key", arguments={"mine": 1})
    target.publish("still bound", exchange, "key")
    target.expect(queue, "still bound")

    target.channel.queue_unbind(queue, exchange, "key", arguments={"mine": 2})
    target.publish("no longer", exchange, "key")
    target.publish("the other", exchange, "other")
    target.expect(queue, "the other")


@pytest.mark.statement("EX-3")
def test_default_exchange_binds_every_queue(target: Target) -> None:
    """EX-3: the default exchange reaches each queue by its name, and the message says so."""
    queue = target.queue()

    target.publish("direct", "", queue)

    (message,) = target.expect(queue, "direct")
    assert message.delivery_info["exchange"] == ""
    assert message.delivery_info["routing_key"] == queue


@pytest.mark.statement("EX-3")
def test_default_exchange_is_not_to_be_changed(target: Target) -> None:
    """EX-3: to declare, look for, delete, bind or unbind the default exchange is refused."""
    queue, exchange, channel = target.queue(), target.exchange(), target.channel
    text = "operation not permitted on the default exchange"

    for call, *args in (
        (channel.exchange_declare, "", "direct"),
        (channel.exchange_delete, ""),
        (channel.queue_bind, queue, "", "key"),
        (channel.queue_unbind, queue, "", "key"),
        (channel.exchange_bind, exchange, "", "key"),
        (channel.exchange_bind, "", exchange, "key"),
        (channel.exchange_unbind, exchange, "", "key"),
        (channel.exchange_unbind, "", exchange, "key"),
    ):
        target.refused(AccessRefused, text, call, *args)
    target.refused(AccessRefused, text, channel.exchange_declare, "", "direct", passive=True)


@pytest.mark.statement("EX-4")
def test_no_such_queue_is_no_error(target: Target) -> None:
    """EX-4: what the default exchange has no queue for is dropped, or returned if mandatory; no error."""
    name, returned = target.name("nobody"), target.returns()

    target.publish("dropped", "", name)
    target.publish("returned", "", name, mandatory=True)
    target.sync(target.channel)

    assert [(back.code, back.text, back.message.body) for back in returned] == [(312, "NO_ROUTE", "returned")]
    queue = target.queue(name)
    target.publish("arrives", "", name)
    target.expect(queue, "arrives")


@pytest.mark.statement("EX-5")
def test_no_such_exchange(target: Target) -> None:
    """EX-5: publishing to an exchange that does not exist is an error of the channel."""
    name = target.name("nowhere")

    target.refused(
        NotFound, f"no exchange '{name}' in vhost '/'", target.publish, "lost", name, "key", mandatory=True
    )


@pytest.mark.statement("EX-6")
def test_exchanges_that_are_there(target: Target) -> None:
    """EX-6: a fresh virtual host has six named exchanges, and they work; declaring the same is no error."""
    for name, kind in (
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ):
        target.declare_exchange(target.channel, name, kind)
        queue = target.bound(name, target.name("key"), {"run": "contract"})
        assert target.exists(queue)
    target.declare_exchange(target.channel, "amq.rabbitmq.trace", "topic", internal=True)
    target.refused(
        AccessRefused,
        "cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'",
        target.publish,
        "x",
        "amq.rabbitmq.trace",
        "key",
    )


@pytest.mark.statement("EX-6")
def test_names_with_amq_are_reserved(target: Target) -> None:
    """EX-6: nobody declares an exchange or queue `amq.…`, nor deletes such an exchange."""
    channel, refused = target.channel, target.refused

    refused(
        AccessRefused,
        "exchange name 'amq.foo' contains reserved prefix 'amq.*'",
        target.declare_exchange,
        channel,
        "amq.foo",
    )
    refused(AccessRefused, "queue name 'amq.foo' contains reserved prefix 'amq.*'", target.queue, "amq.foo")
    for name in ("amq.direct", "amq.nosuch"):
        refused(
            AccessRefused,
            f"deletion of system exchange '{name}' in vhost '/' not allowed",
            channel.exchange_delete,
            name,
        )
    assert channel.queue_delete("amq.nosuch") == 0
    refused(
        PreconditionFailed,
        "inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': "
        "received 'fanout' but current is 'direct'",
        target.declare_exchange,
        channel,
        "amq.direct",
        "fanout",
    )
    refused(
        NotFound,
        "no exchange 'amq.foo' in vhost '/'",
        channel.exchange_declare,
        "amq.foo",
        "direct",
        passive=True,
    )


@pytest.mark.statement("EX-7")
@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ({}, {"type": "fanout"}, "arg 'type' for {}: received 'fanout' but current is 'direct'"),
        ({}, {"durable": False}, "arg 'durable' for {}: received 'false' but current is 'true'"),
        ({}, {"auto_delete": True}, "arg 'auto_delete' for {}: received 'true' but current is 'false'"),
        ({}, {"internal": True}, "arg 'internal' for {}: received 'true' but current is 'false'"),
        (
            {},
            {"arguments": {"alternate-exchange": "b"}},
            "arg 'alternate-exchange' for {}: received the value 'b' of type 'longstr' but current is none",
        ),
        (
            {"arguments": {"alternate-exchange": "b"}},
            {},
            "arg 'alternate-exchange' for {}: received none but current is the value 'b' of type 'longstr'",
        ),
        (
            {"arguments": {"alternate-exchange": "b"}},
            {"arguments": {"alternate-exchange": "c"}},
            "arg 'alternate-exchange' for {}: received 'c' but current is 'b'",
        ),
    ],
)
def test_declared_otherwise(
    target: Target, first: dict[str, object], second: dict[str, object], what: str
) -> None:
    """EX-7: type, flags and alternate exchange must be what they were."""
    name = target.name("exchange")
    target.declare_exchange(target.channel, name, **first)  # type: ignore[arg-type]
    target.declare_exchange(target.channel, name, **first)  # type: ignore[arg-type]

    target.refused(
        PreconditionFailed,
        "inequivalent " + what.format(f"exchange '{name}' in vhost '/'"),
        target.declare_exchange,
        target.channel,
        name,
        **second,
    )


@pytest.mark.statement("EX-7")
def test_other_arguments_are_not_compared(target: Target) -> None:
    """EX-7: arguments other than `alternate-exchange` may differ."""
    name = target.exchange("direct", arguments={"x-note": 1})

    target.exchange("direct", name)
    target.exchange("direct", name, arguments={"x-note": 2, "x-more": "y"})


@pytest.mark.statement("EX-7")
def test_alternate_exchange_is_a_name(target: Target) -> None:
    """EX-7: a new exchange's `alternate-exchange` must be a text; an old one's is only compared."""
    new, old = target.name("new"), target.exchange("direct")

    for name, text in (
        (new, f"invalid type 'signedint' for arg 'alternate-exchange' in exchange '{new}' in vhost '/'"),
        (
            old,
            (
                f"inequivalent arg 'alternate-exchange' for exchange '{old}' in vhost '/': "
                "received the value '1' of type 'signedint' but current is none"
            ),
        ),
    ):
        target.refused(
            PreconditionFailed, text, target.exchange, "direct", name, arguments={"alternate-exchange": 1}
        )


@pytest.mark.statement("EX-8")
def test_passive(target: Target) -> None:
    """EX-8: a passive declaration asks only whether the exchange is there."""
    name, missing = target.exchange("topic"), target.name("missing")
    declare = target.channel.exchange_declare

    declare(
        name, "fanout", passive=True, durable=False, auto_delete=True, arguments={"alternate-exchange": "x"}
    )
    target.refused(
        NotFound, f"no exchange '{missing}' in vhost '/'", declare, missing, "direct", passive=True
    )


@pytest.mark.statement("EX-9")
def test_unknown_type(target: Target) -> None:
    """EX-9: an exchange type that nobody knows is an error of the channel; before 4, of the connection."""
    error = PreconditionFailed if target.since(4) else InvalidCommand
    for kind, text in (("nosuch", "unknown exchange type 'nosuch'"), ("", "invalid exchange type ''")):
        channel = target.new_connection().channel()
        name = target.name("exchange")

        target.refused(error, text, target.declare_exchange, channel, name, kind, on=channel)
        assert not target.exchange_exists(name)


@pytest.mark.statement("EX-10")
def test_delete(target: Target) -> None:
    """EX-10: deleting nothing is no error; `if_unused` minds only bindings that it is the source of."""
    source, destination = target.exchange(), target.exchange()
    target.channel.exchange_bind(destination, source, "key")

    target.channel.exchange_delete(target.name("missing"))
    target.channel.exchange_delete(target.name("missing"), if_unused=True)
    target.refused(
        PreconditionFailed,
        f"exchange '{source}' in vhost '/' in use",
        target.channel.exchange_delete,
        source,
        if_unused=True,
    )
    target.channel.exchange_delete(destination, if_unused=True)
    assert not target.exchange_exists(destination)

    queue = target.bound(source, "key")
    target.refused(
        PreconditionFailed,
        f"exchange '{source}' in vhost '/' in use",
        target.channel.exchange_delete,
        source,
        if_unused=True,
    )
    target.channel.queue_unbind(queue, source, "key")
    target.channel.exchange_delete(source, if_unused=True)
    assert not target.exchange_exists(source)


@pytest.mark.statement("EX-11", "D-13")
def test_internal(target: Target) -> None:
    """EX-11, D-13: clients cannot publish to an internal exchange; other exchanges and dead letters can."""
    internal, source = target.exchange("fanout", internal=True), target.exchange("fanout")
    queue = target.bound(internal)
    target.channel.exchange_bind(internal, source)
    dying = target.queue(dead_letter_exchange=internal, max_length=0)

    target.refused(
        AccessRefused,
        f"cannot publish to internal exchange '{internal}' in vhost '/'",
        target.publish,
        "refused",
        internal,
    )
    target.publish("by a binding", source)
    target.expect(queue, "by a binding")
    target.publish("by dying", "", dying)
    target.expect(queue, "by dying")


@pytest.mark.statement("EX-12")
def test_auto_delete_by_unbinding(target: Target) -> None:
    """EX-12: an auto-delete exchange goes with its last binding as a source, not before it ever had one."""
    exchange, above = target.exchange("direct", auto_delete=True), target.exchange("direct")
    assert target.exchange_exists(exchange)

    target.channel.exchange_bind(exchange, above, "in")
    target.channel.exchange_unbind(exchange, above, "in")
    assert target.exchange_exists(exchange)

    queue = target.bound(exchange, "one")
    target.channel.queue_bind(queue, exchange, "two")
    target.channel.queue_unbind(queue, exchange, "one")
    assert target.exchange_exists(exchange)
    target.channel.queue_unbind(queue, exchange, "two")
    assert not target.exchange_exists(exchange)


@pytest.mark.statement("EX-12")
def test_auto_delete_by_deleting(target: Target) -> None:
    """EX-12: it goes too when what was bound to it is deleted, be that a queue or an exchange."""
    first, second = target.exchange("direct", auto_delete=True), target.exchange("direct", auto_delete=True)
    queue, below = target.bound(first), target.exchange("direct")
    target.channel.exchange_bind(below, second)

    target.channel.queue_delete(queue)
    target.channel.exchange_delete(below)

    assert not target.exchange_exists(first)
    assert not target.exchange_exists(second)


@pytest.mark.statement("EX-13", "ERR-1")
def test_immediate(target: Target) -> None:
    """EX-13: the flag `immediate` is not implemented, and costs the connection."""
    channel = target.new_connection().channel()

    def publish() -> None:
        channel.basic_publish(channel.prepare_message("x", content_encoding="utf-8"), immediate=True)

    target.refused(AMQPNotImplementedError, "immediate=true", publish, on=channel)
