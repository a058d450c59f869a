"""What the broker refuses, in RabbitMQ's words.

    BrokerError
     ├─ ChannelError             closes the channel; its unacked messages go back
     │   ├─ AccessRefused        403
     │   ├─ NotFound             404
     │   ├─ ResourceLocked       405
     │   └─ PreconditionFailed   406
     ├─ ConnectionError          closes the connection with all its channels
     │   ├─ NotAllowed           530
     │   └─ NotImplementedByAMQP 540
     ├─ Unencodable              a value that AMQP cannot carry: no client could have sent it
     └─ Closed                   the connection, channel or broker was closed before

`reply_text` is RabbitMQ's, byte for byte, so that code written against it goes on working.  Help for the
reader stands beside it, in the exception's notes.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class BrokerError(Exception):
    """The broker refused; `reply_text` and `code` are what RabbitMQ would send."""

    code: ClassVar[int] = 0
    name: ClassVar[str] = ""

    def __init__(self, text: str, help: str = "") -> None:
        self.reply_text = f"{self.name} - {text}" if self.name else text
        super().__init__(self.reply_text)
        if help:
            self.add_note(help)


class ChannelError(BrokerError):
    """An error that closes the channel on which it happened, and nothing more."""


class AccessRefused(ChannelError):
    """The operation is not permitted on this exchange or queue."""

    code, name = 403, "ACCESS_REFUSED"


class NotFound(ChannelError):
    """There is no exchange or queue of that name."""

    code, name = 404, "NOT_FOUND"


class ResourceLocked(ChannelError):
    """The queue belongs to another connection."""

    code, name = 405, "RESOURCE_LOCKED"


class PreconditionFailed(ChannelError):
    """An argument is wrong, or differs from what was declared before."""

    code, name = 406, "PRECONDITION_FAILED"


class ConnectionError(BrokerError):  # noqa: A001  (AMQP's own name for it)
    """An error that closes the whole connection."""


class NotAllowed(ConnectionError):
    """Something that a client must never do, such as using a consumer tag twice."""

    code, name = 530, "NOT_ALLOWED"


class NotImplementedByAMQP(ConnectionError):
    """Part of the protocol that RabbitMQ does not implement."""

    code, name = 540, "NOT_IMPLEMENTED"


class Unencodable(BrokerError):
    """A value that AMQP cannot carry; refused before the broker sees it."""


class Closed(BrokerError):
    """The connection, channel or broker is closed; open a new one."""


def no_exchange(name: str, known: Iterable[str]) -> NotFound:
    """Error 404 for an exchange, with the nearest names that do exist as help."""
    return NotFound(f"no exchange '{name}' in vhost '/'", _nearest(name, known, "exchange"))


def no_queue(name: str, known: Iterable[str]) -> NotFound:
    """Error 404 for a queue, with the nearest names that do exist as help."""
    return NotFound(f"no queue '{name}' in vhost '/'", _nearest(name, known, "queue"))


def _nearest(name: str, known: Iterable[str], noun: str) -> str:
    names = sorted(filter(None, known))
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return "Did you mean " + " or ".join(repr(n) for n in near) + "?"
    mine = [n for n in names if not n.startswith("amq.")]
    if not mine:
        return f"No {noun} has been declared yet."
    more = f" and {len(mine) - 8} more" if len(mine) > 8 else ""
    return f"Declared {noun}s: " + ", ".join(repr(n) for n in mine[:8]) + more + "."
