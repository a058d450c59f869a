"""The live view holds: under any load, after any history, and whatever strangers call their things."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import kombu
import pytest
from playwright.sync_api import expect

from sandbox import Broker, ManualClock
from sandbox.texts import shown
from tests.widgets.page import FRAME, HOP, FrontEnd
from tests.widgets.wild import Wild

if TYPE_CHECKING:
    from collections.abc import Callable

    Open = Callable[[Broker], FrontEnd]

PARTS = ("clock", "graph", "ledger", "band", "depth", "inspector", "log")

# ---------------------------------------------------------------- nothing vanishes

#: Follows the player's events one by one with a state of its own, and notes where a line does not balance.
FOLLOW = """
async player => {
  const {State} = await import("/state.js");
  const messages = ["routed", "returned", "lost", "on_its_way"];
  const copies = ["ready", "unacked", "done", "dead_lettered", "expired", "dropped", "refused", "removed"];
  const sum = (ledger, names) => names.reduce((total, name) => total + ledger[name], 0);
  let state = window.followed ?? State.from(player.window.checkpoints[0].toJSON());
  const wrong = [];
  for (let row = player.window.row(state.serial + 1); row; row = player.window.row(state.serial + 1)) {
    state.apply(row);
    const {ledger} = state;
    const queues = [...state.queues.values()];
    const places = ["ready", "unacked"].map(place => queues.reduce((all, queue) => all + queue[place], 0));
    if (ledger.published !== sum(ledger, messages) || ledger.copies !== sum(ledger, copies)) wrong.push(row);
    if (ledger.ready !== places[0] || ledger.unacked !== places[1]) wrong.push(row);
  }
  window.followed = state;
  return [state.serial, wrong];
}
"""


def test_both_lines_balance_after_each_of_ten_thousand_steps(
    front: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every event in the page's own state, and at every stop in what is to be read there."""
    monkeypatch.setattr("sandbox.widgets.feed.MOST_EVENTS", 10**6)
    monkeypatch.setattr("sandbox.widgets.feed.MOST_LAYOUTS", 1)
    wild = Wild(20)
    broker = Broker(clock=ManualClock())
    broker._engine = wild.engine
    page = front(broker)
    page.show("ledger")
    steps = 0
    while steps < 10_000:
        wild.run(400)
        steps += 400
        page.pump()
        serial, wrong = page.ask(FOLLOW)
        assert (serial, wrong) == (wild.history.last, [])
        page.ask("player => player.follow()")
        page.play()
        assert " · ".join(page.ledger) == str(broker.ledger)
        for line in page.ledger:
            total, *terms = map(int, re.findall(r"\d+", line))
            assert total == sum(terms)


# ---------------------------------------------------------------- more than can be seen


def flows(page: FrontEnd) -> str:
    """What is said below the ledger."""
    return page.root.locator(".sandbox-note").first.inner_text()


def test_too_much_at_once_is_shown_as_numbers(front: Open, still: Broker) -> None:
    """Flow view: exact numbers, bars for lanes, rates on lines; and tokens again when it is calm."""
    still.exchange("orders", "topic")
    still.queue("work", exchange="orders", routing_key="#")
    page = front(still)
    page.show(*PARTS)
    for number in range(200):
        still.publish(number, "orders", "new")
    page.play()
    for number in range(200):
        still.publish(number, "orders", "new")
    page.play(500)

    assert re.fullmatch(r"flow view: [\d,]+ events a second, numbers exact, tokens not drawn", flows(page))
    assert page.flying == []
    assert page.signs("queue:work") == []
    node = page.node("queue:work")
    assert node is not None
    assert node.words == ["work", "400 ready + 0 unacked", "400"]
    assert page.ledger == ["400 published = 400 routed", "400 copies = 400 ready"]
    rates = [
        text for text in page.root.locator(".sandbox-edges text").all_text_contents() if text.endswith("/s")
    ]
    assert len(rates) == 1

    page.play(5000)
    assert flows(page) == ""
    assert page.signs("queue:work")[0] == "token_alive 1"
    assert page.counts("work") == "400 ready + 0 unacked"
    still.publish("one more", "orders", "new")
    page.play(HOP // 2)
    assert len(page.flying) == 1


def test_a_thousand_messages_a_second(front: Open, still: Broker) -> None:
    """Within two seconds there is the flow view; after it the broker's own numbers, and tokens again."""
    still.queue("work")
    page = front(still)
    page.show("graph", "ledger", "depth")
    for update in range(24):
        for number in range(84):
            still.publish((update, number), routing_key="work")
        page.play(1000 // 12)
        assert len(page.flying) <= 60
    assert flows(page).startswith("flow view: ")
    assert page.counts("work") == "2,016 ready + 0 unacked"
    page.play(5000)
    assert flows(page) == ""
    assert page.ask("player => player.shown.ledger") == broker_ledger(still)
    assert page.signs("queue:work")[0] == "token_alive 1"


def broker_ledger(broker: Broker) -> Any:
    return broker.ledger._asdict()


def test_what_lies_a_little_behind_is_hurried_after(front: Open, still: Broker) -> None:
    """More than a second and a half of playing goes four times as fast, token by token."""
    still.queue("work")
    page = front(still)
    page.show("graph", "ledger")
    for number in range(8):
        still.publish(number, routing_key="work")
    page.play(8 * 2 * HOP // 4 + 10 * FRAME)
    assert flows(page) == ""
    assert page.counts("work") == "8 ready + 0 unacked" or page.serial > still.history.last - 6


def test_a_frozen_picture_stays_while_much_happens(front: Open, still: Broker) -> None:
    """Nothing moves until one follows again; meanwhile the past can be looked at."""
    still.queue("work")
    still.publish("a", routing_key="work")
    page = front(still)
    page.show(*PARTS)
    page.root.get_by_role("button", name="Freeze picture").click()
    page.play()
    serial = page.serial
    for number in range(400):
        still.publish(number, routing_key="work")
    page.play(2000)
    assert page.serial == serial
    assert page.counts("work") == "1 ready + 0 unacked"
    assert f"The broker is at event {still.history.last}." in page.band
    page.focus("queue:work")
    page.press(",")
    page.play()
    assert page.serial == serial - 1
    page.press("PageDown")
    page.play()
    assert page.serial == serial + 9
    page.press("End")
    page.play(6000)
    assert page.counts("work") == "401 ready + 0 unacked"
    assert page.band == ""


def test_a_page_that_missed_something_asks_again(front: Open, still: Broker) -> None:
    """A lost update leaves no gap."""
    still.queue("work")
    page = front(still)
    page.show(*PARTS)
    still.publish("a", routing_key="work")
    page.player._throttle.now()
    page._line.sent.clear()
    still.publish("b", routing_key="work")
    page.settle()
    assert {"need": -1} in page.said
    assert page.counts("work") == "2 ready + 0 unacked"
    assert page.signs("queue:work") == ["token_alive 1", "token_alive 2"]


def test_nothing_is_found_twice(front: Open, still: Broker) -> None:
    """What a term of the ledger counts is looked for once, and missing copies once a frame."""
    still.queue("work")
    still.publish("a", routing_key="work")
    page = front(still)
    page.show("graph", "log")
    chosen = "player => [player.chosen === player.chosen, ...player.chosen]"
    page.ask("player => player.filterBy({word: 'ready', name: 'ready'})")
    assert page.ask(chosen) == [True, 1]
    still.publish("b", routing_key="work")
    page.settle()
    assert page.ask(chosen) == [True, 1, 2]

    page.ask(COUNT_QUESTIONS)
    for number in range(30):
        still.queue(f"queue-{number}")
    page.settle()
    assert page.serial == still.history.last
    assert 1 <= page.page.evaluate("questions") <= 4


#: Counts how often the picture's states are asked whether they know enough.
COUNT_QUESTIONS = """
player => {
  const state = Object.getPrototypeOf(player.shown);
  const {needsMore} = state;
  window.questions = 0;
  state.needsMore = function (...given) {
    window.questions += 1;
    return needsMore.apply(this, given);
  };
}
"""


# ---------------------------------------------------------------- names are strangers'

EVIL = "<img src=x onerror=window.hacked=1>"
NAMES = {
    "markup": EVIL,
    "backwards": "abc\u202egnp.exe",
    "controls": "a\x00b\x1b[31m\nc\td",
    "long": "x" * 255,
    "emoji": "\U0001f407\U0001f469\u200d\U0001f52c caf\u00e9",
    "escaped": "a\udc80b",
    "quotes": "'\"`${1}--></script><script>window.hacked=1</script>",
    "css": '"]; [data-node',
    "halves": "\U0001f407" * 40,
}

#: All words on the page, also those that only a screen reader or a pointer finds.
WORDS = """
root => [
  ...[...root.querySelectorAll("*")].flatMap(element => ["title", "aria-label", "placeholder", "value"]
    .map(name => element.getAttribute(name)).filter(Boolean)),
  ...[...root.querySelectorAll("*")].flatMap(element => [...element.childNodes]
    .filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data)),
]
"""


#: Where a name is to be seen.
PLACES = (".sandbox-graph svg", ".sandbox-log", ".sandbox-strips svg", ".sandbox-inspector", ".sandbox-table")

#: What would have an effect instead of being seen.
STRANGE = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f\ud800-\udfff]")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_are_only_characters(front: Open, still: Broker, name: str) -> None:
    """Whatever it is called appears as characters in every place, and becomes no element and no command."""
    still.exchange(name, "topic")
    still.queue(name, exchange=name, routing_key=name)
    headers = {name: name, "nested": {name: [name]}}
    body = name.encode("utf-8", "surrogateescape")
    still.publish(body, name, name, headers=headers, content_type="text/plain", content_encoding="utf-8")
    with kombu.Connection(still.url) as client:
        channel = still.connection(name=name).channel()
        channel.basic_qos(0, 1, False)
        channel.basic_consume(name, consumer_tag=name, callback=print)
        channel.basic_publish(channel.prepare_message("m"), name, "")
        page = front(still)
        page.show(*PARTS, "status", "program")
        table = page.show("graph")
        table.get_by_role("button", name="Routing table").click()
        page.settle()
        consumer = next(node for node in page.nodes if node.startswith("consumer:"))
        for selected in (f"queue:{name}", f"exchange:{name}", consumer, f"publisher:{name}", "message:1"):
            page.ask("(player, text) => player.select(JSON.parse(text))", json.dumps(selected))
            page.play()
            places = [page.root.locator(f"{place} >> visible=true").first for place in PLACES]
            for place, words in zip(PLACES, [place.evaluate(WORDS) for place in places], strict=True):
                assert any(shown(name)[:10] in word for word in words) or selected == "message:1", place
                assert not [word for word in words if STRANGE.search(word)]
        facts = page.root.locator(".sandbox-inspector dd").all_inner_texts()
        assert shown(name) in facts
        page.ask(
            "(player, text) => void player.command('get', {queue: JSON.parse(text)})", json.dumps(f"{name}!")
        )
        page.play()
        assert client
    assert page.page.evaluate("window.hacked") is None
    assert page.page.locator("#root :is(img, script, iframe, object, embed, a, link, style)").count() == 0


def test_names_are_only_characters_where_one_searches(front: Open, still: Broker) -> None:
    """The search of a large broker, and what it did not find."""
    for number in range(45):
        still.queue(f"{EVIL}-{number}")
    page = front(still)
    page.show(*PARTS)
    field = page.root.get_by_label("Find an exchange or a queue")
    field.fill("<IMG")
    page.play()
    found = page.root.locator(".sandbox-names button")
    assert found.count() == 45
    assert found.first.inner_text().startswith("queue <img src=x")
    field.fill("<b>\u202e")
    page.play()
    expect(page.root.locator(".sandbox-names")).to_have_text("nothing is called <b>\\u202e")
    field.fill("-44")
    field.press("Enter")
    page.play()
    assert f"queue:{EVIL}-44" in page.nodes
    assert page.page.locator("#root :is(img, b)").count() == 0


def test_flow_has_a_graph_though_nothing_was_declared_since(front: Open, still: Broker) -> None:
    """The first update of a flow brings the layout that the page forgets with its window."""
    still.queue("work")
    for number in range(200):
        still.publish(number, routing_key="work")
        still.get("work", no_ack=True)
    page = front(still)
    page.show(*PARTS)
    page.settle()
    for number in range(200):
        still.publish(number, routing_key="work")
        still.get("work", no_ack=True)
    page.play(500)

    assert "queue:work" in page.nodes


def test_a_long_queue_has_tokens_after_a_pause(front: Open, still: Broker) -> None:
    """Whoever follows again sees the copies at the head, though the page did not know them one by one."""
    still.queue("work")
    for number in range(1500):
        still.publish(number, routing_key="work")
    page = front(still)
    page.show(*PARTS)
    page.settle()
    page.ask("player => player.freeze()")
    for _ in range(2):
        for _ in range(70):
            still.get("work", no_ack=True)
        page.play()
    page.ask("player => player.follow()")
    page.settle()

    assert len(page.signs("queue:work")) >= 5


def test_a_start_under_way_does_not_undo_a_seek(front: Open, still: Broker) -> None:
    """What was asked for last is where the playhead goes."""
    still.queue("work")
    for number in range(1500):
        still.publish(number, routing_key="work")
    page = front(still)
    page.show(*PARTS)
    page.settle()
    page.ask("player => player.freeze()")
    page.play()
    page.ask("player => { player.beginAnew(); player.seek(100); }")
    page.play()
    page.play()

    assert page.serial == 100


def test_what_is_gone_dims_nothing(front: Open, still: Broker) -> None:
    """A selection that was deleted leaves the picture as it is without one."""
    still.queue("work")
    still.queue("other")
    page = front(still)
    page.show(*PARTS)
    page.settle()
    page.ask("player => player.select('queue:work')")
    page.play()
    assert page.root.locator(".sandbox-dim").count() > 0
    still.delete("work")
    page.settle()

    assert page.root.locator(".sandbox-dim").count() == 0
