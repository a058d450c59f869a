"""What kombu's in-memory transport promises, kept on `sandbox://`: each promise is a test.

The promises are those of the page that documents `kombu.transport.memory`, and those that a reader of it
takes for granted.
"""

import gc
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kombu
import pytest
from amqp.exceptions import (
    AccessRefused,
    ChannelError,
    NotFound,
    PreconditionFailed,
    RecoverableConnectionError,
    ResourceLocked,
)
from kombu.common import collect_replies

import sandbox
from sandbox import Broker
from sandbox.tables import Table
from sandbox.transport import Transport

# What kombu annotates is annotated with another transport's classes.
Channel = Any
Connection = Any
Message = Any

LEAVING: dict[str, Callable[[Connection, Channel], object]] = {
    "Channel.close": lambda _, channel: channel.close(),
    "Connection.close": lambda connection, _: connection.close(),
    "channel error": lambda _, channel: refused(channel),
}
each_way_to_leave = pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)


def names(table: Table[Any]) -> set[str]:
    """The first column."""
    return {row[0] for row in table}


def publish(channel: Channel, *bodies: Any, to: str = "work", **options: Any) -> None:
    """Publish to a queue of that name, which is declared if need be."""
    producer = kombu.Producer(channel)
    for body in bodies:
        producer.publish(body, routing_key=to, declare=[kombu.Queue(to)], **options)


def take(channel: Channel, queue: str = "work") -> list[Any]:
    """The payloads in a queue, head first; the queue is empty then."""
    return [message.payload for message in iter(lambda: channel.basic_get(queue, no_ack=True), None)]


def drain(connection: Connection) -> None:
    """Hand out all that the broker has sent."""
    while True:
        try:
            connection.drain_events(timeout=0)
        except socket.timeout:  # noqa: UP041  (the name that kombu documents)
            return


def refused(channel: Channel) -> None:
    """Make a channel error."""
    with pytest.raises(NotFound):
        channel.queue_purge("no such queue")


def until(condition: Callable[[], object]) -> None:
    """Wait until something holds that another thread brings about."""
    patience = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < patience
        time.sleep(0.001)


def waits(connection: Connection) -> bool:
    """Whether a thread is waiting in the connection's `drain_events`."""
    waiting: int = connection.connection.session.waiting
    return waiting > 0


# ---------------------------------------------------------------- exchange types


def routed(connection: Connection, type: str, bindings: list[Any], *messages: Any) -> list[list[str]]:
    """The queues that get each message; queues are called after their bindings."""
    exchange = kombu.Exchange("x", type)
    channel = connection.default_channel
    for binding in bindings:
        key, arguments = (binding, None) if isinstance(binding, str) else ("", binding)
        queue = kombu.Queue(str(binding), exchange, routing_key=key, binding_arguments=arguments)
        queue(channel).declare()
    producer = connection.Producer(exchange=exchange)
    found = []
    for message in messages:
        key, headers = (message, None) if isinstance(message, str) else ("", message)
        producer.publish("", routing_key=key, headers=headers)
        found.append([str(binding) for binding in bindings if take(channel, str(binding))])
    return found


def test_direct_routes_by_equal_keys(connection: Connection) -> None:
    """A direct exchange sends to the queues whose key is the message's, letter by letter."""
    assert routed(connection, "direct", ["a", "b", "a.b"], "a", "A", "a.b") == [["a"], [], ["a.b"]]


def test_topic_routes_by_patterns(connection: Connection) -> None:
    """`*` is one word, an empty one too, and `#` any number of words, none too."""
    found = routed(connection, "topic", ["a.#", "a.*", "*.b", "#.b", "#"], "a", "a.b", "a.", "b", "c.d.b")

    assert found == [
        ["a.#", "#"],
        ["a.#", "a.*", "*.b", "#.b", "#"],
        ["a.#", "a.*", "#"],
        ["#.b", "#"],
        ["#.b", "#"],
    ]


def test_fanout_routes_to_all(connection: Connection) -> None:
    """A fanout exchange sends to every queue, whatever the keys."""
    assert routed(connection, "fanout", ["a", "b"], "a", "z") == [["a", "b"], ["a", "b"]]


def test_headers_routes_by_headers(connection: Connection) -> None:
    """A headers exchange compares all or any of the binding's arguments with the message's headers."""
    both = {"x-match": "all", "size": 1, "color": "red"}
    either = {"x-match": "any", "size": 1, "color": "red"}

    found = routed(
        connection, "headers", [both, either], {"size": 1, "color": "red"}, {"size": 1}, {"size": "1"}
    )

    assert found == [[str(both), str(either)], [str(either)], []]


def test_implements_says_so(connection: Connection) -> None:
    """The transport declares all four exchange types, no event loop and no heartbeats."""
    implements = connection.transport.implements

    assert implements.exchange_type == {"direct", "topic", "fanout", "headers"}
    assert all(connection.supports_exchange_type(name) for name in implements.exchange_type)
    assert implements.asynchronous is False
    assert implements.heartbeats is False
    assert not connection.is_evented
    assert not connection.supports_heartbeats


# ---------------------------------------------------------------- time to live


def test_message_expiration_is_honoured(still: Broker) -> None:
    """A message is gone when its own `expiration` has passed, and there a moment before."""
    channel: Channel = still.channel()
    publish(channel, "short", expiration=1.5)
    publish(channel, "long")

    still.advance(1.499)
    assert channel.queue_declare("work", passive=True).message_count == 2
    still.advance(0.001)
    assert take(channel) == ["long"]


def test_queue_message_ttl_is_honoured(still: Broker) -> None:
    """Every message in a queue with `message_ttl` is gone when that has passed."""
    channel: Channel = still.channel()
    kombu.Queue("brief", message_ttl=2)(channel).declare()
    kombu.Producer(channel).publish("first", routing_key="brief")
    still.advance(1)
    kombu.Producer(channel).publish("second", routing_key="brief")

    still.advance(1)
    assert take(channel, "brief") == ["second"]


def test_queue_expires_is_honoured(still: Broker) -> None:
    """A queue with `expires` is gone when nobody has used it for so long."""
    channel: Channel = still.channel()
    kombu.Queue("idle", expires=3)(channel).declare()
    still.advance(2)
    assert channel.basic_get("idle") is None  # a use
    still.advance(2.999)
    assert "idle" in channel.queues

    still.advance(0.001)
    assert "idle" not in channel.queues


def test_expiry_needs_no_help(connection: Connection) -> None:
    """In real time messages and queues expire by themselves."""
    channel = connection.default_channel
    publish(channel, "brief", expiration=0.03)
    kombu.Queue("idle", expires=0.03)(channel).declare()

    until(lambda: set(channel.queues) == {"work"})
    until(lambda: channel.queues["work"].ready == 0)


# ---------------------------------------------------------------- closing


@each_way_to_leave
def test_leaving_cancels_all_consumers(
    broker: Broker, connection: Connection, leave: Callable[[Connection, Channel], object]
) -> None:
    """Closing a channel or its connection, and a channel error, end every subscription of the channel."""
    channel = connection.channel()
    for queue in ("work", "play"):
        kombu.Queue(queue)(channel).declare()
        channel.basic_consume(queue)
        channel.basic_consume(queue)

    assert len(broker.consumers) == 4
    leave(connection, channel)
    assert len(broker.consumers) == 0


@each_way_to_leave
def test_leaving_requeues_what_is_unacked(
    broker: Broker, connection: Connection, leave: Callable[[Connection, Channel], object]
) -> None:
    """What the channel held returns to its seats, marked as redelivered, and nothing else is."""
    channel = connection.channel()
    publish(channel, 0, 1, 2, 3, 4)
    held = [channel.basic_get("work") for _ in range(4)]
    held[1].ack()
    held[2].reject()
    publish(channel, 5)

    leave(connection, channel)

    other: Channel = broker.channel()
    messages = [other.basic_get("work") for _ in range(4)]
    assert [message.payload for message in messages] == [0, 3, 4, 5]
    assert [message.delivery_info["redelivered"] for message in messages] == [True, True, False, False]


@each_way_to_leave
def test_leaving_requeues_what_is_under_way(
    broker: Broker, connection: Connection, leave: Callable[[Connection, Channel], object]
) -> None:
    """Messages that were sent to a consumer and never reached its callback return as well."""
    channel = connection.channel()
    received: list[Any] = []
    publish(channel, 0, 1, 2)
    channel.basic_consume("work", callback=received.append)
    connection.drain_events(timeout=1)

    leave(connection, channel)

    other: Channel = broker.channel()
    messages = [other.basic_get("work") for _ in range(3)]
    assert [message.payload for message in messages] == [0, 1, 2]
    assert all(message.delivery_info["redelivered"] for message in messages)
    assert len(received) == 1


@pytest.mark.parametrize("leave", ["Channel.close", "channel error"])
def test_what_was_under_way_never_arrives(connection: Connection, leave: str) -> None:
    """What was sent to a channel before it closed, and is back in its queue, is not handed out as well."""
    received: list[Any] = []
    channel = connection.channel()
    publish(channel, 0, 1)
    channel.basic_consume("work", callback=received.append)

    LEAVING[leave](connection, channel)

    with pytest.raises(socket.timeout):
        connection.drain_events(timeout=0)
    assert received == []


def test_consumer_context_requeues_on_close(connection: Connection) -> None:
    """Leaving a Consumer keeps its messages unacked; closing its channel sends them back."""
    publish(connection.default_channel, "a")
    with (
        connection.channel() as channel,
        kombu.Consumer(channel, [kombu.Queue("work")], callbacks=[lambda *_: None]),
    ):
        connection.drain_events(timeout=1)
    assert take(connection.default_channel) == ["a"]


def test_nothing_is_lost_when_a_callback_raises(broker: Broker, connection: Connection) -> None:
    """The error comes out of `drain_events`; its message stays unacked, the others are still handed over."""
    received = []

    def callback(body: str, _message: Message) -> None:
        received.append(body)
        if body == "bad":
            raise ZeroDivisionError(body)

    publish(connection.default_channel, "bad", "good")
    with connection.Consumer([kombu.Queue("work")], callbacks=[callback]):
        with pytest.raises(ZeroDivisionError, match="bad"):
            connection.drain_events(timeout=1)
        connection.drain_events(timeout=1)
    assert received == ["bad", "good"]
    assert broker.queues["work"].unacked == 2

    connection.close()
    assert take(broker.channel()) == ["bad", "good"]


# ---------------------------------------------------------------- do_restore


def test_a_forgotten_channel_restores_nothing(broker: Broker, connection: Connection) -> None:
    """`do_restore` is False: its connection keeps the channel, and the tables show what it holds."""
    channel = connection.channel()
    assert channel.do_restore is False
    number = channel.channel_id
    publish(channel, "a", "b")
    channel.basic_qos(0, 1, False)
    channel.basic_consume("work", "reader")
    publish(channel, "c", to="other")
    channel.basic_get("other")

    del channel
    gc.collect()

    assert broker.consumers["reader"].channel == number
    assert [(row.state, row.held_by) for row in broker.peek("work")] == [("unacked", "reader"), ("ready", "")]
    assert [row.held_by for row in broker.peek("other")] == [f"channel {number}"]
    connection.close()
    assert broker.queues["work"].ready == 2
    assert broker.queues["other"].ready == 1


def test_a_collected_connection_is_a_dropped_socket(broker: Broker) -> None:
    """A Connection that nobody refers to any more is gone: so are its consumers, and its unacked are back."""
    connection = kombu.Connection(broker.url)
    channel = connection.channel()
    publish(channel, "a")
    channel.queue_declare("mine", exclusive=True)
    channel.basic_consume("work")
    assert broker.queues["work"].unacked == 1

    del connection, channel
    gc.collect()

    message = broker.get("work")
    assert message is not None
    assert message.delivery_info["redelivered"]
    assert len(broker.consumers) == 0
    assert "mine" not in names(broker.queues)


def test_a_channel_keeps_its_connection(broker: Broker) -> None:
    """While a channel is in use its connection is, even if that was only ever a step on the way."""
    channel = kombu.Connection(broker.url).channel()
    publish(channel, "a")
    channel.basic_get("work")
    gc.collect()

    assert broker.queues["work"].unacked == 1


# ---------------------------------------------------------------- attributes


def test_reply_queue_is_deleted(connection: Connection) -> None:
    """A reply queue that has served is deleted: by the method, and so by kombu's `collect_replies`."""
    channel = connection.default_channel
    channel.queue_declare("reply", auto_delete=False)
    channel.after_reply_message_received("reply")
    assert set(channel.queues) == set()

    publish(channel, "pong", to="reply")
    replies = collect_replies(connection, channel, kombu.Queue("reply"), timeout=1)
    assert list(replies) == ["pong"]
    assert set(channel.queues) == set()


def test_events_are_per_channel(connection: Connection) -> None:
    """A handler on one channel hears nothing of another, nor does it stay when the channel is gone."""
    one, other = connection.channel(), connection.channel()
    heard: list[object] = []
    one.events["basic_return"].add(lambda *args: heard.append(args))

    assert not other.events
    assert not connection.channel().events
    with pytest.raises(ChannelError, match="NO_ROUTE"):
        kombu.Producer(other).publish("x", routing_key="nowhere", mandatory=True)
    assert not heard
    kombu.Producer(one).publish("x", routing_key="nowhere", mandatory=True)
    assert len(heard) == 1


def test_queues_are_this_brokers_and_live(broker: Broker, connection: Connection) -> None:
    """`Channel.queues` is a view of the broker's queues, whoever declared them, as they are now."""
    queues = connection.default_channel.queues
    assert dict(queues) == {}

    broker.queue("work")
    broker.publish("x", routing_key="work")
    assert list(queues) == ["work"]
    assert queues["work"].ready == 1
    assert len(queues) == 1

    broker.delete("work")
    assert "work" not in queues
    with pytest.raises(KeyError):
        queues["work"]


def test_supports_fanout(connection: Connection) -> None:
    """A channel says that it supports fanout, and it does."""
    assert connection.default_channel.supports_fanout is True


def test_driver(connection: Connection) -> None:
    """The driver is called memory, in this package's version."""
    transport = connection.transport

    assert (transport.driver_type, transport.driver_name) == ("memory", "memory")
    assert transport.driver_version() == sandbox.__version__
    assert connection.info()["transport"] == "sandbox"


def test_global_state_is_the_registry(broker: Broker) -> None:
    """`Transport.global_state` holds the brokers of this process by name, and nothing of what is in them."""
    assert broker.name in Transport.global_state

    with Broker(name="another"):
        assert "another" in Transport.global_state
    assert "another" not in Transport.global_state


# ---------------------------------------------------------------- isolation


def test_brokers_share_nothing(connection: Connection) -> None:
    """The same names on another broker are other things."""
    channel = connection.default_channel
    kombu.Queue("work", kombu.Exchange("x"), routing_key="k")(channel).declare()
    publish(channel, "mine")

    with Broker() as other, kombu.Connection(other.url) as stranger:
        assert set(stranger.default_channel.queues) == set()
        stranger.default_channel.exchange_declare("x", "topic")  # no conflict: it is another x
        publish(stranger.default_channel, "theirs")
        assert take(stranger.default_channel) == ["theirs"]
    assert take(channel) == ["mine"]


@pytest.mark.parametrize("time", ["first", "second"])
def test_nothing_leaks_between_tests(time: str) -> None:
    """A broker begins empty, also when a broker of that name was left as it stood by another test."""
    broker = Broker(name="untidy")
    channel = kombu.Connection(broker.url).channel()
    assert set(channel.queues) == set()
    assert not channel.events

    publish(channel, time)
    channel.basic_get("work")
    channel.events["basic_return"].add(print)


# ---------------------------------------------------------------- waiting


def test_waiting_wakes_at_once(broker: Broker) -> None:
    """A message is there as soon as it is sent: 200 questions and answers take no 10 ms each."""
    answered = []

    def play(mine: str, others: str, *, serve: bool) -> None:
        with kombu.Connection(broker.url) as connection:
            producer = connection.Producer()

            def answer(body: int, message: Message) -> None:
                message.ack()
                answered.append(body)
                producer.publish(body + 1, routing_key=others)

            with connection.Consumer([kombu.Queue(mine)], callbacks=[answer]):
                if serve:
                    producer.publish(0, routing_key=others)
                for _ in range(100):
                    connection.drain_events(timeout=10)

    for name in ("ping", "pong"):
        broker.queue(name)
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        games = [
            pool.submit(play, "ping", "pong", serve=True),
            pool.submit(play, "pong", "ping", serve=False),
        ]
        for game in games:
            game.result()

    assert answered == list(range(200))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("timeout", [0.0, 0.2])
def test_drain_events_times_out_on_time(connection: Connection, timeout: float) -> None:
    """Without a message `drain_events` raises `socket.timeout` when its time is over, not a poll later."""
    connection.connect()
    began = time.monotonic()
    with pytest.raises(socket.timeout):
        connection.drain_events(timeout=timeout)

    assert timeout <= time.monotonic() - began < timeout + 0.2


def test_manual_time_does_not_stop_the_clients_patience(still: Broker) -> None:
    """A timeout is real seconds, even where broker time stands still."""
    with kombu.Connection(still.url) as connection:
        connection.connect()
        began = time.monotonic()
        with pytest.raises(socket.timeout):
            connection.drain_events(timeout=0.05)

    assert time.monotonic() - began >= 0.05
    assert still.now == 0


@pytest.mark.parametrize("what", ["connection", "broker"])
def test_close_wakes_who_waits(broker: Broker, connection: Connection, what: str) -> None:
    """A `drain_events` on another thread raises RecoverableConnectionError when its connection is closed."""
    connection.connect()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(connection.drain_events, timeout=10)
        until(lambda: waits(connection))
        began = time.monotonic()
        (connection if what == "connection" else broker).close()
        with pytest.raises(RecoverableConnectionError):
            waiting.result()

    assert time.monotonic() - began < 1


def test_a_cancel_notice_wakes_who_waits(broker: Broker, connection: Connection) -> None:
    """When a queue is deleted by another thread, its consumer hears of it while waiting."""
    cancelled: list[str] = []
    broker.queue("work")
    connection.channel().basic_consume("work", "reader", on_cancel=cancelled.append)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(connection.drain_events, timeout=10)
        until(lambda: waits(connection))
        broker.delete("work")
        waiting.result()

    assert cancelled == ["reader"]


# ---------------------------------------------------------------- channel errors


def exclusive_elsewhere(broker: Broker, channel: Channel) -> None:
    broker.channel().queue_declare("theirs", exclusive=True)
    channel.queue_purge("theirs")


ERRORS: dict[str, tuple[type[ChannelError], Callable[[Broker, Channel], object]]] = {
    "403": (AccessRefused, lambda _, channel: channel.exchange_delete("amq.direct")),
    "404": (NotFound, lambda _, channel: channel.basic_get("no such queue")),
    "405": (ResourceLocked, exclusive_elsewhere),
    "406": (PreconditionFailed, lambda _, channel: channel.basic_ack(99)),
}


@pytest.mark.parametrize(("error", "fault"), ERRORS.values(), ids=ERRORS)
def test_channel_error_closes_the_channel(
    broker: Broker,
    connection: Connection,
    error: type[ChannelError],
    fault: Callable[[Broker, Channel], object],
) -> None:
    """The channel begins anew, and can be used at once; other channels and the connection feel nothing."""
    channel, other = connection.channel(), connection.channel()
    publish(channel, *range(6))
    other.basic_consume("work", "bystander", callback=lambda _: None)
    publish(channel, *range(6), to="play")
    channel.basic_qos(0, 1, False)
    channel.basic_consume("play", "reader", callback=lambda _: None)
    assert channel.basic_get("play").delivery_tag == 2
    established = connection.connection

    with pytest.raises(error):
        fault(broker, channel)

    assert [row.tag for row in broker.consumers] == ["bystander"]
    assert broker.queues["play"].ready == 6
    assert broker.queues["work"].unacked == 6
    other.basic_ack(1)  # its tags are as they were

    assert channel.is_open
    assert connection.connection is established
    assert channel.connection is established
    message = channel.basic_get("play")
    assert (message.delivery_tag, message.payload, message.delivery_info["redelivered"]) == (1, 0, True)
    channel.basic_consume("play", "reader", callback=lambda _: None)  # the tag is free again
    assert broker.consumers["reader"].prefetch == 0
    assert broker.consumers["reader"].unacked == 5
    connection.close()  # it closes with its connection as any other
    assert broker.queues["play"].ready == 6
    assert len(broker.consumers) == 0


# ---------------------------------------------------------------- sharing and copies


def shared(broker: Broker, *channels: Channel) -> list[list[int]]:
    """What each of these channels' consumers gets of nine messages in one queue."""
    channels[0].queue_declare("shared", auto_delete=False)
    got: list[list[int]] = []
    for channel in channels:
        mine: list[int] = []
        got.append(mine)
        channel.basic_consume("shared", callback=lambda message, mine=mine: mine.append(message.payload))
    for number in range(9):
        broker.publish(number, routing_key="shared")
    for client in {channel.connection.client for channel in channels if channel.connection}:
        drain(client)
    return got


IN_TURN = [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def test_consumers_of_one_channel_share_a_queue(broker: Broker, connection: Connection) -> None:
    """Consumers of one queue on one channel get messages in turn."""
    channel = connection.channel()
    assert shared(broker, channel, channel, channel) == IN_TURN


def test_consumers_of_one_connection_share_a_queue(broker: Broker, connection: Connection) -> None:
    """Consumers of one queue on several channels get messages in turn."""
    assert shared(broker, *(connection.channel() for _ in range(3))) == IN_TURN


def test_consumers_of_several_connections_share_a_queue(broker: Broker) -> None:
    """Consumers of one queue on several connections get messages in turn."""
    connections = [kombu.Connection(broker.url) for _ in range(3)]
    assert shared(broker, *(connection.channel() for connection in connections)) == IN_TURN


def test_who_acknowledges_gets_more(broker: Broker, connection: Connection) -> None:
    """A consumer that holds all it may is passed over: of two with a prefetch of 1 who acks gets the rest."""
    broker.queue("work")
    slow: list[int] = []
    quick: list[int] = []

    def work(message: Message) -> None:
        quick.append(message.payload)
        message.ack()

    channel = connection.channel()
    channel.basic_qos(0, 1, False)
    channel.basic_consume("work", callback=lambda message: slow.append(message.payload))
    channel.basic_consume("work", callback=work)
    for number in range(5):
        broker.publish(number, routing_key="work")
    drain(connection)

    assert (slow, quick) == ([0], [1, 2, 3, 4])


def test_cancelling_one_consumer_leaves_the_other(broker: Broker, connection: Connection) -> None:
    """What the cancelled one would have got goes to the one that remains."""
    broker.queue("work")
    got: list[int] = []
    channel = connection.channel()
    channel.basic_consume("work", "leaves", callback=lambda _: None)
    channel.basic_consume("work", "stays", callback=lambda message: got.append(message.payload))
    channel.basic_cancel("leaves")
    for number in range(3):
        broker.publish(number, routing_key="work")
    drain(connection)

    assert got == [0, 1, 2]


def test_requeueing_concerns_one_queue(connection: Connection) -> None:
    """A requeued message goes back to the queue that it came from, even if that is no longer bound."""
    channel = connection.default_channel
    exchange = kombu.Exchange("x", "fanout")(channel)
    queues = [kombu.Queue(name, exchange)(channel) for name in ("one", "two")]
    for queue in queues:
        queue.declare()
    for number in range(3):
        exchange.publish(exchange.Message(str(number)))
    message = queues[0].get()
    queues[0].unbind_from(exchange)

    message.requeue()

    assert take(channel, "one") == ["0", "1", "2"]
    assert take(channel, "two") == ["0", "1", "2"]


def test_copies_are_independent(connection: Connection) -> None:
    """Copies in two queues, and the publisher's own headers, share nothing that can be changed."""
    channel = connection.default_channel
    exchange = kombu.Exchange("x", "fanout")
    queues = [kombu.Queue(name, exchange)(channel) for name in ("one", "two")]
    for queue in queues:
        queue.declare()
    headers = {"nested": {"list": [1]}}
    connection.Producer(exchange=exchange).publish("x", headers=headers, correlation_id="mine")
    headers["nested"]["list"].append(0)
    one, two = (queue.get() for queue in queues)

    one.headers["nested"]["list"].append(2)
    one.headers["more"] = True
    one.properties["correlation_id"] = "other"
    one.delivery_info["routing_key"] = "other"

    assert headers == {"nested": {"list": [1, 0]}}
    assert two.headers == {"nested": {"list": [1]}}
    assert two.properties["correlation_id"] == "mine"
    assert two.delivery_info["routing_key"] == ""
    one.requeue()
    again = queues[0].get()
    assert again.headers == {"nested": {"list": [1]}}
    assert again.properties["correlation_id"] == "mine"


def test_acknowledging_one_copy_leaves_the_other(broker: Broker, connection: Connection) -> None:
    """Each copy has a delivery tag of its own; settling one says nothing about the other."""
    channel = connection.default_channel
    exchange = kombu.Exchange("x", "fanout")
    queues = [kombu.Queue(name, exchange)(channel) for name in ("one", "two")]
    for queue in queues:
        queue.declare()
    connection.Producer(exchange=exchange).publish("x")
    one, two = (queue.get() for queue in queues)
    assert one.delivery_tag != two.delivery_tag

    one.ack()
    assert [(row.name, row.unacked) for row in broker.queues] == [("one", 0), ("two", 1)]
    two.reject(requeue=True)
    assert [(row.name, row.ready) for row in broker.queues] == [("one", 0), ("two", 1)]
