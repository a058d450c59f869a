"""The table of the README that says how much of RabbitMQ's behaviour is proved, computed from the tests.

`python -m tests.contract.conformance` prints it.
"""

import importlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.contract.statements import SECTIONS

BEGIN = "<!-- conformance: written by python -m tests.contract.conformance -->"
END = "<!-- end of conformance -->"

#: What is not as on RabbitMQ, and is meant so.
DIFFERENCES = (
    "A mistake raises at the faulty call. RabbitMQ tells of a failed publish or ack one operation later.",
    "A dead letter is never `redelivered`. On RabbitMQ 4 it is, if it was rejected or had come back before.",
    "What expires at the head is gone at once. RabbitMQ may overlook what got there by its priority.",
    "A transient exchange does not outlive a restart. On RabbitMQ 4 it may.",
    "What fits into no frame, as a name of 256 bytes, raises `FrameSyntaxError`; py-amqp: `struct.error`.",
    "There are classic queues only: to declare a quorum queue or a stream is refused.",
    "Shared queues that are not durable are accepted. RabbitMQ 4.3 refuses them unless it is told otherwise.",
    "Not modelled: the time limit for acknowledgements, alarms for memory and disk, `connection.blocked`.",
)


def contract_tests() -> Iterator[tuple[str, Callable[..., object]]]:
    """Each test of the contract, with its name."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"tests.contract.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("test_"):
                yield f"{path.stem}.{name}", function


def statements_of(test: Callable[..., object]) -> tuple[str, ...]:
    """The statements that a test proves."""
    return tuple(
        statement
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "statement"
        for statement in mark.args
    )


def proofs() -> dict[str, set[str]]:
    """For each target, the statements that some test proves there."""
    found: dict[str, set[str]] = defaultdict(set)
    for _, test in contract_tests():
        marks = {mark.name for mark in getattr(test, "pytestmark", ())}
        found["sandbox"].update(statements_of(test))
        if "sandbox_only" not in marks:
            found["rabbitmq"].update(statements_of(test))
    return found


def table() -> str:
    """The block of the README."""
    proved = proofs()
    rows = []
    for section in SECTIONS:
        everything = set(section.statements)
        counts = [len(everything), *(len(everything & proved[target]) for target in ("sandbox", "rabbitmq"))]
        rows.append((section.name, counts))
    rows.append(("All", [sum(column) for column in zip(*(counts for _, counts in rows), strict=True)]))
    lines = [
        BEGIN,
        "| What RabbitMQ does | Statements | Proved on the sandbox | Proved on RabbitMQ |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {name} | {' | '.join(map(str, counts))} |" for name, counts in rows),
        "",
        "What differs, on purpose:",
        "",
        *(f"- {difference}" for difference in DIFFERENCES),
        END,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
