"""Given: the arguments of a command, which come from a browser and may be anything."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

from .program import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A text longer than this is not a line of a program any more.
LONGEST = 100_000

#: Python itself compiles no more than some two hundred brackets within each other.
DEEPEST = 50


class Malformed(Exception):
    """The arguments cannot be a command; nothing has happened."""


class Given:
    """Arguments by name, each read once, as what it must be.

    Readers return None for what was not given, and for what is the default anyway: then the program does
    not write it either.
    """

    def __init__(self, args: object) -> None:
        if not isinstance(args, dict) or not all(isinstance(name, str) for name in args):
            raise Malformed("the arguments of a command come by their names")
        self._args: dict[str, Any] = dict(args)

    def _take(self, name: str) -> Any:
        return self._args.pop(name, None)

    def end(self) -> None:
        """Nothing more is to be read; what is left was not asked for."""
        if self._args:
            raise Malformed(f"no such argument: {', '.join(map(repr, sorted(self._args)))}"[:200])

    # ------------------------------------------------------------ readers

    def name(self, name: str) -> str:
        """A text that must be there; it may be empty."""
        text = self.text(name)
        if text is None:
            raise Malformed(f"{name} is missing")
        return text

    def text(self, name: str, default: str | None = None) -> str | None:
        """A text."""
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            raise Malformed(f"{name} is a text, not {_what(value)}")
        if value is not None and len(value) > LONGEST:
            raise Malformed(f"{name} has at most {LONGEST:,} characters here, not {len(value):,}")
        return None if value == default else value

    def flag(self, name: str, *, default: bool = False) -> bool | None:
        """Yes or no."""
        value = self._take(name)
        if value is not None and not isinstance(value, bool):
            raise Malformed(f"{name} is true or false, not {_what(value)}")
        return None if value is default else value

    def number(self, name: str) -> float | None:
        """A number, or its text; a microsecond is the smallest difference of times."""
        value = self._take(name)
        if isinstance(value, str):
            value = _number(value.strip())
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
            raise Malformed(f"{name} is a number")
        return plain(round(float(value), 6))

    def whole(self, name: str, *, default: int | None = None) -> int | None:
        """A whole number, or its text."""
        value = self.number(name)
        if value is not None and not isinstance(value, int):
            raise Malformed(f"{name} is a whole number, not {value}")
        return None if value == default else value

    def body(self, name: str) -> object:
        """What a text means as JSON, if it is JSON but no string of it; else the text itself."""
        text = self.name(name)
        try:
            value = _json(text)
        except ValueError:
            return text
        return text if isinstance(value, str) else value

    def table(self, name: str) -> dict[str, Any] | None:
        """The JSON object that a text is."""
        text = self.text(name)
        if text is None or not text.strip():
            return None
        try:
            value = _json(text)
        except ValueError as error:
            raise Malformed(f"{name} is no JSON: {error}"[:200]) from None
        if not isinstance(value, dict):
            raise Malformed(f'{name} is a JSON object, such as {{"region": "eu"}}, not {_what(value)}')
        return value or None


def _number(text: str) -> object:
    """What a text is as a number; the text if it is none, None if there is no text."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that is no float
        return False


def _what(value: object) -> str:
    return repr(value) if isinstance(value, (str, int, float, bool)) and len(repr(value)) < 40 else "that"


def _json(text: str) -> Any:
    """What JSON means, if Python can write it down as an expression; else ValueError."""
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        value = None
        too_deep = True
    else:
        too_deep = max(_depths(value)) > DEEPEST
    if too_deep:
        raise Malformed(f"brackets stand at most {DEEPEST} deep within each other here")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _depths(value: object) -> Iterator[int]:
    """How deep each leaf lies."""
    todo = [(0, value)]
    while todo:
        depth, item = todo.pop()
        if isinstance(item, dict):
            item = list(item.values())
        if isinstance(item, list):
            todo.extend((depth + 1, inner) for inner in item)
        yield depth
