"""Broker: what one types in a notebook.  Each method is a line or three over kombu and the engine."""

from __future__ import annotations

import itertools
import math
import socket
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import kombu
from amqp.exceptions import RecoverableConnectionError

from . import tables
from .engine.core import Due, Engine
from .engine.errors import BrokerError
from .engine.model import copy_table
from .texts import shown
from .transport import BROKERS, Channel, as_amqp, register, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from matplotlib.axes import Axes

    from .engine.clock import Clock
    from .engine.history import History
    from .engine.ledger import Ledger
    from .engine.model import Binding
    from .engine.snapshot import Snapshot
    from .widgets import Dashboard, Player, View

_numbers = itertools.count(1)

#: After so many deliveries in one `drain`, or moments in one `run_until_idle`, there is a loop.
ENDLESS = 100_000

Named = str | kombu.Exchange | kombu.Queue
Entity = TypeVar("Entity", bound=kombu.Exchange | kombu.Queue)


class Result(NamedTuple):
    """What became of a published message.

    `message_id` is its number in every picture, `queues` the names of the queues that got a copy,
    `refused` of those that were full and did not take it; `returned` says that there was no queue and the
    message, being mandatory, came back.
    """

    message_id: int
    queues: tuple[str, ...]
    refused: tuple[str, ...] = ()
    returned: bool = False

    @property
    def routed(self) -> bool:
        """Whether any queue got it."""
        return bool(self.queues)

    def __repr__(self) -> str:
        ways = []
        if self.queues:
            ways.append(f"went to {shown(', '.join(self.queues))}")
        if self.refused:
            ways.append(f"was refused by {shown(', '.join(self.refused))}")
        if not ways:
            ways.append("was returned: no queue" if self.returned else "is lost: no queue")
        return f"<message {self.message_id} {', '.join(ways)}>"


class Consumption:
    """A consumer that a Broker runs: its callback is called by `broker.drain()`, or by its own `drain()`."""

    def __init__(self, tag: str, queue: str, channel: Channel) -> None:
        self.tag = tag
        self.queue = queue
        self.channel = channel

    def drain(self) -> int:
        """Hand over to the callback what was sent to this consumer, in order; returns how much.

        What was sent to others stays where it is.  What the callback raises comes out here; its message
        stays unacked.
        """
        for count in range(ENDLESS):
            if not self.channel.deliver_next(self.tag):
                return count
        raise _endless(ENDLESS)

    def cancel(self) -> None:
        """Get nothing more, but what was already sent, which the callback gets now.

        What was delivered stays unacked, and can still be acknowledged.
        """
        if self.channel.is_open:
            self.channel.basic_cancel(self.tag)

    def close(self) -> None:
        """Close the consumer's channel: what it holds goes back to its seats."""
        self.channel.close()

    def __repr__(self) -> str:
        return f"<consumer {self.tag} of {shown(self.queue)}>"


class Broker:
    """A private message broker in memory that behaves as RabbitMQ 4 does.

    `name` makes it reachable as `sandbox://name` in this process (small letters, digits, `.`, `-`, `_`);
    without one it is given one.  `clock` is real time, or a `ManualClock`, which stands still until
    `advance` or `step`.  All times are in seconds.

    A broker lives as long as something refers to it, or to a connection of it.  A newer broker of the same
    name takes the name; the older one stays usable through its object.

    Methods raise the exceptions that py-amqp raises for RabbitMQ's answers, in RabbitMQ's words.
    """

    def __init__(self, name: str | None = None, *, clock: Clock | None = None) -> None:
        if isinstance(clock, type):
            raise TypeError(f"clock is a clock, such as sandbox.{clock.__name__}(), not its class")
        free = (given for number in _numbers if (given := f"broker-{number}") not in BROKERS)
        self.name = next(free) if name is None else name
        self._engine = Engine(clock)
        register(self.name, self._engine)
        self._client = self.connection(name="you")
        self._channels: dict[str, Channel] = {}
        self._tags = itertools.count(1)

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""
        return self._engine.is_open

    @property
    def url(self) -> str:
        """What `kombu.Connection` and Celery take to get here."""
        return f"sandbox://{self.name}"

    def connection(self, name: str = "") -> kombu.Connection:
        """A new kombu Connection to this very broker, shown as `name` in pictures."""
        return kombu.Connection(self.url, transport_options={"engine": self._engine, "name": name})

    def channel(self) -> Channel:
        """A new channel."""
        channel: Channel = self._client.channel()
        return channel

    def _on(self, verb: str) -> Channel:
        """The channel of a verb: a mistake in one never touches what another handed out."""
        channel = self._channels.get(verb)
        if channel is None or not channel.is_open:  # the first time, or after an error closed the connection
            channel = self._channels[verb] = self.channel()
        return channel

    def close(self) -> None:
        """Close all connections; after that the broker can only be looked at."""
        if BROKERS.get(self.name) is self._engine:
            del BROKERS[self.name]
        self._engine.close()

    def restart(self) -> None:
        """Stop the broker and start it again, as a server is.

        Durable queues and exchanges stay, and in them the persistent messages, those that were unacked
        before the others; all the rest is gone, every connection is closed, and consumers must subscribe
        anew.
        """
        self._refuse_closed()
        self._engine.restart()
        self._client = self.connection(name="you")
        self._channels.clear()

    def _refuse_closed(self) -> None:
        if not self.is_open:
            raise RecoverableConnectionError("this broker is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # ------------------------------------------------------------ declaring

    def exchange(
        self,
        name: str,
        type: str = "direct",
        *,
        durable: bool = True,
        auto_delete: bool = False,
        internal: bool = False,
        alternate_exchange: Named | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> kombu.Exchange:
        """Declare an exchange (direct, fanout, topic or headers)."""
        args = dict(arguments or {})
        if alternate_exchange is not None:
            args["alternate-exchange"] = _name(alternate_exchange)
        channel = self._on("declare")
        channel.exchange_declare(
            name, type, durable=durable, auto_delete=auto_delete, arguments=args, internal=internal
        )
        return _bound(self._lookup(name), channel)

    def queue(
        self,
        name: str = "",
        *,
        exchange: Named | None = None,
        routing_key: str = "",
        message_ttl: float | None = None,
        expires: float | None = None,
        max_length: int | None = None,
        max_length_bytes: int | None = None,
        max_priority: int | None = None,
        dead_letter_exchange: Named | None = None,
        dead_letter_routing_key: str | None = None,
        overflow: str | None = None,
        exclusive: bool = False,
        auto_delete: bool = False,
        durable: bool = True,
        binding_arguments: Mapping[str, Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> kombu.Queue:
        """Declare a queue and, if an exchange is given, bind it with `routing_key`.

        An exchange given by name must exist.  `message_ttl` is how long a message may wait here, `expires`
        how long the queue may be unused, both in seconds.  An empty name lets the broker choose one.
        """
        args = dict(arguments or {})
        given = {
            "x-dead-letter-exchange": None if dead_letter_exchange is None else _name(dead_letter_exchange),
            "x-dead-letter-routing-key": dead_letter_routing_key,
            "x-overflow": overflow,
        }
        args.update((key, value) for key, value in given.items() if value is not None)
        queue = kombu.Queue(
            name,
            exchange=self._lookup(exchange) if isinstance(exchange, str) and exchange else exchange or None,
            routing_key=routing_key,
            message_ttl=_seconds("message_ttl", message_ttl),
            expires=_seconds("expires", expires),
            max_length=max_length,
            max_length_bytes=max_length_bytes,
            max_priority=max_priority,
            exclusive=exclusive,
            auto_delete=auto_delete,
            durable=durable,
            binding_arguments=dict(binding_arguments or {}),
            queue_arguments=args,
        )
        queue = _bound(queue, self._on("declare"))
        queue.declare()
        return queue

    def _lookup(self, name: str) -> kombu.Exchange:
        """The exchange of that name as it was declared, or NotFound."""
        self._on("declare").exchange_declare(name, "", passive=True)
        options = self.snapshot().exchanges[name].options
        return kombu.Exchange(
            name,
            options.type,
            durable=options.durable,
            auto_delete=options.auto_delete,
            arguments=dict(options.arguments) or None,
            passive=options.internal,  # kombu does not know internal exchanges: it must not declare them anew
        )

    def declare(self, *entities: kombu.Exchange | kombu.Queue) -> None:
        """Declare kombu's own Exchange and Queue objects, as an application has them."""
        for entity in entities:
            if not isinstance(entity, (kombu.Exchange, kombu.Queue)):
                raise TypeError(f"declare takes kombu's Exchange and Queue objects, not {entity!r}")
            _bound(entity, self._on("declare")).declare()

    def bind(
        self,
        destination: Named,
        exchange: Named,
        routing_key: str = "",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Let an exchange send what matches to a queue, or on to another exchange.

        A destination given by name is the queue of that name, or else the exchange.
        """
        channel = self._on("declare")
        bind = channel.exchange_bind if self._is_exchange(destination) else channel.queue_bind
        bind(_name(destination), _name(exchange), routing_key, arguments=arguments)

    def unbind(
        self,
        destination: Named,
        exchange: Named,
        routing_key: str = "",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Take a binding away, given exactly as it was made; one that is not there is no error."""
        channel = self._on("declare")
        unbind = channel.exchange_unbind if self._is_exchange(destination) else channel.queue_unbind
        unbind(_name(destination), _name(exchange), routing_key, arguments=arguments)

    def delete(self, entity: Named, *, if_unused: bool = False, if_empty: bool = False) -> None:
        """Delete a queue or an exchange; a name means the queue, or else the exchange."""
        channel = self._on("declare")
        if self._is_exchange(entity):
            channel.exchange_delete(_name(entity), if_unused=if_unused)
        else:
            channel.queue_delete(_name(entity), if_unused=if_unused, if_empty=if_empty)

    def purge(self, queue: Named) -> int:
        """Remove the ready messages of a queue; returns how many they were."""
        return self._on("declare").queue_purge(_name(queue))

    def _is_exchange(self, entity: Named) -> bool:
        if isinstance(entity, str):
            snapshot = self.snapshot()
            return entity not in snapshot.queues and entity in snapshot.exchanges
        return isinstance(entity, kombu.Exchange)

    # ------------------------------------------------------------ messages

    def publish(
        self,
        body: Any,
        exchange: Named = "",
        routing_key: str = "",
        *,
        headers: Mapping[str, Any] | None = None,
        expiration: float | None = None,
        priority: int | None = None,
        mandatory: bool = False,
        **properties: Any,
    ) -> Result:
        """Publish a message; the result says which queues got it.

        `expiration` is in seconds.  `properties` are kombu's and AMQP's: `serializer`, `delivery_mode`,
        `correlation_id`, `reply_to`, `message_id` and so on.
        """
        channel = self._on("publish")
        channel.events["basic_return"].add(_ignore)  # the result tells it
        published = kombu.Producer(channel, auto_declare=False).publish(
            body,
            exchange=_name(exchange),
            routing_key=routing_key,
            headers=dict(headers or {}),
            expiration=_seconds("expiration", expiration),
            priority=priority,
            mandatory=mandatory,
            **properties,
        )
        return Result(published.message.id, published.queues, published.refused, published.returned)

    def get(self, queue: Named, *, no_ack: bool = False) -> kombu.Message | None:
        """The head of a queue (with `.payload`, `.ack()`, `.reject()`, `.requeue()`), or None."""
        return self._on("get").basic_get(_name(queue), no_ack=no_ack)

    def consume(
        self,
        queue: Named,
        callback: Callable[[Any, kombu.Message], object],
        *,
        prefetch_count: int = 0,
        no_ack: bool = False,
        priority: int = 0,
        exclusive: bool = False,
    ) -> Consumption:
        """Subscribe to a queue: `drain()` will call `callback(body, message)` for each message.

        At most `prefetch_count` messages are unacked at a time (0: no limit).  The consumer has a channel
        of its own.
        """
        channel = self.channel()
        try:
            channel.basic_qos(0, prefetch_count, False)
            tag = channel.basic_consume(
                _name(queue),
                f"consumer-{next(self._tags)}",
                no_ack=no_ack,
                exclusive=exclusive,
                callback=lambda message: callback(message.payload, message),
                arguments={"x-priority": priority} if priority else None,
                on_cancel=_ignore,
            )
        except BaseException:
            channel.close()
            raise
        return Consumption(tag, _name(queue), channel)

    def drain(self, timeout: float = 0, *, limit: int = ENDLESS) -> int:
        """Hand deliveries to the consumers' callbacks until there are no more; returns how many.

        For the first one it waits up to `timeout` real seconds.  What a callback raises comes out here;
        its message stays unacked.  More than `limit` deliveries raise RuntimeError: then a message is
        probably requeued for ever.
        """
        count = 0
        while count < limit:
            try:
                count += bool(self._client.drain_events(timeout=0 if count else timeout))
            except socket.timeout:  # noqa: UP041  (the name that kombu documents)
                return count
        if not self._client.connection.session.outbox:
            return limit
        raise _endless(limit)

    def route(
        self, exchange: Named = "", routing_key: str = "", headers: Mapping[str, Any] | None = None
    ) -> dict[str, tuple[Binding, ...]]:
        """Where a message would go, and by which bindings; nothing is published."""
        try:
            route = self._engine.route(_name(exchange), short(routing_key), copy_table(dict(headers or {})))
        except BrokerError as error:
            raise as_amqp(error) from None
        return {target.queue.name: target.arrival.bindings for target in route.targets}

    def peek(self, queue: Named) -> tables.Table[tables.CopyRow]:
        """What stands in a queue, ready and unacked, head first.  Nothing is disturbed."""
        now = self.now
        name = _name(queue)
        if name not in self.snapshot().queues:
            self._on("declare").queue_declare(name, passive=True)
        return tables.copies(name, self._engine.contents(name), now)

    # ------------------------------------------------------------ time

    @property
    def clock(self) -> Clock:
        """The clock it was given, or else its own in real time."""
        return self._engine.clock

    @property
    def due(self) -> Due | None:
        """When, and in which queue, something will happen by itself next; None if nothing ever will."""
        return self._engine.peek()

    @property
    def now(self) -> float:
        """Seconds since the broker began, or since its clock did, if it was given one that ran already."""
        return self._engine.now

    def advance(self, seconds: float) -> None:
        """Move a manual clock on; everything that falls due on the way happens, each at its own time."""
        self._refuse_closed()
        self._engine.advance(seconds)

    def step(self) -> Due | None:
        """Move a manual clock to the next moment at which something happens by itself, and let it happen.

        Returns that time and the queue, or None if nothing will ever happen.
        """
        self._refuse_closed()
        return self._engine.step()

    def run_until_idle(self, *, limit: int = ENDLESS) -> int:
        """Step until nothing will happen by itself any more; returns how many steps that took.

        RuntimeError, with the queues concerned, if there is no end after `limit` steps.
        """
        last: list[str] = []
        for count in range(limit):
            due = self.step()
            if due is None:
                return count
            last = [*last[-5:], due.queue]
        if self._engine.peek() is None:
            return limit
        msg = f"{limit} steps and no end; the last ones were in " + ", ".join(dict.fromkeys(last))
        raise RuntimeError(msg)

    # ------------------------------------------------------------ looking

    @property
    def history(self) -> History:
        """Everything that happened, in order."""
        return self._engine.history

    def snapshot(self) -> Snapshot:
        """The state now, as a value."""
        return self._engine.snapshot()

    @property
    def ledger(self) -> Ledger:
        """Where all messages and their copies went; it always balances."""
        return self.snapshot().ledger

    @property
    def queues(self) -> tables.Table[tables.QueueRow]:
        """All queues."""
        return tables.queues(self.snapshot())

    @property
    def exchanges(self) -> tables.Table[tables.ExchangeRow]:
        """All exchanges, RabbitMQ's own included."""
        return tables.exchanges(self.snapshot())

    @property
    def bindings(self) -> tables.Table[tables.BindingRow]:
        """All bindings, and those of the default exchange that were used."""
        return tables.bindings(self.snapshot())

    @property
    def consumers(self) -> tables.Table[tables.ConsumerRow]:
        """All consumers."""
        return tables.consumers(self.snapshot())

    def draw(self, ax: Axes | None = None) -> Axes:
        """The routing graph, drawn on the matplotlib Axes `ax` or on a new figure."""
        from . import figures  # noqa: PLC0415  (what draws is loaded when it is first used)

        return figures.draw(self.snapshot(), ax=ax)

    def plot_depth(
        self, queues: Named | Iterable[Named] | None = None, x: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Depth over time: one strip per queue, ready below and unacked on top.

        `x` is "time" (seconds) or "event" (serials); by default whichever shows more.
        """
        from . import figures  # noqa: PLC0415  (as above)

        if isinstance(queues, (str, kombu.Exchange, kombu.Queue)):
            queues = [queues]
        names = None if queues is None else [_name(queue) for queue in queues]
        return figures.plot_depth(self._engine.depths(), names, x, ax, now=self.snapshot())

    def graph(self, *, scale: float = 1) -> View:
        """The routing graph, live: messages move through it as they do in the broker.

        `scale` makes it larger, for a projector.  All views of a broker share one playhead.
        """
        return self._player.view(("graph", "ledger", "band"), scale=scale)

    def depths(self, *, scale: float = 1) -> View:
        """Depth over time, live: one strip per queue, and the playhead, which can be dragged back."""
        return self._player.view(("depth", "band"), scale=scale)

    def dashboard(self, show: Iterable[str] | None = None, *, scale: float = 1) -> Dashboard:
        """Everything about this broker in one place, and everything that can be done with it by hand.

        `show` names the regions to show (clock, graph, ledger, depth, inspector, forms), None all of them.
        """
        from . import widgets  # noqa: PLC0415  (as above)

        return widgets.Dashboard(self._player, show, scale=scale)

    @cached_property
    def _player(self) -> Player:
        """What all live views of this broker share."""
        from . import widgets  # noqa: PLC0415  (as above)

        return widgets.Player(self)

    def _repr_mimebundle_(self, **_wanted: object) -> dict[str, str]:
        """The routing graph as a picture, and what it shows in words: a notebook shows one of the two."""
        from . import figures  # noqa: PLC0415  (as above)

        snapshot = self.snapshot()
        words = figures.describe(snapshot)
        figure = figures.draw(snapshot).get_figure(root=True)
        assert figure is not None  # it was made with the axes
        return {"text/html": figures.to_html(figure, words), "text/plain": words}

    def __str__(self) -> str:
        from . import figures  # noqa: PLC0415  (as above)

        return figures.describe(self.snapshot())

    def __repr__(self) -> str:
        return f"<Broker {self.url} at {self.now:g} s: {self.ledger}>"


def _endless(limit: int) -> RuntimeError:
    return RuntimeError(
        f"{limit} deliveries and no end: is a message requeued for ever?  Requeueing is no retry plan."
    )


def _bound(entity: Entity, channel: Channel) -> Entity:
    """The entity on this channel."""
    bound: Entity = entity(channel)  # type: ignore[arg-type, assignment]  # kombu's names are too narrow
    return bound


def _name(entity: Named) -> str:
    if isinstance(entity, str):
        return entity
    if isinstance(entity, (kombu.Exchange, kombu.Queue)):
        return str(entity.name)
    raise TypeError(f"a queue or exchange is given by its name, or as kombu's object, not as {entity!r}")


def _seconds(option: str, value: float | None) -> float | None:
    """A time that can be converted to milliseconds; the broker judges its size."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is None or (is_number and math.isfinite(value)):
        return value
    msg = f"{option} is a number of seconds, not {value!r}"
    raise TypeError(msg)


def _ignore(*args: object) -> None:
    """Nothing is to be done."""
