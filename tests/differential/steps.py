"""Programs as values: a step is one call of a kombu channel, or one of the few words of ours.

The names in a program are short (`q1`, `x2`), so that things collide; a client puts its own prefix before
them and takes it away again from all it hears.  `g1`, `g2` … stand for queues that the broker names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Connection and channel, each 0 or 1.
Seat = tuple[int, int]
SEATS: tuple[Seat, ...] = ((0, 0), (0, 1), (1, 0), (1, 1))

QUEUES = ("q1", "q2", "q3", "q4")
GENERATED = ("g1", "g2")
EXCHANGES = ("x1", "x2", "x3")
NOWHERE = "x9"  # never declared
NAMES = frozenset((*QUEUES, *EXCHANGES, NOWHERE))

#: Milliseconds.  A message lives SHORT or (as good as) for ever, an unused queue EXPIRES or for ever: see
#: `clockwork`.  What a program really uses is a multiple of the first two.
SHORT = 40
EXPIRES = 100
EVER = 3_600_000


class Step(NamedTuple):
    """One call on one channel."""

    seat: Seat
    verb: str
    args: Mapping[str, Any] = {}

    @property
    def channel(self) -> str:
        return "ab"[self.seat[0]] + "12"[self.seat[1]]

    def code(self) -> str:
        """The step as Python, on channels named a1, a2 (of one connection), b1 and b2 (of another)."""
        args, channel = dict(self.args), self.channel
        match self.verb:
            case "drain":
                return "drain()"
            case "advance":
                return f"wait({args['seconds']:g})"
            case "close_channel":
                return f"close_channel({channel!r})"
            case "close_connection":
                return f"close_connection({channel[0]!r})"
            case "contents":
                return f"show({args['queue']!r})"
            case "basic_publish":
                return _publish(channel, args)
            case "basic_nack":
                return f"nack(on.{channel}, {_arguments(args)})"
            case "exchange_declare" if args.get("internal"):
                return f"declare_exchange(on.{channel}, {_arguments(args)})"
            case "basic_consume":
                return f"on.{channel}.basic_consume({_arguments(args)}, callback=heard, on_cancel=ended)"
            case verb:
                return f"on.{channel}.{verb}({_arguments(args)})"


def _arguments(args: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in args.items())


def _publish(channel: str, args: dict[str, Any]) -> str:
    kept: tuple[str, ...] = ("priority", "headers", "properties")
    message = {name: args.pop(name) for name in kept if name in args}
    parts = ", ".join(filter(None, [repr(args.pop("body")), _arguments(message)]))
    return f"on.{channel}.basic_publish(on.{channel}.prepare_message({parts}), {_arguments(args)})"


def script(steps: Iterable[Step], remarks: Mapping[int, str]) -> str:
    """A whole program, to be run as `python FILE URL`; a remark stands behind its step."""
    body = [
        f"try_({step.code()!r})" + (f"  # {remarks[number]}" if number in remarks else "")
        for number, step in enumerate(steps)
    ]
    return "\n".join([PRELUDE, *body, "tidy()"])


PRELUDE = """\
import sys, time, types
import kombu
from amqp import spec

url = sys.argv[1] if len(sys.argv) > 1 else "sandbox://differential"
if url.startswith("sandbox"):
    import sandbox
    broker = sandbox.Broker(name="differential")
on = types.SimpleNamespace()
connections = {}

def heard(message):
    message = message.channel.message_to_python(message)
    print("   delivered", message.body, message.delivery_info, message.headers)

def ended(tag):
    print("   cancelled by the broker", tag)

def said(kind):
    return lambda *args: print("  ", kind, args[:3])

def channel(name):
    new = connections[name[0]].channel()
    for kind in ("basic_return", "basic_ack", "basic_nack"):
        new.events[kind].add(said(kind))
    setattr(on, name, new)

def connect(name):
    connections[name] = kombu.Connection(url)
    channel(name + "1"), channel(name + "2")

def close_channel(name):
    getattr(on, name).close(), channel(name)

def close_connection(name):
    connections[name].close(), connect(name)

def drain():
    for connection in connections.values():
        try:
            while True:
                connection.drain_events(timeout=0.05)
        except OSError:
            pass

def wait(seconds):
    time.sleep(seconds)

def nack(channel, delivery_tag, multiple, requeue):
    if hasattr(channel, "basic_nack"):
        return channel.basic_nack(delivery_tag, multiple, requeue)
    return channel.send_method(spec.Basic.Nack, "Lbb", (delivery_tag, multiple, requeue))

def declare_exchange(channel, exchange, type, durable, auto_delete, internal, arguments):
    if hasattr(channel, "basic_nack"):
        flags = (False, durable, auto_delete, False)
        return channel.exchange_declare(exchange, type, *flags, arguments, internal)
    return channel.send_method(
        spec.Exchange.Declare, "BssbbbbbF",
        (0, exchange, type, False, durable, auto_delete, internal, False, arguments),
        wait=spec.Exchange.DeclareOk)

def show(queue):
    for name in "ab":
        channel = connections[name].channel()
        try:
            while (message := channel.basic_get(queue, no_ack=True)) is not None:
                message = channel.message_to_python(message)
                print("   held", message.body, message.delivery_info, message.properties)
            return
        except Exception as error:
            print("  ", error)

def try_(code):
    print(code)
    try:
        result = eval(code)
        for connection in connections.values():
            channels = list(connection.connection.channels.values())
            channels and channels[0].basic_cancel("-")
        on_channel = next((c for n, c in vars(on).items() if f"on.{n}" in code), on.a1)
        on_channel.basic_cancel("-")  # an error that was under way comes up here
    except Exception as error:
        result = repr(error)
        for name, connection in list(connections.items()):
            if not connection.connected:
                connect(name)
    time.sleep(0.01)
    drain()
    if result is not None:
        print("   ", getattr(result, "body", ""), getattr(result, "delivery_info", result))

def tidy():
    for name in "q1 q2 q3 q4 x1 x2 x3".split():
        for connection in connections.values():
            try:
                channel = connection.channel()
                (channel.queue_delete if name[0] == "q" else channel.exchange_delete)(name)
            except Exception:
                pass

connect("a"), connect("b")
"""
