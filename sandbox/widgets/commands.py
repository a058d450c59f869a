"""Commands: everything that a person does to a broker by hand, whatever form, key or button it comes from."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable  # noqa: TC003  (a field of a NamedTuple)
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.engine.snapshot import SEATS
from sandbox.texts import shown

from .given import Given, Malformed
from .program import Broker, Call, Done, Name, Program, words

if TYPE_CHECKING:
    from sandbox.engine.snapshot import Snapshot

#: By hand nobody waits for more steps than this: a loop shall be told soon.
STEPS = 1_000


class Answer(NamedTuple):
    """What became of a command.

    `error` is the broker's refusal in its own words, `notes` are help, or what happened; `code` is the line
    of the program that does the same, "" if the command never came to the broker.
    """

    ok: bool
    error: str = ""
    notes: tuple[str, ...] = ()
    code: str = ""


class _Made(NamedTuple):
    """A consumer that was started here, or a message that was fetched here, and the variable that has it.

    Its key is the channel with the consumer's tag, or with the message's delivery tag.
    """

    variable: str
    key: tuple[int, Any]
    value: Any  # a broker's Consumption, or kombu's Message


class Order(NamedTuple):
    """A call that is to be made, and then a function of what it returned, which says what happened."""

    call: Call
    then: Callable[[Done], str] = lambda _: ""


class Commands:
    """The commands of one broker, which is held weakly, and the program that they write.

    Buttons may be pressed on any thread.  One lock lets one command run at a time, so that the lines of the
    program stand in the order in which they took effect; it is taken before the broker's own lock, never
    within it.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = weakref.ref(broker, self._gone)
        self._lock = threading.RLock()
        self._consumers: dict[int, _Made] = {}  # by channel: each has one of its own
        self._messages: dict[tuple[int, int], _Made] = {}  # by channel and delivery tag
        self._fetching: set[int] = set()  # the channels of messages, also of those that are settled
        self.program = Program(broker)

    def run(self, name: object, args: object) -> Answer:
        """Do what the command of that name says; what the broker raises is in the answer."""
        with self._lock:
            broker = self._broker()
            if broker is None:
                return Answer(ok=False, error="the broker is gone")
            self._tidy(broker.snapshot())
            try:
                order = self._order(name, args)
            except Malformed as refusal:
                return Answer(ok=False, error=shown(str(refusal)))
            try:
                said = order.then(self.program.run(order.call))
            except Exception as error:  # noqa: BLE001  (whatever a broker raises is its answer)
                notes = tuple(shown(note) for note in getattr(error, "__notes__", ()))
                return Answer(ok=False, error=words(error), notes=notes, code=self.program.last)
            return Answer(ok=True, notes=(shown(said),) if said else (), code=self.program.last)

    def _order(self, name: object, args: object) -> Order:
        command = COMMANDS.get(name) if isinstance(name, str) else None
        if command is None:
            raise Malformed(f"there is no such command: {name!r}"[:200])
        given = Given(args)
        order = command(self, given)
        given.end()
        return order

    @property
    def by_hand(self) -> dict[str, list[Any]]:
        """What was made here and is still there: the ids of `channels`, `consumers` as `channel:tag`.

        And `messages`, which were fetched here and are held, as `[channel, tag]`.
        """
        with self._lock:
            broker = self._broker()
            if broker is None or not (self._consumers or self._messages):
                return {"channels": [], "consumers": [], "messages": []}
            snapshot = broker.snapshot()
            self._tidy(snapshot)
            consumers = [made.key for made in self._consumers.values() if made.key in snapshot.consumers]
            return {
                "channels": sorted({*self._consumers, *(channel for channel, _ in self._messages)}),
                "consumers": [f"{channel}:{tag}" for channel, tag in consumers],
                "messages": [list(key) for key in self._messages],
            }

    def _tidy(self, snapshot: Snapshot) -> None:
        """Forget what is closed or settled, by hand or otherwise."""
        for channel in list(self._consumers):
            if channel not in snapshot.channels:
                self.program.forget(self._consumers.pop(channel).variable)
        for key, made in list(self._messages.items()):
            tags = _held(snapshot, key[0])
            if made.value.acknowledged or (key[1] not in tags and len(tags) < SEATS):
                self.program.forget(self._messages.pop(key).variable)

    def _gone(self, _broker: object) -> None:
        """The broker was collected: nothing of it shall be kept alive from here."""
        self.program.forget_all()
        self._consumers.clear()
        self._messages.clear()

    def _now(self) -> Snapshot:
        broker = self._broker()
        assert broker is not None  # `run` holds it
        return broker.snapshot()

    # ------------------------------------------------------------ messages

    def _publish(self, given: Given) -> Order:
        times = given.whole("times")
        times = 1 if times is None else times
        if not 1 <= times <= 100:
            raise Malformed(f"times is from 1 to 100, not {times}")
        options = _some(
            exchange=given.text("exchange", ""),
            routing_key=given.text("routing_key", ""),
            headers=given.table("headers"),
            expiration=given.number("expiration"),
            priority=given.whole("priority"),
            mandatory=given.flag("mandatory"),
            delivery_mode=None if given.flag("persistent", default=True) is None else 1,
        )
        call = Call("broker", "publish", (given.body("body"),), options, times=times)
        more = f"{times} messages; the last: " if times > 1 else ""
        return Order(call, lambda done: more + repr(done.value).strip("<>"))

    def _get(self, given: Given) -> Order:
        queue, no_ack = given.name("queue"), given.flag("no_ack")

        def then(done: Done) -> str:
            if done.value is None:
                return f"nothing is ready in {queue}"
            if not no_ack:
                message: Any = done.value
                key = message.channel.channel_id, message.delivery_tag
                self._messages[key] = _Made(done.variable, key, message)
                self._fetching.add(key[0])
            return f"fetched the head of {queue}, in the program {done.variable}"

        return Order(Call("broker", "get", (queue,), _some(no_ack=no_ack), result="message"), then)

    def _consume(self, given: Given) -> Order:
        options = _some(
            prefetch_count=given.whole("prefetch_count", default=0),
            no_ack=given.flag("no_ack"),
            priority=given.whole("priority", default=0),
            exclusive=given.flag("exclusive"),
        )
        args = given.name("queue"), Name("print", _show_nothing)

        def then(done: Done) -> str:
            consumption: Any = done.value
            channel = consumption.channel.channel_id
            self._consumers[channel] = _Made(done.variable, (channel, consumption.tag), consumption)
            return f"{done.variable} consumes {args[0]}"

        return Order(Call("broker", "consume", args, options, result="consumer"), then)

    def _receive(self, given: Given) -> Order:
        call = Call(self._consumer(given).variable, "drain")
        return Order(call, lambda done: f"received {done.value}")

    def _cancel(self, given: Given) -> Order:
        call = Call(self._consumer(given).variable, "cancel")
        return Order(call, lambda _: "cancelled; what it holds stays with its channel")

    def _close_channel(self, given: Given) -> Order:
        channel = given.whole("channel")
        if channel in self._consumers:
            return Order(Call(self._consumers[channel].variable, "close"), _closed)
        for (number, _), made in self._messages.items():
            if number == channel:
                return Order(Call(f"{made.variable}.channel", "close"), _closed)
        raise Malformed(f"channel {channel} belongs to code: it is closed there")

    # ------------------------------------------------------------ acknowledgements

    def _ack(self, given: Given) -> Order:
        multiple = _some(multiple=given.flag("multiple"))
        channel, tag = _delivery(given)
        variable = self._holder(channel, tag, all_of_them=bool(multiple) and tag == 0)
        if channel in self._consumers:
            return Order(Call(f"{variable}.channel", "basic_ack", (tag,), multiple), _acknowledged)
        return Order(Call(variable, "ack", (), multiple), _acknowledged)

    def _requeue(self, given: Given) -> Order:
        channel, tag = _delivery(given)
        variable = self._holder(channel, tag)
        if channel in self._consumers:
            return Order(Call(f"{variable}.channel", "basic_nack", (tag,), {"requeue": True}), _requeued)
        return Order(Call(variable, "requeue"), _requeued)

    def _reject(self, given: Given) -> Order:
        channel, tag = _delivery(given)
        variable = self._holder(channel, tag)
        if channel in self._consumers:
            return Order(Call(f"{variable}.channel", "basic_reject", (tag,), {"requeue": False}), _rejected)
        return Order(Call(variable, "reject"), _rejected)

    def _holder(self, channel: int, tag: int, *, all_of_them: bool = False) -> str:
        """The variable of the consumer on that channel, or of the message, that has this delivery.

        What is not held any more is refused here, for a second click must not close the channel.
        """
        if channel in self._consumers:
            tags = _held(self._now(), channel)
            may_be = tag in tags or (len(tags) >= SEATS and tag > max(tags))
            if not may_be and not all_of_them:
                raise Malformed(f"delivery {tag} is not held any more")
            return self._consumers[channel].variable
        if (channel, tag) in self._messages:
            return self._messages[channel, tag].variable
        if channel in self._fetching:
            raise Malformed(f"delivery {tag} is not held any more, or was fetched by code")
        raise Malformed(f"channel {channel} belongs to code: what it holds is acknowledged there")

    def _consumer(self, given: Given) -> _Made:
        """The consumer that `channel:tag` means."""
        key = given.name("consumer")
        for made in self._consumers.values():
            if key == f"{made.key[0]}:{made.key[1]}":
                if made.key not in self._now().consumers:
                    raise Malformed(f"consumer {made.key[1]} has ended")
                return made
        tag = key.partition(":")[2] or key
        raise Malformed(f"consumer {tag[:80]} belongs to code: it is handled there")

    # ------------------------------------------------------------ topology

    def _exchange(self, given: Given) -> Order:
        options = _some(
            type=given.text("type", "direct"),
            durable=given.flag("durable", default=True),
            auto_delete=given.flag("auto_delete"),
            internal=given.flag("internal"),
            alternate_exchange=given.text("alternate_exchange", ""),
            arguments=given.table("arguments"),
        )
        name = given.name("name")
        return Order(Call("broker", "exchange", (name,), options), lambda _: f"exchange {name} is declared")

    def _queue(self, given: Given) -> Order:
        options = _some(
            exchange=given.text("exchange", ""),
            routing_key=given.text("routing_key", ""),
            message_ttl=given.number("message_ttl"),
            expires=given.number("expires"),
            max_length=given.whole("max_length"),
            max_length_bytes=given.whole("max_length_bytes"),
            max_priority=given.whole("max_priority"),
            dead_letter_exchange=given.text("dead_letter_exchange"),  # "" is the default exchange
            dead_letter_routing_key=given.text("dead_letter_routing_key"),
            overflow=given.text("overflow", ""),
            exclusive=given.flag("exclusive"),
            auto_delete=given.flag("auto_delete"),
            durable=given.flag("durable", default=True),
            binding_arguments=given.table("binding_arguments"),
            arguments=given.table("arguments"),
        )
        name = given.name("name")
        return Order(Call("broker", "queue", (name,), options), lambda _: f"queue {name} is declared")

    def _bind(self, given: Given) -> Order:
        return Order(self._binding("bind", given), lambda _: "bound")

    def _unbind(self, given: Given) -> Order:
        return Order(self._binding("unbind", given), lambda _: "there is no such binding any more")

    @staticmethod
    def _binding(method: str, given: Given) -> Call:
        ends = given.name("destination"), given.name("exchange")
        options = _some(routing_key=given.text("routing_key", ""), arguments=given.table("arguments"))
        return Call("broker", method, ends, options)

    def _purge(self, given: Given) -> Order:
        call = Call("broker", "purge", (given.name("queue"),))
        return Order(call, lambda done: f"{done.value} removed")

    def _delete(self, given: Given) -> Order:
        """Delete what is meant: `broker.delete` takes the queue of a name, or else the exchange."""
        name, kind = given.name("name"), given.name("kind")
        if kind not in ("queue", "exchange"):
            raise Malformed("kind is queue or exchange")
        now = self._now()
        if kind == "queue" and name in now.exchanges and name not in now.queues:
            raise Malformed(f"there is no queue {name} any more")
        if kind == "exchange" and name in now.queues:
            in_code = f"broker.delete(sandbox.Exchange({name!r}))"
            raise Malformed(f"a queue has that name too; in code: {in_code}")
        options = _some(if_unused=given.flag("if_unused"), if_empty=given.flag("if_empty"))
        return Order(Call("broker", "delete", (name,), options), lambda _: f"{kind} {name} is deleted")

    # ------------------------------------------------------------ time

    def _step(self, _given: Given) -> Order:
        return Order(Call("broker", "step"), _happened)

    def _advance(self, given: Given) -> Order:
        seconds = given.number("seconds")
        if seconds is None:
            raise Malformed("seconds is missing")
        return Order(Call("broker", "advance", (seconds,)))

    def _run_until_idle(self, _given: Given) -> Order:
        call = Call("broker", "run_until_idle", (), {"limit": STEPS})
        return Order(call, lambda done: f"{done.value} steps, and nothing more will happen by itself")

    commands = (
        _publish,
        _get,
        _consume,
        _receive,
        _cancel,
        _close_channel,
        _ack,
        _requeue,
        _reject,
        _exchange,
        _queue,
        _bind,
        _unbind,
        _purge,
        _delete,
        _step,
        _advance,
        _run_until_idle,
    )


#: All commands by their names.
COMMANDS: dict[str, Callable[[Commands, Given], Order]] = {
    command.__name__.removeprefix("_"): command for command in Commands.commands
}


def _some(**options: object) -> dict[str, object]:
    """Those that were given."""
    return {name: option for name, option in options.items() if option is not None}


def _delivery(given: Given) -> tuple[int, int]:
    channel, tag = given.whole("channel"), given.whole("tag")
    if channel is None or tag is None:
        raise Malformed("a delivery is given by its channel and tag")
    return channel, tag


def _held(snapshot: Snapshot, channel: int) -> set[int]:
    """The tags of what a channel holds; if there are SEATS or more, then only of the first ones."""
    view = snapshot.channels.get(channel)
    held = [] if view is None else [seat for _, seat in view.fetched]
    for (number, _), consumer in snapshot.consumers.items():
        if number == channel:
            held += consumer.held
    return {seat.tag for seat in held}


def _closed(_: Done) -> str:
    return "closed; what it held is back in its seats"


def _acknowledged(_: Done) -> str:
    return "acknowledged"


def _requeued(_: Done) -> str:
    return "back in its seat"


def _rejected(_: Done) -> str:
    return "rejected"


def _happened(done: Done) -> str:
    due: Any = done.value
    return (
        "nothing will happen by itself"
        if due is None
        else f"at {due.time:g} s something was due in {due.queue}"
    )


def _show_nothing(*_: object) -> None:
    """Stands for `print`, which from a button would go nowhere; for the broker the two are equal."""
