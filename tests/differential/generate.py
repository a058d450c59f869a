"""Programs drawn at random: few names, so that things collide, and weights for states that are interesting.

A number makes a program, and always the same one.  `reductions` is for Hypothesis, which makes a program that
fails as short as it can: it may leave out steps and whatever else can be left out.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from .drafts import Draft, Pick, Program
from .steps import EVER, EXCHANGES, EXPIRES, GENERATED, NOWHERE, QUEUES, SEATS, SHORT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Draw = Callable[[Sequence[Any]], Any]
    Args = dict[str, Any]


def draw_program(number: int, steps: int = 40) -> Program:
    """The program of this number, of at most so many steps, not counting the last looks."""
    draw = Random(number).choice  # noqa: S311  (nothing to hide)
    eager, waits, timed = not draw(QUARTER), draw(MOSTLY), draw(THIRD)
    found = [_draft(draw, verbs, timed) for verbs in OPENING]
    found += [_draft(draw, TIMED if timed else PLAYING, timed) for _ in range(2 * steps)]
    fewer = dict(zip(QUEUES, QUEUES[: draw((2, 2, 3, 4))] * 4, strict=False))
    fewer |= zip(EXCHANGES, EXCHANGES[: draw((1, 2, 3))] * 3, strict=False)
    seats = dict(zip(SEATS, SEATS[:: draw((1, 1, 2, 3))] * 4, strict=False))
    drafts = (draft for draft in found if draft is not None)
    folded = (draft._replace(seat=seats[draft.seat], args=_renamed(draft.args, fewer)) for draft in drafts)
    return Program(tuple(folded), eager, waits, steps)


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Fewer names than were drawn, so that more collides."""
    match value:
        case str():
            return names.get(value, value)
        case dict():
            return {key: _renamed(item, names) for key, item in value.items()}
        case list():
            return [_renamed(item, names) for item in value]
    return value


def _draft(draw: Draw, verbs: Sequence[str], timed: bool) -> Draft | None:
    verb = draw(verbs)
    if verb == "nothing":
        return None
    seat, reckless = draw(SEAT), draw(RECKLESS)
    maker = MAKERS.get(verb)
    name, args = (verb, {}) if maker is None else maker(draw, timed, reckless)
    return Draft(seat, name, args, reckless)


# ---------------------------------------------------------------- making it shorter

#: What a step cannot do without.
NEEDED = frozenset(
    (
        "queue",
        "exchange",
        "type",
        "destination",
        "source",
        "routing_key",
        "body",
        "delivery_tag",
        "consumer_tag",
        "token",
        "change",
        "like",
        "multiple",
        "requeue",
        "prefetch_size",
        "prefetch_count",
        "a_global",
        "no_ack",
        "durable",
        "auto_delete",
    )
)
KEPT = st.sampled_from([False] + [True] * 500)


@st.composite
def reductions(draw: Callable[[st.SearchStrategy[Any]], Any], program: Program) -> Program:
    """The program without some of what it has; most probably without nothing."""
    eager = program.eager or not draw(KEPT)
    waits = program.waits and draw(KEPT)
    drafts = []
    for draft in _thinned(draw, program.drafts):
        seat = draft.seat if draft.seat == SEATS[0] or draw(KEPT) else SEATS[0]
        drafts.append(draft._replace(seat=seat, args=_reduced(draw, dict(draft.args))))
    return program._replace(drafts=tuple(drafts), eager=eager, waits=waits)


def _thinned(draw: Callable[[st.SearchStrategy[Any]], Any], drafts: Sequence[Draft]) -> Sequence[Draft]:
    """Some of the drafts: all, or some of each half, so that one word of Hypothesis's may take out many."""
    if not drafts or not draw(KEPT):
        return ()
    if len(drafts) == 1:
        return drafts
    middle = len(drafts) // 2
    return (*_thinned(draw, drafts[:middle]), *_thinned(draw, drafts[middle:]))


def _reduced(draw: Callable[[st.SearchStrategy[Any]], Any], args: Args) -> Args:
    reduced = {}
    for name, value in args.items():
        if name not in NEEDED and not draw(KEPT):
            continue
        if isinstance(value, Pick) and value.place and not draw(KEPT):
            value = Pick(0)
        elif value is True and name in NEEDED and not draw(KEPT):
            value = False
        reduced[name] = _reduced(draw, value) if isinstance(value, dict) else value
    return reduced


# ---------------------------------------------------------------- chances


def _one(*values: Any) -> Sequence[Any]:
    """One of these; to name a value twice doubles its weight."""
    return values


def _weighted(weights: dict[str, int]) -> Sequence[str]:
    return [word for word, weight in weights.items() for _ in range(weight)]


def _chance(percent: int) -> Sequence[bool]:
    """True in so many of a hundred."""
    return [False] * (100 - percent) + [True] * percent


def _some(draw: Draw, percent: dict[str, Sequence[bool]]) -> list[str]:
    """Some of these names, each as often as it is to be."""
    return [name for name, chance in percent.items() if draw(chance)]


SEAT = _one(SEATS[0], SEATS[0], *SEATS)
QUEUE = _one(*QUEUES[:2], *QUEUES, *QUEUES)
ANY_QUEUE = _one(*QUEUES[:2] * 4, *QUEUES * 8, *GENERATED, "", "")
EXCHANGE = _one(*EXCHANGES)
MISSING = _one(NOWHERE, "", "amq.direct", "amq.topic", *EXCHANGES)
KEY = _one("a", "a", "a", "b", "a.b", "a.b", "a.b.c", "", "a..b", *QUEUES[:2])
PATTERN = _one(
    "a",
    "a",
    "#",
    "#",
    "#",
    "a.*",
    "*",
    "a.#",
    "#.b",
    "*.b",
    "b",
    "",
    "a.*.b",
    "#.b.#",
    "a.b",
    "q1",
    "#.a.#.#",
)
FLAG = _one(False, True)
MOSTLY, HALF, THIRD, QUARTER, TENTH, FEW = map(_chance, (70, 50, 33, 25, 10, 3))
HEADER = _one(1, "1", True, None, 1.0, "a", [1], {"k": 1})
HEADERS = _one((), ("h",), ("h",), ("k",), ("h", "k"), ("x-h",), ("h", "x-h"))
TAG = _one("c1", "c2", "c3")


RECKLESS = _chance(6)

VERBS = {
    "nothing": 4,
    "publish": 50,
    "get": 10,
    "consume": 14,
    "ack": 14,
    "nack": 12,
    "reject": 14,
    "recover": 3,
    "cancel": 4,
    "qos": 4,
    "queue_bind": 4,
    "queue_unbind": 3,
    "exchange_bind": 2,
    "exchange_unbind": 1,
    "queue_declare": 4,
    "exchange_declare": 2,
    "redeclare": 2,
    "passive": 1,
    "queue_purge": 2,
    "queue_delete": 3,
    "exchange_delete": 1,
    "close_channel": 3,
    "close_connection": 1,
    "confirm_select": 3,
    "tx_select": 1,
    "tx_commit": 3,
    "tx_rollback": 1,
    "drain": 5,
}


# ---------------------------------------------------------------- queues

ARGUMENTS = {
    "x-message-ttl": _chance(20),
    "x-expires": _chance(8),
    "x-max-length": _chance(30),
    "x-max-length-bytes": _chance(10),
    "x-max-priority": _chance(25),
    "x-dead-letter-exchange": _chance(60),
    "x-single-active-consumer": _chance(12),
    "x-unknown": _chance(4),
}
VALUES = {
    "x-message-ttl": _one(EVER, 0),
    "x-expires": _one(EVER),
    "x-max-length": _one(1, 2, 3, 0),
    "x-max-length-bytes": _one(10, 3, 20, 0),
    "x-max-priority": _one(3, 1, 2, 5, 0),
    "x-dead-letter-exchange": _one(*[""] * 8, *EXCHANGES * 2, NOWHERE),
    "x-single-active-consumer": _one(True, True, True, False),
    "x-unknown": _one(1),
}
TIMED_VALUES = VALUES | {
    "x-message-ttl": _one(EVER, 0, *[SHORT] * 5),
    "x-expires": _one(EVER, *[EXPIRES] * 4),
}
DEAD_LETTER_KEY = _one(*QUEUES, *QUEUES, "a", "a.b", "")
OVERFLOW = _one("drop-head", "reject-publish", "reject-publish-dlx", "reject-publish-dlx")
WRONG_NAME = _one(*VALUES, "x-overflow", "x-dead-letter-routing-key")
WRONG = _one(-1, "1", 1.5, True, None, 0, 256, 315_360_000_001, "nonsense")


def _queue_arguments(draw: Draw, timed: bool, reckless: bool) -> Args:
    """Arguments of a queue, mostly right."""
    values = TIMED_VALUES if timed else VALUES
    args: Args = {name: draw(values[name]) for name in _some(draw, ARGUMENTS)}
    if ("x-max-length" in args or "x-max-length-bytes" in args) and draw(HALF):
        args["x-overflow"] = draw(OVERFLOW)
    if "x-dead-letter-exchange" in args and (draw(HALF) or not args["x-dead-letter-exchange"]):
        args["x-dead-letter-routing-key"] = draw(DEAD_LETTER_KEY)
    if reckless and draw(HALF):
        value, name = draw(WRONG), draw(WRONG_NAME)
        # Too much for a priority, 256 is a good time, but one that is neither short nor for ever.
        args[name] = EVER if value == 256 and name in ("x-message-ttl", "x-expires") else value
    return args


def _declares(name: Sequence[str]) -> Callable[[Draw, bool, bool], tuple[str, Args]]:
    def make(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
        args: Args = {
            "queue": draw(name),
            "durable": draw(FLAG),
            "exclusive": draw(TENTH),
            "auto_delete": draw(TENTH),
            "arguments": _queue_arguments(draw, timed, reckless),
        }
        if draw(FEW):
            args |= {"queue": "", "token": draw(GENERATED)}
        return "queue_declare", args

    return make


CHANGED = _one("arguments", "arguments", "durable", "auto_delete", "exclusive")


def _redeclare(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    change: Args = {}
    if draw(HALF):
        name = draw(CHANGED)
        change = {name: _queue_arguments(draw, timed, reckless) if name == "arguments" else draw(FLAG)}
    return "redeclare", {"queue": draw(QUEUE), "change": change}


def _passive(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    if draw(HALF):
        return "exchange_declare", {"exchange": draw(EXCHANGE), "type": "direct", "passive": True}
    return "queue_declare", {"queue": draw(ANY_QUEUE), "passive": True}


def _purge(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "queue_purge", {"queue": draw(ANY_QUEUE)}


CONDITIONS = _one({}, {}, {"if_unused": True}, {"if_empty": True}, {"if_unused": True, "if_empty": True})


def _queue_delete(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "queue_delete", {"queue": draw(ANY_QUEUE), **draw(CONDITIONS)}


# ---------------------------------------------------------------- exchanges and bindings

TYPE = _one("topic", "direct", "fanout", "headers")
ANY_TYPE = _one("nosuch", "", "topic", "direct", "fanout", "headers")
ALTERNATE = _one(*EXCHANGES, *EXCHANGES, NOWHERE)


def _exchange(name: Sequence[str]) -> Callable[[Draw, bool, bool], tuple[str, Args]]:
    def make(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
        args: Args = {
            "exchange": draw(MISSING) if reckless else draw(name),
            "type": draw(ANY_TYPE) if reckless else draw(TYPE),
            "durable": draw(FLAG),
            "auto_delete": draw(TENTH),
        }
        if draw(TENTH):
            args["internal"] = True
        if draw(QUARTER):
            args["arguments"] = {"alternate-exchange": draw(ALTERNATE)}
        return "exchange_declare", args

    return make


def _exchange_delete(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    name = draw(MISSING) if reckless else draw(EXCHANGE)
    return "exchange_delete", {"exchange": name, "if_unused": draw(FLAG)}


MATCH = _one(None, "all", "any", "any", "any-with-x", "all-with-x")
ANY_MATCH = _one("all", "any", "some", 1, None)


def _key_or_headers(draw: Draw, reckless: bool) -> Args:
    args: Args = {"routing_key": draw(PATTERN)}
    if draw(QUARTER):
        args["arguments"] = {name: draw(HEADER) for name in draw(HEADERS)}
        match = draw(ANY_MATCH if reckless else MATCH)
        if match is not None:
            args["arguments"]["x-match"] = match
    return args


def _queue_bind(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    exchange = draw(MISSING) if reckless else draw(EXCHANGE)
    return "queue_bind", {"queue": draw(ANY_QUEUE), "exchange": exchange, **_key_or_headers(draw, reckless)}


def _queue_unbind(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    args: Args = {"queue": draw(ANY_QUEUE), "exchange": draw(EXCHANGE), "like": Pick(draw(PLACE))}
    return "queue_unbind", args | (_key_or_headers(draw, reckless) if reckless else {})


def _exchange_bind(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    source = draw(MISSING) if reckless else draw(EXCHANGE)
    return "exchange_bind", {
        "destination": draw(EXCHANGE),
        "source": source,
        **_key_or_headers(draw, reckless),
    }


def _exchange_unbind(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    args: Args = {"destination": draw(EXCHANGE), "source": draw(EXCHANGE), "like": Pick(draw(PLACE))}
    return "exchange_unbind", args | (_key_or_headers(draw, reckless) if reckless else {})


# ---------------------------------------------------------------- messages

EXPIRATION = _one(str(EVER), "0")
TIMED_EXPIRATION = _one(str(EVER), "0", *[str(SHORT)] * 4)
PROPERTIES = _one(
    {"delivery_mode": 2}, {"delivery_mode": 1}, {"message_id": "id"}, {"reply_to": "r"}, {"type": "t"}
)
ODD = _one(
    {"expiration": "10s"}, {"expiration": ""}, {"expiration": "-1"}, {"user_id": "root"}, {"user_id": "guest"}
)
COPIES = _one(["q2"], ["a", "b"], ["q1", "q3"], [], ["q2", "q2"], ["q9"])
SIZE = _one(2, 2, 2, 5, 12)
PRIORITY = _one(1, 2, 3, 0, 9)
PARTS = {
    "expiration": _chance(20),
    "properties": _chance(20),
    "headers": _chance(20),
    "copies": _chance(7),
    "mandatory": _chance(15),
    "priority": _chance(30),
    "deaths": _chance(2),
}
COPIED = _one("CC", "BCC")


def _publish(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    parts = _some(draw, PARTS)
    properties: Args = {}
    headers: Args = {}
    args: Args = {"body": draw(SIZE)}
    if draw(HALF):
        args |= {"exchange": draw(EXCHANGE), "routing_key": draw(KEY)}
    else:
        args |= {"exchange": "", "routing_key": draw(QUEUE)}
    if "properties" in parts:
        properties |= draw(PROPERTIES)
    if "expiration" in parts:
        properties["expiration"] = draw(TIMED_EXPIRATION if timed else EXPIRATION)
    if "headers" in parts:
        headers = {name: draw(HEADER) for name in draw(HEADERS)}
    if "copies" in parts:
        headers[draw(COPIED)] = draw(COPIES)
    if "deaths" in parts:
        headers["x-death"] = [{"queue": "q1", "reason": "expired", "count": 1}]
    if reckless and draw(HALF):
        properties |= draw(ODD)
    elif reckless and draw(HALF):
        headers[draw(COPIED)] = "q1"
    if "mandatory" in parts:
        args["mandatory"] = True
    if "priority" in parts:
        args["priority"] = draw(PRIORITY)
    if headers:
        args["headers"] = headers
    if properties:
        args["properties"] = properties
    return "basic_publish", args


# ---------------------------------------------------------------- consumers

X_PRIORITY = _one(1, 2, -1, 0)
ODD_PRIORITY = _one("1", 1.5, True, 1)
PLACE = _one(0, 0, 1, 2, 3)
ODD_TAG = _one(0, 1, 2, 5, 99)
COUNT = _one(1, 1, 2, 3, 0)


def _get(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "basic_get", {"queue": draw(ANY_QUEUE), "no_ack": draw(QUARTER)}


def _consume(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    args: Args = {"queue": draw(ANY_QUEUE), "consumer_tag": draw(TAG), "no_ack": draw(TENTH)}
    if draw(TENTH):
        args["exclusive"] = True
    if draw(QUARTER):
        args["arguments"] = {"x-priority": draw(ODD_PRIORITY if reckless else X_PRIORITY)}
    return "basic_consume", args


def _tag(draw: Draw, reckless: bool) -> Any:
    return draw(ODD_TAG) if reckless else Pick(draw(PLACE))


def _ack(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "basic_ack", {"delivery_tag": _tag(draw, reckless), "multiple": draw(THIRD)}


def _nack(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "basic_nack", {"delivery_tag": _tag(draw, reckless), "multiple": draw(HALF), "requeue": draw(HALF)}


def _reject(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "basic_reject", {"delivery_tag": _tag(draw, reckless), "requeue": draw(HALF)}


def _recover(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "basic_recover", {"requeue": not reckless}


def _cancel(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "basic_cancel", {"consumer_tag": draw(TAG) if reckless else Pick(draw(PLACE))}


def _qos(draw: Draw, timed: bool, reckless: bool) -> tuple[str, Args]:
    return "basic_qos", {
        "prefetch_size": int(reckless),
        "prefetch_count": draw(COUNT),
        "a_global": draw(TENTH),
    }


MAKERS: dict[str, Callable[[Draw, bool, bool], tuple[str, Args]]] = {
    "queue_declare": _declares(QUEUE),
    "exchange_declare": _exchange(EXCHANGE),
    "queue_bind": _queue_bind,
    "queue_unbind": _queue_unbind,
    "exchange_bind": _exchange_bind,
    "exchange_unbind": _exchange_unbind,
    "publish": _publish,
    "get": _get,
    "consume": _consume,
    "ack": _ack,
    "nack": _nack,
    "reject": _reject,
    "recover": _recover,
    "cancel": _cancel,
    "qos": _qos,
    "redeclare": _redeclare,
    "passive": _passive,
    "queue_purge": _purge,
    "queue_delete": _queue_delete,
    "exchange_delete": _exchange_delete,
    **{f"queue {name}": _declares(_one(name)) for name in QUEUES},
    **{f"exchange {name}": _exchange(_one(name)) for name in EXCHANGES},
}


# ---------------------------------------------------------------- in what order

PLAYING = _weighted(VERBS)
TIMED = _weighted(VERBS | {"advance": 12})

#: Most programs begin with most of the queues and exchanges, some bindings and a consumer.
OPENING = [
    *(_weighted({"nothing": 1, f"queue {name}": 5}) for name in QUEUES),
    *(_weighted({"nothing": 1, f"exchange {name}": 3}) for name in EXCHANGES),
    *[["queue_bind"]] * 4,
    *[["exchange_bind", "nothing"]] * 2,
    *[["qos", "nothing"], ["consume", "nothing"]] * 2,
]
