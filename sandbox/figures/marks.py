"""The routing graph as marks: what each thing of a snapshot looks like at its place in the layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sandbox.layout.arrangement import MARGIN, arrange
from sandbox.layout.measures import LINE, NAME, NOTE, PILL_HEIGHT, SLANT
from sandbox.layout.notes import DEFAULT_EXCHANGE, lost_note, publisher_notes
from sandbox.layout.words import width_of, wrapped

from .glyphs import TYPE_WIDTHS, arrowhead, confirmed, nacked, open_end, return_arrow, sender, type_glyph
from .lanes import channel, consumer, hand, lane
from .shapes import Shape, Words, box, circle, line, rounded
from .tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sandbox.engine.model import ExchangeOptions
    from sandbox.engine.snapshot import ExchangeView, PublisherView, Snapshot
    from sandbox.layout.arrangement import Edge, Layout, Node
    from sandbox.layout.measures import Measures
    from sandbox.layout.neighbourhood import Fold

    from .shapes import Mark, Path

CORNER = 12  # px: the radius of a line's corners
DASHES = (5, 4)  # px: of a line that a message takes only if it must
NARROWEST = 560  # px: a picture is no narrower, for the ledger's sake
HALF_PAGE = 340  # px: nor is one for half a page narrower than that
LOWEST = 96  # px: nor lower, above its ledger
LEDGER_LINE = 19  # px from one line of the ledger to the next


class Picture(NamedTuple):
    """Marks in the order of painting, and their size in px."""

    width: float
    height: float
    marks: list[Mark]


def picture_of(snapshot: Snapshot, *, narrow: bool = False, folds: Sequence[Fold] = ()) -> Picture:
    """The routing graph of a snapshot, and the ledger below it."""
    layout = arrange(snapshot, narrow=narrow, folds=folds)
    marks = [*_edges(layout, list(snapshot.bindings.values())), *_nodes(layout, snapshot)] or list(_nothing())
    width, height = max(layout.width, HALF_PAGE if narrow else NARROWEST), max(layout.height, LOWEST)
    lines = _ledger_lines(str(snapshot.ledger), width - 2 * layout.measures.margin)
    marks += _ledger(lines, layout.measures.margin, width, height)
    height += LEDGER_LINE * len(lines) + 20
    return Picture(width, height, [Shape(box(0, 0, width, height), "page", "", 0), *marks])


def _nothing() -> Iterator[Mark]:
    """An empty broker: what to type."""
    yield Words("Nothing is declared yet. Begin with", MARGIN, 42, NAME, "muted")
    yield Words('broker.exchange("orders", type="topic")', MARGIN, 64, NAME, bold=True)


def _ledger_lines(ledger: str, room: float) -> list[str]:
    """The ledger in one line, or each of its two balances in as few as it takes."""
    if width_of(ledger, NAME, bold=True) <= room:
        return [ledger]
    return [text for part in ledger.split(" · ") for text in wrapped(part, NAME, room, bold=True)]


def _ledger(lines: list[str], x: float, width: float, y: float) -> Iterator[Mark]:
    yield Shape(line((0, y), (width, y)), line="edge", width=1)
    for index, text in enumerate(lines):
        yield Words(text, x, y + 22 + index * LEDGER_LINE, NAME, bold=True)


# ---------------------------------------------------------------- lines


def _edges(layout: Layout, taken: list[int]) -> Iterator[Mark]:
    """Lines, then their arrows and keys; those that were taken lie on top of those that were not."""
    widths = {edge: _line_width(edge, taken) for edge in layout.edges}
    for edge in sorted(layout.edges, key=lambda edge: widths[edge]):
        dash = DASHES if edge.kind in ("alternate", "dead_letter") else None
        # From its end on, so that the dashes of lines that run together fall together.
        yield Shape(rounded(edge.points[::-1], CORNER), line="edge", width=widths[edge], dash=dash)
    tips: dict[tuple[float, float, int], None] = {}
    for edge in layout.edges:
        if edge.arrow_at is not None:
            tips[edge.arrow_at.x + 3, edge.arrow_at.y, -1 if edge.back else 1] = None
        elif edge.kind == "binding":
            tips[*edge.points[-1], 1] = None
        yield from _words(edge)
    yield from (arrowhead(*tip) for tip in tips)


def _words(edge: Edge) -> Iterator[Mark]:
    """A line's key, and what is said at its open end."""
    if edge.key_at is not None:
        role = "ink" if edge.kind == "binding" else "muted"
        yield Words(edge.key, *edge.key_at, NOTE, role, edge.key_anchor)
    if edge.note_at is not None:
        yield open_end(*edge.points[-1])
        yield Words(edge.note, *edge.note_at, NOTE, "ink", edge.key_anchor)


def _line_width(edge: Edge, taken: list[int]) -> float:
    if edge.kind != "binding":
        return 1.5
    return 2 if any(taken[index] for index in edge.bindings) else 1


# ---------------------------------------------------------------- things


def _nodes(layout: Layout, snapshot: Snapshot) -> Iterator[Mark]:
    measures = layout.measures
    for node in layout.nodes:
        match node.kind:
            case "publisher":
                yield from _publisher(node, snapshot.publishers[node.name])
            case "exchange":
                yield from _exchange(node, snapshot.exchanges.get(node.name, DEFAULT_EXCHANGE), measures)
            case "queue":
                yield from lane(node, snapshot.queues[node.name], snapshot.time, measures)
            case "consumer":
                yield from consumer(node, snapshot.consumers[node.channel, node.name], measures)
            case "fold":
                yield from _fold(node)
            case "hand":
                yield from hand(node, snapshot.channels[node.channel], measures)
            case _:
                yield from channel(node)


def _fold(node: Node) -> Iterator[Mark]:
    """Many things as one: a pile, of which the uppermost says how many they are."""
    for inset in (6, 3):
        bottom = node.y + node.height + inset
        pile = line((node.x + inset, bottom), (node.right - inset, bottom))
        yield Shape(pile, line="muted", width=1.2)
    yield Shape(box(node.x, node.y, node.width, node.height, 4), "page", "muted", 1.3)
    yield Words(node.label, node.x + node.width / 2, node.middle + 4, NOTE, "ink", "middle", bold=True)


def _publisher(node: Node, publisher: PublisherView) -> Iterator[Mark]:
    x = node.x + node.width / 2
    yield Shape(circle(x, node.middle, node.width / 2), "page", "ink")
    if node.label:
        yield Words(node.label, x, node.middle + 4, NOTE, "ink", "middle", bold=True)
    else:
        yield sender(x, node.middle)
    for index, note in enumerate(publisher_notes(publisher)):
        role = "ink" if index == 0 and not node.label else "muted"
        baseline = node.y + node.height + LINE * (index + 1)
        yield Words(note, x, baseline, NOTE, role, "middle")
        sign = _SIGNS.get(note.rpartition(" ")[2]) if index else None
        if sign is not None:
            yield from sign(x - width_of(note, NOTE) / 2 - 10, baseline - 4)


#: What stands before a publisher's counts.
_SIGNS: dict[str, Callable[[float, float], Iterable[Mark]]] = {
    "confirmed": lambda x, y: confirmed(x, y, 6.5),
    "nacked": lambda x, y: nacked(x, y, 6.5),
    "returned": return_arrow,
}


def _exchange(node: Node, exchange: ExchangeView, measures: Measures) -> Iterator[Mark]:
    if node.height == PILL_HEIGHT:
        yield from _pill(node, exchange.options.type)
    else:
        yield from _hexagon(node, exchange.options)
    if exchange.lost:
        yield from _lost(node, exchange, measures)


def _hexagon(node: Node, options: ExchangeOptions) -> Iterator[Mark]:
    middle, x = node.middle, node.x + node.width / 2
    yield Shape(_six_sides(node, 0), "page", "ink")
    if options.internal:
        yield Shape(_six_sides(node, 3), line="ink", width=1)
    yield Words(node.label, x, middle - 3, NAME, "ink", "middle", bold=True)
    yield from _type(options.type, x, middle + 12)


def _six_sides(node: Node, inside: float) -> Path:
    """The outline of a flat hexagon, or one further `inside`."""
    left, right = node.x + inside * 1.2, node.right - inside * 1.2
    top, bottom = node.y + inside, node.y + node.height - inside
    near, far = node.x + SLANT + inside * 0.6, node.right - SLANT - inside * 0.6
    corners = [(left, node.middle), (near, top), (far, top), (right, node.middle), (far, bottom)]
    return line(*corners, (near, bottom), closed=True)


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


def _lost(node: Node, exchange: ExchangeView, measures: Measures) -> Iterator[Mark]:
    """The message that was lost last falls below the exchange."""
    x, bottom = node.x + node.width / 2, node.y + node.height
    yield Shape(line((x, bottom + 2), (x, bottom + 18)), line="lost", width=2, dash=(2, 3))
    yield from token(exchange.last_lost, x, bottom + 28, "lost")
    at, anchor = (x, "middle") if node.aside is None else (node.aside, "start")
    yield Words(lost_note(exchange, measures), at, bottom + 53, NOTE, "ink", anchor)
