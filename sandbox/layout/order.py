"""In which layer each part stands, and in which order within it.

Layers from left to right: publishers | levels of exchanges | queues | consumers.  All lines of one source
run together until they part, so a line that crosses a layer takes one slot in it, however many targets
lie beyond.  A *slot* is the id of a part, or (source, layer) where the lines of that source pass through.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .graph import Graph, Link, Part

Slot = str | tuple[str, int]

#: How often the order is swept to and fro in search of fewer crossings.
SWEEPS = 6


class Order:
    """The slots of each layer, top to bottom.

    `previous` are the slots of an earlier picture in its order: those keep it, and a newcomer stands
    after the last one that it shares a neighbour with.
    """

    def __init__(self, graph: Graph, previous: Iterable[Slot] = ()) -> None:
        set_layers(graph)
        self.reach = _reach(graph)
        self.layers = _seeded(graph, self.reach)
        pairs = _pairs(graph)
        known = {id_: index for index, id_ in enumerate(previous)}
        if known.keys() & graph.parts.keys():
            self.layers = [_kept(slots, known, _neighbours(pairs)) for slots in self.layers]
        else:
            self.layers = _least_crossing(self.layers, pairs)
        self.layers.append(_consumers(graph, self.layers[-1], known))
        for slots in self.layers:  # what is folded stands at the end
            slots.sort(key=lambda slot: isinstance(slot, str) and graph.parts[slot].kind == "fold")
        self.rank = {slot: index for slots in self.layers for index, slot in enumerate(slots)}


# ---------------------------------------------------------------- layers


def set_layers(graph: Graph) -> None:
    """Give each part its layer: an exchange stands behind all that are bound to it, by the longest path."""
    exchanges = graph.of("exchange")
    outgoing: dict[str, list[Link]] = defaultdict(list)
    for link in graph.links:
        if link.target.kind == "exchange" and link.kind == "binding":
            outgoing[link.source.id].append(link)
    for exchange in exchanges:
        exchange.layer = 1
    for exchange in _topological(exchanges, outgoing):
        for link in outgoing[exchange.id]:
            if not link.back:
                link.target.layer = max(link.target.layer, exchange.layer + 1)
    deepest = max((exchange.layer for exchange in exchanges), default=0)
    for part in graph.of("queue"):
        part.layer = deepest + 1
    for part in graph.of("consumer", "hand"):
        part.layer = deepest + 2
    columns = {"publisher": 0, "exchange": 1, "queue": deepest + 1, "consumer": deepest + 2}
    for part in graph.of("fold"):
        part.layer = columns[part.column]


def _topological(parts: list[Part], outgoing: dict[str, list[Link]]) -> list[Part]:
    """The exchanges, sources first; links that lead back into the path that led to them are marked `back`."""
    finished: list[Part] = []
    seen: set[str] = set()
    for root in parts:
        if root.id not in seen:
            _visit(root, outgoing, seen, finished)
    return finished[::-1]


def _visit(root: Part, outgoing: dict[str, list[Link]], seen: set[str], finished: list[Part]) -> None:
    # Not recursive: a chain of exchanges may be longer than Python's stack.
    path = [(root, iter(outgoing[root.id]))]
    on_path = {root.id}
    seen.add(root.id)
    while path:
        part, links = path[-1]
        link = next(links, None)
        if link is None:
            path.pop()
            on_path.discard(part.id)
            finished.append(part)
        elif link.target.id in on_path:
            link.back = True
        elif link.target.id not in seen:
            seen.add(link.target.id)
            on_path.add(link.target.id)
            path.append((link.target, iter(outgoing[link.target.id])))


def _reach(graph: Graph) -> dict[str, int]:
    """The layer to which the lines of each source run."""
    reach: dict[str, int] = {}
    for link in graph.links:
        if not link.back:
            reach[link.source.id] = max(reach.get(link.source.id, 0), link.target.layer)
    return reach


def slot_of(source: Part, layer: int) -> Slot:
    """Where the lines of this source stand in a layer: the source itself, or the slot they pass through."""
    return source.id if layer == source.layer else (source.id, layer)


# ---------------------------------------------------------------- order


def _seeded(graph: Graph, reach: dict[str, int]) -> list[list[Slot]]:
    """The layers up to the queues' in the order of declaring, then what passes through them."""
    last = max((part.layer for part in graph.of("exchange")), default=0) + 1
    layers: list[list[Slot]] = [[] for _ in range(last + 1)]
    for part in graph.of("publisher", "exchange", "queue", "fold"):
        if part.layer <= last:
            layers[part.layer].append(part.id)
    for part in graph.of("publisher", "exchange"):
        for layer in range(part.layer + 1, reach.get(part.id, 0)):
            layers[layer].append((part.id, layer))
    return layers


def _pairs(graph: Graph) -> dict[int, list[tuple[Slot, Slot]]]:
    """The lines between each layer and the next one, by the number of the former."""
    pairs: dict[int, dict[tuple[Slot, Slot], None]] = defaultdict(dict)
    for link in graph.links:
        if link.kind == "consume" or link.back:
            continue
        source, last = link.source, link.target.layer - 1
        for layer in range(source.layer, last):
            pairs[layer][slot_of(source, layer), slot_of(source, layer + 1)] = None
        pairs[last][slot_of(source, last), link.target.id] = None
    return {layer: list(lines) for layer, lines in pairs.items()}


def _least_crossing(layers: list[list[Slot]], pairs: dict[int, list[tuple[Slot, Slot]]]) -> list[list[Slot]]:
    """The order of all that were tried with the fewest crossings; the first one if none is better."""
    best, fewest = layers, _crossings(layers, pairs)
    tried = layers
    for sweep in range(SWEEPS):
        if not fewest:
            break
        tried = _swept(tried, pairs, forward=sweep % 2 == 0)
        count = _crossings(tried, pairs)
        if count < fewest:
            best, fewest = tried, count
    return best


def _swept(
    layers: list[list[Slot]], pairs: dict[int, list[tuple[Slot, Slot]]], *, forward: bool
) -> list[list[Slot]]:
    """Each layer sorted by the mean place of its neighbours in the layer before it, in this direction."""
    swept = list(layers)
    indices = range(1, len(layers)) if forward else range(len(layers) - 2, -1, -1)
    for index in indices:
        fixed = index - 1 if forward else index + 1
        rank = {slot: place for place, slot in enumerate(swept[fixed])}
        means = _means(pairs.get(min(index, fixed), []), rank, forward=forward)
        own = {slot: float(place) for place, slot in enumerate(swept[index])}
        swept[index] = sorted(swept[index], key=lambda slot, m=means, o=own: m.get(slot, o[slot]))  # type: ignore[misc]
    return swept


def _means(lines: list[tuple[Slot, Slot]], rank: dict[Slot, int], *, forward: bool) -> dict[Slot, float]:
    places: dict[Slot, list[int]] = defaultdict(list)
    for left, right in lines:
        if forward:
            places[right].append(rank[left])
        else:
            places[left].append(rank[right])
    return {slot: sum(found) / len(found) for slot, found in places.items()}


def _crossings(layers: list[list[Slot]], pairs: dict[int, list[tuple[Slot, Slot]]]) -> int:
    """How many pairs of lines cross."""
    return sum(_inversions(lines, layers[layer], layers[layer + 1]) for layer, lines in pairs.items())


def _inversions(lines: list[tuple[Slot, Slot]], left: list[Slot], right: list[Slot]) -> int:
    left_rank = {slot: place for place, slot in enumerate(left)}
    right_rank = {slot: place for place, slot in enumerate(right)}
    ends = [end for _, end in sorted((left_rank[a], right_rank[b]) for a, b in lines)]
    count = 0
    seen: list[int] = []
    for end in reversed(ends):
        count += bisect_left(seen, end)
        insort(seen, end)
    return count


# ---------------------------------------------------------------- keeping an earlier order


def _neighbours(pairs: dict[int, list[tuple[Slot, Slot]]]) -> dict[Slot, set[Slot]]:
    neighbours: dict[Slot, set[Slot]] = defaultdict(set)
    for lines in pairs.values():
        for left, right in lines:
            neighbours[left].add(right)
            neighbours[right].add(left)
    return neighbours


def _kept(slots: list[Slot], known: dict[Slot, int], neighbours: dict[Slot, set[Slot]]) -> list[Slot]:
    """The known parts in their earlier order, each newcomer after its last sibling, or at the end."""
    kept: list[Slot] = sorted((slot for slot in slots if slot in known), key=lambda slot: known[slot])
    last_of = {near: index for index, slot in enumerate(kept) for near in neighbours[slot]}
    after: dict[int, list[Slot]] = defaultdict(list)
    for slot in slots:
        if slot not in known:
            siblings = [last_of[near] for near in neighbours[slot] if near in last_of]
            after[max(siblings, default=len(kept) - 1)].append(slot)
    return after[-1] + [newer for index, slot in enumerate(kept) for newer in (slot, *after[index])]


# ---------------------------------------------------------------- consumers


def _consumers(graph: Graph, queues: list[Slot], known: dict[Slot, int]) -> list[Slot]:
    """Consumers and hands, those of one channel together, in the order of their queues."""
    rank = {slot: place for place, slot in enumerate(queues)}
    members: dict[Slot, list[tuple[int, Slot]]] = defaultdict(list)
    neighbours: dict[Slot, set[Slot]] = defaultdict(set)
    for part in graph.of("consumer", "hand"):
        channel = f"channel:{part.channel}"
        members[channel].append((rank.get(part.near, len(rank)), part.id))
        neighbours[channel].add(part.near)
    means = {channel: sum(place for place, _ in found) / len(found) for channel, found in members.items()}
    channels = sorted(members, key=lambda channel: means[channel])
    if any(channel in known for channel in channels):
        channels = _kept(channels, known, neighbours)
    slots = [slot for channel in channels for _, slot in sorted(members[channel], key=lambda found: found[0])]
    return [*slots, *(part.id for part in graph.of("fold") if part.column == "consumer")]
