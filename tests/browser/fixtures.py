"""Browser, pages and notebooks for tests in any folder.

A test that asks for one of them is marked `browser` by that alone.  The tests of a module share a browser;
Playwright keeps an event loop running in their thread, so it is ended before another module's tests begin.
"""

from __future__ import annotations

import mimetypes
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.lab import Lab, Server
from tests.browser.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Playwright, Route

expect.set_options(timeout=15_000)  # milliseconds; the usual 5 s are short when every core is busy

STATIC = Path(__file__).parents[2] / "sandbox" / "static"
SITE = "sandbox.test"  # a name that no server has
BLANK = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>sandbox</title>
<link rel="icon" href="data:,">
</head>
<body><div id="root"></div></body>
</html>
"""

NO_CHROMIUM = (
    "no Chromium: run `python -m playwright install chromium`, or install your system's package "
    "(`apt install chromium`), or say where it is: SANDBOX_CHROMIUM=/path/to/chrome"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a browser.

    Under xdist those of one module stay together, as they share a browser; and so do all that need
    JupyterLab: its server, its kernel and its page are three processes already.
    """
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "chromium" not in names:
            continue
        in_lab = "lab" in names
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.xdist_group("lab" if in_lab else item.nodeid.partition("::")[0]))
        if in_lab and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300))


def _find(playwright: Playwright) -> str | None:
    """The first Chromium that is there: named by the user, the system's, Playwright's own."""
    if named := os.environ.get("SANDBOX_CHROMIUM"):
        return named
    own = playwright.chromium.executable_path
    installed = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, installed), own if Path(own).exists() else None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        path = _find(playwright)
        if path is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_CHROMIUM)
        # Hinting bends letters by the machine's own settings: without it a text is equally wide everywhere.
        browser = playwright.chromium.launch(executable_path=path, args=["--font-render-hinting=none"])
        yield browser
        browser.close()


@pytest.fixture
def module_page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A blank page with an element `#root`, at an address where the package's own modules can be imported.

    Indirect parameters are those of Playwright's `new_context`; at any time `emulate_media` and
    `set_viewport_size` do the same.  An error on the page, or a request for anything else, fails the test.
    """
    options = {"viewport": {"width": 960, "height": 640}, **getattr(request, "param", {})}
    context = chromium.new_context(**options)
    watch = Watch(context, SITE)
    context.route("**/*", _serve)
    page = context.new_page()
    page.goto(f"http://{SITE}/")
    yield page
    context.close()
    assert watch.take() == []


def _serve(route: Route) -> None:
    address = urlsplit(route.request.url)
    file = (STATIC / address.path.lstrip("/")).resolve()
    if address.hostname != SITE:
        route.abort()
    elif address.path == "/":
        route.fulfill(body=BLANK, content_type="text/html")
    elif file.is_relative_to(STATIC) and file.is_file():
        route.fulfill(path=file, content_type=mimetypes.guess_type(file.name)[0] or "text/plain")
    else:
        route.fulfill(status=404)


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab server of these tests alone."""
    server = Server(tmp_path_factory.mktemp("jupyter"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def _lab(chromium: Browser, jupyter: Server) -> Iterator[Lab]:
    lab = Lab(jupyter, chromium)
    yield lab
    lab.close()


@pytest.fixture
def lab(_lab: Lab) -> Iterator[Lab]:
    """JupyterLab in the browser: `lab.open([...])`.

    An error on a page, or a request to elsewhere, fails the test.  What a test expects to go wrong it names
    before: `lab.watch.allow("Connection refused")`.
    """
    yield _lab
    assert _lab.clear() == []
