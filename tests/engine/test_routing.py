"""Exchanges: which bindings match, against oracles of a few lines and over all short cases."""

import random
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.engine.model import Binding, ExchangeOptions
from sandbox.engine.routing import DirectExchange, FanoutExchange, HeadersExchange, TopicExchange, words
from tests.engine.bench import CALM, Bench

ALPHABET = ("a", "b", "*", "#", "")


def all_keys() -> list[str]:
    """Every key of at most four words over the alphabet, the empty key included."""
    return sorted({".".join(key) for length in range(5) for key in product(ALPHABET, repeat=length)})


def matches(pattern: list[str], key: list[str]) -> bool:
    """TOP: the reference algorithm, as it agreed with two servers."""
    if not pattern:
        return not key
    if pattern[0] == "#":
        return matches(pattern[1:], key) or (bool(key) and matches(pattern, key[1:]))
    return bool(key) and pattern[0] in ("*", key[0]) and matches(pattern[1:], key[1:])


def split(key: str) -> list[str]:
    """TOP-1: the empty key has no words."""
    return key.split(".") if key else []


# ---------------------------------------------------------------- topic


def test_topic_matches_as_the_reference() -> None:
    """TOP-1 to TOP-6: every short pattern against every short key, again while bindings come and go."""
    patterns = [pattern for pattern in all_keys() if split(pattern).count("#") <= TopicExchange.MOST_HASHES]
    keys = all_keys()
    truth = {key: {pattern for pattern in patterns if matches(split(pattern), split(key))} for key in keys}
    exchange = TopicExchange("x", ExchangeOptions("topic"))
    bindings = {pattern: Binding("x", "q", pattern) for pattern in patterns}
    chance = random.Random(1)  # noqa: S311  (the same at every run)

    for pattern in chance.sample(patterns, len(patterns)):
        exchange.check(bindings[pattern])
        exchange.add(bindings[pattern])
    bound = set(patterns)
    for share in (1, 3, 3):
        for key in keys[::share]:
            found = [binding.routing_key for binding in exchange.match((key,), {})]
            assert len(found) == len(set(found)), key
            assert set(found) == truth[key] & bound, key
        for pattern in chance.sample(sorted(bound), len(bound) // 2):
            exchange.remove(bindings[pattern])
            bound.remove(pattern)


def test_the_trie_forgets_what_is_unbound() -> None:
    """A topic exchange whose bindings are all gone keeps nothing of them."""
    exchange = TopicExchange("x", ExchangeOptions("topic"))
    bindings = [Binding("x", "q", key) for key in all_keys()]
    for binding in bindings:
        exchange.add(binding)

    random.Random(2).shuffle(bindings)  # noqa: S311  (the same at every run)
    for binding in bindings:
        exchange.remove(binding)

    assert not exchange.bindings
    assert not exchange._root.children
    assert not exchange._root.bindings


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("#", ["", "a", "a.b", "."], []),
        ("#.#", ["", "a", "a.b"], []),
        ("*", ["a", "#", "*"], ["", "a.b", "."]),
        ("a.#", ["a", "a.b", "a.b.c", "a."], ["", "b", "ab"]),
        ("#.a", ["a", "b.a", ".a"], ["", "a.b"]),
        ("a.#.b", ["a.b", "a.x.b", "a..b"], ["a", "b"]),
        ("#.*", ["a", "a.b"], [""]),
        ("a.*", ["a.", "a.b", "a.*"], ["a", "a.b.c"]),
        ("*.*", [".", "a."], ["", ".."]),
        ("a.", ["a."], ["a", "a.b", "a.."]),
        ("*..*", ["..", "a..b"], ["a.x.b", "."]),
        ("a*", ["a*"], ["a", "ab", "a.b"]),
        ("a.b#", ["a.b#"], ["a.b", "a.b.c"]),
        ("Größe.*", ["Größe.x"], ["größe.x"]),
    ],
)
def test_topic_examples(pattern: str, yes: list[str], no: list[str]) -> None:
    """TOP-1 to TOP-7: the cases that were observed, named one by one."""
    exchange = TopicExchange("x", ExchangeOptions("topic"))
    exchange.add(Binding("x", "q", pattern))

    assert [key for key in yes if not exchange.match((key,), {})] == []
    assert [key for key in no if exchange.match((key,), {})] == []


def test_words() -> None:
    """TOP-1, TOP-4: the empty key has no words; a dot at an end stands beside an empty one."""
    assert words("") == []
    assert words("a.") == ["a", ""]
    assert words(".") == ["", ""]


# ---------------------------------------------------------------- direct and fanout


@CALM
@given(st.lists(st.tuples(st.sampled_from(["", "a", "A", "b", "#"]), st.booleans()), max_size=20))
def test_direct_is_equality(steps: list[tuple[str, bool]]) -> None:
    """EX-1: a direct binding matches its own key to the letter, in whatever order bindings come and go."""
    exchange = DirectExchange("x", ExchangeOptions("direct"))
    bound: list[Binding] = []
    for key, adding in steps:
        binding = Binding("x", "q", key)
        if adding and binding not in bound:
            exchange.add(binding)
            bound.append(binding)
        elif not adding and binding in bound:
            exchange.remove(binding)
            bound.remove(binding)
        for sought in ("", "a", "A", "b", "#", "c"):
            assert exchange.match((sought,), {}) == [b for b in bound if b.routing_key == sought]


def test_fanout_ignores_the_key() -> None:
    """EX-1: a fanout exchange sends to every binding, in the order in which they were made."""
    exchange = FanoutExchange("x", ExchangeOptions("fanout"))
    bindings = [Binding("x", name, key) for name, key in (("c", "1"), ("a", ""), ("b", "#"))]
    for binding in bindings:
        exchange.add(binding)

    assert exchange.match(("whatever",), {"a": 1}) == bindings


@pytest.mark.parametrize("kind", [DirectExchange, TopicExchange, HeadersExchange, FanoutExchange])
def test_matches_come_in_the_order_of_binding(kind: type[DirectExchange]) -> None:
    """The bindings that match stand in the order in which they were made, on every type of exchange."""
    exchange = kind("x", ExchangeOptions("direct"))
    bindings = [Binding("x", name, "k") for name in "cabed"]
    for binding in bindings:
        exchange.add(binding)
    exchange.remove(bindings[1])
    exchange.add(bindings[1])

    assert [binding.destination for binding in exchange.match(("k",), {})] == ["c", "b", "e", "d", "a"]


# ---------------------------------------------------------------- headers

MODES = ("all", "any", "all-with-x", "any-with-x")

header_names = st.sampled_from(["a", "b", "c", "x-a", "x-b"])
plain = st.sampled_from([1, True, 1.0, "1", None, 0, False, "", b"1", [1], [True], {"k": 1}, {"k": 1.0}])
tables = st.dictionaries(header_names, plain, max_size=4)


def passes(arguments: dict[str, Any], headers: dict[str, Any]) -> bool:
    """EX-20 to EX-24, told again: which arguments count, and whether all or any of them are met."""
    mode = arguments.get("x-match", "all")
    counted = {
        name: wanted
        for name, wanted in arguments.items()
        if name != "x-match" and (not name.startswith("x-") or mode.endswith("with-x"))
    }
    met = [
        name in headers
        and (wanted is None or repr(wanted) == repr(headers[name]))  # 1, 1.0, True, "1" differ
        for name, wanted in counted.items()
    ]
    return all(met) if mode in ("all", "all-with-x") else any(met)


@CALM
@given(st.lists(st.tuples(tables, st.sampled_from([None, *MODES])), max_size=6), tables)
def test_headers_match_as_the_statements(
    wanted: list[tuple[dict[str, Any], str | None]], headers: dict[str, Any]
) -> None:
    """EX-20 to EX-24: the bindings that match are those that the statements name, with types compared."""
    exchange = HeadersExchange("x", ExchangeOptions("headers"))
    for number, (arguments, mode) in enumerate(wanted):
        if mode is not None:
            arguments["x-match"] = mode
        binding = Binding("x", str(number), "", arguments)
        exchange.check(binding)
        exchange.add(binding)

    found = [int(binding.destination) for binding in exchange.match(("ignored",), headers)]
    assert found == [number for number, (arguments, _) in enumerate(wanted) if passes(arguments, headers)]


@pytest.mark.parametrize(
    ("arguments", "headers", "expected"),
    [
        ({}, {}, True),
        ({"x-match": "any"}, {}, False),
        ({"x-match": "any"}, {"a": 1}, False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": None}, {"a": 7}, True),
        ({"a": None}, {}, False),
        ({"x-match": "all", "x-a": 1}, {}, True),
        ({"x-match": "all-with-x", "x-a": 1}, {}, False),
        ({"x-match": "all-with-x", "x-a": 1}, {"x-a": 1}, True),
        ({"x-match": "any", "x-a": 1}, {"x-a": 1}, False),
        ({"x-match": "any-with-x", "x-a": 1}, {"x-a": 1}, True),
        ({"x-match": "any", "a": 1, "b": 2}, {"b": 2}, True),
    ],
)
def test_headers_examples(arguments: dict[str, Any], headers: dict[str, Any], expected: bool) -> None:
    """EX-20 to EX-24: the cases that were observed, named one by one."""
    exchange = HeadersExchange("x", ExchangeOptions("headers"))
    exchange.add(Binding("x", "q", "", arguments))

    assert bool(exchange.match(("k",), headers)) is expected


def test_hashes_are_counted_as_words(bench: Bench) -> None:
    """TOP-9: `a#` holds no wildcard, so that only whole words count against the limit of two."""
    bench.queue()
    bench.exchange("x", "topic")

    bench.bind("q", "x", "a#.#b.##.#.c#.#")

    assert bench.publish(key="a#.#b.##.c#", exchange="x").queues == ("q",)
