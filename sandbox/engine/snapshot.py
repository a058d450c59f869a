"""A picture of the whole broker at one moment: topology, counts, and the copies nearest each head.

Immutable, compared by value, and all that a drawing may see.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  (dataclass fields)
from dataclasses import dataclass, field
from typing import NamedTuple

from .ledger import Ledger
from .model import Binding, ExchangeOptions, Message, QueueOptions  # noqa: TC001  (dataclass fields)

#: How many copies of a queue, from its head, a snapshot shows one by one.
SEATS = 12


class Seat(NamedTuple):
    """One copy in its queue, and the place that an unacked copy would return to.

    `position` orders the seats of a queue, head first.  `message` is the number that all copies of a
    message share.  `redelivered` counts how often the copy came back, `deaths` the entries
    of a dead letter's passport.  `entered` and `expires` are broker
    times in seconds (`expires` None: never).  An unacked copy names its `channel`, its `consumer` ("" if
    it was fetched by a get) and its delivery `tag`; it is `handed` once the client has it, before which
    it is on its way.  `header` is what the copy carries, with the beginning of its body; None if the events
    that told of it are forgotten.
    """

    position: int
    copy: int
    message: int
    entered: float
    expires: float | None = None
    redelivered: int = 0
    priority: int = 0
    deaths: int = 0
    unacked: bool = False
    channel: int = 0
    consumer: str = ""
    tag: int = 0
    handed: bool = False
    header: Message | None = None


@dataclass(frozen=True)
class QueueView:
    """A queue: exact counts, and the seats of its first `SEATS` copies, head first."""

    name: str
    options: QueueOptions
    ready: int = 0
    unacked: int = 0
    seats: tuple[Seat, ...] = ()


@dataclass(frozen=True)
class ExchangeView:
    """An exchange, with how many messages it got, and how many of them found no queue."""

    name: str
    options: ExchangeOptions
    published: int = 0
    lost: int = 0
    returned: int = 0
    last_lost: int = 0


@dataclass(frozen=True)
class ConsumerView:
    """A consumer, with how many copies it holds and the first `SEATS` of them.

    `prefetch` 0 is no limit; `active` is False while it stands by for a single active one.  The queue of
    each held seat is the consumer's.
    """

    tag: str
    queue: str
    channel: int
    prefetch: int = 0
    no_ack: bool = False
    priority: int = 0
    exclusive: bool = False
    unacked: int = 0
    held: tuple[Seat, ...] = ()
    received: int = 0
    active: bool = True

    @property
    def is_full(self) -> bool:
        """Whether it gets nothing more before it acknowledges something."""
        return 0 < self.prefetch <= self.unacked and not self.no_ack


@dataclass(frozen=True)
class ChannelView:
    """A channel, with the copies fetched on it by `get` and not yet acknowledged, as (queue, seat)."""

    id: int
    connection: int
    prefetch: int = 0
    fetched: tuple[tuple[str, Seat], ...] = ()


@dataclass(frozen=True)
class PublisherView:
    """Whoever has published: the notebook (`you`) or another connection."""

    name: str
    published: int = 0
    returned: int = 0
    confirmed: int = 0
    nacked: int = 0
    exchanges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """The broker after the event `serial`, at `time` seconds.

    Each mapping keeps the order of declaring.  `bindings` counts how often each was taken; the implicit
    binding of the default exchange to a queue stands there once it was used.
    """

    serial: int
    time: float
    exchanges: Mapping[str, ExchangeView]
    queues: Mapping[str, QueueView]
    bindings: Mapping[Binding, int]
    consumers: Mapping[tuple[int, str], ConsumerView]
    channels: Mapping[int, ChannelView]
    connections: Mapping[int, str]
    publishers: Mapping[str, PublisherView]
    ledger: Ledger = field(default_factory=Ledger)
