"""The live picture moves as the broker does: tokens travel, counts follow, and the playhead goes anywhere."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from amqp.exceptions import MessageNacked
from playwright.sync_api import expect

from tests.widgets.page import FRAME, HOP, FrontEnd, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox import Broker

    Open = Callable[[Broker], FrontEnd]

PARTS = ("clock", "graph", "ledger", "band", "depth", "inspector", "log")


def keep(*_: object) -> None:
    """What consumers do here: hold it."""


def shop(broker: Broker) -> Broker:
    """An exchange, and two queues that both get what is for Europe."""
    broker.exchange("orders", "topic")
    broker.queue("eu", exchange="orders", routing_key="eu.#")
    broker.queue("all", exchange="orders", routing_key="#")
    return broker


def numbers(tokens: Iterable[Token]) -> list[str]:
    return [token.number for token in tokens]


# ---------------------------------------------------------------- tokens


def test_a_message_travels_splits_and_counts_when_it_lands(front: Open, still: Broker) -> None:
    """From the publisher to the exchange, then to each queue; nothing is counted before it has arrived."""
    page = front(shop(still))
    page.show(*PARTS)
    still.publish("a", "orders", "eu.new")

    page.play(HOP // 2)
    (token,) = page.flying
    assert (token.sign, token.number) == ("token_alive", "1")
    assert page.ledger[0] == "nothing published yet"
    assert page.node("publisher:you") is not None, "a publisher comes with its first message"

    page.play(HOP)
    assert numbers(page.flying) == ["1", "1"]
    one, other = page.flying
    assert one.x > token.x
    assert one.y != other.y
    assert page.ledger[0] == "1 published = 1 on its way"
    assert (page.counts("eu"), page.counts("all")) == ("0 ready + 0 unacked",) * 2
    assert page.signs("queue:eu") == page.signs("queue:all") == []

    page.play(HOP)
    assert page.flying == []
    assert (page.counts("eu"), page.counts("all")) == ("1 ready + 0 unacked",) * 2
    assert page.signs("queue:eu") == page.signs("queue:all") == ["token_alive 1"]
    assert page.ledger == ["1 published = 1 routed", "2 copies = 2 ready"]


def test_a_delivery_leaves_a_hollow_seat_and_an_ack_a_tick(front: Open, still: Broker) -> None:
    """The copy goes into a socket, its seat stays hollow; acked, it is a tick that goes after a moment."""
    still.queue("work")
    still.publish("a", routing_key="work")
    page = front(still)
    page.show(*PARTS)
    reader = still.consume("work", lambda _body, message: message.ack(), prefetch_count=2)

    page.play(HOP // 2)
    assert numbers(page.flying) == ["1"]
    assert page.signs("queue:work") == ["hollow 1"]
    assert page.counts("work") == "1 ready + 0 unacked"
    holder = next(node for node in page.nodes if node.startswith("consumer:"))
    assert page.signs(holder) == ["socket", "socket"]

    page.settle()
    assert page.signs(holder) == ["token_alive 1", "envelope", "socket"]
    assert page.counts("work") == "0 ready + 1 unacked"
    assert page.ledger[1] == "1 copy = 1 unacked"

    reader.drain()
    page.play()
    flash = page.root.locator("[data-flash] .sandbox-tick")
    expect(flash).to_have_count(1)
    assert page.signs(holder) == ["socket", "socket"]
    assert page.signs("queue:work") == []
    assert page.ledger[1] == "1 copy = 1 done"
    page.play(700)
    expect(flash).to_have_count(0)


def test_closing_a_channel_brings_all_it_held_back(front: Open, still: Broker) -> None:
    """Every held copy slides into its hollow seat, and has a badge from then on."""
    still.queue("work")
    for body in "abc":
        still.publish(body, routing_key="work")
    reader = still.consume("work", keep, prefetch_count=2)
    page = front(still)
    page.show(*PARTS)
    assert page.signs("queue:work") == ["hollow 1", "hollow 2", "token_alive 3"]

    reader.close()
    page.play(HOP // 2)
    assert sorted(numbers(page.flying)) == ["1", "2"]
    assert page.signs("queue:work") == ["hollow 1", "hollow 2", "token_alive 3"]
    page.settle()
    assert page.signs("queue:work") == ["token_alive 1", "again", "token_alive 2", "again", "token_alive 3"]
    assert page.counts("work") == "3 ready + 0 unacked"
    assert not [node for node in page.nodes if node.startswith(("consumer:", "channel:"))]


def test_an_expired_message_dies_along_the_return_track(front: Open, still: Broker) -> None:
    """As a diamond it goes below the rows to its exchange, and then has one death."""
    still.exchange("graveyard", "fanout")
    still.queue("dead", exchange="graveyard")
    still.queue("work", message_ttl=5, dead_letter_exchange="graveyard")
    still.publish("a", routing_key="work")
    page = front(still)
    page.show(*PARTS)
    lane = page.root.locator('[data-node="queue:work"] > path').first
    bottom = lane.evaluate("path => path.getBBox().y + path.getBBox().height")

    still.advance(5)
    page.play(HOP // 2)
    (token,) = page.flying
    assert (token.sign, token.number) == ("diamond_alive", "1")
    assert token.y > bottom, "it travels below its row"
    page.play(HOP // 4)
    (later,) = page.flying
    assert later.x < token.x - 20, "to the left, where its exchange is"
    page.settle()
    assert page.signs("queue:dead") == ["diamond_alive 1", "deaths 1"]
    assert page.ledger[1] == "2 copies = 1 ready + 1 dead-lettered"


@pytest.mark.parametrize(
    ("options", "act", "sign", "ledger"),
    [
        ({"message_ttl": 5}, "expire", "token_dead", "1 copy = 1 expired"),
        ({"max_length": 1}, "publish", "token_lost", "2 copies = 1 ready + 1 dropped"),
        (
            {"max_length": 1, "overflow": "reject-publish"},
            "publish",
            "token_lost",
            "2 copies = 1 ready + 1 refused",
        ),
        ({}, "reject", "token_lost", "1 copy = 1 dropped"),
        ({}, "purge", "token_dead", "1 copy = 1 removed"),
    ],
)
def test_what_leaves_falls(
    front: Open, still: Broker, options: dict[str, object], act: str, sign: str, ledger: str
) -> None:
    """A copy that goes through a door other than `done` is seen to fall, and to fade."""
    still.queue("work", **options)  # type: ignore[arg-type]
    still.publish("a", routing_key="work")
    held = still.get("work") if act == "reject" else None
    page = front(still)
    page.show(*PARTS)
    if act == "publish":
        still.publish("b", routing_key="work")
        page.play(HOP + FRAME)
    elif act == "expire":
        still.advance(5)
    elif act == "purge":
        still.purge("work")
    elif held is not None:
        held.reject()

    for _ in range(30):  # until it is on its way down
        page.play(FRAME)
        if sign in [token.sign for token in page.flying]:
            break
    token = next(token for token in page.flying if token.sign == sign)
    page.play(HOP // 2)
    later = next(found for found in page.flying if found.sign == sign)
    assert (later.y - token.y > 5) or later.x != token.x
    assert float(page.root.locator(".sandbox-tokens > g[opacity]").first.get_attribute("opacity") or 1) <= 1
    page.settle()
    assert page.flying == []
    assert page.ledger[1] == ledger


@pytest.mark.parametrize(
    ("options", "act", "sign"),
    [
        ({"message_ttl": 5}, "expire", "diamond_dead"),
        ({"max_length": 1}, "overflow", "diamond_lost"),
        ({}, "reject", "diamond_lost"),
        ({}, "purge", "diamond_dead"),
        ({}, "ack", "diamond_done"),
    ],
)
def test_a_dead_letter_stays_a_diamond(
    front: Open, still: Broker, options: dict[str, object], act: str, sign: str
) -> None:
    """Whatever becomes of it in the end."""
    still.exchange("graveyard", "fanout")
    still.queue("dead", exchange="graveyard", **options)  # type: ignore[arg-type]
    still.queue("work", dead_letter_exchange="graveyard")
    still.publish("a", routing_key="work")
    still.get("work").reject()  # type: ignore[union-attr]
    held = still.get("dead") if act in {"reject", "ack"} else None
    page = front(still)
    page.show("graph")
    if act == "expire":
        still.advance(5)
    elif act == "overflow":
        still.publish("b", "graveyard")
    elif act == "purge":
        still.purge("dead")
    elif held is not None:
        getattr(held, act)()
    for _ in range(40):
        if page.root.locator(f".sandbox-tokens .sandbox-{sign}").count():
            break
        page.play(FRAME)
    else:
        pytest.fail(f"no {sign} was seen")


def test_what_nobody_wants_is_lost_or_returned(front: Open, still: Broker) -> None:
    """It falls below the exchange, where the last one stays; a mandatory one comes back to its publisher."""
    page = front(shop(still))
    page.show(*PARTS)
    still.exchange("nothing")
    still.publish("a", "nothing")
    page.play(HOP + HOP // 2)
    assert [(token.sign, token.number) for token in page.flying] == [("token_lost", "1")]
    page.settle()
    assert page.node("exchange:nothing") == (
        ["type_direct", "token_lost 1"],
        ["nothing", "direct", "1 lost: no binding"],
    )

    still.publish("b", "nothing", mandatory=True)
    page.play(HOP + FRAME)
    (start,) = page.flying
    page.play(HOP // 2)
    (token,) = page.flying
    assert (token.sign, token.x < start.x) == ("token_returned", True)
    page.settle()
    publisher = page.node("publisher:you")
    assert publisher is not None
    assert publisher.words[-2:] == ["2 sent", "1 returned"]
    assert page.ledger == ["2 published = 1 returned + 1 lost", "0 copies = 0"]


def test_an_answer_flashes_at_its_publisher(front: Open, still: Broker) -> None:
    """A tick for a confirm, a bar for a nack; then the counts."""
    still.queue("work", max_length=1, overflow="reject-publish")
    channel = still.connection(name="form").channel()
    page = front(still)
    page.show(*PARTS)
    for sign, refused in (("confirmed", False), ("nacked", True)):
        with pytest.raises(MessageNacked) if refused else nullcontext():
            channel.basic_publish_confirm(channel.prepare_message("m"), routing_key="work")
        page.play(2 * HOP + 2 * FRAME)
        expect(page.root.locator(f"[data-flash] .sandbox-{sign}")).to_have_count(1)
        page.play(700)
        expect(page.root.locator("[data-flash]")).to_have_count(0)
    publisher = page.node("publisher:form")
    assert publisher is not None
    assert publisher.words == ["form", "2 sent", "1 confirmed", "1 nacked"]


def test_only_what_matters_is_drawn_and_what_was_taken_is_thicker(front: Open, still: Broker) -> None:
    """RabbitMQ's own exchanges are not there before they are used; a line that nothing took is thin."""
    page = front(shop(still))
    page.show("graph")
    still.publish("a", "orders", "us.new")
    page.settle()
    assert set(page.nodes) == {"publisher:you", "exchange:orders", "queue:eu", "queue:all"}
    widths = page.root.locator(".sandbox-edges > g").evaluate_all(
        "lines => Object.fromEntries(lines.map(line => [line.textContent,"
        " Number(line.querySelector('path').getAttribute('stroke-width'))]))"
    )
    assert widths["eu.#"] < widths["#"]

    still.publish("b", "amq.topic", "x")
    page.settle()
    assert "exchange:amq.topic" in page.nodes
