"""The player: brings one broker's history to the page, and what is pressed there to the broker.

One player serves all views of a broker.  It has no picture of its own; in the page it is the module
`player.js`.  It follows the history while somebody looks, and then has a thread only for the next update, and
under the wall clock for the next deadline.
"""

from __future__ import annotations

import logging
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anywidget
import traitlets

from sandbox import figures
from sandbox.figures.sprites import sprites
from sandbox.layout import neighbourhood
from sandbox.texts import shown

from . import code
from .commands import Commands
from .feed import Feed
from .program import words
from .throttle import Alarm, Throttle, later
from .view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matplotlib.axes import Axes

    from sandbox.engine.clock import Clock
    from sandbox.engine.history import History
    from sandbox.engine.model import Binding
    from sandbox.engine.snapshot import Snapshot

    from .commands import Answer
    from .source import Source
    from .throttle import Timer

log = logging.getLogger(__name__)

Json = dict[str, Any]

NOBODY = "nobody: it would be lost"

#: What stands for a picture of a broker that was collected.
GONE = {"text/plain": "This broker is gone: keep a reference to it, as in `broker = sandbox.Broker()`."}

#: How many lines of the program a page shows, and how many characters of one.
MOST_LINES = 300
LONGEST_LINE = 300


class Player(anywidget.AnyWidget):
    """The model behind all views of one broker, which it holds weakly."""

    _esm = code.player()
    _css = code.stylesheet()
    _view_name = None  # type: ignore[assignment]  # it is never shown

    name = traitlets.Unicode().tag(sync=True)
    look = traitlets.Dict().tag(sync=True)
    start = traitlets.Dict().tag(sync=True)

    def __init__(self, broker: Source, *, later: Callable[..., Timer] = later) -> None:
        self._broker = weakref.ref(broker)
        self._history: History | None = broker.history
        self._feed = Feed(broker.history, self._now)
        self.commands = Commands(broker)
        #: Called after every command, when there are other names, and when nothing can be done any more, or
        #: something again.
        self.listeners: list[Callable[[], object]] = []
        self._pages: dict[str, tuple[int, bool]] = {}  # how many views each shows, and whether of the past
        self._noticed: object = None
        self._told: object = None
        self._wants: deque[Callable[[], Json | None]] = deque()
        self._unsubscribe: Callable[[], None] | None = None
        self._throttle = Throttle(self._flush, later=later)
        self._alarm = Alarm(self._throttle.now, later=later)
        weakref.finalize(broker, _end, weakref.ref(self)).atexit = False
        super().__init__(
            name=uuid4().hex, look={"sprites": sprites()}, start=self._with_facts(self._feed.start())
        )
        self.on_msg(self._hear)
        self.wake()  # a page may be slow to say that it looks: the kernel is busy with the next cell

    def view(self, parts: Iterable[str], *, scale: float = 1) -> View:
        """A view of these regions."""
        names = tuple(parts)
        picture = self.depth_picture if "depth" in names and "graph" not in names else self.picture
        return View(self.name, names, scale=scale, picture=picture)

    def picture(self) -> dict[str, str]:
        """The routing graph as it is now, for where there is no widget: an image, and words."""
        if self._broker() is None:
            return GONE
        near = neighbourhood(self._now())
        words = figures.describe(near.snapshot)
        return {"text/plain": words} | _image(lambda: figures.draw(near.snapshot, folds=near.folds), words)

    def depth_picture(self) -> dict[str, str]:
        """The depth of the queues up to now, likewise."""
        if self._broker() is None:
            return GONE
        snapshot = self._now()
        depths = self._feed.depths()
        words = figures.describe_depth(depths, now=snapshot)
        return {"text/plain": words} | _image(lambda: figures.plot_depth(depths, now=snapshot), words)

    # ------------------------------------------------------------ who looks

    def wake(self) -> None:
        """Follow the history."""
        if self._unsubscribe is None and self._history is not None:
            self._unsubscribe = self._history.subscribe(self._throttle)
            self._throttle()

    def sleep(self) -> None:
        """Nobody looks: follow no longer."""
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()
        self._alarm.close()

    def end(self) -> None:
        """The broker is gone; the pictures stay as they are.

        This may be a finalizer, in the midst of anything: it only leaves word, and a flush does the rest.
        """
        self._history = None
        self._wants.append(self._farewell)
        self._throttle()

    def _farewell(self) -> Json:
        """Keep nothing of the broker any more."""
        self.sleep()
        del self._feed
        self.start = {}
        return {"kind": "over"}

    # ------------------------------------------------------------ to the page

    def _now(self) -> Snapshot:
        broker = self._broker()
        if broker is None:
            raise ReferenceError("the broker is gone")
        return broker.snapshot()

    def _flush(self) -> None:
        """Send what is new, then what was asked for.  The only place that sends, so all comes in order."""
        self._tried(self._update)
        self._tried(self._notice)
        while self._wants:
            self._tried(self._wants.popleft())

    def _tried(self, make: Callable[[], Json | None]) -> None:
        """Send what this makes; what goes wrong is logged and stops nothing else."""
        try:
            message = make()
            if message is not None:
                self.send(message)
        except Exception:
            log.exception("a live view could not be brought up to date")

    def _update(self) -> Json | None:
        if self._history is None or self._broker() is None or self._unsubscribe is None:
            return None
        update = self._feed.update()
        self._set_alarm()
        return None if update is None else self._with_facts(update)

    def _notice(self) -> None:
        """Tell the listeners if there are other names, or if less or more can be done, than before."""
        facts = self.names(), self.why_off
        if facts != self._noticed:
            self._noticed = facts
            self._tell()

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """The names of the exchanges and of the queues; None if the broker is gone."""
        if self._history is None or self._broker() is None:
            return None
        return tuple(self._feed.state.exchanges), tuple(self._feed.state.queues)

    @property
    def in_the_past(self) -> bool:
        """Whether every page that looks has its playhead in the past."""
        pages = [is_past for views, is_past in self._pages.values() if views]
        return bool(pages) and all(pages)

    @property
    def why_off(self) -> str | None:
        """Why nothing can be done by hand; None if it can."""
        broker = self._broker()
        if broker is None:
            return "This broker is gone."
        if not broker.is_open:
            return "This broker is closed."
        return "You look at the past: go back to live to do something." if self.in_the_past else None

    def _with_facts(self, update: Json) -> Json:
        """With what the page needs to know beside the events."""
        broker = self._broker()
        if broker is None or self._history is None:
            return update
        facts = {
            "first": self._history.first,
            "clock": self._clock(broker),
            "open": broker.is_open,
            "by_hand": self.commands.by_hand,
        }
        return update | facts

    def _clock(self, broker: Source) -> Json:
        due = broker.due
        moment: Json | None = None
        if due is not None:
            moment = {"time": due.time, "words": due_words(due.queue, due.time, self._feed.state)}
        kind = "wall" if _runs(broker.clock) else "manual"
        return {"kind": kind, "now": broker.now, "due": moment, "name": broker.name}

    def _set_alarm(self) -> None:
        """Under the wall clock an expiry shows when it happens, though nobody calls the broker."""
        broker = self._broker()
        if broker is None or self._unsubscribe is None or not _runs(broker.clock):
            return
        due = broker.due if broker.is_open else None
        moment = None if due is None else due.time
        self._alarm.set(moment, None if moment is None else broker.clock.sleep_until(moment))

    # ------------------------------------------------------------ from the page

    def _hear(self, _widget: object, message: Json, _buffers: object) -> None:
        """Something came from a page, on whichever thread."""
        match message:
            case {"do": name, "id": number}:
                self.run(name, message.get("args"), number)
            case {"who": {"exchange": str(exchange), "routing_key": str(key)}, "id": number}:
                self._wants.append(lambda: self._who(number, exchange, key))
            case {"copy": "program", "id": number}:
                self._wants.append(lambda: self._text(number))
            case {"need": int(serial)}:
                self._wants.append(lambda: self._stretch(serial))
            case {"views": int(count), "page": str(page), "narrow": bool(narrow), "past": bool(is_past)}:
                self._pages[page] = count, is_past
                self.wake() if any(views for views, _ in self._pages.values()) else self.sleep()
                if narrow:
                    self._wants.append(self._narrow)
            case {"focus": str() | None as node}:
                self._wants.append(lambda: self._focus(node))
        self._throttle.now()

    def run(self, name: object, args: object, number: object = None) -> Answer:
        """Do a command; the pictures follow at once.  A page that waits for the answer gave it a `number`."""
        answer = self.commands.run(name, args)
        self._wants += (lambda: self._answer(number, answer)), self._news
        self._throttle.now()
        self._tell()
        return answer

    def _tell(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    def _answer(self, number: object, answer: Answer) -> Json:
        return self._with_facts({"kind": "answer", "id": number, **answer._asdict()})

    def _program(self) -> Json:
        """What was done by hand so far, as far as one can read it; all of it is asked for by a copy."""
        lines = [(_cut(line), error) for line, error in self.commands.program.lines[-MOST_LINES:]]
        return {"kind": "program", "lines": lines}

    def _news(self) -> Json | None:
        """The program, if it has another last line than it had."""
        lines = self.commands.program.lines
        told, self._told = self._told, (len(lines), lines[-1:])
        return None if told == self._told else self._program()

    def _narrow(self) -> Json | None:
        """Narrow layouts from now on, and a start with them if they are new."""
        if self._history is None or not self._feed.narrow():
            return None
        return self._stretch(-1)

    def _focus(self, node: str | None) -> Json | None:
        if self._history is not None:
            self._feed.focus(node)
        return self._stretch(-1)

    def _text(self, number: object) -> Json:
        return {"kind": "answer", "id": number, "ok": True, "says": str(self.commands.program)}

    def _who(self, number: object, exchange: str, routing_key: str) -> Json:
        """Who would get a message, and why; nothing is published."""
        broker = self._broker()
        try:
            route = {} if broker is None else broker.route(exchange, routing_key)
        except Exception as error:  # noqa: BLE001  (whatever a broker raises is its answer)
            return {"kind": "answer", "id": number, "ok": False, "error": words(error)}
        ways = [f"{shown(queue)}, by {_keys(bindings)}" for queue, bindings in route.items()]
        return {"kind": "answer", "id": number, "ok": True, "says": "; ".join(ways) or NOBODY}

    def _stretch(self, serial: int) -> Json | None:
        if self._history is None or self._broker() is None:
            return {"kind": "over"}
        if serial >= 0:
            return self._with_facts(self._feed.past(serial))
        self._wants.append(self._program)
        return self._with_facts(self._feed.start())


def _end(player: weakref.ref[Player]) -> None:
    found = player()
    if found is not None:
        found.end()


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def _keys(bindings: Iterable[Binding]) -> str:
    return ", ".join(shown(binding.routing_key) or "its binding" for binding in bindings)


def _image(draw: Callable[[], Axes], words: str) -> dict[str, str]:
    try:
        figure = draw().get_figure(root=True)
    except ImportError:  # no matplotlib, as in a browser's Python: the words alone
        return {}
    assert figure is not None  # it was made with the axes
    return {"text/html": figures.to_html(figure, words)}


def _runs(clock: Clock) -> bool:
    """Whether the clock moves by itself."""
    return clock.sleep_until(clock.now() + 1) is not None


def due_words(queue: str, time: float, snapshot: Snapshot) -> str:
    """What will happen in a queue at that time, in a few words."""
    view = snapshot.queues.get(queue)
    if view is None:
        return f"something happens in {shown(queue)}"
    head = next((seat for seat in view.seats if not seat.unacked), None)
    if head is not None and head.expires is not None and head.expires <= time:
        return f"message {head.message} expires in {shown(queue)}"
    if view.ready and view.options.expires is None:
        return f"a message expires in {shown(queue)}"
    return f"queue {shown(queue)} expires, unused"
