"""The kombu transport: `sandbox://NAME` reaches the broker of that name in this process.

An adapter, and nothing more.  It has py-amqp's methods, parameters and exceptions, because that is what
code written against RabbitMQ calls, passes and catches; what they do is the engine's business.  The user's
functions (consumer callbacks, return and cancel handlers) are called from here, without any lock held.
"""

from __future__ import annotations

import re
import socket
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import wraps
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from amqp import protocol, spec
from amqp.connection import Connection as AMQPConnection
from amqp.exceptions import (
    ChannelError,
    ConsumerCancelled,
    FrameSyntaxError,
    MessageNacked,
    NotAllowed,
    RecoverableConnectionError,
    error_for_code,
)
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES, base

from .engine.errors import BrokerError, Closed, Unencodable
from .engine.model import ExchangeOptions, copy_table
from .engine.sessions import Cancelled

if TYPE_CHECKING:
    import kombu

    from .engine import sessions
    from .engine.core import Engine, Published
    from .engine.model import Message as Stored
    from .engine.snapshot import QueueView

P = ParamSpec("P")
R = TypeVar("R")
Signature = tuple[int, int]

#: The brokers of this process by name.  The newest of a name has it; a broker that nobody refers to is gone.
BROKERS: MutableMapping[str, Engine] = weakref.WeakValueDictionary()

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")

TRANSPORT_ALIASES["sandbox"] = "sandbox.transport:Transport"


class UnknownBroker(OperationalError):  # type: ignore[misc]  # kombu is not typed
    """No broker of that name is alive in this process."""


def register(name: str, engine: Engine) -> None:
    """Let `sandbox://name` mean this engine from now on; ValueError if a URL cannot hold the name."""
    if not _NAME.fullmatch(name):
        msg = f"a broker's name is small letters, digits, dots, dashes and underscores, not {name!r}"
        raise ValueError(msg)
    BROKERS[name] = engine


def _find(name: str) -> Engine:
    try:
        return BROKERS[name]
    except KeyError:
        known = ", ".join(f"sandbox://{known}" for known in sorted(BROKERS)) or "none"
        error = UnknownBroker(f"no broker at sandbox://{name}; alive in this process: {known}")
        error.add_note(
            f'Make it with broker = sandbox.Broker(name="{name or "orders"}") and keep the reference: '
            "a broker that nothing refers to is gone."
        )
        raise error from None


# ---------------------------------------------------------------- errors


def _amqp_errors(
    signature: Signature,
) -> Callable[[Callable[Concatenate[Channel, P], R]], Callable[Concatenate[Channel, P], R]]:
    """Raise what the engine refuses as the exception that py-amqp raises for RabbitMQ's answer."""

    def decorate(method: Callable[Concatenate[Channel, P], R]) -> Callable[Concatenate[Channel, P], R]:
        @wraps(method)
        def call(self: Channel, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(self, *args, **kwargs)
            except BrokerError as error:
                raise _as_amqp(error, signature) from None

        return call

    return decorate


def _as_amqp(error: BrokerError, signature: Signature | None = None) -> Exception:
    result: Exception
    if isinstance(error, Closed):
        result = RecoverableConnectionError(error.reply_text)
    elif isinstance(error, Unencodable):
        result = FrameSyntaxError(error.reply_text, signature)
    else:
        result = error_for_code(error.code, error.reply_text, signature, ChannelError)
    for note in getattr(error, "__notes__", ()):
        result.add_note(note)
    return result


# ---------------------------------------------------------------- messages

#: AMQP's basic properties as py-amqp names them, with their greatest number, or None for a text; others are
#: not sent.
_PROPERTIES: dict[str, int | None] = {
    "content_type": None,
    "content_encoding": None,
    "delivery_mode": 255,
    "priority": 255,
    "correlation_id": None,
    "reply_to": None,
    "expiration": None,
    "message_id": None,
    "timestamp": 2**64 - 1,
    "type": None,
    "user_id": None,
    "app_id": None,
    "cluster_id": None,
}


class Prepared(NamedTuple):
    """A message on its way out.  `properties` is the caller's own: kombu may still change it."""

    body: Any
    headers: Mapping[str, Any] | None
    properties: Mapping[str, Any]


class Message(base.Message):  # type: ignore[misc]  # kombu is not typed
    """A message on its way in; everything that can be changed in it is its own."""

    def __init__(self, stored: Stored, channel: Channel | None, delivery_info: dict[str, Any]) -> None:
        headers = copy_table(stored.headers) if stored.headers else {}
        properties = {**stored.properties, "application_headers": headers}
        super().__init__(
            body=_decoded(stored.body, properties.get("content_encoding")),
            delivery_tag=delivery_info.get("delivery_tag"),
            content_type=properties.get("content_type"),
            content_encoding=properties.get("content_encoding"),
            delivery_info=delivery_info,
            properties=properties,
            headers=headers,
            channel=channel,
        )


def _encode(message: Any) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """Body, headers and properties as they would go over the wire; of ours, or of an `amqp.Message`."""
    given = message.properties
    headers = message.headers if type(message) is Prepared else given.get("application_headers")
    properties = {}
    for name, value in given.items():
        if value is not None and name in _PROPERTIES:
            properties[name] = _property(name, value, _PROPERTIES[name])
    body = message.body
    if isinstance(body, str):
        body = body.encode(properties.setdefault("content_encoding", "utf-8"))
    elif not isinstance(body, bytes):
        raise Unencodable(f"a body is bytes or text, not {type(body).__name__}", "A serializer makes it so.")
    return body, copy_table(headers) if headers else {}, properties


def _property(name: str, value: Any, most: int | None) -> Any:
    if most is None:
        return _short(value, f"the property {name}")
    if not isinstance(value, int) or not 0 <= value <= most:
        raise Unencodable(f"the property {name} is a number from 0 to {most}, not {value!r}")
    return value


def _decoded(body: bytes, encoding: str | None) -> bytes | str:
    """The body as text if its encoding says that it is, as py-amqp does (`Channel.auto_decode`)."""
    if encoding is None:
        return body
    try:
        return body.decode(encoding)
    except (LookupError, UnicodeDecodeError):
        return body


def _short(text: Any, what: str = "a name or routing key") -> str:
    """A text of at most 255 bytes (TOP-10); None is the empty one, as in py-amqp."""
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Unencodable(f"{what} is text, not {type(text).__name__}")
    if len(text) > 63 and len(text.encode()) > 255:
        raise Unencodable(f"{what} has at most 255 bytes, not {len(text.encode())}")
    return text


# ---------------------------------------------------------------- channel


class _Subscription(NamedTuple):
    callback: Callable[[Message], object] | None
    on_cancel: Callable[[str], object] | None


class Channel(base.StdChannel):  # type: ignore[misc]  # kombu is not typed
    """A channel with the methods of `amqp.Channel`, and kombu's additions to them.

    A channel error closes it and opens it anew in place: its consumers are gone, its unacknowledged
    messages are back in their queues, and delivery tags begin again at 1.
    """

    Message = Message
    do_restore = False
    supports_fanout = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._engine = connection.engine
        self._session = self._engine.open_channel(connection.session)
        self._subscriptions: dict[str, _Subscription] = {}
        self.channel_id = self._session.id
        self.events: defaultdict[str, set[Callable[..., object]]] = defaultdict(set)
        self.no_ack_consumers: set[str] = set()
        self._waits_for_confirms = False

    @property
    def connection(self) -> Connection | None:
        """The connection, None once the channel or its connection is closed."""
        return self._connection if self._session.is_open else None

    @property
    def is_open(self) -> bool:
        """Whether the channel can be used."""
        return self._session.is_open

    @property
    def queues(self) -> Mapping[str, QueueView]:
        """The queues of this broker by name, as they are at each look."""
        return _Queues(self._engine)

    def __repr__(self) -> str:
        return f"<Channel {self.channel_id} of {self._connection!r}>"

    @_amqp_errors(spec.Channel.Close)
    def close(self, reply_code: int = 0, reply_text: str = "", method_sig: Signature = (0, 0)) -> None:  # noqa: ARG002
        """Cancel all consumers, return all unacknowledged messages to their seats, and be closed."""
        self._engine.close_channel(self._session)
        self._connection.channels.pop(self.channel_id, None)
        self._subscriptions.clear()

    @_amqp_errors(spec.Channel.Flow)
    def flow(self, active: bool) -> None:
        """Ask the broker to stop sending: RabbitMQ answers 540, so use prefetch instead."""
        self._engine.channel_flow(self._session, active=active)

    # ------------------------------------------------------------ exchanges

    @_amqp_errors(spec.Exchange.Declare)
    def exchange_declare(
        self,
        exchange: str,
        type: str,  # noqa: A002
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = True,
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
        internal: bool = False,
    ) -> None:
        """Declare an exchange, or (`passive`) only ask whether it exists."""
        options = ExchangeOptions(type, durable, auto_delete, internal, copy_table(arguments or {}))
        self._engine.exchange_declare(self._session, _short(exchange), options, passive=passive)

    @_amqp_errors(spec.Exchange.Delete)
    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False) -> None:  # noqa: ARG002
        """Delete an exchange with its bindings."""
        self._engine.exchange_delete(self._session, _short(exchange), if_unused=if_unused)

    @_amqp_errors(spec.Exchange.Bind)
    def exchange_bind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Let the exchange `source` send what matches on to the exchange `destination`."""
        self._engine.exchange_bind(
            self._session, _short(destination), _short(source), _short(routing_key), copy_table(arguments or {})
        )

    @_amqp_errors(spec.Exchange.Unbind)
    def exchange_unbind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Take such a binding away; `arguments` as it was made with."""
        self._engine.exchange_unbind(
            self._session, _short(destination), _short(source), _short(routing_key), copy_table(arguments or {})
        )

    # ------------------------------------------------------------ queues

    @_amqp_errors(spec.Queue.Declare)
    def queue_declare(
        self,
        queue: str = "",
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = True,
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> protocol.queue_declare_ok_t:
        """Declare a queue; returns its name, its ready messages and its consumers."""
        declared = self._engine.queue_declare(
            self._session,
            _short(queue),
            passive=passive,
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            arguments=copy_table(arguments or {}),
        )
        return protocol.queue_declare_ok_t(*declared)

    @_amqp_errors(spec.Queue.Bind)
    def queue_bind(
        self,
        queue: str,
        exchange: str = "",
        routing_key: str = "",
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Let an exchange send what matches to a queue."""
        self._engine.queue_bind(
            self._session, _short(queue), _short(exchange), _short(routing_key), copy_table(arguments or {})
        )

    @_amqp_errors(spec.Queue.Unbind)
    def queue_unbind(
        self,
        queue: str,
        exchange: str,
        routing_key: str = "",
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Take such a binding away; `arguments` as it was made with."""
        self._engine.queue_unbind(
            self._session, _short(queue), _short(exchange), _short(routing_key), copy_table(arguments or {})
        )

    @_amqp_errors(spec.Queue.Purge)
    def queue_purge(self, queue: str = "", nowait: bool = False) -> int:  # noqa: ARG002
        """Remove the ready messages; returns how many they were."""
        return self._engine.queue_purge(self._session, _short(queue))

    @_amqp_errors(spec.Queue.Delete)
    def queue_delete(
        self,
        queue: str = "",
        if_unused: bool = False,
        if_empty: bool = False,
        nowait: bool = False,  # noqa: ARG002
    ) -> int:
        """Delete a queue; returns how many ready messages went with it."""
        return self._engine.queue_delete(self._session, _short(queue), if_unused=if_unused, if_empty=if_empty)

    def prepare_queue_arguments(self, arguments: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """kombu's queue options (in seconds) as x-arguments (in milliseconds)."""
        prepared: dict[str, Any] = base.to_rabbitmq_queue_arguments(arguments, **options)
        return prepared

    def after_reply_message_received(self, queue: str) -> None:
        """Delete a reply queue that has served."""
        self.queue_delete(queue)

    # ------------------------------------------------------------ publishing

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: Mapping[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> Prepared:
        """What `basic_publish` takes."""
        own = {"priority": priority, "content_type": content_type, "content_encoding": content_encoding}
        properties = {} if properties is None else properties
        properties.update((name, value) for name, value in own.items() if value is not None)
        return Prepared(body, headers, properties)

    @_amqp_errors(spec.Basic.Publish)
    def basic_publish(
        self,
        msg: Any,
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        immediate: bool = False,
        timeout: float | None = None,  # noqa: ARG002
        confirm_timeout: float | None = None,  # noqa: ARG002
    ) -> Published | None:
        """Publish a message; returns what became of it, None within a transaction.

        If it is `mandatory` and there was no queue, the `basic_return` handlers are called before this
        returns; without a handler the return is raised, as py-amqp does.  On a channel with confirms the
        `basic_ack` or `basic_nack` handlers follow, with the message's number on this channel.  With the
        transport option `confirm_publish` a nack is raised as MessageNacked.
        """
        body, headers, properties = _encode(msg)
        published = self._engine.basic_publish(
            self._session,
            _short(exchange),
            _short(routing_key),
            body,
            headers,
            properties,
            mandatory=mandatory,
            immediate=immediate,
        )
        if published is not None and (published.returned or published.confirm):
            self._answer(published)
        return published

    def basic_publish_confirm(self, *args: Any, **kwargs: Any) -> Published | None:
        """Publish with confirms; raises MessageNacked if a queue refused the message."""
        if not self._waits_for_confirms:
            self.confirm_select()
            self._waits_for_confirms = True
        return self.basic_publish(*args, **kwargs)

    def _answer(self, published: Published) -> None:
        """Tell the publisher what the broker says of its message."""
        if published.returned:
            self._return(published.message)
        if published.confirm:
            for handler in list(self.events["basic_nack" if published.refused else "basic_ack"]):
                handler(published.confirm, False)
            if published.refused and self._waits_for_confirms:
                raise MessageNacked(f"refused by {', '.join(published.refused)}")

    def _return(self, stored: Stored) -> None:
        error = error_for_code(312, "NO_ROUTE", spec.Basic.Return, ChannelError)
        handlers = list(self.events["basic_return"])
        if not handlers:
            raise error
        for handler in handlers:
            handler(error, stored.exchange, stored.routing_key, Message(stored, None, {}))

    @_amqp_errors(spec.Confirm.Select)
    def confirm_select(self, nowait: bool = False) -> None:  # noqa: ARG002
        """Let the broker answer for each message: acked, or nacked if a queue refused it."""
        self._engine.confirm_select(self._session)

    @_amqp_errors(spec.Tx.Select)
    def tx_select(self) -> None:
        """Let messages and acknowledgements wait for `tx_commit`."""
        self._engine.tx_select(self._session)

    @_amqp_errors(spec.Tx.Commit)
    def tx_commit(self) -> None:
        """Do what waits."""
        for published in self._engine.tx_commit(self._session):
            self._answer(published)

    @_amqp_errors(spec.Tx.Rollback)
    def tx_rollback(self) -> None:
        """Forget what waits."""
        self._engine.tx_rollback(self._session)

    # ------------------------------------------------------------ consuming

    @_amqp_errors(spec.Basic.Consume)
    def basic_consume(
        self,
        queue: str = "",
        consumer_tag: str = "",
        no_local: bool = False,  # noqa: ARG002  (RabbitMQ ignores it)
        no_ack: bool = False,
        exclusive: bool = False,
        nowait: bool = False,  # noqa: ARG002
        callback: Callable[[Message], object] | None = None,
        arguments: Mapping[str, Any] | None = None,
        on_cancel: Callable[[str], object] | None = None,
    ) -> str:
        """Subscribe to a queue; `callback(message)` is called from `drain_events`.

        `on_cancel(tag)` is called when the queue is deleted; without it `drain_events` raises
        ConsumerCancelled then.
        """
        tag = _short(consumer_tag) or self._engine.new_consumer_tag()
        # Known before the broker may send something, for another thread may be draining this connection.
        before = self._subscriptions.get(tag)
        self._subscriptions[tag] = _Subscription(callback, on_cancel)
        try:
            self._engine.basic_consume(
                self._session,
                _short(queue),
                tag,
                no_ack=no_ack,
                exclusive=exclusive,
                arguments=copy_table(arguments or {}),
            )
        except BrokerError:
            del self._subscriptions[tag]
            if before is not None:
                self._subscriptions[tag] = before
            raise
        if no_ack:
            self.no_ack_consumers.add(tag)
        return tag

    @_amqp_errors(spec.Basic.Cancel)
    def basic_cancel(self, consumer_tag: str, nowait: bool = False) -> str:  # noqa: ARG002
        """End a subscription; what was already on its way to it is handed over first."""
        for delivery in self._engine.basic_cancel(self._session, consumer_tag):
            self._deliver(delivery)
        self._subscriptions.pop(consumer_tag, None)
        self.no_ack_consumers.discard(consumer_tag)
        return consumer_tag

    @_amqp_errors(spec.Basic.Get)
    def basic_get(self, queue: str = "", no_ack: bool = False) -> Message | None:
        """The head of a queue, or None."""
        got = self._engine.basic_get(self._session, _short(queue), no_ack=no_ack)
        if got is None:
            return None
        delivery, message_count = got
        return self._received(delivery, message_count=message_count)

    def _received(self, delivery: sessions.Delivery, **more: Any) -> Message:
        stored = delivery.message
        info = {
            "delivery_tag": delivery.tag,
            "redelivered": delivery.redelivered,
            "exchange": stored.exchange,
            "routing_key": stored.routing_key,
            **more,
        }
        return Message(stored, self, info)

    def message_to_python(self, raw_message: Message) -> Message:
        """The same: messages come ready made."""
        return raw_message

    def _deliver(self, delivery: sessions.Delivery) -> None:
        """Call the consumer."""
        assert delivery.consumer is not None  # a get is answered at once
        tag = delivery.consumer.tag
        subscription = self._subscriptions.get(tag)
        if subscription is not None and subscription.callback is not None:
            subscription.callback(self._received(delivery, consumer_tag=tag))

    def _cancelled(self, tag: str) -> None:
        """The broker has ended a subscription."""
        self.no_ack_consumers.discard(tag)
        subscription = self._subscriptions.pop(tag, None)
        if subscription is None or subscription.on_cancel is None:
            raise ConsumerCancelled(tag, spec.Basic.Cancel)
        subscription.on_cancel(tag)

    @_amqp_errors(spec.Basic.Qos)
    def basic_qos(self, prefetch_size: int, prefetch_count: int, a_global: bool) -> None:  # noqa: ARG002
        """Limit the unacked messages of each consumer that starts later on this channel; 0 is no limit.

        `a_global` is ignored, as RabbitMQ 4.3 does by default (Q-4).
        """
        if not 0 <= prefetch_count <= 65_535:
            raise Unencodable(f"a prefetch count is 0 to 65535, not {prefetch_count}")
        self._engine.basic_qos(self._session, prefetch_size, prefetch_count)

    # ------------------------------------------------------------ acknowledging

    @_amqp_errors(spec.Basic.Ack)
    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        """Done with this message, or (`multiple`) with all up to it; 0 and multiple: with all."""
        self._engine.basic_ack(self._session, delivery_tag, multiple=multiple)

    @_amqp_errors(spec.Basic.Reject)
    def basic_reject(self, delivery_tag: int, requeue: bool) -> None:
        """Back to its seat with this message, or away with it."""
        self._engine.basic_nack(self._session, delivery_tag, requeue=requeue, word="rejected")

    @_amqp_errors(spec.Basic.Nack)
    def basic_nack(self, delivery_tag: int = 0, multiple: bool = False, requeue: bool = True) -> None:
        """`basic_reject` for one message or (`multiple`) for all up to it."""
        self._engine.basic_nack(self._session, delivery_tag, multiple=multiple, requeue=requeue)

    @_amqp_errors(spec.Basic.Recover)
    def basic_recover(self, requeue: bool = False) -> None:
        """Return all unacked messages of this channel to their seats; RabbitMQ wants `requeue=True`."""
        self._engine.basic_recover(self._session, requeue=requeue)

    def basic_recover_async(self, requeue: bool = False) -> None:
        """The same, by its older name."""
        self.basic_recover(requeue)


class _Queues(Mapping[str, "QueueView"]):
    """The queues of a broker, looked up anew each time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getitem__(self, name: str) -> QueueView:
        return self._engine.snapshot().queues[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._engine.snapshot().queues)

    def __len__(self) -> int:
        return len(self._engine.snapshot().queues)

    def __repr__(self) -> str:
        return f"<queues {', '.join(self)}>"


# ---------------------------------------------------------------- connection and transport


class Connection:
    """What a kombu Connection has established: a client of one broker, and its channels.

    When it is garbage-collected the broker takes that for a dropped socket.
    """

    def __init__(self, engine: Engine, client: kombu.Connection) -> None:
        options = client.transport_options or {}
        self.client: kombu.Connection | None = client
        self.engine = engine
        self.session = engine.connect(options.get("name", ""), client.userid or "guest")
        self.confirms = bool(options.get("confirm_publish"))
        self.channels: dict[int, Channel] = {}
        self._finalizer = weakref.finalize(self, engine.dropped.append, self.session)
        self._finalizer.atexit = False

    @property
    def connected(self) -> bool:
        """Whether it can be used."""
        return self.session.is_open

    def channel(self) -> Channel:
        """A new channel; the connection keeps it until it is closed."""
        try:
            channel = Channel(self)
        except BrokerError as error:
            raise _as_amqp(error, spec.Channel.Open) from None
        self.channels[channel.channel_id] = channel
        if self.confirms:
            channel.basic_publish = channel.basic_publish_confirm  # as py-amqp does
        return channel

    def drain_events(self, timeout: float | None = None) -> None:
        """Hand out one thing that the broker has sent, waiting for it `timeout` seconds at most.

        Raises socket.timeout when there was none in time, RecoverableConnectionError when the connection
        is closed or is closed meanwhile.  `timeout` None waits for ever, 0 not at all.
        """
        try:
            item = self.engine.next_item(self.session, timeout)
        except BrokerError as error:
            raise _as_amqp(error) from None
        if item is None:
            raise socket.timeout("timed out")  # noqa: UP041  (the name that kombu documents)
        channel = self.channels.get(item.channel.id)
        if channel is None:
            return
        if isinstance(item, Cancelled):
            channel._cancelled(item.tag)
        else:
            channel._deliver(item)

    def close(self) -> None:
        """Close all channels and be closed."""
        self._finalizer.detach()
        self.engine.disconnect(self.session)
        self.channels.clear()

    def __repr__(self) -> str:
        return f"<{self.session.name}>"


class Transport(base.Transport):  # type: ignore[misc]  # kombu is not typed
    """`sandbox://NAME`: messages pass between the threads of this process, through the broker NAME.

    Direct, topic, fanout and headers exchanges, message and queue TTL, acknowledgements and requeueing are
    RabbitMQ's; nothing is polled, a consumer that waits wakes at once.
    """

    Connection = Connection
    Channel = Channel

    can_parse_url = False
    driver_type = driver_name = "memory"
    global_state = BROKERS

    connection_errors = AMQPConnection.connection_errors
    channel_errors = AMQPConnection.channel_errors
    recoverable_connection_errors = AMQPConnection.recoverable_connection_errors
    recoverable_channel_errors = AMQPConnection.recoverable_channel_errors

    implements = base.Transport.implements.extend(
        asynchronous=False,
        heartbeats=False,
        exchange_type=frozenset(["direct", "topic", "fanout", "headers"]),
    )

    def driver_version(self) -> str:
        """The version of kombu-sandbox."""
        return version("kombu-sandbox")

    def establish_connection(self) -> Connection:
        """Connect to the broker that the URL names.

        Raises UnknownBroker at once if there is none: waiting would not bring it.  Only if kombu has
        another URL to try is the error one that kombu goes on from.
        """
        client = self.client
        vhost = client.virtual_host
        if vhost not in (None, "", "/"):
            raise NotAllowed(f"NOT_ALLOWED - vhost {vhost} not found", spec.Connection.Open, reply_code=530)
        options = client.transport_options or {}
        try:
            engine = options.get("engine") or _find(client.hostname or "")
            return Connection(engine, client)
        except UnknownBroker as error:
            if len(client.alt or ()) > 1:
                raise RecoverableConnectionError(str(error)) from None
            raise
        except BrokerError as error:
            raise _as_amqp(error) from None

    def create_channel(self, connection: Connection) -> Channel:
        """A new channel."""
        return connection.channel()

    def close_connection(self, connection: Connection) -> None:
        """Close it."""
        connection.client = None
        connection.close()

    def drain_events(self, connection: Connection, timeout: float | None = None) -> None:
        """See `Connection.drain_events`."""
        connection.drain_events(timeout)

    def verify_connection(self, connection: Connection) -> bool:
        """Whether it can be used."""
        return connection.connected

    def _collect(self, connection: Connection | None) -> None:
        """Let a connection go after an error: as if its socket had been dropped."""
        if connection is not None:
            connection.close()
