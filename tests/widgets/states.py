"""Small brokers in which every state of a thing or of a message can be seen, each with the marks of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from amqp.exceptions import MessageNacked

from sandbox import Broker, ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable


def keep(*_: object) -> None:
    """What the consumers here do: nothing, so that they hold what they get."""


class Case(NamedTuple):
    """A way to bring a broker into a state; what it returns must live as long as the picture is looked at.

    `marks` are those that say it, by node: each the beginning of a mark, or of the words beside it.  `narrow`
    has the nodes of which a narrow picture shows other marks; None: it does not show them.
    """

    make: Callable[[Broker], Any]
    marks: dict[str, tuple[str, ...]]
    narrow: dict[str, tuple[str, ...] | None] = {}  # noqa: RUF012  (nobody writes to it)

    def wanted(self, *, narrow: bool) -> dict[str, tuple[str, ...] | None]:
        """The marks by node."""
        return {**self.marks, **self.narrow} if narrow else {**self.marks}


def broker(case: Case) -> tuple[Broker, Any]:
    """A new broker in this state, and what keeps it there."""
    made = Broker(clock=ManualClock())
    return made, case.make(made)


# ---------------------------------------------------------------- publishers and exchanges


def publishers(broker: Broker) -> Any:
    broker.queue("work", max_length=2, overflow="reject-publish")
    broker.publish("a", routing_key="nowhere", mandatory=True)
    form = broker.connection(name="form")
    channel = form.channel()
    for _ in range(3):
        with suppress(MessageNacked):
            channel.basic_publish_confirm(channel.prepare_message("m"), routing_key="work")
    return form


def types(broker: Broker) -> None:
    for kind in ("direct", "fanout", "topic", "headers"):
        broker.exchange(f"{kind}-x", kind)
        broker.queue(
            f"{kind}-q",
            exchange=f"{kind}-x",
            routing_key={"direct": "new", "topic": "order.*.#"}.get(kind, ""),
        )
    broker.bind("direct-q", "headers-x", "", {"x-match": "any", "region": "eu", "size": 3})
    broker.bind("topic-q", "headers-x", "", {"x-match": "all", "region": "eu"})
    broker.publish("a", exchange="topic-x", routing_key="order.a.b")


def default(broker: Broker) -> None:
    broker.queue("work")
    broker.publish("a", routing_key="work")
    broker.publish("b", routing_key="nowhere")


def exchanges(broker: Broker) -> None:
    broker.exchange("rest", "fanout")
    broker.queue("orphans", exchange="rest")
    broker.exchange("orders", "topic", alternate_exchange="rest")
    broker.exchange("inner", "direct", internal=True)
    broker.bind("inner", "orders", "eu.#")
    broker.queue("eu", exchange="inner", routing_key="eu.new")
    broker.exchange("alone", "fanout")
    broker.publish("a", exchange="orders", routing_key="eu.new")
    broker.publish("b", exchange="orders", routing_key="us.new")
    broker.publish("c", exchange="alone")
    broker.publish("d", exchange="alone")


def unbound(broker: Broker) -> None:
    broker.exchange("alone")
    broker.queue("plain")


# ---------------------------------------------------------------- dead letters


def dead_letters(broker: Broker) -> Any:
    broker.exchange("graveyard", "fanout")
    broker.queue("dead", exchange="graveyard", dead_letter_exchange="graveyard")
    broker.queue("work", message_ttl=10, max_length=2, dead_letter_exchange="graveyard")
    for body in "abc":
        broker.publish(body, routing_key="work")
    held = broker.get("dead")
    assert held is not None
    held.reject()
    consumer = broker.consume("work", keep, prefetch_count=1)
    broker.publish("d", routing_key="work")
    broker.advance(4)
    return consumer


def one_death(broker: Broker) -> None:
    broker.exchange("graveyard", "fanout")
    broker.queue("dead", exchange="graveyard")
    broker.queue("work", message_ttl=1, dead_letter_exchange="graveyard")
    broker.publish("a", routing_key="work")
    broker.advance(1)


def no_such_exchange(broker: Broker) -> None:
    broker.queue("work", message_ttl=5, dead_letter_exchange="nowhere")
    broker.publish("a", routing_key="work")


# ---------------------------------------------------------------- queues and their copies


def lanes(broker: Broker) -> None:
    for name, copies in (("empty", 0), ("twelve", 12), ("thirteen", 13), ("many", 112)):
        broker.queue(name)
        for number in range(copies):
            broker.publish(number, routing_key=name)


def bars(broker: Broker) -> Any:
    broker.queue("work")
    for number in range(40):
        broker.publish(number, routing_key="work")
    return broker.consume("work", keep, prefetch_count=20)


def limits(broker: Broker) -> None:
    broker.queue("limited", max_length=3)
    broker.queue("roomy", max_length=100)
    for number in range(4):
        broker.publish(number, routing_key="limited")
        broker.publish(number, routing_key="roomy")


def chips(broker: Broker) -> None:
    broker.queue("plain")
    broker.queue("short", message_ttl=10, max_length=3, max_priority=5)
    single = {"x-single-active-consumer": True}
    broker.queue("all-options", message_ttl=10, max_length=3, max_priority=5, expires=100, arguments=single)
    broker.queue("lonely", expires=60, arguments=single)


def copies(broker: Broker) -> None:
    broker.queue("work", max_priority=12)
    broker.publish("plain", routing_key="work")
    broker.publish("urgent", routing_key="work", priority=9)
    broker.publish("very urgent", routing_key="work", priority=12)
    broker.queue("again")
    for _ in range(3):
        broker.publish("a", routing_key="again")
    for held in (3, 2, 2, *(1,) * 9):  # in the end they came back 12 times, 3 times and once
        channel = broker.channel()
        for _ in range(held):
            channel.basic_get("again")
        channel.close()


def times_to_live(broker: Broker) -> None:
    broker.queue("work")
    broker.publish("plain", routing_key="work")
    for seconds in (2, 8, 20, 400):
        broker.publish("m", routing_key="work", expiration=seconds)
    broker.advance(4)


# ---------------------------------------------------------------- consumers


def consumers(broker: Broker) -> Any:
    for name in ("sealed", "open", "full", "unlimited", "auto"):
        broker.queue(name)
        broker.publish(name, routing_key=name)
    broker.publish("more", routing_key="full")
    kept = [broker.consume(name, keep, prefetch_count=3) for name in ("sealed", "open")]
    kept.append(broker.consume("full", keep, prefetch_count=1))
    kept.append(broker.consume("unlimited", keep))
    kept.append(broker.consume("auto", keep, no_ack=True))
    kept[1].drain()
    return kept


def standby(broker: Broker) -> Any:
    broker.queue("work", arguments={"x-single-active-consumer": True})
    broker.publish("a", routing_key="work")
    return [broker.consume("work", keep, prefetch_count=2) for _ in range(2)]


def channels(broker: Broker) -> Any:
    broker.queue("work")
    broker.queue("jobs")
    for queue in ("work", "jobs", "jobs"):
        broker.publish("a", routing_key=queue)
    channel = broker.channel()
    channel.basic_qos(0, 2, False)
    for queue in ("work", "jobs"):
        channel.basic_consume(queue, f"{queue}-reader", callback=keep)
    return channel


def hands(broker: Broker) -> Any:
    broker.queue("work")
    for body in "abc":
        broker.publish(body, routing_key="work")
    return [broker.get("work"), broker.get("work")]


CASES = {
    "publishers": Case(
        publishers,
        {
            "publisher:you": ("you", "1 sent", "return_arrow", "1 returned"),
            "publisher:form": ("form", "3 sent", "confirmed", "2 confirmed", "nacked", "1 nacked"),
            "exchange:": ("type_direct", "default"),
        },
        {"publisher:you": None, "publisher:form": None},
    ),
    "types": Case(
        types,
        {f"exchange:{kind}-x": (f"type_{kind}", kind) for kind in ("direct", "fanout", "topic", "headers")},
    ),
    "default": Case(
        default, {"exchange:": ("type_direct", "default", "token_lost 2", "1 lost: no such queue")}
    ),
    "exchanges": Case(
        exchanges,
        {
            "exchange:alone": ("token_lost 4", "2 lost: no binding"),
            "exchange:inner": ("type_direct",),
            "queue:orphans": ("token_alive 2",),
        },
    ),
    "unbound": Case(unbound, {"exchange:alone": ("type_direct",), "queue:plain": ("0 ",)}),
    "dead letters": Case(
        dead_letters,
        {
            "queue:dead": ("diamond_alive 1", "deaths 2"),
            "queue:work": ("hollow 2", "token_alive 3", "TTL 10 s", "max 2"),
        },
    ),
    "one death": Case(one_death, {"queue:dead": ("diamond_alive 1", "deaths 1")}),
    "no such exchange": Case(no_such_exchange, {"queue:work": ("token_alive 1",)}),
    "lanes": Case(
        lanes,
        {
            "queue:empty": ("0 ",),
            "queue:twelve": ("token_alive 12", "12 "),
            "queue:thirteen": ("token_alive 17", "+8", "13 "),
            "queue:many": ("+107", "112 "),
        },
        {"queue:twelve": ("+10", "12 "), "queue:thirteen": ("+11", "13 "), "queue:many": ("+110", "112 ")},
    ),
    "bars": Case(
        bars,
        {"queue:work": ("hollow 5", "+15", "+20"), "consumer:3:consumer-1": ("gate", "+15")},
        {"queue:work": ("hollow 2", "+38"), "consumer:3:consumer-1": ("gate", "+18")},
    ),
    "limits": Case(limits, {"queue:limited": ("3 ", "max 3"), "queue:roomy": ("4 ", "max 100")}),
    "chips": Case(
        chips,
        {
            "queue:short": ("max 3", "TTL 10 s", "priority"),
            "queue:all-options": ("max 3", "+2"),
            "queue:lonely": ("expires 60 s", "single active"),
        },
        {
            "queue:short": ("max 3", "+2"),
            "queue:all-options": ("max 3", "+4"),
            "queue:lonely": ("expires 60 s", "+1"),
        },
    ),
    "copies": Case(
        copies,
        {
            "queue:work": ("token_alive 1", "priority_2 12", "priority_1 9"),
            "queue:again": ("again", "again 3", "again 9+"),
        },
    ),
    "times to live": Case(times_to_live, {"queue:work": ("token_dead 2", "clock", "token_alive 3")}),
    "consumers": Case(
        consumers,
        {
            "queue:sealed": ("hollow 1",),
            "consumer:3:consumer-1": ("token_alive 1", "envelope", "socket", "1 of 3"),
            "consumer:4:consumer-2": ("token_alive 2", "socket"),
            "consumer:5:consumer-3": ("gate", "full (1 of 1)"),
            "consumer:6:consumer-4": ("token_alive 4", "no limit"),
            "consumer:7:consumer-5": ("tick", "no ack"),
        },
        {
            "consumer:3:consumer-1": ("ch 3 · 1 of 3",),
            "consumer:5:consumer-3": ("gate", "ch 5 · full (1 of 1)"),
            "consumer:6:consumer-4": ("ch 6 · 1 held",),
            "consumer:7:consumer-5": ("tick", "ch 7 · 1 received"),
        },
    ),
    "stand-by": Case(
        standby,
        {"consumer:4:consumer-2": ("stand-by",)},
        {"consumer:4:consumer-2": ("ch 4 · stand-by",)},
    ),
    "channels": Case(
        channels,
        {
            "channel:3": ("ch 3",),
            "consumer:3:work-reader": ("envelope",),
            "consumer:3:jobs-reader": ("gate",),
        },
        {"channel:3": ()},
    ),
    "hands": Case(
        hands,
        {
            "hand:3": ("palm", "token_alive 1", "token_alive 2", "from work"),
            "queue:work": ("hollow 1", "hollow 2"),
        },
        {"hand:3": ("palm", "token_alive 1", "token_alive 2", "ch 3 · from work")},
    ),
}

#: Marks that mean different things, each by its case, its node and its place in it.
MARKS = {
    "ready": ("copies", "queue:work", '[data-message="1"]'),
    "of priority 9": ("copies", "queue:work", '[data-message="2"]'),
    "came back": ("copies", "queue:again", '[data-message="6"]'),
    "came back three times": ("copies", "queue:again", '[data-message="5"]'),
    "will expire": ("times to live", "queue:work", '[data-message="4"]'),
    "expired": ("times to live", "queue:work", '[data-message="2"]'),
    "held, seat": ("consumers", "queue:sealed", ".sandbox-hollow"),
    "held, sealed": ("consumers", "consumer:3:consumer-1", '[data-message="1"]'),
    "free socket": ("consumers", "consumer:3:consumer-1", ".sandbox-socket"),
    "died": ("one death", "queue:dead", '[data-message="1"]'),
    "died twice": ("dead letters", "queue:dead", '[data-message="1"]'),
    "lost": ("default", "exchange:", ".sandbox-token_lost"),
    "done": ("consumers", "consumer:7:consumer-5", ".sandbox-tick"),
    "gate": ("consumers", "consumer:5:consumer-3", ".sandbox-gate"),
    "hand": ("hands", "hand:3", ".sandbox-palm"),
    "confirmed": ("publishers", "publisher:form", ".sandbox-confirmed"),
    "nacked": ("publishers", "publisher:form", ".sandbox-nacked"),
    "returned": ("publishers", "publisher:you", ".sandbox-return_arrow"),
    **{
        kind: ("types", f"exchange:{kind}-x", f".sandbox-type_{kind}")
        for kind in ("direct", "fanout", "topic", "headers")
    },
}
