"""Tables: they are read like lists and by name, print well, and show hostile texts as text."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any, NamedTuple

import pytest

from sandbox import Broker
from sandbox.tables import Table

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</table><script>alert(1)</script>",
    "\"><b onmouseover='alert(1)'>",
    "&lt;already&gt; &amp; escaped",
    "line\nfeed\tand\rreturn",
    "\x1b[31mred\x07",
    "\N{RIGHT-TO-LEFT OVERRIDE}desrever",
    "\N{ZERO WIDTH SPACE}hidden",
    "\ud800",
]


class Row(NamedTuple):
    name: str
    some_value: Any = None


class Cells(HTMLParser):
    """The texts of a table's cells, row by row, and the tags and attributes that it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.caption = ""
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "caption" in self._open:
            self.caption += data
        elif self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


TABLE_TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "bdi"}


@pytest.fixture
def table() -> Table[Row]:
    return Table("things", Row, [Row("one", 1), Row("two", 2), Row("three", 3)])


# ---------------------------------------------------------------- reading


def test_a_table_is_a_sequence(table: Table[Any]) -> None:
    """A table has a length, an order, positions and slices."""
    assert len(table) == 3
    assert table[0] == Row("one", 1)
    assert table[-1].name == "three"
    assert table[1:] == [Row("two", 2), Row("three", 3)]
    assert [row.some_value for row in table] == [1, 2, 3]
    assert next(reversed(table)).name == "three"
    with pytest.raises(IndexError):
        table[3]


def test_a_table_is_indexed_by_name(table: Table[Any]) -> None:
    """A text picks the row whose first column it is, and another one is a KeyError that names it."""
    assert table["two"] == Row("two", 2)
    assert "two" in table
    assert Row("two", 2) in table
    assert "four" not in table
    with pytest.raises(KeyError, match="four"):
        table["four"]


def test_a_table_does_not_change(broker: Broker) -> None:
    """A table shows the moment at which it was asked for."""
    before = broker.queues
    broker.queue("work")

    assert len(before) == 0
    assert [row.name for row in broker.queues] == ["work"]


# ---------------------------------------------------------------- printing


def test_print_lines_columns_up() -> None:
    """Each column begins at one place, under a head in words; what is empty or False is blank."""
    rows = [Row("a", 1.5), Row("longer", True), Row("b", False), Row("c", None), Row("d", {"x-ttl": 5})]

    assert repr(Table("things", Row, rows)).splitlines() == [
        "name    some value",
        "a       1.5 s",
        "longer  yes",
        "b",
        "c",
        "d       x-ttl=5",
    ]


def test_an_empty_table_says_what_there_is_none_of() -> None:
    """A table without rows is a short sentence, in both forms."""
    empty: Table[Row] = Table("<things>", Row, [])

    assert repr(empty) == "no <things>"
    assert empty._repr_html_() == "<p>no &lt;things&gt;</p>"


def test_html_is_the_same_table(table: Table[Any]) -> None:
    """The HTML form has the caption, the heads and the cells, and scopes for a screen reader."""
    html = table._repr_html_()
    cells = Cells(html)

    assert cells.caption == "things"
    assert cells.rows == [["name", "some value"], ["one", "1"], ["two", "2"], ["three", "3"]]
    assert html.count('<th scope="col">') == 2


# ---------------------------------------------------------------- hostile texts


def tables(broker: Broker, name: str) -> dict[str, Table[Any]]:
    """Every table that a broker shows, with this text wherever a user can put one."""
    broker.exchange("x" + name, type="headers", arguments={name: name, "nested": {name: [name]}})
    broker.queue(
        "q" + name,
        exchange="x" + name,
        routing_key=name,
        arguments={name: name},
        binding_arguments={name: [name, {name: name}]},
    )
    broker.queue("empty" + name)
    broker.publish(name.encode("utf-8", "surrogatepass"), routing_key="q" + name)
    broker.channel().basic_consume("q" + name, "t" + name)
    return {
        "queues": broker.queues,
        "exchanges": broker.exchanges,
        "bindings": broker.bindings,
        "consumers": broker.consumers,
        "peek": broker.peek("q" + name),
        "empty peek": broker.peek("empty" + name),
    }


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_texts_are_text_in_html(broker: Broker, name: str) -> None:
    """No text makes an element, an attribute or an invisible character of a table."""
    for table in tables(broker, name).values():
        html = table._repr_html_()
        cells = Cells(html)
        assert cells.tags <= TABLE_TAGS | {"p"}
        assert cells.attributes <= {"scope", "style"}
        assert all(len(row) == len(table.columns) for row in cells.rows)
        assert html.isprintable()


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_texts_are_text_in_a_terminal(broker: Broker, name: str) -> None:
    """No text moves the cursor, colours a line or makes a row of its own."""
    for table in tables(broker, name).values():
        lines = repr(table).split("\n")
        assert len(lines) == (len(table) + 1 if table else 1)
        assert all(line.isprintable() for line in lines)


ONE_LINERS: dict[str, Callable[[Broker, str], object]] = {
    "a result": lambda broker, name: broker.publish("x", routing_key="q" + name),
    "a consumption": lambda broker, name: broker.consume("q" + name, print),
}


@pytest.mark.parametrize("make", ONE_LINERS.values(), ids=ONE_LINERS)
@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_texts_are_text_in_one_liners(broker: Broker, name: str, make: Callable[..., object]) -> None:
    """What a verb returns shows itself in one printable line."""
    broker.queue("q" + name)

    assert repr(make(broker, name)).isprintable()


def test_harmless_texts_are_shown_as_they_are(broker: Broker) -> None:
    """A name that can be printed is printed, whatever its script."""
    broker.queue("заказы-новые <1> & 'more'")

    assert "заказы-новые <1> & 'more'" in repr(broker.queues)
    assert Cells(broker.queues._repr_html_()).rows[1][0] == "заказы-новые <1> & 'more'"
