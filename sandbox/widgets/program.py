"""Program: what was done by hand, as Python that does the same.

A call is kept as data, from which it is both made and written down: the two cannot differ.  What comes from
outside is written by `repr`, so that a name or body, whatever it contains, stays a text.
"""

from __future__ import annotations

import math
import weakref
from collections import Counter, deque
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sandbox.texts import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.snapshot import Snapshot

#: So many lines and characters are kept; then the oldest lines fold away.
MOST_LINES = 1_000
MOST_CHARACTERS = 1_000_000

#: So much of an error is told beside the line that it refused.
LONGEST_ERROR = 500


class Clock(Protocol):
    """What is asked of a broker's clock."""

    def sleep_until(self, due: float) -> float | None:
        """Real seconds to sleep until `due`; None if only `advance` can bring that moment."""


class History(Protocol):
    """What is asked of a broker's history."""

    @property
    def last(self) -> int:
        """The serial of the newest event."""


class Broker(Protocol):
    """What is asked of a broker here; its verbs are called by their names."""

    @property
    def clock(self) -> Clock:
        """What tells it the time."""

    @property
    def now(self) -> float:
        """The time."""

    @property
    def history(self) -> History:
        """What happened."""

    def snapshot(self) -> Snapshot:
        """The state now."""


class Name(NamedTuple):
    """An argument that the program writes as a name, and the value that it has when the call is made here."""

    code: str
    value: object


@dataclass(frozen=True)
class Call:
    """A method called on `target`: `broker`, or a variable of the program, or `variable.attribute`.

    `result` is the noun after which the variable for what it returns is named: `message` gives
    `message_1`, `message_2` and so on.  It is made `times` times in a row.
    """

    target: str
    method: str
    args: tuple[object, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    result: str = ""
    times: int = 1

    def make(self, variables: Mapping[str, object]) -> object:
        """Make it; returns what the last one returned."""
        name, _, path = f"{self.target}.{self.method}".partition(".")
        method = attrgetter(path)(variables[name])
        args = [_value(arg) for arg in self.args]
        options = {key: _value(option) for key, option in self.options.items()}
        result = None
        for _ in range(self.times):
            result = method(*args, **options)
        return result

    def __str__(self) -> str:
        args = [_code(arg) for arg in self.args]
        args += [f"{key}={_code(option)}" for key, option in self.options.items()]
        loop = f"for _ in range({self.times}): " if self.times > 1 else ""
        return f"{loop}{self.target}.{self.method}({', '.join(args)})"


def _value(arg: object) -> object:
    return arg.value if isinstance(arg, Name) else arg


def _code(arg: object) -> str:
    return arg.code if isinstance(arg, Name) else repr(arg)


class Done(NamedTuple):
    """What a call returned, and the variable that has it in the program, "" if none has."""

    value: object
    variable: str = ""


class Line(NamedTuple):
    """A line of the program; `error` tells why the broker refused it, in the broker's own words.

    A refusal may have changed something all the same: it closes the channel, and what that held goes back.
    Then the line stands in the program, with the class of the `refusal` that it meets there too; else it is
    a comment.
    """

    code: str
    error: str | None = None
    refusal: str = ""

    @property
    def text(self) -> str:
        """The line as it stands in the program."""
        if self.error is None:
            return self.code
        if self.refusal:
            return f"with suppress({self.refusal}):  # {self.error}\n    {self.code}"
        return f"# {self.code}  # {self.error}"


class Program:
    """The growing program of one broker, which is held weakly.

    As a text it begins with the making of a fresh broker, and leads that to the same state, if this one
    was fresh too when the program began.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = weakref.ref(broker)
        self._is_manual = broker.clock.sleep_until(math.inf) is None
        self._was_used = broker.history.last > 0
        self._variables: dict[str, object] = {}
        self._numbers: Counter[str] = Counter()
        self._lines: deque[Line] = deque()
        self._size = 0
        self._folded = 0
        self._advance: tuple[float, float] | None = None  # when the last line is one: from when, how long

    @property
    def lines(self) -> list[tuple[str, str | None]]:
        """Each line with the error that it met, or None; those with an error are to be shown struck out."""
        return [(line.code, line.error) for line in tuple(self._lines)]

    @property
    def last(self) -> str:
        """The newest line, "" before there is one."""
        return self._lines[-1].code if self._lines else ""

    def run(self, call: Call) -> Done:
        """Make the call and write it down; if it is refused, the exception goes on to the caller.

        ReferenceError if the broker is gone.
        """
        broker = self._broker()
        if broker is None:
            raise ReferenceError("the broker is gone")
        before = self._moment(broker)
        try:
            value = call.make({**self._variables, "broker": broker})
        except Exception as error:
            changed = self._moment(broker) != before
            self._append(Line(str(call), words(error), _class(error) if changed else ""))
            raise
        variable = ""
        if call.result and value is not None:
            self._numbers[call.result] += 1
            variable = f"{call.result}_{self._numbers[call.result]}"
            self._variables[variable] = value
        if (call.target, call.method) == ("broker", "advance"):
            self._append_advance(call, before[1], broker.now)
        else:
            self._append(Line(f"{variable} = {call}" if variable else str(call)))
        return Done(value, variable)

    def forget(self, variable: str) -> None:
        """No further call will need this variable."""
        self._variables.pop(variable, None)

    def forget_all(self) -> None:
        """No further call will be made."""
        self._variables.clear()

    def _moment(self, broker: Broker) -> tuple[int, float]:
        """What a call that does nothing leaves as it is."""
        return broker.history.last, broker.now if self._is_manual else 0.0

    def _append(self, line: Line) -> None:
        self._advance = None
        self._lines.append(line)
        self._size += len(line.code)
        while len(self._lines) > 1 and (len(self._lines) > MOST_LINES or self._size > MOST_CHARACTERS):
            self._size -= len(self._lines.popleft().code)
            self._folded += 1

    def _append_advance(self, call: Call, began: float, now: float) -> None:
        """One line for advances in a row, if their sum leads to the very same moment."""
        (seconds,) = call.args
        assert isinstance(seconds, (int, float))
        if self._advance is not None:
            first, so_far = self._advance
            total = plain(round(so_far + seconds, 9))
            if round(first + total, 9) == now:
                self._size -= len(self._lines.pop().code)
                began, seconds = first, total
        self._append(Line(f"broker.advance({seconds!r})"))
        self._advance = began, seconds

    @property
    def begin(self) -> list[str]:
        """The lines that make a fresh broker, or, if ours was used before, go on with that one."""
        imports = ["import sandbox"]
        if any(line.refusal for line in tuple(self._lines)):
            imports[:0] = ["from contextlib import suppress", ""]
        clock = "clock=sandbox.ManualClock()" if self._is_manual else ""
        notes = []
        if self._folded:
            notes.append(f"# {self._folded:,} earlier lines are folded away: what they made is missing here.")
        if self._was_used:
            used = "# This goes on with `broker` as it was when its dashboard was opened."
            return [*imports, "", used, *notes]
        return [*imports, "", f"broker = sandbox.Broker({clock})", *notes]

    def __str__(self) -> str:
        return "\n".join([*self.begin, *(line.text for line in tuple(self._lines))]) + "\n"

    def __repr__(self) -> str:
        return f"<Program of {len(self._lines)} lines>"


def words(error: Exception) -> str:
    """What an exception says, in the broker's own words, on one line and harmless to look at."""
    text = shown(getattr(error, "reply_text", None) or str(error) or type(error).__name__)
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]}…"


def _class(error: Exception) -> str:
    """How a program names the class of an exception."""
    kind = type(error)
    match kind.__module__:
        case "builtins":
            return kind.__name__
        case "amqp.exceptions":
            return f"sandbox.{kind.__name__}"
        case _:
            return "Exception"


def plain(number: float) -> float:
    """The number, as a whole one if it is one: `10`, not `10.0`."""
    return int(number) if number == int(number) else number
