"""The program: what was done by hand, as Python that does the same."""

import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest
from amqp.exceptions import NotFound

import sandbox
from sandbox import Broker, ManualClock
from sandbox.widgets import program as module
from sandbox.widgets.program import Call, Name, Program


def again(program: Program) -> dict[str, Any]:
    """Run it as a text; returns its variables."""
    variables: dict[str, Any] = {}
    exec(compile(str(program), "program", "exec"), variables)  # noqa: S102  (that it can be run is what is tested)
    return variables


def test_a_call_is_made_and_written_alike(still: Broker) -> None:
    """One value is both: the call that is made and the line that makes it again."""
    received: list[Any] = []
    program = Program(still)
    program.run(Call("broker", "queue", ("work",), {"max_length": 3}))
    program.run(Call("broker", "publish", ({"id": 7},), {"routing_key": "work"}, times=2))
    consume = Call("broker", "consume", ("work", Name("print", lambda body, _: received.append(body))))
    done = program.run(Call(consume.target, consume.method, consume.args, result="consumer"))
    assert done.variable == "consumer_1"
    assert program.run(Call("consumer_1", "drain")).value == 2
    program.run(Call("consumer_1.channel", "basic_ack", (1,)))

    assert received == [{"id": 7}] * 2
    assert str(program).splitlines() == [
        "import sandbox",
        "",
        "broker = sandbox.Broker(clock=sandbox.ManualClock())",
        "broker.queue('work', max_length=3)",
        "for _ in range(2): broker.publish({'id': 7}, routing_key='work')",
        "consumer_1 = broker.consume('work', print)",
        "consumer_1.drain()",
        "consumer_1.channel.basic_ack(1)",
    ]
    assert again(program)["broker"].snapshot() == still.snapshot()


def test_it_begins_with_a_broker_like_this_one(broker: Broker, still: Broker) -> None:
    """A program for the wall clock makes a broker in real time; one that was used before it goes on with."""
    assert str(Program(broker)) == "import sandbox\n\nbroker = sandbox.Broker()\n"
    assert "broker = sandbox.Broker(clock=sandbox.ManualClock())" in str(Program(still))
    still.queue("work")
    assert str(Program(still)) == (
        "import sandbox\n\n# This goes on with `broker` as it was when its dashboard was opened.\n"
    )


def test_results_get_variables(still: Broker) -> None:
    """Variables are numbered by their noun; a call that returned None gets none."""
    program = Program(still)
    program.run(Call("broker", "queue", ("work",)))
    assert program.run(Call("broker", "get", ("work",), result="message")) == (None, "")
    for number in (1, 2):
        program.run(Call("broker", "publish", ("x",), {"routing_key": "work"}))
        assert program.run(Call("broker", "get", ("work",), result="message")).variable == f"message_{number}"
    program.run(Call("message_2", "ack"))

    assert [code for code, _ in program.lines][1] == "broker.get('work')"
    assert program.last == "message_2.ack()"
    assert again(program)["broker"].snapshot() == still.snapshot()
    program.forget("message_2")
    with pytest.raises(KeyError):
        program.run(Call("message_2", "ack"))


def test_a_refused_line_is_struck_out(still: Broker) -> None:
    """A refusal that changed nothing leaves a comment with the broker's own words."""
    program = Program(still)
    with pytest.raises(ValueError, match="time cannot go back"):
        program.run(Call("broker", "advance", (-1,)))

    assert program.lines == [("broker.advance(-1)", "time cannot go back: advance(-1)")]
    assert str(program).endswith("# broker.advance(-1)  # time cannot go back: advance(-1)\n")
    again(program)


def test_a_refusal_that_changed_something_stays(still: Broker) -> None:
    """A refusal that closed a channel gave back what that held: so the program must meet it as well."""
    program = Program(still)
    program.run(Call("broker", "queue", ("work",)))
    program.run(Call("broker", "publish", ("x",), {"routing_key": "work"}))
    program.run(Call("broker", "get", ("work",), result="message"))
    with pytest.raises(NotFound):
        program.run(Call("broker", "get", ("wrok",), result="message"))

    assert program.lines[-1] == ("broker.get('wrok')", "NOT_FOUND - no queue 'wrok' in vhost '/'")
    assert str(program).startswith("from contextlib import suppress\n\nimport sandbox\n")
    assert str(program).endswith(
        "with suppress(sandbox.NotFound):  # NOT_FOUND - no queue 'wrok' in vhost '/'\n"
        "    broker.get('wrok')\n"
    )
    twin = again(program)["broker"]
    assert twin.snapshot() == still.snapshot()
    assert twin.peek("work")[0].redelivered == 1


def test_advances_in_a_row_are_one(still: Broker) -> None:
    """Ten tenths of a second are one line, and one second."""
    program = Program(still)
    for _ in range(10):
        program.run(Call("broker", "advance", (0.1,)))
    program.run(Call("broker", "step"))
    program.run(Call("broker", "advance", (2,)))

    assert [code for code, _ in program.lines] == ["broker.advance(1)", "broker.step()", "broker.advance(2)"]
    assert again(program)["broker"].now == still.now == 3


def test_advances_are_one_only_if_that_is_the_same(still: Broker) -> None:
    """Where the sum would lead to another moment, or the clock was moved between, the lines stay apart."""
    still.advance(1e11)
    program = Program(still)
    for _ in range(3):
        program.run(Call("broker", "advance", (4e-6,)))  # less than numbers of that size can tell apart
    assert program.lines == [("broker.advance(4e-06)", None)] * 3

    program.run(Call("broker", "advance", (1,)))
    still.advance(5)
    program.run(Call("broker", "advance", (1,)))
    assert [code for code, _ in program.lines][2:] == [
        "broker.advance(1.000004)",
        "broker.advance(1)",
    ]


HOSTILE = [
    "'); import os; os.abort(); ('",
    "a\nimport os\n",
    "\\'\"\"\"'''{}%s",
    "\u202e\u2028\x00\x1b[31m",
    "\ud800",
    "# no comment",
    "ünï\N{PILE OF POO}",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(still: Broker, text: str) -> None:
    """Whatever a name or body contains, it is one text in one line, also within an error."""
    program = Program(still)
    for call in (
        Call("broker", "queue", (f"q{text}",)),
        Call("broker", "publish", ({text: [text]},), {"routing_key": f"q{text}", "headers": {"a": text}}),
        Call("broker", "get", (text,)),
        Call("broker", "exchange", ("x", text)),
        Call("broker", "advance", (text,)),
    ):
        with suppress(Exception):
            program.run(call)

    assert all("\n" not in code and "\n" not in (error or "") for code, error in program.lines)
    assert again(program)["broker"].snapshot() == still.snapshot()


def test_every_refusal_has_a_class_in_the_program() -> None:
    """The classes that py-amqp raises for RabbitMQ's answers can be named by a program."""
    for name in ("AccessRefused", "FrameSyntaxError", "NotFound", "PreconditionFailed", "NotAllowed"):
        assert module._class(getattr(sandbox, name)()) == f"sandbox.{name}"
    assert module._class(ValueError()) == "ValueError"
    assert module._class(sandbox.UnknownBroker("x")) == "Exception"


def test_old_lines_fold_away(still: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program is bounded in lines and characters, and says how much is missing."""
    monkeypatch.setattr(module, "MOST_LINES", 10)
    monkeypatch.setattr(module, "MOST_CHARACTERS", 300)
    program = Program(still)
    for number in range(25):
        program.run(Call("broker", "queue", (f"q{number}",)))

    assert program.lines[0] == ("broker.queue('q15')", None)
    assert "# 15 earlier lines are folded away" in str(program)
    assert len(again(program)["broker"].queues) == 10

    program.run(Call("broker", "publish", ("x" * 400,)))
    assert len(program.lines) == 1
    program.run(Call("broker", "advance", (1,)))
    assert len(program.lines) == 1
    assert "# 26 earlier lines" in str(program)


def test_a_program_does_not_keep_its_broker() -> None:
    """The broker is held weakly; without it a call is refused."""
    broker = Broker(clock=ManualClock())
    program = Program(broker)
    gone = weakref.ref(broker)
    del broker
    gc.collect()

    assert gone() is None
    with pytest.raises(ReferenceError, match="the broker is gone"):
        program.run(Call("broker", "step"))
