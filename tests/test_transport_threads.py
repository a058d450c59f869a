"""Many threads on one broker: nothing is lost, nothing comes twice, nothing deadlocks."""

import gc
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import kombu
import pytest
from amqp.exceptions import NotFound

from sandbox import Broker, UnknownBroker
from sandbox.transport import BROKERS, Channel, register

PUBLISHERS = 8
CONSUMERS = 4
MESSAGES = 16_000


@pytest.fixture(autouse=True)
def hurry() -> Iterator[None]:
    """Let threads interrupt each other as often as Python can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def together(*tasks: Callable[[], object]) -> None:
    """Run all tasks at the same time; whatever one of them raises is raised here."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> None:
        start.wait()
        task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, task) for task in tasks]:
            done.result()


def publish(channel: Channel, number: int, exchange: str = "", routing_key: str = "work") -> None:
    channel.basic_publish(channel.prepare_message(str(number)), exchange, routing_key)


def consume(broker: Broker, work: Callable[[kombu.Message], object], is_done: Callable[[], bool]) -> None:
    """Work off the queue `work` on a connection of this thread, and on a new one when that is closed."""
    while not is_done():
        with kombu.Connection(broker.url) as connection:
            channel = connection.channel()
            channel.basic_qos(0, 10, a_global=False)
            channel.basic_consume("work", callback=work)
            while channel.is_open and not is_done():
                try:
                    connection.drain_events(timeout=0.05)
                except socket.timeout:  # noqa: UP041  (the name that kombu documents)
                    continue
                except NotFound:
                    break


def test_nothing_is_lost_or_doubled(broker: Broker) -> None:
    """Of 16,000 messages from 8 publishers, 4 consumers get each exactly once, each publisher's in order."""
    broker.queue("work")
    received: list[list[int]] = [[] for _ in range(CONSUMERS)]

    def publisher(first: int) -> None:
        with kombu.Connection(broker.url) as connection:
            channel = connection.channel()
            for number in range(first, MESSAGES, PUBLISHERS):
                publish(channel, number)

    def consumer(mine: list[int]) -> None:
        def work(message: kombu.Message) -> None:
            mine.append(int(message.body))
            message.ack()

        consume(broker, work, lambda: sum(map(len, received)) == MESSAGES)

    began = time.monotonic()
    together(
        *(lambda first=first: publisher(first) for first in range(PUBLISHERS)),
        *(lambda mine=mine: consumer(mine) for mine in received),
    )

    assert time.monotonic() - began < 15
    assert sorted(number for mine in received for number in mine) == list(range(MESSAGES))
    for mine in received:
        for first in range(PUBLISHERS):
            of_one = [number for number in mine if number % PUBLISHERS == first]
            assert of_one == sorted(of_one)
    assert broker.ledger.done == broker.ledger.published == MESSAGES
    assert broker.ledger.balanced


def test_nothing_is_lost_when_consumers_come_and_go(broker: Broker) -> None:
    """Consumers that close, make channel errors or requeue lose nothing; each ack counts once."""
    broker.queue("work")
    seen: Counter[int] = Counter()
    acked: list[int] = []
    total = 2000

    def work(message: kombu.Message) -> None:
        number = int(message.body)
        seen[number] += 1
        if message.delivery_info["redelivered"] or number % 10:
            message.ack()
            acked.append(number)
        elif number % 40 == 0:
            message.channel.connection.close()
        elif number % 40 == 10:
            message.requeue()
        elif number % 40 == 20:
            message.channel.close()
        else:
            message.channel.queue_purge("no such queue")

    def publisher() -> None:
        with kombu.Connection(broker.url) as connection:
            channel = connection.channel()
            for number in range(total):
                publish(channel, number)

    together(publisher, *[lambda: consume(broker, work, lambda: len(set(acked)) == total)] * CONSUMERS)

    assert sorted(acked) == list(range(total))
    assert len(seen) == total
    assert seen.total() > total  # some came back
    assert broker.ledger.done == total


def test_declaring_and_binding_lose_nothing(broker: Broker) -> None:
    """Topology that many threads build and tear down at once ends as each of them left its part of it."""
    broker.exchange("x", type="topic")
    broker.queue("all", exchange="x", routing_key="#")
    each = 50

    def build(builder: int) -> None:
        with kombu.Connection(broker.url) as connection:
            channel = connection.channel()
            for number in range(each):
                name = f"q-{builder}-{number}"
                channel.exchange_declare("x", "topic", durable=True, auto_delete=False)
                channel.queue_declare("shared", durable=True, auto_delete=False)
                channel.queue_declare(name, auto_delete=False)
                channel.queue_bind(name, "x", f"{builder}.{number}")
                channel.queue_bind("shared", "x", f"{builder}.{number}")
                publish(channel, number, "x", f"{builder}.{number}")
                if number % 2:
                    channel.queue_delete(name)
                    channel.queue_unbind("shared", "x", f"{builder}.{number}")

    together(*(lambda builder=builder: build(builder) for builder in range(PUBLISHERS)))

    kept = {(b, n) for b in range(PUBLISHERS) for n in range(0, each, 2)}
    assert {row.name for row in broker.queues} == {"all", "shared", *(f"q-{b}-{n}" for b, n in kept)}
    assert {row.routing_key for row in broker.bindings if row.destination == "shared"} == {
        f"{b}.{n}" for b, n in kept
    }
    assert broker.queues["all"].ready == broker.queues["shared"].ready == PUBLISHERS * each
    assert all(broker.queues[f"q-{b}-{n}"].ready == 1 for b, n in kept)


def test_first_use_of_a_queue_loses_nothing(broker: Broker) -> None:
    """When all threads declare a queue and publish to it at the same moment, every message is in it."""
    rounds = 20
    clients = [kombu.Connection(broker.url).channel() for _ in range(PUBLISHERS)]

    def publisher(channel: Channel) -> None:
        for number in range(rounds):
            channel.queue_declare(f"new-{number}", auto_delete=False)
            publish(channel, number, routing_key=f"new-{number}")

    together(*(lambda channel=channel: publisher(channel) for channel in clients))

    assert [row.ready for row in broker.queues] == [PUBLISHERS] * rounds


def test_dropped_connections_lose_nothing(broker: Broker) -> None:
    """Connections that are forgotten with messages in hand, while the collector runs, give them back."""
    broker.queue("work")
    for number in range(100):
        broker.publish(number, routing_key="work")

    def forgetful() -> None:
        for _ in range(20):
            channel = kombu.Connection(broker.url).channel()
            channel.basic_get("work")
            channel.basic_consume("work", callback=lambda _: None)

    def collector() -> None:
        for _ in range(20):
            gc.collect(1)

    together(forgetful, forgetful, forgetful, collector)
    gc.collect()

    assert (broker.queues["work"].ready, broker.queues["work"].unacked) == (100, 0)
    assert len(broker.consumers) == 0
    assert sorted(m.payload for m in iter(lambda: broker.get("work"), None)) == list(range(100))


def test_names_can_be_looked_up_while_brokers_come_and_go(broker: Broker) -> None:
    """A name that is not there is told as such, however the list of known names changes meanwhile."""
    engine = BROKERS[broker.name]
    looked = threading.Event()

    def come_and_go(mine: str) -> None:
        while not looked.is_set():
            for number in range(50):
                register(f"{mine}{number}", engine)
            for number in range(50):
                del BROKERS[f"{mine}{number}"]

    def look() -> None:
        try:
            for _ in range(500):
                with pytest.raises(UnknownBroker):
                    kombu.Connection("sandbox://nowhere").connect()
        finally:
            looked.set()

    together(lambda: come_and_go("a"), lambda: come_and_go("b"), look)


def test_one_connection_serves_several_threads(broker: Broker) -> None:
    """Threads that drain one connection get each message once, on whatever channel it is."""
    received: list[int] = []
    total = 2000
    connection = kombu.Connection(broker.url)
    for name in ("work", "play"):
        broker.queue(name)
        connection.channel().basic_consume(name, no_ack=True, callback=lambda m: received.append(int(m.body)))

    def drain() -> None:
        while len(received) < total:
            try:
                connection.drain_events(timeout=0.05)
            except socket.timeout:  # noqa: UP041  (the name that kombu documents)
                continue

    def publisher() -> None:
        with kombu.Connection(broker.url) as mine:
            channel = mine.channel()
            for number in range(total):
                publish(channel, number, routing_key="work" if number % 2 else "play")

    together(publisher, drain, drain, drain)

    assert sorted(received) == list(range(total))
