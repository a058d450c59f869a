"""Bindings between exchanges, alternate exchanges and mandatory messages (E2E, AE, MAN)."""

import pytest

from tests.contract.target import Target


def unroutable(target: Target, exchange: str, routing_key: str = "key") -> bool:
    """Whether a mandatory message comes back."""
    returned = target.returns()
    target.publish("back", exchange, routing_key, mandatory=True)
    target.sync(target.channel)
    target.channel.events["basic_return"].clear()
    assert [back.message.body for back in returned] == ["back"] * len(returned)
    return bool(returned)


def with_alternate(target: Target, alternate: str, type: str = "direct", name: str = "") -> str:
    """An exchange that has an alternate exchange of that name."""
    return target.exchange(type, name, arguments={"alternate-exchange": alternate})


@pytest.mark.statement("E2E-1")
def test_cycle_and_diamond(target: Target) -> None:
    """E2E-1: each exchange is visited once, so that cycles end, and each queue gets one copy."""
    first, left, right, last = (target.exchange("fanout") for _ in range(4))
    link = target.channel.exchange_bind
    for destination, source in ((left, first), (right, first), (last, left), (last, right), (first, last)):
        link(destination, source)
    link(first, first)
    near, far = target.bound(first), target.bound(last)
    target.channel.queue_bind(far, left)

    target.publish("x", first)
    target.publish("y", last)

    target.expect(near, "x", "y")
    target.expect(far, "x", "y")


@pytest.mark.statement("E2E-2")
def test_delivered_as_published(target: Target) -> None:
    """E2E-2: a message bears the exchange and the key of its publishing, whatever exchanges it passed."""
    first, last = target.exchange("topic"), target.exchange("fanout")
    target.channel.exchange_bind(last, first, "a.*")
    queue = target.bound(last, "other")

    target.publish("not this", first, "b.b")
    target.publish("this", first, "a.b")

    (message,) = target.expect(queue, "this")
    assert message.delivery_info["exchange"] == first
    assert message.delivery_info["routing_key"] == "a.b"


@pytest.mark.statement("E2E-1")
def test_unbind_exchanges(target: Target) -> None:
    """E2E-1: a binding between exchanges follows the key, and ends when it is unbound."""
    first, last = target.exchange("direct"), target.exchange("fanout")
    queue = target.bound(last)
    target.channel.exchange_bind(last, first, "key")

    target.publish("bound", first, "key")
    target.channel.exchange_unbind(last, first, "key")
    target.publish("unbound", first, "key")

    target.expect(queue, "bound")


@pytest.mark.statement("AE-1")
def test_alternate_only_for_the_unrouted(target: Target) -> None:
    """AE-1: the alternate exchange gets what matches no binding, and nothing else."""
    alternate = target.exchange("fanout")
    main = with_alternate(target, alternate)
    bound, rest = target.bound(main, "known"), target.bound(alternate)

    target.publish("first", main, "known")
    target.publish("second", main, "unknown")

    target.expect(bound, "first")
    target.expect(rest, "second")


@pytest.mark.statement("AE-1")
def test_chain_of_alternates(target: Target) -> None:
    """AE-1: the chain is followed until an exchange routes; those after it get nothing."""
    last = target.exchange("fanout")
    third = with_alternate(target, last)
    second = with_alternate(target, third)
    first = with_alternate(target, second)
    at_third, at_last = target.bound(third, "c"), target.bound(last)

    target.publish("stops", first, "c")
    target.publish("goes on", first, "d")

    target.expect(at_third, "stops")
    target.expect(at_last, "goes on")


@pytest.mark.statement("AE-1", "AE-4")
def test_alternates_in_a_circle(target: Target) -> None:
    """AE-1, AE-4: the chain ends at an exchange that was visited; then the message is unroutable."""
    a, b = target.name("a"), target.name("b")
    with_alternate(target, b, name=a)
    with_alternate(target, a, name=b)
    itself = target.name("itself")
    with_alternate(target, itself, name=itself)
    queue = target.bound(a, "key")

    assert unroutable(target, a, "nothing")
    assert unroutable(target, itself, "nothing")
    assert not unroutable(target, b)
    target.expect(queue, "back")


@pytest.mark.statement("AE-2")
def test_a_matching_binding_is_a_destination(target: Target) -> None:
    """AE-2: a message that a binding takes to an exchange without queues is lost, alternate or not."""
    alternate, nowhere = target.exchange("fanout"), target.exchange("fanout")
    main = with_alternate(target, alternate)
    target.channel.exchange_bind(nowhere, main, "trap")
    rest = target.bound(alternate)

    assert unroutable(target, main, "trap")
    target.expect(rest)
    assert not unroutable(target, main, "free")
    target.expect(rest, "back")


@pytest.mark.statement("AE-2")
def test_alternate_of_an_exchange_behind(target: Target) -> None:
    """AE-2: but the exchange behind the binding has an alternate of its own."""
    alternate, unused = target.exchange("fanout"), target.exchange("fanout")
    behind = with_alternate(target, alternate)
    main = with_alternate(target, unused)
    target.channel.exchange_bind(behind, main, "key")
    rest, never = target.bound(alternate), target.bound(unused)

    target.publish("x", main, "key")

    target.expect(rest, "x")
    target.expect(never)


@pytest.mark.statement("AE-3")
def test_routed_by_the_alternate(target: Target) -> None:
    """AE-3: the alternate's queues count as routed; the message keeps its exchange and key."""
    alternate = target.exchange("fanout")
    main = with_alternate(target, alternate)
    queue = target.bound(alternate, "other")

    assert not unroutable(target, main, "unknown")

    (message,) = target.expect(queue, "back")
    assert message.delivery_info["exchange"] == main
    assert message.delivery_info["routing_key"] == "unknown"


@pytest.mark.statement("AE-4")
def test_alternate_that_is_not_there(target: Target) -> None:
    """AE-4: an alternate exchange may be missing, or come later; the default exchange has none."""
    later = target.name("later")
    main = with_alternate(target, later)

    assert unroutable(target, main)
    assert unroutable(target, "", target.name("nobody"))

    queue = target.bound(target.exchange("fanout", later))
    assert not unroutable(target, main)
    target.expect(queue, "back")


@pytest.mark.statement("AE-4", "D-13")
def test_alternate_of_a_dead_letter_exchange(target: Target) -> None:
    """AE-4, D-13: a dead letter that its exchange cannot route goes to the alternate."""
    alternate = target.exchange("fanout")
    dead = with_alternate(target, alternate)
    queue = target.bound(alternate)
    dying = target.queue(dead_letter_exchange=dead, max_length=0)

    target.publish("x", "", dying)

    (message,) = target.expect(queue, "x")
    assert message.delivery_info["exchange"] == dead
    assert message.delivery_info["routing_key"] == dying


@pytest.mark.statement("MAN-1")
def test_mandatory(target: Target) -> None:
    """MAN-1: a mandatory message without a queue comes back whole; one that is not is dropped."""
    exchange, returned = target.exchange("direct"), target.returns()
    queue = target.bound(exchange, "known")

    target.publish("dropped", exchange, "unknown")
    target.publish("arrives", exchange, "known", mandatory=True)
    target.publish(
        "comes back", exchange, "unknown", mandatory=True, headers={"a": 1}, message_id="m1", priority=3
    )
    target.sync(target.channel)

    ((code, text, where, key, message),) = returned
    assert (code, text, where, key) == (312, "NO_ROUTE", exchange, "unknown")
    assert message.body == "comes back"
    assert message.properties["application_headers"] == {"a": 1}
    assert message.properties["message_id"] == "m1"
    assert message.properties["priority"] == 3
    target.expect(queue, "arrives")
