"""Pictures: held by what they hold and where it stands, not by their pixels."""

# ruff: noqa: TID253  (what draws is tested here)

import base64
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import combinations, pairwise
from math import hypot
from typing import Any, cast
from xml.etree import ElementTree as ET

import kombu
import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from sandbox import Broker, ManualClock
from sandbox.engine.depth import Depths, Point
from sandbox.engine.snapshot import Seat, Snapshot
from sandbox.figures import describe, draw, glyphs, plot_depth, to_html, to_svg, tokens
from sandbox.figures.lanes import STAND_BY, WALL
from sandbox.figures.marks import DASHES, picture_of
from sandbox.figures.palette import THEMES, Palette
from sandbox.figures.shapes import Mark, Shape, Words
from sandbox.figures.sprites import REACH, sprites
from sandbox.layout import arrange
from sandbox.layout.words import width_of

HOSTILE = (
    "$x^2$ $",
    r"\frac{a}{b}$",
    "<script>alert(1)</script>",
    "&amp;\"'<!--]]>",
    "-->--",
    "two\nlines\ttab",
    "\x00\x07\x1b[31m",
    "\u202eright to left\u2028",
    "W" * 200,
    " ",
    "注文キュー",
    "ÄÖÜ ßéñ №",
)


# ---------------------------------------------------------------- what is drawn


def nothing(broker: Broker) -> None:
    """An empty broker."""


def one(broker: Broker) -> None:
    broker.exchange("orders", type="direct")
    broker.queue("work", exchange="orders", routing_key="new")


def ten(broker: Broker) -> None:
    broker.exchange("orders", type="topic")
    broker.exchange("audit", type="fanout")
    broker.exchange("regions", type="headers")
    broker.bind(kombu.Exchange("audit", type="fanout"), "orders", "#")
    for i in range(6):
        broker.queue(f"orders.{i}", exchange="orders", routing_key=f"order.{i}.#")
    for i in range(2):
        broker.queue(f"audit.{i}", exchange="audit", message_ttl=10, expires=3600, auto_delete=True)
    for region in ("eu", "us"):
        arguments = {"x-match": "all", "region": region, "urgent": True}
        broker.queue(region, exchange="regions", binding_arguments=arguments)
    for i in range(20):
        broker.publish(i, exchange="orders", routing_key=f"order.{i % 8}.new")
    broker.publish("", exchange="regions", headers={"region": "eu"})
    broker.publish("straight", exchange="", routing_key="us")


def forty(broker: Broker) -> None:
    for name in ("a", "b", "c"):
        broker.exchange(name, type="topic")
    for i in range(40):
        broker.queue(f"queue-{i}", exchange="abc"[i % 3], routing_key=f"key.{i}.#")
        for _ in range(i % 15):
            broker.publish("", exchange="abc"[i % 3], routing_key=f"key.{i}")


def cycle(broker: Broker) -> None:
    exchanges = {name: broker.exchange(name, type="topic") for name in "abc"}
    for source, target in ("ab", "bc", "ca", "bb"):
        broker.bind(exchanges[target], source, f"{source} to {target}")
    broker.queue("q", exchange="c", routing_key="out")


def hostile(broker: Broker) -> None:
    broker.exchange("h" + HOSTILE[0] + "W" * 99, type="topic")
    for name in HOSTILE:
        broker.queue(name, exchange="h" + HOSTILE[0] + "W" * 99, routing_key=name, message_ttl=0.25)
        broker.publish("", exchange="", routing_key=name)
    with broker.connection(HOSTILE[8]) as other:
        kombu.Producer(other).publish("", routing_key=HOSTILE[0])


def many_consumers(broker: Broker) -> None:
    broker.queue("work")
    for i in range(12):
        broker.consume("work", keep, prefetch_count=i)


def states(broker: Broker) -> None:
    """Every state that a copy can be in, and every kind of consumer."""
    broker.exchange("orders", type="topic")
    broker.queue("work", exchange="orders", routing_key="#")
    broker.queue("slow", message_ttl=100)
    broker.queue("deep")
    broker.exchange("nowhere", type="direct")
    broker.publish("", exchange="nowhere")
    broker.publish("", exchange="nowhere", mandatory=True)
    for expiration in (None, None, 1, 7, None):
        broker.publish("", exchange="orders", expiration=expiration)
    for _ in range(3):
        message = broker.get("work")
        assert message
        message.requeue()
    KEPT.append(broker.get("work"))
    for i in range(1500):
        broker.publish(i, exchange="", routing_key="deep")
    broker.consume("deep", keep, prefetch_count=2)
    broker.drain()
    broker.consume("deep", keep, prefetch_count=3, priority=5)
    broker.consume("deep", keep, prefetch_count=100)
    broker.queue("auto")
    broker.consume("auto", keep, no_ack=True)
    broker.publish("", exchange="", routing_key="auto")
    broker.consume("slow", keep)
    broker.advance(2)


def retries(broker: Broker) -> None:
    """A retry loop, a grave for what expired or did not fit, and dead letters that go nowhere."""
    broker.exchange("orders", type="topic")
    broker.exchange("retry", type="direct")
    broker.exchange("graveyard", type="fanout")
    broker.queue("work", exchange="orders", routing_key="order.#", dead_letter_exchange="retry",
                 dead_letter_routing_key="work")  # fmt: skip
    broker.queue("wait", exchange="retry", routing_key="work", message_ttl=10, dead_letter_exchange="orders",
                 dead_letter_routing_key="order.again")  # fmt: skip
    broker.queue("dead", exchange="graveyard")
    broker.queue("eu", exchange="orders", routing_key="order.eu.#", dead_letter_exchange="graveyard",
                 max_length=4, message_ttl=30)  # fmt: skip
    broker.queue("astray", exchange="orders", routing_key="#", dead_letter_exchange="none", max_length=2)
    broker.queue("home", exchange="graveyard", dead_letter_exchange="", max_length=10_000)
    for i in range(7):
        broker.publish(i, exchange="orders", routing_key=f"order.{'eu' if i % 2 else 'us'}.new")
    broker.consume("work", lambda _, message: message.reject(), prefetch_count=2)
    broker.drain()
    broker.advance(11)
    broker.drain()
    broker.consume("eu", keep, prefetch_count=2)
    broker.drain()
    KEPT.append(broker.get("dead"))


def second_chances(broker: Broker) -> None:
    """Alternate exchanges, one of them missing; what is lost, returned, confirmed, refused."""
    broker.exchange("unrouted", type="fanout")
    broker.exchange("orders", type="topic", alternate_exchange="unrouted")
    broker.exchange("lonely", type="direct", alternate_exchange="missing")
    inner = broker.exchange("inner", type="headers", internal=True, alternate_exchange="unrouted")
    broker.bind(inner, "orders", "#.internal")
    broker.queue("eu", exchange="orders", routing_key="order.eu.#")
    broker.queue("nobody", exchange="unrouted")
    broker.queue("full", exchange="orders", routing_key="full", max_length=1, overflow="reject-publish")
    for key in ("order.eu.1", "x", "order.us.1"):
        broker.publish("", exchange="orders", routing_key=key)
    broker.publish("", exchange="lonely")
    broker.publish("", exchange="lonely", mandatory=True)
    with broker.connection() as connection:
        channel = connection.default_channel
        channel.confirm_select()
        producer = kombu.Producer(channel)
        for key in ("full", "full", "order.eu.2"):
            producer.publish("", exchange="orders", routing_key=key)


def turns(broker: Broker) -> None:
    """Priorities, consumers that stand by for a single active one, and several on one channel."""
    broker.exchange("orders", type="topic")
    broker.queue("first", exchange="orders", routing_key="#", max_priority=255)
    broker.queue("single", exchange="orders", routing_key="*.one",
                 arguments={"x-single-active-consumer": True})  # fmt: skip
    broker.queue("mine", exclusive=True)
    for priority in (None, 3, 200, 25):
        broker.publish("", exchange="orders", routing_key="a.one", priority=priority)
    for _ in range(3):
        broker.consume("single", keep, prefetch_count=2)
    broker.consume("single", keep)
    broker.consume("single", keep, no_ack=True)
    broker.drain()
    channel = broker.channel()
    for i in range(3):
        channel.basic_consume("mine", consumer_tag=f"tag {i}", callback=KEPT.append)
    KEPT.append(channel)


KEPT: list[object] = []


def keep(_body: object, message: object) -> None:
    KEPT.append(message)


SCENES = (nothing, one, ten, forty, cycle, hostile, many_consumers, states, retries, second_chances, turns)


def snapshot_of(scene: Callable[[Broker], None]) -> Snapshot:
    with Broker(clock=ManualClock()) as broker:
        scene(broker)
        snapshot = broker.snapshot()
        KEPT.clear()
    return snapshot


@cache
def seen(scene: Callable[[Broker], None]) -> Snapshot:
    """What a scene looks like in the end; made once, for snapshots do not change."""
    return snapshot_of(scene)


@cache
def drawn(scene: Callable[[Broker], None], theme: str) -> Axes:
    """Its picture; made once, for tests that only look."""
    return draw(seen(scene), theme=theme)


@pytest.fixture(params=SCENES, ids=lambda scene: scene.__name__)
def scene(request: pytest.FixtureRequest) -> Callable[[Broker], None]:
    """Something to draw."""
    return cast("Callable[[Broker], None]", request.param)


@pytest.fixture(params=(nothing, one, ten, cycle, hostile, states, retries), ids=lambda scene: scene.__name__)
def snapshot(request: pytest.FixtureRequest) -> Snapshot:
    """What a scene that is quickly written to a file looks like in the end."""
    return seen(request.param)


@pytest.fixture
def picture(scene: Callable[[Broker], None]) -> Axes:
    """Its light picture, only to be looked at."""
    return drawn(scene, "light")


@pytest.fixture(params=THEMES)
def theme(request: pytest.FixtureRequest) -> str:
    """The name of a theme."""
    return str(request.param)


# ---------------------------------------------------------------- texts


def figure_of(ax: Axes) -> Figure:
    assert isinstance(ax.figure, Figure)
    return ax.figure


def texts(ax: Axes) -> list[Text]:
    """All texts that are seen."""
    found = figure_of(ax).findobj(Text)
    return [text for text in found if text.get_text().strip() and text.get_visible()]


def boxes(ax: Axes) -> list[tuple[str, Bbox]]:
    """What is written, and where, in px, without half a px at each side."""
    return [(text.get_text(), text.get_window_extent().padded(-0.5)) for text in texts(ax)]


def overlapping(ax: Axes) -> list[tuple[str, str]]:
    """The texts that cover each other."""
    return [(a, b) for (a, x), (b, y) in combinations(boxes(ax), 2) if x.overlaps(y)]


def outside(ax: Axes, border: float) -> list[str]:
    """The texts that reach into the border of a figure, in px."""
    width, height = figure_of(ax).get_size_inches() * figure_of(ax).dpi
    inner = Bbox.from_extents(border, border, width - border, height - border)
    return [text for text, box in boxes(ax) if not (inner.contains(*box.min) and inner.contains(*box.max))]


def test_texts_do_not_overlap(picture: Axes) -> None:
    """No two texts of a graph cover each other."""
    assert overlapping(picture) == []


def test_texts_are_inside(picture: Axes) -> None:
    """No text leaves the figure, or comes near its edge."""
    assert outside(picture, border=6) == []


def test_texts_are_no_wider_than_measured(picture: Axes) -> None:
    """The renderer needs no more room for a text than the layout gave it."""
    for text in texts(picture):
        size = float(text.get_fontsize()) * 96 / 72
        estimate = width_of(text.get_text(), size, bold=text.get_fontweight() == "bold")
        assert text.get_window_extent().width <= estimate + 1.5, text.get_text()


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_lines_pass_through_no_text(scene: Callable[[Broker], None], *, narrow: bool) -> None:
    """No line of the graph runs through a text, and no two texts meet, in a wide and in a narrow picture."""
    picture = picture_of(seen(scene), narrow=narrow)
    words = [mark for mark in picture.marks if isinstance(mark, Words)]
    found = [(text.text, measured(text)) for text in words]
    runs = [run for edge in arrange(seen(scene), narrow=narrow).edges for run in pairwise(edge.points)]
    for name, box in found:
        for a, b in runs:
            inner = box.padded(-1)
            line = Bbox.from_extents(min(a.x, b.x), min(a.y, b.y), max(a.x, b.x), max(a.y, b.y)).padded(0.5)
            assert not inner.overlaps(line), name
    badges = {name for name, _ in found if name.isdigit() or name == "9+"}  # these cover a corner of a copy
    pairs = combinations([entry for entry in found if entry[0] not in badges], 2)
    assert [(a, b) for (a, x), (b, y) in pairs if x.padded(-1).overlaps(y.padded(-1))] == []
    assert all(box.x0 > 0 and box.x1 < picture.width for _, box in found)


def measured(text: Words) -> Bbox:
    """Where a text stands at most."""
    width = width_of(text.text, text.size, bold=text.bold)
    left = text.x - width * {"start": 0, "middle": 0.5, "end": 1}[text.anchor]
    return Bbox.from_extents(left, text.y - 0.75 * text.size, left + width, text.y + 0.2 * text.size)


@pytest.mark.parametrize("name", ["ten", "states", "cycle"])
def test_texts_fit_on_given_axes(name: str) -> None:
    """On axes of another size letters are scaled with everything else."""
    figure = Figure((9, 6))
    given = figure.add_subplot(1, 2, 2)
    ax = draw(seen(globals()[name]), ax=given)

    assert ax is given
    assert overlapping(ax) == []
    assert outside(ax, border=0) == []


def test_names_are_no_formulas(picture: Axes) -> None:
    """Dollar signs in a name are shown, whatever stands between them."""
    assert not any(text.get_parse_math() for text in picture.texts)


def test_missing_letter_is_replaced() -> None:
    """A letter that no font has is shown as missing, and nothing warns of it."""

    def foreign(broker: Broker) -> None:
        broker.queue("\U00013000 hieroglyph")

    ax = draw(snapshot_of(foreign))
    figure_of(ax).savefig(io.BytesIO(), format="png")

    assert "� hieroglyph" in [text.get_text() for text in texts(ax)]


# ---------------------------------------------------------------- colours


def contrast(one: str, other: str) -> float:
    """The contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def test_colours_can_be_told_from_the_ground(theme: str) -> None:
    """Marks have a contrast of 3 to the page and to the lane; texts, and numbers on marks, one of 4.5."""
    colours = THEMES[theme]
    for ground in (colours.page, colours.lane):
        assert all(contrast(text, ground) >= 4.5 for text in (colours.ink, colours.muted))
        marks = (colours.edge, colours.alive, colours.done, colours.lost, colours.dead)
        assert all(contrast(mark, ground) >= 3 for mark in marks)
    assert contrast(colours.on_alive, colours.alive) >= 4.5
    assert all(
        contrast(colours.on_colour, mark) >= 4.5 for mark in (colours.done, colours.lost, colours.dead)
    )


def test_text_is_ink(scene: Callable[[Broker], None], theme: str) -> None:
    """All text is ink or muted ink; only numbers on filled marks are black or white."""
    colours = THEMES[theme]
    for text in texts(drawn(scene, theme)):
        colour = to_hex(text.get_color())
        if not (same(colour, colours.ink) or same(colour, colours.muted)):
            assert same(colour, colours.on_alive) or same(colour, colours.on_colour)
            assert text.get_text().strip("+,").replace(",", "").isdigit() or text.get_text() == "more"


def test_no_colour_but_the_palette(scene: Callable[[Broker], None], theme: str) -> None:
    """Everything that is painted has a colour of the theme, and whatever has a hue has an outline in ink."""
    colours = THEMES[theme]
    known = {colour.lower() for colour in colours}
    hues = {colours.alive.lower(), colours.done.lower(), colours.lost.lower(), colours.dead.lower()}
    for patch in drawn(scene, theme).patches:
        fill = to_hex(patch.get_facecolor()) if to_rgba(patch.get_facecolor())[3] else ""
        line = to_hex(patch.get_edgecolor()) if patch.get_linewidth() else ""
        assert {fill, line} - {""} <= known
        assert fill not in hues or same(line, colours.ink)


def outlines(marks: Iterator[Mark]) -> frozenset[object]:
    """Marks as a photocopier sees them: without colour, but with what is filled."""
    return frozenset(
        (mark.path, bool(mark.fill), mark.width, mark.dash)
        if isinstance(mark, Shape)
        else (mark.text, mark.size)
        for mark in marks
    )


def test_states_differ_without_colour() -> None:
    """Each state of a copy can be told from every other by its outlines alone."""
    seat = Seat(1, 1, 7, 0.0, consumer="c", channel=1)
    mortal = seat._replace(expires=10.0)
    looks = {
        "ready": outlines(tokens.ready(seat, 5, 0, 0)),
        "time runs": outlines(tokens.ready(mortal, 5, 0, 0)),
        "time has run": outlines(tokens.ready(mortal, 9, 0, 0)),
        "expired": outlines(tokens.ready(mortal, 10, 0, 0)),
        "again": outlines(tokens.ready(seat._replace(redelivered=1), 5, 0, 0)),
        "again and again": outlines(tokens.ready(seat._replace(redelivered=2), 5, 0, 0)),
        "hollow": outlines(tokens.hollow(seat, 0, 0)),
        "dead letter": outlines(tokens.ready(seat._replace(deaths=1), 5, 0, 0)),
        "died twice": outlines(tokens.ready(seat._replace(deaths=2), 5, 0, 0)),
        "expired dead letter": outlines(tokens.ready(mortal._replace(deaths=1), 10, 0, 0)),
        "hollow dead letter": outlines(tokens.hollow(seat._replace(deaths=1), 0, 0)),
        "priority": outlines(tokens.ready(seat._replace(priority=1), 5, 0, 0)),
        "higher priority": outlines(tokens.ready(seat._replace(priority=200), 5, 0, 0)),
        "sealed": outlines(tokens.held(seat, 0, 0)),
        "socket": outlines(iter([tokens.socket(0, 0)])),
    }

    assert [(a, b) for a, b in combinations(looks, 2) if looks[a] == looks[b]] == []
    assert looks["ready"] == outlines(
        tokens.held(seat._replace(handed=True), 0, 0)
    )  # a socket tells them apart


def test_types_differ_without_colour() -> None:
    """Each type of exchange has a sign of its own, as wide as is said."""
    signs = {type_: list(glyphs.type_glyph(type_, 0, 0)) for type_ in glyphs.TYPE_WIDTHS}

    assert len({outlines(iter(marks)) for marks in signs.values()}) == 4
    for type_, marks in signs.items():
        xs = [command[-2] for mark in marks for command in mark.path if len(command) > 1]
        assert max(abs(float(x)) for x in xs) <= glyphs.TYPE_WIDTHS[type_] / 2


# ---------------------------------------------------------------- signs for the web page


def test_signs_are_plain_values() -> None:
    """Each sign is a list of JSON values, whose colours are roles of the palette."""
    sent = json.loads(json.dumps(sprites()))

    assert sent == sprites()
    for shape in (shape for shapes in sent.values() for shape in shapes):
        roles = {shape.get("fill", ""), shape.get("line", ""), shape.get("role", "")} - {""}
        assert roles <= set(Palette._fields)
        assert ("d" in shape) != ("text" in shape)


def test_signs_stay_within_their_reach() -> None:
    """No outline of a sign leaves the circle that a drawer may count on."""
    for name, shapes in sprites().items():
        for shape in shapes:
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", shape["d"])]
            points = zip(numbers[::2], numbers[1::2], strict=True)
            assert max(hypot(*point) for point in points) + shape["width"] / 2 <= REACH, name


def test_signs_differ_without_colour() -> None:
    """Signs have outlines of their own, but for a copy's meanings; a seat that is kept has its number."""
    looks = {
        name: json.dumps([(shape["d"], bool(shape["fill"]), shape["dash"]) for shape in shapes])
        for name, shapes in sprites().items()
        if not name.startswith(("token_", "diamond_")) or name.endswith("_alive")
    }

    assert [(a, b) for a, b in combinations(looks, 2) if looks[a] == looks[b]] == [("hollow", "socket")]


# ---------------------------------------------------------------- marks


def written(scene: Callable[[Broker], None]) -> list[str]:
    return [text.get_text() for text in draw(seen(scene)).texts]


def test_states_are_written_and_marked() -> None:
    """Counts, losses, prefetch and options are said in words beside their marks."""
    words = written(states)
    for text in (
        "1 lost: no binding",
        "1,508 sent",
        "1 returned",
        "4 ready + 1 unacked",
        "full (2 of 2)",
        "full (3 of 3) · priority 5",
        "full (100 of 100)",
        "no ack · 1 received",
        "no limit · 0 held",
        "from work",
        "TTL 100 s",
    ):
        assert text in words


def test_second_ways_are_drawn_and_labelled() -> None:
    """Dashed lines lead to alternate and dead-letter exchanges, with their reasons; a missing one is open."""
    assert {"expired · rejected", "expired · rejected · full", "rejected · full", "no such exchange"} <= set(
        written(retries)
    )
    assert {"if nothing matches", "no such exchange", "1 lost: no binding"} <= set(written(second_chances))
    lines = [mark for mark in picture_of(seen(retries)).marks if isinstance(mark, Shape) and mark.dash]
    assert any(mark.dash == DASHES for mark in lines)


def test_publisher_counts_answers() -> None:
    """What was confirmed, refused and returned is counted below whoever sent it."""
    assert {"2 confirmed", "1 nacked", "1 returned"} <= set(written(second_chances))


def test_limit_is_a_wall() -> None:
    """A queue with a limit ends in a thick wall, and says how much fits."""
    walls = [
        m for m in picture_of(seen(retries)).marks if isinstance(m, Shape) and m.width == WALL and m.line
    ]

    assert len(walls) == 3
    assert {"max 4", "max 2", "max 10,000"} <= set(written(retries))


def test_standing_by_is_dashed() -> None:
    """Consumers that wait for a single active one have a dashed outline, and say so."""
    shapes = [mark for mark in picture_of(seen(turns)).marks if isinstance(mark, Shape)]

    assert sum(shape.dash == STAND_BY for shape in shapes) == 5  # two pills, a tray, and a chute's two sides
    assert [word for word in written(turns) if word.startswith("stand-by")] == [
        "stand-by",
        "stand-by",
        "stand-by · no limit · 0 held",
        "stand-by · no ack · 0 received",
    ]


def test_deep_queue_is_a_bar_with_the_exact_number() -> None:
    """Above twelve copies the first five are shown, and the number of all others."""

    def deep(broker: Broker) -> None:
        broker.queue("twelve")
        broker.queue("many")
        for i in range(2012):
            broker.publish("", routing_key="twelve" if i < 12 else "many")

    words = written(deep)

    assert [word for word in words if word.startswith("+")] == ["+1,995"]
    assert [word for word in words if word.isdigit()] == [*map(str, range(1, 13)), *map(str, range(13, 18))]


def test_unacked_copy_is_in_two_places() -> None:
    """An unacked copy is held in a socket, and its hollow seat stays in the lane."""

    def held(broker: Broker) -> None:
        broker.queue("work")
        broker.publish("", routing_key="work")
        broker.consume("work", keep, prefetch_count=1)

    assert written(held).count("1") == 2


def test_ledger_stands_below() -> None:
    """The lowest text is the ledger."""
    text, _ = min(boxes(drawn(ten, "light")), key=lambda found: found[1].y0)

    assert text == str(seen(ten).ledger)


def test_taken_binding_is_thicker() -> None:
    """A binding that nothing has taken is thinner than one that was taken."""

    def half(broker: Broker) -> None:
        broker.exchange("e", type="direct")
        broker.queue("q", exchange="e", routing_key="q")
        broker.queue("r", exchange="e", routing_key="r")
        broker.publish("", exchange="e", routing_key="q")

    lines = [mark for mark in picture_of(seen(half)).marks if isinstance(mark, Shape) and mark.line == "edge"]

    assert {mark.width for mark in lines} >= {1, 2}


def test_empty_broker_says_how_to_begin() -> None:
    """Never a blank box: an empty broker's picture has a line to copy."""
    assert any("broker.exchange(" in word for word in written(nothing))


def test_unknown_theme() -> None:
    """A theme that there is not is refused by the names of those that there are."""
    with pytest.raises(ValueError, match="light and dark"):
        draw(seen(nothing), theme="sepia")


# ---------------------------------------------------------------- files


def svg_of(snapshot: Snapshot, theme: str = "light") -> str:
    return to_svg(figure_of(draw(snapshot, theme=theme)), "title", "description")


def test_same_snapshot_gives_same_file(snapshot: Snapshot) -> None:
    """The file of a picture depends on nothing but the snapshot."""
    assert svg_of(snapshot) == svg_of(snapshot)


def test_file_is_well_formed(snapshot: Snapshot) -> None:
    """Whatever the names, a picture is a well-formed SVG document with a title and a description."""
    svg = to_svg(figure_of(draw(snapshot)), "<a & b>\x00", describe(snapshot))
    root = ET.fromstring(svg)  # noqa: S314  (our own text)
    spaces = {"svg": "http://www.w3.org/2000/svg"}

    assert root.findtext("svg:title", namespaces=spaces) == "<a & b>�"
    assert root.findtext("svg:desc", namespaces=spaces) == describe(snapshot)
    assert root.get("role") == "img"
    assert root.findall(".//svg:script", spaces) == []


class Image(HTMLParser):
    """Reads the only `<img>` of a document, and whatever else there is."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes = dict(attrs)


def test_notebook_shows_the_picture_with_words(snapshot: Snapshot) -> None:
    """A notebook shows the axes as one image, complete in itself, whose alternative text describes it."""
    ax = draw(snapshot)
    image = Image(ax._repr_html_())  # type: ignore[attr-defined]  # only our own axes have it

    assert image.tags == ["img"]
    assert image.attributes["alt"] == describe(snapshot)
    kind, _, data = (image.attributes["src"] or "").partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(data).decode().startswith("<?xml")
    assert to_html(figure_of(ax), describe(snapshot)) == ax._repr_html_()  # type: ignore[attr-defined]


def test_settings_do_not_matter() -> None:
    """A picture is the same under other settings of matplotlib, and changes none."""
    snapshot = seen(states)
    expected = svg_of(snapshot)
    settings: Any = {
        "axes.facecolor": "red",
        "axes.grid": True,
        "figure.autolayout": True,
        "figure.dpi": 30,
        "figure.facecolor": "red",
        "font.family": "serif",
        "font.size": 30,
        "lines.linewidth": 9,
        "patch.linewidth": 9,
        "text.color": "red",
        "text.usetex": True,
    }
    with mpl.rc_context(settings):
        before = mpl.rcParams.copy()
        assert svg_of(snapshot) == expected
        assert mpl.rcParams.copy() == before


def test_threads_draw_at_once() -> None:
    """Pictures drawn on several threads at once are the same as those drawn one by one."""
    snapshots = [seen(scene) for scene in (one, ten, cycle, hostile)]
    expected = [svg_of(snapshot) for snapshot in snapshots]
    found: list[str] = [""] * len(snapshots)

    def work(index: int) -> None:
        found[index] = svg_of(snapshots[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(snapshots))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == expected


def test_pyplot_is_not_touched() -> None:
    """The modules load no matplotlib, and drawing does not load pyplot."""
    program = """if True:
        import sys, sandbox, sandbox.figures, sandbox.layout
        assert "matplotlib" not in sys.modules
        with sandbox.Broker() as broker:
            broker.queue("q")
            broker.draw()._repr_html_()
            broker.plot_depth()._repr_html_()
        assert "matplotlib.figure" in sys.modules
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


# ---------------------------------------------------------------- words


def test_description_says_what_the_picture_shows() -> None:
    """The words name each exchange, binding, queue and consumer, who holds what, and what was lost."""
    assert describe(seen(states)).splitlines() == [
        f"The broker at 2 s, after {seen(states).serial:,} events:",
        "Publisher you: 1,508 sent, 1 returned, to nowhere, orders, the default exchange.",
        "Exchange orders, topic, got 5 messages.",
        "  # leads to queue work, taken 5 times.",
        "Exchange nowhere, direct, got 2 messages, 1 lost: no binding, 1 returned: no binding.",
        "The default exchange, direct, got 1,501 messages.",
        "  leads to queue deep, taken 1,500 times.",
        "  leads to queue auto, taken once.",
        "Queue work, 4 ready, 1 of them expired but not at the head, 1 unacked.",
        "Queue slow, 0 ready, 0 unacked, TTL 100 s.",
        "Queue deep, 1,395 ready, 105 unacked.",
        "Queue auto, 0 ready, 0 unacked.",
        "Consumer consumer-1 of queue deep on channel 4: full (2 of 2).",
        "Consumer consumer-2 of queue deep on channel 5: full (3 of 3) · priority 5.",
        "Consumer consumer-3 of queue deep on channel 6: full (100 of 100).",
        "Consumer consumer-4 of queue auto on channel 7: no ack · 1 received.",
        "Consumer consumer-5 of queue slow on channel 8: no limit · 0 held.",
        "Channel 3: 1 copy fetched by get, from work.",
        f"{seen(states).ledger}.",
    ]


def test_description_tells_second_ways() -> None:
    """The words say where dead letters go, and why, and where what nothing matches goes."""
    lines = describe(seen(retries)).splitlines() + describe(seen(second_chances)).splitlines()
    for words in (
        "dead letters (expired, rejected, full) to graveyard.",
        "dead letters (rejected, full) to none, which does not exist.",
        "dead letters (rejected, full) to the default exchange.",
        "what nothing matches goes to unrouted.",
        "what nothing matches goes to missing, which does not exist.",
    ):
        assert any(line.endswith(f", {words}") for line in lines), words
    assert any(line.startswith("Exchange inner, headers, internal, got") for line in lines)


def test_description_is_harmless(snapshot: Snapshot) -> None:
    """Apart from its line breaks a description has printable characters only."""
    assert describe(snapshot).replace("\n", "").isprintable()


# ---------------------------------------------------------------- depth


def depths(**series: list[tuple[int, float, int, int]]) -> Depths:
    """Depths from points (serial, time, ready, unacked) of each queue."""
    found = Depths()
    for queue, points in series.items():
        for point in points:
            found.add(queue.replace("_", "-"), Point(*point))
    return found


def many_depths(count: int) -> Depths:
    """Queues of which the last are the deepest."""
    points = {f"q{i}": [(i + 1, 0.0, 0, 0), (50 + i, 5.0, i, 1), (99, 9.0, 1, 0)] for i in range(count)}
    return depths(**points)


QUIET = depths(q=[(1, 0.0, 0, 0), (2, 0.5, 3, 0), (4, 0.9, 1, 2)])


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_strips_do_not_overlap(count: int) -> None:
    """No two texts of a depth plot cover each other, and all stand inside the figure."""
    ax = plot_depth(many_depths(count))
    FigureCanvasAgg(figure_of(ax)).draw()

    assert overlapping(ax) == []
    assert outside(ax, border=4) == []


def names_in(ax: Axes) -> list[str]:
    """The queues of the strips, from top to bottom."""
    return [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]


def test_strips_show_ready_and_unacked() -> None:
    """The solid area is as high as what was ready, the hatched one on top as what was unacked."""
    ax = plot_depth(QUIET)
    ready, unacked = ax.collections
    low, high = ax.get_yticks()

    def levels(area: Any) -> set[float]:
        return {round(3 * (y - low) / (high - low), 6) for _, y in area.get_paths()[0].vertices}

    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "3"]
    assert levels(ready) == {0, 1, 3}
    assert levels(unacked) == {0, 1, 3}
    assert ready.get_hatch() is None
    assert unacked.get_hatch()


def test_axis_counts_events_in_a_short_time() -> None:
    """Without `x`, events are counted while all happened within one second, and seconds after that."""
    later = depths(q=[(1, 0.0, 0, 0), (2, 1.0, 3, 0)])

    assert plot_depth(QUIET).get_xlabel() == "event"
    assert plot_depth(QUIET).get_xlim() == (1, 4)
    assert plot_depth(QUIET, x="time").get_xlabel() == "broker time (s)"
    assert plot_depth(QUIET, x="time").get_xlim() == (0, 0.9)
    assert plot_depth(later).get_xlabel() == "broker time (s)"
    assert plot_depth(later, x="event").get_xlim() == (1, 2)
    with pytest.raises(ValueError, match="'time' or 'event', not 'hours'"):
        plot_depth(QUIET, x="hours")


def test_strips_end_now() -> None:
    """Given the present moment, strips last until then, and stand in the order of the graph."""
    with Broker(clock=ManualClock()) as broker:
        for queue in "abc":
            broker.queue(queue)
        broker.advance(30)
        now = broker.snapshot()
        ax = plot_depth(depths(c=[(1, 0.0, 0, 0)], gone=[(2, 0.0, 1, 0)], a=[(3, 0.0, 2, 0)]), now=now)

    assert ax.get_xlim() == (0, 30)
    assert names_in(ax) == ["a", "c", "gone"]


def test_six_deepest_are_shown() -> None:
    """Of more than six queues the six deepest are shown in their order, and the others counted."""
    ax = plot_depth(many_depths(9))

    assert names_in(ax) == [f"q{i}" for i in range(3, 9)]
    assert "+3 more, none of them deeper" in [text.get_text() for text in ax.texts]


def test_chosen_queues_are_shown_in_their_order() -> None:
    """Named queues are shown, however many, in the order in which they are named."""
    chosen = [f"q{i}" for i in reversed(range(9))]

    assert names_in(plot_depth(many_depths(9), chosen)) == chosen
    assert names_in(plot_depth(many_depths(9), "q3")) == ["q3"]


def test_unknown_queue_is_named_with_its_neighbours() -> None:
    """A name that no queue ever had is refused, with those that are near to it."""
    known = depths(work=[(1, 0, 0, 0)], words=[(2, 0, 0, 0)], other=[(3, 0, 0, 0)])

    with pytest.raises(ValueError, match="never was a queue 'wrk'; there is 'work' and 'words'"):
        plot_depth(known, ["work", "wrk"])
    with pytest.raises(ValueError, match="never was a queue 'wrk', nor any other"):
        plot_depth(Depths(), ["wrk"])


def test_depth_is_described() -> None:
    """A notebook shows the strips with words that name each queue and its depth."""
    html: str = plot_depth(QUIET)._repr_html_()  # type: ignore[attr-defined]  # only our own axes have it

    assert Image(html).attributes["alt"] == (
        "Depth of 1 queue, event by event:\n"
        "Queue q, events 1 to 4: ends with 1 ready + 2 unacked · at most 3."
    )


def test_same_depths_give_same_file(theme: str) -> None:
    """The file of a depth plot depends on nothing but its depths, and is well-formed."""
    svg, again = (to_svg(figure_of(plot_depth(QUIET, theme=theme)), "t", "d") for _ in range(2))

    assert svg == again
    assert ET.fromstring(svg).get("role") == "img"  # noqa: S314  (our own text)


def test_depth_is_plotted_on_given_axes() -> None:
    """Given axes are used and returned, and keep the title that they had."""
    figure = Figure()
    given = figure.add_subplot()
    given.set_title("before")

    assert plot_depth(QUIET, ax=given) is given
    assert given.get_title() == "before"
    figure.savefig(io.BytesIO(), format="png")
