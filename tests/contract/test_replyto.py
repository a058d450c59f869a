"""Direct reply-to (DRT): answers without a queue of one's own."""

from typing import Any

import kombu
import pytest
from amqp.exceptions import NotFound, PreconditionFailed

from tests.contract.target import Inbox, Target

REPLY_TO = "amq.rabbitmq.reply-to"


def ask(target: Target, body: str, connection: kombu.Connection | None = None) -> tuple[Inbox, Any]:
    """A client that asks, and its request as the one who answers gets it."""
    inbox = target.consume(REPLY_TO, channel=target.new_channel(connection), no_ack=True)
    queue = target.queue()
    target.publish(body, "", queue, channel=inbox.channel, reply_to=REPLY_TO, correlation_id="c1")
    (request,) = target.expect(queue, body)
    return inbox, request


@pytest.mark.statement("DRT-1")
def test_round_trip(target: Target) -> None:
    """DRT-1: the broker makes an address of `reply_to`, and what is sent there reaches who asked."""
    inbox, request = ask(target, "question")
    other, another = ask(target, "question")
    address = request.properties["reply_to"]
    assert address.startswith(REPLY_TO + ".")
    assert another.properties["reply_to"] != address

    server = target.new_connection().channel()
    for body in ("answer", "and more"):
        target.publish(body, "", address, channel=server, correlation_id=request.properties["correlation_id"])

    inbox.expect("answer", "and more")
    other.expect()
    answer = inbox.messages[0]
    assert answer.delivery_info["exchange"] == ""
    assert answer.delivery_info["routing_key"] == address
    assert answer.delivery_info["redelivered"] is False
    assert answer.properties["correlation_id"] == "c1"


@pytest.mark.statement("DRT-1")
def test_one_address_for_a_channel(target: Target) -> None:
    """DRT-1: all requests of a channel have the same address; another `reply_to` is left alone."""
    inbox, request = ask(target, "first")
    queue = target.queue()

    target.publish("second", "", queue, channel=inbox.channel, reply_to=REPLY_TO)
    target.publish("third", "", queue, channel=inbox.channel, reply_to="mine")

    second, third = target.expect(queue, "second", "third")
    assert second.properties["reply_to"] == request.properties["reply_to"]
    assert third.properties["reply_to"] == "mine"


@pytest.mark.statement("DRT-2")
def test_rules(target: Target) -> None:
    """DRT-2: one consumer for a channel, without acknowledgements, and before the first request."""
    channel = target.channel

    target.refused(
        PreconditionFailed, "reply consumer cannot acknowledge", channel.basic_consume, REPLY_TO, no_ack=False
    )
    target.refused(
        PreconditionFailed,
        "fast reply consumer does not exist",
        target.publish,
        "x",
        "",
        "nobody",
        reply_to=REPLY_TO,
    )
    channel.basic_consume(REPLY_TO, no_ack=True)
    target.refused(
        PreconditionFailed, "reply consumer already set", channel.basic_consume, REPLY_TO, no_ack=True
    )
    tag = channel.basic_consume(REPLY_TO, no_ack=True)
    channel.basic_cancel(tag)
    channel.basic_consume(REPLY_TO, no_ack=True)


@pytest.mark.statement("DRT-3")
def test_looking_for_the_client(target: Target) -> None:
    """DRT-3: a passive declaration of the address says whether the client is still there."""
    inbox, request = ask(target, "question")
    address = request.properties["reply_to"]

    assert target.channel.queue_declare(address, passive=True) == (address, 0, 1)
    inbox.channel.basic_cancel(inbox.tag)
    target.refused(
        NotFound, f"no queue '{address}' in vhost '/'", target.channel.queue_declare, address, passive=True
    )


@pytest.mark.statement("DRT-3")
def test_what_is_no_queue(target: Target) -> None:
    """DRT-3: the name may be declared, with nothing done; fetched from, purged or bound it is not there."""
    channel = target.channel

    for passive in (True, False):
        declared = channel.queue_declare(REPLY_TO, passive=passive)
        assert declared == (REPLY_TO, 0, 1)
    for call in (
        lambda: channel.basic_get(REPLY_TO),
        lambda: channel.queue_purge(REPLY_TO),
        lambda: channel.queue_bind(REPLY_TO, "amq.direct", "key"),
    ):
        target.refused(NotFound, f"no queue '{REPLY_TO}' in vhost '/'", call)
    assert channel.queue_delete(REPLY_TO) == 0


@pytest.mark.statement("DRT-4")
def test_mandatory_answer(target: Target) -> None:
    """DRT-4: a mandatory answer never comes back, be the client there or gone; before 4 it always did."""
    connection = target.new_connection()
    inbox, request = ask(target, "question", connection)
    address, returned = request.properties["reply_to"], target.returns()

    target.publish("in time", "", address, mandatory=True)
    target.sync(target.channel)
    inbox.expect("in time")
    connection.close()
    target.rest()
    target.publish("too late", "", address, mandatory=True)
    target.sync(target.channel)

    bodies = [] if target.since(4) else ["in time", "too late"]
    assert [(back.code, back.routing_key, back.message.body) for back in returned] == [
        (312, address, body) for body in bodies
    ]
