"""Headers exchanges (EX-20 to EX-24), and the headers CC and BCC."""

from typing import Any

import pytest
from amqp.exceptions import PreconditionFailed

from tests.contract.target import Target

Table = dict[str, Any]


def matched(target: Target, bindings: dict[str, Table], headers: Table | None) -> set[str]:
    """The names of the bindings that a message with these headers matches."""
    exchange = target.exchange("headers")
    queues = {name: target.bound(exchange, "ignored", arguments) for name, arguments in bindings.items()}
    target.publish("x", exchange, "another key", headers=headers)
    target.sync(target.channel)
    return {name for name, queue in queues.items() if target.get(queue) is not None}


@pytest.mark.statement("EX-20")
def test_x_match(target: Target) -> None:
    """EX-20: `x-match` says whether all or any of the headers must be there; without it, all."""
    two = {"a": 1, "b": 2}
    bindings: dict[str, Table] = {
        "all": {"x-match": "all", **two},
        "default": two,
        "any": {"x-match": "any", **two},
        "all-with-x": {"x-match": "all-with-x", **two},
        "any-with-x": {"x-match": "any-with-x", **two},
    }
    any_of_them = {"any", "any-with-x"}

    assert matched(target, bindings, two) == set(bindings)
    assert matched(target, bindings, {"a": 1, "b": 3}) == any_of_them
    assert matched(target, bindings, {"b": 2}) == any_of_them
    assert matched(target, bindings, {"a": 2, "b": 1}) == set()
    assert matched(target, bindings, None) == set()


@pytest.mark.statement("EX-20")
def test_x_match_is_checked(target: Target) -> None:
    """EX-20: any other value of `x-match` is refused."""
    queue = target.queue()
    for value, text in (
        ("foo", 'Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x'),
        (1, "Invalid x-match field type signedint (value 1); expected longstr"),
    ):
        target.refused(
            PreconditionFailed,
            text,
            target.channel.queue_bind,
            queue,
            "amq.headers",
            "",
            arguments={"x-match": value},
        )


@pytest.mark.statement("EX-20")
def test_x_match_is_checked_first(target: Target) -> None:
    """EX-20: the conditions are looked at before it is asked whose the queue is."""
    queue = target.queue(channel=target.new_connection().channel(), exclusive=True)

    target.refused(
        PreconditionFailed,
        "Invalid x-match field type signedint (value 1); expected longstr",
        target.channel.queue_bind,
        queue,
        "amq.headers",
        "",
        arguments={"x-match": 1},
    )


@pytest.mark.statement("EX-21")
def test_headers_with_x(target: Target) -> None:
    """EX-21: conditions on headers that begin with `x-` count only for the two `…-with-x`."""
    conditions = {"x-a": 1, "b": 2}
    bindings = {
        match: {"x-match": match, **conditions} for match in ("all", "any", "all-with-x", "any-with-x")
    }

    assert matched(target, bindings, {"b": 2}) == {"all", "any", "any-with-x"}
    assert matched(target, bindings, {"x-a": 1}) == {"any-with-x"}
    assert matched(target, bindings, {"x-a": 1, "b": 2}) == set(bindings)
    assert matched(target, bindings, {"x-match": "all-with-x"}) == set()


@pytest.mark.statement("EX-22")
def test_no_conditions(target: Target) -> None:
    """EX-22: all of no conditions always hold, any of none never does."""
    bindings: dict[str, Table] = {
        "nothing": {},
        "all": {"x-match": "all"},
        "any": {"x-match": "any"},
        "all of x": {"x-match": "all", "x-a": 1},
        "any of x": {"x-match": "any", "x-a": 1},
        "all-with-x": {"x-match": "all-with-x"},
        "any-with-x": {"x-match": "any-with-x"},
    }
    always = {"nothing", "all", "all of x", "all-with-x"}

    assert matched(target, bindings, None) == always
    assert matched(target, bindings, {"a": 1, "x-a": 1}) == always


@pytest.mark.statement("EX-23")
def test_null_means_present(target: Target) -> None:
    """EX-23: a condition without a value asks only that the header is there."""
    bindings: dict[str, Table] = {
        "all": {"x-match": "all", "a": None, "b": 2},
        "any": {"x-match": "any", "a": None, "b": 2},
    }

    for value in (1, "text", False, None, 1.5, [1], {"in": "side"}):
        assert matched(target, bindings, {"a": value}) == {"any"}
        assert matched(target, bindings, {"a": value, "b": 2}) == {"all", "any"}
    assert matched(target, bindings, {"b": 2}) == {"any"}
    assert matched(target, bindings, {"c": 1}) == set()


@pytest.mark.statement("EX-24")
def test_values_have_types(target: Target) -> None:
    """EX-24: values of different types are different; 1 and 1.0 were equal before 4."""
    bindings: dict[str, Table] = {
        "text": {"a": "1"},
        "integer": {"a": 1},
        "true": {"a": True},
        "float": {"a": 1.0},
        "array": {"a": [1]},
        "table": {"a": {"b": 1}},
    }

    assert matched(target, bindings, {"a": "1"}) == {"text"}
    assert matched(target, bindings, {"a": True}) == {"true"}
    assert matched(target, bindings, {"a": False}) == set()
    assert matched(target, bindings, {"a": 1}) == ({"integer"} if target.since(4) else {"integer", "float"})
    assert matched(target, bindings, {"a": 1.0}) == ({"float"} if target.since(4) else {"integer", "float"})
    assert matched(target, bindings, {"a": [1]}) == {"array"}
    assert matched(target, bindings, {"a": {"b": 1}}) == {"table"}


@pytest.mark.statement("EX-24")
def test_what_does_not_matter(target: Target) -> None:
    """EX-24: neither the routing key nor further headers of the message matter."""
    exchange = target.exchange("headers")
    queue = target.bound(exchange, "some.key", {"a": 1})

    target.publish("other key", exchange, "", headers={"a": 1})
    target.publish("more headers", exchange, "x", headers={"a": 1, "b": 2, "x-c": 3})
    target.publish("same key", exchange, "some.key", headers={"A": 1})

    target.expect(queue, "other key", "more headers")


@pytest.mark.statement("CC")
def test_cc_and_bcc(target: Target) -> None:
    """CC: both headers hold further routing keys; every copy has the first key, and nobody sees BCC."""
    to, cc, bcc, other = (target.queue() for _ in range(4))

    target.publish("x", "", to, headers={"CC": [cc, to], "BCC": [bcc], "note": 1})

    for queue in (to, cc, bcc):
        (message,) = target.expect(queue, "x")
        assert message.delivery_info["routing_key"] == to
        assert message.headers == {"CC": [cc, to], "note": 1}
    target.expect(other)


@pytest.mark.statement("CC")
def test_cc_of_a_topic_exchange(target: Target) -> None:
    """CC: the keys are matched as routing keys are, and one queue still gets one copy."""
    exchange = target.exchange("topic")
    one, both = target.bound(exchange, "a.*"), target.bound(exchange, "*.b")

    target.publish("x", exchange, "none", headers={"CC": ["a.b"], "BCC": ["c.b"]})
    target.publish("y", exchange, "none", headers={"BCC": ["c.b", 7]})

    target.expect(one, "x")
    target.expect(both, "x", "y")


@pytest.mark.statement("CC")
@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_cc_is_an_array(target: Target, header: str) -> None:
    """CC: what is no array is refused."""
    for value, kind in (("a", "longstr"), (5, "signedint"), ({"a": 1}, "table")):
        target.refused(
            PreconditionFailed,
            f'invalid message: {{unacceptable_type_in_header,"{header}",{kind}}}',
            target.publish,
            "x",
            "",
            "nobody",
            headers={header: value},
        )
