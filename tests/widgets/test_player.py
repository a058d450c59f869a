"""The player: one for all views of a broker, awake while somebody looks, and never in the broker's way."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import sandbox
from sandbox.engine.clock import WallClock
from sandbox.widgets import Player
from sandbox.widgets.player import due_words
from tests.widgets.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Iterator


class Page:
    """What a page would be told, and what it would say."""

    def __init__(self, broker: sandbox.Broker) -> None:
        self.timers = Timers()
        self.player = Player(broker, later=self.timers)
        self.heard: list[dict[str, Any]] = []
        self.player.send = self._hear
        self.update()

    def _hear(self, content: dict[str, Any], buffers: object = None) -> None:
        assert buffers is None
        self.heard.append(json.loads(json.dumps(content, allow_nan=False)))

    def update(self) -> list[dict[str, Any]]:
        """Let all timers ring; what was told since the last time."""
        while self.timers.ring():
            pass
        return self.take()

    def take(self) -> list[dict[str, Any]]:
        heard, self.heard = self.heard, []
        return heard

    def say(self, **message: Any) -> list[dict[str, Any]]:
        """Say something to the broker; what is told then."""
        self.player._hear(None, message, None)
        return self.take()


@pytest.fixture
def broker() -> Iterator[sandbox.Broker]:
    with sandbox.Broker(name="shop", clock=sandbox.ManualClock()) as broker:
        broker.exchange("orders", type="topic")
        broker.queue("eu", exchange="orders", routing_key="order.eu.#", message_ttl=30)
        yield broker


@pytest.fixture
def page(broker: sandbox.Broker) -> Page:
    return Page(broker)


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["kind"] for message in messages]


# ---------------------------------------------------------------- the page follows


def test_a_verb_is_told_soon_and_once(broker: sandbox.Broker, page: Page) -> None:
    for _ in range(20):
        broker.publish("x", exchange="orders", routing_key="order.eu")

    assert page.heard == []  # the verbs themselves send nothing
    (update,) = page.update()
    assert update["kind"] == "events"
    assert [row[2] for row in update["events"]].count("published") == 20
    assert page.timers.armed == []


def test_a_message_behind_held_ones_is_not_taken_for_the_queue(broker: sandbox.Broker) -> None:
    broker.queue("q", message_ttl=5)
    for _ in range(13):
        broker.publish("x", routing_key="q")
    for _ in range(12):
        assert broker.get("q") is not None
    due = broker.due
    assert due is not None

    assert due_words(due.queue, due.time, broker.snapshot()) == "a message expires in q"


def test_an_update_says_what_will_happen_next(broker: sandbox.Broker, page: Page) -> None:
    broker.publish("x", exchange="orders", routing_key="order.eu")
    (update,) = page.update()

    assert update["clock"] == {
        "kind": "manual",
        "now": 0.0,
        "due": {"time": 30.0, "words": "message 1 expires in eu"},
        "name": "shop",
    }
    assert update["open"] is True
    assert update["first"] == 1


def test_a_queue_that_expires_unused_is_named(broker: sandbox.Broker) -> None:
    broker.queue("brief", expires=5)

    assert due_words("brief", 5.0, broker.snapshot()) == "queue brief expires, unused"


def test_a_clock_that_moves_is_told_though_nothing_happens(broker: sandbox.Broker, page: Page) -> None:
    broker.advance(3)
    (update,) = page.update()

    assert update["events"] == []
    assert update["clock"]["now"] == 3.0


def test_a_page_that_missed_something_gets_a_start(broker: sandbox.Broker, page: Page) -> None:
    broker.publish("x", exchange="orders", routing_key="order.eu")
    told = page.say(need=-1)

    assert "start" in kinds(told)
    start = told[kinds(told).index("start")]
    assert start["events"][-1][0] == broker.history.last
    assert start["depths"]["eu"][-1][2:] == [1, 0]


def test_the_trait_is_a_start_for_a_page_that_nobody_answers(broker: sandbox.Broker) -> None:
    broker.publish("x", exchange="orders", routing_key="order.eu")
    start = Player(broker, later=Timers()).start

    assert start["kind"] == "start"
    assert start["events"][-1][0] == broker.history.last


def test_narrow_layouts_are_made_when_a_view_is_narrow(broker: sandbox.Broker, page: Page) -> None:
    assert all(narrow is None for _, _, narrow, _ in page.player.start["layouts"])
    told = page.say(views=1, page="a", narrow=True, past=False)
    start = told[kinds(told).index("start")]

    assert all(narrow["width"] <= wide["width"] for _, wide, narrow, _ in start["layouts"])
    broker.queue("us", exchange="orders", routing_key="order.us")
    assert page.update()[-1]["layouts"][-1][2] is not None


# ---------------------------------------------------------------- who looks


def test_nobody_looks_and_nothing_runs(broker: sandbox.Broker, page: Page) -> None:
    page.say(views=0, page="a", narrow=False, past=False)
    broker.publish("x", exchange="orders", routing_key="order.eu")

    assert page.timers.armed == []
    assert page.update() == []


def test_who_looks_again_is_told_what_was_missed(broker: sandbox.Broker, page: Page) -> None:
    page.say(views=0, page="a", narrow=False, past=False)
    broker.publish("x", exchange="orders", routing_key="order.eu")
    (update, *_) = page.say(views=1, page="a", narrow=False, past=False)

    assert [row[2] for row in update["events"]] == ["channel_opened", "published", "routed"]


def test_an_expiry_in_real_time_has_one_timer(page: Page) -> None:
    with sandbox.Broker() as broker:
        broker.queue("q", message_ttl=60)
        page = Page(broker)
        broker.publish("x", routing_key="q")
        while page.timers.armed[0].seconds < 1:
            page.timers.armed[0].call()
            page.timers.armed[0].is_over = True
        (timer,) = page.timers.armed
        assert 59 < timer.seconds <= 60
        page.say(views=0, page="a", narrow=False, past=False)
        assert page.timers.armed == []


def test_an_expiry_shows_though_nobody_calls_the_broker() -> None:
    class Clock(WallClock):
        moment = 0.0

        def now(self) -> float:
            return self.moment

    clock = Clock()
    with sandbox.Broker(clock=clock) as broker:
        broker.queue("q", message_ttl=60)
        page = Page(broker)
        broker.publish("x", routing_key="q")
        page.timers.all[-1].call()  # the update; it sets the alarm
        page.take()
        clock.moment = 60.0
        page.timers.all[-1].call()
        assert [row[2] for message in page.take() for row in message.get("events", ())] == ["expired"]


def test_a_real_view_has_no_thread_while_idle(broker: sandbox.Broker) -> None:
    player = Player(broker)
    player.wake()
    broker.publish("x", exchange="orders", routing_key="order.eu")
    for thread in threading.enumerate():
        if thread.name == "sandbox-view":
            thread.join(10)

    assert [thread.name for thread in threading.enumerate() if thread.name == "sandbox-view"] == []
    player.sleep()


def test_a_view_does_not_keep_its_broker_alive() -> None:
    broker = sandbox.Broker(clock=sandbox.ManualClock())
    page = Page(broker)
    gone = weakref.ref(broker)
    del broker
    gc.collect()

    assert gone() is None
    assert kinds(page.update()) == ["over"]
    assert page.say(do="publish", args={"body": "x"}, id=1)[0]["error"] == "the broker is gone"
    assert kinds(page.say(need=-1)) == ["over"]


def test_what_a_player_kept_of_its_broker_is_gone_with_it() -> None:
    broker = sandbox.Broker(clock=sandbox.ManualClock())
    page = Page(broker)
    history = weakref.ref(broker.history)
    del broker
    gc.collect()
    page.update()
    gc.collect()

    assert history() is None
    assert page.player.start == {}


def test_a_picture_of_a_broker_that_nobody_kept_says_so() -> None:
    for view in (sandbox.Broker().graph(), sandbox.Broker().depths(), sandbox.Broker().dashboard()):
        gc.collect()
        bundle = view._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert "keep a reference" in data["text/plain"]


def test_one_page_that_closes_leaves_the_other_awake(broker: sandbox.Broker, page: Page) -> None:
    for name in ("a", "b"):
        page.say(views=1, page=name, narrow=False, past=name == "a")
    reasons = [page.player.why_off]  # in the other page one can work
    page.say(views=0, page="b", narrow=False, past=False)
    reasons.append(page.player.why_off)
    assert reasons == [None, "You look at the past: go back to live to do something."]
    broker.publish("x", exchange="orders", routing_key="order.eu")

    assert kinds(page.update()) == ["events"]


def test_one_wish_that_fails_does_not_take_the_others_along(broker: sandbox.Broker, page: Page) -> None:
    def fail() -> None:
        raise ValueError

    page.player._wants += fail, page.player._program
    broker.publish("x", exchange="orders", routing_key="order.eu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandbox.widgets.player.log.exception", lambda *_: None)
        told = page.update()

    assert kinds(told) == ["events", "program"]


def test_one_player_serves_all_views(broker: sandbox.Broker) -> None:
    graph, depths, dashboard = broker.graph(), broker.depths(), broker.dashboard()

    assert graph.player == depths.player == broker._player.name
    assert graph.player in {view.player for view in _views(dashboard)}


def _views(widget: Any) -> Iterator[Any]:
    if hasattr(widget, "parts"):
        yield widget
    for child in getattr(widget, "children", ()):
        yield from _views(child)


# ---------------------------------------------------------------- commands


def test_a_command_is_answered_after_its_events(broker: sandbox.Broker, page: Page) -> None:
    told = page.say(
        do="publish", args={"exchange": "orders", "routing_key": "order.eu", "body": '{"id": 1}'}, id=7
    )

    assert kinds(told) == ["events", "answer", "program"]
    assert told[1]["id"] == 7
    assert told[1]["ok"] is True
    assert told[2]["lines"] == [
        ["broker.publish({'id': 1}, exchange='orders', routing_key='order.eu')", None]
    ]
    assert broker.snapshot().queues["eu"].ready == 1


def test_the_whole_program_is_told_when_it_is_copied(page: Page) -> None:
    page.say(do="publish", args={"exchange": "orders", "routing_key": "order.eu", "body": "y" * 5000}, id=1)
    page.say(need=-1)
    told = page.say(copy="program", id=2)

    assert told[-1]["says"] == str(page.player.commands.program)
    assert "y" * 5000 in told[-1]["says"]
    (program,) = [message for message in page.say(need=-1) if message["kind"] == "program"]
    assert len(program["lines"][0][0]) < 400


def test_a_refusal_comes_in_the_brokers_words(broker: sandbox.Broker, page: Page) -> None:
    told = page.say(do="publish", args={"exchange": "ordres", "routing_key": "", "body": "x"}, id=1)
    answer = told[kinds(told).index("answer")]

    assert answer["ok"] is False
    assert answer["error"] == "NOT_FOUND - no exchange 'ordres' in vhost '/'"
    assert any("orders" in note for note in answer["notes"])
    assert broker.publish("x", exchange="orders", routing_key="order.eu").routed


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"do": "publish"},
        {"need": "x"},
        {"views": None},
        {"focus": 3},
        {"who": {"exchange": 1}, "id": 1},
        {"do": ["x"], "args": 3, "id": None},
        {"do": "__init__", "args": {}, "id": 2},
        {"past": "yes"},
    ],
)
def test_what_no_page_would_say_does_nothing(
    broker: sandbox.Broker, page: Page, message: dict[str, Any]
) -> None:
    before = broker.snapshot()
    page.say(**message)

    assert broker.snapshot() == before


def test_who_would_get_a_key_is_asked_without_effect(broker: sandbox.Broker, page: Page) -> None:
    before = broker.snapshot()
    (answer,) = page.say(who={"exchange": "orders", "routing_key": "order.eu.new"}, id=3)
    (nobody,) = page.say(who={"exchange": "orders", "routing_key": "parcel"}, id=4)

    assert answer["says"] == "eu, by order.eu.#"
    assert nobody["says"] == "nobody: it would be lost"
    assert broker.snapshot() == before


def test_commands_may_come_on_any_thread_while_others_publish(broker: sandbox.Broker, page: Page) -> None:
    def press() -> None:
        for number in range(20):
            page.player._hear(None, {"do": "publish", "args": args, "id": number}, None)

    def publish() -> None:
        for _ in range(20):
            broker.publish("x", exchange="orders", routing_key="order.eu")

    args = {"exchange": "orders", "routing_key": "order.eu", "body": "x"}
    threads = [threading.Thread(target=work) for work in (press, press, publish, publish)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = page.take() + page.update()

    assert broker.ledger.published == 80
    assert sum(message["kind"] == "answer" for message in told) == 40
    serials = [row[0] for message in told for row in message.get("events", ())]
    assert serials == list(range(serials[0], broker.history.last + 1))


def test_the_forms_hear_when_nothing_can_be_done(broker: sandbox.Broker, page: Page) -> None:
    heard: list[str | None] = []
    page.update()
    page.player.listeners.append(lambda: heard.append(page.player.why_off))
    page.say(views=1, page="a", narrow=False, past=True)
    page.say(views=1, page="a", narrow=False, past=False)
    broker.close()
    page.update()

    assert heard == [
        "You look at the past: go back to live to do something.",
        None,
        "This broker is closed.",
    ]


# ---------------------------------------------------------------- where there is no widget


def test_every_view_has_a_picture_beside_it(broker: sandbox.Broker) -> None:
    broker.publish("x", exchange="orders", routing_key="order.eu")
    for view in (broker.graph(), broker.depths(), broker.dashboard()):
        bundle = view._repr_mimebundle_()
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        assert "application/vnd.jupyter.widget-view+json" in data
        assert data["text/html"].startswith('<img alt="')
        assert "eu" in data["text/plain"]
        assert "1 ready" in data["text/plain"]


@pytest.mark.parametrize("scale", [0, -1, 100, float("nan"), float("inf")])
def test_a_scale_that_nobody_can_read_is_refused(broker: sandbox.Broker, scale: float) -> None:
    with pytest.raises(ValueError, match="scale is from"):
        broker.graph(scale=scale)


def test_a_closed_broker_has_no_alarm() -> None:
    broker = sandbox.Broker()
    broker.queue("q", message_ttl=3600)
    page = Page(broker)
    broker.publish("x", routing_key="q")
    page.player._throttle.now()
    assert 3599 < page.timers.armed[-1].seconds <= 3600
    broker.close()
    page.player._throttle.now()

    assert [timer for timer in page.timers.armed if timer.seconds > 1] == []
