"""Which exchanges, queues and bindings there are, and where a message goes.

Pure: no clock, no lock, no log.  `moves` and `copies` ask it, change it, and record what changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import AccessRefused, no_exchange, no_queue
from .events import Arrival, Place
from .model import PREDECLARED, Binding, ExchangeOptions
from .routing import TYPES, Exchange, HeadersExchange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .queues import Queue

#: How many results of routing are kept until the topology changes.
MOST_ROUTES = 10_000


class Target(NamedTuple):
    """A queue that gets a copy, and how a plain copy arrives there: the bindings that led to it."""

    queue: Queue
    arrival: Arrival

    @classmethod
    def of(cls, queue: Queue, bindings: Iterable[Binding]) -> Target:
        """The target that these bindings lead to."""
        return cls(queue, Arrival(tuple(bindings)))


class Route(NamedTuple):
    """Where a message goes from an exchange: the queues that get one copy each, in a stable order."""

    exchange: Place
    targets: tuple[Target, ...] = ()
    queues: tuple[str, ...] = ()


class Topology:
    """All exchanges and queues by name, in the order in which they were declared."""

    def __init__(self) -> None:
        self.exchanges: dict[str, Exchange] = {}
        for name, options in PREDECLARED.items():
            self.exchanges[name] = TYPES[options.type](name, options)
        self.queues: dict[str, Queue] = {}
        self._incoming: dict[tuple[str, bool], dict[Binding, None]] = {}
        self._routes: dict[tuple[str, tuple[str, ...]], Route] = {}

    # ------------------------------------------------------------ looking up

    def exchange(self, name: str) -> Exchange:
        """The exchange of that name, or 404."""
        try:
            return self.exchanges[name]
        except KeyError:
            raise no_exchange(name, self.exchanges) from None

    def queue(self, name: str) -> Queue:
        """The queue of that name, or 404."""
        try:
            return self.queues[name]
        except KeyError:
            raise no_queue(name, self.queues) from None

    def bindings(self) -> Iterator[Binding]:
        """Every binding, by its exchange."""
        for exchange in self.exchanges.values():
            yield from exchange.bindings

    def bindings_to(self, destination: str, *, to_exchange: bool = False) -> list[Binding]:
        """Every binding that ends at this queue, or exchange."""
        return list(self._incoming.get((destination, to_exchange), ()))

    # ------------------------------------------------------------ changing

    def add_exchange(self, name: str, options: ExchangeOptions) -> None:
        """A new exchange."""
        self.exchanges[name] = TYPES[options.type](name, options)
        self._routes.clear()

    def remove_exchange(self, name: str) -> None:
        """The exchange is gone; its bindings were removed before."""
        del self.exchanges[name]
        self._routes.clear()

    def add_queue(self, queue: Queue) -> None:
        """A new queue."""
        self.queues[queue.name] = queue
        self._routes.clear()

    def remove_queue(self, name: str) -> None:
        """The queue is gone; its bindings were removed before."""
        del self.queues[name]
        self._routes.clear()

    def add_binding(self, binding: Binding) -> None:
        """A new binding."""
        self._incoming.setdefault((binding.destination, binding.to_exchange), {})[binding] = None
        self.exchanges[binding.source].add(binding)
        self._routes.clear()

    def remove_binding(self, binding: Binding) -> None:
        """The binding is gone."""
        self.exchanges[binding.source].remove(binding)
        incoming = self._incoming[binding.destination, binding.to_exchange]
        del incoming[binding]
        if not incoming:
            del self._incoming[binding.destination, binding.to_exchange]
        self._routes.clear()

    def rebuild(self, bindings: Iterable[Binding]) -> None:
        """Make everything that follows from the exchanges and queues anew, with these bindings."""
        self._incoming = {}
        self._routes = {}
        for name, exchange in self.exchanges.items():
            self.exchanges[name] = TYPES[exchange.options.type](name, exchange.options)
        for binding in bindings:
            self.add_binding(binding)

    # ------------------------------------------------------------ routing

    def route(self, exchange: str, keys: tuple[str, ...], headers: Mapping[str, Any]) -> Route:
        """Where a message with these routing keys goes; 404 if there is no such exchange."""
        route = self._routes.get((exchange, keys))
        if route is None:
            targets = tuple(self._targets(exchange, keys, headers))
            names = tuple(target.queue.name for target in targets)
            route = Route(Place("exchange", exchange), targets, names)
            if not self._looks_at_headers:
                self._remember(exchange, keys, route)
        return route

    @property
    def _looks_at_headers(self) -> bool:
        """Whether an exchange may route the same key to different queues."""
        return any(isinstance(x, HeadersExchange) and x.bindings for x in self.exchanges.values())

    def _remember(self, exchange: str, keys: tuple[str, ...], route: Route) -> None:
        if len(self._routes) >= MOST_ROUTES:
            self._routes.clear()
        self._routes[exchange, keys] = route

    def _targets(self, exchange: str, keys: tuple[str, ...], headers: Mapping[str, Any]) -> Iterator[Target]:
        if exchange:
            yield from self._walk(self.exchange(exchange), keys, headers)
            return
        for key in dict.fromkeys(keys):
            if key in self.queues:
                yield Target.of(self.queues[key], [Binding("", key, key)])

    def _walk(self, start: Exchange, keys: tuple[str, ...], headers: Mapping[str, Any]) -> Iterator[Target]:
        """The queues behind an exchange and those it sends on to.

        Each exchange is visited once, so cycles end; each queue gets one copy, however many bindings lead
        to it (TOP-8, E2E-1; rabbit_exchange:route1).  An exchange where nothing at all matches sends to its
        alternate exchange (AE-1); a binding that leads nowhere does count as a match (AE-2).
        """
        led: dict[str, list[Binding]] = {}
        paths: dict[str, list[Binding]] = {start.name: []}
        waiting = [start]
        for exchange in waiting:
            way = paths[exchange.name]
            matching = exchange.match(keys, headers)
            for binding in matching:
                if not binding.to_exchange:
                    led.setdefault(binding.destination, []).extend([*way, binding])
                elif binding.destination not in paths:
                    paths[binding.destination] = [*way, binding]
                    waiting.append(self.exchanges[binding.destination])
            alternate = exchange.options.alternate_exchange
            if not matching and alternate in self.exchanges and alternate not in paths:
                paths[alternate] = way
                waiting.append(self.exchanges[alternate])
        for name, bindings in led.items():
            yield Target.of(self.queues[name], dict.fromkeys(bindings))


def refuse_default(exchange: str) -> None:
    """Refuse to touch the default exchange (EX-3)."""
    if exchange == "":
        raise AccessRefused(
            "operation not permitted on the default exchange",
            "Every queue is bound to it by its own name, and nothing else can be.",
        )
