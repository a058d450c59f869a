"""The verbs of a client that sends: publish, confirms, transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import AccessRefused, NotImplementedByAMQP, PreconditionFailed
from .guard import Guard, channel_verb
from .model import Message, further_keys, parse_expiration
from .replyto import REPLY_TO, reply_address, was_handed_out
from .sessions import Transaction

if TYPE_CHECKING:
    from .sessions import Channel
    from .topology import Route


class Published(NamedTuple):
    """What became of a message.

    `queues` got a copy, `refused` were full and did not take it; `returned` says that it came back because
    there was no queue at all.  `confirm` is the number under which the publisher hears of it, 0 without
    confirms.
    """

    message: Message
    queues: tuple[str, ...]
    refused: tuple[str, ...] = ()
    returned: bool = False
    confirm: int = 0


class PartialCommit(PreconditionFailed):
    """A full queue refused a message of a transaction; all else that waited in it was done (CON-5)."""

    def __init__(self, published: list[Published]) -> None:
        super().__init__("partial tx completion", "A queue was full; all else was done.")
        self.published = published


class Publishing(Guard):
    """Messages in.  The first argument is the client's channel."""

    @channel_verb
    def basic_publish(
        self,
        channel: Channel,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: dict[str, Any],
        properties: dict[str, Any],
        *,
        mandatory: bool = False,
        immediate: bool = False,
    ) -> Published | None:
        """Publish a message; `headers` and `properties` become the broker's and are not to be changed.

        None within a transaction, where it is only noted.
        """
        if immediate:
            raise NotImplementedByAMQP("immediate=true")
        if exchange and self._moves.topology.exchange(exchange).options.internal:  # EX-5, EX-11
            raise AccessRefused(f"cannot publish to internal exchange '{exchange}' in vhost '/'")
        message = self._message(channel, exchange, routing_key, body, headers, properties)
        route = self._moves.topology.route(exchange, message.keys, headers)
        if channel.transaction is not None:
            channel.transaction.messages.append((message, route, mandatory))
            return None
        return self._publish(channel, message, route, mandatory=mandatory)

    def _message(
        self,
        channel: Channel,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: dict[str, Any],
        properties: dict[str, Any],
    ) -> Message:
        """The message, or why the broker does not take it, in RabbitMQ's order of looking."""
        if properties.get("reply_to") == REPLY_TO:
            properties = {**properties, "reply_to": reply_address(self._moves, channel)}
        ttl = None
        if "expiration" in properties:
            milliseconds = parse_expiration(properties["expiration"])
            ttl = milliseconds / 1000
            properties = {**properties, "expiration": str(milliseconds)}  # "+5" arrives as "5" (TTL-1)
        more = further_keys(headers) if headers else ()
        user, login = properties.get("user_id"), channel.connection.user
        if user is not None and user != login:  # U-13
            raise PreconditionFailed(f"user_id property set to '{user}' but authenticated user was '{login}'")
        if "BCC" in headers:
            headers = {name: value for name, value in headers.items() if name != "BCC"}
        number = self._moves.messages + 1
        return Message(number, exchange, routing_key, body, headers, properties, ttl, more)

    def _publish(self, channel: Channel, message: Message, route: Route, *, mandatory: bool) -> Published:
        moves = self._moves
        publisher = channel.connection.place
        if message.exchange == "" and was_handed_out(moves, message.routing_key):
            mandatory = False  # DRT-4
        refused = tuple(moves.publish(message, publisher, route, mandatory=mandatory))
        confirm = 0
        if channel.confirms is not None:
            channel.confirms += 1
            confirm = channel.confirms
            moves.answer("nacked" if refused else "confirmed", message, publisher)
        queues = route.queues
        if refused:
            queues = tuple(name for name in queues if name not in refused)
        return Published(message, queues, refused, mandatory and not route.queues, confirm)

    # ------------------------------------------------------------ confirms and transactions

    @channel_verb
    def confirm_select(self, channel: Channel) -> None:
        """From now on the broker answers for each message published on this channel; again: no change."""
        if channel.transaction is not None:
            raise PreconditionFailed("cannot switch from tx to confirm mode")
        if channel.confirms is None:
            channel.confirms = 0

    @channel_verb
    def tx_select(self, channel: Channel) -> None:
        """From now on messages and acknowledgements of this channel wait for `tx_commit`."""
        if channel.confirms is not None:
            raise PreconditionFailed("cannot switch from confirm to tx mode")
        if channel.transaction is None:
            channel.transaction = Transaction()

    @channel_verb
    def tx_commit(self, channel: Channel) -> list[Published]:
        """Do what waits, messages before acknowledgements; returns what became of the messages.

        PartialCommit if a full queue refused one of them, when all has been done.
        """
        waiting = self._transaction(channel)
        done = []
        while (
            waiting.messages
        ):  # taken out one by one: an interrupted commit can be called again for the rest
            message, route, mandatory = waiting.messages.pop(0)
            message = message._replace(id=self._moves.messages + 1)
            if not message.exchange:  # the default exchange looks for a queue of that name only now
                route = self._moves.topology.route("", message.keys, message.headers)
            done.append(self._publish(channel, message, _still_there(route), mandatory=mandatory))
        while waiting.settlements:
            settlement = waiting.settlements[0]
            left = [delivery for delivery in settlement.deliveries if delivery.is_held]
            settlement._replace(deliveries=left).carry_out()
            waiting.settlements.pop(0)
        if any(published.refused for published in done):
            self._moves.send_letters()  # before what the closing channel sends back
            raise PartialCommit(done)
        return done

    @channel_verb
    def tx_rollback(self, channel: Channel) -> None:
        """Forget what waits: messages were never published, and what was acknowledged is still unacked."""
        self._transaction(channel)
        channel.transaction = Transaction()
        for delivery in channel.unacked.values():
            delivery.settling = False

    @staticmethod
    def _transaction(channel: Channel) -> Transaction:
        if channel.transaction is None:
            raise PreconditionFailed("channel is not transactional", "Call tx_select first.")
        return channel.transaction


def _still_there(route: Route) -> Route:
    """A route that was found when the message was published, without the queues that are gone since."""
    targets = tuple(target for target in route.targets if target.queue.exists)
    return route._replace(targets=targets, queues=tuple(target.queue.name for target in targets))
