"""A program is rehearsed on the sandbox, which settles what is open in it and what is to be expected.

A rehearsal turns drafts into steps, drops steps whose result a race would decide (`races`), finds out how
long the short times of the program must be (see below), and keeps what was seen and how to wait for it.

**Time.**  On the sandbox no time passes but in an `advance` step (and a tick per step, so that what was
started earlier is due earlier).  On the real broker each step takes its millisecond or two, so a program is
made such that this never matters:

* A message lives 0 ms, SHORT, or for hours, and so does an unused queue: EXPIRES = 2.5 SHORT, or hours.
* `advance` lets at least 1.5 SHORT pass, and then goes on to half a SHORT after the last thing that is due.
  So afterwards everything that is short is over, and nothing happens near the end of an `advance`.
* All that is short and was started since the last `advance` was started within 0.45 SHORT.  So, in an
  `advance`, the n-th generation of expired messages (a dead letter may expire again) leaves between n and
  n + 0.45 SHORT after the first start, the unused queues go between 2.5 and 2.95, and no two of these
  overlap.  What happens within one of them in several queues is in no order: `races` sees to that.
* A program that ends without an `advance` ends within 0.8 SHORT.

The last two are promises of the real run, not of the program: `factor` lengthens SHORT by how many steps
have to fit, and a run that took longer all the same is repeated with longer times (`run.TooSlow`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

import kombu

import sandbox.transport  # noqa: F401  (registers sandbox://)
from sandbox.engine.clock import ManualClock
from sandbox.engine.core import Engine

from .client import Client, Hint, Seen
from .drafts import Draft, Pick, Program
from .races import Race, Scene, refuse_races
from .steps import EXPIRES, GENERATED, QUEUES, SEATS, SHORT, Seat, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.engine.events import Event
    from sandbox.engine.queues import Queue
    from sandbox.engine.sessions import Channel

#: Seconds of the sandbox's clock for each step.
TICK = 1e-4

#: Seconds; what is due later than that is as good as never.
FAR = 1000.0


@dataclass
class Rehearsal:
    """A program made ready for a real broker."""

    steps: list[Step] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    ticking: list[bool] = field(default_factory=list)  # after the step: something short has begun
    events: list[Event] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # of the drafts; negative: a last look
    factor: int = 1
    short: float = 0.0  # seconds
    is_tidy: bool = True  # all channels that it used are closed at the end


def rehearse(program: Program, version: tuple[int, ...], pace: float = 0.004, factor: int = 1) -> Rehearsal:
    """Rehearse a program for a broker of this version, where a step takes about so many seconds."""
    left_out: set[int] = set()
    while True:
        stage = Stage(program, version, factor)
        try:
            rehearsal = stage.play(left_out)
        except Race as race:
            left_out.add(race.draft)
            continue
        finally:
            stage.close()
        needed = ceil(_longest(rehearsal.ticking) * pace * 1000 / 0.45 / SHORT)
        if needed <= factor:
            return rehearsal
        factor = needed


def _longest(ticking: list[bool]) -> int:
    """The most steps between a start and the `advance` that it is over with."""
    longest = length = 0
    for ticks in ticking:
        length = length + 1 if ticks else 0
        longest = max(longest, length)
    return longest


class Stage(Client):
    """The sandbox as a target, and the rehearsal of one program on it."""

    def __init__(self, program: Program, version: tuple[int, ...], factor: int) -> None:
        super().__init__()
        self.program = program
        self.version = version
        self.factor = factor
        self.engine = Engine(ManualClock())
        self.topology = self.engine._moves.topology
        self.result = Rehearsal(factor=factor, short=SHORT * factor / 1000)
        self.ticking = False
        self.used: set[Seat] = set()
        self.exchanges: dict[str, None] = {}
        self.draft = 0
        self.connect(0)
        self.connect(1)

    def connection(self) -> kombu.Connection:
        connection = kombu.Connection("sandbox://", transport_options={"engine": self.engine})
        connection.connect()
        return connection

    # ------------------------------------------------------------ playing

    def play(self, left_out: set[int]) -> Rehearsal:
        """Play all drafts but those left out, then look at everything."""
        for self.draft, draft in enumerate(self.program.drafts):  # noqa: B020  (the place, for who asks)
            if self.draft not in left_out and (step := self.settled(draft)) is not None:
                self.take(step)
            if len(self.result.steps) >= self.program.steps:
                break
        for number, step in enumerate(self._last_looks()):
            self.draft = -1 - number
            if self.draft not in left_out:
                self.take(step)
            elif step.verb == "close_channel":
                self.result.is_tidy = False
        return self.result

    def _last_looks(self) -> Iterator[Step]:
        """Steps that show what was left hidden: what is unacked comes back, and all queues are emptied."""
        if self.program.waits and self.ticking:
            yield Step((0, 0), "advance", {})
        for seat in SEATS:
            if seat in self.used:
                yield Step(seat, "close_channel")
        for name in [*QUEUES, *GENERATED]:
            queue = self.topology.queues.get(self.names.out(name))
            if queue is not None:
                yield Step((self.owner(queue), 0), "contents", {"queue": name})
        for name in self.exchanges:
            yield Step((0, 0), "exists", {"exchange": name})

    def take(self, step: Step) -> None:
        """Do a step, and keep what was seen."""
        before = self.engine.history.last
        looks_only = step.verb in ("contents", "exists")
        if not looks_only:
            self.used.add(step.seat)
        if step.verb == "exchange_declare":
            self.exchanges[step.args["exchange"]] = None
        seats = self._seats()
        reply, error = self.do(step)
        events = self.engine.history.after(before)
        open_now = self._seats()
        refuse_races(Scene(self.draft, step, events, seats | open_now, self.engine, self.version))
        hint = self._hint(step, events, {} if error else open_now)
        queues = self.settle(hint)
        look = self.program.eager or looks_only or step.verb == "drain"
        self.engine.advance(TICK)
        self.ticking = step.verb != "advance" and (self.ticking or self._starts(events))
        self.result.steps.append(step)
        self.result.places.append(self.draft)
        self.result.seen.append(Seen(reply, error, self.heard() if look else None, queues))
        self.result.hints.append(hint)
        self.result.ticking.append(self.ticking)
        self.result.events += events

    def _seats(self) -> dict[int, Seat]:
        """The channels by the numbers that the history gives them."""
        return {channel._session.id: seat for seat, channel in self.channels.items()}

    def _hint(self, step: Step, events: list[Event], seats: Mapping[int, Seat]) -> Hint:
        arrivals: Counter[tuple[str, Seat]] = Counter()
        touched: dict[str, None] = {}
        for event in events:
            for place in filter(None, (event.source, event.target)):
                if place.kind in _IN_QUEUES:
                    touched[self.names.back(place.name)] = None
            target = event.target
            if event.kind in ("delivered", "sent") and target.consumer and target.channel in seats:
                arrivals["sent", seats[target.channel]] += 1
            elif (event.kind, event.reason) == ("consumer_cancelled", _DELETED) and target.channel in seats:
                arrivals["cancelled", seats[target.channel]] += 1
        if self.arrived["confirmed", step.seat]:
            arrivals["confirmed", step.seat] = self.arrived["confirmed", step.seat]
        queues = dict.fromkeys(name for name in touched if name in (*QUEUES, *GENERATED))
        if step.verb in _SAYS_ALL and list(queues) == [step.args["queue"]]:
            queues = {}
        owners = {}
        for name in queues:
            queue = self.topology.queues.get(self.names.out(name))
            if queue is not None and queue.owner is not None:
                owners[name] = self.owner(queue)
            queues[name] = self.look(name, owners.get(name, 0))
        return Hint(dict(arrivals), queues, owners)

    def owner(self, queue: Queue) -> int:
        """The connection whose own the queue is, else the first."""
        if queue.owner is None:
            return 0
        return next(n for n in (0, 1) if self.channels[n, 0]._session.connection is queue.owner)

    # ------------------------------------------------------------ time

    def _starts(self, events: list[Event]) -> bool:
        """Whether something short has begun to run."""
        now = self.engine.now
        return any(
            event.kind == "routed" and event.what.expires is not None and event.what.expires < now + FAR
            for event in events
        ) or (self._due() is not None)

    def _due(self) -> float | None:
        """Seconds until something falls due; None if nothing does for long."""
        due = self.engine.peek()
        return None if due is None or due.time - self.engine.now > FAR else due.time - self.engine.now

    def _advance(self, step: Step) -> None:
        """Let time pass, as in the class of the module's words; how much is written into the step."""
        short = self.result.short
        began = self.engine.now
        self.engine.advance(1.5 * short)
        while (due := self._due()) is not None:
            self.engine.advance(due + short / 2)
        step.args["seconds"] = round(self.engine.now - began, 6)  # type: ignore[index]

    # ------------------------------------------------------------ settling what is open

    def settled(self, draft: Draft) -> Step | None:
        """The step that a draft becomes; None if it is left out."""
        args = {name: self._lengthened(name, value) for name, value in draft.args.items()}
        seat = draft.seat
        if draft.verb == "redeclare":
            return self._redeclared(draft, args)
        if draft.verb == "advance":
            return Step(seat, "advance", {}) if self.ticking else None
        for name, value in draft.args.items():
            if isinstance(value, Pick):
                picked = self._picked(draft, name, value)
                if picked is None:
                    return None
                del args[name]
                seat, found = picked
                args |= found
        if not draft.reckless and self._is_refused(draft.verb, args, seat):
            return None
        if "body" in args:
            args["body"] = f"m{len(self.result.steps)}".ljust(args["body"], ".").encode()
        if "token" in args and args["token"] in self.names:
            return None
        return Step(seat, draft.verb, args)

    def _picked(self, draft: Draft, name: str, pick: Pick) -> tuple[Seat, dict[str, Any]] | None:
        """What a draft left open, and the channel for it; None if there is nothing to pick."""
        if name == "like":  # an existing binding, to be taken away
            args = draft.args
            to_exchange = draft.verb == "exchange_unbind"
            source = args["source"] if to_exchange else args["exchange"]
            destination = args["destination"] if to_exchange else args["queue"]
            bindings = [
                {"routing_key": self.names.back(binding.routing_key), "arguments": dict(binding.arguments)}
                for binding in self.topology.bindings_to(self.names.out(destination), to_exchange=to_exchange)
                if binding.source == source
            ]
            if "routing_key" in args:
                return draft.seat, {}
            return (draft.seat, bindings[pick.place % len(bindings)]) if bindings else None
        sessions = {seat: self.channels[seat]._session for seat in (draft.seat, *SEATS)}
        if name == "consumer_tag":
            tags = [(seat, {name: tag}) for seat, session in sessions.items() for tag in session.consumers]
            return tags[pick.place % len(tags)] if tags else None
        for seat, session in sessions.items():
            waiting = [tag for tag, delivery in session.unacked.items() if not delivery.settling]
            if waiting:
                return seat, {name: waiting[pick.place % len(waiting)]}
        return None

    def _lengthened(self, name: str, value: Any) -> Any:
        """Short times, as long as this rehearsal needs them."""
        if isinstance(value, dict):
            return {key: self._lengthened(key, item) for key, item in value.items()}
        if name == "expiration" and value == str(SHORT):
            return str(SHORT * self.factor)
        if (name, value) in (("x-message-ttl", SHORT), ("x-expires", EXPIRES)) and type(value) is int:
            return value * self.factor
        return value

    def _redeclared(self, draft: Draft, args: dict[str, Any]) -> Step | None:
        queue = self._queue(args["queue"])
        if queue is None or (self._is_foreign(queue, draft.seat) and not draft.reckless):
            return None
        options = queue.options
        as_it_is = {
            "queue": args["queue"],
            "durable": options.durable,
            "exclusive": options.exclusive,
            "auto_delete": options.auto_delete,
            "arguments": self.names.back(dict(options.arguments)),
        }
        change = dict(args["change"])
        as_it_is["arguments"] |= change.pop("arguments", {})
        return Step(draft.seat, "queue_declare", as_it_is | change)

    def _queue(self, name: str) -> Queue | None:
        return self.topology.queues.get(self.names.out(name))

    def _is_foreign(self, queue: Queue, seat: Seat) -> bool:
        return queue.owner not in (None, self.channels[seat]._session.connection)

    def _is_refused(self, verb: str, args: Mapping[str, Any], seat: Seat) -> bool:
        """Whether a step could only be an error, or nothing."""
        session: Channel = self.channels[seat]._session
        exchanges = self.topology.exchanges
        match verb:
            case "queue_declare":
                name = args["queue"]
                return name in self.topology.queues and not args.get("passive")
            case "exchange_declare":
                return args["exchange"] in exchanges
            case "exchange_delete":
                return args["exchange"] not in exchanges
            case "exchange_bind" | "exchange_unbind":
                return args["source"] not in exchanges or args["destination"] not in exchanges
            case "basic_publish":
                exchange = exchanges.get(args["exchange"])
                if not args["exchange"]:
                    return args["routing_key"] not in self.topology.queues and "mandatory" not in args
                return exchange is None or exchange.options.internal
            case "basic_recover":
                return not session.unacked
            case "confirm_select":
                return session.transaction is not None
            case "tx_select":
                return session.confirms is not None
            case "tx_commit" | "tx_rollback":
                return session.transaction is None
            case "drain":
                return self.program.eager
        if "queue" not in args:
            return False
        queue = self._queue(args["queue"] or session.last_queue)
        if queue is None or self._is_foreign(queue, seat):
            return True
        if verb in ("queue_bind", "queue_unbind"):
            return args["exchange"] not in exchanges
        if verb == "basic_consume":
            held = any(consumer.exclusive for consumer in queue.consumers)
            alone = args.get("exclusive") and (queue.consumers or queue.options.single_active_consumer)
            return bool(args.get("consumer_tag") in session.consumers or held or alone)
        return False


#: Places of copies that are in a queue, or that stand for one.
_DELETED = "its queue was deleted"
_IN_QUEUES = ("ready", "unacked", "queue", "dead_lettered", "dropped", "expired", "refused", "removed")

#: Steps whose reply says how many messages and consumers their queue has, or that it has gone.
_SAYS_ALL = ("basic_get", "contents", "queue_declare", "queue_purge", "queue_delete")
