"""The live picture on a page, without a kernel and without Jupyter: what a person sees of it, and does to it.

A `FrontEnd` stands for Jupyter's: it carries the messages between a broker's `Player` and the package's own
modules, as JSON.  All of it happens in the test's thread.  On the page time stands still until a test lets it
pass, so a token can be met in the middle of its way.
"""

from __future__ import annotations

import json
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from sandbox.widgets import code

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from sandbox import Broker

#: ms of one frame, after which whatever follows the player has been drawn; and of one hop of a token.
FRAME, HOP = 40, 350

#: A page as Jupyter's: without margins, in a theme that says its name.
PREPARE = """
([css, dark]) => {
  const style = Object.assign(document.createElement("style"), {textContent: css});
  document.head.append(style);
  document.body.style = "margin: 0; font-family: sans-serif; background: var(--sandbox-page)";
  document.body.dataset.jpThemeLight = String(!dark);
  window.fronts = {};
}
"""

#: A model as anywidget gives it, and the player that plays it.
OPEN = """
async ([name, text]) => {
  const {play} = await import("/index.js");
  const state = JSON.parse(text);
  const listeners = {};
  const front = window.fronts[name] = {
    sent: [],
    views: {},
    tell: (kind, ...values) => (listeners[kind] ?? []).forEach(listener => listener(...values)),
  };
  play({
    get: key => state[key],
    on: (kind, listener) => (listeners[kind] ??= []).push(listener),
    send: message => front.sent.push(message),
  });
  front.player = (await globalThis[Symbol.for("kombu-sandbox.players")].get(name).promise).player;
}
"""

#: All that Python has sent arrives, and what the page has to say is taken along.
EXCHANGE = """
([name, texts]) => {
  const front = window.fronts[name];
  for (const text of texts) front.tell("msg:custom", JSON.parse(text));
  return front.sent.splice(0);
}
"""

SHOW = """
async ([name, id, parts, scale]) => {
  const {default: view} = await import("/view.js");
  const el = Object.assign(document.createElement("div"), {id});
  document.getElementById("root").append(el);
  const state = {player: name, parts, scale};
  window.fronts[name].views[id] = await view.render({model: {get: key => state[key]}, el});
}
"""

#: The browser lays the page out, and tells those who watch the sizes of things.
SIZED = """
() => new Promise(done => {
  const element = document.body.appendChild(document.createElement("i"));
  new ResizeObserver((_, observer) => {
    observer.disconnect();
    element.remove();
    done();
  }).observe(element);
})
"""

HIDE = """
([name, id]) => {
  window.fronts[name].views[id]();
  delete window.fronts[name].views[id];
}
"""

#: The marks of a node in their order, each with the text on it, and the words beside them.
READ = """
(root, id) => {
  const node = [...root.querySelectorAll("[data-node]")].find(group => group.dataset.node === id);
  if (!node) return null;
  const words = (element, selector) => [...element.querySelectorAll(selector)].map(text => text.textContent);
  const signs = [...node.querySelectorAll("g[class^=sandbox-]")]
    .map(sign => [sign.classList[0].slice("sandbox-".length), ...words(sign, ":scope > text")])
    .filter(([name]) => !["lit", "dim", "selected"].includes(name));
  return [signs.map(sign => sign.join(" ")), words(node, ":scope > text")];
}
"""

FLYING = """
root => [...root.querySelectorAll(".sandbox-tokens > g")]
  .filter(token => token.getAttribute("visibility") === "visible")
  .map(token => {
    const [x, y] = token.getAttribute("transform").match(/-?[0-9.]+(?:e-?[0-9]+)?/g).map(Number);
    return [token.firstElementChild.classList[0].slice("sandbox-".length), token.textContent, x, y];
  })
"""


class Node(NamedTuple):
    """A part of the graph: its marks, each with what stands on it ("token_alive 3"), and the words around."""

    signs: list[str]
    words: list[str]


class Token(NamedTuple):
    """A copy on its way."""

    sign: str
    number: str
    x: float
    y: float


class _Line:
    """What ipywidgets calls a comm: keeps what Python sends until the page takes it."""

    def __init__(self) -> None:
        self.comm_id = uuid4().hex
        self.sent: deque[Any] = deque()
        self._hear: Callable[[Any], object] = lambda _: None

    def on_msg(self, hear: Callable[[Any], object]) -> None:
        self._hear = hear

    def send(self, data: Any = None, metadata: object = None, buffers: object = None) -> None:  # noqa: ARG002
        if data["method"] == "custom":
            self.sent.append(data["content"])

    def hear(self, content: object) -> None:
        data = {"method": "custom", "content": content}
        self._hear({"content": {"data": data}, "buffers": []})

    def close(self, *_args: object, **_more: object) -> None:
        """Nothing is to be done."""


class _Never:
    """A timer that does not ring: here a page is brought up to date when the test says so."""

    def __init__(self, seconds: float, call: object) -> None:
        pass

    def cancel(self) -> None:
        pass


def prepare(page: Page, *, dark: bool = False) -> None:
    """Make a blank page one on which front ends can be, and stop its time."""
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.evaluate(PREPARE, [code.stylesheet(), dark])


class FrontEnd:
    """The views of one broker on a prepared page; there may be several brokers on a page."""

    def __init__(self, page: Page, broker: Broker) -> None:
        self.page = page
        self.broker = broker
        self.player = broker._player
        for timed in (self.player._throttle, self.player._alarm):
            timed._later = _Never
            if timed._timer is not None:
                timed._timer.cancel()
        self._line = _Line()
        self.player.comm = self._line
        self._numbers = count(1)
        self.said: list[Any] = []  # by the page, so far
        state = {"name": self.player.name, "look": self.player.look, "start": self.player.start}
        page.evaluate(OPEN, [self.name, json.dumps(state, allow_nan=False)])
        self.pump()

    @property
    def name(self) -> str:
        return str(self.player.name)

    # ------------------------------------------------------------ time and messages

    def pump(self) -> int:
        """Carry messages both ways until nobody has anything to say; returns how many they were."""
        carried = 0
        self.player._throttle.now()
        for _ in range(100):
            texts = [json.dumps(content, allow_nan=False) for content in self._take()]
            heard = self.page.evaluate(EXCHANGE, [self.name, texts])
            for message in heard:
                self._line.hear(message)
            self.said += heard
            carried += len(heard) + len(texts)
            if not heard and not self._line.sent:
                return carried
        raise AssertionError(f"they never stop talking: {self.said[-4:]}")

    def _take(self) -> list[Any]:
        return [self._line.sent.popleft() for _ in range(len(self._line.sent))]

    def play(self, ms: int = FRAME) -> None:
        """Let so much time pass on the page, and deliver what comes of it."""
        self.pump()
        self.page.clock.run_for(ms)
        if self.pump():
            self.page.clock.run_for(FRAME)

    def settle(self, most: int = 60) -> None:
        """Let time pass until no token travels and all that has happened is seen."""
        self.play()
        for _ in range(most):
            if self.ask("player => !player.beat && player.shown.serial === player.last"):
                break
            self.play(HOP * 4)
        else:
            raise AssertionError("the picture does not come to rest")
        self.play()

    def finish(self) -> None:
        """Let a single token arrive."""
        self.play(HOP + FRAME)

    def tell(self, kind: str, *values: object) -> None:
        """An event of the model that is no message of the player's: `comm:close`, `destroy`."""
        self.page.evaluate(
            "([name, kind, values]) => fronts[name].tell(kind, ...values)", [self.name, kind, values]
        )

    def receive(self, message: object) -> None:
        """Something arrives as if the player had sent it."""
        self._line.sent.append(message)
        self.play()

    # ------------------------------------------------------------ views

    def show(self, *parts: str, scale: float = 1) -> Locator:
        """A new view of these regions, below the others."""
        view = f"view-{self.name}-{next(self._numbers)}"
        self.page.evaluate(SHOW, [self.name, view, list(parts), scale])
        self.page.evaluate(SIZED)
        self.play()
        return self.page.locator(f"[id='{view}']")

    def resize(self, width: int) -> None:
        """Make the page that wide."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.evaluate(SIZED)
        self.play()

    def hide(self, view: Locator) -> None:
        """End a view, as when its cell's output is cleared; its element stays, for a test to look into."""
        self.page.evaluate(HIDE, [self.name, view.get_attribute("id")])
        self.pump()

    # ------------------------------------------------------------ reading

    def ask(self, function: str, argument: object = None) -> Any:
        """What a JavaScript function says of the player on the page."""
        return self.page.evaluate(
            f"([name, argument]) => ({function})(window.fronts[name].player, argument)", [self.name, argument]
        )

    @property
    def root(self) -> Locator:
        """All views of this broker."""
        return self.page.locator(f"[id^='view-{self.name}']")

    def node(self, identity: str) -> Node | None:
        """What stands at a node of the first graph ("queue:work", "consumer:4:tag"); None: no such node."""
        found = self.root.locator(".sandbox-graph").first.evaluate(READ, identity)
        return None if found is None else Node(*found)

    def signs(self, identity: str) -> list[str]:
        """The marks of a node that must be there."""
        node = self.node(identity)
        assert node is not None, f"{identity} is not drawn"
        return node.signs

    def counts(self, queue: str) -> str:
        """The count beside a lane, in its own words."""
        node = self.node(f"queue:{queue}")
        assert node is not None, f"queue {queue} is not drawn"
        return next(words for words in node.words if "+" in words and not words.startswith("+"))

    @property
    def flying(self) -> list[Token]:
        """The tokens that travel in this moment."""
        return [Token(*found) for found in self.root.locator(".sandbox-graph").first.evaluate(FLYING)]

    @property
    def nodes(self) -> list[str]:
        """The ids of what is drawn, in their order."""
        found: list[str] = self.root.locator(".sandbox-graph").first.evaluate(
            "root => [...root.querySelectorAll('[data-node]')].map(node => node.dataset.node)"
        )
        return found

    @property
    def ledger(self) -> list[str]:
        """Both lines of the ledger; only the first before anything is published."""
        sums = self.root.locator(".sandbox-sum").all_inner_texts()
        return [text for text in sums if text]

    @property
    def band(self) -> str:
        """What the band says; "" if there is none."""
        band = self.root.locator(".sandbox-band").first
        return band.inner_text() if band.is_visible() else ""

    @property
    def clock(self) -> str:
        return self.root.locator(".sandbox-time strong").first.inner_text()

    @property
    def playhead(self) -> str:
        """What the slider tells of itself."""
        return self.root.locator(".sandbox-slider").first.get_attribute("aria-valuetext") or ""

    @property
    def serial(self) -> int:
        """Where the playhead stands."""
        return int(self.ask("player => player.shown.serial"))

    def focus(self, identity: str) -> Locator:
        """Give a node the keyboard."""
        node = self.root.locator(f"[data-node={json.dumps(identity)}]").first
        node.focus()
        return node

    def press(self, *keys: str) -> None:
        """Keys, one after the other, and what comes of them."""
        for key in keys:
            self.page.keyboard.press(key)
            self.play()
