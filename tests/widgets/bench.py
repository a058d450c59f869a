"""What a dashboard costs, and how fast it is: `python -m tests.widgets.bench`.

Publishing with a dashboard open in JupyterLab and without takes turns in one run, and medians are compared:
so the machine's other work falls on both.  Nothing is asserted, for a busy machine says nothing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from math import inf
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from sandbox import Broker, ManualClock
from sandbox.layout import arrange
from sandbox.layout.neighbourhood import neighbourhood
from tests.browser.fixtures import _find
from tests.browser.lab import Lab, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

ROUNDS = 7
SECONDS = 2.5

SETUP = """\
import json, time, sandbox

def shop():
    broker = sandbox.Broker(clock=sandbox.ManualClock())
    broker.exchange("orders", type="topic")
    broker.queue("eu", exchange="orders", routing_key="order.eu.#", max_length=100)
    broker.queue("work", exchange="orders", routing_key="*.*.new", max_length=1000)
    return broker

def flood(broker, seconds):
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        broker.publish("x", exchange="orders", routing_key="order.eu.new")
        count += 1
    return count / seconds

alone, watched = shop(), shop()
for broker in (alone, watched):
    while broker.history.first == 1:  # from now on it forgets as much as it learns, as in any long run
        flood(broker, 0.5)
watched.dashboard()
"""

TURN = f"""\
began = time.time()
first = flood({{first}}, {SECONDS})
turned = time.time()
second = flood({{second}}, {SECONDS})
print(json.dumps([first, second, began, turned, time.time()]))
"""

#: Notes when the ledger was drawn, and when it said that the flow is shown.
WATCH = """ledger => {
  window.drawn = [];
  window.flowing = [];
  let before = "";
  new MutationObserver(() => {
    const note = ledger.querySelector(".sandbox-note").textContent;
    const numbers = ledger.textContent.replace(note, "");
    if (numbers !== before) window.drawn.push(Date.now() / 1000);
    if (note) window.flowing.push(Date.now() / 1000);
    before = numbers;
  }).observe(ledger, {subtree: true, childList: true, characterData: true});
}"""


def watch(browser: Browser) -> dict[str, float]:
    """Medians of what a flood shows in JupyterLab, and of what it costs."""
    alone, watched, ratios, updates, flows = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            turns = [TURN.format(first=a, second=b) for a, b in (("alone", "watched"), ("watched", "alone"))]
            lab = Lab(server, browser)
            notebook = lab.open([SETUP, *turns])
            notebook.page.set_viewport_size({"width": 1500, "height": 1100})
            notebook.run(0)
            ledger = notebook.outputs(0).locator(".sandbox-ledger")
            ledger.evaluate(WATCH)
            for turn in range(ROUNDS):
                notebook.page.wait_for_timeout(3000)  # until it is calm
                index = 1 + turn % 2
                notebook.run(index)
                notebook.page.wait_for_timeout(500)
                first, second, began, turned, ended = json.loads(notebook.output(index))
                if index == 1:
                    without, within, began = first, second, turned
                else:
                    without, within, ended = second, first, turned
                drawn, flowing = notebook.page.evaluate("[window.drawn, window.flowing]")
                alone.append(without)
                watched.append(within)
                ratios.append(within / without)
                shown = sum(began <= moment <= ended for moment in drawn)
                updates.append(shown / (ended - began))
                flows.append(min((moment for moment in flowing if moment >= began), default=inf) - began)
            assert lab.watch.take() == []
            lab.close()
        finally:
            server.stop()
    return {
        "published a second, no dashboard": median(alone),
        "published a second, dashboard open": median(watched),
        "  of the rate without, at least 0.8": median(ratios),
        "pictures a second, at least 10": median(updates),
        "seconds until the flow is shown, at most 2": median(flows),
    }


def large() -> Broker:
    """200 exchanges, 1,000 queues, 2,000 bindings."""
    broker = Broker(clock=ManualClock())
    for number in range(200):
        broker.exchange(f"exchange-{number}", type="topic")
    for number in range(1000):
        broker.queue(f"queue-{number}")
    for number in range(2000):
        queue, exchange = f"queue-{number % 1000}", f"exchange-{number * 7 % 200}"
        broker.bind(queue, exchange, routing_key=f"key.{number}")
    return broker


def seconds(call: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def arrangements() -> dict[str, float]:
    """Medians of the times that a large broker takes."""
    broker = large()
    snapshot = broker.snapshot()
    near = neighbourhood(snapshot, "queue:queue-500")
    broker._player.sleep()  # imports, once
    return {
        "seconds to lay out 200 + 1,000, 2,000 bindings": median(
            seconds(lambda: arrange(snapshot)) for _ in range(5)
        ),
        "seconds to lay out a neighbourhood": median(
            seconds(
                lambda: arrange(neighbourhood(snapshot, "queue:queue-500").snapshot, None, folds=near.folds)
            )
            for _ in range(5)
        ),
        "seconds to make its player": median(seconds(lambda: type(broker._player)(broker)) for _ in range(5)),
    }


def main() -> None:
    """Print a table."""
    say = sys.stdout.write
    say(f"load before: {os.getloadavg()[0]:.1f}\n")
    figures = arrangements()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_find(playwright))
        figures |= watch(browser)
        browser.close()
    for name, value in figures.items():
        say(f"{name:<48} {value:10,.2f}\n")
    say(f"load after: {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
