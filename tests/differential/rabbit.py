"""The real broker as a target: how long to wait for it, and how to leave it clean."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import kombu
from amqp.exceptions import AMQPError

from .client import Client, Hint, Names
from .steps import EXCHANGES

if TYPE_CHECKING:
    from .steps import Step

DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672//"

#: What RabbitMQ does not answer, so that an error comes up later.
_ASYNCHRONOUS = ("basic_publish", "basic_ack", "basic_reject", "basic_nack", "basic_recover")

_runs = count(1)


class Rabbit(Client):
    """RabbitMQ at a URL.  One object runs many programs, one after the other, on the same connections."""

    is_real = True

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.patience = 0.3
        self._janitor = self.connection()
        self._broom = self._janitor.channel()
        self._made: dict[str, int | None] = {}  # with the connection of what is exclusive
        self._unswept: list[tuple[bool, str]] = []  # whether it is an exchange, and its name
        self._mark = f"{os.getpid():x}{time.time_ns() // 1_000_000 % 2**28:x}"
        version = self._janitor.connection.server_properties["version"]
        self.version = tuple(int(part) for part in version.split(".")[:2])
        self.connect(0)
        self.connect(1)

    def connection(self) -> kombu.Connection:
        connection = kombu.Connection(self.url)
        connection.connect()
        return connection

    def begin(self) -> None:
        """Take up a new program; all channels are as new."""
        self.names = Names(f"{self._mark}-{next(_runs)}-")

    def end(self, *, clean: bool) -> None:
        """Delete what the program has made.  If it did not come to its own end, connect anew."""
        if not clean:
            for number in (0, 1):
                self.connections[number].close()
                self.connect(number)
        self.heard()
        for name, owner in self._made.items():
            if owner is not None:
                with suppress(AMQPError):
                    self.lookouts[owner].queue_delete(self.names.out(name))
        self._sweep([(name in EXCHANGES, self.names.out(name)) for name in self._made])
        self._made.clear()

    def close(self) -> None:
        super().close()
        self._sweep([])
        self._broom.basic_cancel("-")
        self._janitor.close()

    def _sweep(self, made: list[tuple[bool, str]]) -> None:
        """Delete without waiting for it, while the next program goes on.

        If a queue was not ours to delete, the channel was closed; then do it all again.
        """
        try:
            self._broom.basic_cancel("-")
            self._unswept = made
        except AMQPError:
            self._unswept += made
        for is_exchange, name in self._unswept:
            if is_exchange:
                self._broom.exchange_delete(name, nowait=True)
            else:
                self._broom.queue_delete(name, nowait=True)

    # ------------------------------------------------------------ doing and waiting

    def do(self, step: Step) -> tuple[Any, tuple[Any, ...] | None]:
        if step.verb == "queue_declare" and not step.args.get("passive"):
            name = step.args.get("token") or step.args["queue"]
            if name:
                self._made[name] = step.seat[0] if step.args.get("exclusive") else self._made.get(name)
        elif step.verb == "exchange_declare" and step.args["exchange"] in EXCHANGES:
            self._made[step.args["exchange"]] = None
        return super().do(step)

    def _surface(self, step: Step) -> None:
        if step.verb in _ASYNCHRONOUS:
            self.channels[step.seat].basic_cancel("-")

    def _advance(self, step: Step) -> None:
        time.sleep(step.args["seconds"])

    def settle(self, hint: Hint) -> dict[str, Any]:
        ends = time.monotonic() + self.patience
        for (kind, seat), expected in hint.arrivals.items():
            with suppress(OSError):
                while self.arrived[kind, seat] < expected:
                    self._take(seat[0], max(0.0, ends - time.monotonic()))
        return {name: self._look(name, hint, ends) for name in hint.queues}

    def _look(self, queue: str, hint: Hint, ends: float) -> Any:
        """The queue's counts, as soon as they are the expected ones or patience has ended."""
        nap = 0.0005
        while True:
            counts = self.look(queue, hint.owners.get(queue, 0))
            if counts == hint.queues[queue] or time.monotonic() > ends:
                return counts
            time.sleep(nap)
            nap *= 2
