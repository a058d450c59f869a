"""The history: reading it, forgetting, and that it alone leads back to every state there was."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sandbox.engine import depth as depth_module
from sandbox.engine import replay as replay_module
from sandbox.engine.errors import BrokerError
from sandbox.engine.events import Event, Place
from sandbox.engine.history import PREVIEW, History
from sandbox.engine.ledger import Ledger
from sandbox.engine.model import ExchangeOptions
from sandbox.engine.replay import Replay
from sandbox.engine.sessions import Channel, Connection, Delivery
from sandbox.engine.snapshot import SEATS, Snapshot
from tests.engine.bench import CALM, Bench, assert_whole, timeless

# ---------------------------------------------------------------- reading


def test_serials_are_addresses(bench: Bench) -> None:
    """Serials count 1, 2, 3 …; each addresses its event, and nothing else does."""
    bench.queue()
    bench.publish()
    history = bench.engine.history

    assert [event.serial for event in history] == list(range(1, len(history) + 1))
    assert (history.first, history.last) == (1, len(history))
    assert history[1].kind == "connected"
    assert [history[event.serial] for event in history] == list(history)
    for serial in (0, -1, history.last + 1):
        with pytest.raises(KeyError):
            history[serial]
    assert repr(history) == f"<History of {len(history)} events, 1 to {history.last}>"


def test_after(bench: Bench) -> None:
    """`after` gives the events after one, up to another."""
    bench.fill(*"abcd")
    history = bench.engine.history
    events = list(history)

    assert history.after(0) == history.after(-5) == events
    assert history.after(3) == events[3:]
    assert history.after(3, 5) == events[3:5]
    assert history.after(3, 3) == history.after(5, 3) == history.after(history.last) == []


def test_filter(bench: Bench) -> None:
    """`filter` picks by kind, by message and by queue; all that is given must hold."""
    bench.queue("a")
    bench.queue("b")
    bench.fill("1", "2", key="a")
    bench.publish("3", "b")
    bench.ack(bench.fetch("a").tag)
    history = bench.engine.history

    assert [event.kind for event in history.filter(message=1)] == ["published", "routed", "fetched", "acked"]
    assert [event.kind for event in history.filter(queue="b")] == ["queue_declared", "routed"]
    assert [event.message for event in history.filter(kind="routed")] == [1, 2, 3]
    assert [event.message for event in history.filter(kind="routed", queue="a")] == [1, 2]
    assert history.filter(kind="acked", message=2) == []
    assert history.filter() == list(history)


def test_at_the_ends(bench: Bench) -> None:
    """`at(0)` is the empty broker, `at(last)` the state now, and other serials are no moments."""
    bench.queue()
    history = bench.engine.history

    assert history.at(0) == timeless(History().at(0))
    assert timeless(history.at(history.last)) == timeless(bench.engine.snapshot())
    assert "q" not in history.at(history.last - 1).queues
    for serial in (-1, history.last + 1):
        with pytest.raises(KeyError):
            history.at(serial)


def test_long_bodies_are_cut(bench: Bench) -> None:
    """The history keeps the beginning of a body; what is delivered is whole."""
    bench.queue()
    bench.publish("x" * PREVIEW)
    bench.publish("y" * (PREVIEW + 1))

    kept = [event.what.body for event in bench.engine.history.filter(kind="published")]
    assert kept == [b"x" * PREVIEW, b"y" * PREVIEW]
    assert [len(bench.fetch().message.body) for _ in range(2)] == [PREVIEW, PREVIEW + 1]


def test_events_speak(bench: Bench) -> None:
    """An event reads as a line: serial, time, kind, what, whence and where, why."""
    bench.engine.advance(1.5)
    bench.queue(durable=True)
    bench.publish()
    bench.engine.queue_purge(bench.channel, "q")

    assert [str(event) for event in bench.engine.history.after(2)] == [
        "3 1.500 s queue declared queue q",
        "4 1.500 s published message 1: publisher client -> exchange",
        "5 1.500 s routed message 1: exchange -> ready q",
        "6 1.500 s purged message 1: ready q -> removed q (purged)",
    ]
    assert str(Place("unacked", "q", 1, "c")) == "unacked q of c"


# ---------------------------------------------------------------- observers


def test_observers_are_woken(bench: Bench) -> None:
    """An observer is called after each verb without the lock, and reads on from its last serial."""
    seen: list[Event] = []

    def look() -> None:
        assert not bench.engine._lock.locked()  # type: ignore[union-attr]  # not forked
        seen.extend(bench.engine.history.after(seen[-1].serial if seen else 0))

    end = bench.engine.history.subscribe(look)
    bench.queue()
    bench.publish()
    with pytest.raises(BrokerError):
        bench.get("nope")
    assert seen == list(bench.engine.history)
    end()
    end()
    bench.publish()
    assert len(seen) < len(bench.engine.history)


def test_an_observer_may_look_at_the_state(bench: Bench) -> None:
    """An observer may ask for a snapshot, which records nothing and so wakes nobody."""
    seen: list[int] = []

    def look() -> None:
        if len(seen) < 10:
            seen.append(0)
            seen[-1] = bench.engine.snapshot().serial

    bench.engine.history.subscribe(look)
    bench.queue()
    bench.publish()

    assert seen[-1] == bench.engine.history.last
    assert len(seen) <= 2


def test_an_observer_that_raises_is_dropped(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """An observer that raises is dropped and logged; the verb and the other observers do not notice."""
    calls: list[str] = []

    def broken() -> None:
        calls.append("broken")
        msg = "no"
        raise ValueError(msg)

    end = bench.engine.history.subscribe(broken)
    bench.engine.history.subscribe(lambda: calls.append("fine"))
    with caplog.at_level(logging.ERROR):
        bench.queue()
    bench.publish()
    end()

    assert calls.count("broken") == 1
    assert calls.count("fine") == 2
    assert [record.message for record in caplog.records] == ["dropped an observer of the history that raised"]


def test_an_observer_may_end_itself(bench: Bench) -> None:
    """An observer may unsubscribe while it is called, itself or another, and still raise."""
    calls: list[str] = []
    ends: list[Callable[[], None]] = []

    def once() -> None:
        calls.append("once")
        for end in ends:
            end()
        msg = "dropped already"
        raise ValueError(msg)

    ends += [bench.engine.history.subscribe(once)]
    bench.queue()
    bench.queue("r")

    assert calls == ["once"]


# ---------------------------------------------------------------- forgetting


def test_forgetting_by_number(bench: Bench) -> None:
    """Beyond `most_events` the older half is forgotten, and every later moment can still be rebuilt."""
    history = bench.engine.history
    history.most_events = 20
    bench.queue()
    live = {}
    for number in range(40):
        bench.publish(str(number))
        snapshot = bench.engine.snapshot()
        live[snapshot.serial] = snapshot
        assert len(history) <= 20

    assert history.first > 40
    assert history.last == 83
    for serial, snapshot in live.items():
        if serial >= history.first - 1:
            assert timeless(history.at(serial)) == timeless(snapshot)
        else:
            with pytest.raises(KeyError):
                history.at(serial)
    with pytest.raises(KeyError):
        history[history.first - 1]
    assert [event.serial for event in history.after(0)] == list(range(history.first, history.last + 1))
    assert bench.engine.snapshot().ledger.published == 40


def test_forgetting_by_size(bench: Bench) -> None:
    """Large headers are forgotten sooner than small ones: the history is bounded in bytes too."""
    history = bench.engine.history
    history.most_bytes = 100_000
    bench.queue()
    for _ in range(60):
        bench.publish(headers={str(number): number for number in range(50)})
    assert 0 < len(history) < 60

    small = Bench()
    small.engine.history.most_bytes = 100_000
    small.queue()
    for _ in range(60):
        small.publish()
    assert len(small.engine.history) > 60
    assert_whole(bench.engine)


def test_reading_while_it_forgets(bench: Bench) -> None:
    """A reader without a lock gets the moment it asked for, though the history forgets meanwhile."""
    bench.queue()
    bench.fill(*"abcdefgh")
    history = bench.engine.history
    serial = history.last - 3
    expected = history.at(serial)
    base, _ = history._log
    copy = base.copy

    def forgetful() -> Any:
        base.copy = copy  # type: ignore[method-assign]  # only once
        history.most_events = 1
        for _ in range(5):
            bench.engine.snapshot()
        return copy()

    base.copy = forgetful  # type: ignore[method-assign]  # the next reader is interrupted here
    assert history.at(serial) == expected
    assert history.first > serial


# ---------------------------------------------------------------- snapshots


def test_snapshots_are_values(bench: Bench) -> None:
    """A snapshot does not change when the broker goes on, and equals another of the same state."""
    bench.queue()
    bench.publish()
    before = bench.engine.snapshot()
    assert before == bench.engine.snapshot()
    copy = replace(before)
    bench.publish()
    bench.fetch()
    bench.queue("r")
    bench.bind("r", "amq.topic", "#")

    assert before == copy
    assert before.queues["q"].ready == 1
    assert "r" not in before.queues


def test_snapshot_shows_the_first_seats(bench: Bench) -> None:
    """A snapshot has exact counts and the seats nearest the head; an unacked one names its holder."""
    bench.queue(ttl=9000)
    for _ in range(SEATS + 5):
        bench.publish()
    bench.engine.advance(1)
    bench.fetch()
    bench.requeue(1)
    bench.consume("c", prefetch=2)
    next(bench.items())

    view = bench.engine.snapshot().queues["q"]

    assert (view.ready, view.unacked, len(view.seats)) == (SEATS + 3, 2, SEATS)
    first, second, third = view.seats[:3]
    assert (first.position, first.copy, first.message, first.entered, first.expires) == (1, 1, 1, 0.0, 9.0)
    assert (first.redelivered, first.unacked, first.consumer, first.tag, first.handed) == (
        1,
        True,
        "c",
        2,
        True,
    )
    assert (second.redelivered, second.channel, second.tag, second.handed) == (0, 1, 3, False)
    assert (third.unacked, third.channel, third.consumer, third.tag) == (False, 0, "", 0)


def test_snapshot_shows_as_many_seats_as_wanted(bench: Bench) -> None:
    """A replay shows as many seats as it is asked for, of queues, consumers and channels."""
    bench.queue()
    bench.fill(*map(str, range(40)))
    bench.consume("c", prefetch=15)
    for _ in range(14):
        bench.fetch()
    replay = bench.engine.history.replay()

    def shown(seats: int) -> list[int]:
        snapshot = replay.snapshot(seats=seats)
        queue, consumer, channel = snapshot.queues["q"], snapshot.consumers[1, "c"], snapshot.channels[1]
        assert (queue.ready, queue.unacked, consumer.unacked) == (11, 29, 15)
        return [len(queue.seats), len(consumer.held), len(channel.fetched)]

    assert shown(SEATS) == [SEATS, SEATS, SEATS]
    assert shown(100) == [40, 15, 14]
    assert shown(1) == [1, 1, 1]
    assert shown(0) == [0, 0, 0]
    assert replay.snapshot() == replay.snapshot(seats=SEATS)
    assert replay.snapshot().queues["q"] is replay.snapshot().queues["q"]  # made once
    bench.ack(1)
    replay = bench.engine.history.replay()
    for seats in (1, SEATS, 100):
        assert replay.snapshot(seats=seats).queues["q"].seats[0].position == 2
    assert replay.snapshot(time=7.0, seats=3).time == 7.0


def test_a_replay_of_ones_own(bench: Bench) -> None:
    """`replay_at` gives a replay at a moment, which goes on by itself and changes nothing."""
    bench.queue()
    bench.fill(*"abc")
    history = bench.engine.history
    for serial in (-1, history.last + 1):
        with pytest.raises(KeyError):
            history.replay_at(serial)

    replay = history.replay_at(5)
    assert (replay.serial, replay.snapshot()) == (5, history.at(5))
    replay.apply([tuple(event)[1:] for event in history.after(5)])
    assert replay.snapshot() == history.at(history.last)
    assert history.replay_at(history.last) is not history.replay()
    assert timeless(bench.engine.snapshot()) == timeless(history.at(history.last))


# ---------------------------------------------------------------- what copies carry


def keys(bench: Bench, queue: str) -> list[str | None]:
    """The routing key in the header of each seat, head first."""
    seats = bench.engine.snapshot().queues[queue].seats
    return [seat.header and seat.header.routing_key for seat in seats]


def test_seats_know_what_they_carry(bench: Bench) -> None:
    """A seat has the header that its copy came with; as a dead letter that of its last death."""
    bench.engine.queue_declare(
        bench.channel,
        "q",
        arguments={"x-message-ttl": 1000, "x-dead-letter-exchange": "f", "x-dead-letter-routing-key": "dead"},
    )
    bench.queue("r")
    bench.queue("s")
    bench.exchange("f", "fanout")
    bench.bind("r", "f")
    bench.bind("s", "f")
    bench.publish("m" * (PREVIEW + 1), "q")
    bench.publish("n", "any", "f")
    [seat] = bench.engine.snapshot().queues["q"].seats
    assert seat.header is not None
    assert (seat.header.body, seat.header.body.size) == (b"m" * PREVIEW, PREVIEW + 1)  # type: ignore[attr-defined]
    bench.fetch("r")
    bench.requeue(1)
    bench.engine.advance(1)

    assert keys(bench, "r") == keys(bench, "s") == ["any", "dead"]
    assert keys(bench, "q") == []


def test_what_a_refused_copy_carried(bench: Bench) -> None:
    """The dead letter of a copy that a full queue refused has the header it was published with."""
    arguments = {"x-max-length": 0, "x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": "f"}
    bench.engine.queue_declare(bench.channel, "q", arguments=arguments)
    bench.queue("r")
    bench.exchange("f", "fanout")
    bench.bind("r", "f")
    bench.publish("m")
    bench.engine.tx_select(bench.channel)
    for key in ("q", "f1", "q"):
        args = ("", key) if key == "q" else ("f", key)
        bench.engine.basic_publish(bench.channel, *args, b"m", {}, {})
    with pytest.raises(BrokerError):
        bench.engine.tx_commit(bench.channel)

    assert keys(bench, "r") == ["q", "f1", "q", "q"]


def test_what_is_forgotten_of_letters(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers outlive the events that told of them; dead letters on their way are many only for a moment."""
    monkeypatch.setattr(replay_module, "MOST_LETTERS", 3)
    bench.engine.queue_declare(
        bench.channel, "q", arguments={"x-message-ttl": 1000, "x-dead-letter-exchange": "amq.fanout"}
    )
    bench.queue("r")
    bench.bind("r", "amq.fanout")
    bench.fill(*"abcdefgh")
    bench.engine.history.most_events = 10
    bench.engine.advance(1)
    bench.publish(key="none")
    bench.publish(key="none")

    assert keys(bench, "r") == ["q"] * 8
    assert bench.engine.history.first > 8
    assert len(bench.engine.history.replay()._letters) <= 3


def test_snapshot_shows_who_is_there(bench: Bench) -> None:
    """A snapshot shows consumers with what they hold and got, channels with what they fetched, publishers."""
    bench.queue()
    bench.queue("got")
    bench.fill("a", "b", "c")
    bench.publish("d", "got")
    bench.publish("e", "nope", mandatory=True)
    bench.publish("f", "nope")
    bench.consume("c", prefetch=2, arguments={"x-priority": 3})
    bench.ack(1)
    bench.fetch("got")

    snapshot = bench.engine.snapshot()

    consumer = snapshot.consumers[1, "c"]
    assert (consumer.unacked, consumer.received, consumer.prefetch, consumer.priority) == (2, 3, 2, 3)
    assert [seat.message for seat in consumer.held] == [2, 3]
    assert consumer.is_full
    assert not replace(consumer, no_ack=True).is_full
    assert not replace(consumer, prefetch=0).is_full
    assert [(queue, seat.message) for queue, seat in snapshot.channels[1].fetched] == [("got", 4)]
    publisher = snapshot.publishers["client"]
    assert (publisher.published, publisher.returned, publisher.exchanges) == (6, 1, ("",))
    exchange = snapshot.exchanges[""]
    assert (exchange.published, exchange.lost, exchange.returned, exchange.last_lost) == (6, 1, 1, 6)


def test_snapshot_counts_bindings(bench: Bench) -> None:
    """A snapshot counts how often each binding was taken; that of the default exchange shows once it was."""
    bench.queue()
    bench.bind("q", "amq.topic", "#")
    assert list(bench.engine.snapshot().bindings.values()) == [0]
    bench.publish(exchange="amq.topic")
    bench.publish(exchange="amq.topic")
    bench.publish()

    taken = {(b.source, b.routing_key): n for b, n in bench.engine.snapshot().bindings.items()}
    assert taken == {("amq.topic", "#"): 2, ("", "q"): 1}
    bench.engine.queue_delete(bench.channel, "q")
    assert not bench.engine.snapshot().bindings


# ---------------------------------------------------------------- ledger


def test_ledger_in_words(bench: Bench) -> None:
    """The ledger reads as two sums, without the terms that are zero."""
    assert str(Ledger()) == "nothing published yet"
    bench.queue()
    bench.publish()
    assert str(bench.ledger) == "1 published = 1 routed · 1 copy = 1 ready"
    bench.fetch()
    bench.publish()
    bench.publish(key="nope")

    assert str(bench.ledger) == "3 published = 2 routed + 1 lost · 2 copies = 1 ready + 1 unacked"


def test_ledger_knows_when_it_is_wrong() -> None:
    """A ledger that does not add up says so, on either side."""
    assert Ledger(published=1, routed=1, copies=2, ready=1, done=1).balanced
    assert not Ledger(published=1).balanced
    assert not Ledger(copies=1).balanced


# ---------------------------------------------------------------- the heart

QUEUES = ["q", "r", "s", "t"]
EXCHANGES = {"d": "direct", "f": "fanout", "o": "topic", "h": "headers"}
ROUTING_KEYS = ["", "q", "a.b"]
HEADERS: list[dict[str, Any]] = [{}, {"a": 1}]

index = st.integers(0, 9)
queue_name = st.sampled_from(QUEUES)
exchange_name = st.sampled_from(sorted(EXCHANGES))
routing_key = st.sampled_from(ROUTING_KEYS)
headers = st.sampled_from(HEADERS)
ttl = st.sampled_from([None, None, 0, 1000, 4000])


class Life(RuleBasedStateMachine):
    """Random verbs; after each of them everything that follows from everything else must do so."""

    most_events = 200_000

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(depth_module, "MOST_POINTS", 16)
        self.bench = Bench()
        self.engine = self.bench.engine
        self.history = self.engine.history
        self.history.most_events = self.most_events
        self.seen: list[Event] = []
        self.told = Replay()
        self.curves: dict[str, Curve] = {}
        self.look()
        self.history.subscribe(self.look)
        self.channels: list[Channel] = [self.bench.channel]
        self.live: dict[int, Snapshot] = {}

    def teardown(self) -> None:
        self.patch.undo()

    def look(self) -> None:
        """Read on in the history, as observers do, and tell a replay and the curves what is new."""
        new = self.history.after(self.seen[-1].serial if self.seen else 0)
        self.seen += new
        self.told.apply([tuple(event)[1:] for event in new])
        for event in new:
            if event.kind == "queue_declared" and event.target:
                self.curves.setdefault(event.target.name, Curve()).restart()
            for place, step in ((event.source, -1), (event.target, 1)) if event.copy else ():
                if place and place.kind in ("ready", "unacked"):
                    self.curves[place.name].change(place.kind, step)

    # ------------------------------------------------------------ who and what there is

    def channel(self, which: int) -> Channel:
        """One of the channels, open or not."""
        return self.channels[which % len(self.channels)]

    @property
    def connections(self) -> list[Connection]:
        """Those that are open."""
        return list(self.engine._moves.connections.values())

    def attempt(self, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a verb that may be refused."""
        try:
            return verb(*args, **kwargs)
        except BrokerError:
            return None

    # ------------------------------------------------------------ clients

    @initialize()
    def begin(self) -> None:
        self.engine.queue_declare(self.channels[0], "q")
        self.channels.append(self.bench.client("other"))

    @precondition(lambda self: len(self.connections) < 4)
    @rule()
    def connect(self) -> None:
        self.channels.append(self.bench.client())

    @precondition(lambda self: self.connections)
    @rule(which=index)
    def open_channel(self, which: int) -> None:
        self.channels.append(self.engine.open_channel(self.connections[which % len(self.connections)]))

    @rule(which=index)
    def close_channel(self, which: int) -> None:
        self.engine.close_channel(self.channel(which))

    @rule(which=index)
    def disconnect(self, which: int) -> None:
        self.engine.disconnect(self.channel(which).connection)

    @precondition(lambda self: self.connections)
    @rule(which=index)
    def drop(self, which: int) -> None:
        self.engine.dropped.append(self.connections[which % len(self.connections)])
        self.engine.peek()

    # ------------------------------------------------------------ topology

    @rule(
        which=index,
        name=queue_name,
        ttl=st.sampled_from([None, None, 0, 3000]),
        expires=st.sampled_from([None, None, None, 5000]),
        auto_delete=st.booleans(),
        exclusive=st.sampled_from([False, False, True]),
        passive=st.sampled_from([False, False, False, True]),
    )
    def declare(self, which: int, name: str, ttl: int | None, expires: int | None, **options: bool) -> None:
        given = {"x-message-ttl": ttl, "x-expires": expires}
        arguments = {key: value for key, value in given.items() if value is not None}
        self.attempt(self.engine.queue_declare, self.channel(which), name, arguments=arguments, **options)

    @rule(which=index, name=exchange_name, auto_delete=st.booleans())
    def declare_exchange(self, which: int, name: str, auto_delete: bool) -> None:
        options = ExchangeOptions(EXCHANGES[name], auto_delete=auto_delete)
        self.attempt(self.engine.exchange_declare, self.channel(which), name, options)

    @rule(which=index, queue=queue_name, exchange=exchange_name, key=routing_key, arguments=headers)
    def bind(self, which: int, queue: str, exchange: str, key: str, arguments: dict[str, Any]) -> None:
        self.attempt(self.engine.queue_bind, self.channel(which), queue, exchange, key, arguments)

    @rule(which=index, source=exchange_name, destination=exchange_name, key=routing_key)
    def link(self, which: int, source: str, destination: str, key: str) -> None:
        self.attempt(self.engine.exchange_bind, self.channel(which), destination, source, key, {})

    @rule(which=index, binding=index)
    def unbind(self, which: int, binding: int) -> None:
        bindings = list(self.engine._moves.topology.bindings())
        if bindings:
            chosen = bindings[binding % len(bindings)]
            verb = self.engine.exchange_unbind if chosen.to_exchange else self.engine.queue_unbind
            ends = chosen.destination, chosen.source
            self.attempt(verb, self.channel(which), *ends, chosen.routing_key, chosen.arguments)

    @rule(which=index, name=queue_name, flags=st.booleans())
    def delete(self, which: int, name: str, flags: bool) -> None:
        self.attempt(self.engine.queue_delete, self.channel(which), name, if_unused=flags, if_empty=flags)

    @rule(which=index, name=exchange_name, if_unused=st.booleans())
    def delete_exchange(self, which: int, name: str, if_unused: bool) -> None:
        self.attempt(self.engine.exchange_delete, self.channel(which), name, if_unused=if_unused)

    # ------------------------------------------------------------ messages in

    @rule(
        which=index,
        exchange=st.just("") | exchange_name,
        key=routing_key,
        headers=headers,
        ttl=ttl,
        mandatory=st.booleans(),
    )
    def publish(self, which: int, exchange: str, key: str, ttl: int | None, **options: Any) -> None:
        self.attempt(self.bench.publish, "m", key, exchange, ttl=ttl, channel=self.channel(which), **options)

    @rule(name=queue_name, count=st.integers(2, 6), ttl=ttl)
    def fill(self, name: str, count: int, ttl: int | None) -> None:
        if self.connections:
            channel = self.engine.open_channel(self.connections[0])
            for _ in range(count):
                self.bench.publish("m", name, ttl=ttl, channel=channel)
            self.engine.close_channel(channel)

    # ------------------------------------------------------------ messages out

    @rule(which=index, name=queue_name, no_ack=st.sampled_from([False, False, True]))
    def get(self, which: int, name: str, no_ack: bool) -> None:
        self.attempt(self.engine.basic_get, self.channel(which), name, no_ack=no_ack)

    @rule(
        which=index,
        name=queue_name,
        prefetch=st.integers(0, 3),
        no_ack=st.sampled_from([False, False, True]),
        exclusive=st.sampled_from([False, False, False, True]),
        priority=st.integers(0, 1),
    )
    def consume(self, which: int, name: str, prefetch: int, priority: int, **options: bool) -> None:
        channel = self.channel(which)
        self.attempt(self.engine.basic_qos, channel, 0, prefetch)
        tag = next(tag for tag in map(str, range(10**6)) if tag not in channel.consumers)
        self.attempt(
            self.engine.basic_consume, channel, name, tag, arguments={"x-priority": priority}, **options
        )

    @precondition(lambda self: self.connections)
    @rule(which=index, count=st.integers(1, 4))
    def take(self, which: int, count: int) -> None:
        connection = self.connections[which % len(self.connections)]
        for _ in range(count):
            item = self.engine.next_item(connection, 0)
            assert not isinstance(item, Delivery) or item.handed

    @rule(which=index, consumer=index)
    def cancel(self, which: int, consumer: int) -> None:
        channel = self.channel(which)
        tags = [*channel.consumers, "unknown"]
        self.attempt(self.engine.basic_cancel, channel, tags[consumer % len(tags)])

    @rule(which=index, name=queue_name)
    def purge(self, which: int, name: str) -> None:
        self.attempt(self.engine.queue_purge, self.channel(which), name)

    # ------------------------------------------------------------ acknowledgements

    def tag(self, channel: Channel, which: int) -> int:
        """An outstanding tag, if there is one."""
        tags = list(channel.unacked)
        return tags[which % len(tags)] if tags else which

    @rule(which=index, tag=index, multiple=st.booleans())
    def ack(self, which: int, tag: int, multiple: bool) -> None:
        channel = self.channel(which)
        self.attempt(self.engine.basic_ack, channel, self.tag(channel, tag), multiple=multiple)

    @rule(which=index, tag=index, multiple=st.booleans(), requeue=st.sampled_from([True, True, False]))
    def nack(self, which: int, tag: int, **options: bool) -> None:
        channel = self.channel(which)
        self.attempt(self.engine.basic_nack, channel, self.tag(channel, tag), **options)

    @rule(which=index)
    def settle_all(self, which: int) -> None:
        self.attempt(self.engine.basic_ack, self.channel(which), 0, multiple=True)

    @rule(which=index, requeue=st.sampled_from([True, True, True, False]))
    def recover(self, which: int, requeue: bool) -> None:
        self.attempt(self.engine.basic_recover, self.channel(which), requeue=requeue)

    # ------------------------------------------------------------ time

    @rule(milliseconds=st.sampled_from([0, 500, 1000, 2500, 10_000]))
    def advance(self, milliseconds: int) -> None:
        self.engine.advance(milliseconds / 1000)

    @rule()
    def step(self) -> None:
        due = self.engine.peek()
        assert self.engine.step() == due
        assert due is None or self.engine.now == due.time

    # ------------------------------------------------------------ what must hold

    @invariant()
    def everything_agrees(self) -> None:
        snapshot = assert_whole(self.engine)
        assert [event.serial for event in self.seen] == list(range(1, snapshot.serial + 1))
        assert sorted(event.time for event in self.seen) == [event.time for event in self.seen]
        self.live[snapshot.serial] = snapshot

    @invariant()
    def the_past_can_be_seen(self) -> None:
        remembered = [serial for serial in self.live if serial >= self.history.first - 1]
        assert remembered
        for serial in {remembered[0], remembered[len(remembered) // 2], remembered[-1]}:
            assert timeless(self.history.at(serial)) == timeless(self.live[serial])

    @invariant()
    def the_history_is_bounded(self) -> None:
        assert len(self.history) <= self.most_events

    @invariant()
    def all_events_lead_here(self) -> None:
        """A replay that was told everything, forgotten or not, stands where the broker does."""
        assert self.told.snapshot() == self.history.at(self.history.last)

    @invariant()
    def peaks_are_kept(self) -> None:
        """However often a series was thinned, its last point and its highest are true."""
        depths = self.engine.depths()
        assert list(depths) == list(self.curves)
        for name, curve in self.curves.items():
            points = depths[name]
            assert len(points) <= 16
            assert (points[-1].ready, points[-1].unacked) == (curve.ready, curve.unacked)
            assert max(point.ready + point.unacked for point in points) == curve.peak


class Curve:
    """The depth of one queue, by counting the places that copies go to, and the highest it ever was."""

    def __init__(self) -> None:
        self.peak = 0
        self.restart()

    def restart(self) -> None:
        """A new queue of this name."""
        self.ready = self.unacked = 0

    def change(self, kind: str, step: int) -> None:
        """A copy came or went."""
        if kind == "ready":
            self.ready += step
        else:
            self.unacked += step
        self.peak = max(self.peak, self.ready + self.unacked)


class ForgetfulLife(Life):
    """The same with a history that forgets all the time."""

    most_events = 50


Life.TestCase.settings = ForgetfulLife.TestCase.settings = settings(
    CALM, max_examples=25, stateful_step_count=40
)
TestLife = Life.TestCase
TestForgetfulLife = ForgetfulLife.TestCase


def test_forgetting_while_somebody_looks(bench: Bench) -> None:
    """Whoever looks at the state in between changes nothing of what is kept of the forgotten events."""
    bench.queue("q", ttl=40)
    looked, other = bench.engine.history, Bench()
    looked.most_events = other.engine.history.most_events = 50
    other.queue("q", ttl=40)

    for number in range(400):
        bench.publish(f"{number}", key="q")
        other.publish(f"{number}", key="q")
        if number % 7 == 0:
            bench.engine.snapshot()

    assert looked.first == other.engine.history.first > 1
    for serial in range(looked.first - 1, looked.last + 1):
        assert looked.at(serial) == other.engine.history.at(serial)
    assert bench.engine.snapshot() == other.engine.snapshot()


def test_a_stretch_begins_where_memory_does() -> None:
    """`stretch` gives a replay and the events after it that fit, whatever has been forgotten."""
    history = History(most_events=20)
    for number in range(1, 41):
        history.append((0.0, "connected", 0, 0, None, Place("connection", str(number)), 0, 0, "", number))
        history.trim()
    for serial, until in ((0, None), (5, 30), (history.first + 3, history.last), (99, None)):
        replay, events = history.stretch(serial, until)
        start = min(max(serial, history.first - 1), history.last)
        assert replay.serial == start
        assert [event.serial for event in events] == list(range(start + 1, (until or history.last) + 1))
        assert list(replay.connections) == list(range(1, start + 1))
