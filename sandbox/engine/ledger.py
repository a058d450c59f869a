"""The ledger: nothing vanishes.  Whatever was published is somewhere, or left through a named door."""

from __future__ import annotations

from typing import NamedTuple


class Ledger(NamedTuple):
    """Two balances, of messages and of their copies.

    `published = routed + returned + lost + on_its_way`, and
    `copies = ready + unacked + done + dead_lettered + expired + dropped + refused + removed`.
    """

    published: int = 0
    routed: int = 0
    returned: int = 0
    lost: int = 0
    on_its_way: int = 0
    copies: int = 0
    ready: int = 0
    unacked: int = 0
    done: int = 0
    dead_lettered: int = 0
    expired: int = 0
    dropped: int = 0
    refused: int = 0
    removed: int = 0

    @property
    def balanced(self) -> bool:
        """Whether both sums are right.  They always are; a test says so."""
        return self.published == sum(self[1:5]) and self.copies == sum(self[6:])

    def __str__(self) -> str:
        if not self.published:
            return "nothing published yet"
        messages = _terms(self, ("routed", "returned", "lost", "on_its_way"))
        copies = _terms(self, self._fields[6:])
        noun = "copy" if self.copies == 1 else "copies"
        return f"{self.published} published = {messages} · {self.copies} {noun} = {copies}"


def _terms(ledger: Ledger, names: tuple[str, ...]) -> str:
    """The terms of a sum in words, without those that are zero."""
    terms = [(getattr(ledger, name), _WORDS.get(name, name)) for name in names]
    return " + ".join(f"{count} {name}" for count, name in terms if count) or "0"


_WORDS = {"on_its_way": "on its way", "dead_lettered": "dead-lettered"}
