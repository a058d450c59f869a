"""How high each part stands: queues in even rows, all others as level with their neighbours as can be.

Heights are in px from the top.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate, pairwise, repeat
from math import inf
from statistics import median
from typing import TYPE_CHECKING

from .graph import Return
from .measures import KEY_LINE, LINE, OPEN_END, RETURN
from .order import slot_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .graph import Graph, Link, Part
    from .order import Order, Slot

    Line = Link | Return

GAP = 16  # between the texts of one part and those of the next
BESIDE = 10  # between one part and a line that passes by
PASSING = 5  # what a line that passes through a layer needs on either side
PASSING_GAP = 4  # between two of those
BELOW_PORTS = 16  # from the lowest line that ends on a part to one that runs back below it, under its label
STEADY = 3  # how much more lines want to stay level that need not turn
TOP_GAP = 12  # between the highest part and the lowest line that runs over all parts


class Rows:
    """The height of every slot, and of every port, which is where one line ends on its target.

    Lines that close a cycle of exchanges run back over the top: each has a `top` of its own.  Lines to
    alternate and dead-letter exchanges run back below their source, at its `run`, or end there in an open
    circle.  `bottom` is the end of the lowest text.
    """

    def __init__(self, graph: Graph, order: Order, margin: float) -> None:
        self.height: dict[Slot, float] = {}
        self.port: dict[Line, float] = {}
        self.top: dict[Link, float] = {}
        self.run: dict[str, float] = {}
        self._returns = graph.returns
        self._turning = {link.source.id for back in graph.returns for link in back.links}
        self._ending = {source.id for _, source, _ in graph.open_ends}
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
        key = LINE if any(line.key for line in lines) else 2
        above, below = part.height / 2 + part.above, part.height / 2 + part.below
        if slot in self._turning:
            self.run[slot] = max(below + RETURN, half + BELOW_PORTS)
            below = self.run[slot] + PASSING
        elif slot in self._ending:
            self.run[slot] = max(below, half + 2) + OPEN_END
            below = self.run[slot] + PASSING
        return max(above, half + key), max(below, half + 2)

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
        if isinstance(a, str) and isinstance(b, str):
            return GAP
        return PASSING_GAP if isinstance(a, tuple) and isinstance(b, tuple) else BESIDE

    # ------------------------------------------------------------ placing

    def _place_layers(self) -> None:
        *left, queues, consumers = self._order.layers
        self._place(queues, [0.0, *accumulate(self._gaps(queues))])
        for layer in reversed(range(len(left))):
            self._settle(left[layer], layer)
        wishes = [self.height.get(self._parts[str(slot)].near) for slot in consumers]
        self._place(consumers, settled(wishes, self._gaps(consumers)))

    def _settle(self, slots: Sequence[Slot], layer: int) -> None:
        """Place a layer, then once more with the lines that run back through it, each where it comes from."""
        wishes = {slot: self._wish(slot, layer) for slot in slots}
        heights = settled([wishes[slot] for slot in slots], self._gaps(slots))
        passing = {back.slot(layer): back for back in self._returns if back.first <= layer <= back.last}
        if passing:
            for slot, back in passing.items():
                self._extents[slot] = PASSING, PASSING
                wishes[slot] = median(self.return_exits(back, layer))
            heard = dict(zip(slots, heights, strict=False)) | {slot: wishes[slot] for slot in passing}
            slots = sorted(heard, key=lambda slot: heard[slot] or 0)
            # They stay level, as do single lines, rather than parts whose lines have to turn anyway.
            weights = [STEADY if slot in passing or self._is_single(slot, layer) else 1 for slot in slots]
            heights = settled([wishes[slot] for slot in slots], self._gaps(slots), weights)
        self._place(slots, heights)

    def _place(self, slots: Sequence[Slot], heights: Sequence[float]) -> None:
        for slot, height in zip(slots, heights[: len(slots)], strict=True):
            self.height[slot] = height
        for slot in slots:
            lines = self._in_order(self._incoming.get(slot, ()))
            for index, line in enumerate(lines):
                self.port[line] = self.height[slot] + (index - (len(lines) - 1) / 2) * KEY_LINE

    def _in_order(self, lines: Sequence[Line]) -> Sequence[Line]:
        """The lines that end on one part: those that return to it come from above or from below."""
        above: list[Line] = []
        below: list[Line] = []
        for line in lines:
            if isinstance(line, Return):
                layer, height = line.target.layer, self.height[line.target.id]
                comes = [self.height.get(line.slot(layer), inf), *self.runs(line, layer)]
                (above if min(comes) < height else below).append(line)
        return [*above, *(line for line in lines if not isinstance(line, Return)), *below]

    def runs(self, back: Return, layer: int) -> list[float]:
        """Where lines leave the parts of a layer to run back."""
        sources = [link.source.id for link in back.links if link.source.layer == layer]
        return [self.height[source] + self.run[source] for source in sources]

    def return_exits(self, back: Return, layer: int) -> list[float]:
        """Where lines that run back meet the next layer to the right."""
        slot = back.slot(layer + 1)
        passing = [self.height[slot]] if back.first <= layer + 1 <= back.last else []
        port = [self.port[back]] if back.target.layer == layer + 1 else []
        return [*passing, *self.runs(back, layer + 1), *port]

    def _wish(self, slot: Slot, layer: int) -> float | None:
        """The middle of where the lines of this slot lead to, in the next layer; a target counts once."""
        source = self._parts[slot if isinstance(slot, str) else slot[0]]
        ends: dict[str, list[float]] = defaultdict(list)
        for target, height in self._arrivals(source, layer):
            ends[target].append(height)
        return median(map(median, ends.values())) if ends else None

    def _is_single(self, slot: Slot, layer: int) -> bool:
        """Whether the lines of this slot lead to one part only."""
        source = self._parts[slot if isinstance(slot, str) else slot[0]]
        return len({target for target, _ in self._arrivals(source, layer)}) == 1

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
        self.port = {line: round(y + shift, 1) for line, y in self.port.items()}
        self.top = {link: round(y + shift, 1) for link, y in self.top.items()}
        for part in self._parts.values():
            part.y = self.height[part.id]


def _incoming(graph: Graph, order: Order) -> dict[Slot, list[Line]]:
    """The lines that end on each part from above to below: back lines first, then as their sources stand."""
    incoming: dict[Slot, list[Link]] = defaultdict(list)
    for link in graph.links:
        incoming[link.target.id].append(link)

    def place(link: Link) -> int:
        return -1 if link.back else order.rank[slot_of(link.source, link.target.layer - 1)]

    lines: dict[Slot, list[Line]] = defaultdict(list)
    for slot, links in incoming.items():
        lines[slot] = [*sorted(links, key=place)]
    for back in graph.returns:
        lines[back.target.id].append(back)
    return lines


def settled(
    wishes: Sequence[float | None], gaps: Sequence[float], weights: Sequence[int] | None = None
) -> list[float]:
    """Heights in this order, `gaps` apart at least, whose distances to the wishes add up to the least.

    Whoever has no wish stands right behind the one before; by its weight, a wish may count as several.

    >>> settled([10, 10, 100], [8, 8])
    [6.0, 14.0, 100]
    """
    offsets = [0.0, *accumulate(gaps)]
    # Blocks of those that stand at their least distance; each is as high as the median of its wishes.
    blocks: list[tuple[list[float], int]] = []
    for wish, offset, weight in zip(wishes, offsets, weights or repeat(1), strict=False):
        block: tuple[list[float], int] = ([], 1) if wish is None else ([wish - offset] * weight, 1)
        while blocks and (not block[0] or not blocks[-1][0] or median(blocks[-1][0]) > median(block[0])):
            earlier = blocks.pop()
            block = sorted(earlier[0] + block[0]), earlier[1] + block[1]
        blocks.append(block)
    starts = [median(values) if values else 0.0 for values, count in blocks for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=False)]
