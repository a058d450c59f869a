"""Tables: rows of facts that print well in a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from .texts import shown

if TYPE_CHECKING:
    from .engine.queues import Copy
    from .engine.sessions import Delivery
    from .engine.snapshot import Snapshot

#: How many rows are shown; all are there to be iterated.
MOST_ROWS = 200

Row = TypeVar("Row", bound="tuple[Any, ...]")


class Table(Sequence[Row], Generic[Row]):
    """Rows of one kind, in order; `table["work"]` is the row whose first column is that."""

    def __init__(self, title: str, kind: type[Row], rows: list[Row]) -> None:
        self.title = shown(title)
        self.columns: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]  # a NamedTuple's
        self._rows = rows

    @overload
    def __getitem__(self, key: int | str) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> list[Row]: ...
    def __getitem__(self, key: int | str | slice) -> Row | list[Row]:
        if not isinstance(key, str):
            return self._rows[key]
        for row in self._rows:
            if row[0] == key:
                return row
        raise KeyError(key)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __contains__(self, key: object) -> bool:
        return any(key in (row, row[0]) for row in self._rows)

    def __repr__(self) -> str:
        if not self._rows:
            return f"no {self.title}"
        lines = [self._heads(), *([_text(value) for value in row] for row in self._rows[:MOST_ROWS])]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        shown_lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        return "\n".join([*shown_lines, *self._rest()])

    def _rest(self) -> list[str]:
        """The line that says how many rows are not shown."""
        more = len(self._rows) - MOST_ROWS
        return [f"and {more:,} more"] if more > 0 else []

    def _repr_html_(self) -> str:
        """The table for a notebook; every text in it is shown as text."""
        if not self._rows:
            return f"<p>no {escape(self.title)}</p>"
        heads = [f'<th scope="col">{escape(head)}</th>' for head in self._heads()]
        body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in self._rows[:MOST_ROWS])
        body += "".join(f'<tr><td colspan="{len(heads)}">{rest}</td></tr>' for rest in self._rest())
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead><tr>{''.join(heads)}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _heads(self) -> list[str]:
        return [column.replace("_", " ") for column in self.columns]


def _text(value: Any) -> str:
    """A value in a few words: nothing for what is not there, seconds without trailing zeros."""
    match value:
        case None | False:
            return ""
        case True:
            return "yes"
        case float():
            return f"{value:g} s"
        case dict():
            return shown(", ".join(f"{key}={item!r}" for key, item in value.items()))
        case tuple() | list():
            return ", ".join(map(_text, value))
        case _:
            return shown(str(value))


def _cell(value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    align = ' style="text-align:right"' if is_number else ""
    return f"<td{align}><bdi>{escape(_text(value))}</bdi></td>"


class QueueRow(NamedTuple):
    """A queue: what stands in it and what it was declared with; times in seconds."""

    name: str
    ready: int
    unacked: int
    consumers: int
    durable: bool
    exclusive: bool
    auto_delete: bool
    arguments: dict[str, Any]


class ExchangeRow(NamedTuple):
    """An exchange: what it got, what found no queue, and what it was declared with."""

    name: str
    type: str
    published: int
    lost: int
    returned: int
    durable: bool
    auto_delete: bool
    internal: bool
    arguments: dict[str, Any]


class BindingRow(NamedTuple):
    """A binding, and how many copies took it."""

    source: str
    destination: str
    kind: str
    routing_key: str
    arguments: dict[str, Any]
    taken: int


class ConsumerRow(NamedTuple):
    """A consumer, and how many copies it holds."""

    tag: str
    queue: str
    channel: int
    prefetch: int
    unacked: int
    no_ack: bool
    priority: int
    exclusive: bool


class CopyRow(NamedTuple):
    """A copy in a queue, head first.

    `message` is its number in pictures, `ttl_left` seconds until it expires (0: expired, but not yet at
    the head), `redelivered` how often it came back, `held_by` who has it unacked.
    """

    message: int
    state: str
    routing_key: str
    body: str
    ttl_left: float | None
    redelivered: int
    held_by: str


def queues(snapshot: Snapshot) -> Table[QueueRow]:
    """All queues."""
    rows = [
        QueueRow(
            name,
            view.ready,
            view.unacked,
            sum(consumer.queue == name for consumer in snapshot.consumers.values()),
            view.options.durable,
            view.options.exclusive,
            view.options.auto_delete,
            dict(view.options.arguments),
        )
        for name, view in snapshot.queues.items()
    ]
    return Table("queues", QueueRow, rows)


def exchanges(snapshot: Snapshot) -> Table[ExchangeRow]:
    """All exchanges, the default one once it was used."""
    rows = [
        ExchangeRow(
            name,
            view.options.type,
            view.published,
            view.lost,
            view.returned,
            view.options.durable,
            view.options.auto_delete,
            view.options.internal,
            dict(view.options.arguments),
        )
        for name, view in snapshot.exchanges.items()
    ]
    return Table("exchanges", ExchangeRow, rows)


def bindings(snapshot: Snapshot) -> Table[BindingRow]:
    """All bindings, those of the default exchange once they were used."""
    rows = [
        BindingRow(
            binding.source,
            binding.destination,
            "exchange" if binding.to_exchange else "queue",
            binding.routing_key,
            dict(binding.arguments),
            taken,
        )
        for binding, taken in snapshot.bindings.items()
    ]
    return Table("bindings", BindingRow, rows)


def consumers(snapshot: Snapshot) -> Table[ConsumerRow]:
    """All consumers."""
    rows = [
        ConsumerRow(
            view.tag,
            view.queue,
            view.channel,
            view.prefetch,
            view.unacked,
            view.no_ack,
            view.priority,
            view.exclusive,
        )
        for view in snapshot.consumers.values()
    ]
    return Table("consumers", ConsumerRow, rows)


def copies(queue: str, contents: list[tuple[Copy, Delivery | None]], now: float) -> Table[CopyRow]:
    """What stands in a queue at the broker time `now`, head first."""
    rows = [
        CopyRow(
            copy.message.id,
            "ready" if holder is None else "unacked",
            copy.message.routing_key,
            copy.message.body[:80].decode("utf-8", "backslashreplace"),
            None if copy.expires is None else max(0.0, round(copy.expires - now, 3)),
            copy.redelivered,
            "" if holder is None else _holder(holder),
        )
        for copy, holder in contents
    ]
    return Table(f"messages in {queue}", CopyRow, rows)


def _holder(delivery: Delivery) -> str:
    consumer = delivery.consumer
    return f"channel {delivery.channel.id}" if consumer is None else consumer.tag
