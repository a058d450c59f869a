"""Declaring, using and losing queues (U)."""

from typing import Any

import pytest
from amqp.exceptions import InternalError, NotFound, PreconditionFailed, ResourceLocked

from tests.contract.target import Sandbox, Target

Arguments = dict[str, Any]

LOCKED = (
    "cannot obtain exclusive access to locked queue '{}' in vhost '/'. It could be originally declared on "
    "another connection or the exclusive property value does not match that of the original declaration."
)


def inequivalent(target: Target, queue: str, what: str, **options: Any) -> None:
    """Declaring the queue with these options is refused in these words."""
    target.refused(
        PreconditionFailed,
        what.replace("for queue", f"for queue '{queue}' in vhost '/'"),
        target.queue,
        queue,
        **options,
    )


@pytest.mark.statement("U-1")
@pytest.mark.parametrize(
    ("argument", "value", "other", "type"),
    [
        ("x-expires", 60_000, 90_000, "signedint"),
        ("x-message-ttl", 1000, 2000, "signedint"),
        ("x-message-ttl", 3_000_000_000, 1000, "long"),
        ("x-dead-letter-exchange", "a", "b", "longstr"),
        ("x-dead-letter-routing-key", "a", "b", "longstr"),
        ("x-max-length", 1, 2, "signedint"),
        ("x-max-length-bytes", 1, 2, "signedint"),
        ("x-max-priority", 1, 2, "signedint"),
        ("x-overflow", "drop-head", "reject-publish", "longstr"),
        ("x-single-active-consumer", True, False, "bool"),
        ("x-queue-mode", "default", "lazy", "longstr"),
        ("x-queue-version", 2, None, "signedint"),
    ],
)
def test_arguments_that_are_compared(
    target: Target, argument: str, value: Any, other: Any, type: str
) -> None:
    """U-1, U-2: a queue that is there is declared with the arguments that it has, no more, less or others."""
    key = "x-dead-letter-routing-key"
    common: Arguments = {"dead_letter_exchange": "x"} if argument == key else {}
    with_it = common | {argument[2:]: value}
    shown, other_shown = (str(v).lower() if isinstance(v, bool) else str(v) for v in (value, other))
    queue, plain = target.queue(**with_it), target.queue(**common)

    target.queue(queue, **with_it)
    if other is not None:
        what = f"inequivalent arg '{argument}' for queue: received '{other_shown}' but current is '{shown}'"
        inequivalent(target, queue, what, **common, **{argument[2:]: other})
    described = f"the value '{shown}' of type '{type}'"
    what = f"inequivalent arg '{argument}' for queue: received none but current is {described}"
    inequivalent(target, queue, what, **common)
    what = f"inequivalent arg '{argument}' for queue: received {described} but current is none"
    inequivalent(target, plain, what, **with_it)


@pytest.mark.statement("U-1")
def test_leader_locator(target: Target) -> None:
    """U-1: `x-queue-leader-locator` is compared too; before 4 it was not for such queues at all."""
    plain = target.queue()
    if target.since(4):
        queue = target.queue(queue_leader_locator="client-local")
        what = (
            "inequivalent arg 'x-queue-leader-locator' for queue: "
            "received 'balanced' but current is 'client-local'"
        )
        inequivalent(target, queue, what, queue_leader_locator="balanced")
    else:
        target.queue(plain, queue_leader_locator="balanced")


@pytest.mark.statement("U-1")
@pytest.mark.parametrize(
    ("flag", "what"),
    [
        ("durable", "inequivalent arg 'durable' for queue: received 'false' but current is 'true'"),
        ("auto_delete", "inequivalent arg 'auto_delete' for queue: received 'true' but current is 'false'"),
    ],
)
def test_flags_that_are_compared(target: Target, flag: str, what: str) -> None:
    """U-1: the flags are compared, and before the arguments."""
    queue = target.queue()

    inequivalent(target, queue, what, **{flag: flag != "durable"})
    inequivalent(target, queue, what, **{flag: flag != "durable"}, message_ttl=1000)


@pytest.mark.statement("U-1")
def test_arguments_that_are_not_compared(target: Target) -> None:
    """U-1: an argument that the broker does not know may be there or not."""
    queue = target.queue(foo=1)

    target.queue(queue, foo=2, bar="x")
    target.queue(queue)


@pytest.mark.statement("U-2")
def test_queue_type(target: Target) -> None:
    """U-2: naming the usual type is the same as not naming it."""
    plain, named = target.queue(), target.queue(queue_type="classic")

    target.queue(plain, queue_type="classic")
    target.queue(named)


@pytest.mark.statement("U-2")
def test_exclusive_or_not(target: Target) -> None:
    """U-2: to declare an exclusive queue as shared, or the other way, is refused as locked."""
    shared, mine = target.queue(), target.queue(exclusive=True)

    for queue, exclusive in ((shared, True), (mine, False)):
        target.refused(ResourceLocked, LOCKED.format(queue), target.queue, queue, exclusive=exclusive)


@pytest.mark.statement("U-2")
def test_argument_of_the_wrong_kind(target: Target) -> None:
    """U-2: of a queue that is there, an argument is compared before it is found impossible."""
    queue = target.queue(message_ttl=1000)

    what = "inequivalent arg 'x-message-ttl' for queue: received '-1' but current is '1000'"
    inequivalent(target, queue, what, message_ttl=-1)
    what = "inequivalent arg 'x-message-ttl' for queue: received none but current is '1000'"
    inequivalent(target, queue, what, message_ttl=None)


@pytest.mark.statement("U-3")
def test_passive(target: Target) -> None:
    """U-3: a passive declaration asks for the queue, whatever else it says, and is told its counts."""
    queue, missing, channel = target.queue(message_ttl=60_000), target.name("missing"), target.channel
    target.fill(queue, "0", "1")

    def ask(name: str) -> Any:
        return channel.queue_declare(name, passive=True, auto_delete=True, arguments={"x-message-ttl": 1})

    assert ask(queue) == (queue, 2, 0)
    target.consume(queue, prefetch=1)
    target.settle((queue, 1, 1), ask, queue)
    target.refused(NotFound, f"no queue '{missing}' in vhost '/'", ask, missing)


@pytest.mark.statement("U-4")
def test_exclusive_queue(target: Target) -> None:
    """U-4: an exclusive queue is its connection's: others may publish to it, and nothing else."""
    owner = target.new_connection()
    mine, also_mine = owner.channel(), owner.channel()
    queue = target.queue(channel=mine, exclusive=True)
    channel = target.channel

    for call in (
        lambda: target.queue(queue),
        lambda: target.queue(queue, exclusive=True),
        lambda: channel.queue_declare(queue, passive=True),
        lambda: channel.basic_get(queue),
        lambda: channel.basic_consume(queue),
        lambda: channel.queue_bind(queue, "amq.direct", queue),
        lambda: channel.queue_purge(queue),
        lambda: channel.queue_delete(queue),
    ):
        target.refused(ResourceLocked, LOCKED.format(queue), call)
    target.publish("from outside", "", queue)
    target.settle(1, target.ready, queue, also_mine)  # two connections: which comes first is not said

    also_mine.queue_bind(queue, "amq.direct", queue)
    target.publish("by a binding", "amq.direct", queue, channel=also_mine)
    target.settle(2, target.ready, queue, also_mine)
    assert target.get(queue, also_mine).body == "from outside"
    assert also_mine.queue_purge(queue) == 1


@pytest.mark.statement("U-4")
def test_life_of_an_exclusive_queue(target: Target) -> None:
    """U-4: it lives as long as the connection, not the channel; that it is durable means nothing."""
    owner = target.new_connection()
    first, second = owner.channel(), owner.channel()
    queue = target.queue(channel=first, exclusive=True, durable=True)

    target.queue(queue, channel=second, exclusive=True, durable=False)
    first.close()
    assert second.queue_declare(queue, passive=True) == (queue, 0, 0)
    owner.close()

    target.settle(False, target.exists, queue)


@pytest.mark.statement("U-5")
def test_auto_delete(target: Target) -> None:
    """U-5: an auto-delete queue goes with its last consumer, not without ever having had one."""
    by_cancel, by_channel, by_connection, unused = (target.queue(auto_delete=True) for _ in range(4))
    for queue in (by_cancel, unused):
        target.fill(queue, "x")
        assert target.get(queue).body == "x"
    first, second = target.consume(by_cancel), target.consume(by_cancel)
    connection = target.new_connection()
    closing = target.consume(by_channel)
    target.consume(by_connection, channel=connection.channel())

    first.channel.basic_cancel(first.tag)
    assert target.exists(by_cancel)
    second.channel.basic_cancel(second.tag)
    closing.channel.close()
    connection.close()

    for queue in (by_cancel, by_channel, by_connection):
        target.settle(False, target.exists, queue)
    assert target.exists(unused)


@pytest.mark.statement("U-5", "TTL-9")
def test_messages_of_an_auto_delete_queue(target: Target) -> None:
    """U-5: its messages go with it, ready and unacked, and are no dead letters."""
    dead = target.queue()
    queue = target.queue(auto_delete=True, dead_letter_exchange="", dead_letter_routing_key=dead)
    inbox = target.consume(queue, prefetch=1)
    target.fill(queue, "0", "1")
    inbox.expect("0")

    inbox.channel.close()

    target.settle(False, target.exists, queue)
    target.expect(dead)


@pytest.mark.statement("U-6")
def test_delete(target: Target) -> None:
    """U-6: deleting tells how many ready messages there were; `if_empty` and `if_unused` are conditions."""
    queue, unacked, used, channel = target.queue(), target.queue(), target.queue(), target.channel
    target.fill(queue, "0", "1", "2")
    target.fill(unacked, "0")
    target.get(queue)
    target.get(unacked)
    target.consume(used)

    assert channel.queue_delete(target.name("missing")) == 0
    assert channel.queue_delete(unacked, if_empty=True, if_unused=True) == 0
    other = target.new_channel()
    target.refused(
        PreconditionFailed,
        f"queue '{queue}' in vhost '/' not empty",
        other.queue_delete,
        queue,
        on=other,
        if_empty=True,
    )
    target.refused(
        PreconditionFailed,
        f"queue '{used}' in vhost '/' in use",
        other.queue_delete,
        used,
        on=other,
        if_unused=True,
    )
    assert channel.queue_delete(queue) == 2
    for name in (queue, unacked):
        assert not target.exists(name)
    assert target.exists(used)


@pytest.mark.statement("U-7")
def test_purge(target: Target) -> None:
    """U-7: purging removes what is ready; what a client holds stays, and can come back."""
    queue, missing = target.queue(), target.name("missing")
    target.fill(queue, "0", "1", "2")
    tag = target.get(queue).delivery_tag

    assert target.channel.queue_purge(queue) == 2
    target.expect(queue)
    target.channel.basic_reject(tag, requeue=True)
    target.expect(queue, "0")
    target.refused(NotFound, f"no queue '{missing}' in vhost '/'", target.channel.queue_purge, missing)


@pytest.mark.statement("U-8")
def test_names_by_the_broker(target: Target) -> None:
    """U-8: for an empty name the broker makes one; then it means the queue that was declared last there."""
    channel, exchange = target.channel, target.exchange("direct")
    name = channel.queue_declare("", exclusive=True, auto_delete=False).queue
    assert name.startswith("amq.gen-")

    channel.queue_bind("", exchange, "")
    target.publish("by its name", exchange, name)
    target.publish("not by nothing", exchange, "")
    target.sync(channel)
    assert target.get("").body == "by its name"
    assert target.get("") is None

    channel.queue_bind("", exchange, "key")
    target.publish("by a key", exchange, "key")
    target.sync(channel)
    assert channel.queue_purge("") == 1
    other = target.queue()
    channel.queue_declare(name, passive=True)
    assert channel.queue_delete("") == 0
    assert not target.exists(name)
    assert target.exists(other)


@pytest.mark.statement("U-8")
def test_no_queue_declared(target: Target) -> None:
    """U-8: before any queue was declared on a channel, an empty name means none."""
    channel = target.channel

    for call in (
        lambda: channel.queue_bind("", "amq.direct", ""),
        lambda: channel.basic_get(""),
        lambda: channel.basic_consume(""),
        lambda: channel.queue_purge(""),
        lambda: channel.queue_delete(""),
    ):
        target.refused(NotFound, "no previously declared queue", call)
    target.refused(NotFound, "no queue '' in vhost '/'", channel.queue_declare, "", passive=True)


@pytest.mark.statement("U-9")
def test_binding_what_is_missing(target: Target) -> None:
    """U-9: to bind, both sides must be there; to unbind, nothing need be."""
    queue, exchange, missing = target.queue(), target.exchange(), target.name("missing")
    channel = target.channel
    no_exchange, no_queue = (f"no {what} '{missing}' in vhost '/'" for what in ("exchange", "queue"))

    target.refused(NotFound, no_queue, channel.queue_bind, missing, exchange, "key")
    target.refused(NotFound, no_exchange, channel.queue_bind, queue, missing, "key")
    target.refused(NotFound, no_exchange, channel.exchange_bind, missing, exchange, "key")
    target.refused(NotFound, no_exchange, channel.exchange_bind, exchange, missing, "key")
    channel.queue_unbind(queue, exchange, "never bound")
    channel.queue_unbind(queue, missing, "key")
    channel.queue_unbind(missing, exchange, "key")
    channel.exchange_unbind(missing, exchange, "key")
    channel.exchange_unbind(exchange, missing, "key")


@pytest.mark.statement("U-10")
def test_using_what_is_missing(target: Target) -> None:
    """U-10: to consume, fetch or purge there must be a queue; the error closes the channel."""
    queue, missing = target.queue(), target.name("missing")
    channel = target.new_channel()

    for call in (
        lambda: channel.basic_consume(missing),
        lambda: channel.basic_get(missing),
        lambda: channel.queue_purge(missing),
    ):
        target.fill(queue, "held")
        assert target.get(queue, channel).delivery_tag == 1
        target.refused(NotFound, f"no queue '{missing}' in vhost '/'", call, on=channel)
        target.expect(queue, "held")


@pytest.mark.statement("U-11")
def test_transient_queue(target: Target) -> None:
    """U-11: a shared queue that is not durable is accepted; RabbitMQ 4.3 refuses it, but not Debian's."""
    queue, refusal = target.name("queue"), ""

    try:
        target.queue(queue, durable=False)
    except InternalError as error:
        refusal = error.reply_text
    if refusal:
        assert target.late
        assert target.since(4, 3)
        assert refusal.startswith("INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.")
        return
    target.fill(queue, "x")
    target.expect(queue, "x")


@pytest.mark.statement("U-12")
@pytest.mark.sandbox_only("restarting a server would disturb its other users")
def test_restart(target: Target) -> None:
    """U-12: durable queues and their persistent messages survive, unacked ones first; the rest is gone."""
    assert isinstance(target, Sandbox)
    durable, transient = target.queue(), target.queue(durable=False)
    bound = target.bound("amq.topic", "a.#")
    for body, mode in (("0", 2), ("1", 1), ("2", 2), ("3", 2), ("4", 2)):
        target.publish(body, "", durable, delivery_mode=mode)
    target.publish("lost", "", transient, delivery_mode=2)
    held = [target.get(durable) for _ in range(3)]
    target.channel.basic_ack(held[0].delivery_tag)
    target.channel.basic_reject(held[2].delivery_tag, requeue=True)
    assert target.get(durable).body == "2"

    target.broker.restart()
    target.reconnect()

    messages = target.expect(durable, "2", "3", "4")
    assert [message.delivery_info["redelivered"] for message in messages] == [True, False, False]
    assert not target.exists(transient)
    target.publish("bound still", "amq.topic", "a.b")
    target.expect(bound, "bound still")


@pytest.mark.statement("U-13")
def test_user_id(target: Target) -> None:
    """U-13: the property `user_id` tells the truth, or the message is refused."""
    queue = target.queue()

    target.publish("mine", "", queue, user_id="guest")
    (message,) = target.expect(queue, "mine")
    assert message.properties["user_id"] == "guest"
    target.refused(
        PreconditionFailed,
        "user_id property set to 'bob' but authenticated user was 'guest'",
        target.publish,
        "not mine",
        "",
        queue,
        user_id="bob",
    )
    target.expect(queue)
