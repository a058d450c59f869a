"""Celery, unchanged: an application and its worker, in this process, on `sandbox://`."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import kombu.pools
import pytest
from celery import Celery, _state, chord, group
from celery.contrib.testing.worker import start_worker
from celery.exceptions import CPendingDeprecationWarning, Reject, TaskRevokedError, WorkerLostError
from kombu import Queue

from sandbox.engine import core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox import Broker

#: How long a test waits for what should come at once, in seconds.
SOON = 10.0

each_pool = pytest.mark.parametrize("pool", ["solo", "threads"])


@pytest.fixture
def app(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An application whose broker and results are the sandbox."""
    app = Celery("shop", broker=broker.url, backend="rpc://", set_as_current=False)
    app.conf.worker_prefetch_multiplier = 1
    app.conf.broker_connection_retry_on_startup = True  # unset, Celery warns that its default will change
    app.conf.worker_hijack_root_logger = False
    for name in ("CELERY_LOG_LEVEL", "CELERY_LOG_FILE"):
        monkeypatch.setenv(name, "")  # a worker sets them for good
    yield app
    logging.captureWarnings(capture=False)  # a worker turned it on
    app.close()
    _state.set_default_app(None)
    _state._set_current_app(None)
    kombu.pools.reset()  # they know connections by URL only


def task(app: Any, function: Callable[..., Any], **options: Any) -> Any:
    """The function as a task of this application, and not of those of other tests."""
    return app.task(name=function.__name__, shared=False, **options)(function)


@contextmanager
def working(app: Any, pool: str = "solo", **options: Any) -> Iterator[Any]:
    """A worker on a thread, ended by a remote command; no thread of it is left.

    Ended by its flag instead, it would sleep in Celery's loop for blocking transports for two seconds, twice.
    """
    before = set(threading.enumerate())
    options = {"concurrency": 2, "perform_ping_check": False, "shutdown_timeout": SOON, **options}
    with start_worker(app, pool=pool, **options) as worker:
        try:
            yield worker
        finally:
            app.control.shutdown(destination=[worker.hostname])
    assert set(threading.enumerate()) <= before


def until(condition: Callable[[], object]) -> None:
    """Wait for another thread to have done something."""
    ends = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.002)


def moves(broker: Broker, queue: str = "celery") -> list[str]:
    """What happened to the copies in a queue, in order."""
    return [event.kind for event in broker.history.filter(queue=queue) if event.copy]


# ---------------------------------------------------------------- tasks and results


@each_pool
def test_tasks_run_and_answer(app: Any, broker: Broker, pool: str) -> None:
    """Tasks run, singly and in a group, and each `rpc://` result finds its own caller."""

    def add(first: int, second: int) -> int:
        return first + second

    adding = task(app, add)
    with working(app, pool):
        assert adding.delay(1, 2).get(timeout=SOON) == 3
        many = group(adding.s(number, number) for number in range(30))
        assert many.apply_async().get(timeout=SOON) == [2 * number for number in range(30)]

    row = broker.queues["celery"]
    assert (row.ready, row.unacked) == (0, 0)
    assert moves(broker).count("acked") == 31
    assert broker.ledger.balanced


@each_pool
def test_failures_travel(app: Any, pool: str) -> None:
    """A task that raises, raises the same where its result is asked for."""

    def fail() -> None:
        raise ZeroDivisionError("as told")

    failing = task(app, fail)
    with working(app, pool), pytest.raises(ZeroDivisionError, match="as told"):
        failing.delay().get(timeout=SOON)


def test_results_wake_who_waits(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for a result sleeps, and is woken by it: nobody looks again and again."""
    woken: list[bool] = []
    here = threading.current_thread()

    def nap(condition: threading.Condition, seconds: float | None) -> None:
        notified = condition.wait(seconds)
        if threading.current_thread() is here:
            woken.append(notified)

    def nothing() -> None:
        """Do nothing."""

    idle = task(app, nothing)
    with working(app):
        idle.delay().get(timeout=SOON)
        monkeypatch.setattr(core, "wait", nap)
        began = time.perf_counter()
        for _ in range(50):
            idle.delay().get(timeout=SOON)
        took = (time.perf_counter() - began) / 50

    slept_in = woken.count(False)  # a second, by Celery's own wish
    assert 0 < len(woken) - slept_in <= 50
    print(f"a round trip by rpc:// takes {1000 * took:.1f} ms")  # noqa: T201  (shown by pytest -s)


def test_chord(app: Any) -> None:
    """With a result backend that can count, a chord's body gets the results of its header."""

    def square(number: int) -> int:
        return number * number

    def total(numbers: list[int]) -> int:
        return sum(numbers)

    squaring, totalling = task(app, square), task(app, total)
    app.conf.update(result_backend="cache", cache_backend="memory")
    with working(app, "threads"):
        result = chord(squaring.s(number) for number in range(5))(totalling.s())
        assert result.get(timeout=SOON) == 30


# ---------------------------------------------------------------- acknowledgements


@each_pool
@pytest.mark.parametrize("late", [False, True])
def test_when_a_task_is_acknowledged(app: Any, broker: Broker, pool: str, late: bool) -> None:
    """A task is acknowledged before it runs, or with `acks_late` after: until then the message is held."""

    def look() -> int:
        return broker.queues["celery"].unacked

    looking = task(app, look, acks_late=late)
    with working(app, pool):
        assert looking.delay().get(timeout=SOON) == int(late)
        until(lambda: broker.queues["celery"].unacked == 0)
    assert moves(broker) == ["routed", "delivered", "handed", "acked"]


@each_pool
@pytest.mark.filterwarnings(
    "ignore:.*on connection loss:PendingDeprecationWarning"
)  # Celery's change of a default
def test_a_lost_connection_brings_tasks_back(app: Any, broker: Broker, pool: str) -> None:
    """A task whose connection is lost before `acks_late` acknowledged it runs again, redelivered."""
    runs: list[bool] = []
    running = threading.Event()
    go_on = threading.Event()

    def work(self: Any) -> None:
        runs.append(self.request.delivery_info["redelivered"])
        running.set()
        if len(runs) == 1:
            go_on.wait(SOON)

    late = task(app, work, bind=True, acks_late=True, ignore_result=True)

    def lose_connection() -> None:
        late.delay()
        running.wait(SOON)
        broker.restart()
        go_on.set()
        until(lambda: "acked" in moves(broker))

    # Celery announces a change of its defaults, each time.
    with working(app, pool), pytest.warns(CPendingDeprecationWarning, match="on connection loss"):
        lose_connection()
    assert runs == [False, True]
    assert moves(broker).count("requeued") == 1


def test_a_lost_worker_brings_tasks_back(app: Any, broker: Broker) -> None:
    """With `reject_on_worker_lost` a task that dies with its process goes back, and is redelivered."""

    def die(self: Any) -> bool:
        redelivered: bool = self.request.delivery_info["redelivered"]
        if not redelivered:
            raise WorkerLostError("as if the process had been killed")
        return redelivered

    dying = task(app, die, bind=True, acks_late=True, reject_on_worker_lost=True)
    with working(app):
        dying.delay()
        until(lambda: "acked" in moves(broker))
    assert moves(broker) == ["routed", "delivered", "handed", "requeued", "delivered", "handed", "acked"]


def test_rejected_tasks_are_dead_lettered(app: Any, broker: Broker) -> None:
    """A task that rejects its message sends it to the dead-letter exchange of its queue."""
    broker.queue("graveyard")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graveyard"}
    app.conf.task_queues = [Queue("celery", queue_arguments=arguments)]

    def refuse() -> None:
        raise Reject("not mine", requeue=False)

    refusing = task(app, refuse, acks_late=True)
    with working(app):
        sent = refusing.delay()
        until(lambda: broker.queues["graveyard"].ready)
    dead = broker.get("graveyard")
    assert dead is not None
    assert dead.headers["id"] == sent.id
    assert dead.headers["x-death"][0]["reason"] == "rejected"


# ---------------------------------------------------------------- retries, time, revoking


@each_pool
def test_retries(app: Any, broker: Broker, pool: str) -> None:
    """A task is tried again after its countdown, `max_retries` times, and then its error is final."""
    times: list[float] = []

    def flaky(self: Any) -> None:
        times.append(broker.now)
        raise self.retry(exc=KeyError("never there"), countdown=0.1)

    retrying = task(app, flaky, bind=True, max_retries=2)
    with working(app, pool), pytest.raises(KeyError, match="never there"):
        retrying.delay().get(timeout=SOON)
    assert len(times) == 3
    assert all(later - earlier >= 0.1 for earlier, later in pairwise(times))
    assert moves(broker).count("routed") == 3


def test_revoked_tasks_never_run(app: Any, broker: Broker) -> None:
    """A task that is revoked before its time has come is acknowledged without being run."""
    runs: list[None] = []

    def work() -> None:
        runs.append(None)

    late = task(app, work)
    with working(app):
        result = late.apply_async(countdown=0.3)
        until(lambda: broker.queues["celery"].unacked)
        app.control.revoke(result.id, reply=True, timeout=SOON, limit=1)
        with pytest.raises(TaskRevokedError):
            result.get(timeout=SOON)
    assert runs == []
    assert moves(broker)[-1] == "acked"


# ---------------------------------------------------------------- queues


def test_priorities(app: Any, broker: Broker) -> None:
    """Of the tasks that wait in a queue with priorities, the highest runs first."""
    app.conf.task_queues = [Queue("celery", max_priority=9)]
    order: list[int] = []

    def note(priority: int) -> None:
        order.append(priority)

    noting = task(app, note, acks_late=True)
    with app.connection_for_write() as connection:
        app.amqp.queues["celery"](connection).declare()
    for priority in (0, 5, 9, 5, 1):
        noting.apply_async((priority,), priority=priority)
    assert [row.body[:4] for row in broker.peek("celery")] == ["[[9]", "[[5]", "[[5]", "[[1]", "[[0]"]
    with working(app, concurrency=1):
        until(lambda: len(order) == 5)
    assert order == [9, 5, 5, 1, 0]


def test_routing(app: Any, broker: Broker) -> None:
    """Tasks go to the queue of their route, and wait there for a worker of that queue."""
    app.conf.task_routes = {"cook": {"queue": "kitchen"}}

    def cook() -> str:
        return "soup"

    def serve() -> str:
        return "served"

    cooking, serving = task(app, cook), task(app, serve)
    soup = cooking.delay()
    assert broker.queues["kitchen"].ready == 1
    assert broker.peek("kitchen")[0].routing_key == "kitchen"
    with working(app, queues=["celery"]):
        assert serving.delay().get(timeout=SOON) == "served"
        assert (broker.queues["kitchen"].ready, broker.queues["kitchen"].consumers) == (1, 0)
        app.amqp.queues.select(["celery", "kitchen"])
    with working(app, queues=["kitchen"]):
        assert soup.get(timeout=SOON) == "soup"


# ---------------------------------------------------------------- the worker


@each_pool
def test_remote_control(app: Any, broker: Broker, pool: str) -> None:
    """A worker answers `inspect`: it is there, and says what it is doing."""
    ends = threading.Event()
    running = threading.Event()

    def work() -> None:
        running.set()
        ends.wait(SOON)

    busy = task(app, work)
    with working(app, pool) as worker:
        inspect = app.control.inspect(timeout=SOON, limit=1)
        assert inspect.ping() == {worker.hostname: {"ok": "pong"}}
        assert [queue["name"] for queue in inspect.active_queues()[worker.hostname]] == ["celery"]
        if pool == "threads":  # a solo worker that is busy does not answer
            result = busy.delay()
            running.wait(SOON)
            (active,) = inspect.active()[worker.hostname]
            assert active["id"] == result.id
            ends.set()
        assert broker.queues[f"{worker.hostname}.celery.pidbox"].consumers == 1


@each_pool
def test_shutdown(app: Any, broker: Broker, pool: str) -> None:
    """A worker that is told to stop does so at once, and leaves no thread, consumer or unacked message."""

    def work() -> None:
        """Do nothing."""

    idle = task(app, work)
    with working(app, pool) as worker:
        idle.delay().get(timeout=SOON)
    assert not worker.consumer.connection
    assert broker.queues["celery"].consumers == 0
    assert broker.queues["celery"].unacked == 0
