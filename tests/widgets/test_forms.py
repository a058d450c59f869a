"""The forms: every field reaches its argument, and names from outside stay text."""

from collections.abc import Iterator
from typing import Any

import pytest
from ipywidgets import (  # noqa: TID253  (what is tested are widgets)
    HTML,
    Button,
    Checkbox,
    HTMLMath,
    Label,
    ToggleButton,
    ToggleButtons,
    Widget,
)

from sandbox import Broker
from sandbox.widgets.commands import Answer, Commands
from sandbox.widgets.forms import (
    BuildForms,
    ConsumersForm,
    Form,
    PublishForm,
)

HOSTILE = '<img src=x onerror="alert(1)">$x$\n\u202e'


@pytest.fixture
def commands(still: Broker) -> Commands:
    return Commands(still)


class Submitted:
    """Does the commands, and remembers them."""

    def __init__(self, commands: Commands) -> None:
        self.commands = commands
        self.answers: list[Answer] = []

    def __call__(self, name: str, args: dict[str, Any]) -> Answer:
        self.answers.append(self.commands.run(name, args))
        return self.answers[-1]

    @property
    def code(self) -> str:
        """The line of the last command, which must have succeeded."""
        assert self.answers[-1].ok, self.answers[-1]
        return self.answers[-1].code


@pytest.fixture
def submit(commands: Commands) -> Submitted:
    return Submitted(commands)


def fill(form: Form, button: str, **values: object) -> None:
    """Fill in a form and press a button."""
    for name, value in values.items():
        form.fields[name].value = value
    form.buttons[button].click()


def every(widget: Widget) -> Iterator[Widget]:
    """The widget and all in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every(child)


def test_publish(submit: Submitted, still: Broker) -> None:
    """The form as it is publishes an empty text; filled in, each field has its place."""
    still.queue("work", max_priority=5)
    form = PublishForm(submit)
    fill(form, "Publish")
    assert submit.code == "broker.publish('')"
    fill(form, "Publish", routing_key="work", body='{"id": 7}', times=2)
    assert submit.code == "for _ in range(2): broker.publish({'id': 7}, routing_key='work')"
    fill(
        form,
        "Publish",
        exchange="amq.topic",
        headers='{"region": "eu"}',
        expiration="1.5",
        priority="3",
        mandatory=True,
        persistent=False,
        times=1,
    )
    assert submit.code == (
        "broker.publish({'id': 7}, exchange='amq.topic', routing_key='work', headers={'region': 'eu'}, "
        "expiration=1.5, priority=3, mandatory=True, delivery_mode=1)"
    )
    fill(form, "Publish", headers="region: eu")
    assert "headers is no JSON" in submit.answers[-1].error


def test_more_options_unfold(submit: Submitted) -> None:
    """What is used rarely is hidden until it is asked for."""
    form = PublishForm(submit)
    row = next(child for child in form.children if form.fields["headers"] in getattr(child, "children", ()))
    assert row.layout.display == "none"
    form.buttons["More options"].value = True
    assert row.layout.display is None
    form.buttons["More options"].value = False
    assert row.layout.display == "none"


def test_enter_presses_the_first_button(submit: Submitted) -> None:
    """Enter in a field of one line, which the front end tells by a message, is the first button."""
    form = PublishForm(submit)
    form.fields["routing_key"]._handle_custom_msg({"event": "submit"}, [])
    assert submit.code == "broker.publish('')"
    form.fields["routing_key"]._handle_custom_msg("nonsense", [])
    form.enable("The broker is closed.")
    form.fields["routing_key"]._handle_custom_msg({"event": "submit"}, [])
    assert len(submit.answers) == 1


def test_consumers(submit: Submitted, commands: Commands, still: Broker) -> None:
    """A consumer by hand is started, receives, acknowledges, is cancelled and closed."""
    still.queue("work")
    for body in "abc":
        still.publish(body, routing_key="work")
    form = ConsumersForm(submit)
    assert [form.buttons[label].disabled for label in ("Consume", "Receive", "Close channel")] == [
        False,
        True,
        True,
    ]
    fill(form, "Get one message", queue="work", prefetch_count="1")
    assert submit.code == "message_1 = broker.get('work')"
    fill(form, "Consume")
    assert submit.code == "consumer_1 = broker.consume('work', print, prefetch_count=1)"
    form.hold(commands.by_hand)
    fetched, consuming = commands.by_hand["channels"]
    assert form.fields["channel"].options == (
        (f"channel {fetched}", fetched),
        (f"consumer-1, channel {consuming}", consuming),
    )
    assert form.fields["channel"].value == consuming
    assert not form.buttons["Receive"].disabled
    form.fields["channel"].value = fetched
    form.hold(commands.by_hand)
    assert form.fields["channel"].value == fetched
    assert form.buttons["Receive"].disabled
    form.buttons["Ack all"].click()
    assert submit.code == "message_1.ack(multiple=True)"

    form.fields["channel"].value = consuming
    form.buttons["Receive"].click()
    assert submit.code == "consumer_1.drain()"
    form.hold(commands.by_hand)
    assert form.fields["channel"].value == consuming
    form.buttons["Ack all"].click()
    assert submit.code == "consumer_1.channel.basic_ack(0, multiple=True)"
    form.buttons["Cancel"].click()
    assert submit.code == "consumer_1.cancel()"
    form.hold(commands.by_hand)
    assert form.buttons["Cancel"].disabled
    assert not form.buttons["Close channel"].disabled
    form.buttons["Close channel"].click()
    assert submit.code == "consumer_1.close()"
    form.hold(commands.by_hand)
    assert form.fields["channel"].options == ()
    assert form.fields["channel"].value is None


def test_build(submit: Submitted, still: Broker) -> None:
    """Three forms declare exchanges, queues and bindings; one of them is shown at a time."""
    build = BuildForms(submit)
    exchange, queue, binding = build.forms.values()
    assert [form.layout.display for form in build.forms.values()] == [None, "none", "none"]
    fill(exchange, "Declare exchange", name="orders", type="topic", arguments='{"x-mine": 1}')
    assert submit.code == "broker.exchange('orders', type='topic', arguments={'x-mine': 1})"

    build.show("Queue")
    assert [form.layout.display for form in build.forms.values()] == ["none", None, "none"]
    fill(queue, "Declare queue", name="work", exchange="orders", routing_key="#", message_ttl="10")
    assert submit.code == "broker.queue('work', exchange='orders', routing_key='#', message_ttl=10)"
    fill(queue, "Declare queue", name="other", exchange="", message_ttl="", dead_letter_routing_key="work")
    assert submit.code == (
        "broker.queue('other', routing_key='#', dead_letter_exchange='', dead_letter_routing_key='work')"
    )
    fill(
        queue,
        "Declare queue",
        name="third",
        routing_key="",
        dead_letter_exchange="orders",
        dead_letter_routing_key="",
        max_length="3",
        overflow="reject-publish",
        durable=False,
        exclusive=True,
    )
    assert submit.code == (
        "broker.queue('third', max_length=3, dead_letter_exchange='orders', overflow='reject-publish', "
        "exclusive=True, durable=False)"
    )

    fill(binding, "Bind", destination="other", exchange="orders", routing_key="a.*")
    assert submit.code == "broker.bind('other', 'orders', routing_key='a.*')"
    assert [row.destination for row in still.bindings] == ["work", "other"]
    binding.buttons["Unbind"].click()
    assert submit.code == "broker.unbind('other', 'orders', routing_key='a.*')"


def forms(submit: Submitted) -> list[Any]:
    return [PublishForm(submit), ConsumersForm(submit), BuildForms(submit)]


def test_names_are_offered(submit: Submitted) -> None:
    """Names of exchanges and queues are offered where they belong, and what is typed stays."""
    publish, consumers, build = forms(submit)
    publish.fields["exchange"].value = "ord"
    for form in (publish, consumers, build):
        form.offer(["", "orders", HOSTILE], ["work", "\ud800"])

    assert publish.fields["exchange"].value == "ord"
    assert publish.fields["exchange"].options == ("orders", HOSTILE)
    assert publish.fields["routing_key"].options == ("work",)
    assert consumers.fields["queue"].options == ("work",)
    assert build.forms["Binding"].fields["destination"].options == ("work", "orders", HOSTILE)
    publish.offer([], [])
    assert publish.fields["exchange"].options == ()
    assert publish.fields["exchange"].value == "ord"
    publish.offer([], map(str, range(10_000)))
    assert len(publish.fields["routing_key"].options) == 500


def test_names_are_nowhere_html(submit: Submitted) -> None:
    """Whatever is offered, no widget takes it for HTML."""
    for form in forms(submit):
        form.offer([HOSTILE], [HOSTILE])
        for widget in every(form):
            assert not isinstance(widget, (HTML, HTMLMath))
            assert not getattr(widget, "description_allow_html", False)
            assert not getattr(widget, "tooltip", None) or HOSTILE not in widget.tooltip


def test_every_field_has_a_label(submit: Submitted) -> None:
    """A field or button without words cannot be found by a screen reader; labels in a form are different."""
    for form in forms(submit):
        for one in getattr(form, "forms", {"": form}).values():
            labels = [field.description for field in one.fields.values()]
            assert all(labels)
            assert len(set(labels)) == len(labels)
            assert all(button.description for button in one.buttons.values())
            shown = {id(widget) for widget in every(one)}
            assert {id(control) for control in (*one.fields.values(), *one.buttons.values())} <= shown


def test_all_is_off_for_a_reason(submit: Submitted) -> None:
    """Disabled forms say why, and are as before when they are enabled again."""
    for form in forms(submit):
        controls = [widget for widget in every(form) if hasattr(widget, "disabled")]
        controls = [widget for widget in controls if not isinstance(widget, ToggleButtons)]
        assert any(isinstance(widget, (Button, Checkbox, ToggleButton)) for widget in controls)
        before = [widget.disabled for widget in controls]
        form.enable("You look at event 31.")
        assert all(widget.disabled for widget in controls)
        reasons = [widget for widget in every(form) if isinstance(widget, Label) and widget.value]
        assert {label.value for label in reasons} == {"You look at event 31."}
        assert {label.layout.display for label in reasons} == {None}

        form.enable(None)
        assert [widget.disabled for widget in controls] == before
        assert {label.layout.display for label in reasons} == {"none"}


def test_fields_have_sensible_widths(submit: Submitted) -> None:
    """Two fields stand beside each other in a cell of 500 pixels; rows wrap."""
    for form in forms(submit):
        for one in getattr(form, "forms", {"": form}).values():
            for field in one.fields.values():
                width = field.layout.width
                assert width in ("98%", "auto") or int(width.removesuffix("px")) <= 240
            assert {row.layout.flex_flow for row in one.children[1:]} == {"row wrap"}
