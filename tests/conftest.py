"""Brokers that end with their test."""

from collections.abc import Iterator

import kombu
import pytest

from sandbox import Broker, ManualClock

pytest_plugins = ["tests.browser.fixtures"]


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker in real time."""
    with Broker() as broker:
        yield broker


@pytest.fixture
def still() -> Iterator[Broker]:
    """A broker whose time moves only by hand."""
    with Broker(clock=ManualClock()) as broker:
        yield broker


@pytest.fixture
def connection(broker: Broker) -> Iterator[kombu.Connection]:
    """An application's connection to `broker`."""
    with kombu.Connection(broker.url) as connection:
        yield connection
