"""Which broker a name means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from kombu.exceptions import OperationalError

if TYPE_CHECKING:
    from sandbox.engine.core import Engine

#: The brokers of this process by name.  The newest of a name has it; a broker that nobody refers to is gone.
BROKERS: WeakValueDictionary[str, Engine] = WeakValueDictionary()

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


class UnknownBroker(OperationalError):
    """No broker of that name is alive in this process."""


def register(name: Any, engine: Engine) -> None:
    """Let `sandbox://name` mean this engine from now on; ValueError if a URL cannot hold the name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        msg = f"a broker's name is small letters, digits, dots, dashes and underscores, not {name!r}"
        raise ValueError(msg)
    BROKERS[name] = engine


def find(name: str) -> Engine:
    """The engine of that name, or UnknownBroker with the names that there are."""
    try:
        return BROKERS[name]
    except KeyError:
        names = sorted(ref.key for ref in BROKERS.valuerefs())  # at once, while others come and go
        known = ", ".join(f"sandbox://{known}" for known in names) or "none"
        error = UnknownBroker(f"no broker at sandbox://{name}; alive in this process: {known}")
        error.add_note(
            f'Make it with broker = sandbox.Broker(name="{name or "orders"}") and keep the reference: '
            "a broker that nothing refers to is gone."
        )
        raise error from None
