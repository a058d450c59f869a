"""The playhead goes anywhere in the history, and everything that is shown follows it; the broker does not."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from sandbox import Broker, ManualClock
from tests.widgets.page import HOP, FrontEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    Open = Callable[[Broker], FrontEnd]

PARTS = ("clock", "graph", "ledger", "band", "depth", "inspector", "log")


def keep(*_: object) -> None:
    """What consumers do here: hold it."""


def lesson(broker: Broker) -> Broker:
    """Two messages, one of them held, within ten seconds."""
    broker.queue("work", message_ttl=60)
    broker.publish("a", routing_key="work")
    broker.advance(10)
    broker.publish("b", routing_key="work")
    broker.get("work")
    return broker


def test_the_past_is_shown_as_it_was(front: Open, still: Broker) -> None:
    """Picture, ledger, inspector, band and slider are those of the event; the log shows where one is."""
    page = front(lesson(still))
    page.show(*PARTS)
    last = still.history.last
    page.ask("player => player.select('queue:work')")
    page.play()
    inspector = page.root.locator(".sandbox-inspector")
    assert page.signs("queue:work") == ["hollow 1", "token_alive 2"]
    assert "1 ready, 1 unacked" in inspector.inner_text()
    assert page.band == ""

    routed = still.history.filter(kind="routed")[0].serial
    page.ask("(player, serial) => player.seek(serial)", routed)
    page.play()

    assert page.signs("queue:work") == ["token_alive 1"]
    assert page.counts("work") == "1 ready + 0 unacked"
    assert page.ledger == ["1 published = 1 routed", "1 copy = 1 ready"]
    assert "1 ready, 0 unacked" in inspector.inner_text()
    assert "get" not in " ".join(page.nodes)
    assert page.band.startswith(f"You look at event {routed} (0.0 s). The broker is at event {last}.")
    assert "next: you published message 2" in page.band
    assert page.playhead == f"event {routed} of {last}, 0.0 s"
    assert page.root.locator(".sandbox-log [aria-current=step]").inner_text().startswith(f"{routed} ")
    assert page.clock == "10.0 s", "the playhead moves the eye, not the broker"

    page.root.get_by_role("button", name="Back to live").click()
    page.play()
    assert page.band == ""
    assert page.signs("queue:work") == ["hollow 1", "token_alive 2"]


def test_the_log_leads_to_each_event(front: Open, still: Broker) -> None:
    """A click on a line puts the playhead after its event."""
    page = front(lesson(still))
    page.show(*PARTS)
    page.root.locator(".sandbox-log li button").filter(has_text="published message 2").click()
    page.play()
    published = still.history.filter(kind="published", message=2)[0].serial
    assert page.serial == published
    assert page.ledger[0] == "2 published = 1 routed + 1 on its way"


def test_the_log_shows_where_the_playhead_is(front: Open, still: Broker) -> None:
    """Of a long log the line that one looks at is seen, and the page itself does not move."""
    still.queue("work")
    for number in range(40):
        still.publish(number, routing_key="work")
    page = front(still)
    page.show("log", "depth")
    here, log = page.root.locator(".sandbox-log [aria-current]"), page.root.locator(".sandbox-log ol")
    for serial in (3, 50, 30, 4):
        page.ask("(player, serial) => player.seek(serial)", serial)
        page.play()
        line, frame = here.bounding_box(), log.bounding_box()
        assert line is not None
        assert frame is not None
        assert frame["y"] - 1 <= line["y"] <= frame["y"] + frame["height"] - line["height"] + 1
    assert page.page.evaluate("scrollY") == 0


def test_python_is_told_of_the_past_once_and_of_the_present(front: Open, still: Broker) -> None:
    """Forms are off as long as one looks back."""
    page = front(lesson(still))
    page.show(*PARTS)
    page.said.clear()
    for serial in (3, 2):
        page.ask("(player, serial) => player.seek(serial)", serial)
        page.play()
    assert [message["past"] for message in page.said] == [True]
    reason = page.player.why_off
    assert reason == "You look at the past: go back to live to do something."
    for name in ("+10 s", "Advance", "Run until idle"):
        expect(page.root.get_by_role("button", name=name)).to_be_disabled()

    page.ask("player => player.follow()")
    page.play()
    assert [message["past"] for message in page.said] == [True, False]
    assert page.player.why_off is None
    expect(page.root.get_by_role("button", name="Advance")).to_be_enabled()


def test_the_inspector_says_why_nothing_can_be_pressed(front: Open, still: Broker) -> None:
    """In the past its buttons are off, and a line says what helps."""
    page = front(lesson(still))
    page.show("inspector")
    page.ask("player => player.select('queue:work')")
    inspector = page.root.locator(".sandbox-inspector")
    reason = "You look at the past: go back to live to do something."
    for in_the_past in (False, True, False):
        page.ask("(player, past) => past ? player.seek(player.last - 1) : player.follow()", in_the_past)
        page.play()
        assert (reason in inspector.inner_text()) is in_the_past
        purge = inspector.get_by_role("button", name="Purge")
        assert purge.get_attribute("title") == (reason if in_the_past else None)
        assert purge.is_disabled() is in_the_past


def test_keys_move_the_playhead(front: Open, still: Broker) -> None:
    """Comma and full stop go by one event, Page keys by ten, Home and End to the ends, Space freezes."""
    page = front(lesson(still))
    page.show(*PARTS)
    last = still.history.last
    page.focus("queue:work")

    page.press(",", ",")
    assert page.serial == last - 2
    page.press(".")
    page.finish()
    assert page.serial == last - 1
    page.press("Home")
    assert (page.serial, page.nodes) == (0, [])
    page.root.locator(".sandbox-slider").focus()
    page.press("PageDown")
    assert page.serial == min(10, last)
    page.press("PageUp")
    assert page.serial == 0, "as in the graph"
    page.press("ArrowRight")
    page.finish()
    assert page.serial == 1
    page.press("End")
    assert page.serial == last
    assert page.band == ""

    page.focus("queue:work")
    page.press("Space")
    assert "The picture is frozen." in page.band
    still.publish("c", routing_key="work")
    page.play(4 * HOP)
    assert page.serial == last
    assert f"You look at event {last}" in page.band
    assert f"The broker is at event {still.history.last}" in page.band
    page.press("Space")
    assert page.serial == still.history.last


def test_a_step_shows_its_token(front: Open, still: Broker) -> None:
    """One event forward is seen to travel, and counts when it lands."""
    page = front(lesson(still))
    page.show(*PARTS)
    routed = still.history.filter(kind="routed")[1].serial
    page.ask("(player, serial) => player.seek(serial)", routed - 1)
    page.play()
    page.root.get_by_role("button", name="Next event").click()
    page.play(HOP // 2)
    assert [token.number for token in page.flying] == ["2"]
    assert page.counts("work") == "1 ready + 0 unacked"
    page.play(HOP)
    assert page.flying == []
    assert page.counts("work") == "2 ready + 0 unacked"
    page.root.get_by_role("button", name="Previous event").click()
    page.play()
    assert page.counts("work") == "1 ready + 0 unacked"


def test_the_playhead_is_dragged_through_the_strips(front: Open, still: Broker) -> None:
    """To the left end for the beginning, to the right end for live; in between for what was then."""
    page = front(lesson(still))
    page.show(*PARTS)
    stack = page.root.locator(".sandbox-stack svg")
    stack.scroll_into_view_if_needed()
    box = stack.bounding_box()
    assert box is not None
    mouse = page.page.mouse

    mouse.move(box["x"] + box["width"] - 12, box["y"] + 30)
    mouse.down()
    mouse.move(box["x"] + box["width"] / 2, box["y"] + 30, steps=4)
    page.play()
    middle = page.serial
    assert 0 < middle < still.history.last
    assert page.playhead.startswith(f"event {middle} of {still.history.last}, ")
    mouse.move(box["x"] + 4, box["y"] + 30, steps=4)
    page.play()
    assert page.serial == 0
    mouse.move(box["x"] + box["width"] + 40, box["y"] + 30, steps=4)
    mouse.up()
    page.play()
    assert page.serial == still.history.last
    assert page.band == ""
    mouse.move(box["x"] + 10, box["y"] + 30)
    page.play()
    assert page.serial == still.history.last, "only a pressed pointer drags"


def test_several_views_share_the_playhead(front: Open, still: Broker) -> None:
    """What one view does, all show; a later one shows the same; a hidden one is missed by none."""
    page = front(lesson(still))
    first, second = page.show("graph", "band"), page.show("depth", "band")
    page.focus("queue:work")
    page.press(",")
    for view in (first, second):
        assert view.locator(".sandbox-band").inner_text().startswith("You look at event")
    late = page.show("graph", "ledger", "band")
    assert late.locator(".sandbox-band").inner_text().startswith("You look at event")
    assert late.locator("[data-node]").count() == first.locator("[data-node]").count() > 0
    assert late.locator(".sandbox-sum").count() == 2

    page.hide(first)
    expect(first.locator("*")).to_have_count(0)
    page.ask("player => player.follow()")
    page.play()
    for view in (second, late):
        expect(view.locator(".sandbox-band")).to_be_hidden()


def test_a_hidden_view_leaves_nothing(front: Open, still: Broker) -> None:
    """No element, no listener, no timer: the page is as it was before, and Python sleeps."""
    page = front(lesson(still))
    page.page.evaluate(COUNT_LISTENERS)
    view = page.show(*PARTS, "program", "status")
    page.settle()
    follows = page.player._unsubscribe is not None
    assert follows
    view.locator("button", has_text="10x").click()
    page.play(600)

    page.hide(view)
    page.play(3000)

    listeners = "player => [...player.listeners.values()].reduce((sum, found) => sum + found.size, 0)"
    assert page.ask(listeners) == 0
    assert page.ask("player => [player.lookers.views, player.lookers.narrow]") == [0, 0]
    assert page.page.evaluate("listening()") == 0
    assert page.player._unsubscribe is None
    now = still.now
    page.play(3000)
    assert still.now == now, "nobody plays the clock any more"
    assert page.page.evaluate("timers()") == 0


#: Notes who listens to the window and the document, and which timers run.
COUNT_LISTENERS = """
() => {
  let listeners = 0;
  for (const target of [window, document]) {
    const {addEventListener: add, removeEventListener: remove} = target;
    target.addEventListener = (...given) => {
      listeners += 1;
      given[2]?.signal?.addEventListener("abort", () => { listeners -= 1; });
      add.apply(target, given);
    };
    target.removeEventListener = (...given) => { listeners -= 1; remove.apply(target, given); };
  }
  window.listening = () => listeners;
  const running = new Set();
  for (const [begin, end] of [["setTimeout", "clearTimeout"], ["setInterval", "clearInterval"]]) {
    const [start, stop] = [window[begin], window[end]];
    window[begin] = (call, ...given) => {
      const id = start(() => {
        if (begin === "setTimeout") running.delete(id);
        call();
      }, ...given);
      running.add(id);
      return id;
    };
    window[end] = id => { running.delete(id); stop(id); };
  }
  window.timers = () => running.size;
}
"""


# ---------------------------------------------------------------- the edges of what is known


def test_forgotten_events_are_named(front: Open, still: Broker) -> None:
    """Before the first remembered event nothing can be shown, and that is said where one looks for it."""
    still.history.most_events = 60
    still.queue("work")
    for number in range(60):
        still.publish(number, routing_key="work")
    page = front(still)
    page.show(*PARTS)
    first = still.history.first
    assert first > 1
    assert page.root.locator(".sandbox-strips p").inner_text() == f"events before {first} are forgotten"
    assert page.root.locator(".sandbox-log li").first.inner_text() == f"events before {first} are forgotten"
    page.focus("queue:work")
    page.press("Home")
    assert page.serial == first - 1
    assert "+" in page.counts("work")
    page.press(",")
    assert page.serial == first - 1
    expect(page.root.get_by_role("button", name="Previous event")).to_be_disabled()


def test_a_past_beyond_the_window_is_fetched(
    front: Open, still: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page begins with the last events; earlier ones come when the playhead goes there."""
    monkeypatch.setattr("sandbox.widgets.feed.WINDOW", 10)
    still.queue("work")
    for number in range(12):
        still.publish(number, routing_key="work")
    page = front(still)
    page.show(*PARTS)
    routed = still.history.filter(kind="routed")[2].serial
    page.ask("(player, serial) => player.seek(serial)", routed)
    page.play()
    assert page.serial == routed
    assert page.signs("queue:work") == ["token_alive 1", "token_alive 2", "token_alive 3"]
    page.focus("queue:work")
    page.press("End")
    assert page.counts("work") == "12 ready + 0 unacked"


@pytest.mark.parametrize("end", ["close", "collect", "over", "comm:close", "destroy"])
def test_the_end_is_said_and_the_picture_stays(front: Open, end: str) -> None:
    """Closed or gone: one sentence, the picture as it was, and nothing can be pressed."""
    broker = lesson(Broker(clock=ManualClock()))
    page = front(broker)
    page.show(*PARTS, "status")
    page.ask("player => player.select('queue:work')")
    page.play()
    if end == "close":
        broker.close()
    elif end == "collect":
        del broker, page.broker
        gc.collect()
    elif end == "over":
        page.receive({"kind": "over"})
    else:
        page.tell(end)
    page.play()
    gone = "This broker is closed: the picture stays as it was."
    assert page.band.startswith(gone if end == "close" else "The broker or its kernel is gone")
    assert page.node("queue:work") is not None
    for button in page.root.locator(
        ".sandbox-clock button, .sandbox-inspector .sandbox-buttons button"
    ).all():
        expect(button).to_be_disabled()
    page.settle()
    serial = page.serial
    page.focus("queue:work")
    page.press(",")
    assert page.serial == serial - 1, "one may still look back"


def test_all_queues_is_offered_where_it_does_something(front: Open, still: Broker) -> None:
    """If there are more than are drawn, and room for them."""
    for number in range(7):
        still.queue(f"work-{number}")
    page = front(still)
    page.show("depth")
    every = page.root.get_by_role("button", name="all queues")
    names = page.root.locator(".sandbox-strips svg text[font-weight='700']")
    assert names.count() == 6
    every.click()
    page.play()
    assert names.count() == 7
    page.resize(600)
    assert names.count() == 1
    expect(every).to_be_hidden()
    page.resize(1100)
    expect(every).to_be_visible()
    still.delete("work-6")
    page.settle()
    assert names.count() == 6
    expect(every).to_be_hidden()
