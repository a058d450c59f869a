"""How the lines run: flat, and upright only on tracks between two layers.

The lines of one source share a track, from which each leaves at the height of its port; no two sources
share one where they would touch.  Behind the tracks lies the flat last run, where the key stands.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from .graph import Return
from .measures import LANE_HEIGHT, NOTE
from .order import slot_of
from .parts import leaves_at
from .words import width_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .graph import Graph, Link, Part
    from .order import Order
    from .rows import Rows

    Line = Link | Return

ARROW = 14  # px more for an arrow before the key
TOUCH = 5  # px: lines that are nearer than this touch
ROUNDS = 2  # of evading, for one that evades may meet another
EVADE = 6  # px by which a line moves that would lie on top of another
STRAIGHT = 4  # px: a line that would turn by less runs straight on
LABEL_GAP = 6  # px between the beginning of a dashed line and its label
MOST_COMPARED = 120  # sources in one gap; beyond, their tracks are sorted by a rule of thumb


class Bundle(NamedTuple):
    """The lines of one source in one gap: they come in at `entry` and leave at `exits`, in order.

    On their track they run from `high` to `low`.  Those that run back to one target look the same; where
    they turn, nothing comes in: their entry is infinite.
    """

    key: str | Line
    entry: float
    exits: tuple[float, ...]
    high: float
    low: float

    @classmethod
    def of(cls, key: str | Line, entry: float, exits: Iterable[float]) -> Bundle:
        """The bundle with these ends."""
        ordered = tuple(sorted(exits))
        ends = ordered if entry == inf else (min(entry, ordered[0]), max(entry, ordered[-1]))
        return cls(key, entry, ordered, ends[0], ends[-1])


class Routes:
    """Where the layers and tracks stand, from left to right, and every line's corners; sets each part's `x`.

    `right` is the end of the rightmost text.
    """

    def __init__(self, graph: Graph, order: Order, rows: Rows) -> None:
        self._rows = rows
        self._measures = graph.measures
        self._returns = graph.returns
        self._incoming: dict[str, list[Line]] = defaultdict(list)
        self._ends: dict[int, list[Line]] = defaultdict(list)
        lines: list[Line] = [*graph.links, *graph.returns]
        for line in lines:
            self._incoming[line.target.id].append(line)
            self._ends[line.target.layer - 1].append(line)
        self._track: dict[tuple[int, str | Line], float] = {}
        self._straighten(graph)
        self._place(graph, order, graph.measures.margin)

    def _straighten(self, graph: Graph) -> None:
        """Move a port, or where a line begins to run back, a little where that saves a turn."""
        rows = self._rows
        for link in graph.links:
            if not link.back and not self.merges(link.target):
                height = rows.height[slot_of(link.source, link.target.layer - 1)]
                if abs(rows.port[link] - height) <= STRAIGHT:
                    rows.port[link] = height
        for back in graph.returns:
            for layer in range(back.first, back.last + 1):
                exits, height = rows.return_exits(back, layer), rows.height[back.slot(layer)]
                if len(exits) == 1 and abs(exits[0] - height) <= STRAIGHT:
                    self._move_return(back, layer, exits[0], height - exits[0])

    def _move_return(self, back: Return, layer: int, height: float, shift: float) -> None:
        """Move what meets the layer behind this one at that height, on its way back."""
        rows, slot = self._rows, back.slot(layer + 1)
        if rows.height.get(slot) == height:
            rows.height[slot] += shift
        for link in back.links:
            source = link.source
            if source.layer == layer + 1 and rows.height[source.id] + rows.run[source.id] == height:
                rows.run[source.id] += shift

    def _place(self, graph: Graph, order: Order, margin: float) -> None:
        layers = [[graph.parts[slot] for slot in slots if isinstance(slot, str)] for slots in order.layers]
        x = margin
        self.right = margin
        for index, parts in enumerate(layers):
            before, behind = _column_sides(parts)
            width = before + behind
            for part in parts:
                part.x = round(x if part.layer > len(layers) - 3 else x + before - part.width / 2, 1)
            if width:
                self.right = x + width
            x = self._cross(graph, index, x + width, is_first=not width)

    def _cross(self, graph: Graph, layer: int, x: float, *, is_first: bool) -> float:
        """Lay the tracks of the gap behind a layer; returns where the next layer begins."""
        bundles = list(self._bundles(graph, layer))
        if not bundles:
            return x if is_first else x + self._measures.run
        start = x if is_first else x + self._measures.stub
        track = tracks(bundles)
        for _ in range(ROUNDS):
            found = overlaps(bundles, track)
            if not found:
                break
            for bundle, height in found:
                self._evade(bundle, height, layer)
            bundles = list(self._bundles(graph, layer))
            track = tracks(bundles)
        count = max(track.values(), default=-1) + 1
        pitch = min(self._measures.track, self._measures.tracks / max(1, count))
        for key, number in track.items():
            self._track[layer, key] = round(start + number * pitch, 1)
        return start + max(0, count - 1) * pitch + self._last_run(layer)

    def _bundles(self, graph: Graph, layer: int) -> Iterator[Bundle]:
        rows = self._rows
        tops: dict[str, list[float]] = defaultdict(list)
        for link, top in rows.top.items():
            if link.source.layer == layer:
                tops[link.source.id].append(top)
            if link.target.layer == layer + 1:
                yield Bundle.of(link, top, [rows.port[link]])
        for part in graph.parts.values():
            exits = rows.exits(part, layer) + tops[part.id] if part.layer <= layer else ()
            if exits:
                yield Bundle.of(part.id, rows.height[slot_of(part, layer)], exits)
        for back in self._returns:
            exits = rows.return_exits(back, layer)
            if exits:
                yield Bundle.of(back, rows.height.get(back.slot(layer), inf), exits)

    def _evade(self, bundle: Bundle, height: float, layer: int) -> None:
        """Move the ends of a bundle that would lie on top of another's beginning, towards its own."""
        shift = EVADE if bundle.entry > height else -EVADE
        ports = self._rows.port
        if isinstance(bundle.key, Return):
            self._move_return(bundle.key, layer, height, EVADE)  # downwards, away from the label
            return
        moved = {
            line.target.id
            for line in self._ends[layer]
            if not isinstance(line, Return) and line.source.id == bundle.key and ports[line] == height
        }
        for line in self._ends[layer]:
            if line.target.id in moved:
                ports[line] += shift
        if self._rows.height.get((str(bundle.key), layer + 1)) == height:
            self._rows.height[str(bundle.key), layer + 1] += shift

    def _last_run(self, layer: int) -> float:
        lines, measures = self._ends[layer], self._measures
        key = max((width_of(line.key, NOTE) for line in lines), default=0)
        run = key + measures.key_room if key else measures.run
        if any(self.merges(line.target) for line in lines):
            run += measures.merge
        arrow = any(line.kind == "binding" and line.target.kind == "exchange" for line in lines)
        return max(run + ARROW * arrow, self._label_room(layer))

    def _label_room(self, layer: int) -> float:
        """How far the labels of lines that run back from queues reach beyond their lanes."""
        labels = [
            (width_of(link.key, NOTE), leaves_at(link.source))
            for back in self._returns
            for link in back.links
            if link.source.layer == layer + 1 and link.source.kind == "queue"
        ]
        return max((width + 2 * LABEL_GAP - begin for width, begin in labels), default=0)

    def merges(self, target: Part) -> bool:
        """Whether the lines to this part merge before it, because not all can end on it."""
        lines = self._incoming[target.id]
        if target.kind == "exchange":
            return len(lines) > 1
        return any(abs(self._rows.port[line] - target.y) > LANE_HEIGHT / 2 - 4 for line in lines)

    # ------------------------------------------------------------ corners

    def corners(self, link: Link) -> list[tuple[float, float]]:
        """The points at which the line turns, from its source to its target."""
        points = [(link.source.right, link.source.y)]
        if link.back:
            self._over_the_top(link, points)
        else:
            for layer in range(link.source.layer, link.target.layer):
                self._through(link, layer, points)
        return self._to_the_end(link, points)

    def _through(self, link: Link, layer: int, points: list[tuple[float, float]]) -> None:
        last = link.target.layer == layer + 1
        next_y = self._rows.port[link] if last else self._rows.height[slot_of(link.source, layer + 1)]
        self._turn((layer, link.source.id), next_y, points)

    def _turn(self, track: tuple[int, str | Line], y: float, points: list[tuple[float, float]]) -> None:
        """Go to another height on a track, unless it is the same."""
        if y != points[-1][1]:
            x = self._track[track]
            points += [(x, points[-1][1]), (x, y)]

    def _over_the_top(self, link: Link, points: list[tuple[float, float]]) -> None:
        up = self._track[link.source.layer, link.source.id]
        down = self._track[link.target.layer - 1, link]
        top, port = self._rows.top[link], self._rows.port[link]
        points += [(up, link.source.y), (up, top), (down, top), (down, port)]

    def way_back(self, back: Return, link: Link) -> list[tuple[float, float]]:
        """The corners of one of the lines that run back: below its source, then to the left of its target."""
        rows, source, target = self._rows, link.source, link.target.layer
        points = [self.leaves(source), (self.leaves(source)[0], source.y + rows.run[source.id])]
        gaps = range(source.layer - 1, target - 2, -1)
        if source.layer < target:
            self._turn((source.layer - 1, back), rows.height[back.slot(source.layer)], points)
            gaps = range(source.layer, target)
        for gap in gaps:
            layer = gap if source.layer >= target else gap + 1
            last = gap == target - 1
            self._turn((gap, back), rows.port[back] if last else rows.height[back.slot(layer)], points)
        return self._to_the_end(back, points)

    def leaves(self, source: Part) -> tuple[float, float]:
        """Where a dashed line leaves a part, at its lower side."""
        return source.x + leaves_at(source), source.y + source.height / 2

    def _to_the_end(self, line: Line, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        x, y = self.key_end(line)
        if self.merges(line.target):
            if y != line.target.y:
                points += [(x, y), (x, line.target.y)]
            y = line.target.y
        return [*points, (line.target.tail, y)]

    def key_end(self, line: Line) -> tuple[float, float]:
        """Where the flat last run ends, over which the key stands."""
        merges = self.merges(line.target)
        x = line.target.x - self._measures.merge if merges else line.target.x
        return x, self._rows.port[line]


def _column_sides(parts: list[Part]) -> tuple[float, float]:
    """What a layer takes on both sides of its middle; hexagons in one layer become equally wide."""
    hexagons = [part for part in parts if part.kind == "exchange" and part.name]
    widest = max((part.width for part in hexagons), default=0)
    for part in hexagons:
        part.width = widest
    before = max((max(part.width, part.note_width) / 2 for part in parts), default=0)
    overhang = max((part.width / 2 + part.overhang for part in parts), default=0)
    return before, max(before, overhang)


# ---------------------------------------------------------------- tracks


def tracks(bundles: list[Bundle]) -> dict[str | Line, int]:
    """The track of each bundle that turns, counted from the left: the order in which they cross least."""
    turning = sorted((bundle for bundle in bundles if bundle.high < bundle.low), key=_rule)
    ordered = turning if len(turning) > MOST_COMPARED else _compared(turning)
    track: dict[str | Line, int] = {}
    taken: list[tuple[float, float, int]] = []
    for bundle in ordered:
        high, low = bundle.high - TOUCH, bundle.low + TOUCH
        number = 1 + max((t for top, bottom, t in taken if top < low and high < bottom), default=-1)
        taken.append((bundle.high, bundle.low, number))
        track[bundle.key] = number
    return track


def _rule(bundle: Bundle) -> tuple[bool, float]:
    """Of those that go down, the lower ones turn first; of those that go up, the higher ones."""
    down = sum(bundle.exits) / len(bundle.exits) > bundle.entry
    return down, -bundle.entry if down else bundle.entry


def _compared(bundles: list[Bundle]) -> list[Bundle]:
    """Each bundle put where it crosses those before it least."""
    ordered: list[Bundle] = []
    for bundle in bundles:
        costs = [
            (_crossings(bundle, other), _crossings(other, bundle))
            if other.high - TOUCH < bundle.low and bundle.high - TOUCH < other.low
            else (0, 0)
            for other in ordered
        ]
        cost = best = sum(before for before, _ in costs)
        place = 0
        for index, (before, after) in enumerate(costs):
            cost += after - before
            if cost < best:
                best, place = cost, index + 1
        ordered.insert(place, bundle)
    return ordered


def _crossings(left: Bundle, right: Bundle) -> int:
    """How often two bundles cross in this order; very often if one would run on top of the other."""
    count = _within(left.exits, right.high, right.low) + (left.high <= right.entry <= left.low)
    return count + 1000 * _within(left.exits, right.entry - TOUCH, right.entry + TOUCH)


def _within(heights: tuple[float, ...], high: float, low: float) -> int:
    return bisect_right(heights, low) - bisect_left(heights, high)


def overlaps(bundles: list[Bundle], track: dict[str | Line, int]) -> list[tuple[Bundle, float]]:
    """The ends of bundles at the height at which one begins whose track is further right."""
    turning = [bundle for bundle in bundles if bundle.key in track]
    entries = sorted((bundle.entry, track[bundle.key]) for bundle in turning)
    found = []
    for bundle in turning:
        for height in bundle.exits:
            first, last = (bisect_left(entries, (height + side, 0)) for side in (-TOUCH, TOUCH))
            if any(number > track[bundle.key] for _, number in entries[first:last]):
                found.append((bundle, height))
    return found
