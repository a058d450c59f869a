"""Topic exchanges (TOP)."""

from collections.abc import Collection

import pytest
from amqp.exceptions import PreconditionFailed

from tests.contract.target import Target

PATTERNS = (
    *("", "#", "*", "a", "a.b", "a.b.c", "a.*", "*.a", "*.b", "*.*", "*.*.*", "a.#", "#.a", "#.b", "a.#.b"),
    *(
        "a.*.b",
        "#.*",
        "*.#",
        "#.#",
        "a.",
        ".a",
        ".",
        "..",
        "*..*",
        "#.a.#",
        "a*",
        "a.b#",
        "a.*.#",
        "*.#.b",
        "#.*.#",
    ),
)
KEYS = (
    "",
    "a",
    "b",
    "a.b",
    "a.b.c",
    "a.c.b",
    "b.a",
    "a.",
    ".a",
    ".",
    "..",
    "a..b",
    "#",
    "*",
    "a.*",
    "a*",
    "A",
)


def words(text: str) -> list[str]:
    return text.split(".") if text else []


def matches(pattern: list[str], key: list[str]) -> bool:
    """The reference, as RabbitMQ's documentation has it: word by word."""
    if not pattern:
        return not key
    if pattern[0] == "#":
        return matches(pattern[1:], key) or (bool(key) and matches(pattern, key[1:]))
    return bool(key) and pattern[0] in {"*", key[0]} and matches(pattern[1:], key[1:])


def routed(target: Target, patterns: Collection[str], keys: Collection[str]) -> dict[str, set[str]]:
    """For each key, the patterns whose queue got the message."""
    exchange = target.exchange("topic")
    queues = {pattern: target.bound(exchange, pattern) for pattern in patterns}
    for key in keys:
        target.publish(key, exchange, key)
    target.sync(target.channel)
    found: dict[str, set[str]] = {key: set() for key in keys}
    for pattern, queue in queues.items():
        while (message := target.get(queue)) is not None:
            found[message.body].add(pattern)
    return found


@pytest.mark.statement("TOP-1", "TOP-2", "TOP-3", "TOP-4", "TOP-5", "TOP-6")
def test_reference(target: Target) -> None:
    """TOP-1 to TOP-6: thirty patterns and seventeen keys match as the reference says."""
    assert (len(set(PATTERNS)), len(set(KEYS))) == (30, 17)

    assert routed(target, PATTERNS, KEYS) == {
        key: {pattern for pattern in PATTERNS if matches(words(pattern), words(key))} for key in KEYS
    }


@pytest.mark.statement("TOP-1")
def test_empty_key(target: Target) -> None:
    """TOP-1: an empty routing key has no words: it is matched by nothing and by any number of them only."""
    assert routed(target, ["", "#", "#.#", "*", "#.*", "*.#", "a", "."], [""]) == {"": {"", "#", "#.#"}}


@pytest.mark.statement("TOP-2")
def test_hash(target: Target) -> None:
    """TOP-2: `#` stands for no word, one or more, at every place of a binding."""
    found = routed(target, ["a.#", "#.a", "a.#.b", "#.*"], ["", "a", "a.b", "a.x.b", "a.x.y.b", "x.y.a"])

    assert found[""] == set()
    assert found["a"] == {"a.#", "#.a", "#.*"}
    assert found["a.b"] == found["a.x.b"] == found["a.x.y.b"] == {"a.#", "a.#.b", "#.*"}
    assert found["x.y.a"] == {"#.a", "#.*"}


@pytest.mark.statement("TOP-3")
def test_star(target: Target) -> None:
    """TOP-3: `*` stands for exactly one word, and an empty word is one."""
    found = routed(target, ["a.*", "*.a", "a.*.b", "*.*"], ["a", "a.", ".a", "a..b", ".", "a.x.y"])

    assert found == {
        "a": set(),
        "a.": {"a.*", "*.*"},
        ".a": {"*.a", "*.*"},
        "a..b": {"a.*.b"},
        ".": {"*.*"},
        "a.x.y": set(),
    }


@pytest.mark.statement("TOP-4")
def test_dots_make_empty_words(target: Target) -> None:
    """TOP-4: a dot at the end, at the beginning, or two in a row make an empty word, which is literal."""
    found = routed(target, ["a.", "*..*", "a", "a..b"], ["a", "a.", "a..", "..", "a..b", "."])

    assert found == {
        "a": {"a"},
        "a.": {"a."},
        "a..": {"*..*"},
        "..": {"*..*"},
        "a..b": {"*..*", "a..b"},
        ".": set(),
    }


@pytest.mark.statement("TOP-5")
def test_wildcards_are_whole_words(target: Target) -> None:
    """TOP-5: within a word, `*` and `#` are letters."""
    found = routed(target, ["a*", "a.b#"], ["a", "ab", "a*", "a.b", "a.bc", "a.b.c", "a.b#"])

    assert {key for key, patterns in found.items() if patterns} == {"a*", "a.b#"}
    assert found["a*"] == {"a*"}
    assert found["a.b#"] == {"a.b#"}


@pytest.mark.statement("TOP-6")
def test_wildcards_in_the_key_are_letters(target: Target) -> None:
    """TOP-6: in a routing key, `*` and `#` are words like others."""
    found = routed(target, ["*", "#", "a.*", "a.#", "a.b", "x"], ["#", "*", "a.*", "a.#"])

    assert found == {"#": {"*", "#"}, "*": {"*", "#"}, "a.*": {"#", "a.*", "a.#"}, "a.#": {"#", "a.*", "a.#"}}


@pytest.mark.statement("TOP-7")
def test_case_and_unicode(target: Target) -> None:
    """TOP-7: small and capital letters differ, and a word may be of any letters."""
    found = routed(
        target, ["order", "Order", "größe.*", "*.ключ"], ["order", "Order", "größe.ключ", "GRÖSSE.ключ"]
    )

    assert found == {
        "order": {"order"},
        "Order": {"Order"},
        "größe.ключ": {"größe.*", "*.ключ"},
        "GRÖSSE.ключ": {"*.ключ"},
    }


@pytest.mark.statement("TOP-8")
def test_one_copy_for_many_bindings(target: Target) -> None:
    """TOP-8: a queue gets one copy, however many of its bindings match."""
    exchange = target.exchange("topic")
    queue = target.bound(exchange, "a.*")
    for key in ("a.b", "#", "*.b", "a.#"):
        target.channel.queue_bind(queue, exchange, key)

    target.publish("once", exchange, "a.b")

    target.expect(queue, "once")


@pytest.mark.statement("TOP-9")
def test_three_hashes(target: Target) -> None:
    """TOP-9: a binding has at most two words `#`; before 4.3.5 any number."""
    exchange = target.exchange("topic")
    queue = target.bound(exchange, "#.a.#")

    def bind() -> None:
        target.channel.queue_bind(queue, exchange, "#.a.#.b.#")

    if target.since(4, 3, 5):
        text = "Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed"
        target.refused(PreconditionFailed, text, bind)
    else:
        bind()
        target.publish("wild", exchange, "x.a.b.y")
        target.expect(queue, "wild")


@pytest.mark.statement("TOP-10")
def test_longest_key(target: Target) -> None:
    """TOP-10: a routing key has at most 255 bytes; no client can send a longer one."""
    exchange = target.exchange("topic")
    longest = "é" * 127 + "x"
    queue = target.bound(exchange, longest)

    target.publish("fits", exchange, longest)
    with pytest.raises(target.unencodable):
        target.publish("too long", exchange, longest + "y")

    target.expect(queue, "fits")
