"""After an interrupt: the state follows the history.

Ctrl-C may fall between any two steps of a verb.  What the history does not know has not happened, and what
it knows has: `moves` and `copies` record things in that order.  So everything that follows from it is made
anew here.
Done twice, it changes nothing the second time; an interrupt of the repair itself is mended by the next.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

from .events import Place
from .sessions import Cancelled, Delivery

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
    unused = {name for name, exchange in moves.topology.exchanges.items() if not exchange.was_bound}
    _keep_known(moves, known)
    for queue in moves.topology.queues.values():
        _refill(queue, known.queues[queue.name].seats, moves)
        mine = [consumer for consumer in _consumers(moves) if consumer.queue is queue]
        rank = {consumer: place for place, consumer in enumerate(queue.consumers)}
        queue.rebuild(sorted(mine, key=lambda consumer: rank.get(consumer, len(rank))))
    _recount(moves)
    for connection in moves.connections.values():
        _refill_outbox(connection)
    moves.deadlines.rebuild(list(moves.topology.queues.values()))
    _finish_letters(moves)
    _finish_deletions(moves, known, unused)
    for queue in list(moves.topology.queues.values()):
        moves.go_on(queue)
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
    for connection in moves.connections.values():
        connection.is_open = connection.id in known.connections
        for channel in connection.channels.values():
            channel.is_open = channel.id in known.channels
    moves.connections = {n: c for n, c in moves.connections.items() if c.is_open}
    for connection in moves.connections.values():
        connection.channels = {n: c for n, c in connection.channels.items() if c.is_open}
    for channel in _channels(moves):
        channel.prefetch = known.channels[channel.id].prefetch
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


def _recount(moves: Moves) -> None:
    """Channels and consumers hold what the queues' copies say they hold.

    A channel also keeps the tags of what was removed with its queue: acknowledging it is no error (R-10).
    """
    held = [c.holder for queue in moves.topology.queues.values() for c in queue.copies.values() if c.holder]
    removed = {event.copy for event in moves.history.filter(kind="removed")}
    for consumer in _consumers(moves):
        consumer.held = sum(delivery.consumer is consumer for delivery in held)
    for channel in _channels(moves):
        mine = [delivery for delivery in held if delivery.channel is channel]
        gone = [delivery for delivery in channel.unacked.values() if delivery.copy.id in removed]
        channel.unacked = {d.tag: d for d in sorted(mine + gone, key=lambda d: d.tag)}
        channel.last_tag = max([channel.last_tag, *channel.unacked])


def _refill_outbox(connection: Connection) -> None:
    """What is delivered and not handed over stands in the outbox, once; what is still queued does not."""
    channels = connection.channels.values()
    kept = [item for item in connection.outbox if item.channel.id in connection.channels and _is_sent(item)]
    waiting = chain.from_iterable(channel.unacked.values() for channel in channels)
    kept += [d for d in waiting if d.consumer is not None and not d.handed and d not in kept]
    connection.outbox = deque(kept)


def _is_sent(item: Delivery | Cancelled) -> bool:
    """Whether the history knows what this says: a consumer is gone, or a copy has left its queue's order."""
    if isinstance(item, Cancelled):
        return item.tag not in item.channel.consumers
    copy = item.copy
    return not item.handed and (copy.holder is item or copy.queue.copies.get(copy.position) is not copy)


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


def _finish_deletions(moves: Moves, known: Replay, unused: set[str]) -> None:
    """What was being deleted is deleted, and so is what goes with its last consumer or binding."""
    for name in sorted(known.deleting):
        moves.delete_queue(moves.topology.queues[name], "an interrupted deletion")
    for queue in list(moves.topology.queues.values()):
        if queue.options.auto_delete and queue.had_consumer and not queue.consumer_count:
            moves.delete_queue(queue, "auto-delete: its last consumer is gone")
    for exchange in list(moves.topology.exchanges.values()):
        is_there = exchange.name in moves.topology.exchanges
        if (
            is_there
            and exchange.options.auto_delete
            and not exchange.bindings
            and exchange.name not in unused
        ):
            moves.delete_exchange(exchange.name, "auto-delete: its last binding is gone")


def _consumers(moves: Moves) -> list[Consumer]:
    return [consumer for channel in _channels(moves) for consumer in channel.consumers.values()]


def _channels(moves: Moves) -> list[Channel]:
    return [channel for connection in moves.connections.values() for channel in connection.channels.values()]
