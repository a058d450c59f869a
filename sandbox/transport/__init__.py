"""The kombu transport: `sandbox://NAME` reaches the broker of that name in this process.

An adapter, and nothing more.  It has py-amqp's methods, parameters and exceptions, because that is what
code written against RabbitMQ calls, passes and catches; what they do is the engine's business.  The user's
functions (consumer callbacks, return and cancel handlers) are called from here, without any lock held.

Its modules: `registry` (which broker a name means), `refusals` (the engine's errors as py-amqp's), `wire`
(messages as they come and go), `channel`, and `connection` with the Transport that kombu loads.
"""

from kombu.transport import TRANSPORT_ALIASES

from .channel import Channel
from .connection import Connection, Transport
from .refusals import as_amqp
from .registry import BROKERS, UnknownBroker, register
from .wire import Message, short

TRANSPORT_ALIASES["sandbox"] = "sandbox.transport:Transport"

__all__ = [
    "BROKERS",
    "Channel",
    "Connection",
    "Message",
    "Transport",
    "UnknownBroker",
    "as_amqp",
    "register",
    "short",
]
