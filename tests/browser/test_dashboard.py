"""The dashboard in a real JupyterLab, driven as a person would: each step is seen in page and kernel."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from playwright.sync_api import Locator

    from sandbox import Broker
    from tests.browser.lab import Lab, Notebook

SIZE: Any = {"width": 1500, "height": 1200}

FRESH = """\
import sandbox
broker = sandbox.Broker(name="shop", clock=sandbox.ManualClock())
dashboard = broker.dashboard()
dashboard
"""

SHOP = """\
import sandbox
broker = sandbox.Broker(name="shop", clock=sandbox.ManualClock())
broker.exchange("orders", type="topic")
broker.queue("work", exchange="orders", routing_key="order.*")
"""

#: Notes each place at which a token was seen.
WATCH_TOKENS = """layer => {
  layer.seen = new Set();
  const look = () => {
    for (const token of layer.querySelectorAll(":scope > g[transform][visibility=visible]")) {
      layer.seen.add(`${token.textContent} ${token.getAttribute("transform")}`);
    }
  };
  new MutationObserver(look).observe(layer, {subtree: true, childList: true, attributes: true});
}"""

#: Notes which messages lay in a lane.
WATCH_LANE = """lane => {
  lane.seen = new Set();
  const look = () => {
    for (const copy of lane.querySelectorAll("[data-message]")) lane.seen.add(copy.dataset.message);
  };
  new MutationObserver(look).observe(lane, {subtree: true, childList: true});
}"""

#: Notes when the ledger changed, frame by frame.
WATCH_LEDGER = """ledger => {
  ledger.changes = [];
  new MutationObserver(() => ledger.changes.push(performance.now())).observe(
    ledger, {subtree: true, childList: true, characterData: true});
}"""

#: What the picture says: the terms of the ledger, and how deep each queue is.
PICTURE = """root => {
  const ledger = {};
  for (const button of root.querySelectorAll(".sandbox-ledger [data-term]")) {
    ledger[button.dataset.term] = Number(button.textContent.replace(/,/g, "").match(/^\\d+/)[0]);
  }
  const queues = {};
  for (const lane of root.querySelectorAll("[data-node^='queue:']")) {
    const words = lane.getAttribute("aria-label").replace(/,(?=\\d)/g, "");
    const count = place => Number(words.match(`(\\\\d+) ${place}`)[1]);
    queues[lane.dataset.node.slice(6)] = [count("ready"), count("unacked")];
  }
  return {ledger, queues};
}"""

BROKER = """{
    "ledger": broker.ledger._asdict() | {"copies": broker.ledger.copies},
    "queues": {name: [queue.ready, queue.unacked] for name, queue in broker.snapshot().queues.items()},
}"""

THREADS = "[thread.name for thread in __import__('threading').enumerate() if 'sandbox' in thread.name]"


class Board:
    """A dashboard in a cell's output, and a person before it."""

    def __init__(self, notebook: Notebook, index: int = 0) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.root = notebook.outputs(index)
        self.ledger = self.root.locator(".sandbox-ledger")
        self.status = self.root.locator(".sandbox-status")
        self.strips = self.root.locator(".sandbox-strips")
        self.slider = self.root.get_by_role("slider", name="Playhead")
        self.clock = self.root.locator(".sandbox-clock")
        self.band = self.root.locator(".sandbox-band")
        self.inspector = self.root.locator(".sandbox-region-inspector .sandbox-inspector")
        self.form = self.root.locator(".widget-tab-contents > :not(.lm-mod-hidden)")
        self.tokens = self.root.locator(".sandbox-tokens")

    def node(self, name: str) -> Locator:
        """A part of the graph, by its id."""
        return self.root.locator(f'[data-node="{name}"]')

    def tab(self, name: str) -> None:
        self.root.get_by_role("tab", name=name, exact=True).click()

    def field(self, label: str) -> Locator:
        return self.form.get_by_label(label, exact=True).locator("visible=true")

    def type(self, **fields: str) -> None:
        """Fill in fields of the form that is shown, key by key; underscores stand for spaces."""
        for label, text in fields.items():
            field = self.field(label.replace("_", " "))
            field.click()
            field.press("Control+a")
            field.press("Delete")
            field.press_sequentially(text)

    def button(self, name: str, within: Locator | None = None) -> Locator:
        """A button of the form that is shown, or of another part."""
        place = self.form if within is None else within
        return place.get_by_role("button", name=name, exact=True).locator("visible=true")

    def press(self, name: str, within: Locator | None = None) -> None:
        self.button(name, within).first.click()

    def publish(self, body: str, **fields: str) -> None:
        self.tab("Publish")
        self.type(Body=body, **fields)
        self.press("Publish")

    def build(self, what: str, **fields: str) -> None:
        """Declare an Exchange or a Queue."""
        self.tab("Build")
        self.press(what)
        declare = self.button(f"Declare {what.lower()}")
        expect(declare).to_be_visible()
        if kind := fields.pop("Type", None):
            self.field("Type").select_option(kind)
        self.type(**fields)
        declare.click()

    def picture(self) -> Any:
        return self.root.evaluate(PICTURE)

    def agree(self, queues: dict[str, list[int]] | None = None, **terms: int) -> None:
        """Wait until broker and page agree, and these are the depths of queues and terms of the ledger."""
        wanted: dict[str, dict[str, Any]] = {"queues": queues or {}, "ledger": terms}

        def read() -> list[Any]:
            broker = self.notebook.python(BROKER)
            broker["ledger"] = {term: n for term, n in broker["ledger"].items() if n}
            parts = {part: {name: broker[part].get(name) for name in wanted[part]} for part in wanted}
            return [self.picture() == broker, parts]

        until(read, [True, wanted])

    def drag_to(self, x: float) -> None:
        """Drag the playhead to a place of the strips, 0 at the left and 1 at the right."""
        strips = self.strips.locator("svg").first.bounding_box()
        knob = self.slider.bounding_box()
        assert strips
        assert knob
        mouse = self.page.mouse
        mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2)
        mouse.down()
        mouse.move(strips["x"] + 34 + x * (strips["width"] - 46), strips["y"] + 30, steps=5)
        mouse.up()


def until(read: Callable[[], Any], wanted: Any, seconds: float = 15) -> None:
    """Wait until that is read."""
    end = time.monotonic() + seconds
    while (found := read()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert found == wanted


def open_board(lab: Lab, *cells: str) -> Board:
    """A notebook with a dashboard below its first cell."""
    notebook = lab.open(cells)
    notebook.page.set_viewport_size(SIZE)
    return Board(notebook.run(0))


def build_lesson(board: Board) -> None:
    """A queue whose messages live for ten seconds, and another one for the dead."""
    board.build("Exchange", Name="graveyard", Type="fanout")
    expect(board.node("exchange:graveyard")).to_be_visible()
    board.build("Queue", Name="dead", Bind_to="graveyard")
    expect(board.node("queue:dead")).to_be_visible()
    board.build("Exchange", Name="orders", Type="topic")
    expect(board.node("exchange:orders")).to_be_visible()
    options = {"Message_TTL": "10", "Dead_letters": "graveyard"}
    board.build("Queue", Name="work", Bind_to="orders", Binding_key="order.*", **options)
    expect(board.node("queue:work")).to_be_visible()


def test_a_lesson_by_hand(lab: Lab) -> None:
    """From an empty broker to dead letters, all of it by hand; the program that it wrote does the same."""
    board = open_board(lab, FRESH)
    python = board.notebook.python
    expect(board.root.get_by_text("Nothing is declared yet").first).to_be_visible()

    build_lesson(board)
    assert python("sorted(broker.snapshot().queues)") == ["dead", "work"]

    # Publish: the token is seen on its way, then the lane has it.
    board.tokens.evaluate(WATCH_TOKENS)
    board.publish('{"id": 1}', Exchange="orders", Routing_key="order.new")
    expect(board.node("queue:work").locator('[data-message="1"]')).to_be_visible()
    expect(board.status).to_contain_text("work")
    assert board.tokens.evaluate("layer => layer.seen.size") >= 3
    board.type(Times="3")
    board.press("Publish")
    board.agree({"work": [4, 0], "dead": [0, 0]}, published=4, routed=4)
    expect(board.strips).to_contain_text("4 ready + 0 unacked")
    expect(board.ledger).to_contain_text("4 published = 4 routed")

    # Consume, receive and ack, from the inspector.
    board.node("queue:work").click(position={"x": 12, "y": 6})
    expect(board.inspector).to_contain_text("Queue work")
    board.press("Consume", board.inspector)
    consumer = board.root.locator("[data-node^='consumer:']")
    expect(consumer).to_have_attribute("aria-label", re.compile("full"))
    board.agree({"work": [2, 2]})
    expect(board.strips).to_contain_text("2 ready + 2 unacked")
    expect(board.node("queue:work").locator(".sandbox-hollow")).to_have_count(2)
    consumer.locator("text").first.click()
    expect(board.inspector).to_contain_text("Consumer ")
    expect(board.button("Ack", board.inspector).first).to_be_disabled()
    board.press("Receive", board.inspector)
    board.press("Ack", board.inspector)
    board.agree({"work": [1, 2]}, done=1)  # the next was delivered at once

    # Closing the channel brings what was held back to its hollow seats.
    board.press("Close channel", board.inspector)
    expect(consumer).to_have_count(0)
    board.agree({"work": [3, 0]})
    expect(board.node("queue:work").locator(".sandbox-hollow")).to_have_count(0)
    expect(board.node("queue:work").locator(".sandbox-again")).to_have_count(2)

    # The clock bar says what is next; a step lets it happen.
    step = board.clock.get_by_role("button", name="Step")
    expect(step).to_have_text("Step: message 2 expires in work, 10.0 s")
    step.click()
    expect(board.clock.locator("strong")).to_have_text("10.0 s")
    board.agree({"work": [0, 0], "dead": [3, 0]}, dead_lettered=3)
    expect(board.node("queue:dead").locator(".sandbox-deaths")).to_have_count(3)
    assert python("broker.now") == 10

    # What was done by hand is a program that does the same.
    board.tab("Code")
    expect(board.form).to_contain_text("broker.publish({'id': 1}, exchange='orders', routing_key='order.new'")
    board.notebook.execute("again = {}; exec(dashboard.code, again)")
    assert python("again['broker'].snapshot() == broker.snapshot()")
    assert python("list(broker.history) == list(again['broker'].history)")


def test_the_clock_is_moved_by_its_bar(lab: Lab) -> None:
    """Advance by an amount, by ten seconds, until idle, and play; broker and picture keep the same time."""
    setup = 'broker.queue("slow", message_ttl=40)\nbroker.publish("x", routing_key="slow")\n'
    board = open_board(lab, SHOP + setup + "broker.dashboard()")
    now = board.clock.locator("strong")
    expect(now).to_have_text("0.0 s")

    board.press("+10 s", board.clock)
    expect(now).to_have_text("10.0 s")
    amount = board.clock.get_by_label("seconds to advance")
    amount.fill("2.5")
    board.press("Advance", board.clock)
    expect(now).to_have_text("12.5 s")
    assert board.notebook.python("broker.now") == 12.5

    fast = board.clock.get_by_role("button", name="Play at 60 times")
    fast.click()
    expect(fast).to_have_attribute("aria-pressed", "true")
    until(lambda: board.notebook.python("broker.snapshot().queues['slow'].ready"), 0)
    fast.click()
    expect(fast).to_have_attribute("aria-pressed", "false")
    board.agree(published=1, routed=1, copies=1, expired=1)
    board.page.wait_for_timeout(600)
    stopped = board.notebook.python("broker.now")
    board.page.wait_for_timeout(600)
    assert board.notebook.python("broker.now") == stopped

    board.notebook.execute('broker.publish("y", routing_key="slow")')
    expect(board.clock.get_by_role("button", name="Step")).to_contain_text("message 2 expires in slow")
    board.press("Run until idle", board.clock)
    expect(board.clock.get_by_role("button", name="Step")).to_have_text("Step: nothing is due")
    board.agree(expired=2)


def test_the_playhead_is_dragged_back(lab: Lab) -> None:
    """The picture goes with the playhead; nothing can be done in the past, and the broker is untouched."""
    publish = 'for _ in range(6):\n    broker.publish("x", exchange="orders", routing_key="order.new")\n'
    board = open_board(lab, SHOP + publish + "broker.dashboard()")
    board.agree({"work": [6, 0]})
    before = board.notebook.python("str(broker.snapshot())")

    board.drag_to(0.5)

    expect(board.band).to_contain_text("You look at event")
    last = board.notebook.python("broker.history.last")
    expect(board.band).to_contain_text(f"The broker is at event {last}.")
    serial = int(board.slider.get_attribute("aria-valuenow") or 0)
    assert 0 < serial < last
    there = board.notebook.python(f"broker.history.at({serial}).queues['work'].ready")
    assert there < 6
    until(lambda: board.picture()["queues"]["work"][0], there)
    board.tab("Publish")
    expect(board.form).to_contain_text("You look at the past: go back to live to do something.")
    expect(board.button("Publish")).to_be_disabled()
    expect(board.button("+10 s", board.clock)).to_be_disabled()

    # By keys: an event at a time, and the very beginning.
    board.slider.press("ArrowLeft")
    expect(board.slider).to_have_attribute("aria-valuenow", str(serial - 1))
    board.slider.press("Home")
    until(lambda: board.picture()["queues"], {})
    board.slider.press("ArrowRight")
    expect(board.slider).to_have_attribute("aria-valuenow", "1")

    board.press("Back to live", board.band)
    expect(board.band).to_be_hidden()
    board.agree({"work": [6, 0]})
    expect(board.button("Publish")).to_be_enabled()
    assert board.notebook.python("str(broker.snapshot())") == before


def test_a_refusal_leaves_everything_working(lab: Lab) -> None:
    """The broker's own words in the status line, the line struck out in the code; the next one arrives."""
    board = open_board(lab, SHOP + "dashboard = broker.dashboard()\ndashboard")

    board.publish("x", Exchange="nowhere")
    expect(board.status).to_contain_text("NOT_FOUND - no exchange 'nowhere' in vhost '/'")
    board.tab("Code")
    expect(board.form.locator("s")).to_contain_text("nowhere")

    board.publish("x", Exchange="orders", Routing_key="order.new")
    expect(board.node("queue:work").locator('[data-message="1"]')).to_be_visible()
    board.agree({"work": [1, 0]}, published=1)
    assert board.notebook.python("broker.is_open")


def test_the_forms_of_consumers(lab: Lab) -> None:
    """Get, consume, receive, ack all, cancel and close, from the form; what cannot be done now is off."""
    publish = 'for _ in range(4):\n    broker.publish("x", exchange="orders", routing_key="order.new")\n'
    board = open_board(lab, SHOP + publish + "broker.dashboard()")
    board.tab("Consumers")
    expect(board.button("Receive")).to_be_disabled()

    board.type(Queue="work")
    board.press("Get one message")
    expect(board.root.locator("[data-node^='hand:']")).to_be_visible()
    board.agree({"work": [3, 1]})
    board.press("Ack all")
    board.agree({"work": [3, 0]}, done=1)

    board.type(Prefetch="1")
    board.press("Consume")
    expect(board.button("Receive")).to_be_enabled()
    board.press("Receive")
    board.press("Ack all")
    board.agree({"work": [1, 1]}, done=2)
    board.press("Cancel")
    expect(board.button("Receive")).to_be_disabled()
    board.agree({"work": [1, 1]})
    board.press("Close channel")
    board.agree({"work": [2, 0]})


def test_what_is_typed_while_the_kernel_is_busy(lab: Lab) -> None:
    """A form that was filled in meanwhile is submitted as it was filled in, by a press or by Enter."""
    board = open_board(lab, SHOP + "broker.dashboard()", "import time; time.sleep(3)")
    board.tab("Publish")
    board.notebook.run(1, wait=False)

    board.type(Exchange="orders", Body='{"id": 1}', Routing_key="order.new")
    board.press("Publish")
    board.type(Times="2", Routing_key="order.old")
    board.field("Routing key").press("Enter")
    board.type(Exchange="nobody", Routing_key="pressed by nobody")

    board.agree({"work": [3, 0]})
    keys = "[seat.header.routing_key for seat in broker.snapshot().queues['work'].seats]"
    assert board.notebook.python(keys) == ["order.new", "order.old", "order.old"]


def test_opens_in_notebook_7(lab: Lab) -> None:
    """The same notebook works in Notebook 7."""
    first = lab.open([SHOP + "broker.dashboard()"])
    notebook = lab.open(lab.server.root / first.name, front="notebook")
    notebook.page.set_viewport_size(SIZE)
    board = Board(notebook.run(0))

    board.publish("x", Exchange="orders", Routing_key="order.new")

    expect(board.node("queue:work").locator('[data-message="1"]')).to_be_visible()
    board.agree({"work": [1, 0]})


def test_running_a_cell_again_leaves_nothing_alive(lab: Lab) -> None:
    """Neither threads nor players that follow a broker which nobody has any more."""
    again = """\
import gc, sandbox, weakref
brokers = globals().get("brokers", [])
broker = sandbox.Broker()
broker.queue("work")
brokers.append(weakref.ref(broker))
players = globals().get("players", [])
players.append(broker._player)
broker.dashboard()
"""
    notebook = lab.open([again, "broker.dashboard()"])
    for _ in range(3):
        notebook.run(0)
        expect(Board(notebook).node("queue:work")).to_be_visible()
    notebook.execute("gc.collect()")
    alive = (
        "[[ref() is not None for ref in brokers], [player._unsubscribe is not None for player in players]]"
    )
    until(lambda: notebook.python(alive), [[False, False, True]] * 2)
    for _ in range(3):
        notebook.run(1)
        expect(Board(notebook, 1).node("queue:work")).to_be_visible()
    notebook.execute('broker.publish("x", routing_key="work")')

    expect(Board(notebook).node("queue:work").locator('[data-message="1"]')).to_be_visible()
    expect(Board(notebook, 1).node("queue:work").locator('[data-message="1"]')).to_be_visible()
    until(lambda: notebook.python(THREADS), [])
    assert notebook.python("len(broker.history._observers)") == 1
    # Of the dashboards that the kernel still keeps, those that are shown follow: the cells' last ones.
    places = (
        "[[widget._status.places for widget in __import__('ipywidgets').widgets.widget._instances.values()"
    )
    until(lambda: notebook.python(f"{places} if hasattr(widget, '_status')]]"), [[0, 0, 1, 0, 0, 1]])


def test_any_view_shows_the_state(lab: Lab) -> None:
    """Several views, one displayed late, and after a reload of the page: all show the same."""
    publish = 'broker.publish("x", exchange="orders", routing_key="order.new")'
    notebook = lab.open([SHOP + "broker.graph()", publish, "broker.dashboard()", "broker.depths()", publish])
    notebook.page.set_viewport_size(SIZE)
    notebook.run(0).run(1).run(2).run(3)
    boards = [Board(notebook, index) for index in (0, 2)]
    for board in boards:
        board.agree({"work": [1, 0]})
    expect(Board(notebook, 3).strips).to_contain_text("1 ready + 0 unacked")

    notebook.reload()
    boards = [Board(notebook, index) for index in (0, 2)]
    for board in boards:
        board.agree({"work": [1, 0]})
    notebook.run(4)
    for board in boards:
        board.agree({"work": [2, 0]})
    expect(Board(notebook, 3).strips).to_contain_text("2 ready + 0 unacked")


def test_a_closed_broker_and_a_kernel_that_is_gone(lab: Lab) -> None:
    """The picture stays, the controls are off, and one sentence says why."""
    publish = 'broker.publish("x", exchange="orders", routing_key="order.new")\n'
    board = open_board(lab, SHOP + publish + "broker.dashboard()", "broker.close()")
    button = board.button("Publish")
    board.agree({"work": [1, 0]})
    expect(button).to_be_enabled()

    board.notebook.run(1)
    expect(board.band).to_contain_text("This broker is closed: the picture stays as it was.")
    expect(button).to_be_disabled()
    expect(board.button("+10 s", board.clock)).to_be_disabled()
    expect(board.node("queue:work")).to_be_visible()

    board.notebook.run(0)
    expect(board.band).to_be_hidden()
    board.agree({"work": [1, 0]})
    board.notebook.restart()
    expect(board.band).to_contain_text("The broker or its kernel is gone: the picture stays as it was.")
    expect(board.button("+10 s", board.clock)).to_be_disabled()
    expect(board.node("queue:work").locator('[data-message="1"]')).to_be_visible()

    board.notebook.run(0)
    expect(board.band).to_be_hidden()
    board.page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    expect(board.band).to_contain_text("The broker or its kernel is gone: the picture stays as it was.")
    expect(board.node("queue:work").locator('[data-message="1"]')).to_be_visible()


def test_real_time_shows_an_expiry_by_itself(lab: Lab) -> None:
    """A message expires on the picture though nobody calls the broker."""
    setup = """\
import sandbox
broker = sandbox.Broker()
broker.queue("work", message_ttl=1)
broker.dashboard()
"""
    board = open_board(lab, setup, 'broker.publish("x", routing_key="work")')
    expect(board.clock).to_contain_text("sandbox.Broker(clock=sandbox.ManualClock())")
    expect(board.node("queue:work")).to_be_visible()

    board.node("queue:work").evaluate(WATCH_LANE)
    board.notebook.run(1, wait=False)

    expect(board.ledger).to_contain_text("1 expired")
    assert board.node("queue:work").evaluate("lane => [...lane.seen]") == ["1"]
    expect(board.node("queue:work").locator("[data-message]")).to_have_count(0)
    board.agree({"work": [0, 0]}, published=1, routed=1, copies=1, expired=1)
    until(lambda: board.notebook.python(THREADS), [])


def test_a_flood_is_seen_as_numbers(lab: Lab) -> None:
    """Another cell publishes as it can: numbers follow, its output is complete, tokens come back."""
    flood = """\
import time
print("begin")
end, count = time.monotonic() + 4, 0
while time.monotonic() < end:
    broker.publish("x", exchange="orders", routing_key="order.new")
    count += 1
    if count % 500 == 0:
        broker.purge("work")
        print("at", count)
print("end", count)
"""
    board = open_board(lab, SHOP + "broker.dashboard()", flood)
    expect(board.node("queue:work")).to_be_visible()
    board.ledger.evaluate(WATCH_LEDGER)

    began = time.monotonic()
    board.notebook.run(1, wait=False)
    expect(board.ledger).to_contain_text("flow view", timeout=4_000)
    until_flow = time.monotonic() - began
    until(lambda: board.notebook.output(1).splitlines()[-1:] and "end" in board.notebook.output(1), True)
    changes = board.ledger.evaluate("ledger => ledger.changes")

    frames = [later for earlier, later in zip([-1e9, *changes], changes, strict=False) if later - earlier > 5]
    rate = (len(frames) - 1) * 1000 / (frames[-1] - frames[0])
    assert rate > 3, rate  # on a busy machine; `python -m tests.widgets.bench` says how many it can be
    assert until_flow < 4
    lines = board.notebook.output(1).split("\n")
    count = int(lines[-1].split()[1])
    assert lines == ["begin", *(f"at {number}" for number in range(500, count + 1, 500)), f"end {count}"]
    assert count > 1_000
    board.agree(published=count)
    expect(board.ledger).not_to_contain_text("flow view")
    board.tokens.evaluate(WATCH_TOKENS)
    board.publish("y", Exchange="orders", Routing_key="order.new")
    until(lambda: board.tokens.evaluate("layer => layer.seen.size") >= 3, True)
    board.agree(published=count + 1)


def test_the_theme_is_followed_at_once(lab: Lab) -> None:
    """Light to dark and back, without drawing anew."""
    board = open_board(lab, SHOP + "broker.dashboard()")
    expect(board.node("queue:work")).to_be_visible()
    ground = """root => {
      const view = root.querySelector(".sandbox-view");
      return [getComputedStyle(view).backgroundColor, getComputedStyle(view).color];
    }"""
    light = board.root.evaluate(ground)
    board.notebook.theme("dark")
    dark = board.root.evaluate(ground)
    board.notebook.theme("light")

    assert light[0] == "rgb(255, 255, 255)"
    assert dark[0] != light[0]
    assert dark[1] != light[1]
    assert board.root.evaluate(ground) == light


def test_exported_without_a_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In HTML that nbconvert made, each view is a picture with its words."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    publish = 'broker.publish("x", exchange="orders", routing_key="order.new")\n'
    cells = [SHOP + publish + "broker.dashboard()", "broker.graph()", "broker.depths()"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=False).execute()

    html, _ = HTMLExporter().from_notebook_node(notebook)  # type: ignore[no-untyped-call]

    graph, same, depth = re.findall(r'<img [^>]*alt="([^"]+)"[^>]*src="data:image/', html)
    assert "1 ready" in graph
    assert same == graph
    assert "work" in depth
    assert "Dashboard(" not in html


def test_commands_arrive_on_any_thread(still: Broker) -> None:
    """Several threads do things by hand while another publishes: nothing is lost, doubled or out of order."""
    player = still._player
    sent: list[Any] = []
    player.send = sent.append
    still.queue("work")
    publish = {"do": "publish", "args": {"routing_key": "work", "body": "x"}}
    others: list[dict[str, Any]] = [
        {"need": -1},
        {"views": 1, "page": "a", "narrow": False, "past": False},
        {"focus": None},
        {"copy": "nothing"},
        {"views": 2, "page": "b", "narrow": True, "past": False},
    ]

    def hear(first: int) -> None:
        for number in range(first, first + 50):
            player._hear(player, {**publish, "id": number}, [])
            player._hear(player, others[number % 5], [])

    threads = [threading.Thread(target=hear, args=(50 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        still.publish("y", routing_key="work")
    for thread in threads:
        thread.join()
    player._throttle.now()  # or a timer's thread is at it, and will end

    def answered() -> list[int]:
        return sorted(update["id"] for update in list(sent) if update["kind"] == "answer")

    until(answered, list(range(200)), 60)
    until(player._throttle._flushing.locked, False, 60)
    assert all(update["ok"] for update in sent if update["kind"] == "answer")
    assert still.ledger.published == 500
    last = player.start["state"]["serial"] + len(player.start["events"])
    for update in sent:
        if update["kind"] == "events":
            assert update["after"] == last
            last += len(update["events"])
        elif "state" in update:
            last = update["state"]["serial"] + len(update.get("events", ()))
    assert last == still.history.last
    player.sleep()


def test_a_press_may_be_anything(still: Broker) -> None:
    """What a browser says of a form is taken as far as it can be; no button that is off is pressed."""
    dashboard = still.dashboard()
    form = dashboard._forms[0]
    fields = {name: field.model_id for name, field in form.fields.items()}
    press = form.buttons["Publish"].model_id

    for values in ({fields["times"]: "many", fields["routing_key"]: {"a": 1}, "nobody": 1}, {}):
        dashboard._status._handle_custom_msg({"press": press, "values": values}, [])
    dashboard._status._handle_custom_msg({"press": "nobody", "values": {}}, [])
    dashboard._status._handle_custom_msg({"press": press, "values": 7}, [])
    assert still.ledger.published == 2
    still.close()
    dashboard._player._throttle.now()
    dashboard._status._handle_custom_msg({"press": press, "values": {}}, [])

    assert dashboard.code.count("publish") == 2
