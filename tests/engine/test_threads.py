"""Threads: nothing is lost or doubled, and who waits is woken by what it waits for."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from sandbox.engine import core
from sandbox.engine.clock import WallClock, wait
from sandbox.engine.core import Engine
from sandbox.engine.errors import Closed
from sandbox.engine.model import ExchangeOptions
from sandbox.engine.sessions import Cancelled, Connection, Delivery
from tests.engine.bench import SOON, Bench, assert_whole, body

PUBLISHERS, CONSUMERS, EACH = 8, 4, 2000


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads are switched as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that end with the test, and run at full speed: coverage is measured elsewhere."""
    with ThreadPoolExecutor(16, initializer=sys.settrace, initargs=(None,)) as pool:
        yield pool


class Sleepers:
    """Knows when a thread has gone to sleep, and for how long it wanted to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.naps: list[float | None] = []
        self._asleep = threading.Semaphore(0)
        self._wait = wait
        patch.setattr(core, "wait", self._nap)

    def _nap(self, condition: threading.Condition, seconds: float | None) -> None:
        """Under the engine's lock, so that whoever has the lock next finds this thread asleep."""
        self.naps.append(seconds)
        self._asleep.release()
        self._wait(condition, seconds)

    def await_one(self) -> None:
        """Return when one more thread sleeps."""
        assert self._asleep.acquire(timeout=SOON)


@pytest.fixture
def sleepers(monkeypatch: pytest.MonkeyPatch) -> Sleepers:
    """Who sleeps."""
    return Sleepers(monkeypatch)


# ---------------------------------------------------------------- many at once


@pytest.mark.usefixtures("_restless")
def test_nothing_is_lost_or_doubled(pool: ThreadPoolExecutor) -> None:
    """8 publishers, 4 consumers, 16,000 messages: each is got once, a publisher's own in order."""
    engine = Engine(WallClock())
    setup = engine.open_channel(engine.connect())
    engine.queue_declare(setup, "q")
    total = PUBLISHERS * EACH
    got: list[list[tuple[int, int]]] = [[] for _ in range(CONSUMERS)]
    count = threading.Semaphore(0)

    def publish(number: int) -> None:
        channel = engine.open_channel(engine.connect())
        for serial in range(EACH):
            engine.basic_publish(channel, "", "q", f"{number} {serial}".encode(), {}, {})

    def consume(number: int) -> None:
        channel = engine.open_channel(engine.connect())
        engine.basic_qos(channel, 0, 10)
        engine.basic_consume(channel, "q", "c")
        while True:
            try:
                item = engine.next_item(channel.connection, SOON)
            except Closed:
                return
            assert isinstance(item, Delivery)
            publisher, serial = body(item).split()
            got[number].append((int(publisher), int(serial)))
            engine.basic_ack(channel, item.tag)
            count.release()

    consumers = [pool.submit(consume, number) for number in range(CONSUMERS)]
    publishers = [pool.submit(publish, number) for number in range(PUBLISHERS)]
    for publisher in publishers:
        publisher.result(60)
    for _ in range(total):
        assert count.acquire(timeout=SOON)
    assert_whole(engine)
    engine.close()
    for consumer in consumers:
        consumer.result(SOON)

    assert Counter(item for each in got for item in each) == {
        (number, serial): 1 for number in range(PUBLISHERS) for serial in range(EACH)
    }
    for each in got:
        for number in range(PUBLISHERS):
            mine = [serial for publisher, serial in each if publisher == number]
            assert mine == sorted(mine)
    ledger = assert_whole(engine).ledger
    assert (ledger.published, ledger.done, ledger.ready, ledger.unacked) == (total, total, 0, 0)


@pytest.mark.usefixtures("_restless")
def test_topology_changes_meanwhile(pool: ThreadPoolExecutor) -> None:
    """While other threads declare, bind, unbind, delete and look, no message of a bound queue is lost."""
    engine = Engine(WallClock())
    setup = engine.open_channel(engine.connect())
    engine.queue_declare(setup, "q")
    engine.queue_bind(setup, "q", "amq.topic", "k.#", {})
    over = threading.Event()

    def publish() -> None:
        channel = engine.open_channel(engine.connect())
        for serial in range(500):
            published = engine.basic_publish(channel, "amq.topic", "k.a", str(serial).encode(), {}, {})
            assert published is not None
            assert "q" in published.queues

    def change(number: int) -> None:
        channel = engine.open_channel(engine.connect())
        mine, exchange = f"mine {number}", f"x {number}"
        while not over.is_set():
            engine.queue_declare(channel, mine)
            engine.exchange_declare(channel, exchange, ExchangeOptions("fanout", auto_delete=True))
            engine.exchange_bind(channel, exchange, "amq.topic", "#", {})
            engine.queue_bind(channel, mine, exchange, "", {})
            engine.basic_consume(channel, mine, "c", no_ack=True)
            engine.queue_delete(channel, mine)

    def look() -> None:
        while not over.is_set():
            snapshot = engine.snapshot()
            assert snapshot.ledger.balanced
            assert engine.history.at(engine.history.first).serial
            assert list(engine.history.filter(kind="published"))[:1] or snapshot.ledger.published <= 1

    others = [pool.submit(change, number) for number in range(2)] + [pool.submit(look)]
    publishers = [pool.submit(publish) for _ in range(3)]
    for publisher in publishers:
        publisher.result(60)
    over.set()
    for other in others:
        other.result(SOON)

    assert assert_whole(engine).queues["q"].ready == 1500


@pytest.mark.usefixtures("_restless")
def test_readers_take_no_lock(pool: ThreadPoolExecutor) -> None:
    """Readers of the history on other threads see moments that were, while it forgets all the time."""
    bench = Bench()
    bench.engine.history.most_events = 60
    bench.queue()
    over = threading.Event()

    def read() -> int:
        count = 0
        history = bench.engine.history
        while not over.is_set():
            serial = history.last - 5
            try:
                snapshot = history.at(serial)
            except KeyError:
                continue
            assert snapshot.serial == serial
            assert snapshot.ledger.balanced
            events = history.after(serial - 10, serial)
            assert [event.serial for event in events] == list(range(serial + 1 - len(events), serial + 1))
            count += 1
        return count

    readers = [pool.submit(read) for _ in range(2)]
    for _ in range(400):
        bench.publish()
        bench.ack(bench.fetch().tag)
    over.set()
    assert sum(reader.result(SOON) for reader in readers) > 0


# ---------------------------------------------------------------- waiting


def waiting(
    pool: ThreadPoolExecutor,
    sleepers: Sleepers,
    engine: Engine,
    connection: Connection,
    timeout: float | None = None,
) -> Future[Delivery | Cancelled | None]:
    """Somebody who waits for the next item, and sleeps already."""
    future = pool.submit(engine.next_item, connection, timeout)
    sleepers.await_one()
    return future


def test_a_publish_wakes(pool: ThreadPoolExecutor, sleepers: Sleepers, bench: Bench) -> None:
    """Who waits for a message gets it as soon as it is published, in manual time too."""
    bench.queue()
    bench.consume("c")
    future = waiting(pool, sleepers, bench.engine, bench.connection)
    assert sleepers.naps == [None]

    bench.publish("hello", channel=bench.client())

    item = future.result(SOON)
    assert isinstance(item, Delivery)
    assert body(item) == "hello"
    assert sleepers.naps == [None]


WAKERS: dict[str, Callable[[Bench], Any]] = {
    "requeue": lambda b: b.engine.basic_nack(b.channel, 1),
    "delete": lambda b: b.engine.queue_delete(b.channel, "q"),
    "close channel": lambda b: b.engine.close_channel(b.channel),
    "disconnect": lambda b: b.engine.disconnect(b.connection),
}


@pytest.mark.parametrize("wake", WAKERS.values(), ids=WAKERS)
def test_whatever_is_sent_wakes(
    pool: ThreadPoolExecutor, sleepers: Sleepers, bench: Bench, wake: Callable[[Bench], Any]
) -> None:
    """Who waits is woken by a requeued message and by a notice, whoever caused it."""
    waiter = bench.client("waiter")
    bench.queue()
    bench.publish()
    bench.fetch()
    bench.consume("c", channel=waiter)
    future = waiting(pool, sleepers, bench.engine, waiter.connection)

    wake(bench)

    item = future.result(SOON)
    assert item is not None
    assert item.channel is waiter


def test_time_wakes(pool: ThreadPoolExecutor, sleepers: Sleepers, bench: Bench) -> None:
    """In manual time, who waits is woken by what another thread's `advance` brings about."""
    waiter = bench.client("waiter")
    bench.queue("gone", expires=1000)
    bench.queue()
    bench.consume("c", channel=waiter)

    def tell() -> None:
        if bench.engine.history.filter(kind="queue_deleted") and not bench.ledger.published:
            bench.publish(f"gone at {bench.engine.now}")

    bench.engine.history.subscribe(tell)
    future = waiting(pool, sleepers, bench.engine, waiter.connection)

    bench.engine.advance(2)

    item = future.result(SOON)
    assert isinstance(item, Delivery)
    assert body(item) == "gone at 1.0"


@pytest.mark.parametrize("how", ["disconnect", "close", "error", "drop"])
def test_closing_wakes(pool: ThreadPoolExecutor, sleepers: Sleepers, bench: Bench, how: str) -> None:
    """Who waits on a connection that is closed meanwhile is told so at once, on every thread."""
    waiter = bench.client("waiter")
    futures = [waiting(pool, sleepers, bench.engine, waiter.connection) for _ in range(3)]

    if how == "disconnect":
        bench.engine.disconnect(waiter.connection)
    elif how == "close":
        bench.engine.close()
    elif how == "error":
        with pytest.raises(Exception, match="prefetch_size"):
            bench.engine.basic_qos(waiter, 1, 0)
    else:
        bench.engine.dropped.append(waiter.connection)
        bench.engine.peek()

    for future in futures:
        with pytest.raises(Closed):
            future.result(SOON)


def test_several_wait_on_one_connection(pool: ThreadPoolExecutor, sleepers: Sleepers, bench: Bench) -> None:
    """Of several threads that wait on one connection each gets an item of its own."""
    waiter = bench.client("waiter")
    bench.queue()
    bench.consume("c", channel=waiter)
    futures = [waiting(pool, sleepers, bench.engine, waiter.connection) for _ in range(3)]

    bench.fill(*"012")

    items = [future.result(SOON) for future in futures]
    assert sorted(body(item) for item in items if isinstance(item, Delivery)) == list("012")


def test_nobody_else_is_woken(pool: ThreadPoolExecutor, sleepers: Sleepers, bench: Bench) -> None:
    """Who waits on another connection sleeps on."""
    other = bench.client("other")
    bench.queue()
    bench.consume("c")
    sleeping = waiting(pool, sleepers, bench.engine, other.connection)
    woken = waiting(pool, sleepers, bench.engine, bench.connection)
    bench.publish()
    assert woken.result(SOON)

    assert other.connection.waiting == 1
    assert not sleeping.done()
    bench.engine.close()
    with pytest.raises(Closed):
        sleeping.result(SOON)


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_patience_ends(timeout: float, bench: Bench) -> None:
    """A timeout is real seconds, under a manual clock too; 0 waits not at all."""
    began = time.monotonic()
    assert bench.engine.next_item(bench.connection, timeout) is None
    assert timeout <= time.monotonic() - began < timeout + SOON
    assert bench.connection.waiting == 0


def test_naps_last_to_the_next_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """In real time, who waits sleeps until something falls due, and plays that by itself."""
    clock = Slow()
    bench = Bench(clock)
    bench.queue(ttl=3000)
    bench.publish()
    bench.queue("later", expires=7000)
    naps: list[float | None] = []

    def sleep(_condition: threading.Condition, seconds: float | None) -> None:
        naps.append(seconds)
        clock.moment += seconds or 0.0
        if len(naps) == 3:
            bench.connection.outbox.append(Cancelled(bench.channel, "enough"))

    monkeypatch.setattr(core, "wait", sleep)
    bench.engine.next_item(bench.connection, None)

    assert naps == [3.0, 4.0, None]
    assert bench.gone() == [(3.0, 1)]
    assert [event.time for event in bench.engine.history.filter(kind="queue_deleted")] == [7.0]


def test_naps_end_with_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """In real time, a nap is never longer than the client's patience."""
    bench = Bench(Slow())
    bench.queue(ttl=3_600_000)
    bench.publish()
    naps: list[float | None] = []
    monkeypatch.setattr(core, "wait", lambda _, seconds: naps.append(seconds))

    assert bench.engine.next_item(bench.connection, 0.01) is None

    assert naps
    assert all(nap is not None and nap <= 0.01 for nap in naps)


def test_a_new_deadline_reaches_those_who_sleep(pool: ThreadPoolExecutor, sleepers: Sleepers) -> None:
    """TTL-5: who sleeps for longer than the next deadline is woken to sleep until it instead."""
    bench = Bench(Slow())
    sleeper = bench.client("sleeper")
    bench.queue()
    future = waiting(pool, sleepers, bench.engine, sleeper.connection)
    assert sleepers.naps == [None]

    bench.publish(ttl=60_000)

    try:
        sleepers.await_one()
        assert sleepers.naps == [None, 60.0]
    finally:
        bench.engine.close()
        with pytest.raises(Closed):
            future.result(SOON)


class Slow:
    """A wall clock whose hands a test moves."""

    epoch = 0.0

    def __init__(self) -> None:
        self.moment = 0.0

    def now(self) -> float:
        return self.moment

    def sleep_until(self, due: float) -> float | None:
        return max(0.0, due - self.moment)
