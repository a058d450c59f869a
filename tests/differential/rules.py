"""Named exclusions: where the sandbox is not to be compared, each with its statement in semantics.md.

D-17 is a deliberate difference of ours.  The others are places where RabbitMQ 3 does something else than
RabbitMQ 4, which the sandbox copies; they hold for version 3 alone.
"""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .races import Scene

Shown = dict[str, Any]


class Rule(NamedTuple):
    """One exclusion: steps that are not made, or a part of a message that is not looked at."""

    statement: str
    why: str
    version: int | None = None  # None: every version
    excludes: Callable[[Scene], bool] | None = None
    masks: Callable[[Shown, Shown], None] | None = None


def _came_back(ours: Shown, theirs: Shown) -> None:
    """D-17."""
    if "x-death" in ours["headers"] and not ours["redelivered"]:
        theirs["redelivered"] = False


def _last_deaths(ours: Shown, _theirs: Shown) -> None:
    """D-7."""
    for what in ("exchange", "queue", "reason"):
        ours["headers"].pop(f"x-last-death-{what}", None)


def _older_deaths(ours: Shown, theirs: Shown) -> None:
    """D-6."""
    for headers in (ours["headers"], theirs["headers"]):
        if "x-death" in headers:
            latest, *older = headers["x-death"]
            headers["x-death"] = [latest, *sorted(older, key=itemgetter("queue", "reason"))]


def _overtakes(scene: Scene) -> bool:
    """TTL-5: a message that will expire stands before others because of its priority."""
    queues = scene.engine._moves.topology.queues
    return any(
        event.kind == "routed"
        and event.what.priority
        and event.what.expires is not None
        and event.target.name in queues
        and any(
            copy.holder is None and copy.id != event.copy
            for copy in queues[event.target.name].copies.values()
        )
        for event in scene.events
    )


def _routed_away(scene: Scene) -> bool:
    """CON-5: a queue is deleted after a message was routed to it in a transaction, and before the commit."""
    sessions = scene.engine._moves.connections.values()
    waiting = any(
        channel.transaction is not None and channel.transaction.messages
        for connection in sessions
        for channel in connection.channels.values()
    )
    return waiting and any(event.kind == "queue_deleted" for event in scene.events)


def _many_hashes(scene: Scene) -> bool:
    """TOP-9."""
    key = scene.step.args.get("routing_key", "")
    return scene.step.verb in ("queue_bind", "exchange_bind") and key.split(".").count("#") > 2


def _unknown_type(scene: Scene) -> bool:
    """EX-9."""
    return scene.step.args.get("type") in ("nosuch", "")


def _floats(scene: Scene) -> bool:
    """EX-24."""
    values = [*scene.step.args.get("arguments", {}).values(), *scene.step.args.get("headers", {}).values()]
    return any(isinstance(value, float) for value in values)


def _old_rejection(scene: Scene) -> bool:
    """D-10: a message that was rejected once dies by itself."""
    return any(
        (
            (event.kind == "dead_lettered" and event.reason != "rejected")
            or (event.kind in ("expired", "dropped"))
        )
        and "rejected" in _reasons(scene, event.message)
        for event in scene.events
    )


def _reasons(scene: Scene, message: int) -> set[str]:
    return {
        event.reason
        for event in scene.engine.history
        if event.kind == "dead_lettered" and event.message == message
    }


def _client_deaths(scene: Scene) -> bool:
    """D-14."""
    return "x-death" in scene.step.args.get("headers", {})


def _cc(scene: Scene) -> bool:
    """D-15."""
    queues = scene.engine._moves.topology.queues
    return any(
        event.kind == "routed"
        and event.cause
        and "CC" in scene.engine.history.filter(kind="published", message=event.message)[0].what.headers
        for event in scene.events
    ) and any(queue.options.dead_letter_routing_key is not None for queue in queues.values())


def _global_qos(scene: Scene) -> bool:
    """Q-4."""
    return bool(scene.step.args.get("a_global"))


def _failover(scene: Scene) -> bool:
    """Q-8: a new single active consumer finds messages."""
    return scene.step.verb != "basic_consume" and any(
        event.kind == "consumer_activated" for event in scene.events
    )


def _priority_zero(scene: Scene) -> bool:
    """P-5."""
    return bool(scene.step.args.get("arguments", {}).get("x-max-priority") == 0)


def _rejected_and_nacked(scene: Scene) -> bool:
    """CON-5: a commit rejects and nacks messages of a queue (a dead letter does not tell which)."""
    words: defaultdict[str, list[str]] = defaultdict(list)
    for event in scene.events:
        if event.source is not None and event.source.kind == "unacked" and event.kind != "acked":
            word = "either" if event.kind == "dead_lettered" else event.reason.partition(";")[0]
            words[event.source.name].append(word)
    mixed = (len(set(found)) > 1 or found.count("either") > 1 for found in words.values())
    return scene.step.verb == "tx_commit" and any(mixed)


RULES = (
    Rule("D-17", "a dead letter that once came back to its queue is redelivered", 4, masks=_came_back),
    Rule(
        "TTL-5", "what overtakes others by its priority is not looked at when it expires", excludes=_overtakes
    ),
    Rule("CON-5", "a commit breaks if a queue that it is to deliver to has gone", excludes=_routed_away),
    Rule(
        "CON-5",
        "a commit settles in one what is rejected and nacked",
        3,
        excludes=_rejected_and_nacked,
    ),
    Rule("TOP-9", "more than two # in a binding key are allowed", 3, excludes=_many_hashes),
    Rule("EX-9", "an unknown exchange type closes the connection", 3, excludes=_unknown_type),
    Rule("EX-24", "the header 1 equals 1.0", 3, excludes=_floats),
    Rule("D-7", "no x-last-death-* headers", 3, masks=_last_deaths),
    Rule("D-6", "each death turns the order of the older ones in x-death round", 3, masks=_older_deaths),
    Rule("D-10", "an old rejection lets a later cycle go on", 3, excludes=_old_rejection),
    Rule("D-14", "a client's x-death is counted on", 3, excludes=_client_deaths),
    Rule("D-15", "CC is taken away with a dead-letter routing key", 3, excludes=_cc),
    Rule("Q-4", "qos(global) is a limit of the whole channel", 3, excludes=_global_qos),
    Rule("Q-8", "a new single active consumer waits for the next message", 3, excludes=_failover),
    Rule("P-5", "x-max-priority 0 means no priorities", 3, excludes=_priority_zero),
)


def alike(ours: Any, theirs: Any, version: tuple[int, ...]) -> bool:
    """Whether the two are the same, but for what the rules exclude; 1, True and 1.0 are three things."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if "redelivered" in ours and "redelivered" in theirs:
            ours, theirs = _masked(ours, theirs, version)
        return ours.keys() == theirs.keys() and all(alike(ours[key], theirs[key], version) for key in ours)
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs, [version] * len(ours)))
    return type(ours) is type(theirs) and bool(ours == theirs)


def _masked(ours: Shown, theirs: Shown, version: tuple[int, ...]) -> tuple[Shown, Shown]:
    """Two messages, as they are to be compared."""
    ours, theirs = (message | {"headers": dict(message["headers"])} for message in (ours, theirs))
    for rule in RULES:
        if rule.version in (None, version[0]) and rule.masks is not None:
            rule.masks(ours, theirs)
    return ours, theirs
