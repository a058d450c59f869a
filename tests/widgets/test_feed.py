"""Feed: what a page is told leads it from one state of the broker to the next, whatever happens between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import sandbox
from sandbox.engine.history import History
from sandbox.widgets import wire
from sandbox.widgets.feed import MOST_EVENTS, MOST_LAYOUTS, WINDOW, Feed, shaping_runs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def broker() -> Iterator[sandbox.Broker]:
    with sandbox.Broker(clock=sandbox.ManualClock()) as broker:
        broker.exchange("orders", type="topic")
        broker.queue("eu", exchange="orders", routing_key="order.eu.#")
        yield broker


def feed_of(broker: sandbox.Broker) -> Feed:
    return Feed(broker.history, broker.snapshot)


def publish(broker: sandbox.Broker, count: int = 1) -> None:
    for number in range(count):
        broker.publish({"id": number}, exchange="orders", routing_key="order.eu.new")


def nodes_at(layouts: list[Any], serial: int) -> set[str]:
    """The ids of the nodes of the layout that holds at a moment."""
    _, wide, *_ = [layout for layout in layouts if layout[0] <= serial][-1]
    return {node["id"] for node in wide["nodes"]}


def test_a_start_has_the_last_events_and_the_state_before_them(broker: sandbox.Broker) -> None:
    publish(broker, 3)
    update = feed_of(broker).start()

    assert update["kind"] == "start"
    assert update["state"]["serial"] == 0
    assert [row[0] for row in update["events"]] == list(range(1, broker.history.last + 1))
    assert update["depths"]["eu"][-1][2:] == [3, 0]
    json.dumps(update, allow_nan=False)


def test_updates_follow_one_another_without_a_gap(broker: sandbox.Broker) -> None:
    feed = feed_of(broker)
    last = feed.start()["events"][-1][0]
    for count in (1, 4, 2):
        publish(broker, count)
        update = feed.update()
        assert update is not None
        assert update["kind"] == "events"
        assert update["after"] == last
        assert [row[0] for row in update["events"]] == list(range(last + 1, broker.history.last + 1))
        last = update["events"][-1][0]


def test_nothing_new_is_no_update(broker: sandbox.Broker) -> None:
    feed = feed_of(broker)
    feed.start()
    feed.update()

    assert feed.update() is None


def test_time_that_passes_is_news_without_events(broker: sandbox.Broker) -> None:
    feed = feed_of(broker)
    feed.start()
    feed.update()
    broker.advance(5)
    update = feed.update()

    assert update is not None
    assert update["events"] == []


def test_too_many_events_are_a_state(broker: sandbox.Broker) -> None:
    feed = feed_of(broker)
    feed.start()
    publish(broker, MOST_EVENTS)
    update = feed.update()

    assert update is not None
    assert update["kind"] == "flow"
    assert update["state"] == wire.snapshot(broker.snapshot())
    publish(broker)
    again = feed.update()
    assert again is not None
    assert again["kind"] == "flow"  # until the page has asked for a start: it does not know every copy
    feed.start()
    publish(broker)
    after = feed.update()
    assert after is not None
    assert after["kind"] == "events"


def test_a_start_after_a_flow_is_where_the_broker_is(broker: sandbox.Broker) -> None:
    feed = feed_of(broker)
    feed.start()
    publish(broker, WINDOW)
    feed.update()
    update = feed.start()

    assert update["state"]["serial"] == broker.history.last - WINDOW
    assert update["events"][-1][0] == broker.history.last


def test_each_moment_that_changes_the_parts_of_the_picture_has_a_layout(broker: sandbox.Broker) -> None:
    publish(broker)
    message = broker.get("eu")
    assert message is not None
    message.ack()
    update = feed_of(broker).start()
    layouts = update["layouts"]
    fetched = next(row[0] for row in update["events"] if row[2] == "fetched")
    published = next(row[0] for row in update["events"] if row[2] == "published")

    assert "hand:3" in nodes_at(layouts, fetched)
    assert "publisher:you" in nodes_at(layouts, published)
    assert "hand:3" not in nodes_at(layouts, broker.history.last)


def test_what_is_declared_in_a_row_is_laid_out_once(broker: sandbox.Broker) -> None:
    for number in range(50):
        broker.queue(f"q{number}", exchange="orders", routing_key="x")
    events = list(broker.history)

    declared = next(event.serial for event in events if event.kind == "exchange_declared")
    assert shaping_runs(events, set()) == [(declared, events[-1].serial)]


def test_what_is_declared_is_in_the_picture_at_once(broker: sandbox.Broker) -> None:
    """One layout serves a run of declarations, from its first event on."""
    publish(broker)
    layouts = feed_of(broker).start()["layouts"]
    for event in broker.history:
        if event.kind not in ("exchange_declared", "queue_declared"):
            continue
        assert event.target is not None
        kind = event.kind.removesuffix("_declared")
        assert f"{kind}:{event.target.name}" in nodes_at(layouts, event.serial)


def test_layouts_are_bounded(broker: sandbox.Broker) -> None:
    for number in range(4 * MOST_LAYOUTS):
        broker.queue(f"q{number}", exchange="orders", routing_key="order.eu.new")
        publish(broker)
    layouts = feed_of(broker).start()["layouts"]

    assert len(layouts) <= MOST_LAYOUTS + 1
    assert layouts[-1][0] <= broker.history.last


def test_a_page_may_ask_for_the_past(broker: sandbox.Broker) -> None:
    publish(broker, WINDOW)
    feed = feed_of(broker)
    feed.start()
    update = feed.past(200)

    assert update["kind"] == "past"
    assert update["state"]["serial"] <= 200 <= update["events"][-1][0]
    assert update["state"]["serial"] == max(0, 200 - WINDOW // 2)


def test_what_is_forgotten_is_not_asked_for() -> None:
    history = History(most_events=400)
    broker = sandbox.Broker(clock=sandbox.ManualClock())
    engine: Any = broker._engine
    engine.history = engine._moves.history = history
    broker.exchange("orders", type="topic")
    broker.queue("eu", exchange="orders", routing_key="order.eu.#")
    publish(broker, 400)
    feed = Feed(history, broker.snapshot)
    feed.start()

    assert feed.past(1)["state"]["serial"] == history.first - 1
    broker.close()


def test_the_copies_that_leave_are_known_from_the_beginning(broker: sandbox.Broker) -> None:
    publish(broker, 1500)
    for _ in range(400):
        broker.get("eu", no_ack=True)
    update = feed_of(broker).start()
    known = {queue["name"]: len(queue["seats"]) for queue in update["state"]["queues"]}

    assert known["eu"] >= 400 + 12


def test_every_start_has_the_layouts_of_its_own_events(broker: sandbox.Broker) -> None:
    publish(broker, 3)
    broker.queue("z", exchange="orders", routing_key="z")
    feed = feed_of(broker)
    published = next(event.serial for event in broker.history if event.kind == "published")

    for update in (feed.start(), feed.start(), feed.past(10)):  # the page asks again
        assert "publisher:you" in nodes_at(update["layouts"], published)


def test_looking_at_the_past_does_not_move_the_present(broker: sandbox.Broker) -> None:
    feed = feed_of(broker)
    feed.start()
    publish(broker, 10)  # so many that the lanes grow
    feed.update()
    feed.past(5)
    broker.queue("z", exchange="orders", routing_key="z")
    update = feed.update()

    assert update is not None
    lanes = {node["width"] for node in update["layouts"][-1][1]["nodes"] if node["kind"] == "queue"}
    assert lanes == {12 * 28}


def test_a_large_broker_flows_though_much_of_it_is_not_drawn(broker: sandbox.Broker) -> None:
    for number in range(60):
        broker.queue(f"q{number}", exchange="orders", routing_key="order.eu.new")
    publish(broker, 20)
    held = [broker.get(f"q{number}") for number in (0, 0, 0, *[50] * 13)]
    feed = feed_of(broker)
    *_, (_, wide, _, folded) = feed.start()["layouts"]
    publish(broker, MOST_EVENTS)
    update = feed.update()

    assert update is not None
    assert update["kind"] == "flow"
    assert update["state"]["ledger"]["unacked"] == len(held)
    drawn = {node["id"] for node in wide["nodes"]}
    assert not drawn & set(folded)
    queues = {f"queue:{name}" for name in broker.snapshot().queues}
    assert queues <= drawn | set(folded)


def test_a_flow_brings_its_layout_though_it_was_sent_before(broker: sandbox.Broker) -> None:
    """The page forgets its window, and with it the layouts, when a flow begins."""
    publish(broker, 20)
    feed = feed_of(broker)
    feed.start()
    for _ in range(MOST_EVENTS):
        publish(broker)
        broker.get("eu", no_ack=True)
    update = feed.update()

    assert update is not None
    assert update["kind"] == "flow"
    assert "queue:eu" in nodes_at(update["layouts"], broker.history.last)


def test_a_flow_counts_what_is_not_drawn(broker: sandbox.Broker) -> None:
    for number in range(60):
        broker.queue(f"q{number}")
    feed = feed_of(broker)
    feed.focus("queue:q5")
    feed.start()
    for _ in range(MOST_EVENTS):
        broker.publish("x", routing_key="q30")
    update = feed.update()

    assert update is not None
    queues = {queue["name"]: (queue["ready"], len(queue["seats"])) for queue in update["state"]["queues"]}
    assert queues["q30"] == (MOST_EVENTS, 0)
    assert len(queues) == 61


def test_a_gap_in_what_is_remembered_is_a_flow(broker: sandbox.Broker) -> None:
    feed = feed_of(broker)
    feed.start()
    broker.history.most_events = 30
    publish(broker, 100)
    update = feed.update()

    assert update is not None
    assert update["kind"] == "flow"
