"""What was seen on a running RabbitMQ, by section of its semantics: the statements' names only."""

from typing import NamedTuple


class Section(NamedTuple):
    """A section of the semantics, and its statements."""

    name: str
    statements: tuple[str, ...]


def _numbered(prefix: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(f"{prefix}-{number}" for number in range(first, last + 1))


SECTIONS = (
    Section("Topic exchange", _numbered("TOP", 1, 10)),
    Section("Direct, fanout and default exchange; declaring", _numbered("EX", 1, 13)),
    Section("Headers exchange, CC and BCC", (*_numbered("EX", 20, 24), "CC")),
    Section(
        "Bindings between exchanges, alternates, mandatory",
        (*_numbered("E2E", 1, 2), *_numbered("AE", 1, 4), "MAN-1"),
    ),
    Section("Confirms and transactions", _numbered("CON", 1, 5)),
    Section("Time to live", _numbered("TTL", 1, 9)),
    Section("Dead letters", _numbered("D", 1, 17)),
    Section("Length limits", _numbered("L", 1, 6)),
    Section("Priorities", _numbered("P", 1, 8)),
    Section("Acknowledging, requeueing, redelivery", _numbered("R", 1, 12)),
    Section("Prefetch and dispatch", _numbered("Q", 1, 10)),
    Section("Queues", _numbered("U", 1, 13)),
    Section("Direct reply-to", _numbered("DRT", 1, 4)),
    Section("Errors", _numbered("ERR", 1, 3)),
)
