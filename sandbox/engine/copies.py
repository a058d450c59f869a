"""Every move of a copy, done and recorded: the part of the engine that neither locks nor asks the time.

Each method changes the state and appends the event that says so.  The verbs decide when, and refuse what
may not be done, before they come here.

The order of the two matters, because Ctrl-C may fall between any two steps: whatever is born is put in its
place first and recorded then; whatever moves or ends is recorded first.  So the history never names a thing
that is not there, and `repair` has only to drop what it does not know, and to follow it in the rest.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from .deadletter import dead_letter, without_cycles
from .deadlines import Deadlines
from .events import Arrival, Place
from .history import History
from .sessions import Delivery
from .topology import Topology

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Message
    from .queues import Copy, Queue
    from .sessions import Channel, Connection, Consumer
    from .topology import Route, Target


class Letter:
    """A dead letter on its way: the message as it is published anew, where to, and the event of its death."""

    def __init__(self, message: Message, targets: tuple[Target, ...]) -> None:
        self.message = message
        self.targets = targets
        self.cause = 0


class Copies:
    """The state of one virtual host, and the moves of copies in it.

    `now` is the broker time at which the current verb happens, `epoch` the Unix time of its zero.
    """

    def __init__(self, epoch: float) -> None:
        self.history = History()
        self.topology = Topology()
        self.deadlines = Deadlines()
        self.connections: dict[int, Connection] = {}
        self.epoch = epoch
        self.now = 0.0
        self.messages = 0
        self.copies = 0
        self.letters: deque[Letter] = deque()

    def _move(
        self,
        kind: str,
        copy: Copy,
        source: Place,
        target: Place,
        reason: str = "",
        cause: int = 0,
        what: Any = None,
    ) -> int:
        """Append the event that a copy moves."""
        return self.history.append(
            (self.now, kind, copy.message.id, copy.id, source, target, copy.position, cause, reason, what)
        )

    def answer(self, kind: str, message: Message, publisher: Place) -> None:
        """Record what became of a message as such: it is lost, returned, confirmed or nacked."""
        exchange = Place("exchange", message.exchange)
        if kind == "lost":
            door = Place("lost", message.exchange)
        else:
            door = Place("returned", publisher.name) if kind == "returned" else publisher
        reason = _why_unroutable(message) if kind in ("lost", "returned") else ""
        self.history.append((self.now, kind, message.id, 0, exchange, door, 0, 0, reason, None))

    # ------------------------------------------------------------ into queues

    def publish(self, message: Message, publisher: Place, route: Route, *, mandatory: bool) -> list[str]:
        """A new message: one copy into each queue of the route, or none and a way out.

        Returns the queues that refused it.
        """
        self.messages = message.id
        what = self.history.keep(message)
        self.history.append((self.now, "published", message.id, 0, publisher, route.exchange, 0, 0, "", what))
        refused = [
            target.queue.name
            for target in route.targets
            if not self._enqueue(message, route.exchange, target)
        ]
        if not route.targets:
            self.answer("returned" if mandatory else "lost", message, publisher)
        return refused

    def _enqueue(self, message: Message, exchange: Place, target: Target, cause: int = 0) -> bool:
        """A copy is born at the tail of a queue, and goes on at once if a consumer waits for it.

        A full queue may refuse it, and then False is returned (L-5).
        """
        queue = target.queue
        self.copies += 1
        copy = queue.new_copy(self.copies, message, self.now)
        arrival = target.arrival
        if copy.expires is not None or copy.priority or message.deaths:
            arrival = Arrival(arrival.bindings, copy.expires, copy.priority, len(message.deaths))
        if queue.refuses(message):
            door = Place("refused", queue.name)
            serial = self._move("refused", copy, exchange, door, "the queue is full", cause, arrival)
            if queue.options.overflow == "reject-publish-dlx":
                self._post(copy, "maxlen", serial)
            return False
        queue.push(copy)
        self._move("routed", copy, exchange, queue.place, "", cause, arrival)
        if queue.ready == 1:  # or else nobody can take more
            self._deliver_ready(queue)
        self._shorten(queue)
        self.expire_head(queue)
        if queue.ready and queue.first() is copy:
            self.deadlines.schedule(queue)
        return True

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
        self.deadlines.schedule(queue)
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
        """Drop what does not fit or has expired, deliver what can be, then note when to look again."""
        self._shorten(queue)
        self.expire_head(queue)
        self._deliver_ready(queue)
        self.deadlines.schedule(queue)

    def _run(self, queues: Iterable[Queue]) -> None:
        for queue in queues:
            if queue.exists:
                self.run(queue)

    def _deliver_ready(self, queue: Queue) -> None:
        """Deliver from the head while there is a consumer for it."""
        while queue.ready:
            consumer = queue.next_consumer()
            if consumer is None:
                break
            self.deliver(queue, consumer)
            self.expire_head(queue)

    # ------------------------------------------------------------ out for good

    def acknowledge(self, deliveries: Iterable[Delivery], reason: str = "") -> None:
        """The client is done with these copies."""
        freed: dict[Queue, None] = {}
        for delivery in deliveries:
            copy = delivery.copy
            if copy.queue.exists:
                self._move("acked", copy, delivery.place, delivery.door("done"), reason)
                copy.queue.discard(copy)
            self._release(delivery, freed)
        self._run(freed)

    def reject(self, deliveries: Iterable[Delivery], reason: str) -> None:
        """The client does not want these copies, and nobody else of this queue shall have them (R-8).

        Of a queue with priorities the highest die first (D-12; rabbit_priority_queue:ackfold).
        """
        freed: dict[Queue, None] = {}
        for delivery in sorted(deliveries, key=_by_priority):
            copy = delivery.copy
            if copy.queue.exists:
                self._die(copy, delivery.place, "rejected", delivery.door("dropped"), reason)
                copy.queue.discard(copy)
            self._release(delivery, freed)
        self._run(freed)

    def _release(self, delivery: Delivery, freed: dict[Queue, None]) -> None:
        """The channel no longer holds this delivery; queues whose consumer can go on are added to `freed`."""
        del delivery.channel.unacked[delivery.tag]
        consumer = delivery.consumer
        if consumer is not None:
            consumer.held -= 1
            heir = delivery.channel.consumers.get(consumer.tag, consumer)
            if heir is not consumer and heir.queue is consumer.queue:
                heir.bonus += 1
                consumer = heir
            if consumer.queue.unblock(consumer):
                freed[consumer.queue] = None

    def expire_head(self, queue: Queue) -> None:
        """Expired copies leave from the head; behind a live one nothing does (TTL-4)."""
        while queue.has_expired(self.now):
            self._die(queue.first(), queue.place, "expired", Place("expired", queue.name), "TTL")
            queue.discard(queue.pop())

    def _shorten(self, queue: Queue) -> None:
        """A queue over its limit drops from its head: its oldest, or its highest priority (L-2, P-6)."""
        while queue.overflows():
            self._die(queue.first(), queue.place, "maxlen", Place("dropped", queue.name), "over the limit")
            queue.discard(queue.pop())
            self.deadlines.schedule(queue)

    def purge(self, queue: Queue) -> int:
        """All ready copies leave; how many they were."""
        count = queue.ready
        while queue.ready:
            self._move("purged", queue.first(), queue.place, Place("removed", queue.name), "purged")
            queue.discard(queue.pop())
        return count

    # ------------------------------------------------------------ dead letters

    def _die(self, copy: Copy, source: Place, reason: str, door: Place, why: str) -> None:
        """A copy expires, is rejected or has no room: out by that door, or on as a dead letter (D-1)."""
        queue = copy.queue
        kind = "dropped" if reason == "maxlen" else reason
        if queue.options.dead_letter_exchange is None:
            self._move(kind, copy, source, door, why)
            return
        letter = self._letter(copy, reason)
        if letter.targets:
            self.letters.append(letter)
            letter.cause = self._move(
                "dead_lettered",
                copy,
                source,
                Place("dead_lettered", queue.name),
                reason,
                what=self.history.keep(letter.message),
            )
        else:
            door = Place("dropped", queue.name)
            self._move(kind, copy, source, door, f"{why}; {self._why_no_letter(letter.message)}")

    def _post(self, copy: Copy, reason: str, cause: int) -> None:
        """A copy that a full queue refused is published to its dead-letter exchange (D-11)."""
        if copy.queue.options.dead_letter_exchange is not None:
            letter = self._letter(copy, reason)
            letter.cause = cause
            self.letters.append(letter)

    def _letter(self, copy: Copy, reason: str) -> Letter:
        """The message after this death, and the queues it may go to: none without its exchange (D-2)."""
        queue = copy.queue
        message = dead_letter(copy.message, queue.name, queue.options, reason, self.epoch + self.now)
        if message.exchange and message.exchange not in self.topology.exchanges:
            return Letter(message, ())
        route = self.topology.route(message.exchange, message.keys, message.headers)
        return Letter(message, without_cycles(message, route.targets))

    def _why_no_letter(self, message: Message) -> str:
        where = f"dead-letter exchange '{message.exchange}'"
        if message.exchange and message.exchange not in self.topology.exchanges:
            return f"there is no {where}"
        if self.topology.route(message.exchange, message.keys, message.headers).targets:
            return "it would go round for ever"
        return f"no queue behind {where}"

    def send_letters(self) -> None:
        """Publish the dead letters that wait, and those that they cause in turn, each at this moment."""
        while self.letters:
            letter = self.letters[0]
            exchange = Place("exchange", letter.message.exchange)
            for target in letter.targets:
                if target.queue.exists:
                    self._enqueue(letter.message, exchange, target, letter.cause)
            self.letters.popleft()


def _by_priority(delivery: Delivery) -> int:
    return -delivery.copy.priority


def _why_unroutable(message: Message) -> str:
    return "no binding" if message.exchange else "no such queue"
