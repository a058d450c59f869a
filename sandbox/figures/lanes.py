"""Queues, and the consumers and channels that hold what they took from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.engine.snapshot import SEATS
from sandbox.layout.parts import (
    AT_THE_HEAD,
    BAR,
    CHIP_GAP,
    CHIP_LINE,
    LANE_HEIGHT,
    MOST_SOCKETS,
    NAME,
    NOTE,
    PALM,
    SEAT,
    STATUS,
    chip_width,
    consumer_status,
    hand_status,
    queue_counts,
    rest_in_lane,
    rest_of,
    sockets_of,
)
from sandbox.layout.words import width_of

from .glyphs import confirmed, gate, palm
from .shapes import Shape, Words, box, joined, line, rounded
from .tokens import DASH, held, hollow, ready, socket

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.engine.snapshot import ChannelView, ConsumerView, QueueView, Seat
    from sandbox.layout.arrangement import Node

    from .shapes import Mark

BAR_HEIGHT = 20
HEAD_BASELINE = 8  # px from a name to the lane or the sockets below it


# ---------------------------------------------------------------- queues


def lane(node: Node, queue: QueueView, time: float) -> Iterator[Mark]:
    """A queue; its head is on the right, beside the consumers."""
    yield Shape(box(node.x, node.y, node.width, node.height), "lane", "", 0)
    walls = [line((node.x, y), (node.right, y)) for y in (node.y, node.y + node.height)]
    yield Shape(joined(walls), line="ink")
    yield from _head(node, queue)
    copies = queue.ready + queue.unacked
    seats = queue.seats[: copies if copies <= SEATS else AT_THE_HEAD]
    for index, seat in enumerate(seats):
        x = node.right - SEAT * (index + 0.5)
        yield from hollow(seat, x, node.middle) if seat.unacked else ready(seat, time, x, node.middle)
    if copies > SEATS:
        yield from _rest(node, queue)


def _head(node: Node, queue: QueueView) -> Iterator[Mark]:
    baseline = node.y - HEAD_BASELINE
    above = baseline - CHIP_LINE * node.chips_below
    yield Words(node.label, node.x, above, NAME, bold=True)
    yield Words(queue_counts(queue), node.right, above, NOTE, "muted", "end")
    x = node.x
    if not node.chips_below:
        x += width_of(node.label, NAME, bold=True) + CHIP_GAP
    for chip in node.chips:
        width = chip_width(chip)
        yield Shape(box(x, baseline - 12, width, 16, 4), "", "edge", 1)
        yield Words(chip, x + width / 2, baseline, NOTE, "muted", "middle")
        x += width + CHIP_GAP


def _rest(node: Node, queue: QueueView) -> Iterator[Mark]:
    """A bar for all copies behind the first ones, with their exact number; a hollow one for the unacked."""
    bars = rest_in_lane(queue)
    right = node.right - SEAT * AT_THE_HEAD - 2
    width = (right - node.x - 8) / len(bars)
    for text, is_unacked in bars:
        yield from bar(right - width, node.middle, width, text, is_hollow=is_unacked)
        right -= width


def bar(x: float, y: float, width: float, text: str, *, is_hollow: bool) -> Iterator[Mark]:
    """Many copies as one, with words on it."""
    path = box(x + 1, y - BAR_HEIGHT / 2, width - 2, BAR_HEIGHT, 3)
    yield Shape(path, "", "muted", 1.3, DASH) if is_hollow else Shape(path, "alive", "ink")
    role = "muted" if is_hollow else "on_alive"
    yield Words(text, x + width / 2, y + 4, NOTE, role, "middle", bold=True)


# ---------------------------------------------------------------- consumers


def consumer(node: Node, view: ConsumerView) -> Iterator[Mark]:
    """A consumer, which is its sockets: as many as its prefetch, an open tray, or a chute."""
    yield Words(node.label, node.x, node.y - HEAD_BASELINE, NAME, bold=True)
    yield Words(consumer_status(view), node.x, node.y + node.height + STATUS - 3, NOTE, "muted")
    if view.no_ack:
        yield from _chute(node, view)
        return
    yield _pill(node) if view.prefetch else _tray(node)
    yield from _sockets(node.x + 4, node.middle, sockets_of(view) if view.prefetch else 0, view.held)
    if rest_of(view):
        folded = max(0, view.unacked - AT_THE_HEAD)
        text = f"+{folded or rest_of(view):,}"
        yield from bar(node.right - BAR - 4, node.middle, BAR, text, is_hollow=not folded)
    if view.is_full:
        yield gate(node.x - 12, node.middle)


def _sockets(x: float, y: float, sockets: int, seats: Sequence[Seat]) -> Iterator[Mark]:
    """Copies side by side, and the sockets that are left."""
    shown = seats if max(len(seats), sockets) <= MOST_SOCKETS else seats[:AT_THE_HEAD]
    for index in range(max(sockets, len(shown))):
        middle = x + SEAT * (index + 0.5)
        if index < len(shown):
            yield from held(shown[index], middle, y)
        else:
            yield socket(middle, y)


def _pill(node: Node) -> Shape:
    return Shape(box(node.x, node.y, node.width, node.height, LANE_HEIGHT / 2), "page", "ink")


def _tray(node: Node) -> Shape:
    """Open above: there is no limit."""
    bottom = node.y + node.height
    corners = [(node.x, node.y), (node.x, bottom), (node.right, bottom), (node.right, node.y)]
    return Shape(rounded(corners, 8), "", "ink")


def _chute(node: Node, view: ConsumerView) -> Iterator[Mark]:
    """Open on both sides: what comes is done at once."""
    for y, slope in ((node.y, 4), (node.y + node.height, -4)):
        yield Shape(line((node.x, y), (node.x + 16, y + slope), (node.right, y + slope)), line="ink")
    if view.received:
        yield from confirmed(node.right - 16, node.middle)


def hand(node: Node, channel: ChannelView) -> Iterator[Mark]:
    """What was fetched by get on one channel: no consumer, only a hand."""
    seats = [seat for _, seat in channel.fetched]
    x = node.x + PALM
    yield Words(node.label, node.x, node.y - HEAD_BASELINE, NAME, bold=True)
    yield Words(hand_status(channel), node.x, node.y + node.height + STATUS - 3, NOTE, "muted")
    yield from palm(node.x + 10, node.middle)
    yield Shape(box(x, node.y, node.right - x, node.height, LANE_HEIGHT / 2), "page", "ink")
    yield from _sockets(x + 4, node.middle, 0, seats)
    if len(seats) > MOST_SOCKETS:
        text = f"+{len(seats) - AT_THE_HEAD}" if len(seats) < SEATS else "more"
        yield from bar(node.right - BAR - 4, node.middle, BAR, text, is_hollow=False)


def channel(node: Node) -> Iterator[Mark]:
    """A bracket around all that shares a channel, and would go back to its queue if it closed."""
    corners = [
        (node.x, node.y),
        (node.right, node.y),
        (node.right, node.y + node.height),
        (node.x, node.y + node.height),
    ]
    yield Shape(line(*corners), line="edge", width=1.2)
    yield Words(node.label, node.right + 6, node.middle + 4, NOTE, "muted")
