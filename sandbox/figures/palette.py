"""The colours of a picture, by what they mean.

Four meanings have a colour, and every filled mark has an outline in ink; text is ink or muted ink, and on
a filled mark whichever of black and white can be read there.
"""

from __future__ import annotations

from typing import NamedTuple


class Palette(NamedTuple):
    """One theme: `on_alive` and `on_colour` are for the numbers on filled marks, `edge` is for lines."""

    page: str
    lane: str
    ink: str
    muted: str
    edge: str
    alive: str
    done: str
    lost: str
    dead: str
    on_alive: str
    on_colour: str = "#000000"


THEMES = {
    "light": Palette(
        page="#FFFFFF",
        lane="#F2F4F7",
        ink="#1F2328",
        muted="#59636E",
        edge="#7A838F",
        alive="#0072B2",
        done="#009E73",
        lost="#D55E00",
        dead="#858D98",
        on_alive="#FFFFFF",
    ),
    "dark": Palette(
        page="#111111",
        lane="#1E2328",
        ink="#F0F2F5",
        muted="#A3ABB5",
        edge="#808A96",
        alive="#56B4E9",
        done="#009E73",
        lost="#D55E00",
        dead="#A3ABB5",
        on_alive="#000000",
    ),
}


def palette_of(theme: str) -> Palette:
    """The colours of a theme; ValueError if there is none of that name."""
    if theme not in THEMES:
        msg = f"unknown theme {theme!r}: the themes are {' and '.join(THEMES)}"
        raise ValueError(msg)
    return THEMES[theme]
