"""Errors (ERR): their scope, their classes, and when one hears of them.  `Target.refused` has the rest."""

import socket

import amqp.exceptions as errors
import pytest

from tests.contract.target import Target

OF_CHANNELS = {
    403: errors.AccessRefused,
    404: errors.NotFound,
    405: errors.ResourceLocked,
    406: errors.PreconditionFailed,
}
OF_CONNECTIONS = {
    320: errors.ConnectionForced,
    501: errors.FrameError,
    502: errors.FrameSyntaxError,
    503: errors.InvalidCommand,
    504: errors.ChannelNotOpen,
    505: errors.UnexpectedFrame,
    530: errors.NotAllowed,
    540: errors.AMQPNotImplementedError,
    541: errors.InternalError,
}


@pytest.mark.statement("ERR-1")
def test_channel_error(target: Target) -> None:
    """ERR-1: an error of a channel ends its consumers, confirms and tags, and gives back what it held."""
    queue, other, channel = target.queue(), target.queue(), target.new_channel()
    target.fill(queue, "0", "1")
    inbox = target.consume(other, channel=channel)
    channel.confirm_select()
    assert [target.get(queue, channel).delivery_tag for _ in range(2)] == [1, 2]

    target.refused(
        errors.NotFound,
        "no exchange 'nowhere' in vhost '/'",
        target.publish,
        "x",
        "nowhere",
        "key",
        on=channel,
        channel=channel,
    )

    target.fill(other, "2")
    inbox.expect()
    assert [target.get(queue, channel).delivery_tag for _ in range(2)] == [1, 2]
    channel.tx_select()  # not possible on a channel that still has confirms
    assert target.channel.connection.connected


@pytest.mark.statement("ERR-1")
def test_connection_error(target: Target) -> None:
    """ERR-1: an error of the connection closes all its channels; other connections do not notice."""
    queue, connection = target.queue(), target.new_connection()
    target.fill(queue, "0", "1")
    failing, innocent = connection.channel(), connection.channel()
    for channel in (failing, innocent):
        assert target.get(queue, channel) is not None

    target.refused(
        errors.AMQPNotImplementedError, "requeue=false", failing.basic_recover, on=failing, requeue=False
    )

    with pytest.raises(connection.connection_errors):
        innocent.basic_get(queue)
    messages = target.expect(queue, "0", "1")
    assert [message.delivery_info["redelivered"] for message in messages] == [True, True]


@pytest.mark.statement("ERR-2")
def test_classes(target: Target) -> None:
    """ERR-2: the classes are py-amqp's, and those that a kombu connection lists for `except`."""
    connection = target.new_connection()

    for classes, base, listed in (
        (OF_CHANNELS, errors.ChannelError, connection.channel_errors),
        (OF_CONNECTIONS, errors.ConnectionError, connection.connection_errors),
    ):
        for code, error in classes.items():
            assert error.code == code
            assert issubclass(error, base)
            assert issubclass(error, listed)
    assert issubclass(errors.RecoverableConnectionError, connection.recoverable_connection_errors)
    assert issubclass(OSError, connection.connection_errors)


@pytest.mark.statement("ERR-3")
def test_when_it_is_heard_of(target: Target) -> None:
    """ERR-3: that publish, ack or reject failed RabbitMQ says later, the sandbox at once."""
    channel, connection = target.channel, target.channel.connection.client

    for call, *args in (
        (target.publish, "x", "nowhere", "key"),
        (channel.basic_ack, 7),
        (channel.basic_reject, 7, True),
        (target.nack, channel, 7),
    ):
        if target.late:
            call(*args)
            with pytest.raises((errors.NotFound, errors.PreconditionFailed)):
                connection.drain_events(timeout=2)
        else:
            with pytest.raises((errors.NotFound, errors.PreconditionFailed)):
                call(*args)
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=0.01)
