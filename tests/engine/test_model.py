"""Values: what AMQP can carry, what equals what, and what the x-arguments say."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.engine.errors import PreconditionFailed, Unencodable
from sandbox.engine.model import (
    LONGEST_TTL,
    Binding,
    ExchangeOptions,
    QueueOptions,
    copy_table,
    freeze,
    parse_expiration,
    type_name,
)
from tests.engine.bench import CALM

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.just(b"\xff")  # no text
    | st.just(MOMENT)
    | st.just(Decimal("1.5"))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
#: So few that two of them are often the same, or differ in a type alone.
few = st.recursive(
    st.sampled_from([1, True, 1.0, "1", b"\xff", None]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner),
    max_leaves=3,
)


def containers(value: Any) -> set[int]:
    """The identities of every list and table in a value."""
    if isinstance(value, Mapping):
        return {id(value)}.union(*map(containers, value.values()))
    if isinstance(value, list):
        return {id(value)}.union(*map(containers, value))
    return set()


@CALM
@given(values)
def test_copy_is_equal_and_shares_nothing(value: Any) -> None:
    """A copied table is equal to the last type, and no change of one shows in the other."""
    twin = copy_table(value)

    assert freeze(twin) == freeze(value)
    assert not containers(value) & containers(twin)


def test_tuples_become_lists() -> None:
    """A tuple goes over the wire as an array, at any depth."""
    assert copy_table({"a": (1, (2,))}) == {"a": [1, [2]]}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, object(), {1, 2}, {"a": [object()]}, {1: "a"}])
def test_what_amqp_cannot_carry(value: Any) -> None:
    """A value without a type in AMQP is refused before the broker sees it."""
    with pytest.raises(Unencodable):
        copy_table(value)


@CALM
@given(few, few)
def test_freeze_tells_types_apart(one: Any, other: Any) -> None:
    """EX-24: two values are the same if type and value are, at every depth; the image can be hashed."""
    assert hash(freeze(one)) == hash(freeze(copy_table(one)))
    assert (freeze(one) == freeze(other)) == same(one, other)


def same(one: Any, other: Any) -> bool:
    """The same type and the same value."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def test_one_is_four_things() -> None:
    """EX-24: 1, True, 1.0 and "1" are four different values."""
    assert len({freeze(value) for value in (1, True, 1.0, "1")}) == 4
    assert len({freeze([value]) for value in (1, True, 1.0, "1")}) == 4
    assert len({freeze({"a": value}) for value in (1, True, 1.0, "1")}) == 4


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "bool"),
        (2**31 - 1, "signedint"),
        (-(2**31), "signedint"),
        (2**31, "long"),
        (1.0, "double"),
        ("a", "longstr"),
        (b"a", "binary"),
        (None, "void"),
        ({}, "table"),
        ([], "array"),
        ((), "array"),
        (MOMENT, "timestamp"),
        (Decimal(1), "decimal"),
    ],
)
def test_names_of_types(value: Any, name: str) -> None:
    """U-2: types have RabbitMQ's names in its error texts."""
    assert type_name(value) == name


@CALM
@given(st.integers(0, LONGEST_TTL), st.sampled_from(["", "+"]), st.integers(0, 3))
def test_expirations(milliseconds: int, sign: str, zeros: int) -> None:
    """TTL-1: digits with an optional sign and any zeros before are milliseconds."""
    assert parse_expiration(f"{sign}{'0' * zeros}{milliseconds}") == milliseconds


@CALM
@given(st.text(alphabet='+-0123456789 aé."\\\u0661', max_size=6))
def test_expirations_are_all_or_nothing(text: str) -> None:
    """TTL-1: any other text is refused, quoted as it was given."""
    bare = text.removeprefix("+")
    if bare and set(bare) <= set("0123456789"):
        assert parse_expiration(text) == int(bare)
    elif text == "-" + "0" * (len(text) - 1) and len(text) > 1:
        assert parse_expiration(text) == 0
    else:
        with pytest.raises(PreconditionFailed) as caught:
            parse_expiration(text)
        assert str(caught.value).startswith(f"PRECONDITION_FAILED - invalid expiration '{text}': ")


def test_identity_of_bindings() -> None:
    """EX-2: bindings are the same if source, destination, kind, key and typed arguments are."""
    binding = Binding("x", "q", "k", {"a": 1})

    assert binding == Binding("x", "q", "k", {"a": 1})
    assert hash(binding) == hash(Binding("x", "q", "k", {"a": 1}))
    others = [
        Binding("y", "q", "k", {"a": 1}),
        Binding("x", "r", "k", {"a": 1}),
        Binding("x", "q", "l", {"a": 1}),
        Binding("x", "q", "k", {"a": True}),
        Binding("x", "q", "k", {"a": 1.0}),
        Binding("x", "q", "k"),
        Binding("x", "q", "k", {"a": 1}, to_exchange=True),
    ]
    assert len({binding, *others}) == 8
    assert binding != "x"


@pytest.mark.parametrize("value", [Binding("x", "q"), ExchangeOptions("direct"), QueueOptions()])
def test_values_do_not_change(value: Any) -> None:
    """A value, once made, stays as it is."""
    name = next(iter(type(value).__dataclass_fields__))
    with pytest.raises(AttributeError):
        setattr(value, name, "other")


@CALM
@given(st.integers(0, LONGEST_TTL), st.integers(1, LONGEST_TTL))
def test_times_are_seconds(ttl: int, expires: int) -> None:
    """TTL-1: `x-message-ttl` and `x-expires` are milliseconds; the engine counts seconds."""
    options = QueueOptions.parse(
        "q",
        durable=True,
        exclusive=False,
        auto_delete=True,
        arguments={"x-message-ttl": ttl, "x-expires": expires, "x-foo": "bar"},
    )

    assert options.message_ttl is not None
    assert options.expires is not None
    assert math.isclose(options.message_ttl * 1000, ttl)
    assert math.isclose(options.expires * 1000, expires)
    assert (options.durable, options.exclusive, options.auto_delete) == (True, False, True)
    assert options.arguments["x-foo"] == "bar"


def test_options_keep_no_hold_on_the_caller() -> None:
    """Options do not change with the table that they were read from."""
    arguments: dict[str, Any] = {"x-message-ttl": 1000}
    options = QueueOptions.parse("q", durable=False, exclusive=False, auto_delete=False, arguments=arguments)

    arguments["x-message-ttl"] = 5

    assert options.arguments == {"x-message-ttl": 1000}
    options.check_equivalent("q", durable=False, auto_delete=False, arguments={"x-message-ttl": 1000})


def test_an_exclusive_queue_has_no_durability() -> None:
    """U-4: the durable flag of an exclusive queue is ignored."""
    options = QueueOptions(exclusive=True)

    options.check_equivalent("q", durable=True, auto_delete=False, arguments={})
