"""Dead letters (D): what dies, where it goes, what it looks like, and when it stops."""

import time
from datetime import UTC
from typing import Any, NamedTuple

import pytest
from amqp.exceptions import PreconditionFailed

from tests.contract.target import Target

SHORT = 40  # milliseconds


def to(queue: str) -> dict[str, Any]:
    """The arguments of a queue whose dead letters go straight to that queue."""
    return {"dead_letter_exchange": "", "dead_letter_routing_key": queue}


def deaths(message: Any) -> list[tuple[str, str, int]]:
    """Queue, reason and count of each entry in `x-death`."""
    return [(death["queue"], death["reason"], death["count"]) for death in message.headers["x-death"]]


def reject(target: Target, queue: str, body: str) -> None:
    """The head of the queue is this one, and we do not want it."""
    message = target.get(queue)
    assert message.body == body
    target.channel.basic_reject(message.delivery_tag, requeue=False)
    target.sync(target.channel)


class Names(NamedTuple):
    first: str
    second: str


def two_names(target: Target) -> Names:
    return Names(target.name("first"), target.name("second"))


@pytest.mark.statement("D-1")
def test_reasons(target: Target) -> None:
    """D-1: a message dies by being rejected, by expiring, or for want of room."""
    dead = target.queue()
    rejecting, expiring, full = (
        target.queue(**to(dead)),
        target.queue(message_ttl=SHORT, **to(dead)),
        target.queue(max_length=1, **to(dead)),
    )

    target.fill(rejecting, "rejected", "nacked")
    reject(target, rejecting, "rejected")
    target.nack(target.channel, target.get(rejecting).delivery_tag, requeue=False)
    rejected, nacked = target.expect(dead, "rejected", "nacked")
    target.fill(full, "dropped", "stays")
    (dropped,) = target.expect(dead, "dropped")
    target.fill(expiring, "expired")
    target.pass_time(0.1)
    (expired,) = target.expect(dead, "expired")

    assert deaths(rejected) == deaths(nacked) == [(rejecting, "rejected", 1)]
    assert deaths(dropped) == [(full, "maxlen", 1)]
    assert deaths(expired) == [(expiring, "expired", 1)]


@pytest.mark.statement("D-2")
def test_exchange_that_is_not_there(target: Target) -> None:
    """D-2: the dead-letter exchange may be missing: the message is dropped; declared later, it serves."""
    exchange = target.name("later")
    queue = target.queue(dead_letter_exchange=exchange)
    target.fill(queue, "lost", "found")
    held = target.get(queue), target.get(queue)

    target.channel.basic_reject(held[0].delivery_tag, requeue=False)
    target.sync(target.channel)
    target.rest()
    dead = target.bound(target.exchange("fanout", exchange))
    target.channel.basic_reject(held[1].delivery_tag, requeue=False)

    target.expect(dead, "found")
    target.expect(queue)


@pytest.mark.statement("D-3")
def test_arguments(target: Target) -> None:
    """D-3: the exchange is a text, and a routing key needs an exchange."""
    name = target.name("queue")
    where = f"queue '{name}' in vhost '/'"

    for arguments, text in (
        (
            {"dead_letter_routing_key": "key"},
            f"invalid arg 'x-dead-letter-routing-key' for {where}: routing_key_but_no_dlx_defined",
        ),
        (
            {"dead_letter_exchange": 1},
            f"invalid type 'signedint' for arg 'x-dead-letter-exchange' in {where}",
        ),
        (
            {"dead_letter_exchange": "x", "dead_letter_routing_key": 1},
            f"invalid arg 'x-dead-letter-routing-key' for {where}: {{unacceptable_type,signedint}}",
        ),
    ):
        target.refused(PreconditionFailed, text, target.queue, name, **arguments)


@pytest.mark.statement("D-3")
def test_empty_routing_key(target: Target) -> None:
    """D-3: an empty dead-letter routing key is a key, and used."""
    exchange = target.exchange("direct")
    dead = target.bound(exchange, "")
    queue = target.queue(max_length=0, dead_letter_exchange=exchange, dead_letter_routing_key="")

    target.publish("x", "", queue)

    (message,) = target.expect(dead, "x")
    assert message.delivery_info["routing_key"] == ""


@pytest.mark.statement("D-4")
def test_keys_stay(target: Target) -> None:
    """D-4: without a dead-letter routing key all keys of the message are used again, CC and BCC too."""
    source, dead = target.exchange("direct"), target.exchange("direct")
    queue = target.queue(max_length=0, dead_letter_exchange=dead)
    target.channel.queue_bind(queue, source, "main")
    by_main, by_cc, by_bcc = (target.bound(dead, key) for key in ("main", "cc", "bcc"))

    target.publish("x", source, "main", headers={"CC": ["cc"], "BCC": ["bcc"]})

    for found in (by_main, by_cc, by_bcc):
        (message,) = target.expect(found, "x")
        assert message.delivery_info["routing_key"] == "main"
        assert message.headers["CC"] == ["cc"]
        assert "BCC" not in message.headers


@pytest.mark.statement("D-5", "D-16")
def test_what_a_dead_letter_keeps(target: Target) -> None:
    """D-5, D-16: exchange and key are new and `expiration` is gone; all else is as it was."""
    exchange = target.exchange("direct")
    dead = target.bound(exchange, "dead")
    queue = target.queue(max_length=0, dead_letter_exchange=exchange, dead_letter_routing_key="dead")
    kept: dict[str, Any] = {
        "delivery_mode": 2,
        "message_id": "m",
        "correlation_id": "c",
        "reply_to": "r",
        "type": "t",
        "app_id": "a",
        "timestamp": 1_767_323_045,
    }

    target.publish("body", "", queue, headers={"mine": [1, "two"]}, expiration="60000", priority=3, **kept)

    (message,) = target.expect(dead, "body")
    assert message.delivery_info["exchange"] == exchange
    assert message.delivery_info["routing_key"] == "dead"
    assert {name: message.properties[name] for name in kept} == kept
    assert message.properties["priority"] == 3
    assert message.content_type == "text/plain"
    assert "expiration" not in message.properties
    assert message.headers["mine"] == [1, "two"]


@pytest.mark.statement("D-5")
def test_a_dead_letter_does_not_expire(target: Target) -> None:
    """D-5: with `expiration` its time to live is gone too; that of its new queue begins anew."""
    dead, brief = target.queue(), target.queue(message_ttl=SHORT)
    exchange = target.exchange("fanout")
    for queue in (dead, brief):
        target.channel.queue_bind(queue, exchange)
    full = target.queue(max_length=0, dead_letter_exchange=exchange)

    target.publish("x", "", full, expiration=str(SHORT))
    target.sync(target.channel)
    target.pass_time(0.1)

    target.expect(dead, "x")
    target.expect(brief)


@pytest.mark.statement("D-6")
def test_first_death(target: Target) -> None:
    """D-6: an entry of `x-death` says where, why, when and how often, and how the message had come there."""
    source = target.exchange("direct")
    dead, queue = target.queue(), target.name("queue")
    target.queue(queue, max_length=0, **to(dead))
    target.channel.queue_bind(queue, source, "key")
    before = time.time()
    if not target.late:
        target.pass_time(0.9)  # the time of a death is in whole seconds

    target.publish("x", source, "key", headers={"CC": ["copy"], "BCC": ["blind"]}, expiration="60000")
    target.publish("y", source, "key")

    with_expiration, plain = (message.headers["x-death"] for message in target.expect(dead, "x", "y"))
    (entry,) = with_expiration
    moment = entry.pop("time")
    assert entry == {
        "count": 1,
        "reason": "maxlen",
        "queue": queue,
        "exchange": source,
        "routing-keys": ["key", "copy"],
        "original-expiration": "60000",
    }
    assert moment.tzinfo is None
    assert moment.microsecond == 0
    if target.late:
        assert int(before) - 1 <= moment.replace(tzinfo=UTC).timestamp() <= time.time() + 1
    assert "original-expiration" not in plain[0]


@pytest.mark.statement("D-6", "D-15")
def test_keys_of_a_second_death(target: Target) -> None:
    """D-6: an entry has the keys by which the message had come; a dead-letter routing key stands alone."""
    dead = target.queue()
    second = target.queue(message_ttl=SHORT, **to(dead))
    first = target.queue(max_length=0, **to(second))

    target.publish("x", "", first, headers={"CC": ["copy"], "BCC": ["blind"]})
    target.pass_time(0.1)

    (message,) = target.expect(dead, "x")
    assert [death["routing-keys"] for death in message.headers["x-death"]] == [[second], [first, "copy"]]


@pytest.mark.statement("D-6")
def test_deaths_again(target: Target) -> None:
    """D-6: a second death in the same queue for the same reason raises the count and moves to the front."""
    source = target.exchange("direct")
    names = two_names(target)
    target.queue(names.first, **to(names.second))
    target.queue(names.second, **to(names.first))
    target.channel.queue_bind(names.first, source, "key")

    target.publish("x", source, "key")
    target.sync(target.channel)
    for queue in (names.first, names.second, names.first):
        target.settle(1, target.ready, queue)
        reject(target, queue, "x")

    (message,) = target.expect(names.second, "x")
    assert deaths(message) == [(names.first, "rejected", 2), (names.second, "rejected", 1)]
    last, before = message.headers["x-death"]
    assert (last["exchange"], last["routing-keys"]) == (source, ["key"])
    assert (before["exchange"], before["routing-keys"]) == ("", [names.second])


@pytest.mark.statement("D-6")
def test_many_deaths(target: Target) -> None:
    """D-6: the latest stands first; before 4, each one more turns the order of the older ones round."""
    dead = target.queue()
    third = target.queue(max_length=0, **to(dead))
    second = target.queue(max_length=0, **to(third))
    first = target.queue(max_length=0, **to(second))

    target.publish("x", "", first)

    (message,) = target.expect(dead, "x")
    older = [second, first] if target.since(4) else [first, second]
    assert [queue for queue, _, _ in deaths(message)] == [third, *older]


@pytest.mark.statement("D-6")
def test_time_of_the_first_death(target: Target) -> None:
    """D-6: the time of an entry stays that of its first death."""
    queue = target.name("queue")
    target.queue(queue, **to(queue))
    target.fill(queue, "x")

    reject(target, queue, "x")
    target.settle(1, target.ready, queue)
    first = target.get(queue)
    target.pass_time(1.1)
    target.channel.basic_reject(first.delivery_tag, requeue=False)

    (second,) = target.expect(queue, "x")
    assert deaths(second) == [(queue, "rejected", 2)]
    assert second.headers["x-death"][0]["time"] == first.headers["x-death"][0]["time"]


@pytest.mark.statement("D-7")
def test_first_and_last_death(target: Target) -> None:
    """D-7: `x-first-death-…` is written once, `x-last-death-…` each time, and only since 4."""
    source = target.exchange("fanout")
    names = two_names(target)
    dead = target.queue()
    target.queue(names.first, max_length=0, **to(names.second))
    target.queue(names.second, **to(dead))
    target.channel.queue_bind(names.first, source)

    target.publish("x", source, "key")
    target.settle(1, target.ready, names.second)
    reject(target, names.second, "x")

    (message,) = target.expect(dead, "x")
    found = {name: value for name, value in message.headers.items() if name != "x-death"}
    first = {
        "x-first-death-exchange": source,
        "x-first-death-queue": names.first,
        "x-first-death-reason": "maxlen",
    }
    last = {
        "x-last-death-exchange": "",
        "x-last-death-queue": names.second,
        "x-last-death-reason": "rejected",
    }
    assert found == (first | last if target.since(4) else first)


@pytest.mark.statement("D-8")
def test_retry_loop(target: Target) -> None:
    """D-8: the usual retry: rejected into a queue that waits, and back when the wait is over; twice."""
    work, wait = two_names(target)
    target.queue(work, **to(wait))
    target.queue(wait, message_ttl=SHORT, **to(work))
    target.fill(work, "x")

    for _ in range(2):
        reject(target, work, "x")
        target.pass_time(SHORT / 1000)
        target.settle(1, target.ready, work)

    (message,) = target.expect(work, "x")
    assert deaths(message) == [(wait, "expired", 2), (work, "rejected", 2)]


@pytest.mark.statement("D-9")
def test_what_is_no_death(target: Target) -> None:
    """D-9: a message that is requeued has not died, nor has one whose channel is closed."""
    dead = target.queue()
    queue, other = target.queue(**to(dead)), target.new_channel()
    target.fill(queue, "x")

    target.channel.basic_reject(target.get(queue).delivery_tag, requeue=True)
    target.sync(target.channel)
    assert target.get(queue, other).body == "x"
    other.close()

    (message,) = target.expect(queue, "x")
    assert "x-death" not in message.headers
    target.expect(dead)


@pytest.mark.statement("D-10")
def test_expiring_into_itself(target: Target) -> None:
    """D-10: a message that expires and would come back to the same queue is dropped; other queues get it."""
    exchange = target.exchange("fanout")
    queue, other = target.queue(message_ttl=SHORT, dead_letter_exchange=exchange), target.queue()
    for name in (queue, other):
        target.channel.queue_bind(name, exchange)

    target.publish("x", "", queue)
    target.pass_time(0.15)

    (message,) = target.expect(other, "x")
    assert deaths(message) == [(queue, "expired", 1)]
    target.expect(queue)


@pytest.mark.statement("D-10")
def test_automatic_circle(target: Target) -> None:
    """D-10: where messages only expire, round and round, one lap is the end."""
    laps = target.queue()
    first, second = two_names(target)
    exchange = target.exchange("fanout")
    target.queue(first, message_ttl=SHORT, **to(second))
    target.queue(second, message_ttl=SHORT, dead_letter_exchange=exchange)
    for queue in (first, laps):
        target.channel.queue_bind(queue, exchange)

    target.publish("x", "", first)
    target.pass_time(0.25)

    (message,) = target.expect(laps, "x")
    assert deaths(message) == [(second, "expired", 1), (first, "expired", 1)]
    target.expect(first)
    target.expect(second)


@pytest.mark.statement("D-10")
def test_no_room_in_a_circle(target: Target) -> None:
    """D-10: for want of room counts as expiring does."""
    queue = target.name("queue")
    target.queue(queue, max_length=1, **to(queue))

    target.fill(queue, "0", "1")

    target.expect(queue, "1")


@pytest.mark.statement("D-10")
def test_rejecting_goes_on_for_ever(target: Target) -> None:
    """D-10: a rejection never drops a message, even straight back into its own queue."""
    queue = target.name("queue")
    target.queue(queue, **to(queue))
    target.fill(queue, "x")

    for _ in range(4):
        target.settle(1, target.ready, queue)
        reject(target, queue, "x")

    (message,) = target.expect(queue, "x")
    assert deaths(message) == [(queue, "rejected", 4)]


@pytest.mark.statement("D-10")
def test_one_rejection_in_each_lap(target: Target) -> None:
    """D-10: a circle with a rejection in each lap has no end, and the counts grow.

    Before 4 the older entries of `x-death` came in any order, and so a circle of three queues did end.
    """
    work, wait, later = target.name("work"), target.name("wait"), target.name("later")
    target.queue(work, **to(wait))
    target.queue(wait, message_ttl=SHORT, **to(later))
    target.queue(later, message_ttl=SHORT, **to(work))
    target.fill(work, "x")

    laps = 3 if target.since(4) else 1
    for _ in range(laps):
        reject(target, work, "x")
        target.pass_time(2 * SHORT / 1000)
        target.settle(1, target.ready, work)

    if target.since(4):
        (message,) = target.expect(work, "x")
        assert deaths(message) == [(later, "expired", 3), (wait, "expired", 3), (work, "rejected", 3)]
    else:
        message = target.get(work)
        assert deaths(message) == [(later, "expired", 1), (work, "rejected", 1), (wait, "expired", 1)]
        target.channel.basic_reject(message.delivery_tag, requeue=False)
        target.pass_time(0.25)
        for queue in (work, wait, later):
            target.expect(queue)


@pytest.mark.statement("D-10")
def test_an_old_rejection_does_not_help(target: Target) -> None:
    """D-10: only rejections since the last time in this queue count; before 4 one was enough for ever."""
    laps = target.queue()
    first, second = two_names(target)
    exchange = target.exchange("fanout")
    rejecting = target.queue(**to(first))
    target.queue(first, message_ttl=SHORT, **to(second))
    target.queue(second, message_ttl=SHORT, dead_letter_exchange=exchange)
    for queue in (first, laps):
        target.channel.queue_bind(queue, exchange)
    target.fill(rejecting, "x")

    reject(target, rejecting, "x")
    target.pass_time(0.5)

    if target.since(4):
        (message,) = target.expect(laps, "x")
        assert deaths(message) == [
            (second, "expired", 1),
            (first, "expired", 1),
            (rejecting, "rejected", 1),
        ]
        target.expect(first)
        target.expect(second)
    else:
        assert target.ready(laps) > 1


@pytest.mark.statement("D-11")
def test_rejected_by_a_full_queue(target: Target) -> None:
    """D-11: `reject-publish-dlx` makes a dead letter of what it rejects, `reject-publish` does not."""
    dead = target.queue()
    with_letters = target.queue(max_length=1, overflow="reject-publish-dlx", **to(dead))
    without = target.queue(max_length=1, overflow="reject-publish", **to(dead))
    answers: list[str] = []
    target.channel.events["basic_ack"].add(lambda *_: answers.append("ack"))
    target.channel.events["basic_nack"].add(lambda *_: answers.append("nack"))
    target.channel.confirm_select()

    target.publish("kept", "", with_letters)
    target.publish("rejected", "", with_letters)
    target.drain(lambda: len(answers) == 2)
    target.publish("kept", "", without)
    target.publish("rejected", "", without)
    target.drain(lambda: len(answers) == 4)

    assert answers == ["ack", "nack", "ack", "nack"]
    (message,) = target.expect(dead, "rejected")
    assert deaths(message) == [(with_letters, "maxlen", 1)]
    target.expect(with_letters, "kept")
    target.expect(without, "kept")


@pytest.mark.statement("D-12")
def test_nack_multiple(target: Target) -> None:
    """D-12: rejected together, they arrive in the order in which they were delivered."""
    dead = target.queue()
    queue = target.queue(**to(dead))
    target.fill(queue, "0", "1", "2", "3")
    last = [target.get(queue).delivery_tag for _ in range(4)][2]

    target.nack(target.channel, last, multiple=True, requeue=False)

    target.sync(target.channel)
    target.expect(dead, "0", "1", "2")


@pytest.mark.statement("D-12", "P-1")
def test_nack_multiple_with_priorities(target: Target) -> None:
    """D-12: of a queue with priorities, the higher ones first."""
    dead = target.queue()
    queue = target.queue(max_priority=2, **to(dead))
    inbox = target.consume(queue)
    for body, priority in (("low", 0), ("high", 2), ("middle", 1), ("high too", 2)):
        target.publish(body, "", queue, priority=priority)
        target.sync(target.channel)
    inbox.expect("low", "high", "middle", "high too")

    target.nack(inbox.channel, 4, multiple=True, requeue=False)

    target.sync(inbox.channel)
    target.expect(dead, "high", "high too", "middle", "low")


@pytest.mark.statement("D-13")
def test_letters_without_a_queue(target: Target) -> None:
    """D-13: a dead letter for which there is no queue, or only a full one that rejects, is lost."""
    exchange = target.exchange("direct")
    full = target.queue(max_length=1, overflow="reject-publish")
    nowhere, into_full = (
        target.queue(max_length=0, dead_letter_exchange=exchange),
        target.queue(max_length=0, **to(full)),
    )
    target.fill(full, "first")

    target.fill(nowhere, "lost")
    target.fill(into_full, "lost")

    for queue in (nowhere, into_full):
        target.expect(queue)
    target.expect(full, "first")


@pytest.mark.statement("D-14")
def test_x_death_of_a_client(target: Target) -> None:
    """D-14: the broker makes these headers itself, whatever a client sends; before 4 it counted on."""
    dead = target.queue()
    queue = target.queue(**to(dead))
    target.fill(queue, "x")
    reject(target, queue, "x")
    (message,) = target.expect(dead, "x")

    target.publish("again", "", queue, headers=message.headers | {"x-first-death-queue": "mine"})
    target.settle(1, target.ready, queue)
    reject(target, queue, "again")

    (again,) = target.expect(dead, "again")
    assert deaths(again) == [(queue, "rejected", 1 if target.since(4) else 2)]
    assert again.headers["x-first-death-queue"] == (queue if target.since(4) else "mine")


@pytest.mark.statement("D-14")
def test_x_death_passes_while_alive(target: Target) -> None:
    """D-14: as long as the message has not died, a client's headers are its own."""
    queue, headers = target.queue(), {"x-death": [{"count": 7, "queue": "q", "reason": "expired"}]}

    target.publish("x", "", queue, headers=headers)

    (message,) = target.expect(queue, "x")
    assert message.headers == headers


@pytest.mark.statement("D-15")
def test_cc_of_a_dead_letter(target: Target) -> None:
    """D-15: with a dead-letter routing key CC is not followed; the header stays, and went before 4."""
    exchange = target.exchange("direct")
    dead, by_cc = target.bound(exchange, "dead"), target.bound(exchange, "cc")
    queue = target.queue(max_length=0, dead_letter_exchange=exchange, dead_letter_routing_key="dead")

    target.publish("x", "", queue, headers={"CC": ["cc"]})

    (message,) = target.expect(dead, "x")
    assert message.headers.get("CC") == (["cc"] if target.since(4) else None)
    target.expect(by_cc)


@pytest.mark.statement("D-17")
def test_redelivered(target: Target) -> None:
    """D-17: a dead letter is not redelivered, though RabbitMQ 4 says so after `basic.reject`."""
    dead = target.queue()
    queue, expiring, full = (
        target.queue(**to(dead)),
        target.queue(message_ttl=0, **to(dead)),
        target.queue(max_length=0, **to(dead)),
    )
    target.fill(queue, "rejected", "nacked")
    reject(target, queue, "rejected")
    (rejected,) = target.expect(dead, "rejected")
    target.nack(target.channel, target.get(queue).delivery_tag, requeue=False)
    (nacked,) = target.expect(dead, "nacked")
    target.fill(expiring, "expired")
    (expired,) = target.expect(dead, "expired")
    target.fill(full, "dropped")
    (dropped,) = target.expect(dead, "dropped")

    assert rejected.delivery_info["redelivered"] is (target.late and target.since(4))
    assert nacked.delivery_info["redelivered"] is False
    assert expired.delivery_info["redelivered"] is False
    assert dropped.delivery_info["redelivered"] is False
