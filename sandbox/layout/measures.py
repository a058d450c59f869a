"""How much room things take, in px."""

from __future__ import annotations

from dataclasses import dataclass

NAME = 12  # the size of a name, in bold; all other text is a note
NOTE = 11
LINE = 15  # from one line of notes to the next
SEAT = 28  # one copy in a lane or in a socket
LANE_HEIGHT = 30
HEAD = 20  # the name above a lane or a consumer
STATUS = 17  # the note below a consumer
CHIP_LINE = 19
CHIP_GAP = 5
PUBLISHER = 40
EXCHANGE_HEIGHT = 42
SLANT = 13  # of a hexagon's sides
PILL_HEIGHT = 28
LOST = 58  # the token that fell below an exchange, and its note
PALM = 24  # the hand that holds what was fetched by get
BAR = 2 * SEAT
KEY_LINE = 18  # from one key to the next, where several lines end on one part
MOST_LINES = 6  # between one exchange and one destination; the others are folded
RETURN = 22  # from a part to the dashed line that runs back below it, under its label
OPEN_END = 33  # from a part to the open circle below it, if its dashed line leads nowhere
SHORTEST_KEY = 36  # to which keys are cut, if that makes a picture fit
ASIDE = 9  # from that line to what stands beside it


@dataclass(frozen=True)
class Measures:
    """What differs between a wide picture and one for half a page.

    `seats` copies are shown one by one; of more, those `at_the_head` and their number.  A consumer has up to
    so many `sockets`, and a hand's `grasp` is as large; of more they too show the first ones.
    """

    narrow: bool = False
    widest: float = 9999  # if shorter keys are all that it takes
    margin: float = 24
    exchange: float = 112  # the narrowest
    longest_name: float = 9999  # of an exchange
    longest_key: float = 9999
    longest_note: float = 9999  # of a consumer or a hand
    few: int = 7  # copies, for which every lane has room
    seats: int = 12
    at_the_head: int = 5
    sockets: int = 8
    grasp: int = 8
    stub: float = 18  # from a layer to the first track
    track: float = 10  # from one track to the next, if they are few
    tracks: float = 160  # for all tracks of one gap, if they are many
    run: float = 40  # of a last run without a key
    key_indent: float = 11  # from the end of a key to the end of its run
    key_room: float = 30  # of a last run beside its key
    merge: float = 13  # before a part at which its lines merge, if they are too many to end on it
    gate: float = 12  # before a consumer that is full
    bracket: float = 10  # from the consumers to the brackets of their channels


WIDE = Measures()

#: A broker with one level of exchanges fits, if its publishers are shown elsewhere.
NARROW = Measures(
    narrow=True,
    widest=500,
    margin=8,
    exchange=92,
    longest_name=76,
    longest_key=68,
    longest_note=120,
    few=5,
    seats=5,
    at_the_head=2,
    sockets=4,
    grasp=3,
    stub=6,
    track=6,
    tracks=14,
    run=13,
    key_indent=8,
    key_room=11,
    merge=8,
    gate=7,
    bracket=3,
)
