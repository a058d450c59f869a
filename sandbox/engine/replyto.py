"""Direct reply-to: answers to a client without declaring a queue for them (DRT).

A consumer of `amq.rabbitmq.reply-to` gets a queue of its own, under a name that only the broker hands out:
in the `reply_to` of the requests that its channel publishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import NotFound, PreconditionFailed
from .model import QueueOptions
from .queues import Queue

if TYPE_CHECKING:
    from .moves import Moves
    from .sessions import Channel

REPLY_TO = "amq.rabbitmq.reply-to"

_OPTIONS = QueueOptions(exclusive=True, auto_delete=True)


def is_reply_queue(name: str) -> bool:
    """Whether this names the pseudo-queue, or the queue that stands behind it for one client."""
    return name == REPLY_TO or name.startswith(REPLY_TO + ".")


def refuse_reply_queue(name: str) -> None:
    """Refuse what can be done to a queue, but not to this one: it is not there (DRT)."""
    if is_reply_queue(name):
        raise NotFound(
            f"no queue '{name}' in vhost '/'", "Direct reply-to can be consumed and published to only."
        )


def open_reply_queue(moves: Moves, channel: Channel, *, no_ack: bool) -> Queue:
    """The queue of a channel that begins to consume its replies (DRT-1, DRT-2)."""
    if not no_ack:
        raise PreconditionFailed("reply consumer cannot acknowledge", "Consume it with no_ack=True.")
    if channel.reply_queue in moves.topology.queues:
        raise PreconditionFailed("reply consumer already set", "A channel has one consumer of its replies.")
    channel.reply_queue = f"{REPLY_TO}.{moves.number('reply')}"
    queue = Queue(channel.reply_queue, _OPTIONS, channel.connection, moves.now)
    moves.add_queue(queue)
    return queue


def reply_address(moves: Moves, channel: Channel) -> str:
    """What `reply_to` becomes in a request: the name of the channel's reply queue (DRT-1)."""
    if channel.reply_queue not in moves.topology.queues:
        raise PreconditionFailed("fast reply consumer does not exist", f"Consume {REPLY_TO} first.")
    return channel.reply_queue


def was_handed_out(moves: Moves, name: str) -> bool:
    """Whether this is the address of a client, even one that has gone (DRT-4)."""
    number = name.removeprefix(REPLY_TO + ".")
    return name != number and number.isdecimal() and int(number) <= moves.numbers["reply"]
