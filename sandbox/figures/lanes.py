"""Queues, and the consumers and channels that hold what they took from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.engine.snapshot import SEATS
from sandbox.layout.measures import (
    BAR,
    CHIP_GAP,
    CHIP_LINE,
    LANE_HEIGHT,
    NAME,
    NOTE,
    PALM,
    SEAT,
    STATUS,
    WIDE,
)
from sandbox.layout.notes import (
    chip_width,
    consumer_status,
    hand_status,
    has_limit,
    in_hand,
    queue_counts,
    rest_in_lane,
    rest_of,
    seats_in_lane,
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
    from sandbox.layout.measures import Measures

    from .shapes import Mark

BAR_HEIGHT = 20
WALL = 5  # px: the wall at the tail of a queue that holds only so much
STAND_BY = (5, 4)  # px: the dashes of a consumer that waits for its turn
HEAD_BASELINE = 8  # px from a name to the lane or the sockets below it


# ---------------------------------------------------------------- queues


def lane(node: Node, queue: QueueView, time: float, measures: Measures = WIDE) -> Iterator[Mark]:
    """A queue; its head is on the right, beside the consumers."""
    yield Shape(box(node.x, node.y, node.width, node.height), "lane", "", 0)
    walls = [line((node.x, y), (node.right, y)) for y in (node.y, node.y + node.height)]
    yield Shape(joined(walls), line="ink")
    if has_limit(queue.options):
        yield Shape(line((node.x, node.y - 3), (node.x, node.y + node.height + 3)), line="ink", width=WALL)
    yield from _head(node, queue, measures)
    for index, seat in enumerate(queue.seats[: seats_in_lane(queue, measures)]):
        x = node.right - SEAT * (index + 0.5)
        yield from hollow(seat, x, node.middle) if seat.unacked else ready(seat, time, x, node.middle)
    if rest_in_lane(queue, measures):
        yield from _rest(node, queue, measures)


def _head(node: Node, queue: QueueView, measures: Measures) -> Iterator[Mark]:
    baseline = node.y - HEAD_BASELINE
    above = baseline - CHIP_LINE * node.chips_below
    x = node.label_x
    yield Words(node.label, x, above, NAME, bold=True)
    yield Words(queue_counts(queue, measures), node.right, above, NOTE, "muted", "end")
    if not node.chips_below:
        x += width_of(node.label, NAME, bold=True) + CHIP_GAP
    for chip in node.chips:
        width = chip_width(chip)
        yield Shape(box(x, baseline - 12, width, 16, 4), "", "edge", 1)
        yield Words(chip, x + width / 2, baseline, NOTE, "muted", "middle")
        x += width + CHIP_GAP


def _rest(node: Node, queue: QueueView, measures: Measures) -> Iterator[Mark]:
    """A bar for all copies behind the first ones, with their exact number; a hollow one for the unacked."""
    bars = rest_in_lane(queue, measures)
    right = node.right - SEAT * measures.at_the_head - 2
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


def consumer(node: Node, view: ConsumerView, measures: Measures = WIDE) -> Iterator[Mark]:
    """A consumer, which is its sockets: as many as its prefetch, an open tray, or a chute."""
    yield Words(node.label, node.x, node.y - HEAD_BASELINE, NAME, bold=True)
    status = consumer_status(view, measures)
    yield Words(status, node.x, node.y + node.height + STATUS - 3, NOTE, "muted")
    dash = None if view.active else STAND_BY
    if view.no_ack:
        yield from _chute(node, view, dash)
        return
    yield _pill(node, dash) if view.prefetch else _tray(node, dash)
    sockets = sockets_of(view, measures)
    yield from _sockets(node.x + 4, node.middle, sockets if view.prefetch else 0, view.held[:sockets])
    if rest_of(view, measures):
        folded = max(0, view.unacked - measures.at_the_head)
        text = f"+{folded or rest_of(view, measures):,}"
        yield from bar(node.right - BAR - 4, node.middle, BAR, text, is_hollow=not folded)
    if view.is_full:
        yield gate(node.x - measures.gate, node.middle)


def _sockets(x: float, y: float, sockets: int, seats: Sequence[Seat]) -> Iterator[Mark]:
    """Copies side by side, and the sockets that are left."""
    for index in range(max(sockets, len(seats))):
        middle = x + SEAT * (index + 0.5)
        if index < len(seats):
            yield from held(seats[index], middle, y)
        else:
            yield socket(middle, y)


def _pill(node: Node, dash: tuple[float, float] | None) -> Shape:
    path = box(node.x, node.y, node.width, node.height, LANE_HEIGHT / 2)
    return Shape(path, "page", "ink", dash=dash)


def _tray(node: Node, dash: tuple[float, float] | None) -> Shape:
    """Open above: there is no limit."""
    bottom = node.y + node.height
    corners = [(node.x, node.y), (node.x, bottom), (node.right, bottom), (node.right, node.y)]
    return Shape(rounded(corners, 8), "", "ink", dash=dash)


def _chute(node: Node, view: ConsumerView, dash: tuple[float, float] | None) -> Iterator[Mark]:
    """Open on both sides: what comes is done at once."""
    for y, slope in ((node.y, 4), (node.y + node.height, -4)):
        side = line((node.x, y), (node.x + 16, y + slope), (node.right, y + slope))
        yield Shape(side, line="ink", dash=dash)
    if view.received:
        yield from confirmed(node.right - 16, node.middle)


def hand(node: Node, channel: ChannelView, measures: Measures = WIDE) -> Iterator[Mark]:
    """What was fetched by get on one channel: no consumer, only a hand."""
    seats = [seat for _, seat in channel.fetched]
    single = in_hand(channel, measures)
    x = node.x + PALM
    yield Words(node.label, node.x, node.y - HEAD_BASELINE, NAME, bold=True)
    status = hand_status(channel, measures)
    yield Words(status, node.x, node.y + node.height + STATUS - 3, NOTE, "muted")
    yield from palm(node.x + 10, node.middle)
    yield Shape(box(x, node.y, node.right - x, node.height, LANE_HEIGHT / 2), "page", "ink")
    yield from _sockets(x + 4, node.middle, 0, seats[:single])
    if len(seats) > single:
        text = f"+{len(seats) - single}" if len(seats) < SEATS else "more"
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
    if node.label:
        yield Words(node.label, node.right + 6, node.middle + 4, NOTE, "muted")
