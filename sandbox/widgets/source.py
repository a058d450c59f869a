"""What a live view asks of a broker.  Views know no broker: one is given to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.clock import Clock
    from sandbox.engine.history import History
    from sandbox.engine.model import Binding
    from sandbox.engine.snapshot import Snapshot


class Due(Protocol):
    """A moment at which something will happen by itself in a queue."""

    @property
    def time(self) -> float:
        """In seconds of broker time."""

    @property
    def queue(self) -> str:
        """The queue's name."""


class Source(Protocol):
    """A broker."""

    name: str

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""

    @property
    def clock(self) -> Clock:
        """What tells it the time."""

    @property
    def now(self) -> float:
        """The time."""

    @property
    def due(self) -> Due | None:
        """What will happen by itself next."""

    @property
    def history(self) -> History:
        """What happened."""

    def snapshot(self) -> Snapshot:
        """The state now."""

    def route(
        self, exchange: str, routing_key: str, headers: Mapping[str, Any] | None = None
    ) -> dict[str, tuple[Binding, ...]]:
        """Where a message would go, and by which bindings."""
