"""What the engine's tests share: a broker with one client, and what must hold of every broker at any time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings

from sandbox.engine.clock import Clock, ManualClock
from sandbox.engine.core import Engine
from sandbox.engine.ledger import Ledger
from sandbox.engine.model import ExchangeOptions
from sandbox.engine.publishing import Published
from sandbox.engine.queues import Queue
from sandbox.engine.sessions import Cancelled, Channel, Connection, Consumer, Delivery
from sandbox.engine.snapshot import Seat, Snapshot

#: Hypothesis, the same at every run: what it finds on one machine it finds on all.
CALM = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

#: How long a test waits for what should come at once, in seconds.
SOON = 10.0


class Bench:
    """An engine and one client on one channel; its verbs fill in what a test does not care about.

    Bodies are texts here, times are AMQP's: `ttl` and `expires` in milliseconds.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.engine = Engine(ManualClock() if clock is None else clock)
        self.connection = self.engine.connect("client")
        self.channel = self.engine.open_channel(self.connection)

    # ------------------------------------------------------------ clients

    def client(self, name: str = "") -> Channel:
        """A channel on a connection of its own."""
        return self.engine.open_channel(self.engine.connect(name))

    def drop(self, connection: Connection) -> None:
        """Its client was garbage-collected; the next verb notices."""
        self.engine.dropped.append(connection)

    # ------------------------------------------------------------ topology

    def queue(
        self,
        name: str = "q",
        *,
        ttl: int | None = None,
        expires: int | None = None,
        channel: Channel | None = None,
        **options: bool,
    ) -> str:
        """Declare a queue."""
        given = {"x-message-ttl": ttl, "x-expires": expires}
        arguments = {key: value for key, value in given.items() if value is not None}
        declared = self.engine.queue_declare(channel or self.channel, name, arguments=arguments, **options)
        return declared.queue

    def exchange(self, name: str = "x", type: str = "direct", **options: Any) -> str:
        """Declare an exchange."""
        self.engine.exchange_declare(self.channel, name, ExchangeOptions(type, **options))
        return name

    def bind(self, queue: str, exchange: str, key: str = "", **arguments: Any) -> None:
        """Bind a queue."""
        self.engine.queue_bind(self.channel, queue, exchange, key, arguments)

    def unbind(self, queue: str, exchange: str, key: str = "", **arguments: Any) -> None:
        """Unbind a queue."""
        self.engine.queue_unbind(self.channel, queue, exchange, key, arguments)

    def link(self, source: str, destination: str, key: str = "") -> None:
        """Bind an exchange to an exchange, in the direction in which messages go."""
        self.engine.exchange_bind(self.channel, destination, source, key, {})

    # ------------------------------------------------------------ messages

    def publish(
        self,
        body: str = "m",
        key: str = "q",
        exchange: str = "",
        *,
        ttl: int | None = None,
        headers: dict[str, Any] | None = None,
        mandatory: bool = False,
        channel: Channel | None = None,
    ) -> Published:
        """Publish one message, to the queue `q` unless told otherwise."""
        properties = {} if ttl is None else {"expiration": str(ttl)}
        published = self.engine.basic_publish(
            channel or self.channel,
            exchange,
            key,
            body.encode(),
            headers or {},
            properties,
            mandatory=mandatory,
        )
        assert published is not None  # it would be None within a transaction
        return published

    def fill(self, *bodies: str, key: str = "q") -> None:
        """Publish these, in this order."""
        for body in bodies:
            self.publish(body, key)

    def get(
        self, queue: str = "q", *, no_ack: bool = False, channel: Channel | None = None
    ) -> Delivery | None:
        """Fetch the head."""
        found = self.engine.basic_get(channel or self.channel, queue, no_ack=no_ack)
        return None if found is None else found[0]

    def fetch(self, queue: str = "q", *, channel: Channel | None = None) -> Delivery:
        """Fetch the head of a queue that has one."""
        delivery = self.get(queue, channel=channel)
        assert delivery is not None
        return delivery

    def consume(
        self,
        tag: str = "c",
        queue: str = "q",
        *,
        prefetch: int = 0,
        channel: Channel | None = None,
        **options: Any,
    ) -> Consumer:
        """Subscribe, on the bench's channel unless told otherwise."""
        on = channel or self.channel
        self.engine.basic_qos(on, 0, prefetch)
        self.engine.basic_consume(on, queue, tag, **options)
        return on.consumers[tag]

    def ack(self, *tags: int, channel: Channel | None = None) -> None:
        """Acknowledge, one after the other."""
        for tag in tags:
            self.engine.basic_ack(channel or self.channel, tag)

    def requeue(self, *tags: int, channel: Channel | None = None) -> None:
        """Reject with requeue, one after the other."""
        for tag in tags:
            self.engine.basic_nack(channel or self.channel, tag)

    # ------------------------------------------------------------ looking

    def items(self, connection: Connection | None = None) -> Iterator[Delivery | Cancelled]:
        """Take what the broker has sent, until there is no more."""
        while (item := self.engine.next_item(connection or self.connection, 0)) is not None:
            yield item

    def sent(self, connection: Connection | None = None) -> list[tuple[str, str]]:
        """Take what the broker has sent, as (consumer, body)."""
        return [
            (item.consumer.tag, body(item))
            for item in self.items(connection)
            if isinstance(item, Delivery) and item.consumer
        ]

    def ready(self, queue: str = "q") -> list[str]:
        """The bodies that are ready, head first."""
        return [copy.message.body.decode() for copy, holder in self.engine.contents(queue) if holder is None]

    def unacked(self, queue: str = "q") -> list[str]:
        """The bodies that somebody holds, in the order of their seats."""
        return [copy.message.body.decode() for copy, holder in self.engine.contents(queue) if holder]

    def kinds(self, after: int = 0) -> list[str]:
        """The kinds of the events after that serial."""
        return [event.kind for event in self.engine.history.after(after)]

    def gone(self, kind: str = "expired") -> list[tuple[float, int]]:
        """When which message left that way."""
        return [(event.time, event.message) for event in self.engine.history.filter(kind=kind)]

    @property
    def ledger(self) -> Ledger:
        """Both balances now."""
        return self.engine.snapshot().ledger


def body(delivery: Delivery) -> str:
    """The body, as text."""
    return delivery.message.body.decode()


# ---------------------------------------------------------------- what must always hold


def timeless(snapshot: Snapshot) -> Snapshot:
    """The snapshot without the time at which it was taken."""
    return replace(snapshot, time=0.0)


def assert_whole(engine: Engine) -> Snapshot:
    """Hold everything against everything: the state, what follows from it, the history and its replay."""
    snapshot = engine.snapshot()
    _assert_balanced(snapshot.ledger, engine)
    _assert_replayed(snapshot, engine)
    for queue in engine._moves.topology.queues.values():
        _assert_queue(queue, engine)
    for connection in engine._moves.connections.values():
        _assert_connection(connection, engine)
    _assert_topology(snapshot, engine)
    _assert_clients(snapshot, engine)
    return snapshot


def _assert_balanced(ledger: Ledger, engine: Engine) -> None:
    assert ledger.balanced
    assert ledger.published == ledger.routed + ledger.returned + ledger.lost
    assert ledger.on_its_way == 0
    assert ledger.copies == sum(ledger[ledger._fields.index("copies") + 1 :])
    queues = engine._moves.topology.queues.values()
    assert ledger.ready == sum(queue.ready for queue in queues)
    assert ledger.unacked == sum(queue.unacked for queue in queues)


def _assert_replayed(snapshot: Snapshot, engine: Engine) -> None:
    """The history, replayed from its first remembered state, leads to what is there."""
    history = engine.history
    assert timeless(history.at(history.last)) == timeless(snapshot)
    replay = history.replay()
    assert list(replay.queues) == list(engine._moves.topology.queues)
    for name, queue in engine._moves.topology.queues.items():
        seats = [seat for _, seat in sorted(replay.queues[name].seats.items())]
        assert [_of_the_living(seat, snapshot) for seat in seats] == seats_of(queue)
        assert (snapshot.queues[name].ready, snapshot.queues[name].unacked) == (queue.ready, queue.unacked)
        assert snapshot.queues[name].options == queue.options


def _of_the_living(seat: Seat, snapshot: Snapshot) -> Seat:
    """The seat as `seats_of` has it."""
    alive = (seat.channel, seat.consumer) in snapshot.consumers
    return seat._replace(entered=0.0, consumer=seat.consumer if alive else "", header=None)


def seats_of(queue: Queue) -> list[Seat]:
    """What really stands in a queue, as the replay should see it; `entered` and `header` left out."""
    return [_seat(queue, position) for position in sorted(queue.copies)]


def _seat(queue: Queue, position: int) -> Seat:
    copy = queue.copies[position]
    seat = Seat(position, copy.id, copy.message.id, 0.0, copy.expires, copy.redelivered)
    holder = copy.holder
    if holder is None:
        return seat
    consumer = holder.consumer
    alive = consumer is not None and holder.channel.consumers.get(consumer.tag) is consumer
    return seat._replace(
        unacked=True,
        channel=holder.channel.id,
        consumer=consumer.tag
        if consumer and alive
        else "",  # one that is cancelled has left it to its channel
        tag=holder.tag,
        handed=holder.handed,
    )


def _assert_queue(queue: Queue, engine: Engine) -> None:
    """Counts, order, consumers and deadline of a queue follow from its copies."""
    assert queue.exists
    ready = [copy for _, copy in sorted(queue.copies.items()) if copy.holder is None]
    lanes = [[*(copy for _, copy in sorted(lane.returned)), *lane.fresh] for lane in queue._lanes]
    assert [copy for lane in lanes for copy in lane] == ready
    assert queue.ready == len(ready)
    assert queue.unacked == len(queue.copies) - len(ready)
    assert queue.head() is (ready[0] if ready else None)
    assert all(copy.queue is queue and copy.position == seat for seat, copy in queue.copies.items())
    assert not queue.has_expired(engine.now)
    due = queue.next_deadline()
    if due is not None:
        assert min(at for at, _, owner in engine._moves.deadlines._heap if owner is queue) <= due
    if ready:
        assert not any(consumer.has_credit for consumer in queue.consumers)


def _assert_connection(connection: Connection, engine: Engine) -> None:
    """Channels hold what the queues say they hold, and the outbox what is delivered and not handed over."""
    assert connection.is_open
    queues = engine._moves.topology.queues.values()
    copies = [copy for queue in queues for copy in queue.copies.values()]
    assert len({id(item) for item in connection.outbox}) == len(connection.outbox)
    outbox = [item for item in connection.outbox if isinstance(item, Delivery)]
    for channel in connection.channels.values():
        assert channel.is_open
        held = {copy.holder for copy in copies if copy.holder and copy.holder.channel is channel}
        mine = list(channel.unacked.values())
        assert {delivery for delivery in mine if delivery.copy.queue.exists} == held
        assert [delivery.tag for delivery in mine] == list(channel.unacked) == sorted(channel.unacked)
        assert channel.last_tag >= max(channel.unacked, default=0)
        for delivery in mine:
            assert (delivery in outbox) == (not delivery.handed)
        for consumer in channel.consumers.values():
            assert consumer.held == sum(delivery.consumer is consumer for delivery in mine)
            assert consumer in consumer.queue.consumers
    for item in connection.outbox:
        assert item.channel.connection is connection
        assert item.channel.is_open


def _assert_topology(snapshot: Snapshot, engine: Engine) -> None:
    """The history knows the exchanges and bindings that there are, and so do the indexes by both ends."""
    topology = engine._moves.topology
    assert set(snapshot.exchanges) - {""} == set(topology.exchanges)
    bindings = list(topology.bindings())
    assert set(bindings) == {binding for binding in snapshot.bindings if binding.source}
    assert len(set(bindings)) == len(bindings)
    ends = {(binding.destination, binding.to_exchange) for binding in bindings}
    assert set(topology._incoming) == ends
    for name, to_exchange in ends:
        assert name in (topology.exchanges if to_exchange else topology.queues)
        arriving = topology.bindings_to(name, to_exchange=to_exchange)
        assert set(arriving) == {b for b in bindings if (b.destination, b.to_exchange) == (name, to_exchange)}
    for (exchange, key), route in list(topology._routes.items()):
        assert route.targets == tuple(topology._targets(exchange, key, {}))


def _assert_clients(snapshot: Snapshot, engine: Engine) -> None:
    """The history knows the connections, channels and consumers that there are."""
    connections = engine._moves.connections
    channels = {number: channel for c in connections.values() for number, channel in c.channels.items()}
    consumers = {
        (c.channel.id, c.tag): c for channel in channels.values() for c in channel.consumers.values()
    }
    assert snapshot.connections == {number: c.name for number, c in connections.items()}
    assert {n: c.prefetch for n, c in snapshot.channels.items()} == {
        n: c.prefetch for n, c in channels.items()
    }
    assert set(snapshot.consumers) == set(consumers)
    subscribed = Counter(c for queue in engine._moves.topology.queues.values() for c in queue.consumers)
    assert subscribed == Counter(consumers.values())
    for key, consumer in consumers.items():
        view = snapshot.consumers[key]
        assert (view.queue, view.prefetch) == (consumer.queue.name, consumer.prefetch)
        assert view.unacked == consumer.held
