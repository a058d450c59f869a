"""Dead letters: what a message that died looks like, and where it may not go again.

Pure.  The passport of a dead letter is the header `x-death`: one entry for each queue and reason, with a
count, the latest first (D-6; mc:record_death).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .model import Death

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import Message, QueueOptions, Table
    from .topology import Target

#: Headers that the broker makes itself; what a client sent under these names is replaced (D-14).
_MADE = tuple(
    f"x-{which}-death-{what}" for which in ("first", "last") for what in ("exchange", "queue", "reason")
)


def dead_letter(message: Message, queue: str, options: QueueOptions, reason: str, time: float) -> Message:
    """The message as it is published anew, after it died in `queue` at the Unix time `time` (D-4 to D-7).

    `reason` is expired, rejected or maxlen.
    """
    exchange = options.dead_letter_exchange
    assert exchange is not None  # or it would not be a dead letter
    deaths = tuple(_with_death(message, queue, reason, int(time)))
    first = message.first_death or (message.exchange, queue, reason)
    key = options.dead_letter_routing_key
    return message._replace(
        exchange=exchange,
        routing_key=message.routing_key if key is None else key,
        more_keys=message.more_keys if key is None else (),
        headers=_headers(message, deaths, first, (message.exchange, queue, reason)),
        properties={name: value for name, value in message.properties.items() if name != "expiration"},
        ttl=None,
        deaths=deaths,
        first_death=first,
    )


def _with_death(message: Message, queue: str, reason: str, time: int) -> Iterator[Death]:
    """One more death: its entry moves to the front, and keeps all but the count from the first time."""
    before = next((d for d in message.deaths if (d.queue, d.reason) == (queue, reason)), None)
    if before is None:
        # A queue's own key has replaced further keys, though the header CC still has them (D-15).
        further = _texts(message.headers.get("CC")) if message.more_keys else []
        keys = (message.routing_key, *further)
        expiration = message.properties.get("expiration")
        yield Death(queue, reason, 1, time, message.exchange, keys, expiration)
    else:
        yield before._replace(times=before.times + 1)
    yield from (death for death in message.deaths if death is not before)


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _headers(
    message: Message, deaths: tuple[Death, ...], first: tuple[str, str, str], last: tuple[str, str, str]
) -> Table:
    headers = {name: value for name, value in message.headers.items() if name not in _MADE}
    headers["x-death"] = [_entry(death) for death in deaths]
    return headers | dict(zip(_MADE, (*first, *last), strict=True))


def _entry(death: Death) -> Table:
    entry: Table = {
        "count": death.times,
        "reason": death.reason,
        "queue": death.queue,
        "time": datetime.fromtimestamp(death.time, UTC).replace(tzinfo=None),
        "exchange": death.exchange,
        "routing-keys": list(death.routing_keys),
    }
    if death.expiration is not None:
        entry["original-expiration"] = death.expiration
    return entry


def without_cycles(message: Message, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets that a dead letter may go to (D-10; mc:is_cycle, rabbit_dead_letter:detect_cycles).

    It does not go back to a queue in which it died before, if since then it has died by itself only: that
    would go round for ever.  A client's rejection breaks the cycle.
    """
    if message.deaths[0].reason == "rejected":
        return targets
    return tuple(target for target in targets if not _is_cycle(message, target.queue.name))


def _is_cycle(message: Message, queue: str) -> bool:
    for death in message.deaths:
        if death.reason == "rejected":
            return False
        if death.queue == queue:
            return True
    return False
