"""Exchanges: one class per type, each with one question to answer: which bindings match?

Pure: no clock, no lock, no queues.  An exchange holds bindings, and bindings hold names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import PreconditionFailed
from .model import Binding, ExchangeOptions, freeze, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Exchange:
    """A name, its options, and its bindings in the order in which they were made."""

    def __init__(self, name: str, options: ExchangeOptions) -> None:
        self.name = name
        self.options = options
        self.bindings: dict[Binding, int] = {}
        self._made = 0

    @property
    def was_bound(self) -> bool:
        """Whether it ever had a binding."""
        return self._made > 0

    def check(self, binding: Binding) -> None:
        """Refuse a binding that this type of exchange cannot have."""

    def add(self, binding: Binding) -> None:
        """Add a binding that is not there yet."""
        self._made += 1
        self.bindings[binding] = self._made

    def remove(self, binding: Binding) -> None:
        """Remove a binding that is there."""
        del self.bindings[binding]

    def match(self, keys: tuple[str, ...], headers: Mapping[str, Any]) -> list[Binding]:
        """The bindings that match any of the routing keys, in the order in which they were made."""
        found = {binding: None for key in keys for binding in self._matching(key, headers)}
        return sorted(found, key=self.bindings.__getitem__)

    def _matching(self, routing_key: str, headers: Mapping[str, Any]) -> Iterable[Binding]:
        raise NotImplementedError


class DirectExchange(Exchange):
    """The routing key equals the binding's key (EX-1)."""

    def __init__(self, name: str, options: ExchangeOptions) -> None:
        super().__init__(name, options)
        self._by_key: dict[str, dict[Binding, None]] = {}

    def add(self, binding: Binding) -> None:  # noqa: D102  (as above)
        super().add(binding)
        self._by_key.setdefault(binding.routing_key, {})[binding] = None

    def remove(self, binding: Binding) -> None:  # noqa: D102  (as above)
        super().remove(binding)
        del self._by_key[binding.routing_key][binding]
        if not self._by_key[binding.routing_key]:
            del self._by_key[binding.routing_key]

    def _matching(self, routing_key: str, headers: Mapping[str, Any]) -> Iterable[Binding]:  # noqa: ARG002
        return self._by_key.get(routing_key, ())


class FanoutExchange(Exchange):
    """Every binding matches (EX-1)."""

    def _matching(self, routing_key: str, headers: Mapping[str, Any]) -> Iterable[Binding]:  # noqa: ARG002
        return self.bindings


class TopicExchange(Exchange):
    """Keys are words between dots; `*` stands for one word, `#` for any number, none included.

    The bindings' keys are kept in a trie, whose nodes are tried side by side, so that the work grows with
    the words of the key and not with the number of bindings.
    """

    #: Of `#` in one binding key (TOP-9; rabbit_exchange_type_topic, since 4.3.5).
    MOST_HASHES = 2

    def __init__(self, name: str, options: ExchangeOptions) -> None:
        super().__init__(name, options)
        self._root = _Node()

    def check(self, binding: Binding) -> None:
        """Refuse more than two `#` in one key (TOP-9)."""
        hashes = words(binding.routing_key).count("#")
        if hashes > self.MOST_HASHES:
            raise PreconditionFailed(
                f"Topic binding key '{binding.routing_key}' uses {hashes} '#' wildcards, "
                f"at most {self.MOST_HASHES} are allowed"
            )

    def add(self, binding: Binding) -> None:  # noqa: D102  (as above)
        super().add(binding)
        node = self._root
        for word in words(binding.routing_key):
            node = node.children.setdefault(word, _Node(is_hash=word == "#"))
        node.bindings[binding] = None

    def remove(self, binding: Binding) -> None:  # noqa: D102  (as above)
        super().remove(binding)
        path = [self._root]
        pattern = words(binding.routing_key)
        for word in pattern:
            path.append(path[-1].children[word])
        del path[-1].bindings[binding]
        for depth in range(len(pattern), 0, -1):
            if path[depth].bindings or path[depth].children:
                break
            del path[depth - 1].children[pattern[depth - 1]]

    def _matching(self, routing_key: str, headers: Mapping[str, Any]) -> Iterator[Binding]:  # noqa: ARG002
        here = _with_hashes([self._root])
        for word in words(routing_key):
            here = _with_hashes(node for at in here for node in at.after(word))
        for node in here:
            yield from node.bindings


class _Node:
    """A place in the trie: the bindings that end here, and the words that lead on."""

    __slots__ = ("bindings", "children", "is_hash")

    def __init__(self, *, is_hash: bool = False) -> None:
        self.bindings: dict[Binding, None] = {}
        self.children: dict[str, _Node] = {}
        self.is_hash = is_hash

    def after(self, word: str) -> Iterator[_Node]:
        """The nodes that one word of a routing key leads to.

        A `*` or `#` in the routing key is text like any other (TOP-6), so it never takes the branch of
        `#`, which `_with_hashes` follows, and takes the branch of `*` once.
        """
        if self.is_hash:
            yield self
        if word not in ("*", "#") and word in self.children:
            yield self.children[word]
        if "*" in self.children:
            yield self.children["*"]


def _with_hashes(nodes: Iterable[_Node]) -> dict[_Node, None]:
    """These nodes and all that follow them by `#` standing for no word."""
    found: dict[_Node, None] = {}
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found[node] = None
            if "#" in node.children:
                waiting.append(node.children["#"])
    return found


def words(key: str) -> list[str]:
    """The words of a routing key: the empty key has none, and `a.` has two (TOP-1, TOP-4)."""
    return key.split(".") if key else []


class HeadersExchange(Exchange):
    """The binding's arguments are looked for among the message's headers (EX-20 to EX-24)."""

    MODES = ("all", "any", "all-with-x", "any-with-x")

    def check(self, binding: Binding) -> None:
        """Refuse an unknown x-match (EX-20)."""
        if "x-match" not in binding.arguments:
            return
        mode = binding.arguments["x-match"]
        if not isinstance(mode, str):
            raise PreconditionFailed(
                f"Invalid x-match field type {type_name(mode)} (value {mode}); expected longstr"
            )
        if mode not in self.MODES:
            raise PreconditionFailed(
                f'Invalid x-match field value <<"{mode}">>; expected all, any, all-with-x, or any-with-x'
            )

    def _matching(self, routing_key: str, headers: Mapping[str, Any]) -> Iterable[Binding]:  # noqa: ARG002
        present = {name: freeze(value) for name, value in headers.items()}
        return [binding for binding in self.bindings if _headers_match(binding.arguments, present)]


def _headers_match(wanted: Mapping[str, Any], present: Mapping[str, Any]) -> bool:
    """Whether a message with the frozen headers `present` passes a binding with the arguments `wanted`.

    An empty `all` takes everything, an empty `any` nothing; None asks for presence alone.
    """
    mode = wanted.get("x-match", "all")
    counted = (
        name in present and (value is None or freeze(value) == present[name])
        for name, value in wanted.items()
        if name != "x-match" and (mode.endswith("-with-x") or not name.startswith("x-"))
    )
    return all(counted) if mode.startswith("all") else any(counted)


TYPES: dict[str, type[Exchange]] = {
    "direct": DirectExchange,
    "fanout": FanoutExchange,
    "topic": TopicExchange,
    "headers": HeadersExchange,
}
