"""The routing table: whoever sees rows instead of the graph is told the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Broker
    from tests.widgets.page import FrontEnd

    Open = Callable[[Broker], FrontEnd]


@pytest.fixture
def rows(front: Open, still: Broker) -> Callable[[], list[list[str]]]:
    """Shows the table of the broker; its rows, as they are read."""
    page = front(still)
    page.resize(420)
    page.show("graph")

    def read() -> list[list[str]]:
        page.settle()
        table = page.root.locator(".sandbox-table tbody tr")
        return [row.inner_text().split("\t") for row in table.all()]

    return read


def test_a_queue_is_there_beside_an_exchange_of_its_name(
    still: Broker, rows: Callable[[], list[list[str]]]
) -> None:
    """What leads to an exchange does not lead to the queue that is called the same."""
    still.exchange("orders", "topic")
    still.exchange("work", "topic")
    still.queue("work")
    still.connection().channel().exchange_bind("work", "orders", "#")
    assert rows() == [["orders", "#", "work", "", ""], ["", "", "work", "0 + 0", ""]]


def test_all_ways_of_a_message_are_rows(still: Broker, rows: Callable[[], list[list[str]]]) -> None:
    """Bindings with what they compare, second ways, dead letters, what was lost, and what leads nowhere."""
    still.exchange("alone", "direct")
    still.exchange("rest", "fanout")
    still.exchange("by-header", "headers", alternate_exchange="rest")
    still.queue("left", exchange="rest")
    still.queue("work", dead_letter_exchange="nowhere", dead_letter_routing_key="dead")
    still.bind("work", "by-header", arguments={"x-match": "any", "size": 3, "of\u202e": "\u202ex"})
    still.publish("a", "by-header", headers={"size": 3})
    still.publish("b", "alone", "nobody")
    assert rows() == [
        ["alone", "1 lost: no binding", "", "", ""],
        ["rest", "everything", "left", "0 + 0", ""],
        ["by-header", "any: size=3, of\\u202e=\\u202ex (1)", "work", "1 + 0", ""],
        ["by-header", "if nothing matches", "rest", "", ""],
        ["work", "dead letters, as dead", "nowhere (no such exchange)", "", ""],
    ]


def test_publishers_stand_above_and_an_empty_broker_says_how_to_begin(front: Open, still: Broker) -> None:
    """As the narrow graph does."""
    page = front(still)
    page.resize(420)
    page.show("graph")
    table = page.root.locator(".sandbox-table")
    expect(table).to_contain_text("Nothing is declared yet. Begin with")
    expect(table.locator("table")).to_be_hidden()
    still.exchange("orders")
    page.settle()
    assert [row.inner_text() for row in table.locator("tbody tr").all()] == ["orders\tnothing is bound\t\t\t"]
    expect(table).not_to_contain_text("Nothing is declared", use_inner_text=True)
    still.publish("a", "orders")
    page.settle()
    expect(table.locator(".sandbox-publishers")).to_have_text("you 1 sent")


def test_lists_have_one_tab_stop_and_keep_the_focus(front: Open, still: Broker) -> None:
    """Arrows go from line to line; the line with the focus keeps it while others come."""
    still.queue("work")
    for number in range(4):
        still.publish(number, routing_key="work")
    page = front(still)
    page.show("graph", "log", "program")
    for number in range(3):
        page.ask("(player, number) => void player.command('publish', {body: `${number}`})", number)
    page.settle()
    page.root.get_by_role("button", name="Routing table").click()
    page.play()
    for region in (".sandbox-log", ".sandbox-program", ".sandbox-table"):
        buttons = page.root.locator(f"{region} :is(ol, table) button")
        assert buttons.count() > 1
        expect(
            page.root.locator(f"{region} :is(ol, table) :is([tabindex='0'], ol)[tabindex='0']")
        ).to_have_count(1)

    lines = page.root.locator(".sandbox-log li button")
    lines.last.focus()
    page.press("ArrowUp", "ArrowUp", "ArrowDown")
    text = lines.nth(-2).inner_text()
    focused = "document.activeElement.innerText"
    assert page.page.evaluate(focused) == text
    still.publish("more", routing_key="work")
    page.settle()
    assert page.page.evaluate(focused) == text
    assert lines.nth(-2).inner_text() != text
    page.press("Home")
    assert page.page.evaluate(focused) == lines.first.inner_text()
    page.press("Enter")
    assert (page.serial, page.page.evaluate(focused)) == (1, lines.first.inner_text())
