"""Commands: what a person does by hand, rightly, wrongly and with a hostile browser."""

import gc
import json
import random
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sandbox import Broker, ManualClock
from sandbox.widgets.commands import COMMANDS, Answer, Commands
from sandbox.widgets.given import DEEPEST, LONGEST


@pytest.fixture
def commands(still: Broker) -> Commands:
    return Commands(still)


def do(commands: Commands, command: str, /, **args: object) -> Answer:
    """Run a command that must succeed."""
    answer = commands.run(command, args)
    assert answer.ok, answer
    assert answer.error == ""
    return answer


def refused(commands: Commands, command: str, /, **args: object) -> Answer:
    """Run a command that must be refused."""
    answer = commands.run(command, args)
    assert not answer.ok, answer
    assert answer.error
    return answer


def again(commands: Commands) -> Broker:
    """The broker that the program makes."""
    variables: dict[str, Any] = {}
    exec(compile(str(commands.program), "program", "exec"), variables)  # noqa: S102  (that is what is tested)
    broker: Broker = variables["broker"]
    return broker


# ---------------------------------------------------------------- publishing and receiving


def test_publish(commands: Commands, still: Broker) -> None:
    """All that a publish may have is sent, and only what differs from the defaults is written."""
    do(commands, "queue", name="work", max_priority="9")
    answer = do(
        commands,
        "publish",
        exchange="",
        routing_key="work",
        body='{"id": 7}',
        headers='{"region": "eu"}',
        expiration="1.5",
        priority=3,
        mandatory=True,
        persistent=False,
    )

    assert answer.code == (
        "broker.publish({'id': 7}, routing_key='work', headers={'region': 'eu'}, expiration=1.5, priority=3, "
        "mandatory=True, delivery_mode=1)"
    )
    assert answer.notes == ("message 1 went to work",)
    message = still.get("work")
    assert message is not None
    assert (message.payload, message.headers) == ({"id": 7}, {"region": "eu"})

    assert do(commands, "publish", body="x", routing_key="nowhere").notes == ("message 2 is lost: no queue",)
    answer = do(commands, "publish", body="x", routing_key="work", times=3, headers=" ", expiration="")
    assert answer.code == "for _ in range(3): broker.publish('x', routing_key='work')"
    assert answer.notes == ("3 messages; the last: message 5 went to work",)
    assert still.queues["work"].ready == 3


BODIES: dict[str, object] = {
    "": "",
    "text": "text",
    '"quoted"': '"quoted"',
    "7": 7,
    " -1.5 ": -1.5,
    "true": True,
    "null": None,
    "[1, null]": [1, None],
    '{"a": {"b": []}}': {"a": {"b": []}},
    "NaN": "NaN",
    "-Infinity": "-Infinity",
    "1e999": "1e999",
    '{"a": 1e999}': '{"a": 1e999}',
    "9" * 5_000: "9" * 5_000,
    "{": "{",
    "order 7\nis new": "order 7\nis new",
}


@pytest.mark.parametrize(("text", "body"), BODIES.items())
def test_a_body_is_json_or_text(commands: Commands, still: Broker, text: str, body: object) -> None:
    """A body that is JSON is sent as what it means, anything else, and a JSON string, as the text."""
    do(commands, "queue", name="work")
    do(commands, "publish", body=text, routing_key="work")

    message = still.get("work")
    assert message is not None
    assert message.payload == body
    assert type(message.payload) is type(body)
    twin = again(commands)
    copy = twin.get("work")
    assert copy is not None
    assert copy.payload == body


def test_get_and_settle(commands: Commands, still: Broker) -> None:
    """What was fetched by hand is settled by its message, once."""
    do(commands, "queue", name="work")
    do(commands, "publish", body="x", routing_key="work", times=6)
    assert do(commands, "get", queue="work").code == "message_1 = broker.get('work')"
    for _ in range(3):
        do(commands, "get", queue="work")
    assert (
        do(commands, "get", queue="work", no_ack=True).code == "message_5 = broker.get('work', no_ack=True)"
    )
    ((channel, _), *_) = messages = commands.by_hand["messages"]
    assert messages == [[channel, tag] for tag in (1, 2, 3, 4)]
    assert commands.by_hand["channels"] == [channel]

    assert do(commands, "requeue", channel=channel, tag=4).code == "message_4.requeue()"
    assert do(commands, "reject", channel=channel, tag=1).code == "message_1.reject()"
    assert do(commands, "ack", channel=channel, tag=3, multiple=True).code == "message_3.ack(multiple=True)"
    for tag in (1, 2, 3, 4, 5):
        assert "not held any more" in refused(commands, "ack", channel=channel, tag=tag).error
    assert commands.by_hand == {"channels": [], "consumers": [], "messages": []}
    assert (still.ledger.done, still.ledger.dropped, still.ledger.ready) == (3, 1, 2)
    do(commands, "purge", queue="work")
    assert do(commands, "get", queue="work").notes == ("nothing is ready in work",)
    assert again(commands).snapshot() == still.snapshot()


def test_a_channel_that_fetched_is_closed(commands: Commands, still: Broker) -> None:
    """Closing the channel gives back what was fetched on it."""
    do(commands, "queue", name="work")
    do(commands, "publish", body="x", routing_key="work", times=2)
    do(commands, "get", queue="work")
    (channel,) = commands.by_hand["channels"]

    assert do(commands, "close_channel", channel=channel).code == "message_1.channel.close()"
    assert still.queues["work"].ready == 2
    assert commands.by_hand["channels"] == []
    do(commands, "get", queue="work")
    assert again(commands).snapshot() == still.snapshot()


def test_a_mistake_gives_back_what_was_fetched(commands: Commands) -> None:
    """An error closes the channel of `get`; what had been fetched can then not be settled any more."""
    do(commands, "queue", name="work")
    do(commands, "publish", body="x", routing_key="work")
    do(commands, "get", queue="work")
    ((channel, tag),) = commands.by_hand["messages"]
    answer = refused(commands, "get", queue="wrok")

    assert answer.error == "NOT_FOUND - no queue 'wrok' in vhost '/'"
    assert answer.notes == ("Did you mean 'work'?",)
    assert answer.code == "broker.get('wrok')"
    assert commands.by_hand["messages"] == []
    assert "not held any more" in refused(commands, "ack", channel=channel, tag=tag).error
    assert do(commands, "get", queue="work").code == "message_2 = broker.get('work')"
    assert do(commands, "ack", channel=channel, tag=1).code == "message_2.ack()"


def test_consume_and_settle(commands: Commands, still: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    """A consumer by hand: it receives when told so, and each delivery is settled on its channel."""
    do(commands, "queue", name="work")
    do(commands, "publish", body="x", routing_key="work", times=5)
    answer = do(commands, "consume", queue="work", prefetch_count=3, no_ack=False, priority=2, exclusive=True)
    assert answer.code == (
        "consumer_1 = broker.consume('work', print, prefetch_count=3, priority=2, exclusive=True)"
    )
    ((consumer,), (channel,)) = commands.by_hand["consumers"], commands.by_hand["channels"]
    assert consumer == f"{channel}:consumer-1"

    answer = do(commands, "receive", consumer=consumer)
    assert (answer.code, answer.notes) == ("consumer_1.drain()", ("received 3",))
    assert capsys.readouterr().out == ""
    assert do(commands, "ack", channel=channel, tag=2).code == "consumer_1.channel.basic_ack(2)"
    assert do(commands, "requeue", channel=channel, tag=1).code == (
        "consumer_1.channel.basic_nack(1, requeue=True)"
    )
    assert do(commands, "reject", channel=channel, tag=3).code == (
        "consumer_1.channel.basic_reject(3, requeue=False)"
    )
    before = still.snapshot()
    for command in ("ack", "requeue", "reject"):
        assert refused(commands, command, channel=channel, tag=2) == (
            False,
            "delivery 2 is not held any more",
            (),
            "",
        )
    assert still.snapshot() == before
    assert do(commands, "cancel", consumer=consumer).code == "consumer_1.cancel()"
    assert commands.by_hand == {"channels": [channel], "consumers": [], "messages": []}
    assert refused(commands, "receive", consumer=consumer).error == "consumer consumer-1 has ended"
    assert do(commands, "ack", channel=channel, tag=0, multiple=True).code == (
        "consumer_1.channel.basic_ack(0, multiple=True)"
    )
    assert do(commands, "close_channel", channel=channel).code == "consumer_1.close()"
    assert commands.by_hand["channels"] == []
    assert again(commands).snapshot() == still.snapshot()
    assert capsys.readouterr().out.count("x <Message") == 6


def test_a_second_click_never_closes_the_channel(commands: Commands, still: Broker) -> None:
    """Settled twice by mistake, also among many: the second time is refused before the broker sees it."""
    do(commands, "queue", name="work")
    do(commands, "publish", body="x", routing_key="work", times=40)
    do(commands, "consume", queue="work")
    (channel,) = commands.by_hand["channels"]
    do(commands, "ack", channel=channel, tag=5)
    assert "not held any more" in refused(commands, "ack", channel=channel, tag=5).error
    do(commands, "ack", channel=channel, tag=35)
    do(commands, "ack", channel=channel, tag=12, multiple=True)
    for tag in (4, 12):
        assert "not held any more" in refused(commands, "ack", channel=channel, tag=tag).error

    assert len(still.consumers) == 1
    assert still.queues["work"].unacked == 27


def test_what_belongs_to_code_is_left_to_it(commands: Commands, still: Broker) -> None:
    """Consumers, messages and channels that were not made here are refused with one sentence."""
    still.queue("work")
    for body in "abc":
        still.publish(body, routing_key="work")
    held = still.get("work")
    assert held is not None
    consumption = still.consume("work", print, prefetch_count=1)
    channel = consumption.channel.channel_id
    before = still.snapshot()

    assert refused(commands, "receive", consumer=f"{channel}:consumer-1").error == (
        "consumer consumer-1 belongs to code: it is handled there"
    )
    for command in ("ack", "requeue", "reject", "close_channel"):
        args = {} if command == "close_channel" else {"tag": 1}
        for number in (channel, held.channel.channel_id, 77):
            assert (
                f"channel {number} belongs to code"
                in refused(commands, command, channel=number, **args).error
            )
    assert still.snapshot() == before
    assert commands.by_hand == {"channels": [], "consumers": [], "messages": []}
    assert commands.program.lines == []


# ---------------------------------------------------------------- topology and time


def test_topology(commands: Commands, still: Broker) -> None:
    """Exchanges, queues and bindings with their options; arguments are JSON."""
    lines = [
        do(commands, "exchange", name="dead", type="fanout").code,
        do(
            commands,
            "exchange",
            name="orders",
            type="topic",
            durable=False,
            auto_delete=False,
            internal=False,
            alternate_exchange="dead",
            arguments='{"x": 1}',
        ).code,
        do(
            commands,
            "queue",
            name="work",
            exchange="orders",
            routing_key="order.#",
            message_ttl="10",
            expires=60.0,
            max_length="100",
            max_priority=None,
            dead_letter_exchange="",
            dead_letter_routing_key="later",
            overflow="reject-publish",
            exclusive=False,
            auto_delete=False,
            durable=True,
            arguments="",
        ).code,
        do(commands, "bind", destination="work", exchange="dead").code,
        do(commands, "bind", destination="work", exchange="amq.headers", arguments='{"x-match": "any"}').code,
        do(commands, "unbind", destination="work", exchange="dead", routing_key="").code,
        do(commands, "delete", kind="exchange", name="dead", if_unused=False).code,
        do(commands, "purge", queue="work").code,
    ]

    assert lines == [
        "broker.exchange('dead', type='fanout')",
        (
            "broker.exchange('orders', type='topic', durable=False, alternate_exchange='dead', "
            "arguments={'x': 1})"
        ),
        (
            "broker.queue('work', exchange='orders', routing_key='order.#', message_ttl=10, expires=60, "
            "max_length=100, dead_letter_exchange='', dead_letter_routing_key='later', "
            "overflow='reject-publish')"
        ),
        "broker.bind('work', 'dead')",
        "broker.bind('work', 'amq.headers', arguments={'x-match': 'any'})",
        "broker.unbind('work', 'dead')",
        "broker.delete('dead')",
        "broker.purge('work')",
    ]
    assert again(commands).snapshot() == still.snapshot()


def test_delete_means_what_it_says(commands: Commands, still: Broker) -> None:
    """A name that a queue and an exchange share never leads to the wrong one being deleted."""
    still.queue("same")
    still.exchange("same")
    assert "a queue has that name too" in refused(commands, "delete", kind="exchange", name="same").error
    do(commands, "delete", kind="queue", name="same")
    assert refused(commands, "delete", kind="queue", name="same").error == "there is no queue same any more"
    do(commands, "delete", kind="exchange", name="same")
    assert "same" not in still.snapshot().exchanges


def test_time(commands: Commands, still: Broker) -> None:
    """The clock is moved by hand; each move says what happened."""
    do(commands, "queue", name="work", message_ttl=5)
    do(commands, "publish", body="x", routing_key="work")
    do(commands, "advance", seconds="1.25")
    do(commands, "advance", seconds=1)
    assert do(commands, "step").notes == ("at 5 s something was due in work",)
    assert do(commands, "step").notes == ("nothing will happen by itself",)
    assert do(commands, "run_until_idle").notes == ("0 steps, and nothing more will happen by itself",)
    assert refused(commands, "advance", seconds=-1).error == "time cannot go back: advance(-1)"

    assert [code for code, _ in commands.program.lines][2:4] == ["broker.advance(2.25)", "broker.step()"]
    assert again(commands).snapshot() == still.snapshot()


def test_a_loop_in_time_is_told_soon(commands: Commands, still: Broker) -> None:
    """Running until idle ends after a thousand steps, with the queues that still had something to do."""
    do(commands, "queue", name="work")
    for expiration in range(1, 1_102):
        still.publish("x", routing_key="work", expiration=expiration)
    answer = refused(commands, "run_until_idle")

    assert answer.error == "1000 steps and no end; the last ones were in work"
    assert answer.code == "broker.run_until_idle(limit=1000)"
    assert still.now == 1000
    assert str(commands.program).endswith("\n    broker.run_until_idle(limit=1000)\n")


def test_the_wall_clock_is_not_moved(broker: Broker) -> None:
    """In real time the answer says how to get a manual clock, and the program is one in real time."""
    commands = Commands(broker)
    assert "sandbox.ManualClock()" in refused(commands, "advance", seconds=1).error
    assert "broker = sandbox.Broker()\n# broker.advance(1)" in str(commands.program)


# ---------------------------------------------------------------- nonsense

NONSENSE: dict[str, tuple[object, object, str]] = {
    "no such command": ("explode", {}, "no such command"),
    "a private name": ("_tidy", {}, "no such command"),
    "no name at all": (None, {}, "no such command"),
    "an unhashable name": ([], {}, "no such command"),
    "no arguments": ("step", None, "by their names"),
    "arguments in a list": ("step", ["x"], "by their names"),
    "arguments without names": ("step", {1: 2}, "by their names"),
    "an argument too many": ("step", {"limit": 5}, "no such argument: 'limit'"),
    "nothing to publish": ("publish", {}, "body is missing"),
    "a body of another type": ("publish", {"body": {"a": 1}}, "body is a text"),
    "a long body": ("publish", {"body": "x" * (LONGEST + 1)}, "at most 100,000 characters"),
    "a deep body": ("publish", {"body": "[" * 60 + "]" * 60}, f"at most {DEEPEST} deep"),
    "a very deep body": ("publish", {"body": "[" * 50_000 + "]" * 50_000}, f"at most {DEEPEST} deep"),
    "deep headers": ("publish", {"body": "", "headers": '{"a":' * 60 + "1" + "}" * 60}, "deep"),
    "headers of words": ("publish", {"body": "", "headers": "region: eu"}, "headers is no JSON"),
    "headers in a list": ("publish", {"body": "", "headers": "[1]"}, "headers is a JSON object"),
    "headers without end": ("publish", {"body": "", "headers": '{"a": NaN}'}, "NaN is no number"),
    "many times": ("publish", {"body": "", "times": 101}, "from 1 to 100"),
    "no times": ("publish", {"body": "", "times": 0}, "from 1 to 100"),
    "half a time": ("publish", {"body": "", "times": 1.5}, "a whole number"),
    "a time of words": ("publish", {"body": "", "expiration": "soon"}, "expiration is a number"),
    "a time of a flag": ("publish", {"body": "", "expiration": True}, "expiration is a number"),
    "no number": ("advance", {"seconds": float("nan")}, "seconds is a number"),
    "a number in words": ("advance", {"seconds": "nan"}, "seconds is a number"),
    "a number in a list": ("advance", {"seconds": [1]}, "seconds is a number"),
    "a huge number": ("advance", {"seconds": 10**400}, "seconds is a number"),
    "no seconds": ("advance", {"seconds": ""}, "seconds is missing"),
    "a flag of words": ("publish", {"body": "", "mandatory": "no"}, "mandatory is true or false, not 'no'"),
    "no queue": ("get", {}, "queue is missing"),
    "a queue of another type": ("get", {"queue": 7}, "queue is a text, not 7"),
    "no kind": ("delete", {"name": "work"}, "kind is missing"),
    "no such kind": ("delete", {"name": "work", "kind": "binding"}, "kind is queue or exchange"),
    "no delivery": ("ack", {"channel": 3}, "by its channel and tag"),
    "no such consumer": ("cancel", {"consumer": "1:2:3"}, "belongs to code"),
    "a consumer without channel": ("cancel", {"consumer": "\u202ex"}, r"consumer \u202ex belongs to code"),
}


@pytest.mark.parametrize(("name", "args", "words"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense(commands: Commands, still: Broker, name: object, args: object, words: str) -> None:
    """What a browser must not send is refused, and nothing happens."""
    still.queue("work")
    before = still.snapshot()
    answer = commands.run(name, args)

    assert not answer.ok
    assert words in answer.error
    assert answer.code == ""
    assert still.snapshot() == before
    assert commands.program.lines == []


REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "publish": ("publish", {"body": "x", "exchange": "nope"}),
    "a bad priority": ("publish", {"body": "x", "priority": 256}),
    "a bad expiration": ("publish", {"body": "x", "expiration": -1}),
    "a header that AMQP has not": ("publish", {"body": "x", "headers": json.dumps({"a": 2**70})}),
    "a surrogate": ("publish", {"body": "\ud800"}),
    "a long key": ("publish", {"body": "x", "routing_key": "x" * 256}),
    "get": ("get", {"queue": "nope"}),
    "get nothing": ("get", {"queue": ""}),
    "consume": ("consume", {"queue": "nope"}),
    "a bad prefetch": ("consume", {"queue": "work", "prefetch_count": -1}),
    "a huge prefetch": ("consume", {"queue": "work", "prefetch_count": 1e300}),
    "exchange": ("exchange", {"name": "amq.mine"}),
    "a bad type": ("exchange", {"name": "x", "type": "tropic"}),
    "queue": ("queue", {"name": "amq.mine"}),
    "a bad ttl": ("queue", {"name": "x", "message_ttl": -1}),
    "a bad argument": ("queue", {"name": "x", "arguments": '{"x-max-length": "many"}'}),
    "an unknown exchange": ("queue", {"name": "new", "exchange": "nope"}),
    "bind": ("bind", {"destination": "nope", "exchange": "amq.topic"}),
    "delete": ("delete", {"kind": "exchange", "name": "amq.topic"}),
    "purge": ("purge", {"queue": "nope"}),
    "the end of time": ("advance", {"seconds": 1e300}),
}


@pytest.mark.parametrize(("name", "args"), REFUSED.values(), ids=REFUSED)
def test_refusals(commands: Commands, still: Broker, name: str, args: dict[str, object]) -> None:
    """What the broker refuses is answered in its words, struck out, and every command works afterwards."""
    do(commands, "queue", name="work")
    answer = refused(commands, name, **args)

    assert commands.program.lines[-1] == (answer.code, answer.error)
    assert again(commands).snapshot() == still.snapshot()
    do(commands, "publish", body="x", routing_key="work")
    do(commands, "get", queue="work")
    do(commands, "consume", queue="work")
    assert again(commands).snapshot() == still.snapshot()


def test_a_closed_broker_answers(commands: Commands, still: Broker) -> None:
    """After `close` commands are refused, and nothing is by hand any more."""
    do(commands, "queue", name="work")
    do(commands, "publish", body="x", routing_key="work")
    do(commands, "consume", queue="work")
    (consumer,) = commands.by_hand["consumers"]
    still.close()

    assert commands.by_hand == {"channels": [], "consumers": [], "messages": []}
    assert "closed" in refused(commands, "publish", body="x").error
    assert "closed" in refused(commands, "step").error
    refused(commands, "receive", consumer=consumer)


def test_a_restarted_broker_is_used_again(commands: Commands, still: Broker) -> None:
    """A restart takes the consumers by hand with it; new ones can be made."""
    do(commands, "queue", name="work")
    do(commands, "consume", queue="work")
    still.restart()

    assert commands.by_hand["consumers"] == []
    do(commands, "consume", queue="work")
    assert len(commands.by_hand["consumers"]) == 1


def test_commands_do_not_keep_their_broker() -> None:
    """The broker is held weakly, and so is all that was made by hand; a dead one is told."""
    broker = Broker(clock=ManualClock())
    commands = Commands(broker)
    do(commands, "queue", name="work")
    do(commands, "publish", body="x", routing_key="work", times=2)
    do(commands, "get", queue="work")
    do(commands, "consume", queue="work")
    gone = weakref.ref(broker), weakref.ref(broker._engine)
    del broker
    gc.collect()

    assert [reference() for reference in gone] == [None, None]
    assert commands.run("step", {}) == (False, "the broker is gone", (), "")
    assert commands.by_hand == {"channels": [], "consumers": [], "messages": []}


# ---------------------------------------------------------------- the program does the same

HOSTILE = "c\n\u202e'"
NAMES = ["a", "a", "a", "b", "b", HOSTILE, HOSTILE, ""]
EXCHANGES = ["", "", "", "x", "y", "amq.topic", "amq.topic", "amq.headers", "nope"]
KEYS = ["a", "a", "b", "b", "a.b", "#", HOSTILE, ""]
BODY = ["text", "x", "more", '{"id": 7}', "7", "null", "", "\ud800"]
ARGUMENTS = ["", "", '{"x-match": "any", "r": 1}', '{"x-max-length": 2}', "[", '{"a": 1e999}']


def anything(rng: random.Random, commands: Commands) -> tuple[str, dict[str, Any]]:
    """A command, often a sensible one."""
    usual = ["publish"] * 12 + ["get", "consume", "receive", "ack", "requeue", "reject", "advance"] * 4
    name = rng.choice(usual + list(COMMANDS))
    by_hand = commands.by_hand
    channel = rng.choice([*by_hand["channels"], *by_hand["channels"], 1, 99])
    held = [tag for number, tag in by_hand["messages"] if number == channel]
    known: dict[str, dict[str, Any]] = {
        "publish": {
            "exchange": rng.choice(EXCHANGES),
            "routing_key": rng.choice(KEYS),
            "body": rng.choice(BODY),
            "headers": rng.choice(["", "", "", "", '{"r": 1}', '{"r": 1}', "no"]),
            "expiration": rng.choice([None, None, None, None, 0, 1.5, 3, -1]),
            "priority": rng.choice([None, None, None, 0, 1, 5, 300]),
            "mandatory": rng.random() < 0.1,
            "persistent": rng.random() < 0.8,
            "times": rng.choice([1, 1, 3]),
        },
        "get": {"queue": rng.choice(NAMES), "no_ack": rng.random() < 0.2},
        "consume": {
            "queue": rng.choice(NAMES),
            "prefetch_count": rng.choice([0, 1, 3, -1]),
            "no_ack": rng.random() < 0.2,
            "priority": rng.choice([0, 0, 1]),
            "exclusive": rng.random() < 0.1,
        },
        "receive": {"consumer": rng.choice([*by_hand["consumers"], "1:nobody"])},
        "cancel": {"consumer": rng.choice([*by_hand["consumers"], "1:nobody"])},
        "close_channel": {"channel": channel},
        "ack": {"channel": channel, "tag": rng.choice(held or range(12)), "multiple": rng.random() < 0.2},
        "requeue": {"channel": channel, "tag": rng.choice(held or range(12))},
        "reject": {"channel": channel, "tag": rng.choice(held or range(12))},
        "exchange": {
            "name": rng.choice(["x", "y", "amq.mine"]),
            "type": rng.choice(["direct", "topic", "fanout", "tropic"]),
            "auto_delete": rng.random() < 0.2,
            "alternate_exchange": rng.choice(["", "", "y", "nope"]),
        },
        "queue": {
            "name": rng.choice(NAMES),
            "exchange": rng.choice(EXCHANGES),
            "routing_key": rng.choice(KEYS),
            "message_ttl": rng.choice([None, None, 2, 4.5]),
            "expires": rng.choice([None, None, None, 20]),
            "max_length": rng.choice([None, None, None, 2]),
            "max_priority": rng.choice([None, None, None, 5]),
            "dead_letter_exchange": rng.choice([None, None, "x", ""]),
            "dead_letter_routing_key": rng.choice([None, "a", "b"]),
            "overflow": rng.choice(["", "", "reject-publish", "reject-publish-dlx"]),
            "auto_delete": rng.random() < 0.1,
            "arguments": rng.choice(ARGUMENTS),
        },
        "bind": {
            "destination": rng.choice([*NAMES, "y"]),
            "exchange": rng.choice(EXCHANGES),
            "routing_key": rng.choice(KEYS),
            "arguments": rng.choice(ARGUMENTS),
        },
        "unbind": {
            "destination": rng.choice([*NAMES, "y"]),
            "exchange": rng.choice(EXCHANGES),
            "routing_key": rng.choice(KEYS),
        },
        "purge": {"queue": rng.choice(NAMES)},
        "delete": {"kind": rng.choice(["queue", "exchange"]), "name": rng.choice([*NAMES, "x", "y"])},
        "advance": {"seconds": rng.choice([0, 0.1, 0.7, 1.000001, 3, -1, "1.5", "x"])},
    }
    args = known.get(name, {})
    if rng.random() < 0.03:
        args = {**args, rng.choice([*args, "more"]): rng.choice([None, 7, "x", [], {}])}
    return name, args


@pytest.mark.parametrize("seed", range(60))
def test_the_program_does_the_same(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """After any commands the program leads a fresh broker to an equal snapshot, event for event."""
    rng = random.Random(seed)  # noqa: S311  (a test that can be repeated)
    with Broker(clock=ManualClock()) as broker:
        commands = Commands(broker)
        for name in ("a", "b", HOSTILE):
            do(commands, "queue", name=name, exchange="amq.topic", routing_key=f"{name[0]}.#")
        for _ in range(120):
            commands.run(*anything(rng, commands))
        assert capsys.readouterr().out == ""

        twin = again(commands)
        assert twin.history.last == broker.history.last > 80
        assert twin.snapshot() == broker.snapshot()
        assert list(map(str, twin.history)) == list(map(str, broker.history))
        twin.close()


def test_anything_is_enough() -> None:
    """The sequences above have every command in them, both done and refused."""
    seen: set[tuple[str, bool]] = set()
    for seed in range(60):
        rng = random.Random(seed)  # noqa: S311  (a test that can be repeated)
        with Broker(clock=ManualClock()) as broker:
            commands = Commands(broker)
            do(commands, "queue", name="a")
            for _ in range(100):
                name, args = anything(rng, commands)
                seen.add((name, commands.run(name, args).ok))

    # What refuses these is a loop, or a clock in real time.
    assert {(name, ok) for name in COMMANDS for ok in (True, False)} - seen <= {
        ("step", False),
        ("run_until_idle", False),
    }


def test_clicks_on_many_threads(commands: Commands, still: Broker) -> None:
    """Commands from several threads at once: the program still tells the order in which they took effect."""
    do(commands, "queue", name="work", max_length=7)

    def click(seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311  (a test that can be repeated)
        for _ in range(40):
            commands.run(*anything(rng, commands))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(click, seed) for seed in range(4)]:
            done.result()
    assert again(commands).snapshot() == still.snapshot()
