"""Where things stand: held by geometry, not by pixels."""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from itertools import combinations, pairwise
from time import process_time
from typing import Any

import pytest

from sandbox.engine.model import Binding, ExchangeOptions, QueueOptions
from sandbox.engine.snapshot import (
    ChannelView,
    ConsumerView,
    ExchangeView,
    PublisherView,
    QueueView,
    Seat,
    Snapshot,
)
from sandbox.layout import Edge, Layout, Neighbourhood, Node, Point, arrange, neighbourhood
from sandbox.layout.measures import NOTE, SEAT
from sandbox.layout.rows import settled
from sandbox.layout.words import LONGEST, label, width_of, wrapped
from sandbox.texts import shown

Box = tuple[float, float, float, float]


def make(
    exchanges: Iterable[str] = (),
    queues: Iterable[str | QueueView] = (),
    bindings: Iterable[tuple[str, str, str]] = (),
    *,
    consumers: Iterable[tuple[int, str]] = (),
    published: dict[str, tuple[str, ...]] | None = None,
    type_: str = "topic",
    alternates: dict[str, str] | None = None,
    dead_letters: dict[str, str] | None = None,
) -> Snapshot:
    """A broker with these names, bindings (source, destination, key) and consumers (channel, queue).

    `alternates` and `dead_letters` are the second ways of exchanges and of queues.
    """
    second = {e: {"alternate-exchange": other} for e, other in (alternates or {}).items()}
    named = {e: ExchangeView(e, ExchangeOptions(type_, arguments=second.get(e, {}))) for e in exchanges}
    views = [
        q
        if isinstance(q, QueueView)
        else QueueView(q, QueueOptions(dead_letter_exchange=(dead_letters or {}).get(q)))
        for q in queues
    ]
    lists = [ConsumerView(f"c{i}", queue, channel, 2) for i, (channel, queue) in enumerate(consumers)]
    publishers = {
        name: PublisherView(name, len(targets), exchanges=targets)
        for name, targets in (published or {}).items()
    }
    return Snapshot(
        serial=1,
        time=0,
        exchanges=named,
        queues={view.name: view for view in views},
        bindings={Binding(*binding, to_exchange=binding[1] in named): 0 for binding in bindings},
        consumers={(view.channel, view.tag): view for view in lists},
        channels={view.channel: ChannelView(view.channel, 1) for view in lists},
        connections={},
        publishers=publishers,
    )


def one() -> Snapshot:
    return make(
        ["orders"],
        ["work"],
        [("orders", "work", "new")],
        consumers=[(1, "work")],
        published={"you": ("orders",)},
    )


def ten() -> Snapshot:
    queues = [f"queue-{i}" for i in range(10)]
    bindings = [(("orders", "jobs")[i % 2], queue, f"key.{i}.#") for i, queue in enumerate(queues)]
    bindings += [("orders", "audit", "#"), ("audit", "queue-9", "*"), ("jobs", "queue-3", "more")]
    consumers = [(i // 2 + 1, queue) for i, queue in enumerate(queues)] + [(9, "queue-0"), (9, "queue-9")]
    return make(
        ["orders", "jobs", "audit"],
        queues,
        bindings,
        consumers=consumers,
        published={"you": ("orders", "jobs")},
    )


def forty() -> Snapshot:
    queues = [f"queue-{i}" for i in range(40)]
    exchanges = [f"exchange-{i}" for i in range(7)]
    bindings = [(exchanges[i % 7], queue, f"order.{i}.#") for i, queue in enumerate(queues)]
    bindings += [(exchanges[0], queue, "#") for queue in queues[::6]]
    return make(exchanges, queues, bindings, published={"you": tuple(exchanges)})


def chain() -> Snapshot:
    bindings = [
        ("a", "b", "1"),
        ("b", "c", "2"),
        ("c", "d", "3"),
        ("a", "d", "4"),
        ("a", "q", "5"),
        ("d", "r", "6"),
    ]
    return make("abcd", "qr", bindings, published={"you": ("a", "d"), "other": ("c",)})


def cycle() -> Snapshot:
    bindings = [("a", "b", "to b"), ("b", "c", "to c"), ("c", "a", "back to a"), ("b", "b", "to itself")]
    bindings += [("c", "q", "out"), ("a", "r", "straight out"), ("c", "b", "one step back")]
    return make("abc", "qr", bindings, published={"you": ("a", "c")})


def many_consumers() -> Snapshot:
    consumers = [(1 + i // 3, "work") for i in range(9)] + [(2, "second"), (9, "second")]
    bindings = [("jobs", queue, f"key.{i}") for queue in ("work", "second", "third") for i in range(3)]
    return make(["jobs"], ["work", "second", "third"], bindings, consumers=consumers)


def retries() -> Snapshot:
    """Dead letters that wait and come back, that go to one grave, and that go nowhere."""
    bindings = [("orders", "work", "#"), ("retry", "wait", "work"), ("orders", "eu", "eu.#")]
    return make(
        ["orders", "retry", "grave"],
        ["work", "wait", "eu", "dead", "us", "lost"],
        [*bindings, ("grave", "dead", ""), ("retry", "us", "us")],
        consumers=[(1, "work"), (1, "eu"), (2, "work")],
        published={"you": ("orders", "retry")},
        dead_letters={
            "work": "retry",
            "wait": "orders",
            "eu": "grave",
            "us": "grave",
            "dead": "",
            "lost": "none",
        },
    )


def second_chances() -> Snapshot:
    """Alternate exchanges of the same level, of one before and one behind, of its own, and of nowhere."""
    bindings = [("a", "b", "1"), ("b", "c", "2"), ("c", "q", "3"), ("d", "r", "4"), ("a", "q", "5")]
    alternates = {"a": "d", "b": "a", "d": "c", "c": "c", "e": "none", "f": ""}
    return make("abcdef", "qr", bindings, published={"you": ("a", "d")}, alternates=alternates)


def one_grave() -> Snapshot:
    """Many queues with the same exchange for dead letters, which is an alternate one too."""
    queues = [f"q{i}" for i in range(9)]
    bindings = [("ef"[i % 2], queue, f"key.{i}") for i, queue in enumerate(queues)]
    bindings += [("dead", "graves", f"key.{i}") for i in range(4)]
    return make(
        ["dead", "e", "f"],
        [*queues, "graves"],
        bindings,
        published={"you": ("e", "f", "dead")},
        alternates={"e": "dead", "f": "dead"},
        dead_letters=dict.fromkeys(queues, "dead"),
    )


def random_graph(seed: int) -> Snapshot:
    """Anything bound to anything."""
    dice = random.Random(seed)  # noqa: S311  (graphs, not secrets)
    exchanges = [f"e{i}" for i in range(dice.randrange(1, 9))]
    queues = [f"q{i}" for i in range(dice.randrange(1, 12))]
    chains = dice.choice([0, 0.2, 0.5])
    bindings = [
        (
            dice.choice(exchanges),
            dice.choice(exchanges if dice.random() < chains else queues),
            f"{i}" * dice.randrange(1, 9),
        )
        for i in range(dice.randrange(30))
    ]
    consumers = [(dice.randrange(1, 9), dice.choice(queues)) for _ in range(dice.randrange(9))]
    published = {f"p{i}": tuple({dice.choice(exchanges) for _ in range(3)}) for i in range(dice.randrange(4))}
    seconds = [*exchanges, "", "none"]
    return make(
        exchanges,
        queues,
        bindings,
        consumers=consumers,
        published=published,
        alternates={e: dice.choice(seconds) for e in exchanges if seed % 2 and dice.random() < 0.4},
        dead_letters={q: dice.choice(seconds) for q in queues if seed % 2 and dice.random() < 0.6},
    )


GRAPHS: dict[str, Callable[[], Snapshot]] = {
    function.__name__: function
    for function in (
        make,
        one,
        ten,
        forty,
        chain,
        cycle,
        many_consumers,
        retries,
        second_chances,
        one_grave,
    )
} | {f"random {seed}": lambda seed=seed: random_graph(seed) for seed in range(30)}

each_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
each_width = pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])

DASHED = ("alternate", "dead_letter")


# ---------------------------------------------------------------- geometry


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def box_of(node: Node, *, inside: float = 0) -> Box:
    return node.x + inside, node.y + inside, node.right - inside, node.y + node.height - inside


def segments(edge: Edge) -> list[Box]:
    """Its straight runs, with a little width so that they can touch something."""
    return [
        (min(a.x, b.x), min(a.y, b.y) - 0.01, max(a.x, b.x), max(a.y, b.y) + 0.01)
        if a.y == b.y
        else (a.x - 0.01, min(a.y, b.y), a.x + 0.01, max(a.y, b.y))
        for a, b in pairwise(edge.points)
    ]


def key_box(edge: Edge) -> Box:
    assert edge.key_at is not None
    return text_box(edge.key, edge.key_at, edge.key_anchor)


def text_box(text: str, place: Point, anchor: str) -> Box:
    left = place.x - width_of(text, NOTE) * (anchor == "end")
    return left, place.y - NOTE * 0.8, left + width_of(text, NOTE), place.y + NOTE * 0.25


def text_boxes(layout: Layout) -> list[Box]:
    """Where the layout itself puts words: keys, labels, and what is said at open ends."""
    notes = [(edge.note, edge.note_at, edge.key_anchor) for edge in layout.edges if edge.note_at]
    return [*(key_box(edge) for edge in layout.edges if edge.key), *(text_box(*note) for note in notes)]


def bodies(layout: Layout) -> list[Node]:
    return [node for node in layout.nodes if node.kind != "channel"]


def between(layout: Layout, source: str, target: str) -> list[Edge]:
    return [edge for edge in layout.edges if (edge.source, edge.target) == (source, target)]


def names(layout: Layout, kind: str) -> list[str]:
    return [node.name for node in layout.of(kind).values()]


# ---------------------------------------------------------------- everything has its own place


@each_width
@each_graph
def test_boxes_do_not_overlap(graph: Callable[[], Snapshot], *, narrow: bool) -> None:
    """No two bodies cover each other, and all stand inside the picture."""
    layout = arrange(graph(), narrow=narrow)
    boxes = [box_of(node) for node in layout.nodes]
    margin = layout.measures.margin

    assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == []
    assert all(
        x >= margin and y >= margin and right < layout.width and low < layout.height
        for x, y, right, low in [*boxes, *text_boxes(layout)]
    )


@each_graph
def test_lines_are_flat_or_upright(graph: Callable[[], Snapshot]) -> None:
    """Each line runs flat or upright, from the right side of its source to the left side of its target."""
    layout = arrange(graph())
    nodes = {node.id: node for node in layout.nodes}
    for edge in layout.edges:
        assert all(a.x == b.x or a.y == b.y for a, b in pairwise(edge.points))
        source = nodes[edge.source]
        if edge.kind in DASHED:
            assert source.x < edge.points[0].x < source.right
            assert edge.points[0].y == pytest.approx(source.y + source.height, abs=0.1)
        else:
            assert edge.points[0] == pytest.approx((source.right, source.middle), abs=0.1)
        if edge.target:
            target = nodes[edge.target]
            assert edge.points[-1].x == pytest.approx(target.x, abs=0.1)
            assert target.y <= edge.points[-1].y <= target.y + target.height


@each_width
@each_graph
def test_no_line_passes_through_a_box(graph: Callable[[], Snapshot], *, narrow: bool) -> None:
    """A line touches only its own two ends."""
    layout = arrange(graph(), narrow=narrow)
    for edge in layout.edges:
        for node in bodies(layout):
            assert not any(overlap(run, box_of(node, inside=0.2)) for run in segments(edge))


@each_graph
def test_lines_of_two_sources_are_told_apart(graph: Callable[[], Snapshot]) -> None:
    """Lines lie on top of each other only on their way to the same target."""
    runs = [(run, edge) for edge in arrange(graph()).edges for run in segments(edge)]
    for (a, edge), (b, other) in combinations(runs, 2):
        if edge.source != other.source and edge.target != other.target and overlap(a, b):
            assert min(a[2], b[2]) - max(a[0], b[0]) + min(a[3], b[3]) - max(a[1], b[1]) < 1


@each_width
@each_graph
def test_each_key_has_its_own_place(graph: Callable[[], Snapshot], *, narrow: bool) -> None:
    """No key or label covers another one, a box, or any line."""
    layout = arrange(graph(), narrow=narrow)
    boxes = text_boxes(layout)
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    for box in boxes:
        assert not any(overlap(box, box_of(node)) for node in bodies(layout))
        assert not any(overlap(box, run) for other in layout.edges for run in segments(other))


@each_graph
def test_key_stands_on_the_last_run(graph: Callable[[], Snapshot]) -> None:
    """A key stands just above a flat run of its own line."""
    for edge in arrange(graph()).edges:
        if edge.key and edge.kind not in DASHED:
            x, low, right, _ = key_box(edge)
            assert any(run[0] <= x and right <= run[2] and low < run[1] < low + 20 for run in segments(edge))


# ---------------------------------------------------------------- layers


def test_columns_are_straight() -> None:
    """Publishers, exchanges, queues and consumers stand in this order, each kind in one straight column."""
    layout = arrange(ten())
    lefts = {
        kind: {node.x for node in layout.of(kind).values()} for kind in ("publisher", "queue", "consumer")
    }

    assert all(len(xs) == 1 for xs in lefts.values())
    assert len({node.x for node in layout.of("exchange").values()}) == 2  # two levels
    order = [
        node.x for kind in ("publisher", "exchange", "queue", "consumer") for node in layout.of(kind).values()
    ]
    assert order == sorted(order)


def test_exchange_stands_behind_all_that_lead_to_it() -> None:
    """An exchange's level is the longest path to it, so that every binding runs to the right."""
    layout = arrange(chain())
    lefts = [layout.of("exchange")[f"exchange:{name}"].x for name in "abcd"]

    assert lefts == sorted(set(lefts))


def test_cycle_runs_back_over_the_top() -> None:
    """Of a cycle of exchanges only the line that closes it runs back, above all boxes, on its own height."""
    layout = arrange(cycle())
    back = [edge for edge in layout.edges if edge.back]
    tops = [min(point.y for point in edge.points) for edge in back]

    assert sorted((edge.source[-1], edge.target[-1]) for edge in back) == [("b", "b"), ("c", "a"), ("c", "b")]
    assert max(tops) < min(node.y for node in layout.nodes)
    assert len(set(tops)) == 3
    for edge, top in zip(back, tops, strict=True):
        assert edge.arrow_at is not None
        assert edge.arrow_at.y == top


def test_arrow_between_exchanges_is_on_the_line() -> None:
    """A binding of two exchanges has its arrow on a flat run, clear of its key and of the corners."""
    for edge in arrange(chain()).edges:
        if edge.kind == "binding" and edge.target.startswith("exchange:"):
            assert edge.arrow_at is not None
            x, y = edge.arrow_at
            assert any(run[0] + 6 < x < run[2] - 6 and run[1] < y < run[3] for run in segments(edge))
            assert not overlap(key_box(edge), (x - 4, y - 4, x + 4, y + 4))
        else:
            assert (edge.arrow_at is None) == (edge.kind not in DASHED)


def test_single_line_is_straight() -> None:
    """What leads from one to one stands level with it."""
    layout = arrange(one())

    assert {point.y for edge in layout.edges for point in edge.points} == {layout.nodes[0].middle}


def test_exchange_stands_in_the_middle_of_its_queues() -> None:
    """An exchange stands halfway between its two queues."""
    layout = arrange(make(["e"], "qr", [("e", "q", "1"), ("e", "r", "2")]))
    exchange, queue, other = layout.nodes

    assert exchange.middle == (queue.middle + other.middle) / 2


def test_declared_crosswise_is_drawn_uncrossed() -> None:
    """The order within a layer gives way to fewer crossings."""
    layout = arrange(make("ab", "qr", [("a", "r", ""), ("b", "q", "")]))

    assert names(layout, "exchange") == ["a", "b"]
    assert names(layout, "queue") == ["r", "q"]


def test_declared_order_stays_without_need() -> None:
    """Where no order crosses less, things stand in the order in which they were declared."""
    bindings = [(exchange, queue, "") for exchange in "ab" for queue in "qrs"]
    layout = arrange(make("ab", "qrs", bindings))

    assert names(layout, "exchange") == list("ab")
    assert names(layout, "queue") == list("qrs")


def test_channel_holds_its_consumers_together() -> None:
    """Consumers of one channel stand side by side, and only they stand within its bracket."""
    layout = arrange(many_consumers())
    for bracket in layout.of("channel").values():
        inside = [
            node.channel
            for node in layout.of("consumer").values()
            if bracket.y <= node.y and node.y + node.height <= bracket.y + bracket.height
        ]
        assert set(inside) == {bracket.channel}
        assert bracket.x > max(node.right for node in layout.of("consumer").values())
        assert sum(node.channel == bracket.channel for node in layout.of("consumer").values()) == len(inside)


def test_fetched_copies_stand_on_their_channel() -> None:
    """What was fetched by get is held by a hand near its queue, and no line leads there."""
    seat = Seat(1, 1, 1, 0.0, unacked=True, channel=5)
    snapshot = make(queues="qr")
    fetched = ChannelView(5, 1, 0, (("r", seat),))
    layout = arrange(Snapshot(**{**vars(snapshot), "channels": {5: fetched}}))
    (hand,) = layout.of("hand").values()

    assert hand.middle == layout.of("queue")["queue:r"].middle
    assert [node.label for node in layout.of("channel").values()] == ["ch 5"]
    assert layout.edges == ()


# ---------------------------------------------------------------- what is shown


def test_bindings_of_one_pair_are_apart() -> None:
    """Several bindings of one exchange to one queue have lines and keys of their own, in their order."""
    edges = arrange(make(["e"], ["q"], [("e", "q", key) for key in "abcd"])).edges
    heights = [edge.key_at.y for edge in edges if edge.key_at]

    assert [edge.key for edge in edges] == list("abcd")
    assert all(b - a >= NOTE * 1.3 for a, b in pairwise(heights))


def test_many_bindings_of_one_pair_are_folded() -> None:
    """Beyond six lines between one pair, the last says how many more there are, and stands for them."""
    edges = arrange(make(["e"], ["q"], [("e", "q", f"key {i}") for i in range(9)])).edges

    assert [edge.key for edge in edges] == [*(f"key {i}" for i in range(5)), "+4 more"]
    assert [index for edge in edges for index in edge.bindings] == list(range(9))


def test_key_says_what_decides() -> None:
    """A fanout binding shows no key, an empty key is seen to be empty, a headers binding has one pair."""
    fanout = arrange(make(["e"], ["q"], [("e", "q", "ignored")], type_="fanout"))
    direct = arrange(make(["e"], ["q"], [("e", "q", "")], type_="direct"))
    headers = make(["e"], ["q"], type_="headers")
    arguments = {"x-match": "any", "region": "eu", "urgent": True}
    headers = Snapshot(**{**vars(headers), "bindings": {Binding("e", "q", "", arguments): 1}})

    assert [edge.key for edge in fanout.edges] == [""]
    assert [edge.key for edge in direct.edges] == ['""']
    assert [edge.key for edge in arrange(headers).edges] == ["any region=eu +1"]


def test_system_exchanges_are_hidden_until_used() -> None:
    """Of the exchanges that every broker has, only those that are used are shown."""
    system = ["amq.topic", "amq.fanout", "amq.direct", "mine"]
    snapshot = make(system, ["q"], [("amq.topic", "q", "#"), ("mine", "amq.direct", "x")])
    view = ExchangeView("", ExchangeOptions("direct"), published=1)
    used = Snapshot(**{**vars(snapshot), "exchanges": {"": view, **snapshot.exchanges}})

    assert names(arrange(snapshot), "exchange") == ["amq.topic", "mine", "amq.direct"]
    assert names(arrange(used), "exchange") == ["", "amq.topic", "mine", "amq.direct"]


def test_default_exchange_is_a_pill_without_keys() -> None:
    """The default exchange is smaller than others, and its line needs no key: that is the queue's name."""
    view = ExchangeView("", ExchangeOptions("direct"), published=1)
    snapshot = make(["e"], ["q"], [("", "q", "q")])
    layout = arrange(Snapshot(**{**vars(snapshot), "exchanges": {"": view, **snapshot.exchanges}}))
    default, other = layout.of("exchange").values()

    assert default.label == "default"
    assert default.height < other.height
    assert [edge.key for edge in layout.edges] == [""]


def test_chips_move_to_their_own_line() -> None:
    """Options stand after the queue's name, or on a line of their own if they are too many."""
    few = QueueOptions(message_ttl=10.0)
    all_of_them = QueueOptions(message_ttl=10.0, expires=600.0, exclusive=True, auto_delete=True)
    layout = arrange(make(queues=[QueueView("few", few), QueueView("all of them", all_of_them)]))
    first, second = layout.of("queue").values()

    assert (first.chips, first.chips_below) == (("TTL 10 s",), False)
    assert (second.chips, second.chips_below) == (("TTL 10 s", "expires 600 s", "exclusive", "+1"), True)


# ---------------------------------------------------------------- second ways


def test_second_ways_are_dashed_edges() -> None:
    """An edge leads to the alternate exchange, one to that for dead letters, each with its label."""
    layout = arrange(make("ab", "q", alternates={"a": "b"}, dead_letters={"q": "a"}))

    assert [(edge.kind, edge.source, edge.target, edge.key, edge.note) for edge in layout.edges] == [
        ("alternate", "exchange:a", "exchange:b", "if nothing matches", ""),
        ("dead_letter", "queue:q", "exchange:a", "rejected", ""),
    ]


def test_second_way_to_nowhere_ends_below_its_source() -> None:
    """A line to an exchange that does not exist is upright, and says so at its end."""
    layout = arrange(make("a", "q", alternates={"a": "none"}, dead_letters={"q": "none"}))
    for edge in layout.edges:
        start, end = edge.points
        assert (edge.target, edge.note) == ("", "no such exchange")
        assert start.x == end.x
        assert edge.note_at is not None
        assert start.y < edge.note_at.y
        assert abs(edge.note_at.y - end.y) < NOTE


def test_default_exchange_is_shown_for_dead_letters() -> None:
    """The default exchange always exists, and stands in the picture if dead letters go there."""
    layout = arrange(make((), "q", dead_letters={"q": ""}))

    assert names(layout, "exchange") == [""]
    assert [edge.target for edge in layout.edges] == ["exchange:"]


def test_system_exchange_is_shown_for_what_nothing_matches() -> None:
    """A system exchange is used if it is an alternate one."""
    layout = arrange(make(["amq.fanout", "amq.topic", "a"], (), alternates={"a": "amq.fanout"}))

    assert set(names(layout, "exchange")) == {"amq.fanout", "a"}


@pytest.mark.parametrize(
    ("options", "reasons"),
    [
        ({}, "rejected"),
        ({"message_ttl": 1.0}, "expired · rejected"),
        ({"max_length": 3}, "rejected · full"),
        ({"max_length_bytes": 3, "overflow": "reject-publish-dlx"}, "rejected · full"),
        ({"max_length": 3, "overflow": "reject-publish"}, "rejected"),
    ],
)
def test_only_possible_reasons_are_named(options: dict[str, Any], reasons: str) -> None:
    """The way of dead letters says for which reasons a copy can take it."""
    queue = QueueView("q", QueueOptions(dead_letter_exchange="e", **options))

    assert [edge.key for edge in arrange(make("e", [queue])).edges] == [reasons]


def test_expiry_stays_a_reason_once_seen() -> None:
    """Where a copy with a time to live of its own was seen, dead letters may have expired ever after."""
    options = QueueOptions(dead_letter_exchange="e")
    mortal = QueueView("q", options, 1, 0, (Seat(1, 1, 1, 0.0, expires=5.0),))
    first = arrange(make("e", [mortal]))
    second = arrange(make("e", [QueueView("q", options)]), first)

    assert [layout.edges[0].key for layout in (first, second)] == ["expired · rejected"] * 2


def test_dead_letters_change_no_layer() -> None:
    """Whatever the second ways, exchanges and queues stand in the same columns and in the same order."""
    graph = retries()
    plain = {name: replace(view, options=QueueOptions()) for name, view in graph.queues.items()}
    before, after = arrange(replace(graph, queues=plain)), arrange(graph)
    both = set(before.of("exchange")) & set(after.of("exchange"))

    assert names(before, "queue") == names(after, "queue")
    assert [id_ for id_ in before.of("exchange") if id_ in both] == [
        id_ for id_ in after.of("exchange") if id_ in both
    ]
    assert len({after.of("exchange")[id_].x for id_ in both}) == 1


def test_dead_letters_run_together() -> None:
    """What leads back to one exchange shares its track and its end."""
    layout = arrange(one_grave())
    ways = [edge.points for edge in layout.edges if edge.kind == "dead_letter"]

    assert len(ways) == 9
    assert len({way[-3:] for way in ways}) == 1


# ---------------------------------------------------------------- limits


def test_lane_is_as_long_as_its_limit() -> None:
    """A queue's lane has room for what fits, and for the unacked copies, which do not count."""
    three = QueueView("three", QueueOptions(max_length=3), 1, 2)
    many = QueueView("many", QueueOptions(max_length=10_000))
    layout = arrange(make("e", [three, many, "free"], [("e", "three", "")]))
    short, deep, free = layout.of("queue").values()

    assert short.width == 5 * SEAT
    assert deep.width == free.width > short.width
    assert short.right == deep.right
    assert short.label_x == deep.label_x == deep.x
    assert layout.edges[0].points[-1].x == short.x


def test_short_lane_keeps_the_others_wide() -> None:
    """In the next picture too, only the lane with a limit is short."""
    snapshot = make((), [QueueView("q", QueueOptions(max_length=2)), "r"])
    layout = arrange(snapshot)

    assert arrange(snapshot, layout) == layout


# ---------------------------------------------------------------- narrow


def test_narrow_picture_of_one_level_fits() -> None:
    """One level of exchanges, keys, lanes, consumers and all second ways take less than 500 px."""
    queues = [QueueView(f"queue-{'x' * i}", QueueOptions(max_length=5, dead_letter_exchange="graveyard",
              message_ttl=86400.0, max_priority=9, exclusive=True)) for i in range(9)]  # fmt: skip
    bindings = [
        (("orders", "jobs")[i % 2], queue.name, "order.*.new.and.more") for i, queue in enumerate(queues)
    ]
    bindings += [("orders", "queue-", f"key.{i}") for i in range(5)]
    consumers = [(1 + i // 2, queue.name) for i, queue in enumerate(queues)]
    graph = make(["orders", "jobs", "graveyard"], queues, bindings, consumers=consumers,
                 alternates={"orders": "graveyard", "jobs": "none"})  # fmt: skip
    views = {key: replace(view, tag=view.tag * 9, prefetch=100) for key, view in graph.consumers.items()}
    consumers_by_name = {(view.channel, view.tag): view for view in views.values()}
    exchanges = {n: replace(e, published=99, lost=12_345) for n, e in graph.exchanges.items()}
    layout = arrange(replace(graph, consumers=consumers_by_name, exchanges=exchanges), narrow=True)

    assert layout.width <= 500


def test_narrow_picture_leaves_publishers_out() -> None:
    """A narrow layout says so, has no publishers, and a bracket only around what shares a channel."""
    layout = arrange(many_consumers(), narrow=True)

    assert layout.measures.narrow
    assert layout.measures.seats == 5
    assert not arrange(ten(), narrow=True).of("publisher")
    assert {node.width for node in layout.of("queue").values()} == {5 * SEAT}
    assert set(names(layout, "channel")) == {"1", "2", "3"}
    assert not arrange(many_consumers()).measures.narrow


def test_width_may_change() -> None:
    """A narrow layout after a wide one keeps its order, and nothing of its widths."""
    wide = arrange(ten())
    narrow = arrange(ten(), wide, narrow=True)

    assert names(narrow, "queue") == names(wide, "queue")
    assert narrow.width < wide.width
    assert {node.width for node in arrange(ten(), narrow).of("queue").values()} == {
        node.width for node in wide.of("queue").values()
    }


# ---------------------------------------------------------------- the picture does not jump


@each_width
@each_graph
def test_same_snapshot_gives_same_layout(graph: Callable[[], Snapshot], *, narrow: bool) -> None:
    """A layout depends on nothing but the snapshot, and is its own previous one."""
    layout = arrange(graph(), narrow=narrow)

    assert arrange(graph(), narrow=narrow) == layout
    assert arrange(graph(), layout, narrow=narrow) == layout


@each_graph
def test_newcomer_leaves_the_others_in_order(graph: Callable[[], Snapshot]) -> None:
    """When a queue is added and bound, all that stood in the previous picture keeps its order."""
    before = graph()
    layout = arrange(before)
    queues = {**before.queues, "newcomer": QueueView("newcomer", QueueOptions())}
    bindings = {**before.bindings, **{Binding(e, "newcomer", "new.#"): 0 for e in [*before.exchanges][:1]}}
    after = arrange(Snapshot(**{**vars(before), "queues": queues, "bindings": bindings}), layout)

    assert [node.id for node in after.nodes if node.name != "newcomer"] == [node.id for node in layout.nodes]
    assert "newcomer" in names(after, "queue")


def test_newcomer_stands_beside_its_siblings() -> None:
    """A new queue stands below the last one of the same exchange."""
    bindings = [("a", "q", ""), ("b", "r", "")]
    layout = arrange(make("ab", "qr", bindings))

    assert names(arrange(make("ab", "qrs", [*bindings, ("a", "s", "")]), layout), "queue") == list("qsr")


def test_lanes_do_not_become_narrower() -> None:
    """When a deep queue has been emptied, its lane stays as wide as in the previous picture."""
    deep = arrange(make(queues=[QueueView("q", QueueOptions(), ready=12)]))
    empty = make(queues=["q"])

    assert arrange(empty).nodes[0].width < deep.nodes[0].width
    assert arrange(empty, deep).nodes[0].width == deep.nodes[0].width


# ---------------------------------------------------------------- values


@each_graph
def test_layout_is_ready_for_json(graph: Callable[[], Snapshot]) -> None:
    """A layout is made of plain values, and each edge names nodes that there are."""
    layout = arrange(graph())
    sent = json.loads(json.dumps(asdict(layout)))

    assert {edge[end] for edge in sent["edges"] for end in ("source", "target")} <= {
        "",
        *(node["id"] for node in sent["nodes"]),
    }
    assert len({node["id"] for node in sent["nodes"]}) == len(layout.nodes)


def large(*, at_random: bool = False) -> Snapshot:
    """Two hundred exchanges, a thousand queues, two thousand bindings, and second ways."""
    dice = random.Random(1)  # noqa: S311  (graphs, not secrets)
    exchanges = [f"e{i}" for i in range(200)]
    queues = [f"q{i}" for i in range(1000)]
    bindings = [(exchanges[i // 10], queues[i // 2], f"key.{i}") for i in range(2000)]
    if at_random:
        bindings = [(dice.choice(exchanges), dice.choice(queues), f"key.{i}") for i in range(2000)]
    bindings += [(exchanges[i], exchanges[i + 1], "pair") for i in range(0, 200, 2)]
    return make(
        exchanges,
        queues,
        bindings,
        consumers=[(1 + i // 2, queues[i]) for i in range(300)],
        published={"you": tuple(exchanges[:50])},
        alternates=dict.fromkeys(exchanges[::5], "e7"),
        dead_letters={queue: exchanges[i % 9] for i, queue in enumerate(queues[::3])},
    )


def test_large_topology() -> None:
    """A thousand queues are laid out, each on a row of its own."""
    layout = arrange(large())

    assert len([edge for edge in layout.edges if edge.kind == "binding"]) == 2100
    assert len(names(layout, "queue")) == 1000
    rows = [node.middle for node in layout.of("queue").values()]
    assert all(b - a > 60 for a, b in pairwise(rows))


@pytest.mark.parametrize("at_random", [False, True])
def test_large_topology_is_quick(*, at_random: bool) -> None:
    """A layout of a thousand queues takes less than a second of work, and that of a part much less."""
    snapshot = large(at_random=at_random)
    began = process_time()
    whole = arrange(snapshot)
    middle = process_time()
    near = neighbourhood(snapshot, "queue:q500")
    arrange(near.snapshot, folds=near.folds)
    end = process_time()

    assert middle - began < 1
    assert end - middle < 0.2
    assert arrange(snapshot, whole) == whole


# ---------------------------------------------------------------- a part of a large broker


def ids(near: Neighbourhood) -> set[str]:
    return {node.id for node in arrange(near.snapshot, folds=near.folds).nodes if node.kind != "channel"}


def test_small_broker_is_its_own_neighbourhood() -> None:
    """Up to forty things nothing is folded."""
    near = neighbourhood(ten(), "queue:queue-3")

    assert near.snapshot == ten()
    assert near.folds == ()


@pytest.mark.parametrize("focus", ["queue:q500", "exchange:e7", "consumer:4:c7", "publisher:you"])
def test_neighbourhood_keeps_what_is_near(focus: str) -> None:
    """The focus and at most forty things within two steps stand there, and all others are counted."""
    snapshot = large()
    near = neighbourhood(snapshot, focus)
    shown = ids(near)

    assert focus in shown
    assert len([id_ for id_ in shown if not id_.startswith("fold:")]) <= 40
    folded = sum(len(fold.names) for fold in near.folds)
    everything = [node for node in arrange(snapshot).nodes if node.kind != "channel"]
    assert folded + len(shown) - len(near.folds) == len(everything)
    assert not {f"{fold.kind}:{name}" for fold in near.folds for name in fold.names} & shown


def test_neighbourhood_follows_lines() -> None:
    """Two steps from a queue are its exchange, the other queues of that, its consumers, where it dies."""
    near = neighbourhood(large(), "queue:q12")

    assert {"exchange:e2", "queue:q10", "queue:q14", "consumer:7:c12", "exchange:e4"} <= ids(near)
    assert not {"queue:q0", "queue:q60"} & ids(near)  # of another exchange; one that dies at the same


def test_nearest_come_first() -> None:
    """Where even two steps are too many, one step goes before two."""
    queues = [f"q{i}" for i in range(50)]
    bindings = [("hub", queue, "") for queue in queues] + [("near", "q40", ""), ("far", "q3", "")]
    near = neighbourhood(make(["hub", "near", "far"], queues, bindings), "queue:q40", most=10)

    assert {"exchange:hub", "exchange:near", "queue:q40", "queue:q0"} <= ids(near)
    assert "exchange:far" not in ids(near)
    assert [fold.label for fold in near.folds] == ["+1 exchange", "+42 queues"]


def test_folds_stand_at_the_end_of_their_columns() -> None:
    """What is folded is one node in each column, below all others, to which exchanges still lead."""
    near = neighbourhood(large(), "exchange:e7")
    layout = arrange(near.snapshot, folds=near.folds)
    labels = {node.id: node.label for node in layout.of("fold").values()}

    assert set(labels) == {"fold:exchange", "fold:queue", "fold:consumer"}
    assert all(label.startswith("+") for label in labels.values())
    for kind in ("exchange", "queue", "consumer"):
        fold = layout.of("fold")[f"fold:{kind}"]
        assert fold.y > max((node.y for node in layout.of(kind).values()), default=0)
    assert between(layout, "exchange:e5", "fold:queue")


@pytest.mark.parametrize("focus", ["queue:q12", "exchange:e7", "exchange:e199"])
@each_width
def test_neighbourhood_is_drawn_like_any_graph(focus: str, *, narrow: bool) -> None:
    """Nothing covers anything where things are folded."""
    near = neighbourhood(large(at_random=True), focus)
    layout = arrange(near.snapshot, folds=near.folds, narrow=narrow)
    boxes = [box_of(node) for node in layout.nodes]
    texts = text_boxes(layout)

    assert not any(overlap(a, b) for a, b in combinations([*boxes, *texts], 2))
    for edge in layout.edges:
        for box in [*texts, *(box_of(node, inside=0.2) for node in bodies(layout))]:
            assert not any(overlap(run, box) for run in segments(edge))


def test_folded_exchange_is_not_missing() -> None:
    """Dead letters to an exchange that is folded lead to the fold, not to an open end."""
    queues = [f"q{i}" for i in range(50)]
    graph = make(
        ["e", "grave"], queues, [("e", queue, "") for queue in queues], dead_letters={"q40": "grave"}
    )
    near = neighbourhood(graph, "queue:q0", most=45)
    layout = arrange(near.snapshot, folds=near.folds)

    assert [edge.target for edge in layout.edges if edge.kind == "dead_letter"] == ["fold:exchange"]


def test_bindings_keep_their_places() -> None:
    """An edge names its bindings by their places in the whole snapshot."""
    snapshot = large()
    near = neighbourhood(snapshot, "queue:q500")
    bindings = list(snapshot.bindings)
    edges = [edge for edge in arrange(near.snapshot, folds=near.folds).edges if edge.bindings]

    assert edges
    assert all(bindings[place].source == edge.source[9:] for edge in edges for place in edge.bindings)


def test_focus_is_chosen_where_none_is_given() -> None:
    """It is the deepest queue, else the exchange that got most, else what was declared last."""
    idle = make(["e"], [f"q{i}" for i in range(50)])
    deep = replace(idle, queues={**idle.queues, "q7": QueueView("q7", QueueOptions(), 3)})
    busy = replace(idle, exchanges={"e": replace(idle.exchanges["e"], published=9)})

    assert neighbourhood(idle).focus == "queue:q49"
    assert neighbourhood(busy).focus == "exchange:e"
    assert neighbourhood(deep).focus == "queue:q7"
    assert neighbourhood(deep, "queue:gone").focus == "queue:q7"
    assert neighbourhood(deep, "queue:q1").focus == "queue:q1"


@pytest.mark.parametrize("seed", range(5))
def test_settling_keeps_distances(seed: int) -> None:
    """Heights that settle near their wishes keep their order and their distances, and grant what is free."""
    dice = random.Random(seed)  # noqa: S311  (graphs, not secrets)
    wishes = [dice.choice([None, dice.uniform(0, 300)]) for _ in range(30)]
    gaps = [dice.uniform(1, 20) for _ in range(29)]
    heights = settled(wishes, gaps)

    assert all(b - a >= gap - 1e-9 for a, b, gap in zip(heights, heights[1:], gaps, strict=False))
    assert settled([0, None, 500], [10, 10]) == [0, 10, 500]
    assert settled([], []) == []


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    "name", ["plain", "x" * 25, "two\nlines", "\x00\x1b[31m", "\u202eabc", "\ud800", "a\u2028b", ""]
)
def test_label_is_short_and_harmless(name: str) -> None:
    """Whatever a name holds, its label is one short line of printable characters."""
    assert label(name).isprintable()
    assert len(label(name)) <= LONGEST
    assert shown(name).isprintable()


def test_label_keeps_both_ends() -> None:
    """A long name is cut in its middle, since names often differ at their ends."""
    assert label("celery@" + "x" * 99 + ".example.org") == "celery@xxxxx…example.org"


def test_wrapping_breaks_at_spaces() -> None:
    """Lines are no wider than there is room, but a word is never broken."""
    assert wrapped("a bb ccc", 10, width_of("a bb", 10)) == ["a bb", "ccc"]
    assert wrapped("abcdefgh i", 10, 1) == ["abcdefgh", "i"]
