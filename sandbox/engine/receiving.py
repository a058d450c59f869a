"""The verbs of a client that receives: get, consume, acknowledge, and set its prefetch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .declaring import Declaring
from .errors import AccessRefused, NotAllowed, NotImplementedByAMQP, PreconditionFailed
from .guard import channel_verb, verb
from .model import type_name
from .replyto import REPLY_TO, open_reply_queue, refuse_reply_queue
from .sessions import Cancelled, Consumer, Delivery, Settlement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .queues import Queue
    from .sessions import Channel


class Receiving(Declaring):
    """Messages out, and what becomes of them.  The first argument is the client's channel."""

    @channel_verb
    def basic_get(self, channel: Channel, queue: str, *, no_ack: bool = False) -> tuple[Delivery, int] | None:
        """The head of a queue and how many stay ready, or None if nothing is (R-12)."""
        name = self._queue_name(channel, queue)
        refuse_reply_queue(name)
        found = self._queue(channel, name)
        self._use(found)
        if not found.ready:
            return None
        delivery = self._moves.fetch(channel, found, no_ack=no_ack)
        return delivery, found.ready

    @verb
    def new_consumer_tag(self) -> str:
        """A tag for a consumer whose client gave it none."""
        return f"amq.ctag-{self._moves.number('consumer')}"

    @channel_verb
    def basic_consume(
        self,
        channel: Channel,
        queue: str,
        tag: str,
        *,
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Subscribe to a queue under a tag of the client's choice (Q-5 to Q-7, Q-9)."""
        name = self._queue_name(channel, queue)
        if tag in channel.consumers:
            raise NotAllowed(f"attempt to reuse consumer tag '{tag}'", "Tags are unique within a channel.")
        if name == REPLY_TO:
            found = open_reply_queue(self._moves, channel, no_ack=no_ack)
        else:
            refuse_reply_queue(name)
            found = self._queue(channel, name)
        priority = _priority(name, arguments or {})
        _refuse_shared(found, exclusive=exclusive)
        consumer = Consumer(tag, found, channel, no_ack=no_ack, exclusive=exclusive, priority=priority)
        self._moves.add_consumer(consumer)

    @channel_verb
    def basic_cancel(self, channel: Channel, tag: str) -> None:
        """End a subscription; what was already sent stays in the outbox (R-5).

        A tag that is not known is no error (Q-9).
        """
        consumer = channel.consumers.get(tag)
        if consumer is not None:
            self._moves.cancel(consumer, "cancelled by the client")

    @channel_verb
    def next_delivery(self, channel: Channel, tag: str) -> Delivery | None:
        """What was sent next to this consumer, taken out of the outbox before all that is for others."""
        outbox = channel.connection.outbox
        sent = (item for item in outbox if isinstance(item, Delivery) and item.channel is channel)
        delivery = next((item for item in sent if item.consumer and item.consumer.tag == tag), None)
        if delivery is not None:
            self._moves.hand(delivery)
            outbox.remove(delivery)
        return delivery

    @channel_verb
    def take_notice(self, channel: Channel, tag: str) -> bool:
        """Whether the notice that this consumer is gone stood in the outbox; it is taken out."""
        notice, outbox = Cancelled(channel, tag), channel.connection.outbox
        if notice not in outbox:
            return False
        outbox.remove(notice)
        return True

    @channel_verb
    def basic_qos(self, channel: Channel, prefetch_size: int, prefetch_count: int) -> None:
        """Limit the unacked messages of each consumer that starts later on this channel (Q-1, Q-3)."""
        if prefetch_size:
            raise NotImplementedByAMQP(f"prefetch_size!=0 ({prefetch_size})")
        self._moves.record("prefetch_set", channel.place, what=prefetch_count)
        channel.prefetch = prefetch_count

    # ------------------------------------------------------------ acknowledgements

    @channel_verb
    def basic_ack(self, channel: Channel, tag: int, *, multiple: bool = False) -> None:
        """These messages are done with (R-6, R-7)."""
        deliveries = channel.outstanding(tag, multiple=multiple)
        self._settle_or_note(channel, Settlement(self._moves.acknowledge, "", deliveries))

    @channel_verb
    def basic_nack(
        self,
        channel: Channel,
        tag: int,
        *,
        multiple: bool = False,
        requeue: bool = True,
        word: str = "nacked",
    ) -> None:
        """These messages go back to their seats, or away for good (R-2, R-8); `word` is for the history."""
        deliveries = channel.outstanding(tag, multiple=multiple)
        move = self._moves.requeue if requeue else self._moves.reject
        self._settle_or_note(channel, Settlement(move, word, deliveries))

    @staticmethod
    def _settle_or_note(channel: Channel, settlement: Settlement) -> None:
        """Settle at once; within a transaction only note that it is to be done (CON-5)."""
        if channel.transaction is None:
            settlement.carry_out()
            return
        for delivery in settlement.deliveries:
            delivery.settling = True
        channel.transaction.note(settlement)

    @channel_verb
    def basic_recover(self, channel: Channel, *, requeue: bool = True) -> None:
        """All unacked messages of the channel go back to their seats (R-9)."""
        if not requeue:
            raise NotImplementedByAMQP("requeue=false")
        everything = channel.outstanding(0, multiple=True)
        Settlement(self._moves.requeue, "recovered", everything).carry_out()


def _refuse_shared(queue: Queue, *, exclusive: bool) -> None:
    """Refuse a second consumer where one of them wants to be the only one (Q-7, Q-8)."""
    others = queue.consumers
    alone = exclusive and (others or queue.options.single_active_consumer)
    if alone or (others and others[0].exclusive):
        raise AccessRefused(
            f"queue '{queue.name}' in vhost '/' in exclusive use",
            "An exclusive consumer is the only one of its queue.",
        )


def _priority(queue: str, arguments: Mapping[str, Any]) -> int:
    """The consumer's `x-priority`, 0 if it has none (Q-6)."""
    priority = arguments.get("x-priority", 0)
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise PreconditionFailed(
            f"invalid arg 'x-priority' for queue '{queue}' in vhost '/': "
            f'"expected integer, got {type_name(priority)}"'
        )
    return priority
