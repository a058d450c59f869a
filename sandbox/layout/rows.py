"""How high each part stands: queues in even rows, all others as level with their neighbours as can be.

Heights are in px from the top.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate, pairwise
from statistics import median
from typing import TYPE_CHECKING

from .order import slot_of
from .parts import KEY_LINE, LINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .order import Order, Slot
    from .parts import Graph, Link, Part

GAP = 16  # between the texts of one part and those of the next
PASSING = 5  # what a line that passes through a layer needs on either side
PASSING_GAP = 4  # between two of those
TOP_GAP = 12  # between the highest part and the lowest line that runs over all parts


class Rows:
    """The height of every slot, and of every port, which is where one line ends on its target.

    Lines that close a cycle of exchanges run back over the top: each has a `top` of its own.  `bottom` is
    the end of the lowest text.
    """

    def __init__(self, graph: Graph, order: Order, margin: float) -> None:
        self.height: dict[Slot, float] = {}
        self.port: dict[Link, float] = {}
        self.top: dict[Link, float] = {}
        self._order = order
        self._parts = graph.parts
        self._links: dict[str, list[Link]] = defaultdict(list)
        for link in graph.links:
            self._links[link.source.id].append(link)
        self._incoming = _incoming(graph, order)
        self._extents = {slot: self._extent(slot) for slots in order.layers for slot in slots}
        self._make_room_for_consumers(graph)
        self._place_layers()
        self._place_backward_lines(graph)
        self._shift(margin)

    # ------------------------------------------------------------ room

    def _extent(self, slot: Slot) -> tuple[float, float]:
        """What a slot needs above and below its own height, its ports and their keys included."""
        if not isinstance(slot, str):
            return PASSING, PASSING
        part, lines = self._parts[slot], self._incoming.get(slot, ())
        half = max(0.0, (len(lines) - 1) / 2 * KEY_LINE)
        key = LINE if any(link.key for link in lines) else 2
        return max(part.height / 2 + part.above, half + key), max(part.height / 2 + part.below, half + 2)

    def _make_room_for_consumers(self, graph: Graph) -> None:
        """A queue's row is as high as all its consumers, so that each can stand level with its queue.

        One without consumers is as high as if it had one, for the sake of even rows.
        """
        wanted: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for part in graph.of("consumer", "hand"):
            wanted[part.near].append(self._extents[part.id])
        single = [extents[0] for extents in wanted.values()][:1]
        for queue in graph.of("queue"):
            needs = wanted.get(queue.id, single)
            up, down = self._extents[queue.id]
            more = (len(needs) - 1) * (sum(needs[0]) + GAP) / 2 if needs else 0
            for need in needs:
                up, down = max(up, need[0] + more), max(down, need[1] + more)
            self._extents[queue.id] = up, down

    def _gaps(self, slots: Sequence[Slot]) -> list[float]:
        """From the middle of each slot to the middle of the next one, at least."""
        return [self._extents[a][1] + self._gap(a, b) + self._extents[b][0] for a, b in pairwise(slots)]

    def _gap(self, a: Slot, b: Slot) -> float:
        return GAP if isinstance(a, str) or isinstance(b, str) else PASSING_GAP

    # ------------------------------------------------------------ placing

    def _place_layers(self) -> None:
        *left, queues, consumers = self._order.layers
        self._place(queues, [0.0, *accumulate(self._gaps(queues))])
        for layer in reversed(range(len(left))):
            wishes = [self._wish(slot, layer) for slot in left[layer]]
            self._place(left[layer], settled(wishes, self._gaps(left[layer])))
        wishes = [self.height.get(self._parts[str(slot)].near) for slot in consumers]
        self._place(consumers, settled(wishes, self._gaps(consumers)))

    def _place(self, slots: Sequence[Slot], heights: Sequence[float]) -> None:
        for slot, height in zip(slots, heights[: len(slots)], strict=True):
            self.height[slot] = height
            lines = self._incoming.get(slot, ())
            for index, link in enumerate(lines):
                self.port[link] = height + (index - (len(lines) - 1) / 2) * KEY_LINE

    def _wish(self, slot: Slot, layer: int) -> float | None:
        """The middle of where the lines of this slot lead to, in the next layer; a target counts once."""
        source = self._parts[slot if isinstance(slot, str) else slot[0]]
        ends: dict[str, list[float]] = defaultdict(list)
        for target, height in self._arrivals(source, layer):
            ends[target].append(height)
        return median(map(median, ends.values())) if ends else None

    def exits(self, source: Part, layer: int) -> list[float]:
        """Where the lines of a source, coming from `layer`, arrive in the next one."""
        return [height for _, height in self._arrivals(source, layer)]

    def _arrivals(self, source: Part, layer: int) -> Iterator[tuple[str, float]]:
        goes_on = False
        for link in self._links[source.id]:
            if not link.back and link.target.layer == layer + 1:
                yield link.target.id, self.port[link]
            goes_on = goes_on or (not link.back and link.target.layer > layer + 1)
        if goes_on:
            yield "", self.height[slot_of(source, layer + 1)]

    def _place_backward_lines(self, graph: Graph) -> None:
        highest = min((self.height[slot] - up for slot, (up, _) in self._extents.items()), default=0)
        backward = [link for link in graph.links if link.back]
        backward.sort(key=lambda link: link.source.layer - link.target.layer)
        for index, link in enumerate(backward):
            self.top[link] = highest - TOP_GAP - index * KEY_LINE / 2

    def _shift(self, margin: float) -> None:
        """Move everything so that the highest part or line stands `margin` below the top."""
        ends = [
            (self.height[slot] - up, self.height[slot] + down) for slot, (up, down) in self._extents.items()
        ]
        highest = min([*(up for up, _ in ends), *self.top.values()], default=0)
        shift = margin - highest
        self.bottom = max((down for _, down in ends), default=0) + shift
        self.height = {slot: round(y + shift, 1) for slot, y in self.height.items()}
        self.port = {link: round(y + shift, 1) for link, y in self.port.items()}
        self.top = {link: round(y + shift, 1) for link, y in self.top.items()}
        for part in self._parts.values():
            part.y = self.height[part.id]


def _incoming(graph: Graph, order: Order) -> dict[Slot, list[Link]]:
    """The lines that end on each part from above to below: back lines first, then as their sources stand."""
    incoming: dict[Slot, list[Link]] = defaultdict(list)
    for link in graph.links:
        incoming[link.target.id].append(link)

    def place(link: Link) -> int:
        return -1 if link.back else order.rank[slot_of(link.source, link.target.layer - 1)]

    return {slot: sorted(links, key=place) for slot, links in incoming.items()}


def settled(wishes: Sequence[float | None], gaps: Sequence[float]) -> list[float]:
    """Heights in this order, `gaps` apart at least, whose distances to the wishes add up to the least.

    Whoever has no wish stands right behind the one before.

    >>> settled([10, 10, 100], [8, 8])
    [6.0, 14.0, 100]
    """
    offsets = [0.0, *accumulate(gaps)]
    # Blocks of those that stand at their least distance; each is as high as the median of its wishes.
    blocks: list[tuple[list[float], int]] = []
    for wish, offset in zip(wishes, offsets, strict=False):
        block: tuple[list[float], int] = ([], 1) if wish is None else ([wish - offset], 1)
        while blocks and (not block[0] or not blocks[-1][0] or median(blocks[-1][0]) > median(block[0])):
            earlier = blocks.pop()
            block = sorted(earlier[0] + block[0]), earlier[1] + block[1]
        blocks.append(block)
    starts = [median(values) if values else 0.0 for values, count in blocks for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=False)]
