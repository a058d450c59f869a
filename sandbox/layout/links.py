"""Which lines run between the parts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from .graph import Graph, Link, Return
from .notes import DEFAULT_EXCHANGE, alternate_label, folded_keys, key_of, reasons_of, second_ways
from .parts import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sandbox.engine.model import Binding
    from sandbox.engine.snapshot import Snapshot

    from .graph import Part
    from .measures import Measures
    from .neighbourhood import Fold


def graph_of(
    snapshot: Snapshot,
    measures: Measures,
    narrowest_lane: float = 0,
    earlier: Mapping[str, str] | None = None,
    folds: Sequence[Fold] = (),
) -> Graph:
    """Everything of the snapshot that is drawn; `earlier` are the labels of dead letters, by their queues."""
    graph = Graph(measures)
    for part in parts_of(snapshot, measures, narrowest_lane, folds):
        graph.parts[part.id] = part
    graph.links = [*_publishes(snapshot, graph), *_bindings(snapshot, graph), *_consumes(snapshot, graph)]
    graph.links += _to_folds(graph, folds)
    _add_returns(snapshot, graph, earlier or {}, folds)
    return graph


def _publishes(snapshot: Snapshot, graph: Graph) -> Iterator[Link]:
    for publisher in snapshot.publishers.values():
        source = graph.get("publisher", publisher.name)
        for name in publisher.exchanges if source else ():
            exchange = graph.get("exchange", name)
            if source is not None and exchange is not None:
                yield Link("publish", source, exchange)


def _bindings(snapshot: Snapshot, graph: Graph) -> Iterator[Link]:
    pairs: dict[tuple[str, str, bool], list[tuple[int, Binding]]] = defaultdict(list)
    for index, binding in enumerate(snapshot.bindings):
        pairs[binding.source, binding.destination, binding.to_exchange].append((index, binding))
    for (source_name, target_name, to_exchange), bindings in pairs.items():
        source = graph.get("exchange", source_name)
        target = graph.get("exchange" if to_exchange else "queue", target_name)
        if source is not None and target is not None:
            type_ = snapshot.exchanges.get(source_name, DEFAULT_EXCHANGE).options.type
            room = graph.measures.longest_key
            for key, indices in folded_keys([(index, key_of(b, type_, room=room)) for index, b in bindings]):
                yield Link("binding", source, target, key, indices)


def _consumes(snapshot: Snapshot, graph: Graph) -> Iterator[Link]:
    for consumer in snapshot.consumers.values():
        queue = graph.get("queue", consumer.queue)
        if queue is not None:
            yield Link("consume", queue, graph.parts[f"consumer:{consumer.channel}:{consumer.tag}"])


def _to_folds(graph: Graph, folds: Sequence[Fold]) -> Iterator[Link]:
    """One line from each exchange that leads to queues that are left out."""
    for fold in folds:
        for name in fold.sources:
            source = graph.get("exchange", name)
            if source is not None:
                yield Link("binding", source, graph.parts[fold.id])


def _add_returns(snapshot: Snapshot, graph: Graph, earlier: Mapping[str, str], folds: Sequence[Fold]) -> None:
    """Lines to alternate exchanges and to those for dead letters, by kind and target."""
    returns: dict[tuple[str, str], Return] = {}
    folded = {n: graph.parts[fold.id] for fold in folds if fold.kind == "exchange" for n in fold.names}
    for kind, source, name, text in _second_ways(snapshot, graph, earlier):
        target = graph.get("exchange", name) or folded.get(name)
        if target is not None:
            found = returns.setdefault((kind, target.id), Return(kind, target))
            found.links.append(Link(kind, source, target, text))
        elif name not in snapshot.exchanges:
            graph.open_ends.append((kind, source, text))
    graph.returns = list(returns.values())


def _second_ways(
    snapshot: Snapshot, graph: Graph, earlier: Mapping[str, str]
) -> Iterator[tuple[str, Part, str, str]]:
    """Those that begin in the picture, as (kind, source, name of the target, label)."""
    for kind, id_, name in second_ways(snapshot):
        source = graph.parts.get(id_)
        if source is not None:
            text = alternate_label(graph.measures)
            if kind == "dead_letter":
                text = reasons_of(snapshot.queues[source.name], earlier.get(id_, ""))
            yield kind, source, name, text
