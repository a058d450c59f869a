"""What goes to the page: events, states and layouts as plain JSON values, under the names they have here.

Names, headers and arguments are whatever strangers made them: each becomes something that JSON has, and large
ones are cut.  What is returned may be shared with other results; it is there to be sent, not to be changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

from sandbox.engine.depth import thinned
from sandbox.engine.history import Preview
from sandbox.engine.model import Binding, ExchangeOptions, QueueOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.engine.depth import Depths
    from sandbox.engine.events import Arrival, Event, Place
    from sandbox.engine.model import Message
    from sandbox.engine.snapshot import (
        ChannelView,
        ConsumerView,
        ExchangeView,
        PublisherView,
        QueueView,
        Seat,
        Snapshot,
    )
    from sandbox.layout import Layout

Json = dict[str, Any]

#: How many characters of one text are shown.
LONGEST_TEXT = 200

#: About how many characters one table takes, with all that is in it.
LARGEST_TABLE = 4000

#: How deep tables and lists go.
DEEPEST = 6

#: The largest whole number that JavaScript has exactly.
LARGEST_NUMBER = 2**53 - 1


# ---------------------------------------------------------------- events


def event(event: Event) -> list[Any]:
    """An event as a row."""
    serial, time, kind, message, copy, source, target, seat, cause, reason, what = event
    encode = _WHAT.get(kind)
    return [
        serial,
        time,
        kind,
        message,
        copy,
        _place(source) if source else None,
        _place(target) if target else None,
        seat,
        cause,
        text(reason),
        encode(what) if encode else None,
    ]


def _place(place: Place) -> list[Any]:
    kind, name, channel, consumer = place
    return [kind, text(name), channel, text(consumer)]


def header(message: Message) -> Json:
    """What a message was published with, and the beginning of its body."""
    body = message.body
    beginning = body.decode(errors="replace")
    if isinstance(body, Preview):
        beginning = beginning.rstrip("\ufffd")  # the last character may have been cut
    return {
        "exchange": text(message.exchange),
        "routing_key": text(message.routing_key),
        "more_keys": [text(key) for key in message.more_keys],
        "headers": table(message.headers),
        "properties": table(message.properties),
        "ttl": message.ttl,
        "body": beginning[:LONGEST_TEXT],
        "size": body.size if isinstance(body, Preview) else len(body),
    }


def _arrival(arrival: Arrival) -> Json:
    bindings, expires, priority, deaths = arrival
    return {
        "bindings": [binding(each) for each in bindings],
        "expires": expires,
        "priority": priority,
        "deaths": deaths,
    }


def _started(view: ConsumerView) -> Json:
    return {
        "tag": text(view.tag),
        "queue": text(view.queue),
        "channel": view.channel,
        "prefetch": view.prefetch,
        "no_ack": view.no_ack,
        "priority": view.priority,
        "exclusive": view.exclusive,
        "active": view.active,
    }


@lru_cache(maxsize=4096)  # each copy that comes says by which bindings
def binding(binding: Binding) -> Json:
    """A binding; the `id` of two of them is the same if, and only if, they are."""
    source, destination, routing_key = map(text, (binding.source, binding.destination, binding.routing_key))
    return {
        "id": _identity(binding),
        "source": source,
        "destination": destination,
        "routing_key": routing_key,
        "arguments": table(binding.arguments),
        "to_exchange": binding.to_exchange,
    }


def _options(options: ExchangeOptions | QueueOptions) -> Json:
    names = _QUEUE_OPTIONS if isinstance(options, QueueOptions) else _EXCHANGE_OPTIONS
    return {name: plain(getattr(options, name)) for name in names}


_EXCHANGE_OPTIONS = tuple(field.name for field in fields(ExchangeOptions))
_QUEUE_OPTIONS = tuple(field.name for field in fields(QueueOptions))


def _number(value: int) -> int:
    return value


_WHAT: dict[str, Callable[[Any], Any]] = {
    "published": header,
    "dead_lettered": header,
    "routed": _arrival,
    "refused": _arrival,
    "queue_declared": _options,
    "exchange_declared": _options,
    "bound": binding,
    "unbound": binding,
    "consumer_started": _started,
    **dict.fromkeys(
        ("delivered", "fetched", "prefetch_set", "connected", "disconnected", "channel_opened"), _number
    ),
}


# ---------------------------------------------------------------- states


def snapshot(snapshot: Snapshot) -> Json:
    """A state, to begin with in the page."""
    headers: dict[int, Json] = {}  # copies of one message share theirs
    beyond = _beyond(snapshot)
    return {
        "serial": snapshot.serial,
        "time": snapshot.time,
        "exchanges": [_exchange(exchange) for exchange in snapshot.exchanges.values()],
        "queues": [_queue(queue, beyond.get(queue.name, ()), headers) for queue in snapshot.queues.values()],
        "bindings": [[binding(each), taken] for each, taken in snapshot.bindings.items()],
        "consumers": [_consumer(consumer) for consumer in snapshot.consumers.values()],
        "channels": [_channel(channel) for channel in snapshot.channels.values()],
        "connections": [[number, text(name)] for number, name in snapshot.connections.items()],
        "publishers": [_publisher(publisher) for publisher in snapshot.publishers.values()],
        "ledger": snapshot.ledger._asdict(),
    }


def _beyond(snapshot: Snapshot) -> dict[str, list[Seat]]:
    """By queue, the seats that somebody holds and that stand behind those which the queue shows."""
    held = [(consumer.queue, seat) for consumer in snapshot.consumers.values() for seat in consumer.held]
    held += [pair for channel in snapshot.channels.values() for pair in channel.fetched]
    beyond: dict[str, list[Seat]] = {}
    for name in {name for name, _ in held if not _is_complete(snapshot.queues[name])}:
        shown = {seat.position for seat in snapshot.queues[name].seats}
        beyond[name] = [seat for queue, seat in held if queue == name and seat.position not in shown]
    return beyond


def _is_complete(queue: QueueView) -> bool:
    return len(queue.seats) == queue.ready + queue.unacked


def _exchange(view: ExchangeView) -> Json:
    return {
        "name": text(view.name),
        "options": _options(view.options),
        "published": view.published,
        "lost": view.lost,
        "returned": view.returned,
        "last_lost": view.last_lost,
    }


def _queue(view: QueueView, beyond: Iterable[Seat], headers: dict[int, Json]) -> Json:
    return {
        "name": text(view.name),
        "options": _options(view.options),
        "ready": view.ready,
        "unacked": view.unacked,
        "seats": [_seat(seat, headers) for seat in view.seats],
        "beyond": [_seat(seat, headers) for seat in beyond],
        "complete": _is_complete(view),
    }


def _seat(seat: Seat, headers: dict[int, Json]) -> Json:
    message = seat.header
    shown = None if message is None else headers.get(id(message))
    if message is not None and shown is None:
        shown = headers[id(message)] = header(message)
    return {
        "position": seat.position,
        "copy": seat.copy,
        "message": seat.message,
        "entered": seat.entered,
        "expires": seat.expires,
        "redelivered": seat.redelivered,
        "priority": seat.priority,
        "deaths": seat.deaths,
        "unacked": seat.unacked,
        "channel": seat.channel,
        "consumer": text(seat.consumer),
        "tag": seat.tag,
        "handed": seat.handed,
        "header": shown,
    }


def _consumer(view: ConsumerView) -> Json:
    held = [seat.position for seat in view.held]
    return {**_started(view), "received": view.received, "unacked": view.unacked, "held": held}


def _channel(view: ChannelView) -> Json:
    fetched = [[text(queue), seat.position] for queue, seat in view.fetched]
    return {"id": view.id, "connection": view.connection, "prefetch": view.prefetch, "fetched": fetched}


def _publisher(view: PublisherView) -> Json:
    return {
        "name": text(view.name),
        "published": view.published,
        "returned": view.returned,
        "confirmed": view.confirmed,
        "nacked": view.nacked,
        "exchanges": [text(name) for name in view.exchanges],
    }


# ---------------------------------------------------------------- pictures


def layout(layout: Layout, bindings: Iterable[Binding] = ()) -> Json:
    """A layout; the edges' `bindings` as ids, if those are given from the snapshot that was laid out."""
    encoded: Json = _fields(layout)
    ids = [binding(each)["id"] for each in bindings]
    if ids:
        for edge in encoded["edges"]:
            edge["bindings"] = [ids[place] for place in edge["bindings"]]
    return encoded


def _fields(value: Any) -> Any:
    """A value of the layout: what is made of fields becomes an object, a sequence (as a point is) a list."""
    if isinstance(value, str):
        return text(value)
    if is_dataclass(value):
        return {field.name: _fields(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_fields(item) for item in value]
    return None if value == inf else value


def depths(depths: Depths, most: int = 500) -> dict[str, list[list[float]]]:
    """The points of every queue, at most about so many of each: with the highest and the lowest."""
    encoded = {}
    for queue in depths:
        series = depths[queue]
        while len(series) > most and len(fewer := thinned(series)) < len(series):
            series = fewer
        encoded[text(queue)] = [list(point) for point in series]
    return encoded


# ---------------------------------------------------------------- whatever strangers send


def text(text: str) -> str:
    r"""A text that UTF-8 can carry: half of a surrogate pair becomes an escape.

    >>> text("caf\u00e9 \ud800") == "caf\u00e9 \\ud800"
    True
    """
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def table(values: Mapping[str, Any]) -> Json:
    """Headers, properties or arguments as plain values, as far as there is room for them."""
    return _Room(LARGEST_TABLE).table(values, 1) if values else {}


def plain(value: Any) -> Any:
    """Any value as a plain one: what JSON does not have becomes text.

    >>> plain({"a": (1, 2**64, b"b", float("nan"))})
    {'a': [1, '18446744073709551616', 'b', 'nan']}
    """
    return value if value is None or value is True or value is False else _Room(LARGEST_TABLE).value(value, 0)


class _Room:
    """So many characters, into which a value is to fit."""

    def __init__(self, left: int) -> None:
        self.left = left

    def value(self, value: Any, depth: int) -> Any:
        """The value, or what there is room for."""
        self.left -= 1
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value) if -LARGEST_NUMBER <= value <= LARGEST_NUMBER else self.text(_shown(value))
        if isinstance(value, float):
            return float(value) if isfinite(value) else str(float(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.text(bytes(value[: LONGEST_TEXT + 1]).decode(errors="replace"))
        if isinstance(value, Mapping):
            return self.table(value, depth + 1)
        if isinstance(value, (list, tuple)):
            return self.list(value, depth + 1)
        return self.text(_shown(value))

    def text(self, value: str) -> str:
        """A text, cut."""
        if len(value) > LONGEST_TEXT:
            value = value[: LONGEST_TEXT - 1] + "…"
        self.left -= len(value)
        return value if type(value) is str and value.isascii() else text(str.__str__(value))

    def table(self, values: Mapping[Any, Any], depth: int) -> Json:
        """A table, and how many entries there was no room for."""
        found: Json = {}
        for place, (key, value) in enumerate(values.items()):
            if self.left <= 0 or depth > DEEPEST:
                found["…"] = f"{len(values) - place} more"
                break
            found[self.text(key if isinstance(key, str) else _shown(key))] = self.value(value, depth)
        return found

    def list(self, values: list[Any] | tuple[Any, ...], depth: int) -> list[Any]:
        """A list, and how many items there was no room for."""
        found = []
        for place, value in enumerate(values):
            if self.left <= 0 or depth > DEEPEST:
                found.append(f"… {len(values) - place} more")
                break
            found.append(self.value(value, depth))
        return found


def _shown(value: Any) -> str:
    """Any value in words."""
    try:
        return value.isoformat() if isinstance(value, date) else str(value)
    except Exception:  # noqa: BLE001  (a stranger's method may raise anything)
        return f"<{type(value).__name__}>"


def _identity(binding: Binding) -> str:
    """A text that is the same for two bindings if, and only if, they are (1, True, 1.0 and "1" are not)."""
    *names, arguments = binding.identity
    identity = f"{names!a} {_canonical(arguments)}"
    return identity if len(identity) <= LONGEST_TEXT else sha256(identity.encode()).hexdigest()


def _canonical(frozen: Any) -> str:
    """A value that `freeze` made, as text: what is equal looks the same."""
    kind, value = frozen
    if kind == "table":
        return "{" + ", ".join(sorted(f"{key!a}: {_canonical(item)}" for key, item in value)) + "}"
    if kind == "array":
        return "[" + ", ".join(map(_canonical, value)) + "]"
    if kind is float:
        value += 0.0  # so that there is one zero
    elif kind is Decimal and value.is_finite():
        sign, digits, exponent = value.as_tuple()
        number = "".join(map(str, digits)).rstrip("0")  # 1.50 is 1.5
        value = f"{'-' * sign}{number}e{exponent + len(digits) - len(number)}" if number else "0"
    elif kind is datetime and value.tzinfo is not None:
        value = value.astimezone(UTC)
    return f"{kind.__name__} {value!a}"
