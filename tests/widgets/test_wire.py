"""What goes to the page: plain JSON values under Python's names, whatever strangers have sent."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from sandbox.engine.depth import Depths, Point
from sandbox.engine.history import PREVIEW, History
from sandbox.engine.model import Binding, ExchangeOptions, QueueOptions
from sandbox.engine.snapshot import SEATS, Seat
from sandbox.layout import arrange
from sandbox.widgets import wire
from tests.engine.bench import Bench


@pytest.fixture
def bench() -> Bench:
    """A broker in manual time, with one client on one channel."""
    return Bench()


def sent(value: Any) -> Any:
    """The value as it arrives: through JSON as Jupyter makes it, and UTF-8."""
    return json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())


def rows(history: History, *kinds: str) -> list[Any]:
    """The events of these kinds, or all, as they arrive."""
    return [sent(wire.event(event)) for event in history if not kinds or event.kind in kinds]


# ---------------------------------------------------------------- events


def test_events_are_rows(bench: Bench) -> None:
    """An event is a row in the order of its fields; places are lists, and only what came to be is a value."""
    bench.queue(durable=True)
    bench.publish("hello", headers={"a": 1})
    bench.consume("c", prefetch=3)
    bench.engine.advance(1.5)
    bench.ack(1)

    assert rows(bench.engine.history)[2:] == [
        [3, 0, "queue_declared", 0, 0, None, ["queue", "q", 0, ""], 0, 0, "", options(durable=True)],
        [
            4,
            0,
            "published",
            1,
            0,
            ["publisher", "client", 0, ""],
            ["exchange", "", 0, ""],
            0,
            0,
            "",
            {
                "exchange": "",
                "routing_key": "q",
                "more_keys": [],
                "headers": {"a": 1},
                "properties": {},
                "ttl": None,
                "body": "hello",
                "size": 5,
            },
        ],
        [
            5,
            0,
            "routed",
            1,
            1,
            ["exchange", "", 0, ""],
            ["ready", "q", 0, ""],
            1,
            0,
            "",
            {
                "bindings": [wire.binding(Binding("", "q", "q"))],
                "expires": None,
                "priority": 0,
                "deaths": 0,
            },
        ],
        [6, 0, "prefetch_set", 0, 0, None, ["channel", "", 1, ""], 0, 0, "", 3],
        [
            7,
            0,
            "consumer_started",
            0,
            0,
            None,
            ["unacked", "q", 1, "c"],
            0,
            0,
            "",
            {
                "tag": "c",
                "queue": "q",
                "channel": 1,
                "prefetch": 3,
                "no_ack": False,
                "priority": 0,
                "exclusive": False,
                "active": True,
            },
        ],
        [8, 0, "delivered", 1, 1, ["ready", "q", 0, ""], ["unacked", "q", 1, "c"], 1, 0, "", 1],
        [9, 1.5, "acked", 1, 1, ["unacked", "q", 1, "c"], ["done", "q", 1, "c"], 1, 0, "", None],
    ]


def options(**given: Any) -> dict[str, Any]:
    """All options of a queue."""
    return {**vars(QueueOptions()), **given}


def test_options_and_clients(bench: Bench) -> None:
    """Options have all their fields; connections bring their number, channels that of their connection."""
    bench.exchange("x", "topic", arguments={"alternate-exchange": "y"})

    assert rows(bench.engine.history, "exchange_declared")[0][-1] == {
        "type": "topic",
        "durable": False,
        "auto_delete": False,
        "internal": False,
        "arguments": {"alternate-exchange": "y"},
    }
    assert rows(bench.engine.history, "connected")[0][-1] == bench.connection.id
    assert rows(bench.engine.history, "channel_opened")[0][-1] == bench.connection.id


def test_dead_letters_carry_their_passport(bench: Bench) -> None:
    """A dead letter's header has the exchange it goes to, and its deaths; so has the seat it comes to."""
    bench.queue("graves")
    bench.engine.queue_declare(
        bench.channel,
        "q",
        arguments={
            "x-message-ttl": 1000,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "graves",
        },
    )
    bench.publish("alas")
    bench.engine.advance(1)

    header = rows(bench.engine.history, "dead_lettered")[0][-1]
    assert (header["routing_key"], header["body"], header["headers"]["x-death"][0]["queue"]) == (
        "graves",
        "alas",
        "q",
    )
    state = sent(wire.snapshot(bench.engine.snapshot()))
    assert [seat["header"] for seat in state["queues"][0]["seats"]] == [header]


def test_bodies_are_begun(bench: Bench) -> None:
    """Of a body the beginning is shown, of a long one without the half of a character, and the whole size."""
    bench.queue()
    bench.publish("x" + "é" * PREVIEW)
    bench.engine.basic_publish(bench.channel, "", "q", b"\xff\x00", {}, {})

    long, binary = (row[-1] for row in rows(bench.engine.history, "published"))
    assert long["body"] == "x" + "é" * (PREVIEW // 2 - 1)
    assert long["size"] == 1 + 2 * PREVIEW
    assert (binary["body"], binary["size"]) == ("\ufffd\x00", 2)


# ---------------------------------------------------------------- bindings

EAST = timezone(timedelta(hours=2))

#: Arguments that are the same stand in one row.
ARGUMENTS: list[list[Any]] = [
    [{}],
    [{"a": 1}],
    [{"a": True}],
    [{"a": 1.0}],
    [{"a": "1"}],
    [{"a": b"\xff"}],
    [{"a": "b'\\xff'"}],
    [{"a": None}],
    [{"a": 0.0}, {"a": -0.0}],
    [{"a": "\ud800"}],
    [{"a": "\\ud800"}],
    [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
    [{"a": [1, 2]}, {"a": (1, 2)}],
    [{"a": [2, 1]}],
    [{"a": [1, [2]]}],
    [{"a": {"b": 1}}],
    [{"a": Decimal("1.50")}, {"a": Decimal("1.5")}, {"a": Decimal("15e-1")}],
    [{"a": Decimal("-1.5")}],
    [{"a": Decimal(0)}, {"a": Decimal("-0.00")}],
    [{"a": Decimal(100)}, {"a": Decimal("1E+2")}],
    [{"a": Decimal(10)}],
    [{"a": datetime(2024, 1, 1, 10, tzinfo=UTC)}, {"a": datetime(2024, 1, 1, 12, tzinfo=EAST)}],
    [{"a": datetime(2024, 1, 1, 10)}],  # noqa: DTZ001  (AMQP's times have no zone)
    [{"a": "x" * 1000}],
    [{"a": "x" * 1001}],
]


def test_ids_of_bindings() -> None:
    """Two bindings have the same id if they are the same, and only then."""
    bindings = [Binding("x", "q", "k", arguments) for row in ARGUMENTS for arguments in row]
    bindings += [
        Binding("x", "q"),
        Binding("x", "q", to_exchange=True),
        Binding("q", "x"),
        Binding("x'", "q"),
    ]

    ids = [wire.binding.__wrapped__(each)["id"] for each in bindings]
    for one, id_of_one in zip(bindings, ids, strict=True):
        for other, id_of_other in zip(bindings, ids, strict=True):
            assert (id_of_one == id_of_other) == (one == other), (one, other)
    assert max(map(len, ids)) <= wire.LONGEST_TEXT
    assert all(map(str.isascii, ids))


# ---------------------------------------------------------------- strangers' values


class Nasty:
    """Not even its name can be asked for."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b"\xffab", "\ufffdab"),
        (datetime(2024, 5, 1, 12, tzinfo=UTC), "2024-05-01T12:00:00+00:00"),
        (Decimal("1.50"), "1.50"),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**63), "-9223372036854775808"),
        (2**63, "9223372036854775808"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1.5, 1.5),
        (True, True),
        (None, None),
        ("\ud800 \udc80 é", "\\ud800 \\udc80 é"),
        ((1, [2, {"a": (3,)}]), [1, [2, {"a": [3]}]]),
        ({1: 2, "\udfff": b""}, {"1": 2, "\\udfff": ""}),
        (Nasty(), "<Nasty>"),
        (10**5000, "<int>"),
        ("x" * 500, "x" * 199 + "…"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_become_plain(value: Any, plain: Any) -> None:
    """Whatever JSON does not have becomes text, at any depth."""
    assert sent(wire.plain(value)) == plain
    assert type(wire.plain(value)) is type(plain)
    assert sent(wire.table({"a": [value]})) == {"a": [plain]}


def test_large_values_are_cut() -> None:
    """However long and deep a table is, little of it is sent, and it says that there is more."""
    deep: Any = "deep"
    for _ in range(10_000):
        deep = {"a": deep}
    wide = {f"key {number}": ["x" * 1000] * 1000 for number in range(1000)}

    for value in (deep, wide, list(wide.values()), {"x" * 10_000: 1}):
        assert len(json.dumps(wire.plain(value))) < 3 * wire.LARGEST_TABLE
    assert wire.plain(wide)["…"] == "999 more"
    assert "1 more" in json.dumps(wire.plain(deep))
    assert wire.plain([0] * 10_000)[-1] == f"… {10_000 - wire.LARGEST_TABLE + 1} more"


def test_hostile_names_and_headers_arrive(bench: Bench) -> None:
    """Half surrogates in every name, and all kinds of values: everything that is sent is JSON in UTF-8."""
    evil = "<b>\ud800\u202e\x00"
    channel = bench.client(evil)
    engine = bench.engine
    for queue in (evil, "q"):
        engine.queue_declare(channel, queue, arguments={"x-evil": {evil: [2**63 - 1, float("nan")]}})
    bench.exchange(evil, "headers")
    arguments = {"a": datetime(2024, 1, 1), "b": b"\xff", "c": float("inf"), evil: evil}  # noqa: DTZ001
    engine.queue_bind(channel, evil, evil, evil, arguments)
    headers = {**arguments, "CC": [evil], "n": [None, Decimal("NaN"), {"x": {"y": float("nan")}}]}
    engine.basic_publish(channel, evil, evil, b"\xff" * 500, headers, {"reply_to": evil, "priority": 255})
    bench.consume(evil, evil, prefetch=1, channel=channel)
    engine.basic_get(channel, "q")
    snapshot = engine.snapshot()
    state = sent(wire.snapshot(snapshot))

    assert len(rows(engine.history)) == engine.history.last
    assert [queue["name"] for queue in state["queues"]] == [r"<b>\ud800" + "\u202e\x00", "q"]
    assert sent(wire.layout(arrange(snapshot)))["nodes"]
    assert list(sent(wire.depths(engine.depths()))) == [queue["name"] for queue in state["queues"]]


# ---------------------------------------------------------------- states


def test_a_state_in_full(bench: Bench) -> None:
    """A snapshot arrives with the names that it has in Python."""
    bench.queue(ttl=9000)
    bench.exchange("x")
    bench.bind("q", "x", "k")
    bench.publish("one", "k", "x")
    bench.publish("two")
    bench.publish("lost", "nope", "x")
    bench.fetch()
    bench.consume("c", prefetch=1)

    state = sent(wire.snapshot(bench.engine.snapshot()))

    assert (state["serial"], state["time"]) == (bench.engine.history.last, 0)
    assert state["exchanges"][-2:] == [
        {
            "name": "x",
            "options": vars(ExchangeOptions("direct")),
            "published": 2,
            "lost": 1,
            "returned": 0,
            "last_lost": 3,
        },
        {
            "name": "",
            "options": vars(ExchangeOptions("direct", durable=True)),
            "published": 1,
            "lost": 0,
            "returned": 0,
            "last_lost": 0,
        },
    ]
    assert state["bindings"] == [
        [wire.binding(Binding("x", "q", "k")), 1],
        [wire.binding(Binding("", "q", "q")), 1],
    ]
    [queue] = state["queues"]
    assert [queue[name] for name in ("name", "ready", "unacked", "beyond", "complete")] == [
        "q",
        0,
        2,
        [],
        True,
    ]
    assert {name: value for name, value in queue["seats"][1].items() if name != "header"} == {
        "position": 2,
        "copy": 2,
        "message": 2,
        "entered": 0,
        "expires": 9,
        "redelivered": 0,
        "priority": 0,
        "deaths": 0,
        "unacked": True,
        "channel": 1,
        "consumer": "c",
        "tag": 2,
        "handed": False,
    }
    assert [seat["header"]["body"] for seat in queue["seats"]] == ["one", "two"]
    assert [name for name in Seat._fields if name not in queue["seats"][0]] == []
    [consumer] = state["consumers"]
    assert [consumer[name] for name in ("tag", "queue", "received", "unacked", "held")] == [
        "c",
        "q",
        1,
        1,
        [2],
    ]
    assert state["channels"] == [{"id": 1, "connection": 1, "prefetch": 1, "fetched": [["q", 1]]}]
    assert state["connections"] == [[1, "client"]]
    assert state["publishers"] == [
        {"name": "client", "published": 3, "returned": 0, "confirmed": 0, "nacked": 0, "exchanges": ["x", ""]}
    ]
    assert state["ledger"] == bench.ledger._asdict()


def test_what_is_held_is_shown(bench: Bench) -> None:
    """Copies that are held stand beyond the first seats, if they are not among them."""
    bench.queue()
    bench.fill(*map(str, range(3 * SEATS)))
    bench.consume("a", prefetch=SEATS)
    bench.consume("b", prefetch=2)
    bench.fetch()
    few = sent(wire.snapshot(bench.engine.history.replay().snapshot(seats=5)))
    [queue] = few["queues"]

    assert [seat["position"] for seat in queue["seats"]] == [1, 2, 3, 4, 5]
    assert [seat["position"] for seat in queue["beyond"]] == [SEATS + 1, SEATS + 2, SEATS + 3]
    assert [consumer["held"] for consumer in few["consumers"]] == [[1, 2, 3, 4, 5], [SEATS + 1, SEATS + 2]]
    assert not queue["complete"]
    assert few["channels"][0]["fetched"] == [["q", SEATS + 3]]


# ---------------------------------------------------------------- pictures


def test_layouts_are_objects(bench: Bench) -> None:
    """A layout arrives with all fields of nodes and edges; points are pairs, and bindings have their ids."""
    bench.queue()
    bench.bind("q", bench.exchange("x"), "k")
    bench.publish("m", "k", "x")
    snapshot = bench.engine.snapshot()
    layout = arrange(snapshot)

    plain = sent(wire.layout(layout))
    assert plain["nodes"] == [sent({**vars(node), "chips": list(node.chips)}) for node in layout.nodes]
    assert [edge["points"] for edge in plain["edges"]] == [
        [[x, y] for x, y in edge.points] for edge in layout.edges
    ]
    assert set(plain["edges"][0]) == set(vars(layout.edges[0]))
    [line] = [e for e in wire.layout(layout, snapshot.bindings)["edges"] if e["kind"] == "binding"]
    assert line["bindings"] == [wire.binding(each)["id"] for each in snapshot.bindings]


def test_depths_are_thinned() -> None:
    """Long series become short ones, with their ends, the highest and the lowest."""
    depths = Depths()
    for serial in range(4000):
        depths.add("q", Point(serial, serial / 10, 700 if serial == 1234 else serial % 50, serial % 7))
    depths.add("r", Point(1, 0.0, 1, 0))

    found = sent(wire.depths(depths, most=100))

    assert found["r"] == [[1, 0, 1, 0]]
    assert 20 < len(found["q"]) <= 100
    assert (found["q"][0][0], found["q"][-1][0]) == (0, 3999)
    assert max(found["q"], key=lambda point: point[2])[:3] == [1234, 123.4, 700]
    assert sorted(found["q"]) == found["q"]
    assert wire.depths(depths, most=1)["q"]  # as short as they can be
