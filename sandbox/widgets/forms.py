"""Forms: what is done by hand, field by field.

A form knows no broker: it gives each command, by its name and arguments, to one function `submit`, which is
where answers are shown.  Names come from outside; they stand only where a front end shows plain text.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import ipywidgets
from ipywidgets import Layout
from traitlets import TraitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .commands import Answer

Submit = Callable[[str, dict[str, Any]], "Answer"]

#: Two fields stand beside each other in 500 pixels.
_FIELD = {"width": "240px"}
_WIDE = {"width": "98%", "max_width": "960px"}
_LABEL = {"description_width": "104px"}

#: So many names are offered at most: it is a list to look at.
MOST_NAMES = 500

_JSON = 'JSON, such as {"region": "eu"}'


class Form(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Fields by the names of a command's arguments, and buttons that submit them.

    Enter in a field of one line presses the first button.
    """

    def __init__(self, submit: Submit) -> None:
        self.submit = submit
        self.fields: dict[str, Any] = {}
        self.buttons: dict[str, Any] = {}
        self._exchanges: list[Any] = []  # the fields that offer names of exchanges
        self._queues: list[Any] = []
        self._reason = ipywidgets.Label(layout=Layout(display="none"))
        super().__init__([self._reason])

    # ------------------------------------------------------------ for the dashboard

    def enable(self, reason: str | None) -> None:
        """Let everything be used, or nothing, for a reason that is shown."""
        self._reason.value = reason or ""
        self._reason.layout.display = None if reason else "none"
        for control in (*self.fields.values(), *self.buttons.values()):
            control.disabled = reason is not None

    def offer(self, exchanges: Iterable[str], queues: Iterable[str]) -> None:
        """Offer these names; what is typed already stays."""
        exchanges, queues = _names(exchanges), _names(queues)
        for field in {*self._exchanges, *self._queues}:
            names = (queues if field in self._queues else ()) + (
                exchanges if field in self._exchanges else ()
            )
            if field.options != names:
                field.options = names

    @property
    def ids(self) -> dict[str, list[Any]]:
        """The ids of its fields, each with the trait that is its value in a page, and of its buttons."""
        fields = [[field.model_id, _trait(field)] for field in self.fields.values()]
        return {"fields": fields, "buttons": [button.model_id for button in self._pressed()]}

    def press(self, pressed: str, values: Mapping[str, object]) -> None:
        """The button of this id was pressed when the fields of these ids had these values."""
        for field in self.fields.values():
            if field.model_id in values:
                with suppress(TraitError, IndexError):  # it comes from a browser and may be anything
                    field.set_state({_trait(field): values[field.model_id]})
        for button in self._pressed():
            if button.model_id == pressed and not button.disabled:
                button.click()

    def _pressed(self) -> list[Any]:
        return [button for button in self.buttons.values() if isinstance(button, ipywidgets.Button)]

    # ------------------------------------------------------------ for the forms

    def _rows(self, *rows: Iterable[Any]) -> None:
        """What stands in the form, in rows that wrap."""
        boxes = [ipywidgets.HBox(list(row), layout=Layout(flex_flow="row wrap")) for row in rows]
        self.children = (self._reason, *boxes)

    def _field(self, name: str, field: Any) -> Any:
        self.fields[name] = field
        field.on_msg(self._hear)
        return field

    def _text(self, name: str, label: str, hint: str = "", **layout: str) -> Any:
        return self._field(name, _labelled(ipywidgets.Text, label, placeholder=hint, layout=layout or _FIELD))

    def _name(self, name: str, label: str, hint: str = "", *, of: str) -> Any:
        """A text for which names `of` queues, exchanges, or both are offered."""
        field = self._field(name, _labelled(ipywidgets.Combobox, label, placeholder=hint, layout=_FIELD))
        if "queues" in of:
            self._queues.append(field)
        if "exchanges" in of:
            self._exchanges.append(field)
        return field

    def _choice(self, name: str, label: str, options: list[Any], **layout: str) -> Any:
        field = _labelled(ipywidgets.Dropdown, label, options=options, layout=layout or _FIELD)
        return self._field(name, field)

    def _flag(self, name: str, label: str, *, value: bool = False) -> Any:
        field = ipywidgets.Checkbox(value=value, description=label, indent=False, layout=Layout(width="auto"))
        return self._field(name, field)

    def _button(self, label: str, press: Callable[[], object], *, first: bool = False) -> Any:
        button = ipywidgets.Button(
            description=label, button_style="primary" if first else "", layout=Layout(width="auto")
        )
        button.on_click(lambda _: press())
        button.add_class(f"sandbox-press-{button.model_id}")
        self.buttons[label] = button
        return button

    def _values(self, *without: str) -> dict[str, Any]:
        return {name: field.value for name, field in self.fields.items() if name not in without}

    def _hear(self, _field: object, message: object, _buffers: object) -> None:
        if isinstance(message, dict) and message.get("event") == "submit":
            first = next(iter(self.buttons.values()))
            if not first.disabled:
                first.click()


class PublishForm(Form):
    """Publish a message, or the same one several times."""

    def __init__(self, submit: Submit) -> None:
        super().__init__(submit)
        body = _labelled(ipywidgets.Textarea, "Body", placeholder="JSON or text", layout=_WIDE, rows=2)
        times = _labelled(ipywidgets.BoundedIntText, "Times", value=1, min=1, max=100, layout=_FIELD)
        more = ipywidgets.ToggleButton(
            description="More options", tooltip="Headers, expiration, priority", layout=Layout(width="auto")
        )
        publish = self._button("Publish", self._publish, first=True)
        self._rows(
            [
                self._name("exchange", "Exchange", "the default", of="exchanges"),
                self._name("routing_key", "Routing key", of="queues"),
            ],
            [self._field("body", body)],
            [
                self._text("headers", "Headers", _JSON, **_WIDE),
                self._text("expiration", "Expiration", "seconds, or never"),
                self._text("priority", "Priority", "0 to 255, or none"),
                self._flag("mandatory", "Mandatory: return it if no queue gets it"),
                self._flag("persistent", "Persistent: keep it when the broker restarts", value=True),
            ],
            [self._field("times", times), publish, more],
        )
        self._more = self.children[-2]
        self.buttons["More options"] = more
        more.observe(self._unfold, "value")
        self._unfold({"new": False})

    def _unfold(self, change: Mapping[str, Any]) -> None:
        self._more.layout.display = None if change["new"] else "none"

    def _publish(self) -> None:
        self.submit("publish", self._values())


class ConsumersForm(Form):
    """Get a message, start a consumer, and handle those that were made by hand."""

    def __init__(self, submit: Submit) -> None:
        super().__init__(submit)
        self._by_hand: Mapping[str, list[Any]] = {"channels": [], "consumers": [], "messages": []}
        consume = self._button("Consume", self._consume, first=True)
        self._rows(
            [
                self._name("queue", "Queue", of="queues"),
                self._text("prefetch_count", "Prefetch", "no limit"),
                self._text("priority", "Priority", "0"),
                self._flag("no_ack", "No ack: done with when sent"),
                self._flag("exclusive", "Exclusive: no other consumer"),
            ],
            [consume, self._button("Get one message", self._get)],
            [self._choice("channel", "Made by hand", [], **_WIDE)],
            [
                self._button("Receive", lambda: self._on_consumer("receive")),
                self._button("Ack all", self._ack_all),
                self._button("Cancel", lambda: self._on_consumer("cancel")),
                self._button("Close channel", self._close),
            ],
        )
        self.fields["channel"].observe(lambda _: self._able(), "value")
        self._reason_given: str | None = None
        self.hold(self._by_hand)

    def enable(self, reason: str | None) -> None:
        """Let everything be used that can be, or nothing."""
        self._reason_given = reason
        super().enable(reason)
        self._able()

    def hold(self, by_hand: Mapping[str, list[Any]]) -> None:
        """Show what was made by hand and is still there, `Commands.by_hand`; what is chosen stays chosen."""
        self._by_hand = by_hand
        tags = dict(key.split(":", 1) for key in by_hand["consumers"])
        options = [
            (
                f"{tags[str(channel)]}, channel {channel}" if str(channel) in tags else f"channel {channel}",
                channel,
            )
            for channel in by_hand["channels"]
        ]
        field = self.fields["channel"]
        if tuple(options) != tuple(field.options):
            chosen, channels = field.value, by_hand["channels"]
            with field.hold_sync():
                field.options = options
                field.value = chosen if chosen in channels else max(channels, default=None)
        self._able()

    def _able(self) -> None:
        """Buttons that would do nothing are off."""
        is_off = self._reason_given is not None
        for label in ("Receive", "Cancel"):
            self.buttons[label].disabled = is_off or self._consumer() is None
        for label in ("Ack all", "Close channel"):
            self.buttons[label].disabled = is_off or self._channel() is None

    def _channel(self) -> int | None:
        channel: int | None = self.fields["channel"].value
        return channel

    def _consumer(self) -> str | None:
        start = f"{self._channel()}:"
        return next((key for key in self._by_hand["consumers"] if key.startswith(start)), None)

    def _consume(self) -> None:
        self.submit("consume", self._values("channel"))

    def _get(self) -> None:
        self.submit("get", {name: self.fields[name].value for name in ("queue", "no_ack")})

    def _on_consumer(self, command: str) -> None:
        self.submit(command, {"consumer": self._consumer()})

    def _ack_all(self) -> None:
        channel = self._channel()
        fetched = [tag for number, tag in self._by_hand["messages"] if number == channel]
        self.submit("ack", {"channel": channel, "tag": max(fetched, default=0), "multiple": True})

    def _close(self) -> None:
        self.submit("close_channel", {"channel": self._channel()})


class ExchangeForm(Form):
    """Declare an exchange."""

    def __init__(self, submit: Submit) -> None:
        super().__init__(submit)
        declare = self._button("Declare exchange", lambda: submit("exchange", self._values()), first=True)
        self._rows(
            [
                self._name("name", "Name", of="exchanges"),
                self._choice("type", "Type", ["direct", "topic", "fanout", "headers"]),
                self._name("alternate_exchange", "If no match", "alternate exchange", of="exchanges"),
            ],
            [
                self._flag("durable", "Durable", value=True),
                self._flag("auto_delete", "Auto-delete"),
                self._flag("internal", "Internal"),
            ],
            [self._text("arguments", "Arguments", _JSON, **_WIDE)],
            [declare],
        )


class QueueForm(Form):
    """Declare a queue, and bind it."""

    def __init__(self, submit: Submit) -> None:
        super().__init__(submit)
        overflow = [("drop the head", ""), ("reject-publish", "reject-publish")]
        overflow.append(("reject-publish-dlx", "reject-publish-dlx"))
        self._rows(
            [
                self._name("name", "Name", "broker's choice", of="queues"),
                self._name("exchange", "Bind to", "no exchange", of="exchanges"),
                self._text("routing_key", "Binding key"),
                self._text("message_ttl", "Message TTL", "seconds, or none"),
                self._text("max_length", "Max length", "messages, or none"),
                self._choice("overflow", "When full", overflow),
                self._text("max_priority", "Max priority", "no priorities"),
                self._name("dead_letter_exchange", "Dead letters", "to an exchange", of="exchanges"),
                self._name("dead_letter_routing_key", "Dead-letter key", "their own keys", of="queues"),
            ],
            [
                self._flag("durable", "Durable", value=True),
                self._flag("exclusive", "Exclusive"),
                self._flag("auto_delete", "Auto-delete"),
            ],
            [
                self._text(
                    "arguments", "Arguments", 'JSON, such as {"x-single-active-consumer": true}', **_WIDE
                )
            ],
            [self._button("Declare queue", self._declare, first=True)],
        )

    def _declare(self) -> None:
        values = self._values()
        key = values["dead_letter_routing_key"] or None
        values["dead_letter_routing_key"] = key
        if not values["dead_letter_exchange"] and key is None:
            values["dead_letter_exchange"] = None  # with a key alone it is the default exchange
        self.submit("queue", values)


class BindingForm(Form):
    """Bind a queue or an exchange to an exchange."""

    def __init__(self, submit: Submit) -> None:
        super().__init__(submit)
        self._rows(
            [
                self._name("exchange", "From exchange", of="exchanges"),
                self._name("destination", "To", "a queue or an exchange", of="queues and exchanges"),
                self._text("routing_key", "Routing key"),
            ],
            [
                self._text(
                    "arguments", "Arguments", 'JSON, such as {"x-match": "all", "region": "eu"}', **_WIDE
                )
            ],
            [
                self._button("Bind", lambda: submit("bind", self._values()), first=True),
                self._button("Unbind", lambda: submit("unbind", self._values())),
            ],
        )


class BuildForms(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The three forms that build a topology, one of them shown at a time."""

    def __init__(self, submit: Submit) -> None:
        self.forms: dict[str, Form] = {
            "Exchange": ExchangeForm(submit),
            "Queue": QueueForm(submit),
            "Binding": BindingForm(submit),
        }
        self._which = ipywidgets.ToggleButtons(
            options=list(self.forms), description="Build", style={**_LABEL, "button_width": "96px"}
        )
        super().__init__([self._which, *self.forms.values()])
        self._which.observe(lambda change: self.show(change["new"]), "value")
        self.show("Exchange")

    def show(self, which: str) -> None:
        """Show the form for an Exchange, a Queue or a Binding."""
        self._which.value = which
        for name, form in self.forms.items():
            form.layout.display = None if name == which else "none"

    def enable(self, reason: str | None) -> None:
        """Let everything be used, or nothing, for a reason that is shown."""
        for form in self.forms.values():
            form.enable(reason)

    def offer(self, exchanges: Iterable[str], queues: Iterable[str]) -> None:
        """Offer these names; what is typed already stays."""
        exchanges, queues = tuple(exchanges), tuple(queues)
        for form in self.forms.values():
            form.offer(exchanges, queues)


def _trait(field: Any) -> str:
    """What a page knows of a field's value."""
    return "index" if isinstance(field, ipywidgets.Dropdown) else "value"


def _labelled(kind: Callable[..., Any], label: str, *, layout: Mapping[str, str], **options: Any) -> Any:
    return kind(description=label, style=_LABEL, layout=Layout(**layout), **options)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """The names that can be offered: texts that can be sent, the default exchange's empty one left out."""
    return tuple(name for name in names if name and _is_text(name))[:MOST_NAMES]


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
