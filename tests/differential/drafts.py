"""Programs as they are drawn: some of it is settled only while the sandbox rehearses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .steps import Seat


class Pick(NamedTuple):
    """One of the delivery tags that the channel has not settled, by its place among them."""

    place: int


class Draft(NamedTuple):
    """A step to be.

    What could only be an error (a queue that is not there, a tag in use, …) is left out, unless the draft is
    `reckless`: every refusal closes a channel, and a program of refusals would see little else.

    `redeclare` is a word of drafts alone: `queue_declare` with the options that the queue has, but for those
    in `change`.
    """

    seat: Seat
    verb: str
    args: Mapping[str, Any] = {}
    reckless: bool = False


class Program(NamedTuple):
    """`eager`: the client drains its events after each step; otherwise only in the steps that say so.

    `waits`: time passes before the last look at all queues.  `steps`: how many drafts become steps at most.
    """

    drafts: tuple[Draft, ...]
    eager: bool = True
    waits: bool = True
    steps: int = 40
