"""A bench for each test, and asserts that speak in the helpers too."""

import pytest

pytest.register_assert_rewrite("tests.engine.bench")

from tests.engine.bench import Bench  # noqa: E402  (asserts are rewritten only in what is imported later)


@pytest.fixture
def bench() -> Bench:
    """A broker in manual time, with one client on one channel."""
    return Bench()
