"""A second broker, as naive as can be, to hold the engine against.

It is written from what RabbitMQ does (the codes are the statements of the specification) and shares
nothing with the engine but the signatures of its verbs: plain lists, searched and sorted at every look; no
index, no heap, no history, no lock.  Time is in whole milliseconds, and a refusal is a number.

Where RabbitMQ's answer is a race between its processes, this broker is as simple as can be: a verb does all
that it does to one queue before it goes to the next, and dead letters arrive when it is done.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import count, groupby
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sandbox.engine.model import ExchangeOptions

P = ParamSpec("P")
R = TypeVar("R")
Table = dict[str, Any]


class Refused(Exception):
    """The broker answers with this code, and closes the channel, or from 500 on the connection (ERR)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


# ---------------------------------------------------------------- values


@dataclass(frozen=True)
class Message:
    """What was published, or published anew as a dead letter; the first of `keys` is its routing key."""

    body: bytes
    exchange: str
    keys: tuple[str, ...]
    headers: Table
    expiration: int | None = None
    priority: int = 0
    deaths: tuple[Table, ...] = ()
    first_death: tuple[str, str, str] = ("", "", "")
    last_death: tuple[str, str, str] = ("", "", "")

    @property
    def delivered_headers(self) -> Table:
        """The headers with the passport of a dead letter among them (D-6, D-7, D-14, D-16)."""
        if not self.deaths:
            return self.headers
        whats = ("exchange", "queue", "reason")
        first = {f"x-first-death-{what}": text for what, text in zip(whats, self.first_death, strict=True)}
        last = {f"x-last-death-{what}": text for what, text in zip(whats, self.last_death, strict=True)}
        return self.headers | {"x-death": list(self.deaths)} | first | last


@dataclass(frozen=True, eq=False)
class Binding:
    """From an exchange to a queue or an exchange; the same as another if it looks the same (EX-2)."""

    source: str
    destination: str
    to_exchange: bool
    key: str
    arguments: Table

    def __eq__(self, other: object) -> bool:
        return repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(self.source)


class Exchange(NamedTuple):
    """An exchange as it was declared."""

    type: str
    durable: bool = False
    auto_delete: bool = False
    internal: bool = False
    alternate: str | None = None


# ---------------------------------------------------------------- records


@dataclass(eq=False)
class Connection:
    """A client; `outbox` is what the broker has sent it, and it has not taken yet."""

    channels: list[Channel] = field(default_factory=list)
    outbox: list[Held | Cancelled] = field(default_factory=list)
    is_open: bool = True


@dataclass(eq=False)
class Channel:
    """A channel; `unacked` is in the order of the tags."""

    number: int
    connection: Connection
    unacked: list[Held] = field(default_factory=list)
    tags: Iterator[int] = field(default_factory=lambda: count(1))
    prefetch: int = 0
    confirms: int | None = None


@dataclass(eq=False)
class Consumer:
    """A subscription; `turn` orders the rotation, which it has left if it is `blocked`."""

    tag: str
    channel: Channel
    no_ack: bool
    exclusive: bool
    priority: int
    prefetch: int
    turn: int
    blocked: bool = False
    bonus: int = 0

    @property
    def has_credit(self) -> bool:
        """Whether it may be sent one more (Q-1, Q-2)."""
        held = sum(held.consumer is self for held in self.channel.unacked)
        return self.no_ack or self.prefetch == 0 or held < self.prefetch + self.bonus


@dataclass(eq=False)
class Copy:
    """One copy of a message in a queue; ready if nobody holds it."""

    message: Message
    seat: int
    priority: int
    expires: int | None
    returned: int = 0
    holder: Held | None = None


@dataclass(eq=False)
class Held:
    """A delivery: a copy in somebody's hands, `consumer` None if it was fetched by a get."""

    tag: int
    copy: Copy
    queue: Queue
    channel: Channel
    consumer: Consumer | None
    redelivered: bool


class Cancelled(NamedTuple):
    """The notice that a consumer is gone because its queue is."""

    channel: Channel
    tag: str


@dataclass(eq=False)
class Queue:
    """A queue; `copies` are in the order of their seats, `consumers` in that of their subscription."""

    name: str
    arguments: Table
    durable: bool
    auto_delete: bool
    owner: Connection | None
    used: int
    copies: list[Copy] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    single_active: Consumer | None = None
    seats: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def ready(self) -> list[Copy]:
        """What can be delivered, the head first: by priority, then by seat (P-1, R-2)."""
        waiting = [copy for copy in self.copies if copy.holder is None]
        return sorted(waiting, key=lambda copy: (-copy.priority, copy.seat))

    def is_full(self, *more: bytes) -> bool:
        """Whether what is ready, with these bodies, exceeds a limit (L-1)."""
        bodies = [copy.message.body for copy in self.ready] + list(more)
        size = sum(len(body) for body in bodies)
        longest: int = self.arguments.get("x-max-length", len(bodies))
        biggest: int = self.arguments.get("x-max-length-bytes", size)
        return len(bodies) > longest or size > biggest

    @property
    def deadline(self) -> int | None:
        """When something happens here by itself: the head expires, or the queue does (TTL-5, TTL-8)."""
        deadlines = [copy.expires for copy in self.ready[:1] if copy.expires is not None]
        if "x-expires" in self.arguments and not self.consumers:
            deadlines.append(self.used + self.arguments["x-expires"])
        return min(deadlines, default=None)


# ---------------------------------------------------------------- matching


def words(key: str) -> list[str]:
    """TOP-1: the empty key has no words."""
    return key.split(".") if key else []


def topic_matches(pattern: list[str], key: list[str]) -> bool:
    """TOP: `#` is any number of words, `*` is one."""
    if not pattern:
        return not key
    if pattern[0] == "#":
        return topic_matches(pattern[1:], key) or (bool(key) and topic_matches(pattern, key[1:]))
    return bool(key) and pattern[0] in ("*", key[0]) and topic_matches(pattern[1:], key[1:])


def headers_match(wanted: Table, headers: Table) -> bool:
    """EX-20 to EX-24."""
    mode = wanted.get("x-match", "all")
    hits = [
        name in headers and (value is None or (type(value), value) == (type(headers[name]), headers[name]))
        for name, value in wanted.items()
        if name != "x-match" and (mode.endswith("-with-x") or not name.startswith("x-"))
    ]
    return all(hits) if mode.startswith("all") else any(hits)


def matches(type: str, binding: Binding, key: str, headers: Table) -> bool:
    """Whether an exchange of that type sends this along the binding."""
    match type:
        case "direct":
            return binding.key == key
        case "topic":
            return topic_matches(words(binding.key), words(key))
        case "headers":
            return headers_match(binding.arguments, headers)
        case _:
            return True


# ---------------------------------------------------------------- the broker


def verb(
    method: Callable[Concatenate[Reference, Channel, P], R],
) -> Callable[Concatenate[Reference, Channel, P], R]:
    """A refusal closes the channel, which begins anew, or the connection; then dead letters arrive."""

    @wraps(method)
    def call(self: Reference, channel: Channel, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, channel, *args, **kwargs)
        except Refused as refused:
            if refused.code < 500:
                self._end([channel])
            else:
                self._disconnect(channel.connection)
            raise
        finally:
            self._send_letters()

    return call  # type: ignore[return-value]  # `wraps` forgets that self is positional


class Reference:
    """A broker; a verb's first argument is the client's channel.  `epoch` is the Unix time of its zero."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.now = 0
        self.exchanges = {
            "amq.direct": Exchange("direct", durable=True),
            "amq.fanout": Exchange("fanout", durable=True),
            "amq.headers": Exchange("headers", durable=True),
            "amq.match": Exchange("headers", durable=True),
            "amq.rabbitmq.trace": Exchange("topic", durable=True, internal=True),
            "amq.topic": Exchange("topic", durable=True),
        }
        self.bindings: list[Binding] = []
        self.queues: dict[str, Queue] = {}
        self.connections: list[Connection] = []
        self.letters: list[tuple[Message, list[Queue]]] = []
        self.doors: Counter[str] = Counter()
        self._channels = count(1)
        self._turns = count(1)

    # ------------------------------------------------------------ clients

    def connect(self) -> Connection:
        """A new client."""
        self.connections.append(Connection())
        return self.connections[-1]

    def open_channel(self, connection: Connection) -> Channel:
        """A new channel of it."""
        connection.channels.append(Channel(next(self._channels), connection))
        return connection.channels[-1]

    def close_channel(self, channel: Channel) -> None:
        """The client closes the channel."""
        self._end([channel])
        channel.connection.channels.remove(channel)
        self._send_letters()

    def disconnect(self, connection: Connection) -> None:
        """The client closes the connection."""
        self._disconnect(connection)
        self._send_letters()

    def _disconnect(self, connection: Connection) -> None:
        """All channels end, then the exclusive queues go (U-4)."""
        self._end(connection.channels)
        for queue in [queue for queue in self.queues.values() if queue.owner is connection]:
            self._delete_queue(queue)
        connection.outbox.clear()
        connection.is_open = False
        self.connections.remove(connection)

    def _end(self, channels: list[Channel]) -> None:
        """Consumers go, and with them auto-delete queues; then all that is unacked returns (R-4, U-5)."""
        queues: list[Queue] = []
        held = [held for channel in channels for held in channel.unacked]
        for channel in channels:
            outbox = channel.connection.outbox
            outbox[:] = [item for item in outbox if item.channel is not channel]
        for queue in list(self.queues.values()):
            for consumer in [consumer for consumer in queue.consumers if consumer.channel in channels]:
                queues.append(queue)
                self._leave(queue, consumer)
        for channel in channels:
            vars(channel).update(vars(Channel(channel.number, channel.connection)))  # it begins anew
        self._release(held, self._put_back)
        self._run(queues)

    # ------------------------------------------------------------ exchanges and bindings

    @verb
    def exchange_declare(
        self, _: Channel, name: str, options: ExchangeOptions, *, passive: bool = False
    ) -> None:
        """EX-3, EX-6 to EX-9."""
        exchange = Exchange(
            options.type,
            options.durable,
            options.auto_delete,
            options.internal,
            options.arguments.get("alternate-exchange"),
        )
        if name == "":
            raise Refused(403)
        if passive:
            self._exchange(name)
        elif name in self.exchanges:
            if self.exchanges[name] != exchange:
                raise Refused(406)
        elif name.startswith("amq."):
            raise Refused(403)
        else:
            self.exchanges[name] = exchange

    @verb
    def exchange_delete(self, _: Channel, name: str, *, if_unused: bool = False) -> None:
        """EX-3, EX-6, EX-10."""
        if name == "" or name.startswith("amq."):
            raise Refused(403)
        if if_unused and any(binding.source == name for binding in self.bindings):
            raise Refused(406)
        if name in self.exchanges:
            self._delete_exchange(name)

    def _delete_exchange(self, name: str) -> None:
        del self.exchanges[name]
        self.bindings = [binding for binding in self.bindings if binding.source != name]
        for binding in self._bindings_to(name, to_exchange=True):
            self._unbind(binding)

    @verb
    def queue_bind(self, channel: Channel, queue: str, source: str, key: str, arguments: Table) -> None:
        """EX-2, EX-3, U-9."""
        if source == "":
            raise Refused(403)
        self._exchange(source)
        if queue not in self.queues:
            raise Refused(404)
        binding = Binding(source, queue, False, key, arguments)
        self._check(binding)
        self._queue(channel, queue)
        self._bind(binding)

    @verb
    def exchange_bind(self, _: Channel, destination: str, source: str, key: str, arguments: Table) -> None:
        """EX-2, EX-3, U-9, E2E."""
        if "" in (source, destination):
            raise Refused(403)
        self._exchange(source)
        self._exchange(destination)
        binding = Binding(source, destination, True, key, arguments)
        self._check(binding)
        self._bind(binding)

    def _check(self, binding: Binding) -> None:
        """TOP-9."""
        if self.exchanges[binding.source].type == "topic" and words(binding.key).count("#") > 2:
            raise Refused(406)

    def _bind(self, binding: Binding) -> None:
        """EX-2."""
        if binding not in self.bindings:
            self.bindings.append(binding)

    @verb
    def queue_unbind(self, channel: Channel, queue: str, source: str, key: str, arguments: Table) -> None:
        """EX-2, EX-3, U-9: what is not there is no error."""
        if source == "":
            raise Refused(403)
        binding = Binding(source, queue, False, key, arguments)
        if binding in self.bindings:
            self._queue(channel, queue)
            self._unbind(binding)

    @verb
    def exchange_unbind(self, _: Channel, destination: str, source: str, key: str, arguments: Table) -> None:
        """EX-2, EX-3."""
        if "" in (source, destination):
            raise Refused(403)
        binding = Binding(source, destination, True, key, arguments)
        if binding in self.bindings:
            self._unbind(binding)

    def _unbind(self, binding: Binding) -> None:
        """EX-12: an auto-delete exchange goes with the last binding that has it as source."""
        self.bindings.remove(binding)
        used = any(other.source == binding.source for other in self.bindings)
        if self.exchanges[binding.source].auto_delete and not used:
            self._delete_exchange(binding.source)

    def _bindings_to(self, destination: str, *, to_exchange: bool) -> list[Binding]:
        end = destination, to_exchange
        return [binding for binding in self.bindings if (binding.destination, binding.to_exchange) == end]

    def _exchange(self, name: str) -> Exchange:
        if name not in self.exchanges:
            raise Refused(404)
        return self.exchanges[name]

    # ------------------------------------------------------------ queues

    @verb
    def queue_declare(
        self,
        channel: Channel,
        name: str,
        *,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        passive: bool = False,
        arguments: Table,
    ) -> tuple[str, int, int]:
        """U-1 to U-4, R-12, TTL-8."""
        if passive:
            queue = self._queue(channel, name)
        elif name in self.queues:
            queue = self._queue(channel, name)
            if exclusive != (queue.owner is not None):
                raise Refused(405)
            if durable != queue.durable and not exclusive:
                raise Refused(406)
            if (auto_delete, arguments) != (queue.auto_delete, queue.arguments):
                raise Refused(406)
        else:
            owner = channel.connection if exclusive else None
            queue = Queue(name, arguments, durable, auto_delete, owner, self.now)
            self.queues[name] = queue
        queue.used = self.now
        return name, len(queue.ready), len(queue.consumers)

    @verb
    def queue_delete(
        self, channel: Channel, name: str, *, if_unused: bool = False, if_empty: bool = False
    ) -> int:
        """U-6."""
        if name not in self.queues:
            return 0
        queue = self._queue(channel, name)
        if (if_empty and queue.ready) or (if_unused and queue.consumers):
            raise Refused(406)
        ready = len(queue.ready)
        self._delete_queue(queue)
        return ready

    def _delete_queue(self, queue: Queue) -> None:
        """TTL-9, Q-10: nothing is dead-lettered, consumers are told."""
        del self.queues[queue.name]
        self.doors["removed"] += len(queue.copies)
        queue.copies.clear()
        for consumer in sorted(queue.consumers, key=_in_rotation):
            consumer.channel.connection.outbox.append(Cancelled(consumer.channel, consumer.tag))
        queue.consumers.clear()
        for binding in self._bindings_to(queue.name, to_exchange=False):
            if binding in self.bindings:  # and did not go with an exchange just now
                self._unbind(binding)

    @verb
    def queue_purge(self, channel: Channel, name: str) -> int:
        """U-7: ready only."""
        queue = self._queue(channel, name)
        ready = queue.ready
        queue.copies = [copy for copy in queue.copies if copy.holder is not None]
        self.doors["removed"] += len(ready)
        return len(ready)

    def _queue(self, channel: Channel, name: str) -> Queue:
        """U-4, U-10."""
        if name not in self.queues:
            raise Refused(404)
        queue = self.queues[name]
        if queue.owner not in (None, channel.connection):
            raise Refused(405)
        return queue

    # ------------------------------------------------------------ messages in

    @verb
    def confirm_select(self, channel: Channel) -> None:
        """CON-1."""
        if channel.confirms is None:
            channel.confirms = 0

    @verb
    def basic_publish(
        self,
        channel: Channel,
        exchange: str,
        key: str,
        body: bytes,
        headers: Table,
        properties: Table,
        *,
        mandatory: bool = False,
    ) -> tuple[list[str], list[str], bool, int]:
        """The queues that took it, those that refused it, whether it was returned, and its confirm (CON)."""
        if exchange and self._exchange(exchange).internal:
            raise Refused(403)
        message = Message(
            body,
            exchange,
            (key, *headers.get("CC", ()), *headers.get("BCC", ())),
            {name: value for name, value in headers.items() if name != "BCC"},
            int(properties["expiration"]) if "expiration" in properties else None,
            properties.get("priority", 0),
        )
        queues = self._route(message)
        refused = [queue.name for queue in queues if not self._enqueue(message, queue)]
        returned = mandatory and not queues
        self.doors["published"] += 1
        self.doors["routed" if queues else "returned" if returned else "lost"] += 1
        if channel.confirms is not None:
            channel.confirms += 1
        taken = [queue.name for queue in queues if queue.name not in refused]
        return taken, refused, returned, channel.confirms or 0

    def _route(self, message: Message) -> list[Queue]:
        """Each exchange is visited once, each queue gets one copy (TOP-8, E2E-1, AE-1, AE-2, AE-4, D-2)."""
        if message.exchange == "":
            return [self.queues[key] for key in dict.fromkeys(message.keys) if key in self.queues]
        exchanges = [message.exchange] if message.exchange in self.exchanges else []
        queues: list[str] = []
        for name in exchanges:  # grows as we go
            exchange = self.exchanges[name]
            matching = [
                binding
                for binding in self.bindings
                if binding.source == name
                and any(matches(exchange.type, binding, key, message.headers) for key in message.keys)
            ]
            queues += [b.destination for b in matching if not b.to_exchange and b.destination not in queues]
            onward = [binding.destination for binding in matching if binding.to_exchange]
            if not matching and exchange.alternate in self.exchanges:
                onward = [exchange.alternate]
            exchanges += [name for name in dict.fromkeys(onward) if name not in exchanges]
        return [self.queues[name] for name in dict.fromkeys(queues)]

    def _enqueue(self, message: Message, queue: Queue) -> bool:
        """One copy arrives at the tail, or is refused (L-2, L-3, L-5, P-1, TTL-3, TTL-6)."""
        self.doors["copies"] += 1
        overflow = queue.arguments.get("x-overflow", "drop-head")
        if overflow != "drop-head" and queue.is_full(message.body):
            self.doors["refused"] += 1
            if overflow == "reject-publish-dlx":
                self._post(message, queue, "maxlen")
            return False
        ttls = [ttl for ttl in (message.expiration, queue.arguments.get("x-message-ttl")) if ttl is not None]
        most = queue.arguments.get("x-max-priority")
        copy = Copy(
            message,
            next(queue.seats),
            priority=0 if most is None else min(message.priority, max(1, most)),
            expires=self.now + min(ttls) if ttls else None,
        )
        queue.copies.append(copy)
        if len(queue.ready) == 1:  # straight to a waiting consumer, before its time or the limits count
            consumer = self._next_consumer(queue)
            if consumer is not None:
                self._hand_out(queue, consumer.channel, consumer, no_ack=consumer.no_ack)
        self._run([queue])
        return True

    # ------------------------------------------------------------ messages out

    @verb
    def basic_get(self, channel: Channel, name: str, *, no_ack: bool = False) -> tuple[Held, int] | None:
        """The head, and how many stay (R-12, Q-2)."""
        queue = self._queue(channel, name)
        queue.used = self.now
        if not queue.ready:
            return None
        held = self._hand_out(queue, channel, None, no_ack=no_ack)
        self._run([queue])
        return held, len(queue.ready)

    def _hand_out(self, queue: Queue, channel: Channel, consumer: Consumer | None, *, no_ack: bool) -> Held:
        """The head goes to a client (R-1, R-11)."""
        copy = queue.ready[0]
        held = Held(next(channel.tags), copy, queue, channel, consumer, copy.returned > 0)
        if no_ack:
            queue.copies.remove(copy)
            self.doors["done"] += 1
        else:
            copy.holder = held
            channel.unacked.append(held)
        if consumer is not None:
            channel.connection.outbox.append(held)
        return held

    def _next_consumer(self, queue: Queue) -> Consumer | None:
        """Whose turn it is (Q-5, Q-6, Q-8); who has no credit leaves the rotation."""
        if queue.single_active is not None:
            return queue.single_active if queue.single_active.has_credit else None
        if queue.arguments.get("x-single-active-consumer"):
            return None
        for consumer in sorted((c for c in queue.consumers if not c.blocked), key=_in_rotation):
            consumer.turn = next(self._turns)
            if consumer.has_credit:
                return consumer
            consumer.blocked = True
        return None

    def _run(self, queues: Iterable[Queue]) -> None:
        """Drop what does not fit, then what has expired, then deliver; until nothing more happens (C)."""
        for queue in queues:
            while queue.ready:
                head = queue.ready[0]
                if queue.arguments.get("x-overflow", "drop-head") == "drop-head" and queue.is_full():
                    self._die(head, queue, "maxlen")
                elif head.expires is not None and head.expires <= self.now:
                    self._die(head, queue, "expired")
                else:
                    consumer = self._next_consumer(queue)
                    if consumer is None:
                        break
                    self._hand_out(queue, consumer.channel, consumer, no_ack=consumer.no_ack)

    @verb
    def basic_consume(
        self,
        channel: Channel,
        name: str,
        tag: str,
        *,
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Table,
    ) -> None:
        """Q-6 to Q-9."""
        if any(consumer.tag == tag for _, consumer in self._consumers_of(channel)):
            raise Refused(530)
        queue = self._queue(channel, name)
        single = queue.arguments.get("x-single-active-consumer", False)
        if exclusive and (queue.consumers or single):
            raise Refused(403)
        if any(consumer.exclusive for consumer in queue.consumers):
            raise Refused(403)
        priority = arguments.get("x-priority", 0)
        turn = next(self._turns)
        consumer = Consumer(tag, channel, no_ack, exclusive, priority, channel.prefetch, turn)
        queue.consumers.append(consumer)
        if single and queue.single_active is None:
            queue.single_active = consumer
        self._run([queue])

    @verb
    def basic_cancel(self, channel: Channel, tag: str) -> None:
        """R-5, Q-9: what it holds stays, and so does what was sent to it."""
        for queue, consumer in self._consumers_of(channel):
            if consumer.tag == tag:
                self._leave(queue, consumer)
                self._run([queue])

    @verb
    def next_delivery(self, channel: Channel, tag: str) -> Held | None:
        """What was sent next to the consumer of that tag, whatever was sent before to others."""
        outbox = channel.connection.outbox
        for item in outbox:
            if (
                isinstance(item, Held)
                and item.channel is channel
                and item.consumer
                and item.consumer.tag == tag
            ):
                outbox.remove(item)
                return item
        return None

    def _leave(self, queue: Queue, consumer: Consumer) -> None:
        """A consumer goes; another becomes the active one, or the queue goes too (Q-8, TTL-8, U-5)."""
        queue.consumers.remove(consumer)
        queue.used = self.now
        if queue.single_active is consumer:
            queue.single_active = max(queue.consumers, key=lambda other: other.priority, default=None)
        if queue.auto_delete and not queue.consumers:
            self._delete_queue(queue)

    def _consumers_of(self, channel: Channel) -> list[tuple[Queue, Consumer]]:
        found = [(queue, consumer) for queue in self.queues.values() for consumer in queue.consumers]
        return [(queue, consumer) for queue, consumer in found if consumer.channel is channel]

    @verb
    def basic_qos(self, channel: Channel, _size: int, prefetch: int) -> None:
        """Q-1."""
        channel.prefetch = prefetch

    # ------------------------------------------------------------ what becomes of them

    @verb
    def basic_ack(self, channel: Channel, tag: int, *, multiple: bool = False) -> None:
        """R-6, R-7, R-10."""
        self._settle(_meant(channel, tag, multiple=multiple), self._done)

    @verb
    def basic_nack(self, channel: Channel, tag: int, *, multiple: bool = False, requeue: bool = True) -> None:
        """R-2, R-8, D-12."""
        meant = _meant(channel, tag, multiple=multiple)
        if requeue:
            self._settle(meant, self._put_back)
        else:
            self._settle(sorted(meant, key=lambda held: -held.copy.priority), self._reject)

    @verb
    def basic_recover(self, channel: Channel) -> None:
        """R-9."""
        self._settle(list(channel.unacked), self._put_back)

    def _settle(self, deliveries: list[Held], settle: Callable[[Held], None]) -> None:
        """One after the other: what was fetched, each by itself, then what each consumer has (R-2)."""
        for _, group in groupby(sorted(deliveries, key=_by_receiver), key=_by_receiver):
            self._release(list(group), settle)

    def _release(self, deliveries: list[Held], settle: Callable[[Held], None]) -> None:
        """All of them leave the client's hands before any queue goes on (Q-5, R-2)."""
        for held in deliveries:
            if held in held.channel.unacked:  # or its channel ends
                held.channel.unacked.remove(held)
            if held.copy in held.queue.copies:  # or its queue is gone
                settle(held)
            consumer = _present(held)
            if consumer is not None:
                consumer.bonus += consumer is not held.consumer
                if consumer.blocked and consumer.has_credit:
                    consumer.blocked = False
                    consumer.turn = next(self._turns)
        self._run(dict.fromkeys(held.queue for held in deliveries))

    def _done(self, held: Held) -> None:
        held.queue.copies.remove(held.copy)
        self.doors["done"] += 1

    def _put_back(self, held: Held) -> None:
        held.copy.holder = None
        held.copy.returned += 1

    def _reject(self, held: Held) -> None:
        self._die(held.copy, held.queue, "rejected")

    def _die(self, copy: Copy, queue: Queue, reason: str) -> None:
        """A copy leaves its queue, as a dead letter if there is a place for one (D-1, D-2)."""
        queue.copies.remove(copy)
        if "x-dead-letter-exchange" not in queue.arguments:
            self.doors["expired" if reason == "expired" else "dropped"] += 1
        elif self._post(copy.message, queue, reason):
            self.doors["dead_lettered"] += 1
        else:
            self.doors["dropped"] += 1

    def _post(self, message: Message, queue: Queue, reason: str) -> bool:
        """The letter waits until what happens now is over; whether it has anywhere to go (D-4, D-10)."""
        exchange = queue.arguments.get("x-dead-letter-exchange")
        if exchange is None:
            return False
        key = queue.arguments.get("x-dead-letter-routing-key")
        letter = replace(
            message,
            exchange=exchange,
            keys=message.keys if key is None else (key,),
            headers={k: v for k, v in message.headers.items() if not k.startswith(("x-first-", "x-last-"))},
            expiration=None,
            deaths=self._deaths(message, queue.name, reason),
            first_death=message.first_death if message.deaths else (message.exchange, queue.name, reason),
            last_death=(message.exchange, queue.name, reason),
        )
        queues = [target for target in self._route(letter) if not _goes_round(letter, target, reason)]
        self.letters.append((letter, queues))
        return bool(queues)

    def _deaths(self, message: Message, queue: str, reason: str) -> tuple[Table, ...]:
        """D-6: the entry for this queue and reason is made or counted up, and stands first."""
        same = [death for death in message.deaths if (death["queue"], death["reason"]) == (queue, reason)]
        others = [death for death in message.deaths if death not in same]
        if same:
            return ({**same[0], "count": same[0]["count"] + 1}, *others)
        entry = {
            "count": 1,
            "reason": reason,
            "queue": queue,
            "time": self.epoch + self.now // 1000,
            "exchange": message.exchange,
            "routing-keys": [
                message.keys[0],
                *(cc for cc in message.headers.get("CC", ()) if len(message.keys) > 1),
            ],
        }
        if message.expiration is not None:
            entry["original-expiration"] = str(message.expiration)
        return (entry, *others)

    def _send_letters(self) -> None:
        """Dead letters arrive, in the order in which they died."""
        while self.letters:
            letter, queues = self.letters.pop(0)
            for queue in queues:
                if queue in self.queues.values():
                    self._enqueue(letter, queue)

    # ------------------------------------------------------------ time

    @property
    def next_due(self) -> int | None:
        """When something happens by itself next."""
        return min((q.deadline for q in self.queues.values() if q.deadline is not None), default=None)

    def play(self, until: int) -> None:
        """Time goes on, from deadline to deadline; of two queues, what was declared first comes first (C)."""
        while (due := self.next_due) is not None and due <= until:
            self.now = due
            queue = next(queue for queue in self.queues.values() if queue.deadline == due)
            if queue.ready and queue.ready[0].expires == due:
                self._run([queue])
            else:
                self._delete_queue(queue)
            self._send_letters()
        self.now = until

    # ------------------------------------------------------------ counting

    @property
    def ledger(self) -> dict[str, int]:
        """How many messages and copies are where; what is nowhere is left out."""
        copies = [copy for queue in self.queues.values() for copy in queue.copies]
        ready = sum(copy.holder is None for copy in copies)
        return {**self.doors, "ready": ready, "unacked": len(copies) - ready}


def _in_rotation(consumer: Consumer) -> tuple[bool, int, int]:
    return consumer.blocked, -consumer.priority, consumer.turn


def _present(held: Held) -> Consumer | None:
    """Who has the tag now under which it was sent: the acknowledgement counts for that one (Q-1)."""
    tag = None if held.consumer is None else held.consumer.tag
    mine = (consumer for consumer in held.queue.consumers if consumer.channel is held.channel)
    return next((consumer for consumer in mine if consumer.tag == tag), None)


def _by_receiver(held: Held) -> tuple[str, str, int]:
    if held.consumer is None:
        return held.queue.name, "", held.tag
    return held.queue.name, held.consumer.tag, 0


def _meant(channel: Channel, tag: int, *, multiple: bool) -> list[Held]:
    """The deliveries that an acknowledgement means (R-6, R-7)."""
    if tag == 0 and multiple:
        return list(channel.unacked)
    if all(held.tag != tag for held in channel.unacked):
        raise Refused(406)
    return [held for held in channel.unacked if held.tag == tag or (multiple and held.tag < tag)]


def _goes_round(letter: Message, queue: Queue, reason: str) -> bool:
    """D-10: it died in this queue before, and since then it has died by itself only."""
    if reason == "rejected":
        return False
    places = [death["queue"] for death in letter.deaths]
    since = letter.deaths[: places.index(queue.name) + 1] if queue.name in places else ()
    return bool(since) and all(death["reason"] != "rejected" for death in since)
