"""A broker that is used at random: whatever can happen to a copy happens here, and the same at every run."""

from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import Any

from sandbox.engine.errors import BrokerError
from sandbox.engine.model import ExchangeOptions
from sandbox.engine.sessions import Channel, Connection
from tests.engine.bench import Bench

QUEUES = ("q", "r", "s", "t", "u")
EXCHANGES = {"d": "direct", "f": "fanout", "o": "topic", "h": "headers"}
KEYS = ("", "q", "a.b", "a.c", "#")
#: In a binding these are four different things.
ONES: tuple[Any, ...] = (1, True, 1.0, "1")

#: How often each verb comes, compared to the others.
WEIGHTS = {
    "connect": 2,
    "open_channel": 3,
    "close_channel": 1,
    "disconnect": 1,
    "declare_queue": 8,
    "declare_exchange": 4,
    "bind": 8,
    "bind_exchange": 2,
    "unbind": 2,
    "delete_queue": 1,
    "delete_exchange": 1,
    "publish": 40,
    "fill": 4,
    "get": 8,
    "consume": 6,
    "cancel": 2,
    "take": 12,
    "ack": 12,
    "nack": 12,
    "recover": 1,
    "purge": 1,
    "confirm": 2,
    "transact": 1,
    "commit": 3,
    "advance": 6,
}


class Wild:
    """An engine and its clients; `number` makes the run."""

    def __init__(self, number: int) -> None:
        self.draw = Random(number)  # noqa: S311  (nothing to hide)
        self.bench = Bench()
        self.engine = self.bench.engine
        self.history = self.engine.history
        self.channels: list[Channel] = [self.bench.channel, self.bench.client("other")]
        self.verbs, self.weights = list(WEIGHTS), list(WEIGHTS.values())

    def run(self, steps: int) -> "Wild":
        """So many verbs; once in a while the broker restarts."""
        for step in range(1, steps + 1):
            verb = "restart" if step % 397 == 0 else self.draw.choices(self.verbs, self.weights)[0]
            with suppress(BrokerError):  # what is refused leaves events too
                getattr(self, verb)()
        return self

    # ------------------------------------------------------------ whom and what

    @property
    def channel(self) -> Channel:
        """Some channel, mostly an open one."""
        alive = [channel for channel in self.channels if channel.is_open]
        if not alive:
            alive = [self.bench.client()]
            self.channels.append(alive[0])
        self.channels = self.channels[-12:]
        return self.draw.choice(alive if self.chance(98) else self.channels)

    @property
    def connections(self) -> list[Connection]:
        return list({id(c.connection): c.connection for c in self.channels if c.connection.is_open}.values())

    @property
    def queue(self) -> str:
        """Some queue, mostly one that is there."""
        return self._name(QUEUES, self.engine._moves.topology.queues)

    @property
    def exchange(self) -> str:
        return self._name(EXCHANGES, self.engine._moves.topology.exchanges)

    def _name(self, names: Iterable[str], there: Iterable[str]) -> str:
        known = [name for name in names if name in there]
        return self.draw.choice(known if known and self.chance(99) else list(names))

    def chance(self, percent: int) -> bool:
        return self.draw.randrange(100) < percent

    def some(self, **values: Any) -> dict[str, Any]:
        """Each of these arguments now and then, under AMQP's name."""
        return {f"x-{name.replace('_', '-')}": value for name, value in values.items() if self.chance(25)}

    # ------------------------------------------------------------ clients

    def connect(self) -> None:
        if len(self.connections) < 4:
            self.channels.append(self.bench.client())

    def open_channel(self) -> None:
        for connection in self.connections[:1]:
            self.channels.append(self.engine.open_channel(connection))

    def close_channel(self) -> None:
        self.engine.close_channel(self.channel)

    def disconnect(self) -> None:
        self.engine.disconnect(self.channel.connection)

    def restart(self) -> None:
        self.engine.restart()

    # ------------------------------------------------------------ topology

    def declare_queue(self) -> None:
        arguments = self.some(
            message_ttl=self.draw.choice((0, 1000, 3000)),
            max_length=self.draw.choice((0, 3, 8)),
            max_priority=3,
            single_active_consumer=True,
        )
        if "x-max-length" in arguments:
            arguments["x-overflow"] = self.draw.choice(("drop-head", "reject-publish", "reject-publish-dlx"))
        if self.chance(5):
            arguments["x-expires"] = 5000
        if self.chance(60):
            arguments["x-dead-letter-exchange"] = self.draw.choice(("", "d", "f", "nowhere"))
            arguments |= self.some(dead_letter_routing_key=self.queue)
        options = {"durable": self.chance(50), "auto_delete": self.chance(10), "exclusive": self.chance(10)}
        name = self.draw.choice(QUEUES)
        if name not in self.engine._moves.topology.queues or self.chance(2):
            self.engine.queue_declare(self.channel, name, arguments=arguments, **options)

    def declare_exchange(self) -> None:
        name = self.draw.choice(list(EXCHANGES))
        if name in self.engine._moves.topology.exchanges:
            return
        arguments = {"alternate-exchange": self.exchange} if self.chance(30) else {}
        options = ExchangeOptions(
            EXCHANGES[name], durable=self.chance(50), auto_delete=self.chance(10), arguments=arguments
        )
        self.engine.exchange_declare(self.channel, name, options)

    def bind(self) -> None:
        arguments = {"a": self.draw.choice(ONES)} if self.chance(60) else {}
        self.engine.queue_bind(self.channel, self.queue, self.exchange, self.draw.choice(KEYS), arguments)

    def bind_exchange(self) -> None:
        self.engine.exchange_bind(self.channel, self.exchange, self.exchange, self.draw.choice(KEYS), {})

    def unbind(self) -> None:
        bindings = [each for each in self.engine.snapshot().bindings if each.source]
        if bindings:
            old = self.draw.choice(bindings)
            verb = self.engine.exchange_unbind if old.to_exchange else self.engine.queue_unbind
            verb(self.channel, old.destination, old.source, old.routing_key, dict(old.arguments))

    def delete_queue(self) -> None:
        self.engine.queue_delete(self.channel, self.queue)

    def delete_exchange(self) -> None:
        self.engine.exchange_delete(self.channel, self.exchange)

    # ------------------------------------------------------------ messages in

    def publish(self) -> None:
        exchange = "" if self.chance(50) else self.exchange
        key = self.queue if not exchange else self.draw.choice(KEYS)
        headers: dict[str, Any] = {"a": self.draw.choice(ONES)} if self.chance(50) else {}
        if self.chance(5):
            headers["CC"] = [self.queue, self.queue]
        properties: dict[str, Any] = {"priority": self.draw.randrange(5)}
        if self.chance(20):
            properties["expiration"] = self.draw.choice(("0", "500", "2000"))
        if self.chance(40):
            properties["delivery_mode"] = 2
        size = self.draw.choice((1, 10, 300))
        self.engine.basic_publish(
            self.channel, exchange, key, bytes(size), headers, properties, mandatory=self.chance(30)
        )

    def fill(self) -> None:
        channel, queue = self.channel, self.queue
        for _ in range(self.draw.randrange(30)):
            self.engine.basic_publish(channel, "", queue, b"", {}, {"priority": self.draw.randrange(4)})

    def confirm(self) -> None:
        self.engine.confirm_select(self.channel)

    def transact(self) -> None:
        self.engine.tx_select(self.channel)

    def commit(self) -> None:
        waiting = [channel for channel in self.channels if channel.is_open and channel.transaction]
        if waiting:
            verb = self.engine.tx_commit if self.chance(70) else self.engine.tx_rollback
            verb(self.draw.choice(waiting))

    # ------------------------------------------------------------ messages out

    def get(self) -> None:
        self.engine.basic_get(self.channel, self.queue, no_ack=self.chance(20))

    def consume(self) -> None:
        channel = self.channel
        self.engine.basic_qos(channel, 0, self.draw.choice((0, 1, 3, 20)))
        tag = next(tag for tag in "abcdefghijklmnopqrstuvwxyz" if tag not in channel.consumers)
        arguments = {"x-priority": self.draw.randrange(2)}
        options = {"no_ack": self.chance(4), "exclusive": self.chance(5)}
        self.engine.basic_consume(channel, self.queue, tag, arguments=arguments, **options)

    def cancel(self) -> None:
        channel = self.channel
        if channel.consumers:
            self.engine.basic_cancel(channel, self.draw.choice(list(channel.consumers)))

    def take(self) -> None:
        for connection in self.connections:
            for _ in range(self.draw.randrange(4)):
                self.engine.next_item(connection, 0)

    def purge(self) -> None:
        self.engine.queue_purge(self.channel, self.queue)

    def ack(self) -> None:
        for channel, tag in self._held():
            self.engine.basic_ack(channel, tag, multiple=self.chance(15))

    def nack(self) -> None:
        for channel, tag in self._held():
            self.engine.basic_nack(channel, tag, multiple=self.chance(15), requeue=self.chance(50))

    def _held(self) -> list[tuple[Channel, int]]:
        """Something that can be answered for, if there is anything."""
        held = [(channel, tag) for channel in self.channels if channel.is_open for tag in channel.unacked]
        return [self.draw.choice(held)] if held else []

    def recover(self) -> None:
        self.engine.basic_recover(self.channel, requeue=True)

    # ------------------------------------------------------------ time

    def advance(self) -> None:
        self.engine.advance(self.draw.choice((0.0, 0.3, 1.0, 2.5)))
