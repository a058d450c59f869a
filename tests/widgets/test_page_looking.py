"""Whoever looks closer, by mouse, by keyboard or by ear, finds what is there and changes nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.widgets.page import FRAME, HOP, FrontEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from sandbox import Broker

    Open = Callable[[Broker], FrontEnd]

PARTS = ("clock", "graph", "ledger", "band", "depth", "inspector", "log")


def keep(*_: object) -> None:
    """What consumers do here: hold it."""


@pytest.fixture
def shop(still: Broker) -> Broker:
    """Two exchanges, three queues, a consumer who holds a message, a dead letter, a lost message."""
    still.exchange("graveyard", "fanout")
    still.queue("dead", exchange="graveyard")
    still.exchange("orders", "topic")
    still.queue("eu", exchange="orders", routing_key="eu.#", message_ttl=60, dead_letter_exchange="graveyard")
    still.queue("all", exchange="orders", routing_key="#", max_length=5)
    still.publish({"id": 1}, "orders", "eu.new", headers={"size": 3})
    still.publish("second", "orders", "us.new")
    held = still.get("eu")
    assert held is not None
    held.reject()
    still.consumption = still.consume("all", keep, prefetch_count=1)  # type: ignore[attr-defined]
    still.publish("third", "", "nowhere")
    return still


def inspector(page: FrontEnd, node: str) -> Locator:
    """The inspector, after a click on a node."""
    page.root.locator(f'[data-node="{node}"]').first.click()
    page.play()
    return page.root.locator(".sandbox-inspector")


# ---------------------------------------------------------------- ledger and log


def test_a_term_of_the_ledger_filters_the_log_and_lights_copies(front: Open, shop: Broker) -> None:
    """Each number is a button; pressed, only its events are listed, and its copies are lit; again: all."""
    page = front(shop)
    page.show(*PARTS)
    everything = page.root.locator(".sandbox-log li").count()
    term = page.root.locator("[data-term=dead_lettered]")
    assert term.inner_text() == "1 dead-lettered"

    term.click()
    page.play()
    expect(term).to_have_attribute("aria-pressed", "true")
    (line,) = page.root.locator(".sandbox-log li").all_inner_texts()
    assert "message 1 died in eu: rejected" in line
    lit = page.root.locator(".sandbox-graph .sandbox-lit")
    assert {mark.get_attribute("data-message") for mark in lit.all()} == {"1"}

    page.root.get_by_role("button", name="only: dead-lettered (show all)").click()
    page.play()
    assert page.root.locator(".sandbox-log li").count() == everything
    expect(lit).to_have_count(0)

    page.root.get_by_label("Filter the log").fill("2")
    page.play()
    assert all("message 2" in line for line in page.root.locator(".sandbox-log li").all_inner_texts())


def test_every_term_is_a_door_of_the_log(front: Open, shop: Broker) -> None:
    """A term with a number has as many events in the log, or at least one."""
    page = front(shop)
    page.show(*PARTS)
    for term in page.root.locator("[data-term]").all():
        term.click()
        page.play()
        assert page.root.locator(".sandbox-log li").count() >= 1, term.inner_text()


# ---------------------------------------------------------------- the inspector


def test_a_queue_is_inspected(front: Open, shop: Broker) -> None:
    """Its options, and all copies head first, each with key, age and who holds it."""
    page = front(shop)
    page.show(*PARTS)
    shop.advance(2.5)
    page.settle()
    text = inspector(page, "queue:all")
    assert text.locator("h4").inner_text() == "Queue all"
    assert "1 ready, 1 unacked" in text.inner_text()
    assert "limit" in text.inner_text()
    rows = [row.inner_text().split("\t") for row in text.locator("tbody tr").all()]
    assert rows == [["1", "eu.new", "2.5 s", "", "", "consumer-1"], ["2", "us.new", "2.5 s", "", "", ""]]
    assert page.root.locator(".sandbox-graph .sandbox-selected").get_attribute("data-node") == "queue:all"
    dimmed = page.root.locator(".sandbox-graph [data-node].sandbox-dim")
    assert {node.get_attribute("data-node") for node in dimmed.all()} == {
        "exchange:",
        "exchange:graveyard",
        "queue:dead",
        "queue:eu",
    }, "what is neither up nor downstream is dimmed"


def test_an_exchange_says_who_would_get_a_key_and_publishes_nothing(front: Open, shop: Broker) -> None:
    """The answer names queues and bindings; the broker is the same as before."""
    page = front(shop)
    page.show(*PARTS)
    before = shop.snapshot()
    text = inspector(page, "exchange:orders")
    rows = [row.inner_text().split("\t") for row in text.locator("tbody tr").all()]
    assert rows == [["eu.#", "eu", "1"], ["#", "all", "2"]]

    field = text.get_by_label("Routing key to try")
    field.fill("eu.old")
    field.press("Enter")
    page.play()
    expect(text.get_by_role("status")).to_have_text("eu, by eu.#; all, by #")
    assert shop.snapshot() == before
    expect(field).to_have_value("eu.old")
    expect(field).to_be_focused()
    field.press("Home")
    field.press("ArrowRight")
    shop.publish("more", "orders", "eu.new")
    page.settle()
    assert text.locator("tbody tr").first.inner_text().split("\t")[-1] == "2"
    expect(field).to_be_focused()
    assert field.evaluate("field => field.selectionStart") == 1

    text = inspector(page, "exchange:graveyard")
    text.get_by_label("Routing key to try").press("Enter")
    page.play()
    expect(text.get_by_role("status")).to_have_text("dead, by its binding")


def test_what_code_made_is_not_handled_here(front: Open, shop: Broker) -> None:
    """A consumer, a channel: what they hold, and who must acknowledge it."""
    page = front(shop)
    page.show(*PARTS)
    consumer = next(node for node in page.nodes if node.startswith("consumer:"))
    text = inspector(page, consumer)
    assert text.locator("h4").inner_text() == "Consumer consumer-1"
    assert "full (1 of 1)" in text.inner_text()
    assert "This consumer belongs to code" in text.inner_text()
    assert text.locator("tbody tr").all_inner_texts()[0].split("\t")[:2] == ["1", "1"]
    text = inspector(page, f"channel:{consumer.split(':')[1]}")
    assert text.locator("h4").inner_text().startswith("Channel ")
    assert "It is closed by the code that opened it." in text.inner_text()


def test_what_was_made_by_hand_is_handled_here(front: Open, still: Broker) -> None:
    """Get, then ack: each press is a command, its answer stands in the status line."""
    still.queue("work")
    still.publish("a", routing_key="work")
    page = front(still)
    page.show(*PARTS, "status", "program")
    text = inspector(page, "queue:work")
    text.get_by_role("button", name="Get", exact=True).click()
    page.settle()
    assert page.root.locator(".sandbox-status").inner_text() == (
        "fetched the head of work, in the program message_1"
    )
    hand = next(node for node in page.nodes if node.startswith("hand:"))
    text = inspector(page, hand)
    text.get_by_role("button", name="Ack").click()
    page.settle()
    assert page.ledger[1] == "1 copy = 1 done"
    assert page.root.locator(".sandbox-program code").all_inner_texts() == [
        "message_1 = broker.get('work')",
        "message_1.ack()",
    ]


def test_an_exchange_that_looks_at_headers_has_no_key_to_try(front: Open, still: Broker) -> None:
    """It says so instead; the values that it compares are only characters."""
    still.exchange("by-header", "headers")
    still.queue("work")
    still.bind("work", "by-header", arguments={"size": "\u202e3"})
    page = front(still)
    page.show("graph", "inspector")
    text = inspector(page, "exchange:by-header")
    expect(text.get_by_label("Routing key to try")).to_have_count(0)
    expect(text).to_contain_text("It looks at headers, not at a key.")
    expect(text.locator("tbody td").first).to_have_text("all: size=\\u202e3")


def test_a_name_that_is_cut_can_be_read(front: Open, still: Broker) -> None:
    """By a pointer that rests on it, and as long as the keyboard is there."""
    name = "a-queue-with-a-name-" + "x" * 40 + "\u202e"
    still.queue(name)
    still.queue("short")
    page = front(still)
    page.show("graph")
    titles = page.root.locator(".sandbox-graph svg [data-node] > title")
    assert titles.all_text_contents() == [name.replace("\u202e", "\\u202e")]
    full = page.root.locator(".sandbox-full")
    for here, press in ((False, "Tab"), (True, "ArrowUp"), (False, "ArrowDown")):
        if press == "Tab":
            page.focus("queue:short")
        else:
            page.press(press)
        page.play()
        assert full.is_visible() is here
    page.press("ArrowUp")
    expect(full).to_have_text(titles.first.text_content() or "")
    page.ask("player => player.seek(0)")
    page.play()
    expect(full).to_be_hidden()


def test_the_ledger_leads_to_the_form(front: Open, still: Broker) -> None:
    """Only where there is one; it may be behind another tab, and may have come later than the ledger."""
    still.exchange("orders")
    still.queue("work", exchange="orders", routing_key="new")
    page = front(still)
    page.show("ledger")
    lead = page.root.get_by_role("button", name="publish something")
    assert lead.count() == 0
    page.page.evaluate(FORM)
    lead.click()
    page.play()
    assert page.page.evaluate("document.activeElement.id") == "body"


#: A dashboard whose forms come late; its tab is pressed as Lumino lets it, at a place.
FORM = """
() => {
  const root = document.getElementById("root");
  root.classList.add("sandbox-dashboard");
  const region = root.appendChild(document.createElement("div"));
  const [tab, form] = [0, 1].map(() => region.appendChild(document.createElement("div")));
  const field = form.appendChild(document.createElement("input"));
  region.className = "sandbox-region-forms";
  form.className = "sandbox-publish-form";
  form.hidden = true;
  tab.className = "lm-TabBar-tab";
  tab.textContent = "Publish";
  field.id = "body";
  tab.addEventListener("pointerdown", ({clientX: x, clientY: y}) => {
    if (document.elementsFromPoint(x, y).includes(tab)) form.hidden = false;
  });
}
"""


def test_a_press_without_a_kernel_is_answered(front: Open, still: Broker) -> None:
    """Nobody could hear it: that is said where all answers are."""
    page = front(still)
    page.show("status")
    page.ask(PRESS)
    page.play()
    expect(page.root.locator(".sandbox-status")).to_have_text("The broker or its kernel is gone.")
    assert page.ask("player => player.alive") is False


#: A form of which the kernel has gone.
PRESS = """
async player => {
  const {Presses} = await import("/presses.js");
  const region = document.body.appendChild(document.createElement("div"));
  const [root, button] = ["div", "button"].map(name => region.appendChild(document.createElement(name)));
  region.className = "sandbox-region-forms";
  button.className = "sandbox-press-1";
  new Presses(root, player, {
    widget_manager: {get_model: async () => ({get: () => ""})},
    get: () => [{fields: [["2", "value"]], buttons: ["1"]}],
    send: () => { throw new Error("no kernel"); },
  });
  button.click();
}
"""


def test_a_message_has_a_life_line(front: Open, shop: Broker) -> None:
    """Its header, its body, and each step with its reason; a click puts the playhead there."""
    page = front(shop)
    page.show(*PARTS)
    page.root.locator('.sandbox-graph [data-message="1"]').first.click()
    page.play()
    text = page.root.locator(".sandbox-inspector")
    assert text.locator("h4").inner_text() == "Message 1"
    facts = dict(zip(text.locator("dt").all_inner_texts(), text.locator("dd").all_inner_texts(), strict=True))
    assert (facts["routing key"], facts["header size"]) == ("eu.new", "3")
    assert text.locator("pre").inner_text() == '{"id": 1}'
    life = text.locator(".sandbox-life li").all_inner_texts()
    assert "you published message 1 to orders" in life[0]
    assert any("died in eu: rejected" in step for step in life)
    lit = {mark.get_attribute("data-message") for mark in page.root.locator(".sandbox-lit").all()}
    assert lit == {"1"}

    text.locator(".sandbox-life li button").first.click()
    page.play()
    assert page.serial == shop.history.filter(kind="published", message=1)[0].serial
    expect(text.locator(".sandbox-life [aria-current=step]")).to_have_count(1)


# ---------------------------------------------------------------- keyboard and ear


def test_one_tab_stop_and_arrows_along_the_messages(front: Open, shop: Broker) -> None:
    """Right and Left go downstream and upstream, Down and Up to siblings, Enter inspects, Escape clears."""
    page = front(shop)
    page.show(*PARTS)
    stops = page.root.locator(".sandbox-graph [tabindex='0']")
    expect(stops).to_have_count(1)
    focused = "document.activeElement.dataset.node"
    page.focus("exchange:orders")
    expect(stops).to_have_count(1)
    for key, node in (
        ("ArrowRight", "queue:eu"),
        ("ArrowDown", "queue:all"),
        ("ArrowRight", "consumer:"),
        ("ArrowLeft", "queue:all"),
        ("ArrowUp", "queue:eu"),
        ("ArrowLeft", "exchange:orders"),
        ("ArrowLeft", "publisher:you"),
        ("ArrowLeft", "publisher:you"),
    ):
        page.press(key)
        assert page.page.evaluate(focused).startswith(node), key
        expect(stops).to_have_count(1)

    page.press("ArrowRight", "Enter")
    assert page.ask("player => player.selection").startswith("exchange:")
    expect(page.root.locator(".sandbox-inspector h4")).to_have_text(re.compile("Exchange .*"))
    page.press("Escape")
    assert page.ask("player => player.selection") is None

    page.press("?")
    dialog = page.root.get_by_role("dialog")
    expect(dialog).to_contain_text("freeze the picture, or follow")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    page.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.page.evaluate(focused).startswith("exchange:"), "the focus is where it was"
    page.press("?")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def test_keys_stay_in_the_picture(front: Open, shop: Broker) -> None:
    """The notebook around it hears none of them."""
    page = front(shop)
    page.show(*PARTS)
    page.page.evaluate(
        "() => { window.heard = []; document.addEventListener('keydown', e => heard.push(e.key)); }"
    )
    page.focus("queue:eu")
    page.press("ArrowDown", "a", "x", "Enter", ".")
    page.root.get_by_label("Filter the log").press("d")
    page.root.locator(".sandbox-slider").press("ArrowLeft")
    assert page.page.evaluate("heard") == []


def test_parts_have_names_to_be_heard(front: Open, shop: Broker) -> None:
    """A queue is told with its counts and rules, the playhead with its value."""
    page = front(shop)
    page.show(*PARTS)

    def label(node: str) -> str | None:
        return page.root.locator(f'[data-node="{node}"]').get_attribute("aria-label")

    assert label("queue:eu") == "Queue eu, 0 ready, 0 unacked, TTL 60 s, dead letters to graveyard"
    assert label("queue:all") == "Queue all, 1 ready, 1 unacked, limit 5"
    assert label("exchange:orders") == "Exchange orders, topic, got 2 messages"
    slider = page.root.locator(".sandbox-slider")
    last = str(shop.history.last)
    assert [slider.get_attribute(f"aria-value{name}") for name in ("min", "max", "now")] == ["0", last, last]


def test_one_summary_in_two_seconds(front: Open, shop: Broker) -> None:
    """What has happened meanwhile is told at once, and not again."""
    page = front(shop)
    page.show("graph")
    region = page.root.locator("[aria-live=polite]")
    for key in ("eu.a", "us.b", "us.c"):
        shop.publish("m", "orders", key)
    page.play(1500)
    expect(region).to_have_text("")
    page.play(3000)
    said = region.inner_text()
    assert "to all" in said
    page.page.evaluate(
        "() => { window.told = 0; new MutationObserver(all => { told += all.length; })"
        ".observe(document.querySelector('[aria-live=polite]'), {childList: true, subtree: true}); }"
    )
    page.play(6000)
    assert page.page.evaluate("told") == 0, "it is silent while nothing happens"
    for _ in range(6):
        shop.publish("m", "orders", "us.d")
        page.play(500)
    page.play(3000)
    assert 0 < page.page.evaluate("told") <= 4, "at most one every two seconds"


def test_reduced_motion(front: Open, shop: Broker) -> None:
    """No token travels: the lines thicken in the same order, then the counts change."""
    page = front(shop)
    page.page.emulate_media(reduced_motion="reduce")
    page.show(*PARTS)
    shop.publish("m", "orders", "eu.new")
    page.play(HOP // 2)
    thick = page.root.locator(".sandbox-tokens .sandbox-still")
    assert page.flying == []
    expect(thick).to_have_count(1)
    assert page.counts("eu") == "0 ready + 0 unacked"
    page.play(HOP)
    expect(thick).to_have_count(2)
    page.settle()
    expect(thick).to_have_count(0)
    assert page.counts("eu") == "1 ready + 0 unacked"


def test_without_motion_a_line_is_thick_long_enough(front: Open, shop: Broker) -> None:
    """Even if much is to be caught up with: a flicker would be seen by nobody."""
    page = front(shop)
    page.page.emulate_media(reduced_motion="reduce")
    page.show("graph")
    for _ in range(6):
        shop.publish("m", "orders", "us.new")
    page.play(10)
    assert page.ask("player => player.hurry")
    serial = page.serial
    page.play(HOP - 3 * FRAME)
    assert page.serial == serial
    page.play(5 * FRAME)
    assert page.serial > serial


def test_what_changes_all_the_time_is_not_spoken_all_the_time(front: Open, shop: Broker) -> None:
    """The rate of events is no status, nor is what comes next; where one is in the past is one."""
    page = front(shop)
    page.show("ledger", "band")
    page.ask("player => player.seek(3)")
    page.play()
    (status,) = page.root.get_by_role("status").all()
    assert status.inner_text().startswith("You look at event 3")
    assert "next" not in status.inner_text()


def test_slow_motion(front: Open, shop: Broker) -> None:
    """Each hop takes longer, and the button says so."""
    page = front(shop)
    page.show(*PARTS)
    page.root.get_by_role("button", name="Slow motion").click()
    shop.publish("m", "orders", "us.new")
    page.play(1000)
    assert page.ledger[0] == "3 published = 2 routed + 1 lost"
    page.play(400)
    assert page.ledger[0].endswith("+ 1 on its way")


def test_the_clock_is_moved_by_its_bar_alone(front: Open, still: Broker) -> None:
    """A step says what comes and when; play goes on until it is stopped; each is a line of the program."""
    still.queue("work", message_ttl=30)
    still.publish("a", routing_key="work")
    page = front(still)
    page.show(*PARTS)
    bar = page.root.get_by_role("toolbar", name="Clock")
    bar.get_by_role("button", name="+10 s").click()
    page.play()
    assert (page.clock, still.now) == ("10.0 s", 10)
    bar.get_by_label("seconds to advance").fill("2.5")
    bar.get_by_role("button", name="Advance", exact=True).click()
    page.play()
    assert (page.clock, still.now) == ("12.5 s", 12.5)
    ring = page.root.locator('[data-node="queue:work"] .sandbox-ring')
    assert ring.count() == 1

    tenfold = bar.get_by_role("button", name="Play at 10 times")
    tenfold.click()
    page.play()
    expect(tenfold).to_have_attribute("aria-pressed", "true")
    page.play(250)
    page.play(250)
    assert 12.5 < still.now < 30
    tenfold.click()
    page.play(500)
    now = still.now
    page.play(2000)
    assert still.now == now

    bar.get_by_role("button", name="Step: message 1 expires in work, 30.0 s").click()
    page.settle()
    assert (page.clock, page.ledger[1]) == ("30.0 s", "1 copy = 1 expired")
    expect(bar.get_by_role("button", name="Step: nothing is due")).to_be_disabled()
    assert "broker.step()" in str(page.player.commands.program)


def test_the_clock_is_not_played_behind_ones_back(front: Open, still: Broker) -> None:
    """Whoever looks at the past cannot stop it, so it stops by itself; it plays once, often pressed too."""
    still.queue("work")
    page = front(still)
    page.show(*PARTS)
    play = page.root.get_by_role("button", name="Play at 60 times")
    play.click()
    page.play(300)
    page.ask("player => player.seek(0)")
    page.play(600)
    expect(play).to_have_attribute("aria-pressed", "false")
    now = still.now
    assert now > 0
    page.play(2000)
    assert still.now == now

    page.ask("player => player.follow()")
    page.play()
    for _ in range(3):
        play.click()
    page.said.clear()
    page.play(300)
    assert len([said for said in page.said if said.get("do") == "advance"]) <= 2

    page.receive({"kind": "over"})
    page.said.clear()
    page.play(2000)
    assert page.said == []
    expect(play).to_have_attribute("aria-pressed", "false")


def test_no_time_is_no_command(front: Open, still: Broker) -> None:
    """An empty field, or one in which no number stands, advances by nothing and sends nothing."""
    page = front(still)
    page.show("clock")
    field = page.root.get_by_label("seconds to advance")
    for wrong in ("", "-1"):
        field.fill(wrong)
        page.said.clear()
        page.root.get_by_role("button", name="Advance", exact=True).click()
        page.play()
        assert page.said == []


def test_the_status_line_can_be_clicked(front: Open, still: Broker) -> None:
    """Nothing comes of it: an error on the page would fail this test."""
    page = front(still)
    page.show("status")
    page.ask("player => void player.command('get', {queue: 'nowhere'})")
    page.play()
    line = page.root.locator(".sandbox-status")
    said = line.inner_text()
    line.click()
    page.play()
    assert line.inner_text() == said


def test_real_time_has_no_buttons(front: Open, broker: Broker) -> None:
    """Only the time, and how to get a clock that is moved by hand; rings drain while one looks."""
    broker.queue("work", message_ttl=60)
    broker.publish("a", routing_key="work")
    page = front(broker)
    page.show(*PARTS)
    bar = page.root.get_by_role("toolbar", name="Clock")
    expect(bar.get_by_role("button")).to_have_count(0)
    expect(bar).to_contain_text("sandbox.Broker(clock=sandbox.ManualClock())")
    ring = page.root.locator('[data-node="queue:work"] .sandbox-ring')
    before = ring.get_attribute("d")
    page.page.clock.run_for(20_000)  # without a word from Python
    assert ring.get_attribute("d") != before
    assert float(page.clock.removesuffix(" s")) >= 20


@pytest.mark.parametrize("width", [420, 1100])
def test_the_same_as_rows(front: Open, shop: Broker, width: int) -> None:
    """Below 500 px by itself, else by a button: the same names and counts, to be selected as well."""
    page = front(shop)
    page.resize(width)
    page.show("graph", "inspector")
    if width > 500:
        page.root.get_by_role("button", name="Routing table").click()
        page.play()
    table = page.root.locator(".sandbox-table")
    expect(page.root.locator(".sandbox-graph")).to_be_hidden()
    rows = [row.inner_text().split("\t") for row in table.locator("tbody tr").all()]
    assert ["orders", "# (2)", "all", "1 + 1", "consumer-1"] in rows
    table.get_by_role("button", name="all").first.click()
    page.play()
    expect(page.root.locator(".sandbox-inspector h4")).to_have_text("Queue all")
