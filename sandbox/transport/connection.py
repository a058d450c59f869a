"""Connection and Transport: what kombu establishes, and what it loads."""

from __future__ import annotations

import socket
import weakref
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import amqp
from amqp import spec
from amqp.exceptions import NotAllowed, RecoverableConnectionError
from kombu.transport import base

from sandbox.engine.errors import BrokerError
from sandbox.engine.sessions import Cancelled

from .channel import Channel
from .refusals import as_amqp
from .registry import BROKERS, UnknownBroker, find

if TYPE_CHECKING:
    import kombu

    from sandbox.engine.core import Engine


class Connection:
    """What a kombu Connection has established: a client of one broker, and its channels.

    When it is garbage-collected the broker takes that for a dropped socket.
    """

    def __init__(self, engine: Engine, client: kombu.Connection) -> None:
        options = client.transport_options or {}
        self.client: kombu.Connection | None = client
        self.engine = engine
        self.session = engine.connect(options.get("name", ""), client.userid or "guest")
        #: Whether the client knows that the connection is closed, for it closed it, or a use of it failed.
        self.is_told = False
        self.confirm_publish = bool(options.get("confirm_publish"))
        self.channels: dict[int, Channel] = {}
        self._finalizer = weakref.finalize(self, engine.dropped.append, self.session)
        self._finalizer.atexit = False

    @property
    def connected(self) -> bool:
        """Whether it can be used, as far as the client knows: it finds out by using it, as with a socket."""
        return self.session.is_open or (self.engine.is_open and not self.is_told)

    def channel(self) -> Channel:
        """A new channel; the connection keeps it until it is closed."""
        try:
            channel = Channel(self)
        except BrokerError as error:
            self.is_told = True
            raise as_amqp(error, spec.Channel.Open) from None
        self.channels[channel.channel_id] = channel
        return channel

    def drain_events(self, timeout: float | None = None) -> bool:
        """Hand out one thing that the broker has sent, waiting for it `timeout` seconds at most.

        Returns whether it was a message; else it was the notice that a consumer is gone.
        Raises socket.timeout when there was none in time, RecoverableConnectionError when the connection
        is closed or is closed meanwhile.  `timeout` None waits for ever, 0 not at all.
        """
        try:
            item = self.engine.next_item(self.session, timeout)
        except BrokerError as error:
            self.is_told = True
            raise as_amqp(error) from None
        if item is None:
            raise socket.timeout("timed out")  # noqa: UP041  (the name that kombu documents)
        channel = self.channels.get(item.channel.id)
        if isinstance(item, Cancelled):
            if channel is not None:
                channel.cancelled(item.tag)
            return False
        if channel is not None:
            channel.deliver(item)
        return True

    def close(self) -> None:
        """Close all channels and be closed."""
        self.is_told = True
        self.engine.disconnect(self.session)
        self._finalizer.detach()  # last, so that after an interrupt the collection still closes it
        self.channels.clear()

    def __repr__(self) -> str:
        return f"<{self.session.name}>"


class Transport(base.Transport):
    """`sandbox://NAME`: messages pass between the threads of this process, through the broker NAME.

    Direct, topic, fanout and headers exchanges, message and queue TTL, acknowledgements and requeueing are
    RabbitMQ's; nothing is polled, a consumer that waits wakes at once.
    """

    client: Any
    can_parse_url = False
    driver_type = driver_name = "memory"
    global_state = BROKERS

    connection_errors = amqp.Connection.connection_errors
    channel_errors = amqp.Connection.channel_errors
    recoverable_connection_errors = amqp.Connection.recoverable_connection_errors
    recoverable_channel_errors = amqp.Connection.recoverable_channel_errors

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
            engine = options.get("engine") or find(client.hostname or "")
            return Connection(engine, client)
        except (UnknownBroker, BrokerError) as error:
            if len(client.alt or ()) > 1:
                raise RecoverableConnectionError(str(error)) from None
            raise error if isinstance(error, UnknownBroker) else UnknownBroker(str(error)) from None

    def create_channel(self, connection: Connection) -> Channel:
        """A new channel."""
        return connection.channel()

    def close_connection(self, connection: Connection) -> None:
        """Close it."""
        connection.client = None
        connection.close()

    def drain_events(self, connection: Connection, **kwargs: Any) -> bool:
        """See `Connection.drain_events`."""
        return connection.drain_events(**kwargs)

    def verify_connection(self, connection: Connection) -> bool:
        """Whether it can be used."""
        return connection.connected

    def _collect(self, connection: Connection | None) -> None:
        """Let a connection go after an error: as if its socket had been dropped."""
        if connection is not None:
            connection.close()
