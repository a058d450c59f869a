"""The reducer of the page is that of the engine: fed with the same events, it stands at the same state."""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page

from sandbox.engine.history import History
from sandbox.engine.model import ExchangeOptions
from sandbox.engine.replay import Replay
from sandbox.widgets import wire
from tests.engine.bench import Bench
from tests.widgets.wild import Wild

ALL = 10**9  # seats: every copy is shown

#: Every kind of event that there is.
KINDS = set(
    re.findall(
        r"[a-z_]+",
        """
    published lost returned confirmed nacked routed refused delivered handed fetched sent acked requeued
    rejected expired dropped dead_lettered purged removed exchange_declared exchange_deleted queue_declared
    queue_deleted bound unbound connected disconnected channel_opened channel_closed prefetch_set
    consumer_started consumer_activated consumer_cancelled restarted closing deleting
""",
    )
)

#: Feeds rows to a State, and gives at each of the `serials` what `look` says of it.
FOLLOW = """
async (text) => {
  const { State } = await import("/state.js");
  const [encoded, rows, serials, options] = JSON.parse(text);
  const look = %s;
  let state = State.from(encoded);
  const seen = [];
  const wanted = new Set(serials);
  const see = () => wanted.has(state.serial) && seen.push(look(state, options));
  see();
  for (const row of rows) {
    state.apply(row);
    see();
  }
  return JSON.stringify(seen);
}
"""


def follow(
    page: Page, history: History, look: str, serials: list[int], start: Any, options: Any = None
) -> Any:
    """What the page sees at these moments, when it begins with the encoded state `start`."""
    rows = [wire.event(event) for event in history.after(start["serial"], serials[-1])]
    return json.loads(page.evaluate(FOLLOW % look, json.dumps([start, rows, serials, options])))


def encoded(replay: Replay, seats: int = ALL) -> Any:
    """A state as it arrives in the page."""
    return json.loads(json.dumps(wire.snapshot(replay.snapshot(seats=seats)), allow_nan=False))


def canonical(state: Any) -> list[str]:
    """A state as lines, in which 1 and True differ, and 1 and 1.0 do not (JavaScript has but one number)."""

    def number(value: Any) -> Any:
        match value:
            case dict():
                return {key: number(item) for key, item in value.items()}
            case list():
                return [number(item) for item in value]
            case float() if value.is_integer():
                return int(value)
        return value

    return json.dumps(number(state), indent=1, sort_keys=True).splitlines()


def moments(history: History, seed: int, start: int = 0, most: int = 50) -> list[int]:
    """Serials at random, and the first and the last."""
    serials = range(start, history.last + 1)
    draw = Random(seed)  # noqa: S311  (nothing to hide)
    return sorted({start, history.last, *draw.sample(serials, min(most, len(serials)))})


def rich() -> History:
    """One life with every kind of event, and bindings that differ only by an argument's type."""
    bench = Bench()
    engine, channel = bench.engine, bench.channel
    other = bench.client("other")
    bench.exchange("headers", "headers")
    bench.exchange("dlx", "fanout", auto_delete=True)
    bench.queue("q", ttl=4000)
    bench.queue("kept", durable=True)
    bench.queue("mine", exclusive=True, channel=other)
    for name, overflow in (("head", "drop-head"), ("tail", "reject-publish"), ("dead", "reject-publish-dlx")):
        arguments = {"x-max-length": 2, "x-overflow": overflow, "x-dead-letter-exchange": "dlx"}
        engine.queue_declare(channel, name, arguments=arguments)
    engine.queue_declare(channel, "short", arguments={"x-max-length": 1})
    engine.queue_declare(channel, "ranked", arguments={"x-max-priority": 3, "x-single-active-consumer": True})
    bench.bind("kept", "dlx")
    for value in (1, True, 1.0, "1"):
        bench.bind("q", "headers", a=value)
    engine.confirm_select(other)
    for number, queue in enumerate(["q", "head", "tail", "dead", "short", "ranked", "mine", "nowhere"] * 8):
        engine.basic_publish(other, "", queue, b"m", {}, {"priority": number % 4}, mandatory=number < 10)
        headers = {"a": (1, True, 1.0, "1")[number % 4]}
        engine.basic_publish(channel, "headers", "", b"m", headers, {"delivery_mode": 2})
    bench.consume("c", "ranked", prefetch=3)
    bench.consume("d", "ranked", prefetch=2, channel=other)
    list(islice(bench.items(), 2))
    bench.ack(1)
    bench.requeue(2)
    engine.basic_cancel(channel, "c")
    engine.basic_nack(other, 1, requeue=False)
    bench.fetch("q")
    bench.fetch("kept")
    bench.get("head", no_ack=True)
    engine.advance(5)
    engine.tx_select(channel)
    engine.basic_publish(channel, "", "tail", b"m", {}, {})
    engine.basic_publish(channel, "", "dead", b"m", {}, {})
    engine.basic_publish(channel, "", "kept", b"m", {}, {})
    with pytest.raises(Exception, match="partial tx"):
        engine.tx_commit(channel)
    bench.consume("e", "kept", no_ack=True)
    engine.queue_purge(other, "head")
    engine.queue_delete(other, "head")
    engine.close_channel(channel)
    engine.disconnect(other.connection)
    last = bench.client("last")
    engine.queue_unbind(last, "kept", "dlx", "", {})
    engine.exchange_declare(last, "late", ExchangeOptions("topic"))
    bench.publish(key="kept", channel=last)
    engine.restart()
    return engine.history


#: How many runs are drawn.
RUNS = 6


@cache
def recorded(number: int) -> History:
    """The random run of this number."""
    return Wild(number).run(700).history


@pytest.fixture(params=["rich", *range(RUNS)], ids=lambda run: f"run {run}")
def run(request: pytest.FixtureRequest) -> History:
    """A recorded run."""
    return rich() if request.param == "rich" else recorded(request.param)


def test_every_kind_of_event_is_tried() -> None:
    """The deterministic run has all kinds of events, and the random ones have most."""
    assert {event.kind for event in rich()} == KINDS
    assert {event.kind for number in range(RUNS) for event in recorded(number)} == KINDS


def test_equal_at_every_moment(module_page: Page, run: History) -> None:
    """From the empty broker on: the page's state, encoded, is what Python encodes, to the last header."""
    serials = moments(run, seed=1)
    found = follow(module_page, run, "(state) => state.toJSON()", serials, encoded(History().replay()))

    assert len(found) == len(serials)
    for serial, state in zip(serials, found, strict=True):
        assert canonical(state) == canonical(encoded(run.replay_at(serial)))


def test_equal_from_the_middle(module_page: Page, run: History) -> None:
    """The same from a state in the middle, but for headers of what had been published before it."""
    start = run.last // 3
    serials = moments(run, seed=2, start=start)
    found = follow(module_page, run, "(state) => state.toJSON()", serials, encoded(run.replay_at(start)))

    for serial, state in zip(serials, found, strict=True):
        expected = encoded(run.replay_at(serial))
        unknown = list(_forget_unknown_headers(state, expected))
        assert len(unknown) <= 5
        assert canonical(state) == canonical(expected)


def _forget_unknown_headers(state: Any, expected: Any) -> Iterator[int]:
    """Of a verb that had begun at the start the page does not know what it published."""
    for queue, wanted in zip(state["queues"], expected["queues"], strict=True):
        for seat, known in zip(queue["seats"], wanted["seats"], strict=True):
            if seat["header"] is None and known["header"] is not None:
                known["header"] = None
                yield seat["copy"]


LOOK = """
(state, limit) => ({
  ...state.toJSON(),
  needsMore: state.needsMore(limit),
  seats: [...state.queues.keys()].map((name) => state.seatsOf(name, limit)),
  held: [...state.consumers.values()].map(({ channel, tag }) => state.heldBy(channel, tag, limit)),
})
"""


@pytest.mark.parametrize(("known", "limit"), [(15, 12), (4, 3), (0, 0)])
def test_counts_are_exact_though_copies_are_unknown(
    module_page: Page, run: History, known: int, limit: int
) -> None:
    """Where a page knows but the first copies, counts are exact; and so are seats until it asks for more."""
    start = run.last // 4
    serials = moments(run, seed=3, start=start)
    first = encoded(run.replay_at(start), seats=known)
    found = follow(module_page, run, LOOK, serials, first, limit)
    enough = 0

    for serial, state in zip(serials, found, strict=True):
        expected = encoded(run.replay_at(serial), seats=limit)
        for part in ("ledger", "exchanges", "bindings", "connections", "publishers"):
            assert state[part] == expected[part]
        assert _counts(state["queues"]) == _counts(expected["queues"])
        assert [_without(each, "held") for each in state["consumers"]] == [
            _without(each, "held") for each in expected["consumers"]
        ]
        enough += not state["needsMore"]
        if not state["needsMore"]:
            for seats, queue in zip(state["seats"], expected["queues"], strict=True):
                assert [_without(seat, "header") for seat in seats] == [
                    _without(seat, "header") for seat in queue["seats"]
                ]
            held = [[seat["position"] for seat in seats] for seats in state["held"]]
            assert held == [consumer["held"] for consumer in expected["consumers"]]
    assert enough > 0


def _counts(queues: Any) -> Any:
    return [(queue["name"], queue["options"], queue["ready"], queue["unacked"]) for queue in queues]


def _without(item: Any, name: str) -> Any:
    return {key: value for key, value in item.items() if key != name}


def test_more_is_asked_for_in_time(module_page: Page) -> None:
    """A page that knows too few copies says so; once all that it did not know are gone, it knows all."""
    bench = Bench()
    bench.queue()
    bench.fill(*"abcdefghij")
    history = bench.engine.history
    start = encoded(history.replay(), seats=6)
    for tag in range(1, 11):
        bench.fetch()
        bench.ack(tag)
    bench.publish()
    serials = list(range(start["serial"], history.last + 1))
    look = "(state) => [state.seatsOf('q').length, state.needsMore(4), state.queues.get('q').complete]"

    found = follow(module_page, history, look, serials, start)

    known = [6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0]
    asks = [False, False, False, True, True, True, True, True, True, True, False]
    complete = [False] * 10 + [True]
    assert found[0:21:2] == list(map(list, zip(known, asks, complete, strict=True)))
    assert found[-1] == [1, False, True]  # and what comes then is known


def test_what_an_unknown_copy_leaves_open(module_page: Page) -> None:
    """Of what a consumer holds the first known ones are shown, and the number is right.

    The second consumer has the tag of the first: what is acknowledged of the first's is not its.
    """
    bench = Bench()
    bench.queue()
    bench.fill(*"abcdefgh")
    bench.consume("c")
    history = bench.engine.history
    start = encoded(history.replay(), seats=3)
    bench.publish()
    bench.engine.basic_cancel(bench.channel, "c")
    bench.consume("c")
    bench.publish()
    bench.ack(8, 1)
    serials = list(range(start["serial"], history.last + 1))
    look = """(state) => [
      state.consumers.get("1:c")?.unacked ?? null,
      state.heldBy(1, "c", 12).map((seat) => seat.position),
      state.needsMore(3),
      state.needsMore(4),
    ]"""

    found = follow(module_page, history, look, serials, start)

    assert found[0] == [8, [1, 2, 3], False, True]
    assert found[3] == [9, [1, 2, 3], False, True]  # the ninth is known, but stands behind unknown ones
    assert found[-1] == [1, [10], True, True]


def test_clones_are_independent(module_page: Page) -> None:
    """A clone and its original go different ways: one goes on, the other is what it was."""
    history = Wild(3).run(300).history
    middle = history.last // 2
    rows = [wire.event(event) for event in history]
    before, after, again = module_page.evaluate(
        """
        async ([encoded, rows, middle]) => {
          const { State } = await import("/state.js");
          const state = State.from(encoded);
          for (const row of rows.slice(0, middle)) state.apply(row);
          const twin = state.clone();
          const third = state.clone();
          for (const row of rows.slice(middle)) state.apply(row);
          const before = JSON.stringify(twin);
          for (const row of rows.slice(middle)) twin.apply(row);
          return [before, JSON.stringify(twin), JSON.stringify(third)].map(JSON.parse);
        }
        """,
        [encoded(History().replay()), rows, middle],
    )

    assert canonical(before) == canonical(again) == canonical(encoded(history.replay_at(middle)))
    assert canonical(after) == canonical(encoded(history.replay()))


def test_events_come_in_order(module_page: Page) -> None:
    """An event that does not follow the last one is refused, so that nothing is counted twice."""
    row = wire.event(Bench().engine.history[1])
    error = module_page.evaluate(
        """
        async ([encoded, row]) => {
          const { State } = await import("/state.js");
          const state = State.from(encoded);
          state.apply(row);
          try { state.apply(row); } catch (error) { return error.message; }
        }
        """,
        [encoded(History().replay()), row],
    )
    assert error == "event 1 does not follow event 1"


# ---------------------------------------------------------------- nothing vanishes

SUMS = """
(state) => {
  const { published, routed, returned, lost, on_its_way, copies, ...places } = state.ledger;
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const queues = [...state.queues.values()];
  const balanced = published === routed + returned + lost + on_its_way
    && copies === sum(Object.values(places))
    && places.ready === sum(queues.map((queue) => queue.ready))
    && places.unacked === sum(queues.map((queue) => queue.unacked));
  return [balanced, ...Object.values(state.ledger)];
}
"""


@pytest.mark.timeout(180)
def test_nothing_vanishes(module_page: Page) -> None:
    """After every event of 10,000 random verbs both lines of the ledger balance, in Python and in a page."""
    history = Wild(7).run(10_000).history
    replay = Replay()
    ledgers = []
    for event in history:
        replay.apply([tuple(event)[1:]])
        ledger = replay.ledger()
        assert ledger.balanced, event
        ledgers.append([True, *ledger])
    assert len(ledgers) > 20_000

    serials = list(range(1, history.last + 1))
    assert follow(module_page, history, SUMS, serials, encoded(History().replay())) == ledgers
