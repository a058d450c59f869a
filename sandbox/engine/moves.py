"""Every move of a copy, done and recorded: the part of the engine that neither locks nor asks the time.

Each method changes the state and appends the event that says so.  `core` decides when, and refuses what
may not be done, before it comes here.

The order of the two matters, because Ctrl-C may fall between any two steps: whatever is born is put in its
place first and recorded then; whatever moves or ends is recorded first.  So the history never names a thing
that is not there, and `repair` has only to drop what it does not know, and to follow it in the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .deadlines import Deadlines
from .events import Arrival, Place
from .history import History
from .model import Binding
from .queues import Copy, Queue
from .sessions import Cancelled, Channel, Connection, Consumer, Delivery
from .snapshot import ConsumerView
from .topology import Topology

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import ExchangeOptions, Message
    from .topology import Route, Target


class Moves:
    """The state of one virtual host; `now` is the broker time at which the current verb happens."""

    def __init__(self) -> None:
        self.history = History()
        self.topology = Topology()
        self.deadlines = Deadlines()
        self.connections: dict[int, Connection] = {}
        self.now = 0.0
        self.messages = 0
        self.copies = 0

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

    def _move(  # noqa: PLR0913  (an event has that many sides)
        self,
        kind: str,
        copy: Copy,
        source: Place,
        target: Place,
        reason: str = "",
        cause: int = 0,
        what: Any = None,
    ) -> None:
        """Append the event that a copy moves."""
        self.history.append(
            (self.now, kind, copy.message.id, copy.id, source, target, copy.position, cause, reason, what)
        )

    # ------------------------------------------------------------ into queues

    def publish(self, message: Message, publisher: Place, route: Route, *, mandatory: bool) -> None:
        """A new message: one copy into each queue of the route, or none and a way out."""
        self.messages = message.id
        exchange = Place("exchange", message.exchange)
        append = self.history.append
        what = self.history.keep(message)
        append((self.now, "published", message.id, 0, publisher, exchange, 0, 0, "", what))
        for target in route.targets:
            self._enqueue(message, exchange, target)
        if not route.targets:
            kind = "returned" if mandatory else "lost"
            door = Place(kind, publisher.name if mandatory else message.exchange)
            reason = _why_unroutable(message.exchange)
            append((self.now, kind, message.id, 0, exchange, door, 0, 0, reason, None))

    def _enqueue(self, message: Message, exchange: Place, target: Target) -> None:
        """A copy is born at the tail of a queue, and goes on at once if a consumer waits for it."""
        queue = target.queue
        was_empty = queue.head() is None
        expires = queue.expiry_of(message, self.now)
        self.copies += 1
        queue.last_position += 1
        copy = Copy(self.copies, message, queue, queue.last_position, expires)
        queue.push(copy)
        arrival = target.arrival if expires is None else Arrival(target.bindings, expires)
        self.history.append(
            (self.now, "routed", message.id, copy.id, exchange, queue.place, copy.position, 0, "", arrival)
        )
        if was_empty:
            self._send_on(queue)

    def requeue(self, deliveries: Iterable[Delivery], reason: str, cause: int = 0) -> None:
        """Unacked copies go back to their seats, all of them before anything is delivered again (R-2)."""
        queues: dict[Queue, None] = {}
        for delivery in deliveries:
            copy = delivery.copy
            if copy.queue.exists:
                self._move("requeued", copy, delivery.place, copy.queue.place, reason, cause)
                copy.queue.put_back(copy)
                queues[copy.queue] = None
            self._release(delivery, queues)
        self._run(queues)

    # ------------------------------------------------------------ out to clients

    def fetch(self, channel: Channel, queue: Queue, *, no_ack: bool) -> Delivery:
        """The head goes to a client that asked for it; there is one."""
        copy = queue.first()
        channel.last_tag = tag = channel.last_tag + 1
        delivery = Delivery(tag, copy, channel, None, handed=True)
        if no_ack:
            self._move("sent", copy, queue.place, channel.hand("done", queue.name), "fetched without ack")
            queue.discard(queue.pop())
        else:
            self._move("fetched", copy, queue.place, channel.hand("unacked", queue.name), what=tag)
            queue.pop()
            copy.holder = channel.unacked[tag] = delivery
        self.expire_head(queue)
        return delivery

    def deliver(self, queue: Queue, consumer: Consumer) -> None:
        """The head goes to a consumer, into its connection's outbox."""
        copy = queue.first()
        channel = consumer.channel
        channel.last_tag = tag = channel.last_tag + 1
        delivery = Delivery(tag, copy, channel, consumer, handed=False)
        if consumer.no_ack:
            channel.connection.send(delivery)
            self._move("sent", copy, queue.place, consumer.done, "no ack wanted")
            queue.discard(queue.pop())
        else:
            self._move("delivered", copy, queue.place, consumer.place, what=tag)
            queue.pop()
            copy.holder = channel.unacked[tag] = delivery
            consumer.held += 1
            channel.connection.send(delivery)

    def hand(self, delivery: Delivery) -> None:
        """The client takes a delivery out of its outbox."""
        if delivery.copy.holder is delivery:
            self._move("handed", delivery.copy, delivery.place, delivery.place)
        delivery.handed = True

    def run(self, queue: Queue) -> None:
        """Drop what has expired and deliver what can be, then note when to look again."""
        self.expire_head(queue)
        self._send_on(queue)

    def _run(self, queues: Iterable[Queue]) -> None:
        for queue in queues:
            if queue.exists:
                self.run(queue)

    def _send_on(self, queue: Queue) -> None:
        """Deliver from the head while there is a consumer for it."""
        while queue.head() is not None:
            consumer = queue.next_consumer()
            if consumer is None:
                break
            self.deliver(queue, consumer)
            self.expire_head(queue)
        self.expire_head(queue)
        self.deadlines.schedule(queue)

    # ------------------------------------------------------------ out for good

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """The client is done with these copies."""
        self._settle(deliveries, "acked", "done", "")

    def reject(self, deliveries: Iterable[Delivery], reason: str) -> None:
        """The client does not want these copies, and nobody else shall have them (R-8)."""
        self._settle(deliveries, "rejected", "dropped", reason)

    def _settle(self, deliveries: Iterable[Delivery], kind: str, door: str, reason: str) -> None:
        """Copies leave from a client's hands, which may free it for the next ones."""
        freed: dict[Queue, None] = {}
        for delivery in deliveries:
            copy = delivery.copy
            if copy.queue.exists:
                self._move(kind, copy, delivery.place, delivery.door(door), reason)
                copy.queue.discard(copy)
            self._release(delivery, freed)
        self._run(freed)

    def _release(self, delivery: Delivery, freed: dict[Queue, None]) -> None:
        """The channel no longer holds this delivery; queues whose consumer can go on are added to `freed`."""
        del delivery.channel.unacked[delivery.tag]
        consumer = delivery.consumer
        if consumer is not None:
            consumer.held -= 1
            if consumer.queue.unblock(consumer):
                freed[consumer.queue] = None

    def expire_head(self, queue: Queue) -> None:
        """Expired copies leave from the head; behind a live one nothing does (TTL-4)."""
        while queue.has_expired(self.now):
            self._move("expired", queue.first(), queue.place, Place("expired", queue.name), "TTL")
            queue.discard(queue.pop())

    def purge(self, queue: Queue) -> int:
        """All ready copies leave; how many they were."""
        count = queue.ready
        while queue.head() is not None:
            self._move("purged", queue.first(), queue.place, Place("removed", queue.name), "purged")
            queue.discard(queue.pop())
        return count

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
            exchange.check(binding)
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
        serial = self.record("unbound", _end(binding), source=source, reason=reason, cause=cause, what=binding)
        self.topology.remove_binding(binding)
        return serial

    # ------------------------------------------------------------ queues and consumers

    def add_queue(self, queue: Queue) -> None:
        """Declare a queue."""
        self.topology.add_queue(queue)
        self.record("queue_declared", Place("queue", queue.name), what=queue.options)
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
            self._end_consumer(consumer, "its queue was deleted", serial)
            consumer.channel.connection.send(Cancelled(consumer.channel, consumer.tag))
        for binding in self.topology.bindings_to(queue.name):
            self.unbind(binding, "its queue was deleted", serial)
        self.record("queue_deleted", place, reason=reason, cause=serial)
        self.topology.remove_queue(queue.name)

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
        )
        queue.add_consumer(consumer)
        self.record("consumer_started", consumer.place, what=view)
        self.run(queue)

    def cancel(self, consumer: Consumer, reason: str = "", cause: int = 0) -> None:
        """A consumer leaves; what it holds stays with its channel (R-5)."""
        queue = consumer.queue
        serial = self._end_consumer(consumer, reason, cause)
        if queue.options.auto_delete and not queue.consumer_count:
            self.delete_queue(queue, "auto-delete: its last consumer is gone", serial)
        else:
            queue.last_used = self.now
            self.deadlines.schedule(queue)

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
        channel.is_open = True
        channel.connection.channels[channel.id] = channel
        self.record("channel_opened", channel.place, what=channel.connection.id)

    def close_channel(self, channel: Channel, reason: str, cause: int = 0) -> None:
        """Its consumers go, its unacked copies return to their seats, and its outbox is forgotten (R-4).

        A queue that deletes itself with its last consumer does so before anything could return to it.
        """
        serial = self.record("closing", channel.place, reason=reason, cause=cause)
        channel.is_open = False
        connection = channel.connection
        kept = [item for item in connection.outbox if item.channel is not channel]
        connection.outbox.clear()
        connection.outbox.extend(kept)
        for consumer in list(channel.consumers.values()):
            self.cancel(consumer, "channel closed", serial)
        self.requeue(list(channel.unacked.values()), "channel closed", serial)
        self.record("channel_closed", channel.place, reason=reason, cause=cause)
        connection.channels.pop(channel.id, None)

    def disconnect(self, connection: Connection, reason: str) -> None:
        """All its channels close, then its exclusive queues go (U-4); whoever waits on it is woken."""
        place = Place("connection", connection.name)
        serial = self.record("closing", place, reason=reason)
        connection.is_open = False
        for channel in list(connection.channels.values()):
            self.close_channel(channel, "connection closed", serial)
        for queue in [queue for queue in self.topology.queues.values() if queue.owner is connection]:
            self.delete_queue(queue, "exclusive: its connection is closed", serial)
        self.record("disconnected", place, reason=reason, what=connection.id)
        connection.outbox.clear()
        del self.connections[connection.id]
        connection.arrived.notify_all()


def _why_unroutable(exchange: str) -> str:
    return "no binding" if exchange else "no such queue"


def _end(binding: Binding) -> Place:
    return Place("exchange" if binding.to_exchange else "queue", binding.destination)
