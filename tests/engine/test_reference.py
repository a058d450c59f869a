"""The engine against a second, naive broker: the same random verbs, and after each the same state.

In CI the walk is the same at every run.  To walk longer, and elsewhere each time:

    REFERENCE_WALKS=20000 pytest --timeout=0 tests/engine/test_reference.py

A walk that fails is shortened and printed as the verbs that lead there.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sandbox.engine import sessions
from sandbox.engine.clock import MANUAL_EPOCH, ManualClock
from sandbox.engine.core import Engine
from sandbox.engine.errors import BrokerError
from sandbox.engine.events import DOORS
from sandbox.engine.ledger import Ledger
from sandbox.engine.model import ExchangeOptions
from sandbox.engine.publishing import Published
from tests.engine import reference
from tests.engine.reference import Reference, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.engine.model import Message
    from sandbox.engine.queues import Copy, Queue
    from tests.engine.reference import Table

WALKS = int(os.environ.get("REFERENCE_WALKS", "0"))
WALK = settings(
    max_examples=WALKS or 150,
    stateful_step_count=60,
    derandomize=not WALKS,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

QUEUES = st.sampled_from(["q1", "q1", "q2", "q3"])
EXCHANGES = st.sampled_from(["x1", "x2", "x3"])
SOURCES = st.sampled_from(["x1", "x1", "x2", "x2", "x3", "amq.topic", "amq.fanout", ""])
TYPES = st.sampled_from(["topic", "direct", "fanout", "headers"])
KEYS = st.sampled_from(["q1", "q2", "q3", "a", "", "b", "a.b", "a.c.b", "a.", ".b", "#"])
PATTERNS = st.sampled_from(
    ["#", "*", "q1", "a", "b", "", "a.#", "#.b", "*.b", "a.*.b", "#.*.#", "#.#", "a.#.b.#", "#.a.#.#"]
)
TTLS = st.sampled_from([2000, 1000, 5000, 1500, 0])
VALUES = st.sampled_from([1, "1", True, 1.0])
BINDING_ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "h": st.one_of(VALUES, st.none()),
        "x-h": VALUES,
        "x-match": st.sampled_from(["all", "any", "all-with-x", "any-with-x"]),
    },
)
NOTHING: st.SearchStrategy[Table] = st.just({})
MESSAGE_HEADERS = st.one_of(
    NOTHING,
    st.fixed_dictionaries(
        {},
        optional={
            "h": VALUES,
            "x-h": VALUES,
            "CC": st.lists(KEYS, max_size=2),
            "BCC": st.lists(KEYS, max_size=2),
            "x-death": st.just("a client's own"),
            "x-first-death-queue": st.just("a client's own"),
        },
    ),
)
SLOTS = st.integers(0, 4)
SIZES = st.sampled_from([4, 4, 8, 30])
PROPERTIES = st.fixed_dictionaries({}, optional={"expiration": TTLS.map(str), "priority": st.integers(0, 6)})
ALTERNATES = st.fixed_dictionaries({}, optional={"alternate-exchange": EXCHANGES})
SELDOM = st.sampled_from([False, False, False, False, True])
RARELY = st.sampled_from([False] * 11 + [True])
QUEUE_FLAGS = st.fixed_dictionaries(dict.fromkeys(("durable", "auto_delete", "exclusive"), SELDOM))
EXCHANGE_FLAGS = st.fixed_dictionaries(dict.fromkeys(("durable", "auto_delete", "internal"), SELDOM))
CHANGES = st.sampled_from(
    ["bind queue", "bind queue", "bind exchange", "unbind", "declare queue", "declare exchange", "again"]
)
DISTURBANCES = st.sampled_from(
    ["close channel", "disconnect", "purge", "passive", "wrong delivery tag", "wrong consumer tag"]
    + [f"delete {how}{noun}" for noun in ("queue", "exchange") for how in ("", "unused ", "empty ")]
)


def options(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Table]:
    """Some of these arguments, by AMQP's names."""
    named = {"x-" + name.replace("_", "-"): strategy for name, strategy in optional.items()}
    return st.fixed_dictionaries({}, optional=named)


LIMITS = options(
    max_length=st.sampled_from([2, 3, 1, 0]),
    max_length_bytes=st.sampled_from([12, 24, 6, 0]),
    overflow=st.sampled_from(["drop-head", "reject-publish", "reject-publish-dlx"]),
)
TIMES = options(message_ttl=TTLS, expires=st.sampled_from([10_000, 3000]))
ORDERS = options(max_priority=st.sampled_from([5, 1, 0]), single_active_consumer=st.booleans())
LETTERS = st.one_of(
    st.fixed_dictionaries({"x-dead-letter-exchange": st.just(""), "x-dead-letter-routing-key": QUEUES}),
    st.fixed_dictionaries({"x-dead-letter-exchange": SOURCES}, optional={"x-dead-letter-routing-key": KEYS}),
)


@st.composite
def queue_arguments(draw: st.DrawFn) -> Table:
    """Arguments for a queue: of each family often none."""
    drawn = [draw(st.one_of(NOTHING, family)) for family in (LIMITS, TIMES, ORDERS, LETTERS)]
    return {name: value for arguments in drawn for name, value in arguments.items()}


# ---------------------------------------------------------------- both brokers' values, made comparable


def milliseconds(seconds: float) -> int:
    """Engine time as the reference counts it."""
    return round(seconds * 1000)


def shown(message: Message | reference.Message) -> tuple[Any, ...]:
    """A message, with its passport in full."""
    headers: Table = message.headers
    expiration = None
    if isinstance(message, reference.Message):
        headers = message.delivered_headers
        expiration = None if message.expiration is None else str(message.expiration)
    else:
        expiration = message.properties.get("expiration")
    texts = json.dumps(headers, sort_keys=True, default=_unix_time)
    return message.body, message.exchange, message.keys, expiration, texts


def _unix_time(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp())


def standing(copy: Copy | reference.Copy) -> tuple[Any, ...]:
    """A copy in its queue."""
    if isinstance(copy, reference.Copy):
        return shown(copy.message), copy.priority, copy.expires, copy.returned
    expires = None if copy.expires is None else milliseconds(copy.expires)
    return shown(copy.message), copy.priority, expires, copy.redelivered


def seen(value: Any) -> Any:
    """An answer, or something that was sent, as the client sees it."""
    match value:
        case sessions.Delivery():
            who = "" if value.consumer is None else value.consumer.tag
            return value.channel.id, who, value.tag, value.redelivered, shown(value.message)
        case reference.Held():
            who = "" if value.consumer is None else value.consumer.tag
            return value.channel.number, who, value.tag, value.redelivered, shown(value.copy.message)
        case sessions.Cancelled():
            return value.channel.id, value.tag
        case reference.Cancelled():
            return value.channel.number, value.tag
        case Published():
            return [list(value.queues), list(value.refused), value.returned, value.confirm]
        case tuple() | list():
            return [seen(item) for item in value]
        case _:
            return value


class Machine(RuleBasedStateMachine):
    """Both brokers, and on each of them five channels of three clients."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(ManualClock())
        self.reference = Reference(int(MANUAL_EPOCH))
        self.clients = [self._connect() for _ in range(3)]
        self.channels = [self._open(slot) for slot in range(5)]
        self.published = 0
        self.seen, self.seen_at = 0, 0.0  # the last event
        self.whereabouts: dict[int, str] = {}  # of each copy, by the history

    # ------------------------------------------------------------ side by side

    def _connect(self) -> tuple[sessions.Connection, reference.Connection]:
        return self.engine.connect(), self.reference.connect()

    def _open(self, slot: int) -> tuple[sessions.Channel, reference.Channel]:
        """The channel for that slot: two for each client, one for the last."""
        connection, twin = self.clients[slot // 2]
        return self.engine.open_channel(connection), self.reference.open_channel(twin)

    def both(self, slot: int, verb: str, *args: Any, **flags: Any) -> None:
        """The same verb on both: they give the same answer, or refuse with the same code."""
        channel, twin = self.channels[slot]
        answer: Any
        expected: Any
        try:
            answer = seen(getattr(self.engine, verb)(channel, *args, **flags))
        except BrokerError as error:
            answer = error.code
        try:
            expected = seen(getattr(self.reference, verb)(twin, *args, **flags))
        except Refused as refused:
            expected = refused.code
        assert answer == expected
        self._reopen()

    def _reopen(self) -> None:
        """A new client for one that was thrown out."""
        for number, (connection, twin) in enumerate(self.clients):
            assert connection.is_open == twin.is_open
            if not connection.is_open:
                self.clients[number] = self._connect()
        for slot, (channel, _) in enumerate(self.channels):
            if not channel.is_open:
                self.channels[slot] = self._open(slot)

    # ------------------------------------------------------------ topology

    @initialize(
        queues=st.tuples(queue_arguments(), queue_arguments(), queue_arguments()),
        types=st.tuples(TYPES, TYPES),
        bindings=st.lists(st.tuples(QUEUES, SOURCES, PATTERNS), max_size=5),
    )
    def begin(
        self, queues: tuple[Table, ...], types: tuple[str, ...], bindings: list[tuple[str, str, str]]
    ) -> None:
        for number, arguments in enumerate(queues, 1):
            self.both(0, "queue_declare", f"q{number}", arguments=arguments)
        for number, kind in enumerate(types, 1):
            self.both(0, "exchange_declare", f"x{number}", ExchangeOptions(kind))
        for queue, exchange, key in bindings:
            self.both(0, "queue_bind", queue, exchange, key, {})

    @rule(slot=SLOTS, what=CHANGES, queue=QUEUES, exchange=EXCHANGES, data=st.data())
    def change(self, slot: int, what: str, queue: str, exchange: str, data: st.DataObject) -> None:
        """Something about the topology."""
        match what.split():
            case ["bind", noun]:
                destination = queue if noun == "queue" else exchange
                args = data.draw(SOURCES), data.draw(PATTERNS), data.draw(BINDING_ARGUMENTS)
                self.both(slot, f"{noun}_bind", destination, *args)
            case ["unbind"] if self.reference.bindings:
                binding = data.draw(st.sampled_from(self.reference.bindings))
                verb = "exchange_unbind" if binding.to_exchange else "queue_unbind"
                key = data.draw(st.sampled_from([binding.key, binding.key, "nosuch"]))
                self.both(slot, verb, binding.destination, binding.source, key, binding.arguments)
            case ["declare", "queue"]:
                flags = data.draw(QUEUE_FLAGS)
                self.both(slot, "queue_declare", queue, **flags, arguments=data.draw(queue_arguments()))
            case ["declare", "exchange"]:
                arguments = data.draw(ALTERNATES)
                options = ExchangeOptions(data.draw(TYPES), **data.draw(EXCHANGE_FLAGS), arguments=arguments)
                self.both(slot, "exchange_declare", exchange, options)
            case ["again"] if queue in self.reference.queues:
                found = self.reference.queues[queue]
                flags = {"durable": found.durable, "auto_delete": found.auto_delete}
                flags["exclusive"] = found.owner is not None
                self.both(slot, "queue_declare", queue, **flags, arguments=found.arguments)

    @rule(slot=SLOTS, what=DISTURBANCES, queue=QUEUES, exchange=SOURCES)
    def disturb(self, slot: int, what: str, queue: str, exchange: str) -> None:
        """What must not happen too often, or there would be nothing to disturb."""
        match what.split():
            case ["close", _]:
                channel, twin = self.channels[slot]
                self.engine.close_channel(channel)
                self.reference.close_channel(twin)
            case ["disconnect"]:
                connection, client = self.clients[slot // 2]
                self.engine.disconnect(connection)
                self.reference.disconnect(client)
            case ["purge"]:
                self.both(slot, "queue_purge", queue)
            case ["passive"]:
                self.both(slot, "queue_declare", queue, passive=True, arguments={})
                self.both(slot, "exchange_declare", exchange, ExchangeOptions("direct"), passive=True)
            case ["wrong", "delivery", _]:
                self.both(slot, "basic_ack", 1000, multiple=True)
            case ["wrong", "consumer", _]:
                self.both(slot, "basic_consume", queue, "c1", arguments={})
            case ["delete", *how, "queue"]:
                flags = {"if_unused": "unused" in how, "if_empty": "empty" in how}
                self.both(slot, "queue_delete", queue, **flags)
            case ["delete", *how, "exchange"]:
                self.both(slot, "exchange_delete", exchange, if_unused="unused" in how)
        self._reopen()

    # ------------------------------------------------------------ messages

    @rule(
        slot=SLOTS,
        exchange=SOURCES,
        key=KEYS,
        headers=MESSAGE_HEADERS,
        properties=PROPERTIES,
        mandatory=SELDOM,
        confirms=RARELY,
    )
    def publish(
        self,
        slot: int,
        exchange: str,
        key: str,
        headers: Table,
        properties: Table,
        *,
        mandatory: bool,
        confirms: bool,
    ) -> None:
        if confirms:
            self.both(slot, "confirm_select")
        args = (dict(headers), dict(properties))
        self.both(slot, "basic_publish", exchange, key, self._body(4), *args, mandatory=mandatory)

    @rule(slot=SLOTS, queue=QUEUES, messages=st.lists(st.tuples(SIZES, PROPERTIES), min_size=1, max_size=5))
    def fill(self, slot: int, queue: str, messages: list[tuple[int, Table]]) -> None:
        """Some messages for a queue."""
        for size, properties in messages:
            self.both(slot, "basic_publish", "", queue, self._body(size), {}, dict(properties))

    def _body(self, size: int) -> bytes:
        """A body that no other message has."""
        self.published += 1
        return str(self.published).rjust(size).encode()

    @rule(slot=SLOTS, queue=QUEUES, no_ack=SELDOM)
    def get(self, slot: int, queue: str, *, no_ack: bool) -> None:
        self.both(slot, "basic_get", queue, no_ack=no_ack)

    # ------------------------------------------------------------ consumers

    @rule(
        slot=SLOTS,
        queue=QUEUES,
        prefetch=st.sampled_from([1, 2, 0, 3]),
        no_ack=SELDOM,
        exclusive=RARELY,
        priority=st.sampled_from([0, 0, 0, 1, -1]),
    )
    def consume(
        self, slot: int, queue: str, prefetch: int, priority: int, *, no_ack: bool, exclusive: bool
    ) -> None:
        self.both(slot, "basic_qos", 0, prefetch)
        taken = {tag for number, tag in self.consumers if number == slot}
        tag = next(f"c{number}" for number in count(1) if f"c{number}" not in taken)
        arguments = {"x-priority": priority} if priority else {}
        flags = {"no_ack": no_ack, "exclusive": exclusive}
        self.both(slot, "basic_consume", queue, tag, **flags, arguments=arguments)

    @property
    def consumers(self) -> list[tuple[int, str]]:
        """All consumers: the slots of their channels, with their tags."""
        return [(slot, tag) for slot, (channel, _) in enumerate(self.channels) for tag in channel.consumers]

    @precondition(lambda self: self.consumers)
    @rule(data=st.data(), takes=st.sampled_from([0, 0, 1, 5]))
    def cancel(self, data: st.DataObject, takes: int) -> None:
        """A client cancels a consumer, and may take what was sent to it before anything else."""
        slot, tag = data.draw(st.sampled_from(self.consumers))
        self.both(slot, "basic_cancel", tag)
        for _ in range(takes):
            self.both(slot, "next_delivery", tag)

    @rule(number=st.integers(0, 2), most=st.sampled_from([1, 2, 100]))
    def drain(self, number: int, most: int) -> None:
        """A client takes what was sent to it."""
        connection, twin = self.clients[number]
        for _ in range(most):
            item = self.engine.next_item(connection, 0)
            expected = twin.outbox.pop(0) if twin.outbox else None
            assert seen(item) == seen(expected)

    # ------------------------------------------------------------ acknowledgements

    @precondition(lambda self: self.held)
    @rule(data=st.data(), multiple=SELDOM)
    def ack(self, data: st.DataObject, *, multiple: bool) -> None:
        slot, tag = data.draw(st.sampled_from(self.held))
        self.both(slot, "basic_ack", tag, multiple=multiple)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), multiple=SELDOM, requeue=st.booleans())
    def nack(self, data: st.DataObject, *, multiple: bool, requeue: bool) -> None:
        slot, tag = data.draw(st.sampled_from(self.held))
        self.both(slot, "basic_nack", tag, multiple=multiple, requeue=requeue)

    @property
    def held(self) -> list[tuple[int, int]]:
        """What can be acknowledged: the slots of channels, with the tags that they hold."""
        return [(slot, held.tag) for slot, (_, twin) in enumerate(self.channels) for held in twin.unacked]

    @precondition(lambda self: self.held)
    @rule(data=st.data(), recover=st.booleans())
    def settle_all(self, data: st.DataObject, *, recover: bool) -> None:
        slot, _ = data.draw(st.sampled_from(self.held))
        if recover:
            self.both(slot, "basic_recover")
        else:
            self.both(slot, "basic_ack", 0, multiple=True)

    # ------------------------------------------------------------ time

    @rule(milliseconds=st.sampled_from([1000, 500, 2000, 1, 5000]))
    def advance(self, milliseconds: int) -> None:
        self.engine.advance(milliseconds / 1000)
        self.reference.play(self.reference.now + milliseconds)

    @rule()
    def step(self) -> None:
        """Both know what is due next, and play it."""
        due = self.engine.step()
        expected = self.reference.next_due
        assert expected == (None if due is None else milliseconds(due.time))
        if expected is not None:
            self.reference.play(expected)

    # ------------------------------------------------------------ what must hold after each step

    @property
    def _queues(self) -> dict[str, Queue]:
        return self.engine._moves.topology.queues

    @invariant()
    def agree(self) -> None:
        self.nothing_is_late()
        self.same_topology()
        self.same_contents()
        self.same_clients()
        self.same_deadlines()
        self.nothing_vanishes()

    def nothing_is_late(self) -> None:
        """What is due now has happened, in the verb that just ended; looking further would make it happen."""
        assert not any(queue.has_expired(self.engine.now) for queue in self._queues.values())

    def same_topology(self) -> None:
        topology = self.engine._moves.topology
        twin = self.reference
        assert set(topology.exchanges) == set(twin.exchanges)
        assert list(topology.queues) == list(twin.queues)
        bindings = {repr((b.source, b.destination, b.routing_key, b.arguments)) for b in topology.bindings()}
        assert bindings == {repr((b.source, b.destination, b.key, b.arguments)) for b in twin.bindings}
        for name, queue in topology.queues.items():
            consumers = [(c.channel.id, c.tag) for c in queue.consumers]
            assert sorted(consumers) == sorted((c.channel.number, c.tag) for c in twin.queues[name].consumers)

    def same_contents(self) -> None:
        """What is ready stands in the same order; what is unacked is in the same hands."""
        for name, queue in self._queues.items():
            copies = self.engine.contents(name)
            twin = self.reference.queues[name]
            ready = [standing(copy) for copy, holder in copies if holder is None]
            assert ready == [standing(copy) for copy in twin.ready]
            unacked = {(standing(copy), seen(holder)) for copy, holder in copies if holder}
            assert unacked == {(standing(copy), seen(copy.holder)) for copy in twin.copies if copy.holder}
            assert (queue.ready, queue.unacked) == (len(ready), len(unacked))
            assert queue.ready_bytes == sum(len(copy.message.body) for copy in twin.ready)

    def same_clients(self) -> None:
        """Each client was sent the same, and each channel holds the same."""
        for connection, twin in self.clients:
            assert seen(list(connection.outbox)) == seen(twin.outbox)
        for channel, held in self.channels:
            assert channel.id == held.number
            assert seen(list(channel.unacked.values())) == seen(held.unacked)

    def same_deadlines(self) -> None:
        """Each queue stands in the heap, not later than something happens there."""
        heap = {(entry[0], entry[-1]) for entry in self.engine._moves.deadlines._heap}
        for name, queue in self._queues.items():
            due = queue.next_deadline()
            assert (None if due is None else milliseconds(due)) == self.reference.queues[name].deadline
            if due is not None:
                assert queue.timer is not None
                assert queue.timer <= due
                assert (queue.timer, queue) in heap
        assert milliseconds(self.engine.now) == self.reference.now

    def nothing_vanishes(self) -> None:
        """Both lines of the ledger balance, and each copy that was ever born is in exactly one place."""
        ledger = self.engine.snapshot().ledger
        assert ledger.balanced
        assert ledger == Ledger(**self.reference.ledger)
        for event in self.engine.history.after(self.seen):
            assert self.seen_at <= event.time
            self.seen, self.seen_at = event.serial, event.time
            if event.copy:
                assert event.target is not None
                before = self.whereabouts.get(event.copy)
                assert event.source is not None
                assert before == (None if event.source.kind == "exchange" else event.source.kind)
                self.whereabouts[event.copy] = event.target.kind
        places = Counter(self.whereabouts.values())
        assert sum(places.values()) == ledger.copies
        for place in ("ready", "unacked", *DOORS):
            assert places[place] == getattr(ledger, place)
        alive = {copy for copy, place in self.whereabouts.items() if place in ("ready", "unacked")}
        assert alive == {
            copy.id for queue in self.engine._moves.topology.queues.values() for copy in queue.copies.values()
        }


def test_engine_agrees_with_the_reference() -> None:
    """Whatever clients do, and in whatever order, the engine and the naive broker are in the same state."""
    run_state_machine_as_test(Machine, settings=WALK)
