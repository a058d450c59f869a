"""Some of the random programs, at each run of the tests.  `python -m tests.differential` runs any number."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tests.contract.target import AMQP_URL, server_version
from tests.differential.generate import draw_program
from tests.differential.rabbit import Rabbit
from tests.differential.run import Difference, Runner

#: The numbers of the programs, and how many make a test.
PROGRAMS = range(1, 201)
SLICE = 40

#: Programs side by side: most of the time they wait, for the broker or for something to expire.
SIDE_BY_SIDE = 5


@pytest.fixture(scope="module")
def runners() -> Iterator[list[Runner]]:
    """What runs programs on the server at AMQP_URL, each on connections of its own."""
    server_version()
    with ExitStack() as stack:
        rabbits = [stack.enter_context(closing(Rabbit(AMQP_URL))) for _ in range(SIDE_BY_SIDE)]
        yield [Runner(rabbit) for rabbit in rabbits]


def differences(runner: Runner, numbers: Sequence[int]) -> list[str]:
    """Run these programs: where the sandbox is not as RabbitMQ is, and how to see it again."""
    found = []
    for number in numbers:
        try:
            runner.check(draw_program(number))
        except Difference as difference:
            shorter = f"made shorter by: python -m tests.differential --programs 1 --seed {number}"
            found.append(f"program {number}, as a script:\n{difference}\n{shorter}\n")
    return found


@pytest.mark.parametrize("first", PROGRAMS[::SLICE])
def test_programs(runners: list[Runner], first: int) -> None:
    """At each step the sandbox answers, refuses, delivers and keeps what RabbitMQ does."""
    for runner in runners:
        runner.counts.clear()
    numbers = range(first, first + SLICE)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        shares = [numbers[place::SIDE_BY_SIDE] for place in range(SIDE_BY_SIDE)]
        found = [text for texts in pool.map(differences, runners, shares) for text in texts]

    if found:
        pytest.fail("\n".join(found), pytrace=False)
    given_up = sum(runner.counts["given up"] for runner in runners)
    assert given_up <= SLICE // 10, "the machine was too busy to compare the two"
