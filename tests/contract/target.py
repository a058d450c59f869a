"""Where the contract is tried: a sandbox and a RabbitMQ, and what hides the differences between them.

A test is written once, against kombu channels.  RabbitMQ works in many processes, so there things happen
a moment later; in the sandbox they have happened when the call returns, and its time moves by hand.
"""

import os
import socket
import struct
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar, NamedTuple

import amqp.exceptions
import kombu
import pytest
from amqp import spec

from sandbox import Broker, ManualClock

AMQP_URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//")

#: How long a RabbitMQ may take until everyone has heard of everything, and how long we look for what must not
#: come, in seconds.
PATIENCE = 2.0
REST = 0.04

Version = tuple[int, ...]

#: The first word of a reply text, by its code.
WORDS = {
    403: "ACCESS_REFUSED",
    404: "NOT_FOUND",
    405: "RESOURCE_LOCKED",
    406: "PRECONDITION_FAILED",
    503: "COMMAND_INVALID",
    530: "NOT_ALLOWED",
    540: "NOT_IMPLEMENTED",
}


class Returned(NamedTuple):
    """A message that came back to its publisher."""

    code: int
    text: str
    exchange: str
    routing_key: str
    message: Any


class Inbox:
    """A consumer, and all that it was sent."""

    def __init__(
        self, target: "Target", channel: Any, queue: str, *, prefetch: int | None, **options: Any
    ) -> None:
        self._target = target
        self.channel = channel
        self.messages: list[Any] = []
        self.cancelled: list[str] = []
        if prefetch is not None:
            channel.basic_qos(0, prefetch, False)
        self.tag = channel.basic_consume(
            queue, callback=self._receive, on_cancel=self.cancelled.append, **options
        )

    def _receive(self, raw: Any) -> None:
        self.messages.append(self.channel.message_to_python(raw))

    @property
    def bodies(self) -> list[str]:
        """What it was sent, in order."""
        return [message.body for message in self.messages]

    def expect(self, *bodies: str) -> list[Any]:
        """It is sent these and no more, counted from its beginning."""
        self._target.drain(lambda: len(self.messages) >= len(bodies))
        assert self.bodies == list(bodies)
        return self.messages

    def ack(self, position: int) -> None:
        """Acknowledge the message at that position, and wait until the broker knows."""
        self.channel.basic_ack(self.messages[position].delivery_tag)
        self._target.sync(self.channel)

    def requeue(self, position: int) -> None:
        """Reject the message at that position, so that it goes back to its queue."""
        self.channel.basic_reject(self.messages[position].delivery_tag, requeue=True)
        self._target.sync(self.channel)


class Target(ABC):
    """A broker under test.

    Names of queues and exchanges come from `name`, so that tests share nothing and `close` can remove all.
    """

    url: str
    version: Version
    #: Whether an error of publish, ack or reject is heard of at the next operation only (ERR).
    late: ClassVar[bool]
    #: What a value raises that does not fit into a frame, such as a name of 256 bytes.
    unencodable: ClassVar[type[Exception]]

    def __init__(self) -> None:
        self._run = f"contract.{uuid.uuid4().hex[:8]}"
        self._names: list[str] = []
        self._connections: list[kombu.Connection] = []
        self._channel: Any = None
        self._observer: Any = None

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let so much of the broker's time go by."""

    @abstractmethod
    def rest(self) -> None:
        """Wait long enough that what must not happen would have happened."""

    @abstractmethod
    def sync(self, channel: Any) -> None:
        """Wait until the broker has read all that this channel sent."""

    def since(self, *version: int) -> bool:
        """Whether this is RabbitMQ `version` or later; the sandbox is 4.3."""
        return self.version >= version

    # ------------------------------------------------------------ connections

    def new_connection(self) -> kombu.Connection:
        """Another client."""
        connection = kombu.Connection(self.url)
        connection.connect()
        self._connections.append(connection)
        return connection

    def new_channel(self, connection: kombu.Connection | None = None) -> Any:
        """Another channel, of the first client unless another is given."""
        if connection is None:
            connection = self.channel.connection.client
        return connection.channel()

    @property
    def channel(self) -> Any:
        """The channel of those who need no more than one."""
        if self._channel is None:
            self._channel = self.new_connection().channel()
        return self._channel

    @property
    def observer(self) -> Any:
        """A channel that only looks, beside the first."""
        if self._observer is None:
            self._observer = self.new_channel()
        return self._observer

    def reconnect(self) -> None:
        """The connections are gone: next time, a new one."""
        self._channel = self._observer = None

    def close(self) -> None:
        """Close all connections, and leave nothing on the server."""
        for connection in self._connections:
            connection.release()
        with kombu.Connection(self.url) as connection:
            channel = connection.channel()
            for name in self._names:
                channel.exchange_delete(name)
                self.settle(True, _deleted, channel, name)

    # ------------------------------------------------------------ declaring

    def name(self, word: str = "name") -> str:
        """A name that nobody else has, for a queue or an exchange."""
        name = f"{self._run}.{len(self._names)}.{word}"
        self._names.append(name)
        return name

    def queue(
        self,
        name: str = "",
        *,
        channel: Any = None,
        durable: bool = True,
        exclusive: bool = False,
        auto_delete: bool = False,
        **arguments: Any,
    ) -> str:
        """Declare a queue, `message_ttl=5` being the argument `x-message-ttl`; returns its name."""
        name = name or self.name("queue")
        (channel or self.channel).queue_declare(
            name,
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            arguments=x_arguments(arguments),
        )
        return name

    def exchange(self, type: str = "direct", name: str = "", **options: Any) -> str:
        """Declare an exchange; returns its name."""
        name = name or self.name(type)
        self.declare_exchange(self.channel, name, type, **options)
        return name

    def declare_exchange(
        self,
        channel: Any,
        name: str,
        type: str = "direct",
        *,
        durable: bool = True,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        """`exchange.declare`, with the bit `internal` that py-amqp does not let one set."""
        if isinstance(channel, amqp.Channel):
            values = (0, name, type, False, durable, auto_delete, internal, False, arguments or {})
            channel.send_method(spec.Exchange.Declare, "BssbbbbbF", values, wait=spec.Exchange.DeclareOk)
        else:
            channel.exchange_declare(
                name, type, durable=durable, auto_delete=auto_delete, arguments=arguments, internal=internal
            )

    def bound(self, exchange: str, routing_key: str = "", arguments: dict[str, Any] | None = None) -> str:
        """A new queue, bound to that exchange; returns its name."""
        queue = self.queue()
        self.channel.queue_bind(queue, exchange, routing_key, arguments=arguments)
        return queue

    def exists(self, queue: str) -> bool:
        """Whether there is such a queue; asking is using it (TTL-8)."""
        try:
            self.observer.queue_declare(queue, passive=True)
        except amqp.exceptions.NotFound:
            return False
        return True

    def exchange_exists(self, exchange: str) -> bool:
        """Whether there is such an exchange."""
        try:
            self.observer.exchange_declare(exchange, "direct", passive=True)
        except amqp.exceptions.NotFound:
            return False
        return True

    # ------------------------------------------------------------ messages

    def publish(
        self,
        body: str,
        exchange: str = "",
        routing_key: str = "",
        *,
        channel: Any = None,
        headers: dict[str, Any] | None = None,
        mandatory: bool = False,
        priority: int | None = None,
        **properties: Any,
    ) -> None:
        """Publish a message; with `delivery_mode=2` and so on as properties."""
        channel = channel or self.channel
        message = channel.prepare_message(
            body,
            priority=priority,
            content_type="text/plain",
            content_encoding="utf-8",
            headers=headers,
            properties=properties,
        )
        channel.basic_publish(message, exchange=exchange, routing_key=routing_key, mandatory=mandatory)

    def fill(self, queue: str, *bodies: str, **properties: Any) -> None:
        """Publish these to a queue, in this order, and wait until they are there."""
        for body in bodies:
            self.publish(body, routing_key=queue, **properties)
        self.sync(self.channel)

    def get(self, queue: str, channel: Any = None) -> Any:
        """Fetch the head of a queue, which stays unacked; None if there is nothing."""
        channel = channel or self.channel
        raw = channel.basic_get(queue)
        return None if raw is None else channel.message_to_python(raw)

    def consume(
        self, queue: str, *, channel: Any = None, prefetch: int | None = None, **options: Any
    ) -> Inbox:
        """Subscribe to a queue, on a channel of its own unless one is given."""
        return Inbox(self, channel or self.new_channel(), queue, prefetch=prefetch, **options)

    def returns(self, channel: Any = None) -> list[Returned]:
        """What will come back to this channel's publisher, from now on."""
        found: list[Returned] = []

        def returned(error: Any, exchange: str, routing_key: str, message: Any) -> None:
            found.append(Returned(error.reply_code, error.reply_text, exchange, routing_key, message))

        (channel or self.channel).events["basic_return"].add(returned)
        return found

    def nack(self, channel: Any, tag: int, *, multiple: bool = False, requeue: bool = True) -> None:
        """`basic.nack`, which py-amqp does not have."""
        if isinstance(channel, amqp.Channel):
            channel.send_method(spec.Basic.Nack, "Lbb", (tag, multiple, requeue))
        else:
            channel.basic_nack(tag, multiple, requeue)

    # ------------------------------------------------------------ looking

    def settle(self, expected: object, read: Callable[..., object], *args: Any) -> None:
        """What is read becomes what is expected, within our patience."""
        deadline = time.monotonic() + PATIENCE
        found = read(*args)
        while self.late and found != expected and time.monotonic() < deadline:
            time.sleep(0.005)
            found = read(*args)
        assert found == expected

    def ready(self, queue: str, channel: Any = None) -> int:
        """How many messages stand ready in a queue, at this moment."""
        count: int = (channel or self.observer).queue_declare(queue, passive=True).message_count
        return count

    def expect_ready(self, queue: str, count: int) -> None:
        """So many messages stand ready in a queue, and stay."""
        if self.late:
            self.sync(self.channel)
        if not count:
            self.rest()
        self.settle(count, self.ready, queue)

    def expect(self, queue: str, *bodies: str, counted: int | None = None) -> list[Any]:
        """These messages stand ready in a queue, in this order, and no more; they are taken out of it.

        `counted` is how many the broker counts at first, if it counts expired ones too (TTL-4).
        """
        self.expect_ready(queue, len(bodies) if counted is None else counted)
        messages = list(self._take(queue))
        assert [message.body for message in messages] == list(bodies)
        return messages

    def _take(self, queue: str) -> Iterator[Any]:
        while (raw := self.observer.basic_get(queue, no_ack=True)) is not None:
            yield self.observer.message_to_python(raw)

    def drain(self, until: Callable[[], bool] = lambda: True) -> None:
        """Hand out what the broker sends, until this holds and then a little longer."""
        deadline = time.monotonic() + PATIENCE
        while not until() and time.monotonic() < deadline and self._drain_once(REST / 4):
            pass
        quiet = time.monotonic() + REST
        while self._drain_once(REST / 4) and time.monotonic() < quiet:
            pass

    def _drain_once(self, timeout: float) -> bool:
        """Hand out what each client has waiting; False if it is certain that nothing else can come."""
        came = False
        for connection in self._connections:
            while connection.connected:
                try:
                    connection.drain_events(timeout=timeout if self.late else 0)
                except socket.timeout:  # noqa: UP041  (the name that kombu documents)
                    break
                came = True
        return came or self.late

    # ------------------------------------------------------------ errors

    def _call_and_hear(self, on: Any, call: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)
        if self.late:
            self.sync(on)

    def refused(
        self,
        error: type[amqp.exceptions.AMQPError],
        text: str,
        call: Callable[..., object],
        *args: Any,
        on: Any = None,
        **kwargs: Any,
    ) -> None:
        """The broker refuses this call with this error, in these very words (ERR).

        RabbitMQ says so at the next operation of the channel (`on`), the sandbox at once.
        """
        channel = on or self.channel
        client = channel.connection.client
        with pytest.raises(error) as caught:
            self._call_and_hear(channel, call, *args, **kwargs)
        said = caught.value
        assert type(said) is error
        assert said.reply_code == error.code
        assert said.reply_text == f"{WORDS[error.code]} - {text}"
        if issubclass(error, amqp.exceptions.ChannelError):
            assert isinstance(said, client.channel_errors)
            self.sync(channel)  # it was opened anew
        else:
            assert isinstance(said, client.connection_errors)
            assert not client.connected


class Sandbox(Target):
    """An in-memory broker whose time moves by hand."""

    version = (4, 3, 6)
    late = False
    unencodable = amqp.exceptions.FrameSyntaxError

    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker(clock=ManualClock())
        self.url = self.broker.url

    def pass_time(self, seconds: float) -> None:
        self.broker.advance(seconds)

    def rest(self) -> None:
        pass

    def sync(self, channel: Any) -> None:
        pass

    def close(self) -> None:
        super().close()
        self.broker.close()


class RabbitMQ(Target):
    """The server at AMQP_URL; a test is skipped if there is none, and fails if CI should have started one."""

    url = AMQP_URL
    late = True
    unencodable = struct.error  # py-amqp's encoder, before anything is sent

    def __init__(self) -> None:
        super().__init__()
        self.version = server_version()

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def rest(self) -> None:
        time.sleep(REST)

    def sync(self, channel: Any) -> None:
        channel.exchange_declare("amq.direct", "direct", passive=True)


def server_version() -> Version:
    """The version of the server at AMQP_URL; without one the test is skipped, or fails under CI."""
    found = _found_version()
    if isinstance(found, str):
        if os.environ.get("CI"):
            pytest.fail(found, pytrace=False)
        pytest.skip(found)
    return found


@cache
def _found_version() -> Version | str:
    """The version of the server at AMQP_URL, or why there is none."""
    client = kombu.Connection(AMQP_URL, connect_timeout=3)
    try:
        connection = client.transport.establish_connection()
    except OSError as error:
        start = "start one with: docker run -p 5672:5672 rabbitmq:4"
        return f"no RabbitMQ at {client.as_uri()} ({error}); {start}"
    version: str = connection.server_properties["version"]
    connection.close()
    return tuple(int(part) for part in version.split(".")[:3])


def _deleted(channel: Any, queue: str) -> bool:
    """Delete a queue; not possible while its owner's connection is about to close."""
    try:
        channel.queue_delete(queue)
    except amqp.exceptions.ResourceLocked:
        return False
    return True


def x_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """`message_ttl=5` as `{"x-message-ttl": 5}`."""
    return {"x-" + name.replace("_", "-"): value for name, value in arguments.items()}
