"""Interrupts: Ctrl-C may fall between any two steps of any verb, and nothing is lost, doubled or stuck.

Each scenario is run again and again on a fresh broker, with a KeyboardInterrupt at the first line of the
engine, at the second, and so on until the verb completes.
"""

import gc
import linecache
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from types import CodeType, FrameType
from typing import Any, NamedTuple, Self

import pytest

import sandbox.engine
from sandbox.engine import core
from sandbox.engine.clock import Patience
from sandbox.engine.core import Engine
from sandbox.engine.errors import BrokerError, NotFound
from sandbox.engine.sessions import Cancelled, Delivery
from tests.engine.bench import SOON, Bench, assert_whole, body

ENGINE = sandbox.engine.__path__[0]

#: A thread beside the main one.
OTHER = ThreadPoolExecutor(1)

# ---------------------------------------------------------------- Ctrl-C at any line


class Interrupt:
    """Raise KeyboardInterrupt at the nth line that the engine comes to within the `with` block.

    `fell` tells whether it came to that.  A line that is run over and over counts twice.  Two kinds of line
    do not count, because no handler covers them and no signal can fall there: Python looks for signals after
    calls and at jumps back, not at a bare `try:`, nor between the last step within a `with` and its way out.
    """

    def __init__(self, line: int) -> None:
        self._left = line
        self._visits: Counter[tuple[CodeType, int]] = Counter()
        self._inside: set[FrameType] = set()
        self.fell = False

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        sys.settrace(self._before)
        return self.fell and kind is KeyboardInterrupt

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        return self._line if frame.f_code.co_filename.startswith(ENGINE) else None

    def _line(self, frame: FrameType, event: str, _arg: object) -> Any:
        if event != "line" or self._is_out_of_reach(frame):
            return self._line
        place = frame.f_code, frame.f_lineno
        self._visits[place] += 1
        self._left -= self._visits[place] <= 2
        if self._left == 0:
            self.fell = True
            sys.settrace(self._before)
            raise KeyboardInterrupt
        return self._line

    def _is_out_of_reach(self, frame: FrameType) -> bool:
        """Whether this is a bare `try:`, or the second visit to a `with`, which is the way out of it."""
        word = first_word(frame.f_code.co_filename, frame.f_lineno)
        if word != "with":
            return word == "try:"
        leaving = frame in self._inside
        self._inside.add(frame)
        return leaving


@cache
def first_word(file: str, line: int) -> str:
    """The first word of a line of code."""
    return linecache.getline(file, line).split()[0]


# ---------------------------------------------------------------- scenarios


class Scenario(NamedTuple):
    """What is there before, the verb, and how messages that were in a queue before may leave it.

    `again` is called after the interrupt, to see that the same can be done once more.
    """

    before: Callable[[Bench], object]
    verb: Callable[[Bench], object]
    doors: frozenset[str] = frozenset()
    again: Callable[[Bench], object] = lambda _: None


def three_queues(bench: Bench) -> None:
    """One with a consumer that has room, one whose consumer wants no acks, one that nobody reads."""
    other = bench.client("reader")
    for name in "abc":
        bench.queue(name)
        bench.bind(name, "amq.fanout")
    bench.consume("held", "a", channel=other, prefetch=2)
    bench.consume("quick", "b", channel=other, no_ack=True)
    bench.fill("0", "1", key="c")


def backlog(bench: Bench) -> None:
    """Six messages, one of them expiring later, one unacked."""
    bench.queue()
    bench.publish("0")
    bench.publish("1", ttl=60_000)
    bench.fill(*"2345")
    bench.fetch()


def subscribed(bench: Bench) -> None:
    """A queue with two consumers that hold what they may, and more waiting."""
    bench.queue()
    bench.consume("c", prefetch=2)
    bench.consume("d", prefetch=1, channel=bench.client("other"))
    bench.fill(*"012345")
    next(bench.items())


def timed(bench: Bench) -> None:
    """Messages and a queue that will expire, at different times."""
    bench.queue("empty")
    bench.queue("gone", expires=3000)
    bench.publish("x", "gone")
    bench.queue("q", ttl=1000)
    bench.fill("0", "1")
    bench.queue("r")
    bench.publish("2", "r", ttl=2000)
    bench.publish("3", "r")


def bound(bench: Bench) -> None:
    """Exchanges that go with their last binding, one behind the other."""
    backlog(bench)
    bench.exchange("x", "topic", auto_delete=True)
    bench.exchange("y", "fanout", auto_delete=True)
    bench.link("y", "x", "#")
    bench.bind("q", "x", "#")


def held(bench: Bench) -> None:
    """A channel with a get, consumers of two queues (one of them goes with it), and a full outbox."""
    subscribed(bench)
    bench.queue("auto", auto_delete=True)
    bench.bind("auto", "amq.fanout")
    bench.consume("e", "auto")
    bench.fill("6", "7", key="auto")
    bench.queue("mine", exclusive=True)
    bench.publish("8", "mine")
    bench.fetch("mine")


def forgetful(bench: Bench) -> None:
    """A history that is about to forget its older half."""
    subscribed(bench)
    bench.engine.history.most_events = bench.engine.history.last - 1


def in_transaction(bench: Bench) -> None:
    """A channel with a transaction in which one message waits, and acknowledgements of both kinds."""
    subscribed(bench)
    fetched = bench.fetch()
    bench.engine.tx_select(bench.channel)
    bench.engine.basic_publish(bench.channel, "", "q", b"new", {}, {})
    bench.engine.basic_nack(bench.channel, fetched.tag, multiple=True)
    bench.engine.basic_publish(bench.channel, "", "q", b"newer", {}, {})
    last = bench.fetch()
    bench.ack(last.tag)


def committed(bench: Bench) -> None:
    """A commit that was cut off can be done to its end."""
    bench.engine.tx_commit(bench.channel)
    assert not any(delivery.settling for delivery in bench.channel.unacked.values())


def is_gone(bench: Bench) -> None:
    """The client has disconnected, if not at the first attempt then at the second."""
    bench.engine.disconnect(bench.connection)
    assert bench.connection.id not in bench.engine.snapshot().connections
    assert not bench.channel.unacked or all(not d.copy.queue.exists for d in bench.channel.unacked.values())


def channel_is_gone(bench: Bench) -> None:
    """The channel is closed, if not at the first attempt then at the second."""
    bench.engine.close_channel(bench.channel)
    assert bench.channel.id not in bench.engine.snapshot().channels


def wait(bench: Bench) -> None:
    """Wait for a delivery, but do not really sleep."""
    over = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "wait", lambda *_: over.set())
        patch.setattr(Patience, "left", lambda _: 0.0 if over.is_set() else 1.0)
        assert bench.engine.next_item(bench.connection, 1) is None
    assert over.is_set()


def refused(bench: Bench) -> None:
    """Publish to an exchange that does not exist."""
    with suppress(NotFound):
        bench.publish(exchange="nope")


def usable(bench: Bench) -> None:
    """The channel can be used, or says that it is closed."""
    with suppress(BrokerError):
        bench.queue("next")
        bench.consume("next", "next", prefetch=3)
        assert (bench.channel.id, "next") in bench.engine.snapshot().consumers


def drop(bench: Bench) -> None:
    """A client is collected, and somebody else's verb sees to it."""
    bench.drop(bench.connection)
    bench.engine.peek()


def dropped(bench: Bench) -> None:
    """The client that was collected is gone."""
    assert bench.connection.id not in bench.engine.snapshot().connections
    assert not bench.engine.dropped


SCENARIOS = {
    "publish": Scenario(three_queues, lambda b: b.publish("new", exchange="amq.fanout")),
    "publish lost": Scenario(backlog, lambda b: b.publish("new", "nope")),
    "publish expired": Scenario(timed, lambda b: b.publish("new", "empty", ttl=0)),
    "get": Scenario(backlog, lambda b: b.get()),
    "get without ack": Scenario(backlog, lambda b: b.get(no_ack=True), frozenset({"done"})),
    "consume": Scenario(backlog, lambda b: b.consume("c", prefetch=3), again=usable),
    "consume without ack": Scenario(
        backlog, lambda b: b.engine.basic_consume(b.channel, "q", "c", no_ack=True), frozenset({"done"})
    ),
    "take": Scenario(subscribed, lambda b: b.engine.next_item(b.connection, 0)),
    "wait": Scenario(timed, wait),
    "ack multiple": Scenario(
        subscribed, lambda b: b.engine.basic_ack(b.channel, 0, multiple=True), frozenset({"done"})
    ),
    "nack requeue multiple": Scenario(subscribed, lambda b: b.engine.basic_nack(b.channel, 0, multiple=True)),
    "reject": Scenario(
        subscribed, lambda b: b.engine.basic_nack(b.channel, 1, requeue=False), frozenset({"dropped"})
    ),
    "commit": Scenario(
        in_transaction, lambda b: b.engine.tx_commit(b.channel), frozenset({"done"}), committed
    ),
    "recover": Scenario(subscribed, lambda b: b.engine.basic_recover(b.channel)),
    "cancel": Scenario(subscribed, lambda b: b.engine.basic_cancel(b.channel, "c"), again=usable),
    "close channel": Scenario(
        held, lambda b: b.engine.close_channel(b.channel), frozenset({"removed"}), channel_is_gone
    ),
    "disconnect": Scenario(
        held, lambda b: b.engine.disconnect(b.connection), frozenset({"removed"}), is_gone
    ),
    "drop": Scenario(held, drop, frozenset({"removed"}), dropped),
    "refused": Scenario(subscribed, refused, again=usable),
    "purge": Scenario(backlog, lambda b: b.engine.queue_purge(b.channel, "q"), frozenset({"removed"})),
    "delete queue": Scenario(
        subscribed, lambda b: b.engine.queue_delete(b.channel, "q"), frozenset({"removed"})
    ),
    "advance": Scenario(timed, lambda b: b.engine.advance(5), frozenset({"expired", "removed"})),
    "declare": Scenario(
        backlog, lambda b: b.queue("new", expires=1000), again=lambda b: b.queue("new", expires=1000)
    ),
    "declare exchange": Scenario(
        backlog, lambda b: b.exchange("new", "topic"), again=lambda b: b.exchange("new", "topic")
    ),
    "delete exchange": Scenario(
        bound,
        lambda b: b.engine.exchange_delete(b.channel, "x"),
        again=lambda b: b.engine.exchange_delete(b.channel, "x"),
    ),
    "bind": Scenario(
        backlog, lambda b: b.bind("q", "amq.topic", "#"), again=lambda b: b.bind("q", "amq.topic", "#")
    ),
    "unbind": Scenario(bound, lambda b: b.unbind("q", "x", "#")),
    "connect": Scenario(backlog, lambda b: b.client()),
    "qos": Scenario(subscribed, lambda b: b.engine.basic_qos(b.channel, 0, 5)),
    "snapshot": Scenario(subscribed, lambda b: b.engine.snapshot()),
    "forget": Scenario(forgetful, lambda b: b.engine.peek()),
}


# ---------------------------------------------------------------- what must hold


def copies(engine: Engine) -> Counter[int]:
    """Every copy that stands in a queue, and how often."""
    return Counter(
        copy.id for queue in engine._moves.topology.queues.values() for copy in queue.copies.values()
    )


def assert_free(engine: Engine) -> None:
    """Another thread gets its turn at once: the lock is not held."""
    OTHER.submit(engine.peek).result(SOON)


def empty(engine: Engine) -> list[str]:
    """Consume and ack everything there is; the bodies, in the order of delivery."""
    reader = engine.open_channel(engine.connect("last"))
    bodies = []
    for name in list(engine.snapshot().queues):
        engine.basic_consume(reader, name, name)
    while isinstance(item := engine.next_item(reader.connection, 0), Delivery):
        bodies.append(body(item))
        engine.basic_ack(reader, item.tag)
    return bodies


def assert_survived(bench: Bench, scenario: Scenario, before: Counter[int], serial: int) -> None:
    """The broker works, whatever was queued is in one place, and all of it can be consumed."""
    engine = bench.engine
    assert_free(engine)
    assert_whole(engine)
    now = copies(engine)
    assert set(now.values()) <= {1}
    gone = {event.copy: event.target for event in engine.history.after(serial) if event.copy and event.target}
    for copy in before - now:
        place = gone[copy]
        assert place is not None
        assert place.kind in scenario.doors
    scenario.again(bench)
    assert_consumable(engine)


def assert_consumable(engine: Engine) -> None:
    """When all clients are gone, another one gets each message once, in the order of its queue."""
    for connection in list(engine._moves.connections.values()):
        engine.disconnect(connection)
    assert not engine._moves.connections
    queues = list(engine._moves.topology.queues.values())
    left = [copy.message.body.decode() for queue in queues for _, copy in sorted(queue.copies.items())]
    assert empty(engine) == left
    ledger = engine.snapshot().ledger
    assert ledger.balanced
    assert (ledger.ready, ledger.unacked) == (0, 0)


def interrupted(scenario: Scenario) -> Iterator[tuple[Bench, Counter[int], int]]:
    """A fresh broker for each line of the verb, which was interrupted there; the last one was not."""
    line = 0
    while True:
        line += 1
        bench = Bench()
        scenario.before(bench)
        before, serial = copies(bench.engine), bench.engine.history.last
        with Interrupt(line) as interrupt:
            scenario.verb(bench)
        yield bench, before, serial
        if not interrupt.fell:
            return


# ---------------------------------------------------------------- tests


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_interrupted_at_any_line(scenario: Scenario) -> None:
    """An interrupt at whatever line: the next verb repairs, nothing is lost or doubled, the lock is free."""
    count = 0
    for bench, before, serial in interrupted(scenario):
        assert_survived(bench, scenario, before, serial)
        count += 1

    assert count > 10


@pytest.mark.parametrize("name", ["publish", "nack requeue multiple", "close channel"])
def test_interrupted_again_while_repairing(name: str) -> None:
    """The repair may be interrupted too, at whatever line: the verb after that repairs it all."""
    scenario = SCENARIOS[name]
    for first in (60, 120):
        line = 0
        fell = True
        while fell:
            line += 4
            bench = Bench()
            scenario.before(bench)
            before, serial = copies(bench.engine), bench.engine.history.last
            with Interrupt(first):
                scenario.verb(bench)
            with Interrupt(line) as interrupt:
                bench.engine.peek()
            assert_survived(bench, scenario, before, serial)
            fell = interrupt.fell


def test_deliveries_reach_the_client_once() -> None:
    """Whatever line of a publish is interrupted, each copy is sent to its consumer once, in order."""
    scenario = SCENARIOS["publish"]
    for bench, _, _ in interrupted(scenario):
        bench.publish("after", exchange="amq.fanout")
        (reader,) = (c for c in bench.engine._moves.connections.values() if c.name == "reader")
        for tag in ("held", "quick"):
            sent = [text for to, text in list(bench.sent(reader)) if to == tag]
            assert sent in (["after"], ["new", "after"])
            bench.publish("after", exchange="amq.fanout")


def test_a_message_on_its_way_is_lost_by_name() -> None:
    """A publish that was interrupted before any queue got a copy ends at the door `lost`, and says why."""
    ends = set()
    for bench, _, _ in interrupted(SCENARIOS["publish"]):
        bench.engine.peek()
        ends |= {event.reason for event in bench.engine.history.filter(kind="lost")}

    assert ends == {"an interrupted publish"}


def test_what_needs_no_ack_outlives_others_interrupts() -> None:
    """What was sent without ack, and every notice, outlives the interrupted close of another channel."""

    def before(bench: Bench) -> None:
        second = bench.engine.open_channel(bench.connection)
        bench.queue()
        bench.queue("gone")
        bench.consume("quick", channel=second, no_ack=True)
        bench.consume("cancelled", "gone", channel=second)
        bench.fill("0", "1")
        bench.engine.queue_delete(second, "gone")

    scenario = Scenario(before, lambda b: b.engine.close_channel(b.channel))
    for bench, _, _ in interrupted(scenario):
        items = list(bench.items())
        assert [body(item) for item in items if isinstance(item, Delivery)] == ["0", "1"]
        assert [item.tag for item in items if isinstance(item, Cancelled)] == ["cancelled"]


def test_acks_after_an_interrupted_delete() -> None:
    """R-10: what a queue had delivered can be acked, whether its deletion was cut off or not."""
    for bench, _, _ in interrupted(SCENARIOS["delete queue"]):
        bench.ack(1)
        assert bench.channel.is_open


def test_deadlines_outlive_an_interrupted_wait() -> None:
    """TTL-5: a deadline is kept when the client that was to sleep until it is interrupted."""

    def before(bench: Bench) -> None:
        bench.queue("used", expires=1000)
        bench.engine.advance(0.5)
        bench.queue("used", expires=1000)  # its deadline has moved on from where the heap has it

    for bench, _, _ in interrupted(Scenario(before, wait)):
        assert_whole(bench.engine)
        bench.engine.advance(5)
        assert not bench.engine.snapshot().queues


def test_what_deletes_itself_does() -> None:
    """U-5, EX-12: an auto-delete queue or exchange that lost its last user is gone, interrupted or not."""
    for name in ("close channel", "unbind"):
        for bench, _, _ in interrupted(SCENARIOS[name]):
            snapshot = bench.engine.snapshot()
            assert ("auto" in snapshot.queues) == ((1, "e") in snapshot.consumers)
            sources = {binding.source for binding in snapshot.bindings}
            assert {"x", "y"} & set(snapshot.exchanges) <= sources


def test_notices_outlive_an_interrupted_delete() -> None:
    """Q-10: a consumer whose queue is gone is told so, though its deletion was interrupted."""
    for bench, _, _ in interrupted(SCENARIOS["delete queue"]):
        bench.engine.queue_delete(bench.channel, "q")
        notices = [item for item in bench.items() if isinstance(item, Cancelled)]
        assert notices == [Cancelled(bench.channel, "c")]


def test_repair_changes_nothing_that_is_whole(bench: Bench) -> None:
    """A repair of a broker that is whole leaves contents, counts, holders and outboxes as they are."""
    held(bench)
    before = assert_whole(bench.engine)
    outbox = list(bench.connection.outbox)

    bench.engine._unfinished = True

    assert assert_whole(bench.engine) == before
    assert list(bench.connection.outbox) == outbox


# ---------------------------------------------------------------- real signals


class Alarm:
    """Ctrl-C by a timer of processor time, once per `ring`, and only until `quiet`.

    Nothing is traced or collected meanwhile: an interrupt could fall into coverage's own locks, or be lost in
    a finalizer of another test's.
    """

    def __init__(self) -> None:
        self._armed = False

    def __enter__(self) -> Self:
        gc.collect()
        gc.disable()
        self._trace = sys.gettrace()
        sys.settrace(None)
        self._before = signal.signal(signal.SIGVTALRM, self._ring)
        return self

    def __exit__(self, *_: object) -> None:
        self._armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, self._before)
        sys.settrace(self._trace)
        gc.enable()

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            raise KeyboardInterrupt

    def ring(self, after: float) -> None:
        self._armed = True
        signal.setitimer(signal.ITIMER_VIRTUAL, after)

    def quiet(self) -> None:
        self._armed = False


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers of processor time here")
def test_hammer() -> None:
    """Real interrupts at random moments: what was published is acked once, or is still there once."""
    bench = Bench()
    engine = bench.engine
    bench.queue()
    bench.queue("r")
    bench.bind("q", "amq.fanout")
    bench.bind("r", "amq.fanout")
    chance = random.Random(5)  # noqa: S311  (moments, not secrets)
    begun: list[str] = []
    published: set[str] = set()
    acking: set[tuple[str, str]] = set()
    acked: set[tuple[str, str]] = set()
    interrupts = 0
    end = time.monotonic() + 10  # on a machine that has no time for us
    with Alarm() as alarm:
        while time.monotonic() < end and interrupts < 100:
            try:
                alarm.ring(chance.uniform(1e-4, 5e-3))
                while time.monotonic() < end:
                    text = str(len(begun))
                    begun.append(text)
                    bench.publish(text, exchange="amq.fanout")
                    published.add(text)
                    for queue in "qr":
                        delivery = bench.get(queue)
                        if delivery is not None:
                            acking.add((queue, body(delivery)))
                            bench.ack(delivery.tag)
                            acked.add((queue, body(delivery)))
                alarm.quiet()
            except KeyboardInterrupt:
                interrupts += 1

    assert interrupts > 20
    assert_free(engine)
    assert_whole(engine)
    engine.close_channel(bench.channel)
    left = {queue: Counter(bench.ready(queue)) for queue in "qr"}
    assert sorted(empty(engine)) == sorted((left["q"] + left["r"]).elements())
    for queue in "qr":
        assert set(left[queue].values()) <= {1}
        done = {text for name, text in acked if name == queue}
        half = {text for name, text in acking - acked if name == queue}
        assert not done & set(left[queue])
        assert published <= done | half | set(left[queue])
    ledger = assert_whole(engine).ledger
    assert (ledger.ready, ledger.unacked) == (0, 0)
