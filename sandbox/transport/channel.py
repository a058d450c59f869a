"""Channel: AMQP's methods, as kombu and programs written for py-amqp call them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from amqp import protocol, spec
from amqp.exceptions import ChannelError, ConsumerCancelled, MessageNacked, error_for_code
from kombu.transport import base

from sandbox.engine.errors import BrokerError, Unencodable
from sandbox.engine.model import ExchangeOptions, copy_table
from sandbox.engine.publishing import PartialCommit

from .refusals import Signature, amqp_errors
from .wire import Message, Prepared, encode, short

if TYPE_CHECKING:
    from sandbox.engine import sessions
    from sandbox.engine.core import Engine
    from sandbox.engine.model import Message as Stored
    from sandbox.engine.publishing import Published
    from sandbox.engine.snapshot import QueueView

    from .connection import Connection


class _Subscription(NamedTuple):
    callback: Callable[[Message], object] | None
    on_cancel: Callable[[str], object] | None


class Channel(base.StdChannel):
    """A channel with the methods of `amqp.Channel`, and kombu's additions to them.

    A channel error closes it and opens it anew in place: its consumers are gone, its unacknowledged
    messages are back in their queues, and delivery tags begin again at 1.
    """

    do_restore = False
    supports_fanout = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._engine = connection.engine
        self._session = self._engine.open_channel(connection.session)
        self._subscriptions: dict[str, _Subscription] = {}
        self.channel_id = self._session.id
        self.events: defaultdict[str, set[Callable[..., object]]] = defaultdict(set)
        self.no_ack_consumers: set[str] = set()  # type: ignore[assignment]  # kombu says None, or a set

    @property
    def connection(self) -> Connection | None:
        """The connection, None once the channel or its connection is closed."""
        return self._connection if self._session.is_open else None

    @property
    def is_open(self) -> bool:
        """Whether the channel can be used."""
        return self._session.is_open

    @property
    def queues(self) -> Mapping[str, QueueView]:
        """The queues of this broker by name, as they are at each look."""
        return _Queues(self._engine)

    def was_refused(self) -> None:
        """A method has raised: what that closed is closed for the client too."""
        if not self._connection.session.is_open:
            self._connection.is_told = True
        if not self._session.consumers:
            self._subscriptions.clear()
            self.no_ack_consumers.clear()

    def __repr__(self) -> str:
        return f"<Channel {self.channel_id} of {self._connection!r}>"

    @amqp_errors(spec.Channel.Close)
    def close(self, reply_code: int = 0, reply_text: str = "", method_sig: Signature = (0, 0)) -> None:  # noqa: ARG002
        """Cancel all consumers, return all unacknowledged messages to their seats, and be closed."""
        self._engine.close_channel(self._session)
        self._connection.channels.pop(self.channel_id, None)
        self._subscriptions.clear()
        self.no_ack_consumers.clear()

    @amqp_errors(spec.Channel.Flow)
    def flow(self, active: bool) -> None:
        """Ask the broker to stop sending: RabbitMQ answers 540, so use prefetch instead."""
        self._engine.channel_flow(self._session, active=active)

    # ------------------------------------------------------------ exchanges

    @amqp_errors(spec.Exchange.Declare)
    def exchange_declare(
        self,
        exchange: str,
        type: str,
        passive: bool = False,
        durable: bool = False,
        auto_delete: bool = True,
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
        internal: bool = False,
    ) -> None:
        """Declare an exchange, or (`passive`) only ask whether it exists."""
        options = ExchangeOptions(type, durable, auto_delete, internal, copy_table(arguments or {}))
        self._engine.exchange_declare(self._session, short(exchange), options, passive=passive)

    @amqp_errors(spec.Exchange.Delete)
    def exchange_delete(self, exchange: str, if_unused: bool = False, nowait: bool = False) -> None:  # noqa: ARG002
        """Delete an exchange with its bindings."""
        self._engine.exchange_delete(self._session, short(exchange), if_unused=if_unused)

    @amqp_errors(spec.Exchange.Bind)
    def exchange_bind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Let the exchange `source` send what matches on to the exchange `destination`."""
        self._engine.exchange_bind(
            self._session, short(destination), short(source), short(routing_key), copy_table(arguments or {})
        )

    @amqp_errors(spec.Exchange.Unbind)
    def exchange_unbind(
        self,
        destination: str,
        source: str = "",
        routing_key: str = "",
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Take such a binding away; `arguments` as it was made with."""
        self._engine.exchange_unbind(
            self._session, short(destination), short(source), short(routing_key), copy_table(arguments or {})
        )

    # ------------------------------------------------------------ queues

    @amqp_errors(spec.Queue.Declare)
    def queue_declare(
        self,
        queue: str = "",
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = True,
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> protocol.queue_declare_ok_t:
        """Declare a queue; returns its name, its ready messages and its consumers."""
        declared = self._engine.queue_declare(
            self._session,
            short(queue),
            passive=passive,
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            arguments=copy_table(arguments or {}),
        )
        return protocol.queue_declare_ok_t(*declared)

    @amqp_errors(spec.Queue.Bind)
    def queue_bind(
        self,
        queue: str,
        exchange: str = "",
        routing_key: str = "",
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Let an exchange send what matches to a queue."""
        self._engine.queue_bind(
            self._session, short(queue), short(exchange), short(routing_key), copy_table(arguments or {})
        )

    @amqp_errors(spec.Queue.Unbind)
    def queue_unbind(
        self,
        queue: str,
        exchange: str,
        routing_key: str = "",
        nowait: bool = False,  # noqa: ARG002
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Take such a binding away; `arguments` as it was made with."""
        self._engine.queue_unbind(
            self._session, short(queue), short(exchange), short(routing_key), copy_table(arguments or {})
        )

    @amqp_errors(spec.Queue.Purge)
    def queue_purge(self, queue: str = "", nowait: bool = False) -> int:  # noqa: ARG002
        """Remove the ready messages; returns how many they were."""
        return self._engine.queue_purge(self._session, short(queue))

    @amqp_errors(spec.Queue.Delete)
    def queue_delete(
        self,
        queue: str = "",
        if_unused: bool = False,
        if_empty: bool = False,
        nowait: bool = False,  # noqa: ARG002
    ) -> int:
        """Delete a queue; returns how many ready messages went with it."""
        return self._engine.queue_delete(self._session, short(queue), if_unused=if_unused, if_empty=if_empty)

    def prepare_queue_arguments(self, arguments: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """Kombu's queue options (in seconds) as x-arguments (in milliseconds)."""
        prepared: dict[str, Any] = base.to_rabbitmq_queue_arguments(arguments, **options)
        return prepared

    def after_reply_message_received(self, queue: str) -> None:
        """Delete a reply queue that has served."""
        self.queue_delete(queue)

    # ------------------------------------------------------------ publishing

    def prepare_message(
        self,
        body: Any,
        priority: int | None = None,
        content_type: str | None = None,
        content_encoding: str | None = None,
        headers: Mapping[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> Prepared:
        """What `basic_publish` takes."""
        own = {"priority": priority, "content_type": content_type, "content_encoding": content_encoding}
        properties = {} if properties is None else properties
        properties.update((name, value) for name, value in own.items() if value is not None)
        return Prepared(body, headers, properties)

    @amqp_errors(spec.Basic.Publish)
    def basic_publish(
        self,
        msg: Any,
        exchange: str = "",
        routing_key: str = "",
        mandatory: bool = False,
        immediate: bool = False,
        timeout: float | None = None,  # noqa: ARG002
        confirm_timeout: float | None = None,  # noqa: ARG002
    ) -> Published | None:
        """Publish a message; returns what became of it, None within a transaction.

        If it is `mandatory` and there was no queue, the `basic_return` handlers are called before this
        returns; without a handler the return is raised, as py-amqp does.  On a channel with confirms the
        `basic_ack` or `basic_nack` handlers follow, with the message's number on this channel.  With the
        transport option `confirm_publish` a nack is raised as MessageNacked.
        """
        route = short(exchange), short(routing_key)

        def publish() -> Published | None:
            return self._publish(msg, route, mandatory=mandatory, immediate=immediate)

        return self._confirmed(publish) if self._connection.confirm_publish else publish()

    @amqp_errors(spec.Basic.Publish)
    def basic_publish_confirm(self, *args: Any, **kwargs: Any) -> Published | None:
        """`basic_publish` with confirms; raises MessageNacked if a queue refused the message."""
        return self._confirmed(lambda: self.basic_publish(*args, **kwargs))

    def _confirmed(self, publish: Callable[[], Published | None]) -> Published | None:
        self._engine.confirm_select(self._session)  # an error may have closed the channel since
        published = publish()
        if published is not None and published.refused:
            raise MessageNacked(f"refused by {', '.join(published.refused)}")
        return published

    def _publish(
        self, msg: Any, route: tuple[str, str], *, mandatory: bool, immediate: bool
    ) -> Published | None:
        body, headers, properties = encode(msg)
        published = self._engine.basic_publish(
            self._session, *route, body, headers, properties, mandatory=mandatory, immediate=immediate
        )
        if published is not None and (published.returned or published.confirm):
            self._answer(published)
        return published

    def _answer(self, published: Published) -> None:
        """Tell the publisher what the broker says of its message."""
        if published.returned:
            self._return(published.message)
        if published.confirm:
            for handler in list(self.events["basic_nack" if published.refused else "basic_ack"]):
                handler(published.confirm, False)

    def _return(self, stored: Stored) -> None:
        error = error_for_code(312, "NO_ROUTE", spec.Basic.Return, ChannelError)
        handlers = list(self.events["basic_return"])
        if not handlers:
            raise error
        for handler in handlers:
            handler(error, stored.exchange, stored.routing_key, Message(stored, None, {}))

    @amqp_errors(spec.Confirm.Select)
    def confirm_select(self, nowait: bool = False) -> None:  # noqa: ARG002
        """Let the broker answer for each message: acked, or nacked if a queue refused it."""
        self._engine.confirm_select(self._session)

    @amqp_errors(spec.Tx.Select)
    def tx_select(self) -> None:
        """Let messages and acknowledgements wait for `tx_commit`."""
        self._engine.tx_select(self._session)

    @amqp_errors(spec.Tx.Commit)
    def tx_commit(self) -> None:
        """Do what waits."""
        refused = None
        try:
            done = self._engine.tx_commit(self._session)
        except PartialCommit as error:
            refused, done = error, error.published
        with ExitStack() as answers:  # each is given, though a handler raises
            for published in reversed(done):
                answers.callback(self._answer, published)
        if refused is not None:
            raise refused

    @amqp_errors(spec.Tx.Rollback)
    def tx_rollback(self) -> None:
        """Forget what waits."""
        self._engine.tx_rollback(self._session)

    # ------------------------------------------------------------ consuming

    @amqp_errors(spec.Basic.Consume)
    def basic_consume(
        self,
        queue: str = "",
        consumer_tag: str = "",
        no_local: bool = False,  # noqa: ARG002  (RabbitMQ ignores it)
        no_ack: bool = False,
        exclusive: bool = False,
        nowait: bool = False,  # noqa: ARG002
        callback: Callable[[Message], object] | None = None,
        arguments: Mapping[str, Any] | None = None,
        on_cancel: Callable[[str], object] | None = None,
    ) -> str:
        """Subscribe to a queue; `callback(message)` is called from `drain_events`.

        `on_cancel(tag)` is called when the queue is deleted; without it `drain_events` raises
        ConsumerCancelled then.
        """
        tag = short(consumer_tag) or self._engine.new_consumer_tag()
        self._end_former(tag)
        # Known before the broker may send something, for another thread may be draining this connection.
        before = self._subscriptions.get(tag)
        self._subscriptions[tag] = _Subscription(callback, on_cancel)
        (self.no_ack_consumers.add if no_ack else self.no_ack_consumers.discard)(tag)
        try:
            self._engine.basic_consume(
                self._session,
                short(queue),
                tag,
                no_ack=no_ack,
                exclusive=exclusive,
                arguments=copy_table(arguments or {}),
            )
        except BrokerError:
            del self._subscriptions[tag]
            if before is not None:
                self._subscriptions[tag] = before
            raise
        return tag

    def _end_former(self, tag: str) -> None:
        """Whoever had this tag until the broker ended it, and has not heard of that yet, hears it now.

        py-amqp hears of it while it waits for the answer to `basic.consume`.
        """
        if tag in self._subscriptions and tag not in self._session.consumers:
            while self.deliver_next(tag):
                pass
            if self._engine.take_notice(self._session, tag):
                self.cancelled(tag)

    @amqp_errors(spec.Basic.Cancel)
    def basic_cancel(self, consumer_tag: str, nowait: bool = False) -> str:  # noqa: ARG002
        """End a subscription; what was already on its way to it is handed over first."""
        if not self.is_open:
            return consumer_tag  # closing it has cancelled all
        if consumer_tag not in self._session.consumers:
            return consumer_tag  # unknown, or its own callback cancels it again
        self._engine.basic_cancel(self._session, consumer_tag)
        while self.deliver_next(consumer_tag):
            pass
        self._subscriptions.pop(consumer_tag, None)
        self.no_ack_consumers.discard(consumer_tag)
        return consumer_tag

    @amqp_errors(spec.Basic.Get)
    def basic_get(self, queue: str = "", no_ack: bool = False) -> Message | None:
        """The head of a queue, or None."""
        got = self._engine.basic_get(self._session, short(queue), no_ack=no_ack)
        if got is None:
            return None
        delivery, message_count = got
        return self._received(delivery, message_count=message_count)

    def _received(self, delivery: sessions.Delivery, **more: Any) -> Message:
        stored = delivery.message
        info = {
            "delivery_tag": delivery.tag,
            "redelivered": delivery.redelivered,
            "exchange": stored.exchange,
            "routing_key": stored.routing_key,
            **more,
        }
        return Message(stored, self, info)

    def message_to_python(self, raw_message: Message) -> Message:
        """The same: messages come ready made."""
        return raw_message

    def deliver(self, delivery: sessions.Delivery) -> None:
        """Call the consumer."""
        assert delivery.consumer is not None  # a get is answered at once
        tag = delivery.consumer.tag
        subscription = self._subscriptions.get(tag)
        if subscription is not None and subscription.callback is not None:
            subscription.callback(self._received(delivery, consumer_tag=tag))

    @amqp_errors(spec.Basic.Deliver)
    def deliver_next(self, tag: str) -> bool:
        """Call this consumer with what was sent to it next, before all that is for others; False: nothing."""
        if not self.is_open:
            return False
        delivery = self._engine.next_delivery(self._session, tag)
        if delivery is None:
            return False
        self.deliver(delivery)
        return True

    def cancelled(self, tag: str) -> None:
        """The broker has ended a subscription."""
        self.no_ack_consumers.discard(tag)
        subscription = self._subscriptions.pop(tag, None)
        if subscription is None or subscription.on_cancel is None:
            raise ConsumerCancelled(tag, spec.Basic.Cancel)
        subscription.on_cancel(tag)

    @amqp_errors(spec.Basic.Qos)
    def basic_qos(self, prefetch_size: int, prefetch_count: int, a_global: bool) -> None:  # noqa: ARG002
        """Limit the unacked messages of each consumer that starts later on this channel; 0 is no limit.

        `a_global` is ignored, as RabbitMQ 4.3 does by default (Q-4).
        """
        count: Any = prefetch_count
        if not isinstance(count, int) or not 0 <= count <= 65_535:
            raise Unencodable(f"a prefetch count is a number from 0 to 65535, not {prefetch_count!r}")
        self._engine.basic_qos(self._session, prefetch_size, prefetch_count)

    # ------------------------------------------------------------ acknowledging

    @amqp_errors(spec.Basic.Ack)
    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        """Done with this message, or (`multiple`) with all up to it; 0 and multiple: with all."""
        self._engine.basic_ack(self._session, _tag(delivery_tag), multiple=multiple)

    @amqp_errors(spec.Basic.Reject)
    def basic_reject(self, delivery_tag: int, requeue: bool) -> None:
        """Back to its seat with this message, or away with it."""
        self._engine.basic_nack(self._session, _tag(delivery_tag), requeue=requeue, word="rejected")

    @amqp_errors(spec.Basic.Nack)
    def basic_nack(self, delivery_tag: int = 0, multiple: bool = False, requeue: bool = True) -> None:
        """`basic_reject` for one message or (`multiple`) for all up to it."""
        self._engine.basic_nack(self._session, _tag(delivery_tag), multiple=multiple, requeue=requeue)

    @amqp_errors(spec.Basic.Recover)
    def basic_recover(self, requeue: bool = False) -> None:
        """Return all unacked messages of this channel to their seats; RabbitMQ wants `requeue=True`."""
        self._engine.basic_recover(self._session, requeue=requeue)

    def basic_recover_async(self, requeue: bool = False) -> None:
        """The same, by its older name."""
        self.basic_recover(requeue)


def _tag(delivery_tag: Any) -> int:
    """A delivery tag: a number of 64 bits without sign."""
    if not isinstance(delivery_tag, int) or not 0 <= delivery_tag < 2**64:
        raise Unencodable(f"a delivery tag is a number, not {delivery_tag!r}")
    return delivery_tag


class _Queues(Mapping[str, "QueueView"]):
    """The queues of a broker, looked up anew each time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getitem__(self, name: str) -> QueueView:
        return self._engine.snapshot().queues[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._engine.snapshot().queues)

    def __len__(self) -> int:
        return len(self._engine.snapshot().queues)

    def __repr__(self) -> str:
        return f"<queues {', '.join(self)}>"
