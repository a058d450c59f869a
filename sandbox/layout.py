"""Where things stand: from a snapshot to coordinates, for every picture of the routing graph.

Units are px; x runs to the right and y down.  Everything is a plain value, ready for JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ._order import Order
from ._parts import LINE, NOTE, graph_of
from ._routes import BRACKET, Routes
from ._rows import Rows
from ._words import width_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._parts import Graph, Link, Part
    from .engine.snapshot import Snapshot

#: The empty border around a graph.
MARGIN = 24


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


@dataclass(frozen=True)
class Node:
    """The body of a publisher, an exchange, a queue's lane, a consumer's sockets, or a channel's bracket.

    `kind` is one of these, or `hand`: what was fetched by get.  `x` and `y` are its left and upper side.
    `label` is its name as shown, `name` the full one; `chips` are a queue's options in words, and stand on
    a line of their own if `chips_below`.
    """

    id: str
    kind: str
    name: str
    label: str
    x: float
    y: float
    width: float
    height: float
    channel: int = 0
    chips: tuple[str, ...] = ()
    chips_below: bool = False

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
    snapshot's bindings.  The baseline of its `key` ends at `key_at`.  A line between two exchanges has an
    arrow in its middle, at `arrow_at`; any other binding has it at its end.  It runs `back` if it closes a
    cycle of exchanges.
    """

    kind: str
    source: str
    target: str
    points: tuple[Point, ...]
    bindings: tuple[int, ...] = ()
    key: str = ""
    key_at: Point | None = None
    arrow_at: Point | None = None
    back: bool = False


@dataclass(frozen=True)
class Layout:
    """A routing graph with its size; nodes stand in the order of their layers, from top to bottom."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def of(self, kind: str) -> dict[str, Node]:
        """The nodes of one kind, by their ids, from top to bottom."""
        return {node.id: node for node in self.nodes if node.kind == kind}


def arrange(snapshot: Snapshot, previous: Layout | None = None) -> Layout:
    """The layout of a snapshot's routing graph.

    With a `previous` layout, what stood there keeps its order, so that the picture does not jump.
    """
    graph = graph_of(snapshot)
    order = Order(graph, [node.id for node in previous.nodes] if previous else ())
    rows = Rows(graph, order, MARGIN)
    routes = Routes(graph, order, rows, MARGIN)
    parts = [graph.parts[slot] for slots in order.layers for slot in slots if isinstance(slot, str)]
    nodes = [*map(_node, parts), *_channels(graph, routes.right + BRACKET)]
    width = max([routes.right, *(_text_right(node) for node in nodes)]) + MARGIN
    edges = tuple(_edge(link, routes) for link in graph.links)
    return Layout(round(width, 1), round(rows.bottom + MARGIN, 1), tuple(nodes), edges)


def _node(part: Part) -> Node:
    x, y = round(part.x, 1), round(part.y - part.height / 2, 1)
    on_own_line = part.kind == "queue" and bool(part.chips) and part.has_chip_line
    size = round(part.width, 1), part.height
    return Node(part.id, part.kind, part.name, part.label, x, y, *size, part.channel, part.chips, on_own_line)


def _channels(graph: Graph, x: float) -> Iterator[Node]:
    """A bracket beside all that shares a channel."""
    members: dict[int, list[Part]] = {}
    for part in graph.of("consumer", "hand"):
        members.setdefault(part.channel, []).append(part)
    for channel, parts in members.items():
        top = min(part.y - part.height / 2 for part in parts)
        height = max(part.y + part.height / 2 for part in parts) - top
        name = str(channel)
        yield Node(f"channel:{name}", "channel", name, f"ch {name}", round(x, 1), top, 6, height, channel)


def _text_right(node: Node) -> float:
    return node.right + 6 + width_of(node.label, NOTE) if node.kind == "channel" else node.right


def _edge(link: Link, routes: Routes) -> Edge:
    points = tuple(Point(*point) for point in routes.corners(link))
    key_at = arrow_at = None
    end_x, end_y = routes.key_end(link)
    if link.key:
        key_at = Point(round(end_x - 11, 1), end_y - 4)
    if link.kind == "binding" and link.target.kind == "exchange":
        arrow_at = _middle(points)
    return Edge(
        link.kind, link.source.id, link.target.id, points, link.bindings, link.key, key_at, arrow_at, link.back
    )


def _middle(points: tuple[Point, ...]) -> Point:
    """The middle of the longest flat run."""
    runs = zip(points, points[1:], strict=False)
    a, b = max((run for run in runs if run[0].y == run[1].y), key=lambda run: abs(run[0].x - run[1].x))
    return Point(round((a.x + b.x) / 2, 1), a.y)
