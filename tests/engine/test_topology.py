"""Topology: where a message goes, from every exchange, after every change."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.engine import topology as module
from sandbox.engine.model import Binding, ExchangeOptions, QueueOptions
from sandbox.engine.queues import Queue
from sandbox.engine.topology import Route, Topology
from tests.engine.bench import CALM, Bench, assert_whole

TYPES = {"d": "direct", "f": "fanout", "t": "topic", "h": "headers", "e": "direct"}
KEYS = ["", "a", "a.b", "#", "*.b"]
HEADERS: list[dict[str, Any]] = [{}, {"a": 1}, {"a": True}]

name = st.sampled_from(sorted(TYPES))
queue_name = st.sampled_from(["q", "r", "a"])
key = st.sampled_from(KEYS)
step = st.one_of(
    st.tuples(st.just("exchange"), name),
    st.tuples(st.just("queue"), queue_name),
    st.tuples(st.just("bind"), name, queue_name, key, st.just(False), st.sampled_from(HEADERS)),
    st.tuples(st.just("bind"), name, name, key, st.just(True), st.sampled_from(HEADERS)),
    st.tuples(st.just("unbind"), st.integers(0, 9)),
    st.tuples(st.just("rebuild")),
)


def queue(of: str) -> Queue:
    """A queue that only has a name."""
    return Queue(of, QueueOptions(), None, 0.0)


def remake(topology: Topology) -> Topology:
    """A topology of the same exchanges, queues and bindings that was never asked for a route."""
    twin = Topology()
    for exchange in topology.exchanges.values():
        if not exchange.name.startswith("amq."):
            twin.add_exchange(exchange.name, exchange.options)
    for each in topology.queues.values():
        twin.add_queue(each)
    for binding in topology.bindings():
        twin.add_binding(binding)
    return twin


def walk(topology: Topology, start: str, key: str, headers: Mapping[str, Any]) -> set[str]:
    """E2E-1, told again: the queues that can be reached over bindings that match."""
    if not start:
        return {key} & set(topology.queues)
    seen, reached, waiting = {start}, set(), [start]
    while waiting:
        for binding in topology.exchanges[waiting.pop()].match((key,), headers):
            if not binding.to_exchange:
                reached.add(binding.destination)
            elif binding.destination not in seen:
                seen.add(binding.destination)
                waiting.append(binding.destination)
    return reached


def change(topology: Topology, act: str, given: tuple[Any, ...]) -> None:
    """Do one step, if it is possible; declaring what exists deletes it."""
    bindings = list(topology.bindings())
    if act == "exchange" and given[0] in topology.exchanges:
        for binding in [b for b in bindings if given[0] in (b.source, b.to_exchange and b.destination)]:
            topology.remove_binding(binding)
        topology.remove_exchange(given[0])
    elif act == "exchange":
        topology.add_exchange(given[0], ExchangeOptions(TYPES[given[0]]))
    elif act == "queue" and given[0] in topology.queues:
        for binding in topology.bindings_to(given[0]):
            topology.remove_binding(binding)
        topology.remove_queue(given[0])
    elif act == "queue":
        topology.add_queue(queue(given[0]))
    elif act == "bind":
        source, destination, routing_key, to_exchange, arguments = given
        binding = Binding(source, destination, routing_key, arguments, to_exchange=to_exchange)
        known = topology.exchanges if to_exchange else topology.queues
        if source in topology.exchanges and destination in known and binding not in bindings:
            topology.add_binding(binding)
    elif act == "unbind" and bindings:
        topology.remove_binding(bindings[given[0] % len(bindings)])
    elif act == "rebuild":
        topology.rebuild(bindings)


@settings(CALM, max_examples=80)
@given(st.lists(step, min_size=5, max_size=30))
def test_routes_are_never_stale(steps: list[tuple[Any, ...]]) -> None:
    """E2E-1, TOP-8: after any change a route is what a fresh topology says, however often it was asked."""
    topology = Topology()
    for act, *given_here in [*(("exchange", each) for each in TYPES), ("queue", "q"), *steps]:
        change(topology, act, tuple(given_here))
        fresh = remake(topology)
        for exchange in ["", *(each for each in topology.exchanges if each in TYPES)]:
            for headers in HEADERS:
                for routing_key in ("a", "a.b"):
                    route = topology.route(exchange, (routing_key,), headers)
                    assert route == Route(*fresh.route(exchange, (routing_key,), headers))
                    assert set(route.queues) == walk(topology, exchange, routing_key, headers)
                    assert len(route.queues) == len(set(route.queues))
                    assert [target.queue for target in route.targets] == [
                        topology.queues[each] for each in route.queues
                    ]


def test_routes_are_remembered_up_to_a_bound(bench: Bench) -> None:
    """A route is looked up once per key until the topology changes, and endless keys fill no memory."""
    bench.queue()
    bench.exchange("x", "topic")
    bench.bind("q", "x", "#")
    topology = bench.engine._moves.topology

    first = topology.route("x", ("k",), {})
    assert topology.route("x", ("k",), {}) is first
    for number in range(module.MOST_ROUTES + 5):
        topology.route("x", (str(number),), {})

    assert len(topology._routes) <= module.MOST_ROUTES
    assert topology.route("x", ("k",), {}).queues == ("q",)


def test_headers_behind_another_exchange(bench: Bench) -> None:
    """EX-24: one key goes two ways if a headers exchange stands anywhere behind."""
    bench.queue("one")
    bench.queue("two")
    bench.exchange("x", "fanout")
    bench.exchange("h", "headers")
    assert bench.publish(exchange="x").queues == ()
    bench.link("x", "h")
    bench.bind("one", "h", a=1)
    bench.bind("two", "h", a=2)

    assert bench.publish(exchange="x", headers={"a": 1}).queues == ("one",)
    assert bench.publish(exchange="x", headers={"a": 2}).queues == ("two",)
    assert bench.publish(exchange="x", headers={}).queues == ()


def test_one_copy_however_many_bindings(bench: Bench) -> None:
    """TOP-8, EX-2: several bindings that match, and one made twice, bring one copy, and all are named."""
    bench.queue()
    bench.exchange("x", "topic")
    for each in ("a.*", "a.*", "#", "b"):
        bench.bind("q", "x", each)

    published = bench.publish(key="a.b", exchange="x")

    assert published.queues == ("q",)
    assert bench.ready() == ["m"]
    event = bench.engine.history.filter(kind="routed")[0]
    assert [binding.routing_key for binding in event.what.bindings] == ["a.*", "#"]


def test_cycles_and_diamonds(bench: Bench) -> None:
    """E2E-1: each exchange is visited once, so that cycles are harmless and a diamond brings one copy."""
    bench.queue()
    for each in ("top", "left", "right", "bottom"):
        bench.exchange(each, "fanout")
    for source, destination in (
        ("top", "left"),
        ("top", "right"),
        ("left", "bottom"),
        ("right", "bottom"),
        ("bottom", "top"),
        ("top", "top"),
    ):
        bench.link(source, destination)
    bench.bind("q", "bottom")

    assert bench.publish(exchange="top").queues == ("q",)
    assert bench.ready() == ["m"]
    assert_whole(bench.engine)


def test_what_is_delivered_names_the_first_exchange(bench: Bench) -> None:
    """E2E-2: exchange and key of a delivery are those of the publish, whatever it came through."""
    bench.queue()
    bench.exchange("x", "direct")
    bench.exchange("y", "fanout")
    bench.link("x", "y", "k")
    bench.bind("q", "y", "other")
    bench.publish(key="k", exchange="x")

    message = bench.fetch().message
    assert (message.exchange, message.routing_key) == ("x", "k")


def test_headers_of_bindings_differ_by_type(bench: Bench) -> None:
    """EX-2: bindings differ if their arguments do; unbinding must repeat them, else it does nothing."""
    bench.queue()
    bench.exchange("x", "headers")
    bench.bind("q", "x", a=1)
    bench.bind("q", "x", a=True)

    bench.unbind("q", "x")
    bench.unbind("q", "x", a=1.0)
    assert bench.publish(exchange="x", headers={"a": 1}).queues == ("q",)
    bench.unbind("q", "x", a=1)
    assert bench.publish(exchange="x", headers={"a": 1}).queues == ()
    assert bench.publish(exchange="x", headers={"a": True}).queues == ("q",)


def test_default_exchange_knows_every_queue(bench: Bench) -> None:
    """EX-3, EX-4: a queue is bound to the default exchange by its name; a message for no queue is lost."""
    bench.queue("some queue")

    assert bench.publish(key="some queue").queues == ("some queue",)
    assert bench.publish(key="other").queues == ()
    assert bench.ledger.lost == 1


def test_predeclared_exchanges(bench: Bench) -> None:
    """EX-6: the exchanges of a fresh virtual host are there, and work."""
    bench.queue()
    for exchange in ("amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"):
        bench.bind("q", exchange, "k")
        assert bench.publish(key="k", exchange=exchange).queues == ("q",)
