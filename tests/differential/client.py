"""A client of a broker, ours or the real one: it does a step and says what can be seen of it.

Both are reached through kombu and differ in two things only.  Where the sandbox answers at once, RabbitMQ is
asked for something harmless on the same channel (to cancel a consumer that there is not), so that an error of
`basic_publish` or `basic_ack` belongs to the step that made it.  And where the sandbox is done when a call
returns, RabbitMQ's queues go on by themselves; how long to wait for them is taken from the rehearsal (see
`Hint`): until there is what the sandbox has shown, or until patience ends.  So what is *expected* decides how
long is waited, never what is seen.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from amqp import spec
from amqp.exceptions import AMQPError

from .steps import NAMES, SEATS, Seat, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    import kombu

#: What a queue that is not there counts.
GONE = "gone"


#: Names that the broker makes and the program does not know.
_MADE_UP = re.compile(r"(amq\.(?:gen|ctag)-)[\w-]+")


class Heard(NamedTuple):
    """What reached the client by itself, by channel; in order but for the notices of cancelled consumers."""

    deliveries: dict[Seat, list[Any]]
    cancelled: dict[Seat, list[str]]
    returned: dict[Seat, list[Any]]
    confirmed: dict[Seat, dict[int, str]]
    raised: dict[Seat, list[str]]  # by `drain_events`, of the connection of channel 0


class Seen(NamedTuple):
    """All that can be seen of one step."""

    reply: Any
    error: tuple[Any, ...] | None
    heard: Heard | None  # None: this client does not look at every step
    queues: dict[str, Any]  # of those it touched: ready messages and consumers


class Hint(NamedTuple):
    """How much to wait for after a step, and which queues to look at."""

    arrivals: Mapping[tuple[str, Seat], int] = {}  # sent, cancelled, confirmed: how many on which channel
    queues: Mapping[str, Any] = {}
    owners: Mapping[str, int] = {}  # the connections of exclusive queues


class Names:
    """A program's names, and what stands for them on a broker."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._real = {name: prefix + name for name in NAMES} if prefix else {}
        self._generated: dict[str, str] = {}

    def generate(self, token: str, name: str) -> None:
        """The broker has given a queue, or a consumer, this name."""
        self._real[token] = name
        self._generated[name] = token

    def __contains__(self, token: str) -> bool:
        """Whether the broker has given a name for this token."""
        return token in self._real

    def out(self, value: Any) -> Any:
        """A value of the program as the broker is to get it."""
        match value:
            case str():
                return self._real.get(value, value)
            case dict():
                return {self._real.get(key, key): self.out(item) for key, item in value.items()}
            case list():
                return [self.out(item) for item in value]
        return value

    def back(self, value: Any) -> Any:
        """A value from the broker, comparable: without prefixes, made-up names and times of day."""
        match value:
            case str():
                if self.prefix:
                    value = value.replace(self.prefix, "")
                for name, token in self._generated.items():
                    value = value.replace(name, token)
                return _MADE_UP.sub(r"\1…", value)
            case dict():
                return {self.back(key): self.back(item) for key, item in value.items()}
            case list() | tuple():
                return [self.back(item) for item in value]
            case datetime():
                return "time"
        return value


class Client:
    """Two connections with two channels each, and one more on each connection that only looks."""

    is_real = False

    def __init__(self) -> None:
        self.names = Names("")
        self.connections: list[Any] = [None, None]
        self.lookouts: list[Any] = [None, None]
        self.channels: dict[Seat, Any] = {}
        self.arrived: Counter[tuple[str, Seat]] = Counter()  # by kind and channel, in this step
        self._heard = _nothing()
        self._answered: defaultdict[Seat, set[int]] = defaultdict(set)  # numbers of confirmed messages

    def connection(self) -> kombu.Connection:
        raise NotImplementedError

    def connect(self, number: int) -> None:
        """A new connection, with its channels."""
        self.connections[number] = connection = self.connection()
        self.lookouts[number] = connection.channel()
        for seat in SEATS:
            if seat[0] == number:
                self.open(seat)

    def open(self, seat: Seat) -> None:
        """A new channel."""
        self._forget(seat)
        self.channels[seat] = channel = self.connections[seat[0]].channel()
        channel.events["basic_return"].add(lambda *args: self._on_return(seat, *args))
        channel.events["basic_ack"].add(lambda *args: self._on_confirm(seat, "ack", *args))
        channel.events["basic_nack"].add(lambda *args: self._on_confirm(seat, "nack", *args))

    def close(self) -> None:
        for connection in self.connections:
            if connection is not None:
                connection.close()

    # ------------------------------------------------------------ doing

    def do(self, step: Step) -> tuple[Any, tuple[Any, ...] | None]:
        """Do a step: the reply, or the error."""
        self.arrived.clear()
        try:
            reply = getattr(self, "_" + step.verb, self._call)(step)
            self._surface(step)
        except AMQPError as error:
            self._recover(step.seat)
            shown = (type(error).__name__, error.code, self.names.back(error.reply_text), error.method_sig)
            return None, shown
        return self.names.back(reply), None

    def _surface(self, step: Step) -> None:
        """Let an error that is under way come up."""

    def _recover(self, seat: Seat) -> None:
        """After an error: the channel is open anew; its connection, if it is closed, is made again."""
        connection = self.connections[seat[0]]
        if self.channels[seat].connection is None or not connection.connected:
            connection.close()
            self.connect(seat[0])
        self._forget(seat)

    def _forget(self, seat: Seat) -> None:
        """What was under way to a channel that is closed does not arrive."""
        heard = self._heard
        for kind in (heard.deliveries, heard.cancelled, heard.returned, heard.confirmed):
            kind.pop(seat, None)
        self._answered.pop(seat, None)

    def _call(self, step: Step) -> Any:
        """Any method of a channel, by its own name."""
        method = getattr(self.channels[step.seat], step.verb)
        reply = method(**self.names.out(dict(step.args)))
        return reply if step.verb in ("queue_purge", "queue_delete") else None

    def _queue_declare(self, step: Step) -> Any:
        args = dict(step.args)
        token = args.pop("token", None)
        reply = self.channels[step.seat].queue_declare(**self.names.out(args))
        if token:
            self.names.generate(token, reply.queue)
        return reply

    def _exchange_declare(self, step: Step) -> None:
        """py-amqp cannot declare an internal exchange."""
        channel, args = self.channels[step.seat], self.names.out(dict(step.args))
        if self.is_real and args.pop("internal", False):
            channel.send_method(
                spec.Exchange.Declare,
                "BssbbbbbF",
                (
                    *(0, args["exchange"], args["type"], False, args["durable"], args["auto_delete"]),
                    *(True, False, args.get("arguments")),
                ),
                wait=spec.Exchange.DeclareOk,
            )
        else:
            channel.exchange_declare(**args)

    def _basic_publish(self, step: Step) -> None:
        channel, args = self.channels[step.seat], self.names.out(dict(step.args))
        of_message = {name: args.pop(name) for name in ("priority", "headers", "properties") if name in args}
        channel.basic_publish(channel.prepare_message(args.pop("body"), **of_message), **args)

    def _basic_consume(self, step: Step) -> Any:
        args = self.names.out(dict(step.args))
        seat, channel = step.seat, self.channels[step.seat]
        token = args.pop("token", None)
        tag = channel.basic_consume(
            **args,
            callback=lambda message: self._on_delivery(seat, message),
            on_cancel=lambda tag: self._on_cancel(seat, tag),
        )
        if token:
            self.names.generate(token, tag)
        return tag

    def _basic_get(self, step: Step) -> Any:
        channel = self.channels[step.seat]
        message = channel.basic_get(**self.names.out(dict(step.args)))
        return None if message is None else self._shown(channel.message_to_python(message))

    def _basic_nack(self, step: Step) -> None:
        """py-amqp has no nack."""
        channel, args = self.channels[step.seat], step.args
        if self.is_real:
            values = (args["delivery_tag"], args["multiple"], args["requeue"])
            channel.send_method(spec.Basic.Nack, "Lbb", values)
        else:
            channel.basic_nack(**args)

    def _close_channel(self, step: Step) -> None:
        self.channels[step.seat].close()
        self.open(step.seat)

    def _close_connection(self, step: Step) -> None:
        self.connections[step.seat[0]].close()
        for seat in SEATS:
            if seat[0] == step.seat[0]:
                self._forget(seat)
        self.connect(step.seat[0])

    def _drain(self, _step: Step) -> None:
        """Look at what came, which is done after each step anyhow, or only after this one."""

    def _contents(self, step: Step) -> list[Any]:
        """All ready messages of a queue, taken out."""
        lookout = self.lookouts[step.seat[0]]
        queue = self.names.out(step.args["queue"])
        found = []
        while (message := lookout.basic_get(queue, no_ack=True)) is not None:
            shown = self._shown(lookout.message_to_python(message))
            del shown["tag"]
            found.append(shown)
        return found

    def _exists(self, step: Step) -> bool:
        """Whether there is an exchange."""
        try:
            self.lookouts[0].exchange_declare(self.names.out(step.args["exchange"]), "direct", passive=True)
        except AMQPError:
            return False
        return True

    # ------------------------------------------------------------ looking

    def settle(self, hint: Hint) -> dict[str, Any]:
        """Wait for what is to come, and look at the queues that were touched."""
        return {name: self.look(name, hint.owners.get(name, 0)) for name in hint.queues}

    def look(self, queue: str, owner: int) -> Any:
        """Ready messages and consumers of a queue."""
        try:
            reply = self.lookouts[owner].queue_declare(self.names.out(queue), passive=True)
        except AMQPError as error:
            return GONE if error.code == 404 else error.code
        return [reply.message_count, reply.consumer_count]

    def pump(self) -> None:
        """Receive all that has been sent."""
        for number in (0, 1):
            with suppress(OSError):
                while True:
                    self._take(number, 0)

    def _take(self, number: int, timeout: float) -> None:
        """Receive one thing on a connection; OSError if there is none in time."""
        try:
            self.connections[number].drain_events(timeout=timeout)
        except AMQPError as error:
            self._heard.raised[number, 0].append(self.names.back(repr(error)))

    def heard(self) -> Heard:
        """What came since this was asked last."""
        self.pump()
        heard, self._heard = self._heard, _nothing()
        for tags in heard.cancelled.values():
            tags.sort()
        for deliveries in heard.deliveries.values():
            deliveries.sort(key=itemgetter("tag"))
        return Heard(*(dict(kind) for kind in heard))

    def _on_delivery(self, seat: Seat, message: Any) -> None:
        self.arrived["sent", seat] += 1
        message = self.channels[seat].message_to_python(message)
        self._heard.deliveries[seat].append(self._shown(message))

    def _on_cancel(self, seat: Seat, tag: str) -> None:
        self.arrived["cancelled", seat] += 1
        self._heard.cancelled[seat].append(self.names.back(tag))

    def _on_return(self, seat: Seat, error: Any, exchange: str, routing_key: str, message: Any) -> None:
        headers = getattr(message, "headers", None) or message.properties.get("application_headers")
        shown = (error.code, error.reply_text, exchange, routing_key, message.body, headers or {})
        self._heard.returned[seat].append(self.names.back(shown))

    def _on_confirm(self, seat: Seat, kind: str, tag: int, multiple: bool) -> None:
        answered = self._answered[seat]
        for number in range(1 if multiple else tag, tag + 1):
            if number not in answered:
                answered.add(number)
                self.arrived["confirmed", seat] += 1
                self._heard.confirmed[seat][number] = kind

    def _shown(self, message: Any) -> dict[str, Any]:
        """A message with all that it brings."""
        properties = {
            name: value
            for name, value in message.properties.items()
            if name != "application_headers" and value is not None
        }
        info = dict(message.delivery_info)
        shown = {
            "body": message.body,
            "tag": info.pop("delivery_tag"),
            "headers": message.headers or {},
            "properties": properties,
            **info,
        }
        return {name: self.names.back(value) for name, value in shown.items()}


def _nothing() -> Heard:
    return Heard(
        defaultdict(list), defaultdict(list), defaultdict(list), defaultdict(dict), defaultdict(list)
    )
