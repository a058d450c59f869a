"""After an interrupt: the state follows the history.

Ctrl-C may fall between any two steps of a verb.  What the history does not know has not happened, and what
it knows has: `moves` records things in that order.  So everything that follows from it is made anew here.
Done twice, it changes nothing the second time; an interrupt of the repair itself is mended by the next.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from .events import Place
from .sessions import Delivery

if TYPE_CHECKING:
    from .moves import Moves
    from .queues import Queue
    from .replay import Replay
    from .sessions import Channel, Connection, Consumer
    from .snapshot import Seat

REASON = "an interrupted publish"


def repair(moves: Moves) -> None:
    """Make the state whole, and let every queue go on."""
    known = moves.history.mend()
    _end_publish(moves, known)
    _keep_known(moves, known)
    consumers = [consumer for channel in _channels(moves) for consumer in channel.consumers.values()]
    for name, queue in moves.topology.queues.items():
        _refill(queue, known.queues[name].seats, moves)
        queue.rebuild([consumer for consumer in consumers if consumer.queue is queue])
    _recount(moves, consumers)
    for connection in moves.connections.values():
        _refill_outbox(connection)
    queues = list(moves.topology.queues.values())
    moves.deadlines.rebuild(queues)
    _finish_letters(moves)
    for queue in queues:
        moves.run(queue)
    moves.send_letters()


def _end_publish(moves: Moves, known: Replay) -> None:
    """A message that had reached no queue yet reaches none."""
    moves.messages = max(moves.messages, known.on_its_way)
    if known.on_its_way:
        published = next(e for e in reversed(moves.history.after(0)) if e.message == known.on_its_way)
        assert published.target is not None  # a move has two ends
        door = Place("lost", published.target.name)
        row = (moves.now, "lost", known.on_its_way, 0, published.target, door, 0, 0, REASON, None)
        moves.history.append(row)
        known.apply([row])


def _keep_known(moves: Moves, known: Replay) -> None:
    """Drop what the history does not know: exchanges, queues, bindings, clients."""
    topology = moves.topology
    topology.exchanges = {n: x for n, x in topology.exchanges.items() if n in known.exchanges}
    topology.queues = {n: q for n, q in topology.queues.items() if n in known.queues}
    topology.rebuild([binding for binding in known.bindings if binding.source])
    moves.connections = {n: c for n, c in moves.connections.items() if n in known.connections}
    for connection in moves.connections.values():
        connection.channels = {n: c for n, c in connection.channels.items() if n in known.channels}
    for channel in _channels(moves):
        channel.is_open = True
        channel.consumers = {t: c for t, c in channel.consumers.items() if (channel.id, t) in known.consumers}


def _refill(queue: Queue, seats: dict[int, Seat], moves: Moves) -> None:
    """Each copy that has a seat is in the queue, held by whom the seat says."""
    queue.exists = True
    queue.copies = {position: queue.copies[position] for position in seats}
    channels = {channel.id: channel for channel in _channels(moves)}
    for position, seat in seats.items():
        copy = queue.copies[position]
        copy.redelivered = seat.redelivered
        if not seat.unacked:
            copy.holder = None
        elif copy.holder is None:
            channel = channels[seat.channel]
            consumer = channel.consumers.get(seat.consumer)
            copy.holder = Delivery(seat.tag, copy, channel, consumer, handed=seat.handed)
        else:
            copy.holder.handed = seat.handed


def _recount(moves: Moves, consumers: list[Consumer]) -> None:
    """Channels and consumers hold what the queues' copies say they hold."""
    held = [c.holder for queue in moves.topology.queues.values() for c in queue.copies.values() if c.holder]
    for consumer in consumers:
        consumer.held = sum(delivery.consumer is consumer for delivery in held)
    for channel in _channels(moves):
        mine = [delivery for delivery in held if delivery.channel is channel]
        gone = [delivery for delivery in channel.unacked.values() if not delivery.copy.queue.exists]
        channel.unacked = {d.tag: d for d in sorted(mine + gone, key=lambda d: d.tag)}
        channel.last_tag = max([channel.last_tag, *channel.unacked])
    moves.copies = max([moves.copies, *(d.copy.id for d in held)])


def _refill_outbox(connection: Connection) -> None:
    """What is delivered and not handed over stands in the outbox, once; what is still queued does not."""
    channels = connection.channels.values()
    kept = [
        item
        for item in connection.outbox
        if not isinstance(item, Delivery) or (not item.handed and _is_under_way(item))
    ]
    waiting = chain.from_iterable(channel.unacked.values() for channel in channels)
    kept += [d for d in waiting if d.consumer is not None and not d.handed and d not in kept]
    connection.outbox.clear()
    connection.outbox.extend(kept)


def _is_under_way(delivery: Delivery) -> bool:
    """Whether the copy has left the order of its queue: held by this delivery, or sent for good."""
    copy = delivery.copy
    return copy.holder is delivery or copy.queue.copies.get(copy.position) is not copy


def _finish_letters(moves: Moves) -> None:
    """A dead letter that is recorded still goes where it has not been; another never was one."""
    events = moves.history.after(0)
    for letter in moves.letters:
        died = [e for e in events if e.kind == "dead_lettered" and e.what.deaths == letter.message.deaths]
        letter.cause = letter.cause or next((e.serial for e in died if e.message == letter.message.id), 0)
        reached = {
            e.target.name for e in events if e.cause == letter.cause and e.copy and e.target is not None
        }
        letter.targets = tuple(t for t in letter.targets if letter.cause and t.queue.name not in reached)


def _channels(moves: Moves) -> list[Channel]:
    return [channel for connection in moves.connections.values() for channel in connection.channels.values()]
