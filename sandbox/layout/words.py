"""Words in a picture: how wide they are, and how a name that may be anything is shown."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

from sandbox.texts import shown

#: Names and keys are cut to this many characters in a picture.
LONGEST = 24

#: Advance widths of DejaVu Sans in hundredths of an em, rounded up; most other fonts are narrower.
_REGULAR = {
    28: "'ijl",
    32: " ,.IJ",
    36: "-/:;\\f|",
    40: "!()[]t",
    46: '"r',
    50: "*_`",
    55: "?csz",
    60: "FLPkvxy",
    64: "$0123456789ESTYabdeghnopqu{}",
    68: "K",
    72: "ABCRVXZ",
    76: "HNU",
    80: "&DGOQ",
    84: "#+<=>^w~",
    88: "M",
    96: "%",
    100: "@Wm",
}
_BOLD = {
    32: "'",
    36: " ijl",
    40: ",./:;IJ\\|",
    46: "!()-[]f",
    50: "_`rt",
    55: '"*',
    60: "?csz",
    64: "L",
    68: "EFTaekvxy",
    72: "$0123456789Sbdghnopqu{}",
    76: "BCPYZ",
    80: "AKRVX",
    84: "#+<=>DGHNU^~",
    88: "&OQ",
    96: "w",
    100: "%@M",
    104: "m",
    112: "W",
}
_ADVANCES = [{char: em for em, chars in font.items() for char in chars} for font in (_REGULAR, _BOLD)]


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a line of text is, never less than in DejaVu Sans, in the unit of `size`."""
    advances = _ADVANCES[bold]
    return sum(advances.get(char) or _foreign(char) for char in text) * size / 100


def _foreign(char: str) -> int:
    """The width of a character outside ASCII; the widest letters of an alphabet are wider than their em."""
    if combining(char):
        return 0
    return 110 if east_asian_width(char) in "WF" or char in "…�" else 96


def label(name: str) -> str:
    """A name as it stands in a picture: harmless, and cut in the middle.

    >>> label("celery@worker-17.eu-central.example.org")
    'celery@worke…example.org'
    """
    text = shown(name)
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST // 2] + "…" + text[1 - LONGEST // 2 :]


def fitted(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """A text cut in the middle until it fits.

    >>> fitted("graveyard", 10, 40)
    'gra…rd'
    """
    kept = len(text)
    cut = text
    while kept and width_of(cut, size, bold=bold) > room:
        kept -= 1
        cut = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
    return cut


def seconds(duration: float) -> str:
    """A duration with its unit.

    >>> seconds(0.5), seconds(10.0), seconds(86400.0)
    ('0.5 s', '10 s', '86,400 s')
    """
    return f"{round(duration, 3):,}".removesuffix(".0") + " s"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "copy"), counted(1200, "message")
    ('1 copy', '1,200 messages')
    """
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun}"


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """The text in lines that are no wider than `room`, broken at spaces."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
