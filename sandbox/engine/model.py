"""Values: messages, bindings, and what exchanges and queues were declared with.

None of them changes once made.  Every x-argument is parsed here, once, when its queue or exchange is
declared, and refused in RabbitMQ's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from .errors import PreconditionFailed, Unencodable

Table = dict[str, Any]

EXCHANGE_TYPES = ("direct", "fanout", "topic", "headers")

#: The longest time RabbitMQ accepts, in milliseconds: ten years (rabbit_misc:check_expiry).
LONGEST_TTL = 315_360_000_000


# ---------------------------------------------------------------- AMQP's types of values


def copy_table(value: Any) -> Any:
    """A deep copy of an AMQP field table, as sending it over a wire would make.

    Raises Unencodable for a value that AMQP has no type for.
    """
    if isinstance(value, str):
        return str.__str__(value)  # of a subclass only the text goes over the wire
    if isinstance(value, float):
        return float(value)
    if value is None or isinstance(value, (bool, datetime, Decimal)):
        return value
    if isinstance(value, bytes):  # a long string like any text, which it comes out as if it can
        return _text_of(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise Unencodable(f"the number {value} does not fit into 64 bits")
        return int(value)
    if isinstance(value, Mapping):
        return {_key(key): copy_table(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copy_table(item) for item in value]
    raise Unencodable(
        f"Table type {type(value)!r} not handled by AMQP.",
        "Header and argument values are numbers, texts, bytes, times, lists or tables.",
    )


def _text_of(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Unencodable(f"the name of a header or argument is text, not {type(key).__name__}")
    if len(key) > 63 and len(key.encode()) > 255:
        raise Unencodable(f"the name of a header or argument has at most 255 bytes, not {len(key.encode())}")
    return str.__str__(key)


def type_name(value: Any) -> str:
    """RabbitMQ's name for the type of a field value, as it stands in its error texts."""
    match value:
        case bool():
            return "bool"
        case int():
            return "signedint" if -(2**31) <= value < 2**31 else "long"
        case float():
            return "double"
        case str():
            return "longstr"
        case bytes():
            return "binary"
        case None:
            return "void"
        case Mapping():
            return "table"
        case datetime():
            return "timestamp"
        case Decimal():
            return "decimal"
        case _:
            return "array"


def freeze(value: Any) -> Any:
    """A hashable image of a field value in which 1, True, 1.0 and "1" are four different things."""
    if isinstance(value, Mapping):
        return ("table", frozenset((key, freeze(item)) for key, item in value.items()))
    if isinstance(value, (list, tuple)):
        return ("array", tuple(freeze(item) for item in value))
    return (type(value), value)


def _shown(value: Any) -> str:
    """A value as RabbitMQ prints it between quotes: arrays and tables are Erlang's terms."""
    if isinstance(value, Mapping):
        return "[" + ",".join(f'{{<<"{k}">>,{type_name(v)},{_term(v)}}}' for k, v in value.items()) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(f"{{{type_name(item)},{_term(item)}}}" for item in value) + "]"
    if value is None:
        return "undefined"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _term(value: Any) -> str:
    return f'<<"{value}">>' if isinstance(value, str) else _shown(value)


# ---------------------------------------------------------------- messages


class Death(NamedTuple):
    """How many `times` a message died in one queue for one reason, and how it was published the first time.

    `time` is Unix time in whole seconds; `expiration` is the property that the message had then.
    """

    queue: str
    reason: str
    times: int
    time: int
    exchange: str
    routing_keys: tuple[str, ...]
    expiration: str | None = None


class Message(NamedTuple):
    """What was published: shared by all its copies, and never changed.

    `id` counts the messages of one broker, 1, 2, 3 … in the order of publishing; a dead letter keeps it.
    `properties` are AMQP's basic properties under py-amqp's names, without the headers.  `ttl` is the
    message's own time to live in seconds, read from its `expiration`.  `more_keys` are the further routing
    keys of the headers CC and BCC.  `deaths` are what the broker itself has recorded, the latest first,
    and `first_death` is the exchange, queue and reason of the very first.
    """

    id: int
    exchange: str
    routing_key: str
    body: bytes
    headers: Table
    properties: Table
    ttl: float | None = None
    more_keys: tuple[str, ...] = ()
    deaths: tuple[Death, ...] = ()
    first_death: tuple[str, str, str] | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """All routing keys."""
        return (self.routing_key, *self.more_keys)


def further_keys(headers: Mapping[str, Any]) -> tuple[str, ...]:
    """The routing keys in the headers CC and BCC (sender-selected distribution)."""
    keys: list[str] = []
    for name in ("CC", "BCC"):
        value = headers.get(name, [])
        if not isinstance(value, list):
            raise PreconditionFailed(
                f'invalid message: {{unacceptable_type_in_header,"{name}",{type_name(value)}}}',
                f"{name} is a list of routing keys.",
            )
        keys += [key for key in value if isinstance(key, str)]
    return tuple(keys)


def parse_expiration(expiration: Any) -> int:
    """Milliseconds of the `expiration` property, a text of digits with an optional sign (TTL-1).

    Source: rabbit_basic:parse_expiration, which is Erlang's string:to_integer and two checks.
    """
    text = str(expiration)
    sign = 1 if text[:1] in "+-" else 0
    digits = sign
    while digits < len(text) and text[digits] in "0123456789":
        digits += 1
    if digits == sign:
        problem = "no_integer"
    elif digits < len(text):
        rest = text[digits:].replace("\\", "\\\\").replace('"', '\\"')
        problem = f'{{leftover_string,"{rest}"}}'
    else:
        problem = _out_of_range(int(text))
    if problem:
        raise PreconditionFailed(
            f"invalid expiration '{text}': {problem}",
            "An expiration is a whole number of milliseconds as text; kombu's expiration= takes seconds.",
        )
    return int(text)


def _out_of_range(milliseconds: int) -> str:
    if milliseconds < 0:
        return f"{{value_negative,{milliseconds}}}"
    return f"{{value_too_large,{milliseconds}}}" if milliseconds > LONGEST_TTL else ""


# ---------------------------------------------------------------- bindings


@dataclass(frozen=True, eq=False, slots=True)
class Binding:
    """A rule of an exchange: what matches goes to `destination`, a queue or (`to_exchange`) an exchange.

    Two bindings are the same if source, destination, routing key and arguments are (EX-2).
    """

    source: str
    destination: str
    routing_key: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    to_exchange: bool = False
    identity: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kept = (self.source, self.destination, self.to_exchange, self.routing_key, freeze(self.arguments))
        object.__setattr__(self, "identity", kept)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Binding) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


# ---------------------------------------------------------------- options


@dataclass(frozen=True)
class ExchangeOptions:
    """What an exchange was declared with."""

    type: str
    durable: bool = False
    auto_delete: bool = False
    internal: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def check_type(self) -> None:
        """Refuse an unknown type (EX-9)."""
        if not self.type:
            raise PreconditionFailed("invalid exchange type ''", _TYPES)
        if self.type not in EXCHANGE_TYPES:
            raise PreconditionFailed(f"unknown exchange type '{self.type}'", _TYPES)

    def check_arguments(self, name: str) -> None:
        """Refuse an alternate exchange that is no name."""
        _name_of_exchange("alternate-exchange", f"exchange '{name}' in vhost '/'", self.arguments)

    @property
    def alternate_exchange(self) -> str | None:
        """Where messages go that match no binding."""
        return self.arguments.get("alternate-exchange")

    def check_equivalent(self, name: str, declared: ExchangeOptions) -> None:
        """Refuse to declare the exchange `name` anew with other options than it has (EX-7)."""
        what = f"exchange '{name}' in vhost '/'"
        for arg in ("type", "durable", "auto_delete", "internal"):
            _same_value(arg, what, getattr(declared, arg), getattr(self, arg))
        _same_argument("alternate-exchange", what, declared.arguments, self.arguments)


#: The exchanges of a fresh virtual host (EX-6), but for the default one.
PREDECLARED = {
    "amq.direct": ExchangeOptions("direct", durable=True),
    "amq.fanout": ExchangeOptions("fanout", durable=True),
    "amq.headers": ExchangeOptions("headers", durable=True),
    "amq.match": ExchangeOptions("headers", durable=True),
    "amq.rabbitmq.trace": ExchangeOptions("topic", durable=True, internal=True),
    "amq.topic": ExchangeOptions("topic", durable=True),
}

_TYPES = "The types are direct, fanout, topic and headers."


@dataclass(frozen=True)
class QueueOptions:
    """What a queue was declared with; times in seconds, None for what it was declared without."""

    durable: bool = False
    exclusive: bool = False
    auto_delete: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    message_ttl: float | None = None
    expires: float | None = None
    max_length: int | None = None
    max_length_bytes: int | None = None
    overflow: str = "drop-head"
    max_priority: int | None = None
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    single_active_consumer: bool = False

    @classmethod
    def parse(
        cls, name: str, *, durable: bool, exclusive: bool, auto_delete: bool, arguments: Mapping[str, Any]
    ) -> QueueOptions:
        """Read the arguments of `queue.declare`, or refuse them as RabbitMQ does (TTL-2, D-3, L-6, P-5)."""
        what = f"queue '{name}' in vhost '/'"
        queue_type = arguments.get("x-queue-type", "classic")
        if queue_type != "classic":
            _refuse_queue_type(what, queue_type)
        _check_without_effect(what, arguments)
        return cls(
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            arguments=dict(arguments),
            message_ttl=_milliseconds("x-message-ttl", what, arguments, smallest=0),
            expires=_milliseconds("x-expires", what, arguments, smallest=1),
            dead_letter_exchange=_name_of_exchange("x-dead-letter-exchange", what, arguments),
            dead_letter_routing_key=_dead_letter_routing_key(what, arguments),
            max_length=_integer("x-max-length", what, arguments),
            max_length_bytes=_integer("x-max-length-bytes", what, arguments),
            max_priority=_max_priority(what, arguments),
            overflow=_overflow(what, arguments),
            single_active_consumer=_flag("x-single-active-consumer", what, arguments),
        )

    def check_equivalent(
        self, name: str, *, durable: bool, auto_delete: bool, arguments: Mapping[str, Any]
    ) -> None:
        """Refuse to declare the queue `name` anew with other options than it has (U-1, U-2)."""
        what = f"queue '{name}' in vhost '/'"
        if not self.exclusive:  # an exclusive queue dies with its connection; its durable flag means nothing
            _same_value("durable", what, durable, self.durable)
        _same_value("auto_delete", what, auto_delete, self.auto_delete)
        for argument in COMPARED:
            _same_argument(argument, what, arguments, self.arguments)
        types = (
            {"x-queue-type": table.get("x-queue-type", "classic")} for table in (arguments, self.arguments)
        )
        _same_argument("x-queue-type", what, *types)


#: The arguments in which two declarations of a queue must agree (rabbit_classic_queue:capabilities).
COMPARED = (
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-single-active-consumer",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-leader-locator",
)


def _refuse_queue_type(what: str, queue_type: Any) -> None:
    if not isinstance(queue_type, str):
        problem = f"{{unacceptable_type,{type_name(queue_type)}}}"
    else:
        problem = f"\"unsupported queue type '{queue_type}'\""
    raise PreconditionFailed(
        f"invalid arg 'x-queue-type' for {what}: {problem}", "The sandbox models classic queues."
    )


#: Arguments of quorum queues and streams, which a classic queue is refused with.
NOT_CLASSIC = (
    "x-consumer-timeout",
    "x-delivery-limit",
    "x-dead-letter-strategy",
    "x-initial-cluster-size",
    "x-max-age",
    "x-max-in-memory-length",
    "x-quorum-initial-group-size",
    "x-stream-max-segment-size-bytes",
)


def _check_without_effect(what: str, arguments: Mapping[str, Any]) -> None:
    """Refuse wrong values of arguments that RabbitMQ checks, though nothing of them shows here."""
    for name in NOT_CLASSIC:
        if name in arguments:
            raise PreconditionFailed(f"invalid arg '{name}' for {what} of queue type rabbit_classic_queue")
    version = _integer("x-queue-version", what, arguments)
    if version not in (None, 2):
        _refuse("x-queue-version", what, f"\"unsupported queue version '{version}'\"")
    locator = arguments.get("x-queue-leader-locator", "balanced")
    if not isinstance(locator, str):
        _refuse("x-queue-leader-locator", what, f"{{unacceptable_type,{type_name(locator)}}}")
    if locator not in ("client-local", "balanced"):
        _refuse("x-queue-leader-locator", what, "invalid_queue_locator_arg")


def _refuse(name: str, what: str, problem: str, help: str = "") -> NoReturn:
    raise PreconditionFailed(f"invalid arg '{name}' for {what}: {problem}", help)


def _integer(name: str, what: str, arguments: Mapping[str, Any]) -> int | None:
    """An argument that is a whole number and not negative; None if it is not there."""
    if name not in arguments:
        return None
    value = arguments[name]
    if not isinstance(value, int) or isinstance(value, bool):
        _refuse(name, what, f'"expected integer, got {type_name(value)}"', _help(name))
    if value < 0:
        _refuse(name, what, f"{{value_negative,{value}}}", _help(name))
    return value


def _help(name: str) -> str:
    if name in ("x-message-ttl", "x-expires"):
        return f"{name} is a whole number of milliseconds; kombu's Queue(…) options take seconds."
    return f"{name} is a whole number."


def _milliseconds(name: str, what: str, arguments: Mapping[str, Any], smallest: int) -> float | None:
    """An argument in milliseconds, as seconds; None if it is not there."""
    value = _integer(name, what, arguments)
    if value is None:
        return None
    if value < smallest:
        _refuse(name, what, f"{{value_zero,{value}}}", _help(name))
    if value > LONGEST_TTL:
        _refuse(name, what, f"{{value_too_large,{value}}}", _help(name))
    return value / 1000


def _max_priority(what: str, arguments: Mapping[str, Any]) -> int | None:
    """The highest priority; 0 acts as 1 (P-5)."""
    value = _integer("x-max-priority", what, arguments)
    if value is not None and value > 255:
        _refuse("x-max-priority", what, f"{{max_value_exceeded,{value}}}", "Priorities are 0 to 255.")
    return None if value is None else max(1, value)


def _flag(name: str, what: str, arguments: Mapping[str, Any]) -> bool:
    value = arguments.get(name, False)
    if not isinstance(value, bool):
        _refuse(name, what, f"{{unacceptable_type,{type_name(value)}}}", f"{name} is True or False.")
    return value


def _overflow(what: str, arguments: Mapping[str, Any]) -> str:
    value = arguments.get("x-overflow", OVERFLOWS[0])
    if not isinstance(value, str):
        _refuse("x-overflow", what, f"{{unacceptable_type,{type_name(value)}}}")
    if value not in OVERFLOWS:
        _refuse("x-overflow", what, "invalid_overflow", "It is " + ", ".join(OVERFLOWS) + ".")
    return value


OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")


def _name_of_exchange(name: str, what: str, arguments: Mapping[str, Any]) -> str | None:
    """An argument that names an exchange, which need not exist; None if it is not there."""
    value = arguments.get(name)
    if name in arguments and not isinstance(value, str):
        raise PreconditionFailed(f"invalid type '{type_name(value)}' for arg '{name}' in {what}")
    return value


def _dead_letter_routing_key(what: str, arguments: Mapping[str, Any]) -> str | None:
    name = "x-dead-letter-routing-key"
    value = arguments.get(name)
    if name in arguments and not isinstance(value, str):
        _refuse(name, what, f"{{unacceptable_type,{type_name(value)}}}")
    if name in arguments and "x-dead-letter-exchange" not in arguments:
        _refuse(name, what, "routing_key_but_no_dlx_defined", "Name a dead-letter exchange too.")
    return value


def _same_value(arg: str, what: str, received: Any, current: Any) -> None:
    if received != current:
        raise PreconditionFailed(
            f"inequivalent arg '{arg}' for {what}: "
            f"received '{_shown(received)}' but current is '{_shown(current)}'",
            _INEQUIVALENT,
        )


def _same_argument(arg: str, what: str, received: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    if arg not in received and arg not in current:
        return
    if arg in received and arg in current:
        if freeze(received[arg]) == freeze(current[arg]):
            return
        texts = f"received {_quoted(received[arg])} but current is {_quoted(current[arg])}"
    else:
        texts = f"received {_described(arg, received)} but current is {_described(arg, current)}"
    raise PreconditionFailed(f"inequivalent arg '{arg}' for {what}: {texts}", _INEQUIVALENT)


def _quoted(value: Any) -> str:
    return "none" if value is None else f"'{_shown(value)}'"


def _described(arg: str, arguments: Mapping[str, Any]) -> str:
    if arg not in arguments:
        return "none"
    return f"the value '{_shown(arguments[arg])}' of type '{type_name(arguments[arg])}'"


_INEQUIVALENT = "It exists already with other options: declare it with the same ones, or delete it first."
