"""The checks of pictures: each passes what is right, and fails by its own mistake."""

import pytest
from playwright.sync_api import Locator, Page

from tests.browser import looks

GOOD = """
<rect width="300" height="40" fill="#003050"/>
<text x="10" y="25" fill="white">orders.eu</text>
<text x="120" y="25" fill="#ffe">12 ready · 3 taken…</text>
<g aria-label="no text"><title>for a tooltip</title></g>
"""

WRONG = {
    "overlap: 'one' and 'two'": '<text x="10" y="20">one</text><text x="20" y="24">two</text>',
    "cut by": '<text x="270" y="20">a name too long</text>',
    "cut by ": '<clipPath id="c"><rect width="40" height="30"/></clipPath>'
    '<g clip-path="url(#c)"><text x="10" y="20">a name clipped</text></g>',
    "may be a box: '⏵'": '<text x="10" y="20">⏵ play</text>',
    r"may be a box: '\u0378'": '<text x="10" y="20">a \u0378</text>',
    "contrast": '<text x="10" y="20" fill="#999">pale</text>',
    "contrast ": '<text x="10" y="20" opacity="0.4">half there</text>',
    "contrast  ": '<rect width="300" height="40" fill="#300"/><text x="10" y="20">dark on dark</text>',
    "not to be seen: 'below'": '<text x="10" y="20">below</text><rect width="90" height="40" fill="#888"/>',
    "there is no text": '<text x="10" y="20" visibility="hidden">hidden</text>',
}


def draw(page: Page, shapes: str, *, around: str = "{}") -> Locator:
    svg = f'<svg width="300" height="40" font-size="14" font-family="sans-serif">{shapes}</svg>'
    page.set_content(f'<body style="background: white">{around.format(svg)}')
    return page.locator("body")


def test_a_good_picture_passes(module_page: Page) -> None:
    """Text that can be read has no problem, on a page that has to be scrolled as well."""
    looks.check(draw(module_page, GOOD))
    looks.check(draw(module_page, GOOD, around='<div style="height: 3000px"></div>{}'))


@pytest.mark.parametrize(("problem", "shapes"), WRONG.items())
def test_a_mistake_is_found(module_page: Page, problem: str, shapes: str) -> None:
    """Exactly one problem is found, by its name."""
    found = looks.problems(draw(module_page, shapes))

    assert len(found) == 1
    assert found[0].startswith(problem.rstrip())


def test_lines_of_text_may_be_close(module_page: Page) -> None:
    """It is ink that must not overlap, not the room that fonts keep."""
    looks.check(draw(module_page, '<text x="9" y="13">Above: gg</text><text x="9" y="30">Above: gg</text>'))


def test_a_halo_is_the_ground_of_its_text(module_page: Page) -> None:
    """A text with an outline stands out from that, whatever is behind."""
    dark = '<rect width="300" height="40" fill="#000"/>'
    halo = 'stroke="#fff" stroke-width="6" paint-order="stroke"'
    looks.check(draw(module_page, f'{dark}<text x="9" y="20" {halo}>on a dark line</text>'))


def test_html_is_checked_too(module_page: Page) -> None:
    """A box cuts its words, unless they end in dots and are told in full; a scrolled text is not cut."""
    style = "width: 50px; overflow: hidden; white-space: nowrap;"
    words = "a long sentence of words"
    module_page.set_content(f'<body style="background: white"><p id="a" style="{style}">{words}</p>')
    assert [text[:6] for text in looks.problems(module_page.locator("#a"))] == ["cut by"]
    module_page.set_content(
        f'<p id="a" style="{style} text-overflow: ellipsis" title="{words}">{words}</p>'
        '<div style="height: 40px; overflow: auto"><p>shown</p><p>further down</p><p>the end</p></div>'
        '<p style="position: absolute; width: 1px; height: 1px; overflow: hidden">for screen readers</p>'
    )
    assert [text.words for text in looks.survey(module_page.locator("body"))] == [words, "shown"]
    looks.check(module_page.locator("body"))


def test_faint_marks_are_found(module_page: Page) -> None:
    """A mark stands out by its fill or by its outline."""
    body = draw(
        module_page,
        """<g class="good"><circle cx="20" cy="20" r="8" fill="#036"/>
        <circle cx="50" cy="20" r="8" fill="#eee" stroke="#333"/></g>
        <g class="bad"><circle cx="80" cy="20" r="8" fill="#eee"/>
        <circle cx="110" cy="20" r="8" opacity="0.3"/></g>""",
    )

    assert looks.faint_marks(body, ".good circle") == []
    assert [text[:8] for text in looks.faint_marks(body, ".bad circle")] == ["contrast"] * 2
    assert looks.faint_marks(body, ".none") == ["there is no mark .none"]


def test_signatures_tell_shapes_apart_and_not_colours(module_page: Page) -> None:
    """Two shapes differ, two colours of one lightness do not."""
    draw(
        module_page,
        """<circle id="red" cx="20" cy="20" r="12" fill="#c00000"/>
        <circle id="green" cx="60" cy="20" r="12" fill="#006200"/>
        <rect id="square" x="88" y="8" width="24" height="24" fill="#c00000"/>
        <path id="cross" d="M130 10 l20 20 m0 -20 l-20 20" stroke="#c00000" stroke-width="4"/>""",
    )
    red, green, square, cross = (
        looks.signature(module_page.locator(f"#{name}")) for name in ("red", "green", "square", "cross")
    )

    assert looks.difference(red, green) < 0.02
    assert looks.difference(red, square) > 0.1
    assert looks.difference(square, cross) > 0.1
