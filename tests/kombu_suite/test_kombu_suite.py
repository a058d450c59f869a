"""kombu's own integration suite, which it runs on RabbitMQ and redis, run on `sandbox://`.

The suite is one file of kombu's source distribution, t/integration/common.py.  It is fetched by pip when
these tests run, in the version that is installed, and is never part of this project.
"""

import importlib.metadata
import importlib.util
import inspect
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import kombu
import pytest

from sandbox import Broker

pytestmark = pytest.mark.kombu_suite

BASIC = (
    "test_connect",
    "test_failed_connect",
    "test_failed_connection",
    "test_failed_channel",
    "test_failed_default_channel",
    "test_default_channel_autoconnect",
    "test_channel",
    "test_default_channel",
    "test_autoretry_default_channel",
    "test_publish_consume",
    "test_consume_empty_queue",
    "test_simple_queue_publish_consume",
    "test_simple_buffer_publish_consume",
)
PRIORITY = (
    "test_publish_consume",
    "test_publish_requeue_consume",
    "test_simple_queue_publish_consume",
    "test_simple_buffer_publish_consume",
)

#: What is run, by the suite's classes.
RUN = {
    "BasicFunctionality": BASIC,
    "BaseExchangeTypes": (
        "test_direct",
        "test_direct_routing_keys",
        "test_fanout",
        "test_topic",
        "test_publish_empty_exchange",
    ),
    "BaseTimeToLive": (
        "test_publish_consume",
        "test_simple_queue_publish_consume",
        "test_simple_buffer_publish_consume",
    ),
    "BasePriority": PRIORITY,
    "BaseMessage": ("test_ack", "test_reject_no_requeue", "test_reject_requeue", "test_requeue"),
    "BaseFailover": (
        *BASIC,
        "test_failover_switches_to_alternate_url",
        "test_failover_rejects_dotted_alternate",
        "test_failover_to_dotted_alternate_keeps_transport",
        "test_failover_to_alias_alternate_is_allowed",
    ),
}

_REDIS = "PRIORITY_ORDER = 'desc' is redis's order, the lowest number first; RabbitMQ's is 'asc'"

#: What is not run, and why.
EXCLUDED = {
    **{("BasePriority, desc", name): _REDIS for name in PRIORITY},
    ("BaseEventLoop", "test_ack_from_another_thread"): "for transports that implement asynchronous I/O",
}


@pytest.fixture(scope="session")
def suite(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The suite's module; it imports the installed kombu, not the one that it came with."""
    version = importlib.metadata.version("kombu")
    assert pytestconfig.cache is not None
    archive = pytestconfig.cache.mkdir("kombu-suite") / f"kombu-{version}.tar.gz"
    if not archive.exists():
        download(version, archive.parent)
    source = tmp_path_factory.mktemp("kombu-suite") / "common.py"
    with tarfile.open(archive) as files:
        member = files.extractfile(f"kombu-{version}/t/integration/common.py")
        assert member is not None
        source.write_bytes(member.read())

    spec = importlib.util.spec_from_file_location("kombu_integration_common", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def download(version: str, directory: Path) -> None:
    """Fetch kombu's source distribution; without a network, skip on a laptop and fail in CI."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "kombu"]
    done = subprocess.run(
        [*pip, "--dest", str(directory), f"kombu=={version}"], check=False, capture_output=True, text=True
    )
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2]
        reason = f"the sources of kombu {version}, which hold its suite, could not be fetched: {why}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """The broker that the suite's connections reach."""
    with Broker(name="kombu-suite") as broker:
        yield broker


@pytest.fixture
def connection(broker: Broker) -> kombu.Connection:
    """A connection as the suite wants it: not yet established."""
    return kombu.Connection(broker.url)


@pytest.fixture
def invalid_connection() -> kombu.Connection:
    """A connection that cannot be established."""
    return kombu.Connection("sandbox://nowhere")


@pytest.fixture
def failover_connection(broker: Broker) -> kombu.Connection:
    """A connection with two URLs, of which only the second can be reached; the suite wants two ports."""
    return kombu.Connection(f"sandbox://nowhere:1;{broker.url}:2")


@pytest.mark.parametrize(("group", "name"), [(group, name) for group in RUN for name in RUN[group]])
def test_kombu(suite: ModuleType, group: str, name: str, request: pytest.FixtureRequest) -> None:
    """What kombu tests holds on our transport."""
    test = getattr(getattr(suite, group)(), name)
    test(**{fixture: request.getfixturevalue(fixture) for fixture in inspect.signature(test).parameters})


def test_nothing_is_left_out(suite: ModuleType) -> None:
    """46 tests are run and 5 are excluded, each with its reason; the suite has no others."""
    assert sum(map(len, RUN.values())) == 46
    assert len(EXCLUDED) == 5
    assert all(EXCLUDED.values())

    there = {
        (group, name)
        for group, held in inspect.getmembers(suite, inspect.isclass)
        if held.__module__ == suite.__name__
        for name in dir(held)
        if name.startswith("test")
    }
    run = {(group, name) for group, names in RUN.items() for name in names}
    in_redis_order = {("BasePriority, desc", name) for name in PRIORITY}
    assert there == (run | set(EXCLUDED)) - in_redis_order
    assert suite.BasePriority.PRIORITY_ORDER == "asc"
