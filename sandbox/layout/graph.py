"""The routing graph: the parts that stand in a picture, and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .measures import WIDE, Measures


@dataclass(eq=False)
class Part:
    """A publisher, exchange, queue or consumer, or (`hand`) what was fetched by get on one channel.

    `width` and `height` are the body's; `above` and `below` what its texts need beside it.  `x` is the
    body's left side and `y` its middle.  `note_width` is the widest text's that is not inside the body, and
    in the middle; `overhang` is how far texts reach beyond its right side.  `lane` is how much of the width
    a queue's lane takes, at the right.  What belongs to a channel wants to stand `near` a queue;
    what is folded stands at the end of a `column`, named by the kind that it holds.
    """

    id: str
    kind: str
    name: str
    label: str
    width: float
    height: float
    above: float = 0
    below: float = 0
    note_width: float = 0
    overhang: float = 0
    lane: float = 0
    chips: tuple[str, ...] = ()
    chips_below: bool = False
    aside: bool = False
    column: str = ""
    channel: int = 0
    near: str = ""
    layer: int = 0
    x: float = 0
    y: float = 0

    @property
    def right(self) -> float:
        """The body's right side."""
        return self.x + self.width

    @property
    def tail(self) -> float:
        """Where lines end on it: its left side, or that of a lane that is shorter than others."""
        return self.right - (self.lane or self.width)


@dataclass(eq=False)
class Link:
    """A line from one part to another: publishes, binds or consumes.

    `bindings` are the places of its bindings in the snapshot's order.  A link is `back` if it closes a
    cycle of exchanges.
    """

    kind: str
    source: Part
    target: Part
    key: str = ""
    bindings: tuple[int, ...] = ()
    back: bool = False


@dataclass(eq=False)
class Return:
    """The lines of one kind, alternate or dead_letter, that lead back to one exchange.

    Each leaves below its source; they run together as soon as they can, pass between the parts of the
    layers `first` to `last`, and come to the target from the left, as every line does.  They have no say in
    who stands where.
    """

    kind: str
    target: Part
    links: list[Link] = field(default_factory=list)
    key = ""  # on its end; each link's label stands at its beginning

    @property
    def first(self) -> int:
        """The first layer that it passes through."""
        return min(self.target.layer, *(link.source.layer for link in self.links))

    @property
    def last(self) -> int:
        """The last layer that it passes through, less than the first one if there is none."""
        return max(self.target.layer, *(link.source.layer for link in self.links)) - 1

    def slot(self, layer: int) -> tuple[str, int]:
        """Its place in a layer that it passes through."""
        return f"{self.kind} {self.target.id}", layer


@dataclass
class Graph:
    """All parts by their ids, in the order of declaring, and all lines.

    `open_ends` are alternate and dead_letter lines to exchanges that do not exist, as (kind, source, label).
    """

    measures: Measures = WIDE
    parts: dict[str, Part] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    open_ends: list[tuple[str, Part, str]] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Part]:
        """The parts of these kinds."""
        return [part for part in self.parts.values() if part.kind in kinds]

    def get(self, kind: str, name: str) -> Part | None:
        """The part of this kind and name, if it stands in the picture."""
        return self.parts.get(f"{kind}:{name}")
