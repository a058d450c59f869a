"""The verbs that declare, bind, ask for and delete: AMQP's exchange and queue methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import AccessRefused, NotFound, PreconditionFailed, ResourceLocked
from .guard import Guard, channel_verb
from .model import Binding, ExchangeOptions, QueueOptions
from .queues import Queue
from .replyto import REPLY_TO, is_reply_queue, refuse_reply_queue
from .topology import refuse_default

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .sessions import Channel


class Declared(NamedTuple):
    """The answer to `queue.declare`: the queue's name, its ready messages, its consumers (R-12)."""

    queue: str
    message_count: int
    consumer_count: int


class Declaring(Guard):
    """Exchanges, bindings and queues.  The first argument is the channel on which the client asks."""

    # ------------------------------------------------------------ exchanges and bindings

    @channel_verb
    def exchange_declare(
        self, _channel: Channel, name: str, options: ExchangeOptions, *, passive: bool = False
    ) -> None:
        """Declare an exchange; the same again is no change (EX-6 to EX-9)."""
        topology = self._moves.topology
        if not passive:
            options.check_type()
        refuse_default(name)
        if passive:
            topology.exchange(name)
        elif name in topology.exchanges:
            topology.exchanges[name].options.check_equivalent(name, options)
        else:
            _refuse_reserved("exchange", name)
            options.check_arguments(name)
            self._moves.add_exchange(name, options)

    @channel_verb
    def exchange_delete(self, _channel: Channel, name: str, *, if_unused: bool = False) -> None:
        """Delete an exchange; one that does not exist is no error (EX-10)."""
        refuse_default(name)
        if name.startswith("amq."):
            raise AccessRefused(f"deletion of system exchange '{name}' in vhost '/' not allowed")
        exchange = self._moves.topology.exchanges.get(name)
        if exchange is None:
            return
        if if_unused and exchange.bindings:
            raise PreconditionFailed(
                f"exchange '{name}' in vhost '/' in use", "It has bindings: unbind them first."
            )
        self._moves.delete_exchange(name)

    @channel_verb
    def queue_bind(
        self, channel: Channel, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Let an exchange send what matches to a queue; twice is the same as once (EX-2)."""
        name = self._queue_name(channel, queue)
        if not queue and not routing_key:
            routing_key = name
        refuse_default(exchange)
        topology = self._moves.topology
        source = topology.exchange(exchange)
        refuse_reply_queue(name)
        topology.queue(name)
        binding = Binding(exchange, name, routing_key, arguments)
        source.check(binding)  # first what the exchange says, then whose the queue is
        self._queue(channel, name)
        self._moves.bind(binding)

    @channel_verb
    def exchange_bind(
        self, _channel: Channel, destination: str, source: str, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Let one exchange send what matches on to another (E2E-1)."""
        refuse_default(source)
        refuse_default(destination)
        exchange = self._moves.topology.exchange(source)
        self._moves.topology.exchange(destination)
        binding = Binding(source, destination, routing_key, arguments, to_exchange=True)
        exchange.check(binding)
        self._moves.bind(binding)

    @channel_verb
    def exchange_unbind(
        self, _channel: Channel, destination: str, source: str, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Take such a binding away; what is not there is no error."""
        refuse_default(source)
        refuse_default(destination)
        binding = Binding(source, destination, routing_key, arguments, to_exchange=True)
        exchange = self._moves.topology.exchanges.get(source)
        if exchange is not None and binding in exchange.bindings:
            self._moves.unbind(binding)

    @channel_verb
    def queue_unbind(
        self, channel: Channel, queue: str, exchange: str, routing_key: str, arguments: Mapping[str, Any]
    ) -> None:
        """Take a binding away; what is not there is no error (U-9)."""
        name = self._queue_name(channel, queue)
        if not queue and not routing_key:
            routing_key = name
        refuse_default(exchange)
        binding = Binding(exchange, name, routing_key, arguments)
        source = self._moves.topology.exchanges.get(exchange)
        if source is not None and binding in source.bindings:
            self._queue(channel, name)
            self._moves.unbind(binding)

    # ------------------------------------------------------------ queues

    @channel_verb
    def queue_declare(
        self,
        channel: Channel,
        name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> Declared:
        """Declare a queue, or only ask for it (`passive`); the same again is no change (U-1 to U-4, U-8)."""
        topology = self._moves.topology
        if name == REPLY_TO:
            return Declared(name, 0, 1)
        if passive:
            queue = topology.queue(name) if is_reply_queue(name) else self._queue(channel, name)
        elif name in topology.queues:
            queue = self._queue(channel, name, exclusive=exclusive)
            queue.options.check_equivalent(
                name, durable=durable, auto_delete=auto_delete, arguments=arguments or {}
            )
        else:
            _refuse_reserved("queue", name)
            name = name or f"amq.gen-{self._moves.number('queue')}"
            options = QueueOptions.parse(
                name, durable=durable, exclusive=exclusive, auto_delete=auto_delete, arguments=arguments or {}
            )
            queue = Queue(name, options, channel.connection if exclusive else None, self._moves.now)
            self._moves.add_queue(queue)
        channel.last_queue = queue.name
        self._use(queue)
        return Declared(queue.name, queue.ready, queue.consumer_count)

    @channel_verb
    def queue_delete(
        self, channel: Channel, name: str, *, if_unused: bool = False, if_empty: bool = False
    ) -> int:
        """Delete a queue; returns how many ready messages went with it, 0 if there was none (U-6)."""
        name = self._queue_name(channel, name)
        if name not in self._moves.topology.queues or is_reply_queue(name):
            return 0
        queue = self._queue(channel, name)
        if if_empty and queue.ready:
            raise PreconditionFailed(
                f"queue '{name}' in vhost '/' not empty", "Purge it first, or let it be read."
            )
        if if_unused and queue.consumer_count:
            raise PreconditionFailed(
                f"queue '{name}' in vhost '/' in use", "It has consumers: cancel them first."
            )
        ready = queue.ready
        self._moves.delete_queue(queue, "deleted")
        return ready

    @channel_verb
    def queue_purge(self, channel: Channel, name: str) -> int:
        """Remove the ready messages; unacked ones stay with their consumers (U-7)."""
        name = self._queue_name(channel, name)
        refuse_reply_queue(name)
        return self._moves.purge(self._queue(channel, name))

    def _queue(self, channel: Channel, name: str, *, exclusive: bool | None = None) -> Queue:
        """The queue of that name, if this connection may use it (U-4); `exclusive` as it is declared now."""
        queue = self._moves.topology.queue(name)
        foreign = queue.owner is not None and queue.owner is not channel.connection
        if foreign or (exclusive is not None and exclusive != queue.options.exclusive):
            raise ResourceLocked(
                f"cannot obtain exclusive access to locked queue '{name}' in vhost '/'. "
                "It could be originally declared on another connection or the exclusive property value "
                "does not match that of the original declaration.",
                "An exclusive queue belongs to the connection that declared it.",
            )
        return queue

    @staticmethod
    def _queue_name(channel: Channel, name: str) -> str:
        """The name, or that of the queue that was last declared on this channel (U-8)."""
        if not name and not channel.last_queue:
            raise NotFound("no previously declared queue", "An empty name means the queue declared last.")
        return name or channel.last_queue

    def _use(self, queue: Queue) -> None:
        """The queue is used now, so that its `expires` begins anew (TTL-8)."""
        queue.last_used = self._moves.now
        self._moves.deadlines.schedule(queue)


def _refuse_reserved(noun: str, name: str) -> None:
    if name.startswith("amq."):
        raise AccessRefused(
            f"{noun} name '{name}' contains reserved prefix 'amq.*'",
            "Names beginning with amq. are the broker's.",
        )
