"""Texts that came from outside, made harmless to look at: names may be anything."""

from __future__ import annotations


def shown(name: str) -> str:
    r"""A name in which every character can be seen and none has an effect.

    >>> shown("two\nlines \u202e$x$")
    'two\\nlines \\u202e$x$'
    """
    if name.isprintable():
        return name
    return "".join(char if char.isprintable() else _escape(char) for char in name)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
