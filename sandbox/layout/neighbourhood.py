"""A part of a large broker: what stands near one thing, and how much more there is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .notes import second_ways, visible_exchanges
from .words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.engine.snapshot import Snapshot

#: The kinds of what can be folded, as their columns stand.
KINDS = ("publisher", "exchange", "queue", "consumer")


class Fold(NamedTuple):
    """All things of one kind that are left out; `sources` are the exchanges shown that lead there.

    `things` are the ids that they would have as nodes.
    """

    kind: str
    names: tuple[str, ...]
    sources: tuple[str, ...] = ()
    things: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """As that of a node."""
        return f"fold:{self.kind}"

    @property
    def label(self) -> str:
        """How many there are."""
        return f"+{counted(len(self.names), self.kind)}"


class Neighbourhood(NamedTuple):
    """A snapshot without what is far from the `focus` (the id of a node), and what was folded.

    Its bindings are still all bindings, so that their places stay what they are.
    """

    snapshot: Snapshot
    folds: tuple[Fold, ...] = ()
    focus: str = ""


def neighbourhood(
    snapshot: Snapshot, focus: str | None = None, *, steps: int = 2, most: int = 40
) -> Neighbourhood:
    """What stands within so many `steps` of the `focus`, if there are more than `most` things.

    If even those are too many, the nearest.  Without a focus, or if it is gone, it is what has most to do:
    the deepest queue, else the exchange that got most, else what was declared last.
    """
    things = dict(_things(snapshot))
    if len(things) <= most:
        return Neighbourhood(snapshot, focus=focus or "")
    if focus not in things:
        focus = _busiest(snapshot)
    kept = _near(focus, _neighbours(snapshot, things, focus), steps, most)
    return Neighbourhood(_without(snapshot, kept), tuple(_folds(snapshot, things, kept)), focus)


def _things(snapshot: Snapshot) -> Iterator[tuple[str, tuple[str, str]]]:
    """All that stands in a picture, by id, as (kind, name)."""
    for publisher in snapshot.publishers:
        yield f"publisher:{publisher}", ("publisher", publisher)
    for exchange in visible_exchanges(snapshot):
        yield f"exchange:{exchange.name}", ("exchange", exchange.name)
    for queue in snapshot.queues:
        yield f"queue:{queue}", ("queue", queue)
    for channel, tag in snapshot.consumers:
        yield f"consumer:{channel}:{tag}", ("consumer", tag)


def _busiest(snapshot: Snapshot) -> str:
    queues = [(queue.ready + queue.unacked, f"queue:{queue.name}") for queue in snapshot.queues.values()]
    exchanges = [(view.published, f"exchange:{view.name}") for view in visible_exchanges(snapshot)]
    for things in (queues, exchanges):
        if any(count for count, _ in things):
            return max(things, key=lambda thing: thing[0])[1]
    return (queues or exchanges)[-1][1]


def _neighbours(snapshot: Snapshot, things: Mapping[str, object], focus: str) -> dict[str, dict[str, None]]:
    """What is next to each thing, in the order of declaring.

    From an exchange for dead letters one comes to all queues that send some only if it is the focus.
    """
    neighbours: dict[str, dict[str, None]] = defaultdict(dict)
    for a, b in _pairs(snapshot):
        if a in things and b in things:
            neighbours[a][b] = neighbours[b][a] = None
    for _, a, to in second_ways(snapshot):
        b = f"exchange:{to}"
        if a in things and b in things:
            neighbours[a][b] = None
            if b == focus:
                neighbours[b][a] = None
    return neighbours


def _pairs(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """The ends of solid lines."""
    for binding in snapshot.bindings:
        target = "exchange" if binding.to_exchange else "queue"
        yield f"exchange:{binding.source}", f"{target}:{binding.destination}"
    for (channel, tag), consumer in snapshot.consumers.items():
        yield f"queue:{consumer.queue}", f"consumer:{channel}:{tag}"
    for publisher in snapshot.publishers.values():
        for name in publisher.exchanges:
            yield f"publisher:{publisher.name}", f"exchange:{name}"


def _near(focus: str, neighbours: Mapping[str, Mapping[str, None]], steps: int, most: int) -> set[str]:
    """The nearest things, itself included; whoever publishes or consumes joins nothing."""
    kept = {focus: None}
    edge = [focus]
    for _ in range(steps):
        found: dict[str, None] = {}
        for thing in edge:
            if thing == focus or thing.startswith(("exchange:", "queue:")):
                found.update(neighbours.get(thing, {}))
        edge = [thing for thing in found if thing not in kept]
        kept.update(dict.fromkeys(edge))
    return set(list(kept)[:most])


def _without(snapshot: Snapshot, kept: set[str]) -> Snapshot:
    """The snapshot with only these things."""
    return replace(
        snapshot,
        publishers={name: view for name, view in snapshot.publishers.items() if f"publisher:{name}" in kept},
        exchanges={name: view for name, view in snapshot.exchanges.items() if f"exchange:{name}" in kept},
        queues={name: view for name, view in snapshot.queues.items() if f"queue:{name}" in kept},
        consumers={
            (channel, tag): view
            for (channel, tag), view in snapshot.consumers.items()
            if f"consumer:{channel}:{tag}" in kept
        },
        channels={
            id_: replace(view, fetched=tuple(pair for pair in view.fetched if f"queue:{pair[0]}" in kept))
            for id_, view in snapshot.channels.items()
        },
    )


def _folds(snapshot: Snapshot, things: Mapping[str, tuple[str, str]], kept: set[str]) -> Iterator[Fold]:
    left: dict[str, dict[str, str]] = defaultdict(dict)
    for thing, (kind, name) in things.items():
        if thing not in kept:
            left[kind][thing] = name
    hidden = set(left["queue"].values())
    sources = {
        binding.source: None
        for binding in snapshot.bindings
        if not binding.to_exchange and binding.destination in hidden and f"exchange:{binding.source}" in kept
    }
    for kind in KINDS:
        if left[kind]:
            led = tuple(sources) if kind == "queue" else ()
            yield Fold(kind, tuple(left[kind].values()), led, tuple(left[kind]))
