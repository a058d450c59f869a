"""The routing graph as marks: what each thing of a snapshot looks like at its place in the layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sandbox.layout.arrangement import MARGIN, arrange
from sandbox.layout.parts import LINE, NAME, NOTE, PILL_HEIGHT, SLANT, lost_note, publisher_notes
from sandbox.layout.words import width_of, wrapped

from .glyphs import TYPE_WIDTHS, arrowhead, sender, type_glyph
from .lanes import channel, consumer, hand, lane
from .shapes import Shape, Words, box, circle, line, rounded
from .tokens import token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.snapshot import ExchangeView, PublisherView, Snapshot
    from sandbox.layout.arrangement import Edge, Layout, Node

    from .shapes import Mark

CORNER = 12  # px: the radius of a line's corners
NARROWEST = 560  # px: a picture is no narrower, for the ledger's sake
LOWEST = 96  # px: nor lower, above its ledger
LEDGER_LINE = 19  # px from one line of the ledger to the next


class Picture(NamedTuple):
    """Marks in the order of painting, and their size in px."""

    width: float
    height: float
    marks: list[Mark]


def picture_of(snapshot: Snapshot) -> Picture:
    """The routing graph of a snapshot, and the ledger below it."""
    layout = arrange(snapshot)
    marks = [*_edges(layout, list(snapshot.bindings.values())), *_nodes(layout, snapshot)] or list(_nothing())
    width, height = max(layout.width, NARROWEST), max(layout.height, LOWEST)
    lines = wrapped(str(snapshot.ledger), NAME, width - 2 * MARGIN, bold=True)
    marks += _ledger(lines, width, height)
    height += LEDGER_LINE * len(lines) + 20
    return Picture(width, height, [Shape(box(0, 0, width, height), "page", "", 0), *marks])


def _nothing() -> Iterator[Mark]:
    """An empty broker: what to type."""
    yield Words("Nothing is declared yet. Begin with", MARGIN, 42, NAME, "muted")
    yield Words('broker.exchange("orders", type="topic")', MARGIN, 64, NAME, bold=True)


def _ledger(lines: list[str], width: float, y: float) -> Iterator[Mark]:
    yield Shape(line((0, y), (width, y)), line="edge", width=1)
    for index, text in enumerate(lines):
        yield Words(text, MARGIN, y + 22 + index * LEDGER_LINE, NAME, bold=True)


# ---------------------------------------------------------------- lines


def _edges(layout: Layout, taken: list[int]) -> Iterator[Mark]:
    """Lines, then their arrows and keys; those that were taken lie on top of those that were not."""
    widths = {edge: _line_width(edge, taken) for edge in layout.edges}
    for edge in sorted(layout.edges, key=lambda edge: widths[edge]):
        yield Shape(rounded(edge.points, CORNER), line="edge", width=widths[edge])
    tips: dict[tuple[float, float, int], None] = {}
    for edge in layout.edges:
        if edge.arrow_at is not None:
            tips[edge.arrow_at.x + 3, edge.arrow_at.y, -1 if edge.back else 1] = None
        elif edge.kind == "binding":
            tips[*edge.points[-1], 1] = None
        if edge.key_at is not None:
            yield Words(edge.key, *edge.key_at, NOTE, "ink", "end")
    yield from (arrowhead(*tip) for tip in tips)


def _line_width(edge: Edge, taken: list[int]) -> float:
    if edge.kind != "binding":
        return 1.5
    return 2 if any(taken[index] for index in edge.bindings) else 1


# ---------------------------------------------------------------- things


def _nodes(layout: Layout, snapshot: Snapshot) -> Iterator[Mark]:
    for node in layout.nodes:
        match node.kind:
            case "publisher":
                yield from _publisher(node, snapshot.publishers[node.name])
            case "exchange":
                yield from _exchange(node, snapshot.exchanges[node.name])
            case "queue":
                yield from lane(node, snapshot.queues[node.name], snapshot.time)
            case "consumer":
                yield from consumer(node, snapshot.consumers[node.channel, node.name])
            case "hand":
                yield from hand(node, snapshot.channels[node.channel])
            case _:
                yield from channel(node)


def _publisher(node: Node, publisher: PublisherView) -> Iterator[Mark]:
    x = node.x + node.width / 2
    yield Shape(circle(x, node.middle, node.width / 2), "page", "ink")
    if node.label:
        yield Words(node.label, x, node.middle + 4, NOTE, "ink", "middle", bold=True)
    else:
        yield sender(x, node.middle)
    notes = publisher_notes(publisher)
    for index, note in enumerate(notes):
        role = "ink" if index == 0 and not node.label else "muted"
        yield Words(note, x, node.y + node.height + 3 + LINE * (index + 1) - 3, NOTE, role, "middle")


def _exchange(node: Node, exchange: ExchangeView) -> Iterator[Mark]:
    if node.height == PILL_HEIGHT:
        yield from _pill(node, exchange.options.type)
    else:
        yield from _hexagon(node, exchange.options.type)
    if exchange.lost:
        yield from _lost(node, exchange)


def _hexagon(node: Node, type_: str) -> Iterator[Mark]:
    left, right, top, bottom = node.x, node.right, node.y, node.y + node.height
    middle, x = node.middle, node.x + node.width / 2
    corners = [(left, middle), (left + SLANT, top), (right - SLANT, top), (right, middle)]
    yield Shape(line(*corners, (right - SLANT, bottom), (left + SLANT, bottom), closed=True), "page", "ink")
    yield Words(node.label, x, middle - 3, NAME, "ink", "middle", bold=True)
    yield from _type(type_, x, middle + 12)


def _pill(node: Node, type_: str) -> Iterator[Mark]:
    yield Shape(box(node.x, node.y, node.width, node.height, node.height / 2), "page", "ink")
    x = node.x + 12
    glyph = TYPE_WIDTHS[type_]
    yield from type_glyph(type_, x + glyph / 2, node.middle)
    yield Words(node.label, x + glyph + 6, node.middle + 4, NOTE)


def _type(type_: str, x: float, baseline: float) -> Iterator[Mark]:
    """The type's sign and word, in the middle together."""
    glyph = TYPE_WIDTHS[type_]
    start = x - (glyph + 5 + width_of(type_, NOTE)) / 2
    yield from type_glyph(type_, start + glyph / 2, baseline - 4)
    yield Words(type_, start + glyph + 5, baseline, NOTE, "muted")


def _lost(node: Node, exchange: ExchangeView) -> Iterator[Mark]:
    """The message that was lost last falls below the exchange."""
    x, bottom = node.x + node.width / 2, node.y + node.height
    yield Shape(line((x, bottom + 2), (x, bottom + 18)), line="lost", width=2, dash=(2, 3))
    yield from token(exchange.last_lost, x, bottom + 28, "lost")
    yield Words(lost_note(exchange), x, bottom + 53, NOTE, "ink", "middle")
