"""The harness: pages and notebooks behave as the other tests believe."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import looks
from tests.browser.lab import Lab

MODULE = "data:text/javascript,export const greet = name => `Hello ${name}`;"

BUTTON = '''
import anywidget
import traitlets


class Counter(anywidget.AnyWidget):
    _esm = """
    export default {
      render({model, el}) {
        const button = document.createElement("button");
        const show = () => { button.textContent = `clicked ${model.get("count")}`; };
        button.addEventListener("click", () => model.send({click: true}));
        model.on("change:count", show);
        show();
        el.append(button);
      },
    };
    """
    count = traitlets.Int(0).tag(sync=True)


counter = Counter()


def click(*message):
    counter.count += 1


counter.on_msg(click)
counter
'''


def test_module_page_imports_a_module(module_page: Page) -> None:
    """A page starts blank, and imports modules."""
    expect(module_page.locator("#root")).to_be_empty()
    assert module_page.evaluate("async url => (await import(url)).greet('you')", MODULE) == "Hello you"


@pytest.mark.parametrize("module_page", [{"color_scheme": "dark", "viewport": None}], indirect=True)
def test_module_page_takes_parameters(module_page: Page) -> None:
    """Dark from the start, and of another width and scheme in the middle of a test."""
    dark = "() => matchMedia('(prefers-color-scheme: dark)').matches"
    assert module_page.evaluate(dark)
    module_page.emulate_media(color_scheme="light")
    assert not module_page.evaluate(dark)
    module_page.set_viewport_size({"width": 400, "height": 300})
    assert module_page.evaluate("innerWidth") == 400


def test_a_click_reaches_python_and_comes_back(lab: Lab) -> None:
    """A widget's button calls Python, whose answer changes the page."""
    notebook = lab.open([BUTTON]).run(0)
    button = notebook.outputs(0).get_by_role("button")
    expect(button).to_have_text("clicked 0")

    button.click()

    expect(button).to_have_text("clicked 1")
    assert notebook.python("counter.count") == 1
    looks.check(notebook.outputs(0))


def test_a_notebook_tells_what_it_shows(lab: Lab) -> None:
    """Outputs, values and errors arrive where the test asks for them; the theme changes."""
    notebook = lab.open(["print(6 * 7)", "names = {'a': [1, None]}", "1 / 0"]).run(0).run(1)

    assert notebook.output(0) == "42"
    assert notebook.python("names") == {"a": [1, None]}
    notebook.execute("names['b'] = 'é'")
    assert notebook.python("names['b']") == "é"
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        notebook.python("1 / 0")
    with pytest.raises(AssertionError, match="cell 2: ZeroDivisionError"):
        notebook.run(2)
    theme = "() => document.body.dataset.jpThemeLight"
    assert notebook.page.evaluate(theme) == "true"
    notebook.theme("dark")
    assert notebook.page.evaluate(theme) == "false"


def test_a_notebook_lives_through_restart_and_reload(lab: Lab) -> None:
    """A reloaded page finds the same kernel, a restarted kernel has forgotten everything."""
    notebook = lab.open(["value = 1\nvalue"]).run(0)

    assert notebook.reload().python("value") == 1
    assert notebook.output(0) == "1"
    assert notebook.restart().python("'value' in globals()") is False


def test_opens_in_notebook_7(lab: Lab, tmp_path: Path) -> None:
    """The same notebook, from a file, in Notebook 7."""
    first = lab.open([BUTTON, "counter.count"])
    path = tmp_path / "any.ipynb"
    path.write_bytes((lab.server.root / first.name).read_bytes())

    notebook = lab.open(path, front="notebook").run_all()
    notebook.outputs(0).get_by_role("button").click()

    expect(notebook.outputs(0).get_by_role("button")).to_have_text("clicked 1")
    assert "/notebooks/" in notebook.page.url
    assert notebook.output(1) == "0"


def test_troubles_are_seen(lab: Lab) -> None:
    """An uncaught error, a complaint on the console and a request outside are found."""
    page = lab.open([]).page
    page.evaluate(
        """async () => {
          setTimeout(() => { throw new Error("thrown"); });
          console.error("said");
          new WebSocket("ws://elsewhere.test/");
          await fetch("http://elsewhere.test/").catch(() => null);
          await new Promise(resume => setTimeout(resume, 50));
        }"""
    )
    lab.watch.allow("net::ERR_", "CSP")
    kinds = {trouble.partition(":")[0] for trouble in lab.watch.take()}

    assert kinds == {"page error", "console", "request"}
    lab.discard()
