"""A private JupyterLab, and notebooks in it that a test drives as a person would."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.request import Request, urlopen

from tests.browser.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Browser, BrowserContext, Locator, Page, ViewportSize

HOST = "127.0.0.1"
TOKEN = "sandbox"  # noqa: S105  (opens nothing but this server, which lives as long as the tests)
SIZE: ViewportSize = {"width": 1280, "height": 900}

#: What may be asked for in the server's configuration, so that nothing of the user's own is read or written.
CONFIG = {
    "ServerApp": {"ip": HOST, "port": 0, "open_browser": False, "allow_root": True},
    "IdentityProvider": {"token": TOKEN},
    "LabApp": {"expose_app_in_browser": True},
    "JupyterNotebookApp": {"expose_app_in_browser": True},
}
SETTINGS = {  # a toast would lie over the picture, and ask the network for news
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

#: The picture that covers the page while it loads is at times removed twice, which is an error.
PAGE = {"disabledExtensions": {"@jupyterlab/apputils-extension:splash": True}}

#: What Jupyter's own front ends complain about, without any widget on the page; a widget's code is a blob.
NOISE = (
    # Notebook 7 races with itself when it starts: https://github.com/jupyter/notebook/issues/7862, for one.
    r"(?s)^page error: (?!.*blob:).*/notebook_core\.",
    # A kernel that is restarted soon after a reload.
    r"^console: Could not restore the debugger state",
)

#: Waits until a notebook can be worked with.
READY = """
async path => {
  const app = window.jupyterapp;
  await app.restored;
  const shown = () => [...app.shell.widgets("main")].find(widget => widget.context?.path === path);
  if (!shown()) await app.commands.execute("docmanager:open", {path});
  while (!shown()) await new Promise(resume => setTimeout(resume, 20));
  const panel = shown();
  await panel.context.ready;
  await panel.sessionContext.ready;
  while (panel.sessionContext.session?.kernel?.status !== "idle") {
    await new Promise(resume => setTimeout(resume, 20));
  }
  panel.node.dataset.notebook = path;
}
"""

PANEL = '[...window.jupyterapp.shell.widgets("main")].find(widget => widget.context?.path === path)'

RUN = """
(panel, {index, wait}) => {
  const {shell, commands} = window.jupyterapp;
  shell.activateById(panel.id);
  panel.content.deselectAll();
  panel.content.activeCellIndex = index;
  const ends = commands.execute("notebook:run-cell");
  return wait ? ends.then(() => null) : null;
}
"""

OUTPUTS = "(panel, index) => panel.content.widgets[index].model.toJSON().outputs"

EVALUATE = """
async (panel, {code, value}) => {
  const {kernel} = panel.sessionContext.session;
  const future = kernel.requestExecute({code, user_expressions: {value}, store_history: false, silent: true});
  const {content} = await future.done;
  return content.status === "ok" ? content.user_expressions.value : content;
}
"""

THEME = """
async dark => {
  const theme = dark ? "JupyterLab Dark" : "JupyterLab Light";
  if (document.body.dataset.jpThemeName === theme) return;
  await window.jupyterapp.commands.execute("apputils:change-theme", {theme});
  while (document.body.dataset.jpThemeName !== theme) await new Promise(resume => setTimeout(resume, 20));
}
"""

CLOSE = "panel => { panel.context.model.dirty = false; panel.dispose(); }"  # asks no question


class Server:
    """A JupyterLab on this machine alone, with folders of its own; Notebook 7 is served beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        places = {
            "JUPYTER_CONFIG_DIR": folder / "config",
            "JUPYTER_DATA_DIR": folder / "data",
            "JUPYTER_RUNTIME_DIR": folder / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
            "IPYTHONDIR": folder / "ipython",
        }
        for place in (self.root, *places.values()):
            place.mkdir()
        _write(folder / "config" / "jupyter_server_config.json", CONFIG)
        _write(folder / "config" / "labconfig" / "page_config.json", PAGE)
        for name, values in SETTINGS.items():
            _write(folder / "settings" / f"{name}.jupyterlab-settings", values)
        self._log = folder / "server.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={self.root}"],
                env={**os.environ, **{name: str(place) for name, place in places.items()}},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        try:
            self.url = self._answers(folder / "runtime" / f"jpserver-{self._process.pid}.json")
        except BaseException:
            self.stop()
            raise

    def _answers(self, note: Path) -> str:
        """The server's address, which it writes down when it has a port."""
        until = time.monotonic() + 60
        while time.monotonic() < until and self._process.poll() is None:
            try:
                url: str = json.loads(note.read_text(encoding="utf-8"))["url"]
                with urlopen(f"{url}api/status?token={TOKEN}", timeout=5):  # noqa: S310  (as below)
                    return url
            except (OSError, ValueError):
                time.sleep(0.05)
        raise RuntimeError(f"JupyterLab does not answer:\n{self._log.read_text(encoding='utf-8')}")

    def end_kernels(self) -> None:
        """End every kernel, busy or not."""
        for session in self._ask("GET", "sessions"):
            self._ask("DELETE", f"sessions/{session['id']}")

    def _ask(self, method: str, what: str) -> Any:
        authorization = {"Authorization": f"token {TOKEN}"}
        request = Request(f"{self.url}api/{what}", headers=authorization, method=method)  # noqa: S310
        with urlopen(request, timeout=30) as answer:  # noqa: S310  (the server's own address: http)
            return json.loads(answer.read() or "null")

    def stop(self) -> None:
        """End the server, which ends its kernels."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Lab:
    """JupyterLab in a browser.

    Loading its page takes 2 s; so one page serves test after test, unless one of them spoils it.
    """

    def __init__(self, server: Server, browser: Browser) -> None:
        self.server = server
        self._context: BrowserContext = browser.new_context(viewport=SIZE)
        self.watch = Watch(self._context, HOST, NOISE)
        self._page: Page | None = None
        self._names = (f"notebook-{number}.ipynb" for number in count(1))
        self._open: list[Notebook] = []

    def open(self, notebook: Iterable[str] | Path, *, front: Literal["lab", "notebook"] = "lab") -> Notebook:
        """Open a copy of a notebook, or one of these code cells; its kernel is idle then.

        With `front="notebook"` it opens in Notebook 7 instead, on a page of its own.
        """
        name = next(self._names)
        if isinstance(notebook, Path):
            shutil.copyfile(notebook, self.server.root / name)
        else:
            _write(self.server.root / name, _notebook(notebook))
        page = self.page if front == "lab" else self._load(f"notebooks/{name}")
        page.evaluate(READY, name)
        opened = Notebook(page, name)
        self._open.append(opened)
        return opened

    @property
    def page(self) -> Page:
        """The page of JupyterLab."""
        if self._page is None or self._page.is_closed():
            self._page = self._load("lab?reset")
        return self._page

    def _load(self, address: str) -> Page:
        page = self._context.new_page()
        page.goto(f"{self.server.url}{address}{'&' if '?' in address else '?'}token={TOKEN}")
        page.wait_for_function("window.jupyterapp")
        return page

    def clear(self) -> list[str]:
        """Leave nothing of a test behind: no notebook, no kernel, no theme. Returns its troubles."""
        troubles = self.watch.take()
        try:
            for notebook in self._open:
                if notebook.page is not self._page:
                    notebook.page.close()
                elif notebook.evaluate("panel => Boolean(panel)"):
                    notebook.evaluate(CLOSE)
            if self._page is not None and not self._page.is_closed():
                self._page.evaluate(THEME, False)
                self._page.emulate_media(color_scheme="null", reduced_motion="null", forced_colors="null")
                self._page.set_viewport_size(SIZE)
        except Exception:  # whatever state a test has left it in
            self.discard()
            raise
        finally:
            self._open.clear()
            self.server.end_kernels()
            self.watch.take()  # what ending them by force has caused
        if troubles:
            self.discard()
        return troubles

    def discard(self) -> None:
        """Let the next notebook open on a new page."""
        if self._page is not None:
            self._page.close()
        self._page = None

    def close(self) -> None:
        """Close the pages."""
        self._context.close()


class Notebook:
    """An open notebook with a living kernel."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name

    def evaluate(self, function: str, argument: Any = None) -> Any:
        """Call a JavaScript function with this notebook's panel and an argument."""
        return self.page.evaluate(
            f"({{path, argument}}) => ({function})({PANEL}, argument)",
            {"path": self.name, "argument": argument},
        )

    def run(self, index: int, *, wait: bool = True) -> Self:
        """Run a cell, to its end unless told not to wait; what it raises fails the test."""
        self.evaluate(RUN, {"index": index, "wait": wait})
        if wait:
            self._raise_errors(index)
        return self

    def run_all(self) -> Self:
        """Run every code cell, from top to bottom."""
        kinds = self.evaluate("panel => panel.content.widgets.map(cell => cell.model.type)")
        for index, kind in enumerate(kinds):
            if kind == "code":
                self.run(index)
        return self

    def _raise_errors(self, index: int) -> None:
        outputs = self.evaluate(
            "(panel, index) => panel.content.widgets[index].model.toJSON().outputs", index
        )
        for output in outputs or ():
            if output["output_type"] == "error":
                raise AssertionError(f"cell {index}: {output['ename']}: {output['evalue']}")

    def cell(self, index: int) -> Locator:
        """A cell with its input and its outputs."""
        self.evaluate("(panel, index) => { panel.content.widgets[index].node.dataset.cell = index; }", index)
        return self.page.locator(f'[data-notebook="{self.name}"] [data-cell="{index}"]')

    def outputs(self, index: int) -> Locator:
        """What a cell shows below its input."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def output(self, index: int) -> str:
        """The text of a cell's outputs, one below the other."""
        return "\n".join(self.outputs(index).all_inner_texts()).strip()

    def python(self, expression: str) -> Any:
        """The value of an expression in the kernel, by way of JSON; waits while the kernel is busy."""
        reply = self.evaluate(EVALUATE, {"code": "", "value": f"__import__('json').dumps({expression})"})
        if reply["status"] != "ok":
            raise AssertionError(f"{expression}: {reply['ename']}: {reply['evalue']}")
        return json.loads(ast.literal_eval(reply["data"]["text/plain"]))

    def execute(self, statements: str) -> None:
        """Run statements in the kernel outside of any cell."""
        reply = self.evaluate(EVALUATE, {"code": statements, "value": "None"})
        if reply["status"] != "ok":
            raise AssertionError(f"{statements}: {reply['ename']}: {reply['evalue']}")

    def theme(self, name: Literal["light", "dark"]) -> Self:
        """Change to JupyterLab's light or dark theme."""
        self.page.evaluate(THEME, name == "dark")
        return self

    def restart(self) -> Self:
        """Restart the kernel, and wait until it is idle."""
        self.evaluate("panel => panel.sessionContext.session.kernel.restart()")
        self.page.evaluate(READY, self.name)
        return self

    def reload(self) -> Self:
        """Save, and load the page anew; the kernel lives on."""
        self.evaluate("panel => panel.context.save()")
        self.page.reload()
        self.page.wait_for_function("window.jupyterapp")
        self.page.evaluate(READY, self.name)
        return self


def _write(path: Path, values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


def _notebook(cells: Iterable[str]) -> dict[str, object]:
    """A notebook, written down by hand: to import nbformat takes every test run a second."""
    code: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel},
        "cells": [{**code, "id": f"cell-{index}", "source": source} for index, source in enumerate(cells)],
    }
