"""How the lines run: flat, and upright only on tracks between two layers.

The lines of one source share a track, from which each leaves at the height of its port; no two sources
share one where they would touch.  Behind the tracks lies the flat last run, where the key stands.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from .order import slot_of
from .parts import LANE_HEIGHT, NOTE
from .words import width_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .order import Order
    from .parts import Graph, Link, Part
    from .rows import Rows

STUB = 18  # px from a layer to the first track
TRACK = 10  # px from one track to the next, if they are few
TRACKS = 160  # px for all tracks of one gap, if they are many
RUN = 40  # px of a last run without a key
KEY_ROOM = 30  # px of a last run beside its key
ARROW = 14  # px more for an arrow before the key
MERGE = 13  # px before a part at which its lines merge, if they are too many to end on it
BRACKET = 10  # px from the consumers to the brackets of their channels
TOUCH = 5  # px: lines that are nearer than this touch
ROUNDS = 2  # of evading, for one that evades may meet another
EVADE = 6  # px by which a line moves that would lie on top of another
STRAIGHT = 4  # px: a line that would turn by less runs straight on
MOST_COMPARED = 120  # sources in one gap; beyond, their tracks are sorted by a rule of thumb


class Bundle(NamedTuple):
    """The lines of one source in one gap: they come in at `entry` and leave at `exits`, in order.

    On their track they run from `high` to `low`.
    """

    key: str | Link
    entry: float
    exits: tuple[float, ...]
    high: float
    low: float

    @classmethod
    def of(cls, key: str | Link, entry: float, exits: Iterable[float]) -> Bundle:
        """The bundle with these ends."""
        ordered = tuple(sorted(exits))
        return cls(key, entry, ordered, min(entry, ordered[0]), max(entry, ordered[-1]))


class Routes:
    """Where the layers and tracks stand, from left to right, and every line's corners; sets each part's `x`.

    `right` is the end of the rightmost text.
    """

    def __init__(self, graph: Graph, order: Order, rows: Rows, margin: float) -> None:
        self._rows = rows
        self._incoming: dict[str, list[Link]] = defaultdict(list)
        self._ends: dict[int, list[Link]] = defaultdict(list)
        for link in graph.links:
            self._incoming[link.target.id].append(link)
            self._ends[link.target.layer - 1].append(link)
        self._track: dict[tuple[int, str | Link], float] = {}
        self._straighten(graph)
        self._place(graph, order, margin)

    def _straighten(self, graph: Graph) -> None:
        """Move a port a little where that saves its line a turn."""
        for link in graph.links:
            if not link.back and not self.merges(link.target):
                height = self._rows.height[slot_of(link.source, link.target.layer - 1)]
                if abs(self._rows.port[link] - height) <= STRAIGHT:
                    self._rows.port[link] = height

    def _place(self, graph: Graph, order: Order, margin: float) -> None:
        layers = [[graph.parts[slot] for slot in slots if isinstance(slot, str)] for slots in order.layers]
        x = margin
        self.right = margin
        for index, parts in enumerate(layers):
            width = _column_width(parts)
            for part in parts:
                part.x = x if part.layer > len(layers) - 3 else x + (width - part.width) / 2
            if width:
                self.right = x + width
            x = self._cross(graph, index, x + width, is_first=not width)

    def _cross(self, graph: Graph, layer: int, x: float, *, is_first: bool) -> float:
        """Lay the tracks of the gap behind a layer; returns where the next layer begins."""
        bundles = list(self._bundles(graph, layer))
        if not bundles:
            return x
        start = x if is_first else x + STUB
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
        pitch = min(TRACK, TRACKS / max(1, count))
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

    def _evade(self, bundle: Bundle, height: float, layer: int) -> None:
        """Move the ends of a bundle that would lie on top of another's beginning, towards its own."""
        shift = EVADE if bundle.entry > height else -EVADE
        ports = self._rows.port
        moved = {
            link.target.id
            for link in self._ends[layer]
            if link.source.id == bundle.key and ports[link] == height
        }
        for link in self._ends[layer]:
            if link.target.id in moved:
                ports[link] += shift
        if self._rows.height.get((str(bundle.key), layer + 1)) == height:
            self._rows.height[str(bundle.key), layer + 1] += shift

    def _last_run(self, layer: int) -> float:
        links = self._ends[layer]
        key = max((width_of(link.key, NOTE) for link in links), default=0)
        run = key + KEY_ROOM if key else RUN
        if any(self.merges(link.target) for link in links):
            run += MERGE
        return run + ARROW * any(link.kind == "binding" and link.target.kind == "exchange" for link in links)

    def merges(self, target: Part) -> bool:
        """Whether the lines to this part merge before it, because not all can end on it."""
        lines = self._incoming[target.id]
        if target.kind == "exchange":
            return len(lines) > 1
        return any(abs(self._rows.port[link] - target.y) > LANE_HEIGHT / 2 - 4 for link in lines)

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
        y = points[-1][1]
        next_y = self._rows.port[link] if last else self._rows.height[slot_of(link.source, layer + 1)]
        if y != next_y:
            x = self._track[layer, link.source.id]
            points += [(x, y), (x, next_y)]

    def _over_the_top(self, link: Link, points: list[tuple[float, float]]) -> None:
        up = self._track[link.source.layer, link.source.id]
        down = self._track[link.target.layer - 1, link]
        top, port = self._rows.top[link], self._rows.port[link]
        points += [(up, link.source.y), (up, top), (down, top), (down, port)]

    def _to_the_end(self, link: Link, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        x, y = self.key_end(link)
        if self.merges(link.target):
            if y != link.target.y:
                points += [(x, y), (x, link.target.y)]
            y = link.target.y
        return [*points, (link.target.x, y)]

    def key_end(self, link: Link) -> tuple[float, float]:
        """Where the flat last run ends, over which the key stands."""
        x = link.target.x - MERGE if self.merges(link.target) else link.target.x
        return x, self._rows.port[link]


def _column_width(parts: list[Part]) -> float:
    """The width of a layer; hexagons in one layer become equally wide."""
    hexagons = [part for part in parts if part.kind == "exchange" and part.name]
    widest = max((part.width for part in hexagons), default=0)
    for part in hexagons:
        part.width = widest
    return max((max(part.width, part.note_width) for part in parts), default=0)


# ---------------------------------------------------------------- tracks


def tracks(bundles: list[Bundle]) -> dict[str | Link, int]:
    """The track of each bundle that turns, counted from the left: the order in which they cross least."""
    turning = sorted((bundle for bundle in bundles if bundle.high < bundle.low), key=_rule)
    ordered = turning if len(turning) > MOST_COMPARED else _compared(turning)
    track: dict[str | Link, int] = {}
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


def overlaps(bundles: list[Bundle], track: dict[str | Link, int]) -> list[tuple[Bundle, float]]:
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
