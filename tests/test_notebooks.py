"""The lessons: as they are committed, and as they run."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))

FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
SOLUTION = re.compile(r"^<details>.*?^```python\n(.*?)^```$.*?^</details>", re.MULTILINE | re.DOTALL)

each_lesson = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def read(path: Path) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def prose(notebook: NotebookNode) -> Iterator[str]:
    """The lines of all Markdown cells, without fenced code."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from FENCED.sub("", cell.source).splitlines()


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


def solve(notebook: NotebookNode) -> None:
    """Write into each exercise the solution that the lesson gives below it."""
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for cell, solution in zip(tagged(notebook, "exercise"), SOLUTION.findall(texts), strict=True):
        cell.source = solution


def execute(notebook: NotebookNode, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[NotebookNode]:
    """Run all cells in a folder; returns what they put out."""
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))  # nobody's own start-up files
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def verdicts(notebook: NotebookNode) -> list[str]:
    """The first word of each check."""
    return [cell.outputs[0].text.split()[0] for cell in tagged(notebook, "check")]


class Pictures(HTMLParser):
    """Collects the alternative text of every `<img>`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.texts.append(dict(attrs).get("alt") or "")


def test_there_are_lessons() -> None:
    """The course is where the tests below look for it."""
    assert NOTEBOOKS


@each_lesson
def test_is_committed_clean(path: Path) -> None:
    """A lesson is committed without outputs, for any Python 3 kernel, with cells that can be told apart."""
    notebook = read(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ids = [cell.id for cell in notebook.cells]

    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert len(set(ids)) == len(ids)


@each_lesson
def test_headings_are_in_order(path: Path) -> None:
    """A lesson begins with its only first-level heading, and no level is left out below it."""
    marks = (re.match(r"(#{1,6}) ", line) for line in prose(read(path)))
    levels = [len(mark[1]) for mark in marks if mark]

    assert read(path).cells[0].source.startswith("# ")
    assert levels.count(1) == 1
    assert [(above, below) for above, below in pairwise(levels) if below > above + 1] == []


@each_lesson
def test_contents_lead_somewhere(path: Path) -> None:
    """Each link within a lesson leads to a heading of it."""
    lines = list(prose(read(path)))
    anchors = {re.sub(r"^#+ ", "", line).replace(" ", "-") for line in lines if line.startswith("#")}
    links = re.findall(r"\]\(#(.*?)\)", "\n".join(lines))

    assert links
    assert set(links) <= anchors


@each_lesson
def test_pictures_in_the_text_are_described(path: Path) -> None:
    """Every picture between the code has alternative text."""
    text = "\n".join(prose(read(path)))

    assert re.findall(r"!\[\s*\]\(.*?\)", text) == []
    assert "" not in Pictures(text).texts


@pytest.mark.notebook
@pytest.mark.timeout(300)
@each_lesson
def test_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lesson runs from top to bottom as it is, warns of nothing, and describes each picture it shows."""
    notebook = read(path)
    outputs = execute(notebook, tmp_path, monkeypatch)

    assert "Right." not in verdicts(notebook)
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    for bundle in (output.data for output in outputs if "data" in output):
        described = Pictures(bundle.get("text/html", "")).texts
        assert "" not in described
        # Of a bare image type Jupyter shows no alternative text: it needs HTML beside it.
        assert described or not any(mime.startswith("image/") for mime in bundle)


@pytest.mark.notebook
@pytest.mark.timeout(300)
@each_lesson
def test_solutions_are_right(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the given solution in its place, each exercise passes its check."""
    notebook = read(path)
    solve(notebook)
    execute(notebook, tmp_path, monkeypatch)

    assert set(verdicts(notebook)) == {"Right."}
