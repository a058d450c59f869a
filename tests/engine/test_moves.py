"""What each verb records, and what time does to messages and queues."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.engine.clock import ManualClock
from sandbox.engine.core import Due
from sandbox.engine.events import Arrival, Place
from sandbox.engine.model import Binding
from tests.engine.bench import CALM, Bench, assert_whole


class Hands:
    """A clock that jumps as real time does while nobody looks: the engine is told too late."""

    epoch = 0.0

    def __init__(self) -> None:
        self.moment = 0.0

    def now(self) -> float:
        return self.moment

    def sleep_until(self, due: float) -> float | None:
        return max(0.0, due - self.moment)


# ---------------------------------------------------------------- TTL


def test_effective_ttl_is_the_smaller(bench: Bench) -> None:
    """TTL-3: message and queue TTL, the smaller counts, from the moment of enqueueing."""
    bench.queue(ttl=5000)
    bench.engine.advance(1)
    bench.publish("short", ttl=3000)
    bench.publish("long", ttl=9000)
    bench.publish("none")

    assert [copy.expires for copy, _ in bench.engine.contents("q")] == [4.0, 6.0, 6.0]


def test_expires_at_its_moment(bench: Bench) -> None:
    """TTL-3, TTL-5: a head is removed when its time has come, not before, and nobody need look."""
    bench.queue()
    bench.publish(ttl=1000)
    bench.engine.advance(0.999)
    assert bench.ready() == ["m"]

    bench.engine.advance(0.001)

    assert bench.gone() == [(1.0, 1)]
    assert bench.ledger.expired == 1


def test_expires_only_at_the_head(bench: Bench) -> None:
    """TTL-4: behind a live head an expired message hides, is counted, and is never delivered."""
    bench.queue()
    bench.publish("long", ttl=60_000)
    bench.publish("short", ttl=1000)
    bench.engine.advance(2)

    assert bench.engine.queue_declare(bench.channel, "q", passive=True).message_count == 2
    found = bench.engine.basic_get(bench.channel, "q")
    assert found is not None
    assert (found[0].message.body, found[1]) == (b"long", 0)
    assert bench.get() is None
    assert bench.gone() == [(2.0, 2)]


def test_consumer_never_gets_what_expired(bench: Bench) -> None:
    """TTL-4: a consumer gets long and forever, not the expired one between them."""
    bench.queue()
    bench.publish("long", ttl=60_000)
    bench.publish("short", ttl=1000)
    bench.publish("forever")
    bench.engine.advance(2)

    bench.consume("c")

    assert bench.sent() == [("c", "long"), ("c", "forever")]


def test_what_a_get_uncovers_expires_in_time(bench: Bench) -> None:
    """TTL-5: a message that comes to the head because another was fetched still expires by itself."""
    bench.queue()
    bench.publish("forever")
    bench.publish("short", ttl=1000)
    bench.fetch()
    assert bench.engine.peek() == Due(1.0, "q")

    bench.engine.advance(5)

    assert bench.gone() == [(1.0, 2)]
    assert bench.get() is None


@pytest.mark.parametrize("take", ["get", "get without ack", "consume", "reject"])
def test_whatever_uncovers_the_next(bench: Bench, take: str) -> None:
    """TTL-5: however the head leaves, the deadline of the next one is kept."""
    bench.queue()
    bench.publish("forever")
    bench.publish("short", ttl=1000)
    if take == "consume":
        bench.consume("c", prefetch=1)
    else:
        bench.get(no_ack=take == "get without ack")
    if take == "reject":
        bench.engine.basic_nack(bench.channel, 1, requeue=False)

    assert_whole(bench.engine)
    bench.engine.advance(1)
    assert bench.gone() == [(1.0, 2)]


def test_expired_batch_goes_in_order(bench: Bench) -> None:
    """TTL-5: what expires together leaves in the order of the queue."""
    bench.queue(ttl=1000)
    bench.fill(*"abc")
    bench.engine.advance(1)

    assert bench.gone() == [(1.0, 1), (1.0, 2), (1.0, 3)]


@pytest.mark.parametrize("by", ["queue", "message"])
def test_ttl_zero(bench: Bench, by: str) -> None:
    """TTL-6: with TTL 0 a message is delivered at once or expires at once; it never is a return."""
    bench.queue(ttl=0 if by == "queue" else None)
    ttl = 0 if by == "message" else None

    published = bench.publish("lost", ttl=ttl, mandatory=True)
    assert published.queues == ("q",)
    assert not published.returned
    assert bench.gone() == [(0.0, 1)]
    bench.consume("c", prefetch=1)
    bench.publish("taken", ttl=ttl)
    bench.publish("too much", ttl=ttl)

    assert bench.sent() == [("c", "taken")]
    assert bench.gone() == [(0.0, 1), (0.0, 3)]


def test_unacked_do_not_expire(bench: Bench) -> None:
    """TTL-7: an unacked message does not expire; requeued too late it does so at once, never redelivered."""
    bench.queue(ttl=1000)
    bench.publish("a")
    tag = bench.fetch().tag
    bench.engine.advance(5)
    assert bench.unacked() == ["a"]
    bench.consume("c")

    bench.requeue(tag)

    assert bench.sent() == []
    assert bench.gone() == [(5.0, 1)]


def test_requeue_keeps_the_expiry(bench: Bench) -> None:
    """TTL-7: a requeued message keeps the expiry that it was given when it was enqueued."""
    bench.queue(ttl=1000)
    bench.publish("a")
    tag = bench.fetch().tag
    bench.engine.advance(0.4)
    bench.requeue(tag)

    assert bench.engine.peek() == Due(1.0, "q")


def test_reject_of_the_overdue(bench: Bench) -> None:
    """TTL-7: an overdue unacked message that is rejected without requeue is rejected, not expired."""
    bench.queue(ttl=1000)
    bench.publish("a")
    bench.fetch()
    bench.engine.advance(5)
    bench.engine.basic_nack(bench.channel, 1, requeue=False, word="rejected")

    assert bench.gone() == []
    assert [event.reason for event in bench.engine.history.filter(kind="rejected")] == ["rejected"]
    assert bench.ledger.dropped == 1


def test_close_requeues_the_overdue(bench: Bench) -> None:
    """TTL-7, R-4: overdue messages of a closed channel expire, the others return to their seats."""
    bench.queue()
    bench.publish("a", ttl=1000)
    bench.publish("b")
    bench.publish("c", ttl=9000)
    for _ in range(3):
        bench.fetch()
    bench.engine.advance(5)

    bench.engine.close_channel(bench.channel)

    assert bench.ready() == ["b", "c"]
    assert bench.gone() == [(5.0, 1)]


# ---------------------------------------------------------------- x-expires


def test_unused_queue_goes(bench: Bench) -> None:
    """TTL-8: a queue that nobody used for its x-expires is deleted with its messages."""
    bench.queue(expires=1000)
    bench.bind("q", "amq.fanout")
    bench.publish()
    bench.engine.advance(0.999)
    assert "q" in bench.engine.snapshot().queues
    bench.engine.advance(0.001)

    snapshot = assert_whole(bench.engine)
    assert not snapshot.queues
    assert not snapshot.bindings
    assert snapshot.ledger.removed == 1
    deleted = bench.engine.history.filter(kind="queue_deleted")[0]
    assert (deleted.time, deleted.reason) == (1.0, "unused for 1 s")


@pytest.mark.parametrize(
    ("use", "renews"),
    [
        ("declare", True),
        ("passive", True),
        ("get", True),
        ("publish", False),
        ("purge", False),
        ("bind", False),
    ],
)
def test_what_counts_as_use(bench: Bench, use: str, renews: bool) -> None:
    """TTL-8: declaring (also passively) and getting renew the period; publishing, purging, binding do not."""
    bench.queue(expires=1000)
    bench.engine.advance(0.6)
    if use == "declare":
        bench.queue(expires=1000)
    elif use == "passive":
        bench.engine.queue_declare(bench.channel, "q", passive=True)
    elif use == "get":
        assert bench.get() is None
    elif use == "publish":
        bench.publish()
    elif use == "purge":
        bench.engine.queue_purge(bench.channel, "q")
    else:
        bench.bind("q", "amq.fanout")

    assert bench.engine.peek() == Due(1.6 if renews else 1.0, "q")
    bench.engine.advance(0.5)
    assert ("q" in bench.engine.snapshot().queues) is renews


def test_consumers_keep_a_queue(bench: Bench) -> None:
    """TTL-8: consumers block the expiry; the period begins again when the last one is cancelled."""
    bench.queue(expires=1000)
    bench.consume("c")
    bench.consume("d")
    assert bench.engine.peek() is None
    bench.engine.advance(5)
    bench.engine.basic_cancel(bench.channel, "c")
    bench.engine.advance(5)
    bench.engine.basic_cancel(bench.channel, "d")

    assert bench.engine.peek() == Due(11.0, "q")


def test_an_unused_queue_goes_with_its_unacked(bench: Bench) -> None:
    """TTL-8: unacked messages are no use of a queue: it goes with them."""
    bench.queue(expires=1000)
    bench.publish()
    bench.fetch()
    bench.engine.advance(1)

    assert not bench.engine.snapshot().queues
    assert bench.ledger.removed == 1
    bench.ack(1)


def test_ttl_zero_behind_a_live_head(bench: Bench) -> None:
    """TTL-4, TTL-6: a message with TTL 0 behind a live head stays hidden and is counted."""
    bench.queue()
    bench.publish("a")
    bench.publish("b", ttl=0)

    assert bench.ready() == ["a", "b"]
    bench.fetch()
    assert bench.ready() == []
    assert bench.gone() == [(0.0, 2)]


def test_expiry_and_end_at_one_moment(bench: Bench) -> None:
    """TTL-8, C: a message that expires when its queue does has expired; the queue goes after it."""
    bench.queue(ttl=1000, expires=1000)
    bench.publish()
    bench.engine.advance(2)

    assert bench.ledger.expired == 1
    assert bench.ledger.removed == 0
    assert not bench.engine.snapshot().queues


# ---------------------------------------------------------------- time


def test_advance_plays_every_moment(bench: Bench) -> None:
    """C: advancing plays what falls due on the way, in order, each at its own instant."""
    bench.queue("gone", expires=2500)
    bench.queue("q")
    bench.queue("r", ttl=3000)
    bench.publish("a", "q", ttl=2000)
    bench.publish("b", "q", ttl=1000)
    bench.publish("c", "r")
    serial = bench.engine.history.last

    bench.engine.advance(10)

    played = [(event.time, event.kind, event.message) for event in bench.engine.history.after(serial)]
    assert played == [
        (2.0, "expired", 1),
        (2.0, "expired", 2),
        (2.5, "deleting", 0),
        (2.5, "queue_deleted", 0),
        (3.0, "expired", 3),
    ]
    assert bench.engine.now == 10.0
    assert bench.engine.peek() is None


def test_step_goes_from_moment_to_moment(bench: Bench) -> None:
    """`step` moves to the next moment and names it; `until` bounds it, and None means that nothing is due."""
    bench.queue("q", ttl=1000)
    bench.queue("r", ttl=2000)
    bench.publish(key="q")
    bench.publish(key="r")

    assert bench.engine.peek() == Due(1.0, "q")
    assert bench.engine.step() == Due(1.0, "q")
    assert bench.engine.now == 1.0
    assert bench.engine.peek() == Due(2.0, "r")
    assert bench.engine.step(1.5) is None
    assert bench.engine.now == 1.5
    assert bench.engine.step(1.2) is None
    assert bench.engine.now == 1.5
    assert bench.engine.step(2.0) == Due(2.0, "r")
    assert bench.engine.step() is None
    assert bench.engine.now == 2.0


@settings(CALM, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("qrs"), st.none() | st.integers(0, 5000)), max_size=12),
    st.lists(st.integers(1, 3000), max_size=4),
)
def test_one_jump_is_many_steps(messages: list[tuple[str, int | None]], jumps: list[int]) -> None:
    """C: the same things happen at the same times, in one jump, in several, or moment by moment."""
    rest = max(0, 20_000 - sum(jumps))
    logs = []
    for moves in ([sum(jumps) + rest], [*jumps, rest], None):
        bench = Bench()
        bench.queue("q", ttl=3000)
        bench.queue("r", expires=4000)
        bench.queue("s")
        for queue, ttl in messages:
            bench.publish(key=queue, ttl=ttl)
        if moves is None:
            while bench.engine.step():
                pass
        for move in moves or ():
            bench.engine.advance(move / 1000)
        logs.append([(event.time, event.kind, event.message) for event in bench.engine.history])
        assert_whole(bench.engine)

    assert logs[0] == logs[1] == logs[2]


def test_late_timers_carry_their_time() -> None:
    """TTL-5: what falls due while nobody looks happens at its own time, in order, not when it is seen."""
    clock = Hands()
    bench = Bench(clock)
    bench.queue("q", ttl=5000)
    bench.queue("r", ttl=3000)
    bench.queue("gone", expires=7000)
    bench.publish(key="q")
    bench.publish(key="r")
    serial = bench.engine.history.last
    clock.moment = 100.0

    bench.queue("next")

    assert [(event.time, event.kind) for event in bench.engine.history.after(serial)] == [
        (3.0, "expired"),
        (5.0, "expired"),
        (7.0, "deleting"),
        (7.0, "queue_deleted"),
        (100.0, "queue_declared"),
    ]


def test_every_verb_runs_what_is_due_first() -> None:
    """TTL-4: no verb sees a message or a queue whose time is over, whether a timer ran or not."""
    clock = Hands()
    bench = Bench(clock)
    bench.queue("q", ttl=1000)
    bench.queue("gone", expires=1000)
    bench.publish()
    clock.moment = 1.0

    assert bench.get() is None
    assert list(bench.engine.snapshot().queues) == ["q"]
    assert bench.publish(key="gone").queues == ()


def test_brokers_on_one_clock() -> None:
    """Two brokers may share a clock: what one of them steps over happens in the other, at its own time."""
    clock = ManualClock()
    one, other = Bench(clock), Bench(clock)
    other.queue(ttl=1000)
    other.publish()
    one.engine.advance(5)

    assert other.ready() == []
    assert other.gone() == [(1.0, 1)]


# ---------------------------------------------------------------- what is recorded


def test_life_of_a_message(bench: Bench) -> None:
    """Every event is a move, and one message's events are its life."""
    bench.queue()
    bench.bind("q", "amq.direct", "k")
    bench.consume("c")
    bench.engine.advance(1)
    bench.publish("hello", "k", "amq.direct", ttl=9000)
    bench.requeue(bench.channel.unacked[1].tag)
    assert len(list(bench.items())) == 2
    bench.ack(2)

    ready, held = Place("ready", "q"), Place("unacked", "q", 1, "c")
    exchange = Place("exchange", "amq.direct")
    binding = Binding("amq.direct", "q", "k")
    life = bench.engine.history.filter(message=1)
    assert [(e.kind, e.source, e.target) for e in life] == [
        ("published", Place("publisher", "client"), exchange),
        ("routed", exchange, ready),
        ("delivered", ready, held),
        ("requeued", held, ready),
        ("delivered", ready, held),
        ("handed", held, held),
        ("acked", held, Place("done", "q", 1, "c")),
    ]
    assert {event.time for event in life} == {1.0}
    assert {event.copy for event in life[1:]} == {1}
    assert {event.seat for event in life[1:]} == {1}
    assert life[0].what.body == b"hello"
    assert life[1].what == Arrival((binding,), 10.0)
    assert [event.what for event in life if event.kind == "delivered"] == [1, 2]


def test_doors(bench: Bench) -> None:
    """A copy leaves through a door that says why."""
    bench.queue()
    bench.queue("dying")
    bench.consume("quick", "dying", no_ack=True)
    bench.publish("sent", "dying")
    bench.engine.basic_cancel(bench.channel, "quick")
    bench.publish("removed", "dying")
    bench.engine.queue_delete(bench.channel, "dying")
    bench.fill("fetched", "acked", "rejected", "purged")
    bench.get(no_ack=True)
    bench.ack(bench.fetch().tag)
    bench.engine.basic_nack(bench.channel, bench.fetch().tag, requeue=False)
    bench.engine.queue_purge(bench.channel, "q")
    bench.publish("expired", ttl=0)
    bench.publish("lost", "nope")
    bench.publish("returned", "nope", mandatory=True)

    bodies = {
        event.message: event.what.body.decode() for event in bench.engine.history.filter(kind="published")
    }
    last = {event.message: event for event in bench.engine.history if event.message}
    doors = {bodies[number]: str(event.target) for number, event in last.items()}
    assert doors == {
        "sent": "done dying of quick",
        "removed": "removed dying",
        "fetched": "done q",
        "acked": "done q",
        "rejected": "dropped q",
        "purged": "removed q",
        "expired": "expired q",
        "lost": "lost",
        "returned": "returned client",
    }


def test_causes(bench: Bench) -> None:
    """What follows from something else names its event: requeues the closing, unbinding the deletion."""
    bench.queue()
    bench.bind("q", "amq.fanout")
    bench.publish()
    bench.fetch()
    bench.consume("c")
    history = bench.engine.history
    bench.engine.close_channel(bench.channel)

    closing = history.filter(kind="closing")[0].serial
    assert history.filter(kind="requeued")[0].cause == closing
    assert history.filter(kind="consumer_cancelled")[0].cause == closing
    bench.engine.queue_delete(bench.client(), "q")
    deleting = history.filter(kind="deleting")[0].serial
    assert history.filter(kind="unbound")[0].cause == deleting
    assert history.filter(kind="removed")[0].cause == deleting
    assert history.filter(kind="queue_deleted")[0].cause == deleting


def test_expiry_after_acks_and_requeues(bench: Bench) -> None:
    """C: requeueing merges by seat, then drops what has expired, then delivers what is left."""
    bench.queue()
    bench.publish("a", ttl=1000)
    bench.publish("b")
    bench.consume("c")
    bench.engine.advance(2)
    serial = bench.engine.history.last

    bench.engine.basic_nack(bench.channel, 0, multiple=True)

    moves = [(event.kind, event.message) for event in bench.engine.history.after(serial)]
    assert moves == [("requeued", 1), ("requeued", 2), ("expired", 1), ("delivered", 2)]


def test_an_ack_lets_the_next_come(bench: Bench) -> None:
    """C: an ack frees credit and the queue goes on at once; of several acked together, as many as fit."""
    bench.queue()
    bench.consume("c", prefetch=2)
    bench.fill(*"01234")
    assert bench.sent() == [("c", "0"), ("c", "1")]
    serial = bench.engine.history.last

    bench.engine.basic_ack(bench.channel, 2, multiple=True)

    assert [event.kind for event in bench.engine.history.after(serial)] == [
        "acked",
        "acked",
        "delivered",
        "delivered",
    ]
    assert bench.sent() == [("c", "2"), ("c", "3")]


def test_an_ack_frees_every_queue(bench: Bench) -> None:
    """Q-5: consumers of several queues that one ack frees all go on."""
    for name in "ab":
        bench.queue(name)
        bench.consume(name, name, prefetch=1)
        bench.fill("0", "1", key=name)
    assert bench.sent() == [("a", "0"), ("b", "0")]

    bench.engine.basic_ack(bench.channel, 0, multiple=True)

    assert bench.sent() == [("a", "1"), ("b", "1")]


def test_requeue_frees_every_queue(bench: Bench) -> None:
    """Q-5: requeueing frees the consumers that held the messages, of every queue."""
    for name in "ab":
        bench.queue(name)
        bench.consume(name, name, prefetch=1)
        bench.fill("0", "1", key=name)
    bench.sent()

    bench.engine.basic_nack(bench.channel, 0, multiple=True)

    assert bench.sent() == [("a", "0"), ("b", "0")]
    assert bench.ready("a") == bench.ready("b") == ["1"]
