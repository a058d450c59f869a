"""Time to live of messages and queues (TTL).

On RabbitMQ a TTL that is to run out is some tens of milliseconds, one that is not is a minute.
"""

from typing import Any

import kombu
import pytest
from amqp.exceptions import PreconditionFailed

from tests.contract.target import Target

SHORT = 40  # milliseconds
LONG = 60_000


def run_out(target: Target) -> None:
    """What lives SHORT is over."""
    target.pass_time(0.12)


@pytest.mark.statement("TTL-1")
@pytest.mark.parametrize(
    ("expiration", "problem"),
    [
        ("", "no_integer"),
        ("abc", "no_integer"),
        (" 10", "no_integer"),
        ("10s", '{leftover_string,"s"}'),
        ("1.5", '{leftover_string,".5"}'),
        ("5 ", '{leftover_string," "}'),
        ("0x10", '{leftover_string,"x10"}'),
        ("-1", "{value_negative,-1}"),
        ("315360000001", "{value_too_large,315360000001}"),
    ],
)
def test_expiration_is_a_text_of_milliseconds(target: Target, expiration: str, problem: str) -> None:
    """TTL-1: `expiration` is a whole number of milliseconds as a text, ten years at most."""
    target.refused(
        PreconditionFailed,
        f"invalid expiration '{expiration}': {problem}",
        target.publish,
        "x",
        "",
        "nobody",
        expiration=expiration,
    )


@pytest.mark.statement("TTL-1")
def test_expirations_that_are_fine(target: Target) -> None:
    """TTL-1: 0, a plus sign and ten years are fine; since 4 the property arrives as a plain number."""
    queue = target.queue()

    target.publish("at once", "", queue, expiration="0")
    target.expect(queue)
    target.publish("ten years", "", queue, expiration="315360000000")
    target.publish("plus", "", queue, expiration="+60000")
    target.publish("zeros", "", queue, expiration="0060000")

    messages = target.expect(queue, "ten years", "plus", "zeros")
    assert [message.properties["expiration"] for message in messages] == [
        "315360000000",
        *(["60000", "60000"] if target.since(4) else ["+60000", "0060000"]),
    ]


@pytest.mark.statement("TTL-1")
def test_kombu_counts_seconds(target: Target) -> None:
    """TTL-1: kombu takes seconds, and sends milliseconds: as a text in a message, as numbers to a queue."""
    name = target.name("queue")
    queue = kombu.Queue(name, message_ttl=60.5, expires=90)(target.channel)
    queue.declare()
    target.queue(name, message_ttl=60_500, expires=90_000)

    kombu.Producer(target.channel, routing_key=name).publish("x", expiration=1.5)

    (message,) = target.expect(name, "x")
    assert message.properties["expiration"] == "1500"


@pytest.mark.statement("TTL-2")
@pytest.mark.parametrize(
    ("argument", "value", "problem"),
    [
        ("message_ttl", -1, "{value_negative,-1}"),
        ("message_ttl", "1000", '"expected integer, got longstr"'),
        ("message_ttl", 1.5, '"expected integer, got double"'),
        ("message_ttl", True, '"expected integer, got bool"'),
        ("message_ttl", 315_360_000_001, "{value_too_large,315360000001}"),
        ("expires", 0, "{value_zero,0}"),
        ("expires", -1, "{value_negative,-1}"),
        ("expires", "a", '"expected integer, got longstr"'),
        ("expires", 315_360_000_001, "{value_too_large,315360000001}"),
    ],
)
def test_arguments_are_numbers(target: Target, argument: str, value: object, problem: str) -> None:
    """TTL-2: both arguments of a queue are whole numbers of milliseconds, and a queue lives longer than 0."""
    name = target.name("queue")

    target.refused(
        PreconditionFailed,
        f"invalid arg 'x-{argument.replace('_', '-')}' for queue '{name}' in vhost '/': {problem}",
        target.queue,
        name,
        **{argument: value},
    )


@pytest.mark.statement("TTL-2")
def test_arguments_that_are_fine(target: Target) -> None:
    """TTL-2: messages may live 0 milliseconds, and ten years."""
    assert target.exists(target.queue(message_ttl=0))
    assert target.exists(target.queue(message_ttl=315_360_000_000, expires=315_360_000_000))


@pytest.mark.statement("TTL-3")
def test_the_shorter_time_counts(target: Target) -> None:
    """TTL-3: the message's own TTL or the queue's, whichever is shorter, from the moment it is enqueued."""
    short, long, none = target.queue(message_ttl=SHORT), target.queue(message_ttl=LONG), target.queue()

    for queue in (long, none):
        target.publish("short", "", queue, expiration=str(SHORT))
    target.publish("long", "", short, expiration=str(LONG))
    for queue in (short, long, none):
        target.publish("plain", "", queue)
    run_out(target)

    target.expect(short)
    target.expect(long, "plain")
    target.expect(none, "plain")


@pytest.mark.statement("TTL-3")
def test_expired_when_the_time_has_come(target: Target) -> None:
    """TTL-3: at the end of its TTL, to the millisecond, a message has expired; each copy has its own time."""
    queue = target.queue(message_ttl=LONG)
    exact = not target.late
    for body in ("first", "second"):
        target.publish(body, "", queue, expiration=str(SHORT))
        target.pass_time(0.01)

    if exact:  # on a server nobody knows what time it is
        target.pass_time(0.019)
        target.expect_ready(queue, 2)
        target.pass_time(0.001)
        target.expect_ready(queue, 1)
        target.pass_time(0.009)
        target.expect_ready(queue, 1)
    run_out(target)
    target.expect(queue)


@pytest.mark.statement("TTL-4")
def test_expired_behind_a_live_head(target: Target) -> None:
    """TTL-4: an expired message behind one that lives is still counted, but never handed out."""
    queue = target.queue()
    target.publish("long", "", queue, expiration=str(LONG))
    target.publish("short", "", queue, expiration=str(SHORT))
    run_out(target)

    target.expect(queue, "long", counted=2)


@pytest.mark.statement("TTL-4")
def test_expired_between_live_ones(target: Target) -> None:
    """TTL-4: a consumer never gets it either."""
    queue = target.queue()
    target.publish("long", "", queue, expiration=str(LONG))
    target.publish("short", "", queue, expiration=str(SHORT))
    target.publish("forever", "", queue)
    run_out(target)

    target.consume(queue).expect("long", "forever")


@pytest.mark.statement("TTL-5", "D-1")
def test_heads_expire_by_themselves(target: Target) -> None:
    """TTL-5: a head that has expired goes at once, though nobody looks; several go in their order."""
    dead = target.queue()
    queue = target.queue(message_ttl=SHORT, dead_letter_exchange="", dead_letter_routing_key=dead)
    target.fill(queue, "0", "1", "2")
    run_out(target)

    messages = target.expect(dead, "0", "1", "2")
    assert [message.headers["x-death"][0]["reason"] for message in messages] == ["expired"] * 3
    target.expect(queue)


@pytest.mark.statement("TTL-5")
def test_heads_that_move_up_expire(target: Target) -> None:
    """TTL-5: what expired behind a live head goes as soon as it is the head itself."""
    dead = target.queue()
    queue = target.queue(dead_letter_exchange="", dead_letter_routing_key=dead)
    target.publish("live", "", queue)
    for body in ("0", "1"):
        target.publish(body, "", queue, expiration=str(SHORT))
    target.publish("last", "", queue)
    run_out(target)
    target.expect(dead)

    assert target.get(queue).body == "live"

    target.expect(dead, "0", "1")
    target.expect(queue, "last")


@pytest.mark.statement("TTL-6")
def test_no_time_at_all(target: Target) -> None:
    """TTL-6: with a TTL of 0 a message reaches a consumer that is free, or expires; it is not returned."""
    dead, returned = target.queue(), target.returns()
    by_queue = target.queue(message_ttl=0, dead_letter_exchange="", dead_letter_routing_key=dead)
    by_message = target.queue(dead_letter_exchange="", dead_letter_routing_key=dead)
    without_letters = target.queue(message_ttl=0)

    target.publish("nobody", "", by_queue, mandatory=True)
    target.expect(dead, "nobody")
    target.publish("nobody there", "", by_message, mandatory=True, expiration="0")
    (message,) = target.expect(dead, "nobody there")
    assert message.headers["x-death"][0]["reason"] == "expired"
    target.publish("forgotten", "", without_letters, mandatory=True)
    target.expect(without_letters)

    first, second = target.consume(by_queue, prefetch=1), target.consume(by_message, prefetch=1)
    target.publish("taken", "", by_queue, mandatory=True)
    target.publish("taken too", "", by_message, mandatory=True, expiration="0")
    first.expect("taken")
    second.expect("taken too")
    target.publish("busy", "", by_queue, mandatory=True)
    target.expect(dead, "busy")
    first.expect("taken")
    assert returned == []


@pytest.mark.statement("TTL-7")
def test_unacked_do_not_expire(target: Target) -> None:
    """TTL-7: held by a client a message lives; requeued late it expires at once, and nobody gets it."""
    dead = target.queue()
    queue = target.queue(message_ttl=SHORT, dead_letter_exchange="", dead_letter_routing_key=dead)
    holder = target.consume(queue, prefetch=1)
    target.publish("held", "", queue)
    holder.expect("held")
    waiting = target.consume(queue)
    run_out(target)
    target.expect(dead)

    holder.requeue(0)

    (message,) = target.expect(dead, "held")
    assert message.headers["x-death"][0]["reason"] == "expired"
    holder.expect("held")
    waiting.expect()


@pytest.mark.statement("TTL-7")
def test_requeued_in_time(target: Target) -> None:
    """TTL-7: a requeued message keeps its first expiry; requeueing does not renew it."""
    queue = target.queue()
    holder = target.consume(queue, prefetch=1)
    target.publish("x", "", queue, expiration=str(SHORT if target.late else 1000))
    holder.expect("x")
    if not target.late:  # between two instants that a server does not know
        target.pass_time(0.6)
        holder.channel.close()
        target.expect_ready(queue, 1)
        target.pass_time(0.399)
        target.expect_ready(queue, 1)
        target.pass_time(0.001)
    else:
        run_out(target)
        holder.channel.close()
    target.expect(queue)


@pytest.mark.statement("TTL-7")
def test_rejected_late(target: Target) -> None:
    """TTL-7: an overdue message that is rejected for good has been rejected, not expired."""
    dead = target.queue()
    queue = target.queue(message_ttl=SHORT, dead_letter_exchange="", dead_letter_routing_key=dead)
    holder = target.consume(queue)
    target.publish("x", "", queue)
    holder.expect("x")
    run_out(target)

    holder.channel.basic_reject(holder.messages[0].delivery_tag, requeue=False)
    target.sync(holder.channel)

    (message,) = target.expect(dead, "x")
    assert [death["reason"] for death in message.headers["x-death"]] == ["rejected"]


@pytest.mark.statement("TTL-8")
def test_unused_queues_expire(target: Target) -> None:
    """TTL-8: declaring (even passively) and getting is use; publishing, purging and binding is not."""
    channel, time = target.channel, 1000
    used, unused = (
        [target.queue(expires=time) for _ in range(3)],
        [target.queue(expires=time) for _ in range(4)],
    )
    target.pass_time(0.6)

    target.queue(used[0], expires=time)
    channel.queue_declare(used[1], passive=True)
    assert channel.basic_get(used[2]) is None
    target.publish("x", "", unused[0])
    channel.queue_purge(unused[1])
    channel.queue_bind(unused[2], "amq.direct", unused[2])
    channel.queue_unbind(unused[2], "amq.direct", unused[2])
    target.sync(channel)
    target.pass_time(0.6)

    assert [target.exists(queue) for queue in used] == [True] * 3
    assert [target.exists(queue) for queue in unused] == [False] * 4


@pytest.mark.statement("TTL-8", "TTL-9")
def test_consumers_keep_a_queue(target: Target) -> None:
    """TTL-8, TTL-9: with consumers a queue stays; it goes some time after the last, without letters."""
    dead, returned = target.queue(), target.returns()
    queue = target.queue(expires=200, dead_letter_exchange="", dead_letter_routing_key=dead)
    first, second = target.consume(queue, prefetch=1), target.consume(queue, prefetch=1)
    target.fill(queue, "0", "1", "2", "3")

    first.channel.basic_cancel(first.tag)
    target.pass_time(0.4)
    second.expect("1")
    target.expect(queue, "2", "3")
    target.pass_time(0.4)
    second.channel.basic_cancel(second.tag)
    target.publish("arrives", "", queue, mandatory=True)
    target.sync(target.channel)
    assert returned == []
    target.pass_time(0.4)

    target.publish("comes back", "", queue, mandatory=True)
    target.sync(target.channel)
    assert [back.message.body for back in returned] == ["comes back"]
    assert not target.exists(queue)
    target.expect(dead)


@pytest.mark.statement("TTL-9")
def test_what_makes_no_dead_letters(target: Target) -> None:
    """TTL-9: messages that go with a purge, a deletion, or their queue, are no dead letters."""
    dead = target.queue()
    letters: dict[str, Any] = {"dead_letter_exchange": "", "dead_letter_routing_key": dead}
    other = target.new_connection()
    own = other.channel()
    purged, deleted, expiring = (
        target.queue(**letters),
        target.queue(**letters),
        target.queue(expires=SHORT, **letters),
    )
    auto, exclusive = (
        target.queue(auto_delete=True, **letters),
        target.queue(channel=own, exclusive=True, **letters),
    )
    holder = target.consume(auto, prefetch=1)
    for queue in (purged, deleted, expiring, auto, exclusive):
        target.fill(queue, "0", "1")
    holder.expect("0")

    assert target.channel.queue_purge(purged) == 2
    assert target.channel.queue_delete(deleted) == 2
    holder.channel.close()
    other.close()
    target.pass_time(0.2)

    assert not target.exists(expiring)
    for queue in (auto, exclusive):
        target.settle(False, target.exists, queue)
    target.expect(dead)
