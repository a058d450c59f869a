"""Where things stand: from a snapshot to coordinates, for every picture of the routing graph.

Units are px; x runs to the right and y down.  Everything is a plain value, ready for JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from .links import graph_of
from .measures import ASIDE, NARROW, NOTE, OPEN_END, SHORTEST_KEY, WIDE, Measures
from .notes import missing_note
from .order import Order
from .parts import leaves_at
from .routes import LABEL_GAP, Routes
from .rows import Rows
from .words import width_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.engine.snapshot import Snapshot

    from .graph import Graph, Link, Part
    from .neighbourhood import Fold
    from .order import Slot

#: The empty border around a wide graph.
MARGIN = WIDE.margin

KEY_LIFT = 5  # from the baseline of a key to the line


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


@dataclass(frozen=True)
class Node:
    """The body of a publisher, an exchange, a queue's lane, a consumer's sockets, or a channel's bracket.

    `kind` is one of these, or `hand`: what was fetched by get, or `fold`: what is left out.  `x` and `y` are
    its left and upper side.  `label` is its name as shown, and begins at `label_x`, if it stands above the
    body; `name` is the full one.  `chips` are a queue's options in words, and stand on a line of their own if
    `chips_below`.  The lane of a queue with a limit is as long as that, and its name may begin before it.
    What was lost below an exchange is told in the middle, or, if a dashed line leaves there, begins at
    `aside`.
    """

    id: str
    kind: str
    name: str
    label: str
    x: float
    y: float
    width: float
    height: float
    label_x: float = 0
    channel: int = 0
    chips: tuple[str, ...] = ()
    chips_below: bool = False
    aside: float | None = None

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width

    @property
    def middle(self) -> float:
        """The height of its middle."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Edge:
    """A line from node `source` to node `target`, which publishes, binds or consumes (`kind`).

    `points` are its corners, to be rounded.  `bindings` are the places of what it stands for in the
    snapshot's bindings.  The baseline of its `key` ends (`key_anchor`) at `key_at`.  A line between two
    exchanges has an arrow in its middle, at `arrow_at`; any other binding has it at its end.  It runs `back`
    if it closes a cycle of exchanges.

    Two kinds are dashed, begin below their source, and have their key there: an exchange's `alternate`, and
    the way of `dead_letter`s.  If there is no such exchange, there is no target: the line ends in an open
    circle, and `note` says so, at `note_at`.
    """

    kind: str
    source: str
    target: str
    points: tuple[Point, ...]
    bindings: tuple[int, ...] = ()
    key: str = ""
    key_at: Point | None = None
    key_anchor: str = "end"
    arrow_at: Point | None = None
    back: bool = False
    note: str = ""
    note_at: Point | None = None


@dataclass(frozen=True)
class Layout:
    """A routing graph with its size; nodes stand in the order of their layers, from top to bottom.

    The `measures` say what a drawing has room for.  `passing` are the lines that pass through layers, as
    source, layer, and their place among all nodes and such lines: only the next layout needs to know.
    """

    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    measures: Measures = WIDE
    passing: tuple[tuple[str, int, int], ...] = ()

    def order(self) -> list[Slot]:
        """Who stands above whom."""
        slots: list[Slot] = [node.id for node in self.nodes if node.kind != "channel"]
        for source, layer, place in self.passing:
            slots.insert(place, (source, layer))
        channels = dict.fromkeys(f"channel:{node.channel}" for node in self.nodes if node.channel)
        return [*slots, *channels]

    def of(self, kind: str) -> dict[str, Node]:
        """The nodes of one kind, by their ids, from top to bottom."""
        return {node.id: node for node in self.nodes if node.kind == kind}


def arrange(
    snapshot: Snapshot,
    previous: Layout | None = None,
    *,
    narrow: bool = False,
    folds: Sequence[Fold] = (),
) -> Layout:
    """The layout of a snapshot's routing graph.

    With a `previous` layout, what stood there keeps its order, and lanes do not become narrower, so that
    the picture does not jump.  A `narrow` one is for half a page, and leaves the publishers out.
    What a neighbourhood `folds` stands at the ends of the columns.
    """
    measures = NARROW if narrow else WIDE
    layout = _arranged(snapshot, previous, measures, folds)
    longest = max((width_of(edge.key, NOTE) for edge in layout.edges if edge.kind == "binding"), default=0)
    shorter = longest - (layout.width - measures.widest)
    if SHORTEST_KEY <= shorter < longest:
        layout = _arranged(snapshot, previous, replace(measures, longest_key=shorter), folds)
    return layout


def _arranged(
    snapshot: Snapshot, previous: Layout | None, measures: Measures, folds: Sequence[Fold]
) -> Layout:
    earlier = previous if previous and previous.measures.narrow == measures.narrow else Layout(0, 0, (), ())
    lanes = (node.right - node.label_x for node in earlier.nodes if node.kind == "queue")
    lane = round(max(lanes, default=0))
    reasons = {edge.source: edge.key for edge in earlier.edges if edge.kind == "dead_letter"}
    graph = graph_of(snapshot, measures, narrowest_lane=lane, earlier=reasons, folds=folds)
    order = Order(graph, previous=previous.order() if previous else ())
    rows = Rows(graph, order, measures.margin)
    routes = Routes(graph, order, rows)
    slots = [slot for layer in order.layers for slot in layer]
    parts = [graph.parts[slot] for slot in slots if isinstance(slot, str)]
    passing = tuple((*slot, place) for place, slot in enumerate(slots) if not isinstance(slot, str))
    brackets = list(_channels(parts, routes.right + measures.bracket, measures))
    edge = 1 if measures.narrow else measures.margin  # a narrow picture has its brackets in its border
    width = max(routes.right + measures.margin, *(_text_right(node) + edge for node in brackets), 0)
    edges = (*(_edge(link, routes, measures) for link in graph.links), *_second_ways(graph, rows, routes))
    return Layout(
        ceil(width),
        ceil(rows.bottom + measures.margin),
        (*map(_node, parts), *brackets),
        edges,
        measures,
        passing,
    )


def _node(part: Part) -> Node:
    left, right = round(part.tail, 1), round(part.right, 1)
    return Node(
        part.id,
        part.kind,
        part.name,
        part.label,
        x=left,
        y=round(part.y - part.height / 2, 1),
        width=round(right - left, 1),
        height=part.height,
        label_x=round(part.x, 1),
        channel=part.channel,
        chips=part.chips,
        chips_below=part.chips_below,
        aside=round(part.x + leaves_at(part) + ASIDE, 1) if part.aside else None,
    )


def _channels(parts: list[Part], x: float, measures: Measures) -> Iterator[Node]:
    """A bracket beside all that shares a channel; a narrow picture has it only where it is needed."""
    members: dict[int, list[Part]] = {}
    for part in parts:
        if part.kind in ("consumer", "hand"):
            members.setdefault(part.channel, []).append(part)
    for channel, group in members.items():
        if measures.narrow and len(group) == 1:
            continue
        top = min(part.y - part.height / 2 for part in group)
        height = max(part.y + part.height / 2 for part in group) - top
        label = "" if measures.narrow else f"ch {channel}"
        width = 5 if measures.narrow else 6
        identity = f"channel:{channel}"
        yield Node(identity, "channel", str(channel), label, round(x, 1), top, width, height, channel=channel)


def _text_right(node: Node) -> float:
    if node.kind != "channel" or not node.label:
        return node.right
    return node.right + 6 + width_of(node.label, NOTE)


def _edge(link: Link, routes: Routes, measures: Measures) -> Edge:
    points = _points(routes.corners(link))
    end_x, end_y = routes.key_end(link)
    key_at = Point(round(end_x - measures.key_indent, 1), end_y - KEY_LIFT) if link.key else None
    arrow_at = None
    if link.back:
        arrow_at = _middle(points[2:4], points[2].x)
    elif link.kind == "binding" and link.target.kind == "exchange":
        arrow_at = _middle(points, key_at.x - width_of(link.key, NOTE) if key_at else end_x)
    return Edge(
        link.kind,
        link.source.id,
        link.target.id,
        points,
        link.bindings,
        link.key,
        key_at,
        arrow_at=arrow_at,
        back=link.back,
    )


def _points(corners: list[tuple[float, float]]) -> tuple[Point, ...]:
    return tuple(Point(round(x, 1), round(y, 1)) for x, y in corners)


def _second_ways(graph: Graph, rows: Rows, routes: Routes) -> Iterator[Edge]:
    """The lines to alternate and dead-letter exchanges, and those that lead to none."""
    for back in graph.returns:
        for link in back.links:
            points = _points(routes.way_back(back, link))
            x, y = routes.key_end(back)
            label = _beside(link.source, routes, points[1].y - KEY_LIFT - 1)
            yield Edge(
                link.kind,
                link.source.id,
                link.target.id,
                points,
                (),
                link.key,
                *label,
                arrow_at=Point(round(x - 3, 1), round(y, 1)),
            )
    for kind, source, key in graph.open_ends:
        x, y = routes.leaves(source)
        end = source.y + rows.run[source.id]
        points = _points([(x, y), (x, end)])
        label = _beside(source, routes, end - OPEN_END + 14)
        (note_x, note_y), anchor = _beside(source, routes, end + 4)
        note_at = Point(note_x + (2 if anchor == "start" else -4), note_y)
        note = missing_note(kind, graph.measures)
        yield Edge(kind, source.id, "", points, (), key, *label, note=note, note_at=note_at)


def _beside(source: Part, routes: Routes, baseline: float) -> tuple[Point, str]:
    """Where a text stands beside the dashed line that leaves a part, and which end of it."""
    x, _ = routes.leaves(source)
    if source.kind == "queue":
        return Point(round(x - LABEL_GAP, 1), round(baseline, 1)), "end"
    return Point(round(x + ASIDE, 1), round(baseline, 1)), "start"


def _middle(points: tuple[Point, ...], end: float) -> Point:
    """The middle of the longest flat run, where the last one lasts only to its key, or the `end`."""
    runs = [(a.x, min(b.x, end), a.y) for a, b in pairwise(points) if a.y == b.y and a.x <= end]
    a, b, y = max(runs, key=lambda run: abs(run[1] - run[0]))
    return Point(round((a + b) / 2, 1), y)
