"""The tour's story: a shop's orders on a topic exchange, played on a broker and told from its history."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from kombu import Connection, Exchange, Queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kombu import Message

    from .broker import Broker

#: How long an order waits for a packer, in seconds.
PATIENCE = 30

orders = Exchange("orders", type="topic")
billing = Queue("billing", orders, routing_key="order.*.new")
packing = Queue("packing", orders, routing_key="order.eu.#", message_ttl=PATIENCE)
audit = Queue("audit", orders, routing_key="order.#")


def play(broker: Broker) -> Iterator[str]:
    """Play the story on a broker with a manual clock; each chapter's title comes when it has happened.

    But for the clock, this is what one writes for RabbitMQ.
    """
    desk: list[Message] = []
    with Connection(broker.url) as connection:
        for queue in (billing, packing, audit):
            queue(connection).declare()
        yield "A shop declares a topic exchange, and binds three queues to it."

        producer = connection.Producer(exchange=orders)
        for key in ("order.eu.new", "order.us.new", "order.eu.cancelled", "parcel.eu.sent"):
            producer.publish({"key": key}, routing_key=key)
        yield "It publishes four messages.  Nobody asked for parcels, and nobody tells the publisher."

        broker.advance(25)
        producer.publish({"key": "order.eu.new"}, routing_key="order.eu.new")
        broker.advance(10)
        yield f"Time passes.  In packing a message may wait for {PATIENCE} seconds, elsewhere for ever."

        clerk = connection.channel()
        clerk.basic_qos(0, 1, False)  # one message at a time
        billing(clerk).consume("clerk", desk.append)
        connection.drain_events(timeout=1)
        desk[0].ack()
        connection.drain_events(timeout=1)
        yield "A clerk writes the first bill, acknowledges it, and begins the second."

        broker.advance(5)
        producer.publish({"key": "order.us.new"}, routing_key="order.us.new")
        broker.advance(5)
        clerk.close()
        broker.advance(5)
        yield "One more order comes in.  The clerk's channel closes: what it held goes back to its seat."


def tell(broker: Broker) -> Iterator[str]:
    """Play the story, and say line by line what happened, from the broker's history and tables."""
    told = broker.history.last
    for number, title in enumerate(play(broker), 1):
        yield f"{number}. {title}"
        yield from _sentences(broker, told)
        yield "        now ready: " + ", ".join(f"{row.name} {row.ready}" for row in broker.queues)
        yield ""
        told = broker.history.last
    yield str(broker.ledger)


#: What happened, in words, by the kind of the event; `places` are those that it led to.
_SAID = {
    "exchange_declared": "{event.target.name} is a {event.what.type} exchange",
    "bound": "{event.what.destination} gets from {event.what.source} what matches {event.what.routing_key}",
    "routed": "{message} goes to {places}",
    "lost": "{message} is lost: {event.reason}",
    "expired": "{message} expires in {places}",
    "delivered": "{message} is delivered from {event.source.name} to {event.target.consumer}",
    "acked": "{message} is acknowledged, and leaves {places}",
    "requeued": "{message} is back in {places}: {event.reason}",
}


def _sentences(broker: Broker, told: int) -> Iterator[str]:
    """What happened after the event `told`; copies of one message that go the same way share a sentence."""
    keys = {event.message: event.what.routing_key for event in broker.history.filter(kind="published")}
    news = broker.history.after(told)
    for (kind, number), group in groupby(news, lambda event: (event.kind, event.message)):
        if kind in _SAID:
            event, *others = group
            places = ", ".join(each.target.name for each in (event, *others) if each.target)
            message = f"message {number} ({keys.get(number)})"
            yield f"  {event.time:2g} s  " + _SAID[kind].format(event=event, message=message, places=places)
