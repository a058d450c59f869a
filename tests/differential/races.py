"""What RabbitMQ leaves to chance, found in the rehearsal; a step that does it is taken out of its program.

RabbitMQ keeps the order of what one process sends to another, and promises nothing about what two processes
send to a third.  Queues and channels are processes of their own (rabbit_amqqueue_process, rabbit_channel).
So a step is a race

* if one channel gets deliveries from several queues: their delivery tags could be the other way round;
* if several things happen to one queue that do not come from the same process: a message from the publishing
  channel and a dead letter from another queue, dead letters from two queues, or from one while a channel
  requeues; when a connection closes, its channels end side by side;
* if bindings vanish (with an auto-delete queue, an expired one) while dead letters are routed;
* if a commit acknowledges messages of a queue to which it also publishes, or of which it requeues or rejects
  others: acknowledgements overtake (rabbit_amqqueue_process:prioritise_cast).

A queue's own dead letters to itself are no race, for nobody else sends them; unless a channel settles the
queue's messages in several portions (rabbit_channel:foreach_per_queue), for they may come in between.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from .rules import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.core import Engine
    from sandbox.engine.events import Event

    from .steps import Seat, Step


#: What becomes of a delivery that its channel settles.
_SETTLED = ("requeued", "acked", "rejected", "dead_lettered")

#: Steps that return what is unacked in one portion.
_CLOSING = ("close_channel", "close_connection")


class Race(Exception):
    """The step that came from this draft is not to be."""

    def __init__(self, draft: int, why: str) -> None:
        super().__init__(why)
        self.draft = draft


class Scene(NamedTuple):
    """One step on the sandbox, and what happened there."""

    draft: int
    step: Step
    events: list[Event]
    seats: Mapping[int, Seat]  # of the channels, by their numbers in the history
    engine: Engine
    version: tuple[int, ...]


def refuse_races(scene: Scene) -> None:
    """Raise Race if chance, or a rule that excludes the step, decides what it does."""
    for why in (_mixed_tags(scene), _mixed_arrivals(scene), _mixed_portions(scene), _routing_changes(scene)):
        if why:
            raise Race(scene.draft, why)
    for rule in RULES:
        if rule.version in (None, scene.version[0]) and rule.excludes is not None and rule.excludes(scene):
            raise Race(scene.draft, rule.statement)


def _mixed_tags(scene: Scene) -> str:
    """Whether a channel gets deliveries from several queues."""
    queues = defaultdict(set)
    for event in scene.events:
        if event.kind in ("delivered", "sent") and event.target.consumer:
            queues[event.target.channel].add(event.source.name)
    return "delivery tags" if any(len(names) > 1 for names in queues.values()) else ""


def _mixed_arrivals(scene: Scene) -> str:
    """Whether a queue hears of several processes."""
    senders: defaultdict[str, set[object]] = defaultdict(set)
    acked = set()
    for event in scene.events:
        source, target = event.source, event.target
        match event.kind:
            case "routed" | "refused":
                senders[target.name].add(_sender(event, scene))
            case "requeued" | "acked" | "rejected":
                senders[source.name].add(source.channel)
                if event.kind == "acked":
                    acked.add(source.name)
            case "dead_lettered" if source.kind == "unacked":
                senders[source.name].add(source.channel)
            case "dead_lettered" | "expired" if scene.step.verb == "advance":
                senders[source.name].add(source.name)
            case "consumer_started" | "consumer_cancelled":
                senders[target.name].add(target.channel)
    if scene.step.verb == "tx_commit" and any(0 in senders[name] for name in acked):
        return "a commit that acknowledges and publishes to one queue"
    for name, found in senders.items():
        if scene.step.verb != "advance":
            found.discard(name)
        if 0 in found:  # who publishes is the channel of the step
            found.remove(0)
            found.add(next(number for number, seat in scene.seats.items() if seat == scene.step.seat))
        if len(found) > 1:
            return f"arrivals in {name}"
    return ""


def _mixed_portions(scene: Scene) -> str:
    """Whether something may come between two portions of what a channel settles."""
    portions: defaultdict[str, set[tuple[str, int, str, int]]] = defaultdict(set)
    to_themselves = set()
    for event in scene.events:
        if event.kind in ("routed", "refused") and _sender(event, scene) == event.target.name:
            to_themselves.add(event.target.name)
        elif event.source is not None and event.source.kind == "unacked" and event.kind in _SETTLED:
            channel, consumer = event.source.channel, event.source.consumer
            fetched = 0 if consumer else event.copy  # each for itself
            portions[event.source.name].add((event.kind, channel, consumer, fetched))
    for name, found in portions.items():
        kinds = {kind for kind, *_ in found}
        if scene.step.verb == "tx_commit" and "acked" in kinds and len(kinds) > 1:
            return f"acknowledgements in {name} overtake"
        if len(found) > 1 and name in to_themselves and scene.step.verb not in _CLOSING:
            return f"dead letters between portions in {name}"
    return ""


def _sender(event: Event, scene: Scene) -> object:
    """The queue that has sent a dead letter; 0 for the publishing channel."""
    if not event.cause:
        return 0
    death = scene.engine.history[event.cause]
    return death.target.name if death.kind == "refused" else death.source.name


def _routing_changes(scene: Scene) -> str:
    letters = any(event.kind in ("dead_lettered", "routed") and event.cause for event in scene.events)
    changes = any(event.kind in ("unbound", "queue_deleted", "exchange_deleted") for event in scene.events)
    return "bindings vanish under dead letters" if letters and changes else ""
