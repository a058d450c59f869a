"""A messaging broker you can see: RabbitMQ 4's behaviour in memory, for kombu code and for notebooks.

    >>> import sandbox
    >>> broker = sandbox.Broker(clock=sandbox.ManualClock())
    >>> orders = broker.exchange("orders", type="topic")
    >>> queue = broker.queue("billing", exchange=orders, routing_key="order.#", message_ttl=10)
    >>> broker.publish({"id": 7}, exchange="orders", routing_key="order.eu.new")
    <message 1 went to billing>
    >>> broker.advance(10)
    >>> print(broker.ledger)
    1 published = 1 routed · 1 copy = 1 expired

The map of the package; imports go downwards only.  A test holds it:

    cli                    the command line
    story                  what its demo plays and tells
    broker                 Broker: what one types in a notebook
    widgets                live views of a broker, and what is done with it by hand
    figures                matplotlib pictures of a snapshot
    layout                 where things stand in a picture
    tables                 rows of facts, for a terminal and a notebook
    texts                  names from outside, made harmless to look at
    transport              `sandbox://`: kombu's view of the engine
    engine                 the broker itself: standard library only

What draws is loaded when it is first used: importing this package brings in kombu, and nothing to draw with.
"""

from __future__ import annotations

from importlib.metadata import version as _version

from amqp.exceptions import (
    AccessRefused,
    AMQPNotImplementedError,
    ChannelError,
    ConnectionError,  # noqa: A004  (AMQP's own name for it)
    ConsumerCancelled,
    FrameSyntaxError,
    MessageNacked,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    RecoverableConnectionError,
    ResourceLocked,
)
from kombu import Exchange, Queue

from .broker import Broker
from .engine.clock import ManualClock, WallClock
from .transport import UnknownBroker

__version__ = _version("kombu-sandbox")

__all__ = [  # noqa: RUF022  (grouped by what they are for)
    # the broker and its time
    "Broker",
    "ManualClock",
    "WallClock",
    # kombu's own
    "Exchange",
    "Queue",
    # what a refusal raises: py-amqp's own classes, but for the last
    "AMQPNotImplementedError",
    "AccessRefused",
    "ChannelError",
    "ConnectionError",
    "ConsumerCancelled",
    "FrameSyntaxError",
    "MessageNacked",
    "NotAllowed",
    "NotFound",
    "PreconditionFailed",
    "RecoverableConnectionError",
    "ResourceLocked",
    "UnknownBroker",
]
