"""Every state of a thing and of a message is seen, can be read, and looks like no other."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import Broker, ManualClock
from tests.browser import looks
from tests.widgets.page import FrontEnd, prepare
from tests.widgets.states import CASES, MARKS, broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

#: Copies of marks, large, each by itself on the page's ground.  They lack the messages' numbers, by which any
#: two would differ; but a seat keeps it, for having one tells it from a socket.
SHEET = """
places => {
  const svg = (name, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  for (const [index, [id, node, selector]] of places.entries()) {
    const mark = document.querySelector(`[id^="view-${id}"] [data-node="${node}"] ${selector}`);
    const heart = mark.querySelector("[class*=token], [class*=diamond]") ?? mark;
    const [ground, box] = [mark.ownerSVGElement, heart].map(element => element.getBoundingClientRect());
    const [x, y] = [(box.left + box.right) / 2 - ground.left, (box.top + box.bottom) / 2 - ground.top];
    const copy = mark.cloneNode(true);
    for (const text of copy.querySelectorAll("[class*=token] > text, [class*=diamond] > text")) text.remove();
    const view = {viewBox: `${x - 16} ${y - 16} 32 32`, width: 96, height: 96};
    const picture = svg("svg", {id: `mark-${index}`, ...view}, copy);
    picture.style.background = "var(--sandbox-page)";
    document.getElementById("root").prepend(picture);
  }
}
"""

#: The part by which a mark stands out: the first one, unless that only sets it off from what is below it.
OUTLINES = (
    ".sandbox-nodes g[class^=sandbox-]:not(.sandbox-again, .sandbox-return_arrow) > path:first-child,"
    ":is(.sandbox-again, .sandbox-return_arrow) > path:nth-child(2)"
)

#: One node of each kind.
EACH_KIND = """
player => [...new Map(player.geometry().layout.nodes.map(({kind, id}) => [kind, id])).values()]
"""

#: px between a bracket and its channel's consumer, in a narrow picture.
ROOM = 3

#: The least difference of two marks without colours; a digit on a badge makes more, the same mark 0.
DIFFERENT = 0.003


class Gallery:
    """All cases on one page, below each other."""

    def __init__(self, page: Page, *, width: int, dark: bool) -> None:
        page.set_viewport_size({"width": width, "height": 800})
        prepare(page, dark=dark)
        self.kept: list[Any] = []
        self.fronts: dict[str, FrontEnd] = {}
        for name, case in CASES.items():
            made, kept = broker(case)
            self.kept += made, kept
            self.fronts[name] = FrontEnd(page, made)
            self.fronts[name].show("graph", "ledger")
        self.root = page.locator("#root")


@pytest.fixture
def gallery(module_page: Page) -> Iterator[Callable[[int, bool], Gallery]]:
    """Opens the gallery, so wide and so dark."""
    galleries = []

    def open_one(width: int, dark: bool) -> Gallery:
        galleries.append(Gallery(module_page, width=width, dark=dark))
        return galleries[-1]

    yield open_one
    for opened in galleries:
        for front in opened.fronts.values():
            front.broker.close()


def crowded(front: FrontEnd, *, narrow: bool) -> list[tuple[str, str]]:
    """The things of one row that stand too close to each other."""
    things = front.ask("(player, narrow) => player.geometry(narrow).layout.nodes", narrow)
    return [
        (one["id"], other["id"])
        for one, other in combinations(things, 2)
        if _apart(one, other, "x", "width") < ROOM and _apart(one, other, "y", "height") < 0
    ]


def _apart(one: dict[str, Any], other: dict[str, Any], start: str, size: str) -> float:
    """How much room there is between two things in one direction; less than nothing if they overlap."""
    return float(max(one[start] - other[start] - other[size], other[start] - one[start] - one[size]))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [500, 1100])
def test_every_state_can_be_read(gallery: Callable[[int, bool], Gallery], width: int, dark: bool) -> None:
    """Each state has its marks; no text lies over another, is cut, faint or a box; no mark is faint."""
    shown = gallery(width, dark)
    lacking = []
    for name, case in CASES.items():
        for node, marks in case.wanted(narrow=width < 640).items():
            found = shown.fronts[name].node(node)
            parts = [] if found is None else [*found.signs, *found.words]
            if marks is None:
                lacking += [f"{name}: {node} is there"] * (found is not None)
            elif found is None or not all(any(part.startswith(mark) for part in parts) for mark in marks):
                lacking.append(f"{name}: {node} should have {marks}, has {parts}")

    assert lacking == []
    assert [pair for front in shown.fronts.values() for pair in crowded(front, narrow=width < 640)] == []
    assert looks.problems(shown.root) == []
    assert looks.faint_marks(shown.root, OUTLINES) == []


def test_marks_differ_without_colours(gallery: Callable[[int, bool], Gallery]) -> None:
    """Whoever sees no colours can tell each mark from all others."""
    shown = gallery(1100, False)
    page = shown.root.page
    page.evaluate(SHEET, [[shown.fronts[case].name, *place] for case, *place in MARKS.values()])
    signatures = {name: looks.signature(page.locator(f"#mark-{index}")) for index, name in enumerate(MARKS)}

    differences = {
        (one, other): looks.difference(signatures[one], signatures[other])
        for one, other in combinations(signatures, 2)
    }
    assert {pair: found for pair, found in differences.items() if found < DIFFERENT} == {}


def test_forced_colours_keep_outlines_and_signs(gallery: Callable[[int, bool], Gallery]) -> None:
    """In the system's own colours every mark still stands out."""
    shown = gallery(1100, False)
    shown.root.page.emulate_media(forced_colors="active")
    assert looks.faint_marks(shown.root, OUTLINES) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [500, 1100])
def test_all_regions_can_be_read(module_page: Page, width: int, dark: bool) -> None:
    """What stands around the picture, live and in the past; the inspector of each kind of thing."""
    module_page.set_viewport_size({"width": width, "height": 900})
    prepare(module_page, dark=dark)
    made, kept = broker(CASES["dead letters"])
    front = FrontEnd(module_page, made)
    root = front.show("clock", "graph", "ledger", "band", "depth", "log", "program", "status")
    front.ask("player => void player.command('publish', {body: 'hello', routing_key: 'work'})")
    front.ask("player => void player.command('get', {queue: 'nowhere'})")
    front.settle()
    assert looks.problems(root) == []
    front.ask("player => player.seek(player.last - 8)")
    root.get_by_role("button", name="table", exact=True).click()
    front.play()
    assert looks.problems(root) == []
    front.hide(root)
    inspector = front.show("inspector")
    for selected in [*front.ask(EACH_KIND), "message:1"]:
        front.ask("(player, selected) => player.select(selected)", selected)
        front.play()
        assert looks.problems(inspector) == [], selected
    del kept


@pytest.mark.parametrize("width", [560, 780, 1100])
def test_a_wide_picture_scrolls_and_is_not_shrunk(module_page: Page, width: int) -> None:
    """Three exchanges one behind the other need more room than there is; 11 px stay 11 px."""
    module_page.set_viewport_size({"width": width, "height": 900})
    prepare(module_page)
    with Broker(clock=ManualClock()) as made:
        for name in ("first-of-three", "second-of-three", "third-of-three"):
            made.exchange(name, "topic")
        channel = made.connection().channel()
        channel.exchange_bind("second-of-three", "first-of-three", "order.#")
        channel.exchange_bind("third-of-three", "second-of-three", "order.#")
        made.queue("work", exchange="third-of-three", routing_key="order.#")
        made.publish("a", "first-of-three", "order.new")
        front = FrontEnd(module_page, made)
        root = front.show("graph")
        front.settle()
        size = root.locator(".sandbox-graph svg").evaluate(
            "svg => 11 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"
        )
        assert size >= 11
        assert module_page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            "only the graph scrolls"
        )
