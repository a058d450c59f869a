"""Each test of the contract runs on the sandbox and on RabbitMQ."""

from collections.abc import Iterator

import pytest

from tests.contract.target import RabbitMQ, Sandbox, Target


@pytest.fixture(params=[Sandbox, RabbitMQ], ids=["sandbox", "rabbitmq"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The broker under test, without anything in it."""
    only = request.node.get_closest_marker("sandbox_only")
    if request.param is RabbitMQ and only is not None:
        pytest.skip(only.args[0])
    target: Target = request.param()
    try:
        yield target
    finally:
        target.close()
