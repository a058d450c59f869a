"""Where things stand: from a snapshot to coordinates, for every picture of the routing graph.

Units are px; x runs to the right and y down.  Everything is a plain value, ready for JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from .order import Order
from .parts import NOTE, graph_of
from .routes import BRACKET, Routes
from .rows import Rows
from .words import width_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.snapshot import Snapshot

    from .parts import Link, Part

#: The empty border around a graph.
MARGIN = 24

KEY_INDENT = 11  # from the end of a key to the end of its run
KEY_LIFT = 5  # from its baseline to the line


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

    With a `previous` layout, what stood there keeps its order, and lanes do not become narrower, so that
    the picture does not jump.
    """
    earlier = previous.nodes if previous else ()
    lane = max((node.width for node in earlier if node.kind == "queue"), default=0)
    graph = graph_of(snapshot, narrowest_lane=lane)
    order = Order(graph, previous=[node.id for node in earlier])
    rows = Rows(graph, order, MARGIN)
    routes = Routes(graph, order, rows, MARGIN)
    parts = [graph.parts[slot] for slots in order.layers for slot in slots if isinstance(slot, str)]
    nodes = [*map(_node, parts), *_channels(parts, routes.right + BRACKET)]
    width = max([routes.right, *(_text_right(node) for node in nodes)]) + MARGIN
    edges = tuple(_edge(link, routes) for link in graph.links)
    return Layout(ceil(width), ceil(rows.bottom + MARGIN), tuple(nodes), edges)


def _node(part: Part) -> Node:
    return Node(
        part.id,
        part.kind,
        part.name,
        part.label,
        x=round(part.x, 1),
        y=round(part.y - part.height / 2, 1),
        width=round(part.width, 1),
        height=part.height,
        channel=part.channel,
        chips=part.chips,
        chips_below=part.has_chip_line,
    )


def _channels(parts: list[Part], x: float) -> Iterator[Node]:
    """A bracket beside all that shares a channel."""
    members: dict[int, list[Part]] = {}
    for part in parts:
        if part.kind in ("consumer", "hand"):
            members.setdefault(part.channel, []).append(part)
    for channel, group in members.items():
        top = min(part.y - part.height / 2 for part in group)
        height = max(part.y + part.height / 2 for part in group) - top
        name = str(channel)
        yield Node(f"channel:{name}", "channel", name, f"ch {name}", round(x, 1), top, 6, height, channel)


def _text_right(node: Node) -> float:
    return node.right + 6 + width_of(node.label, NOTE) if node.kind == "channel" else node.right


def _edge(link: Link, routes: Routes) -> Edge:
    points = tuple(Point(*point) for point in routes.corners(link))
    end_x, end_y = routes.key_end(link)
    key_at = Point(round(end_x - KEY_INDENT, 1), end_y - KEY_LIFT) if link.key else None
    arrow_at = None
    if link.back:
        arrow_at = _middle(points[2:4], points[2].x)
    elif link.kind == "binding" and link.target.kind == "exchange":
        arrow_at = _middle(points, key_at.x - width_of(link.key, NOTE) if key_at else end_x)
    ends = link.source.id, link.target.id
    return Edge(link.kind, *ends, points, link.bindings, link.key, key_at, arrow_at, link.back)


def _middle(points: tuple[Point, ...], end: float) -> Point:
    """The middle of the longest flat run, where the last one lasts only to its key, or the `end`."""
    runs = [(a.x, min(b.x, end), a.y) for a, b in pairwise(points) if a.y == b.y and a.x <= end]
    a, b, y = max(runs, key=lambda run: abs(run[1] - run[0]))
    return Point(round((a + b) / 2, 1), y)
