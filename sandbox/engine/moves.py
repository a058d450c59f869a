"""Every change around the copies: exchanges, bindings, queues, consumers, channels, connections.

Recorded in the same order as the moves of copies are, and for the same reason: see `copies`.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from .copies import Copies
from .events import Place
from .sessions import Cancelled, Channel, Connection, Consumer
from .snapshot import ConsumerView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Binding, ExchangeOptions
    from .queues import Queue


class Moves(Copies):
    """The state of one virtual host, and all that can happen in it."""

    def __init__(self, epoch: float) -> None:
        super().__init__(epoch)
        self.numbers: Counter[str] = Counter()

    def number(self, noun: str) -> int:
        """The next number for a thing of this kind, from 1."""
        self.numbers[noun] += 1
        return self.numbers[noun]

    def record(
        self,
        kind: str,
        target: Place,
        *,
        source: Place | None = None,
        cause: int = 0,
        reason: str = "",
        what: Any = None,
    ) -> int:
        """Append an event that is about no copy; returns its serial."""
        return self.history.append((self.now, kind, 0, 0, source, target, 0, cause, reason, what))

    # ------------------------------------------------------------ exchanges and bindings

    def add_exchange(self, name: str, options: ExchangeOptions) -> None:
        """Declare an exchange."""
        self.topology.add_exchange(name, options)
        self.record("exchange_declared", Place("exchange", name), what=options)

    def delete_exchange(self, name: str, reason: str = "", cause: int = 0) -> None:
        """Delete an exchange with its bindings."""
        for binding in list(self.topology.exchanges[name].bindings):
            self._remove_binding(binding, "its exchange was deleted", cause)
        for binding in self.topology.bindings_to(name, to_exchange=True):
            self.unbind(binding, "its exchange was deleted", cause)
        self.record("exchange_deleted", Place("exchange", name), reason=reason, cause=cause)
        self.topology.remove_exchange(name)

    def bind(self, binding: Binding) -> None:
        """Add a binding; one that exists already stays as it is (EX-2)."""
        exchange = self.topology.exchanges[binding.source]
        if binding not in exchange.bindings:
            self.topology.add_binding(binding)
            self.record("bound", _end(binding), source=Place("exchange", binding.source), what=binding)

    def unbind(self, binding: Binding, reason: str = "", cause: int = 0) -> None:
        """Remove a binding; an exchange that deletes itself goes with its last one (EX-12)."""
        serial = self._remove_binding(binding, reason, cause)
        exchange = self.topology.exchanges[binding.source]
        if exchange.options.auto_delete and not exchange.bindings:
            self.delete_exchange(exchange.name, "auto-delete: its last binding is gone", serial)

    def _remove_binding(self, binding: Binding, reason: str, cause: int) -> int:
        source = Place("exchange", binding.source)
        serial = self.record(
            "unbound", _end(binding), source=source, reason=reason, cause=cause, what=binding
        )
        self.topology.remove_binding(binding)
        return serial

    # ------------------------------------------------------------ queues and consumers

    def add_queue(self, queue: Queue) -> None:
        """Declare a queue."""
        queue.number = self.number("declared queue")
        self.topology.add_queue(queue)
        note = "" if queue.options.durable or queue.options.exclusive else _TRANSIENT
        self.record("queue_declared", Place("queue", queue.name), reason=note, what=queue.options)
        self.deadlines.schedule(queue)

    def delete_queue(self, queue: Queue, reason: str, cause: int = 0) -> None:
        """Delete a queue with its copies, bindings and consumers; nothing is dead-lettered (TTL-9)."""
        queue.exists = False
        place = Place("queue", queue.name)
        serial = self.record("deleting", place, reason=reason, cause=cause)
        for copy in list(queue.copies.values()):
            source = queue.place if copy.holder is None else copy.holder.place
            self._move("removed", copy, source, Place("removed", queue.name), "queue deleted", serial)
            queue.discard(copy)
        for consumer in queue.consumers:
            consumer.channel.connection.send(Cancelled(consumer.channel, consumer.tag))
            self._end_consumer(consumer, "its queue was deleted", serial)
        for binding in self.topology.bindings_to(queue.name):
            self.unbind(binding, "its queue was deleted", serial)
        self.record("queue_deleted", place, reason=reason, cause=serial)
        self.topology.remove_queue(queue.name)
        self.deadlines.forget(queue)

    def add_consumer(self, consumer: Consumer) -> None:
        """A consumer subscribes, and gets what waits for it."""
        channel, queue = consumer.channel, consumer.queue
        channel.consumers[consumer.tag] = consumer
        view = ConsumerView(
            consumer.tag,
            queue.name,
            channel.id,
            consumer.prefetch,
            consumer.no_ack,
            consumer.priority,
            consumer.exclusive,
            active=not queue.options.single_active_consumer,
        )
        queue.add_consumer(consumer)
        self.record("consumer_started", consumer.place, what=view)
        self.go_on(queue)

    def _activate(self, queue: Queue) -> None:
        """Of a queue with a single active consumer, the next one takes its turn if there is none (Q-8)."""
        consumer = queue.choose_single_active()
        if consumer is not None:
            self.record("consumer_activated", consumer.place)

    def cancel(self, consumer: Consumer, reason: str = "", cause: int = 0) -> None:
        """A consumer leaves; what it holds stays with its channel (R-5)."""
        self._leave(consumer, reason, cause)
        self._go_on([consumer.queue])

    def _leave(self, consumer: Consumer, reason: str, cause: int) -> None:
        queue = consumer.queue
        serial = self._end_consumer(consumer, reason, cause)
        queue.last_used = self.now
        if queue.options.auto_delete and not queue.consumer_count:
            self.delete_queue(queue, "auto-delete: its last consumer is gone", serial)

    def _go_on(self, queues: Iterable[Queue]) -> None:
        """Queues that lost a consumer go on with the others."""
        for queue in queues:
            if queue.exists:
                self.go_on(queue)

    def go_on(self, queue: Queue) -> None:
        """The queue does what it can with the consumers that it has."""
        self._activate(queue)
        self.run(queue)

    def _end_consumer(self, consumer: Consumer, reason: str, cause: int) -> int:
        serial = self.record("consumer_cancelled", consumer.place, reason=reason, cause=cause)
        del consumer.channel.consumers[consumer.tag]
        consumer.queue.remove_consumer(consumer)
        return serial

    # ------------------------------------------------------------ channels and connections

    def connect(self, connection: Connection) -> None:
        """A client is there."""
        self.connections[connection.id] = connection
        self.record("connected", Place("connection", connection.name), what=connection.id)

    def open_channel(self, channel: Channel) -> None:
        """A channel begins, or begins anew after an error closed it."""
        channel.reset()
        channel.connection.channels[channel.id] = channel
        channel.is_open = True
        self.record("channel_opened", channel.place, what=channel.connection.id)

    def close_channel(self, channel: Channel, reason: str) -> None:
        """Its consumers go, its unacked copies return to their seats, and its outbox is forgotten (R-4)."""
        serial = self.record("closing", channel.place, reason=reason)
        self._close_channels([channel], "channel closed", serial)
        self.record("channel_closed", channel.place, reason=reason, cause=serial)
        channel.connection.channels.pop(channel.id, None)

    def disconnect(self, connection: Connection, reason: str) -> None:
        """All its channels close at once, then its exclusive queues go (U-4); who waits on it is woken."""
        place = Place("connection", connection.name)
        serial = self.record("closing", place, reason=reason)
        connection.is_open = False
        channels = list(connection.channels.values())
        self._close_channels(channels, "connection closed", serial)
        for channel in channels:
            self.record("channel_closed", channel.place, reason="connection closed", cause=serial)
            del connection.channels[channel.id]
        for queue in [queue for queue in self.topology.queues.values() if queue.owner is connection]:
            self.delete_queue(queue, "exclusive: its connection is closed", serial)
        self.record("disconnected", place, reason=reason, what=connection.id)
        connection.outbox.clear()
        del self.connections[connection.id]
        connection.arrived.notify_all()

    def _close_channels(self, channels: list[Channel], reason: str, cause: int) -> None:
        """All consumers leave, then all unacked copies return, and only then do the queues go on.

        A queue that deletes itself with its last consumer does so before anything could return to it.
        """
        for channel in channels:
            channel.is_open = False
        for connection in {channel.connection for channel in channels}:
            connection.outbox = deque(item for item in connection.outbox if item.channel.is_open)
        consumers = [consumer for channel in channels for consumer in channel.consumers.values()]
        for consumer in consumers:
            self._leave(consumer, reason, cause)
        held = [delivery for channel in channels for delivery in channel.unacked.values()]
        self.requeue(held, reason, cause)
        self._go_on(dict.fromkeys(consumer.queue for consumer in consumers))

    # ------------------------------------------------------------ restart

    def restart(self) -> None:
        """All clients go, and with them transient exchanges, queues and messages (U-12)."""
        for connection in list(self.connections.values()):
            self.disconnect(connection, "the broker was restarted")
        serial = self.record("restarted", Place("broker"))
        for queue in list(self.topology.queues.values()):
            if queue.options.durable:
                self._forget_transient(queue, serial)
            else:
                self.delete_queue(queue, "transient: the broker was restarted", serial)
        for exchange in list(self.topology.exchanges.values()):
            if not exchange.options.durable and exchange.name in self.topology.exchanges:
                self.delete_exchange(exchange.name, "transient: the broker was restarted", serial)

    def _forget_transient(self, queue: Queue, cause: int) -> None:
        door = Place("removed", queue.name)
        for copy in list(queue.copies.values()):
            if copy.message.properties.get("delivery_mode") != PERSISTENT:
                self._move("removed", copy, queue.place, door, "not persistent", cause)
                queue.discard(copy)
        queue.rebuild([])
        queue.last_used = self.now
        self.run(queue)


#: What the history notes of a queue that is neither durable nor exclusive (U-11).
_TRANSIENT = "transient: deprecated in RabbitMQ 4.3, where a queue is to be durable or exclusive"

#: The delivery mode of a message that survives a restart in a durable queue.
PERSISTENT = 2


def _end(binding: Binding) -> Place:
    return Place("exchange" if binding.to_exchange else "queue", binding.destination)
