"""The client's side of the broker: connections, channels, consumers, and what they hold.

Plain records with little behaviour; the verbs that change them are in `publishing` and `receiving`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple

from .errors import PreconditionFailed
from .events import Place

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from .model import Message
    from .queues import Copy, Queue
    from .topology import Route


class Delivery:
    """One copy on its way to, or in the hands of, a client.

    `consumer` is None for a get.  `tag` is the delivery tag, counted per channel from 1 (R-1).  `handed`
    says that the client has it; before that it stands in the connection's outbox.
    """

    __slots__ = ("channel", "consumer", "copy", "handed", "redelivered", "settling", "tag")

    def __init__(
        self, tag: int, copy: Copy, channel: Channel, consumer: Consumer | None, *, handed: bool
    ) -> None:
        self.tag = tag
        self.copy = copy
        self.channel = channel
        self.consumer = consumer
        self.handed = handed
        self.settling = False  # an acknowledgement of it waits for its transaction
        self.redelivered = copy.redelivered > 0

    @property
    def is_held(self) -> bool:
        """Whether the channel still waits for its acknowledgement."""
        return self.channel.unacked.get(self.tag) is self

    @property
    def place(self) -> Place:
        """Where the copy is while it is not acknowledged."""
        consumer = self.consumer
        return self.channel.hand("unacked", self.copy.queue.name) if consumer is None else consumer.place

    def door(self, kind: str) -> Place:
        """The way out (done, dropped) that the copy takes from here."""
        consumer = self.consumer
        if kind == "done" and consumer is not None:
            return consumer.done
        return self.channel.hand(kind, self.copy.queue.name)

    @property
    def message(self) -> Message:
        """What was published."""
        return self.copy.message


class Cancelled(NamedTuple):
    """The broker's notice that a consumer is gone because its queue is (Q-10)."""

    channel: Channel
    tag: str


class Consumer:
    """A subscription to one queue.

    `held` counts its unacknowledged copies; `prefetch` (0: no limit) bounds them.  Of several consumers
    of a queue that can take a message, one with the highest `priority` gets it (Q-6).

    RabbitMQ counts by the tag: what a cancelled consumer of the same tag and queue still held, when it is
    acknowledged, adds to what this one may hold (Q-1; rabbit_limiter:ack_from_queue).  That is its `bonus`.
    """

    __slots__ = (
        "bonus",
        "channel",
        "done",
        "exclusive",
        "held",
        "no_ack",
        "place",
        "prefetch",
        "priority",
        "queue",
        "tag",
    )

    def __init__(
        self,
        tag: str,
        queue: Queue,
        channel: Channel,
        *,
        no_ack: bool,
        exclusive: bool,
        priority: int,
    ) -> None:
        self.tag = tag
        self.queue = queue
        self.channel = channel
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.priority = priority
        self.prefetch = channel.prefetch
        self.held = 0
        self.bonus = 0
        self.place = Place("unacked", queue.name, channel.id, tag)
        self.done = Place("done", queue.name, channel.id, tag)

    @property
    def has_credit(self) -> bool:
        """Whether it may be sent another message; prefetch does not count what needs no ack (Q-2)."""
        return self.no_ack or self.prefetch == 0 or self.held < self.prefetch + self.bonus


class Settlement(NamedTuple):
    """What is to become of deliveries: `move` does it (ack, requeue or reject), `word` is for the history."""

    move: Callable[[Iterable[Delivery], str], None]
    word: str
    deliveries: list[Delivery]

    def carry_out(self) -> None:
        """Do it.

        A channel tells the queues of it in portions: each message that was fetched by itself, then each
        consumer's, by their tags.  A queue is done with one portion, and has delivered again what it can,
        before it hears of the next (R-2; rabbit_channel:foreach_per_queue).
        """
        if len(self.deliveries) == 1:  # as it nearly always is
            self.move(self.deliveries, self.word)
            return
        portions: defaultdict[tuple[str, str, int], list[Delivery]] = defaultdict(list)
        for delivery in sorted(self.deliveries, key=_by_tag):
            name, consumer = delivery.copy.queue.name, delivery.consumer
            key = (name, "", delivery.tag) if consumer is None else (name, consumer.tag, 0)
            portions[key].append(delivery)
        for key in sorted(portions):
            self.move(portions[key], self.word)


def _by_tag(delivery: Delivery) -> int:
    return delivery.tag


class Transaction:
    """What a transactional channel will do at its commit: messages first, then acknowledgements."""

    def __init__(self) -> None:
        self.messages: list[tuple[Message, Route, bool]] = []  # with its way, and whether it is mandatory
        self.settlements: list[Settlement] = []

    def note(self, new: Settlement) -> None:
        """Note what is to become of deliveries; what is the same as before is done in one with it."""
        last = self.settlements[-1] if self.settlements else None
        if last is not None and (last.move, last.word) == (new.move, new.word):
            last.deliveries.extend(new.deliveries)
        else:
            self.settlements.append(new)


class Channel:
    """A conversation on a connection: its delivery tags, its consumers, its prefetch for new consumers."""

    def __init__(self, number: int, connection: Connection) -> None:
        self.id = number
        self.connection = connection
        self.place = Place("channel", "", number)
        self._hands: dict[tuple[str, str], Place] = {}
        self.is_open = True
        self.reset()

    def reset(self) -> None:
        """Forget everything, as when a channel has just been opened."""
        self.unacked: dict[int, Delivery] = {}
        self.consumers: dict[str, Consumer] = {}
        self.last_tag = 0
        self.prefetch = 0
        self.last_queue = ""
        self.confirms: int | None = None  # messages published since confirm.select
        self.transaction: Transaction | None = None
        self.reply_queue = ""  # of direct reply-to, while it has a consumer

    def hand(self, kind: str, queue: str) -> Place:
        """A place (unacked, done, dropped) for a copy of this queue on this channel, without a consumer."""
        key = kind, queue
        if key not in self._hands:
            self._hands[key] = Place(kind, queue, self.id)
        return self._hands[key]

    def outstanding(self, tag: int, *, multiple: bool) -> list[Delivery]:
        """The deliveries that an acknowledgement of `tag` means, in the order of their tags (R-6, R-7)."""
        if tag or not multiple:
            delivery = self.unacked.get(tag)
            if delivery is None or delivery.settling:
                raise PreconditionFailed(f"unknown delivery tag {tag}", _UNKNOWN_TAG)
            if not multiple:
                return [delivery]
        return [
            delivery
            for number, delivery in self.unacked.items()
            if (tag == 0 or number <= tag) and not delivery.settling
        ]


_UNKNOWN_TAG = (
    "It was acknowledged before, or delivered on another channel, or without need of an ack, "
    "or the channel was closed since, which sent its messages back to their queues."
)


class Connection:
    """A client.  What the broker sends it stands in the outbox, in order, until it drains its events."""

    def __init__(self, number: int, name: str, user: str, condition: threading.Condition) -> None:
        self.id = number
        self.name = name
        self.user = user
        self.place = Place("publisher", name)
        self.channels: dict[int, Channel] = {}
        self.outbox: deque[Delivery | Cancelled] = deque()
        self.arrived = condition
        self.waiting = 0
        self.is_open = True

    def send(self, item: Delivery | Cancelled) -> None:
        """Put something into the outbox and wake whoever waits for it."""
        self.outbox.append(item)
        if self.waiting:
            self.arrived.notify()
