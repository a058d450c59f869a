"""Forks: a broker does not cross one; the child is told so in a sentence, and ends in silence."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")

SENTENCE = "a sandbox broker does not cross a fork: use threads, or make a broker in the child process"

PREPARE = """
    import gc, os, sys, threading, weakref
    from sandbox.engine.core import Engine
    from sandbox.engine.model import ExchangeOptions

    engine = Engine()
    connection = engine.connect()
    channel = engine.open_channel(connection)
    engine.queue_declare(channel, "q")
    engine.basic_publish(channel, "", "q", b"m", {}, {})
    engine.basic_get(channel, "q")

    def refused(act):
        try:
            act()
        except RuntimeError as error:
            print(error)
        else:
            print("not refused")
"""

FORK = """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        print("exit", os.waitstatus_to_exitcode(status))
        engine.basic_publish(channel, "", "q", b"m", {}, {})
        print("parent", engine.snapshot().ledger)
        sys.exit()
"""


def run(*parts: str) -> list[str]:
    """Run a program of these parts; it must say nothing on stderr.  Its lines."""
    program = "\n".join(textwrap.dedent(part) for part in parts)
    command = [
        sys.executable,
        "-u",
        "-W",
        "ignore::DeprecationWarning",
        "-c",
        program,
    ]  # of forks among threads
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.splitlines()


PARENT = ["exit 0", "parent 2 published = 2 routed · 2 copies = 1 ready + 1 unacked"]


def test_every_use_is_refused() -> None:
    """In the child every use raises the one sentence; its past can be read, and a broker of its own works."""
    lines = run(
        PREPARE,
        FORK,
        """
        for act in (
            engine.connect,
            lambda: engine.disconnect(connection),
            lambda: engine.open_channel(connection),
            lambda: engine.close_channel(channel),
            lambda: engine.exchange_declare(channel, "x", ExchangeOptions("direct")),
            lambda: engine.queue_declare(channel, "r"),
            lambda: engine.basic_publish(channel, "", "q", b"m", {}, {}),
            lambda: engine.basic_get(channel, "q"),
            lambda: engine.basic_ack(channel, 1),
            lambda: engine.next_item(connection, 0),
            lambda: engine.next_item(connection, None),
            engine.snapshot,
            engine.depths,
            engine.peek,
            lambda: engine.contents("q"),
            engine.close,
        ):
            refused(act)
        print(engine.history.at(3))
        engine = Engine()
        channel = engine.open_channel(engine.connect())
        print("child", engine.snapshot().ledger)
        """,
    )

    assert lines[:16] == [SENTENCE] * 16
    assert lines[16].startswith("Snapshot(serial=3")
    assert lines[17:] == ["child nothing published yet", *PARENT]


def test_forked_under_the_lock() -> None:
    """A child that was forked while another thread held the lock is refused, not stuck."""
    lines = run(
        PREPARE,
        """
        held, over = threading.Event(), threading.Event()
        def hold():
            with engine._lock:
                held.set()
                over.wait(20)
        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(20)
        """,
        FORK.replace("os.waitpid(child, 0)", "os.waitpid(child, 0); over.set(); thread.join()"),
        "refused(engine.snapshot)",
    )

    assert lines == [SENTENCE, *PARENT]


def test_finalizers_are_silent() -> None:
    """In the child a client that is collected, there or at exit, says nothing."""
    lines = run(
        PREPARE,
        """
        class Client:
            pass
        clients = [Client(), Client()]
        for client in clients:
            weakref.finalize(client, engine.dropped.append, engine.connect())
        """,
        FORK,
        """
        clients.pop()
        del client
        gc.collect()
        """,
    )

    assert lines == PARENT
