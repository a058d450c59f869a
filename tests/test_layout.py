"""Where things stand: held by geometry, not by pixels."""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import combinations, pairwise

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
from sandbox.layout import MARGIN, Edge, Layout, Node, arrange
from sandbox.layout.measures import NOTE
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
) -> Snapshot:
    """A broker with these names, bindings (source, destination, key) and consumers (channel, queue)."""
    named = {e: ExchangeView(e, ExchangeOptions(type_)) for e in exchanges}
    views = [q if isinstance(q, QueueView) else QueueView(q, QueueOptions()) for q in queues]
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
    return make(exchanges, queues, bindings, consumers=consumers, published=published)


GRAPHS: dict[str, Callable[[], Snapshot]] = {
    function.__name__: function for function in (make, one, ten, forty, chain, cycle, many_consumers)
} | {f"random {seed}": lambda seed=seed: random_graph(seed) for seed in range(20)}

each_graph = pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)


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
    x, y = edge.key_at
    return x - width_of(edge.key, NOTE), y - NOTE * 0.8, x, y + NOTE * 0.25


def bodies(layout: Layout) -> list[Node]:
    return [node for node in layout.nodes if node.kind != "channel"]


def between(layout: Layout, source: str, target: str) -> list[Edge]:
    return [edge for edge in layout.edges if (edge.source, edge.target) == (source, target)]


def names(layout: Layout, kind: str) -> list[str]:
    return [node.name for node in layout.of(kind).values()]


# ---------------------------------------------------------------- everything has its own place


@each_graph
def test_boxes_do_not_overlap(graph: Callable[[], Snapshot]) -> None:
    """No two bodies cover each other, and all stand inside the picture."""
    layout = arrange(graph())
    boxes = [box_of(node) for node in layout.nodes]

    assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == []
    assert all(
        x >= MARGIN and y >= MARGIN and right < layout.width and low < layout.height
        for x, y, right, low in boxes
    )


@each_graph
def test_lines_are_flat_or_upright(graph: Callable[[], Snapshot]) -> None:
    """Each line runs flat or upright, from the right side of its source to the left side of its target."""
    layout = arrange(graph())
    nodes = {node.id: node for node in layout.nodes}
    for edge in layout.edges:
        assert all(a.x == b.x or a.y == b.y for a, b in pairwise(edge.points))
        source, target = nodes[edge.source], nodes[edge.target]
        assert edge.points[0] == pytest.approx((source.right, source.middle), abs=0.1)
        assert edge.points[-1].x == pytest.approx(target.x, abs=0.1)
        assert target.y <= edge.points[-1].y <= target.y + target.height


@each_graph
def test_no_line_passes_through_a_box(graph: Callable[[], Snapshot]) -> None:
    """A line touches only its own two ends."""
    layout = arrange(graph())
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


@each_graph
def test_each_key_has_its_own_place(graph: Callable[[], Snapshot]) -> None:
    """No key covers another one, a box, or any line."""
    layout = arrange(graph())
    keyed = [edge for edge in layout.edges if edge.key]
    assert not any(overlap(key_box(a), key_box(b)) for a, b in combinations(keyed, 2))
    for edge in keyed:
        assert not any(overlap(key_box(edge), box_of(node)) for node in bodies(layout))
        assert not any(overlap(key_box(edge), run) for other in layout.edges for run in segments(other))


@each_graph
def test_key_stands_on_the_last_run(graph: Callable[[], Snapshot]) -> None:
    """A key stands just above a flat run of its own line."""
    for edge in arrange(graph()).edges:
        if edge.key:
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
            assert edge.arrow_at is None


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


# ---------------------------------------------------------------- the picture does not jump


@each_graph
def test_same_snapshot_gives_same_layout(graph: Callable[[], Snapshot]) -> None:
    """A layout depends on nothing but the snapshot, and is its own previous one."""
    layout = arrange(graph())

    assert arrange(graph()) == layout
    assert names(arrange(graph(), layout), "queue") == names(layout, "queue")


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
        n["id"] for n in sent["nodes"]
    }
    assert len({node["id"] for node in sent["nodes"]}) == len(layout.nodes)


@pytest.mark.timeout(20)
def test_large_topology() -> None:
    """A thousand queues are laid out, each on a row of its own, without comparing all with all."""
    exchanges = [f"e{i}" for i in range(200)]
    queues = [f"q{i}" for i in range(1000)]
    bindings = [(exchanges[i // 10], queues[i // 2], f"key.{i}") for i in range(2000)]
    bindings += [(exchanges[i], exchanges[i + 1], "pair") for i in range(0, 200, 2)]
    layout = arrange(make(exchanges, queues, bindings))

    assert len(layout.edges) == 2100
    assert sorted(names(layout, "queue")) == sorted(queues)
    rows = [node.middle for node in layout.of("queue").values()]
    assert all(b - a > 60 for a, b in pairwise(rows))


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
