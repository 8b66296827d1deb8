"""Every notebook runs from top to bottom, offline, and is kept in git without outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.browser.servers import Workplace

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
FILES = sorted(NOTEBOOKS.rglob("*.ipynb"))


def read(file: Path) -> NotebookNode:
    return nbformat.read(file, as_version=4)


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def notebook(request: pytest.FixtureRequest) -> Path:
    return request.param


SHORTER = {"answers = 768": "answers = 24", "steps = 360": "steps = 6", "seeds = 3": "seeds = 1"}
"""What a test runs less of, in cells tagged "parameters"."""


def shorten(book: NotebookNode) -> None:
    for cell in book.cells:
        if "parameters" in cell.metadata.get("tags", ()):
            lines = [line for line in cell.source.splitlines() if line.strip()]
            for line in lines:
                assignment = line.partition("  #")[0]
                assert assignment in SHORTER, f"{line!r} has no shorter value for tests"
                cell.source = cell.source.replace(assignment, SHORTER[assignment])


def test_there_are_notebooks() -> None:
    assert {"app", "01_one_round"} <= {file.stem for file in FILES}


def test_outputs_are_stripped(notebook: Path) -> None:
    book = read(notebook)
    nbformat.validate(book)
    for cell in book.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, f"{notebook.name} holds outputs: clear them before you commit"
            assert cell.execution_count is None, f"{notebook.name} holds execution counts: clear all outputs"
    assert book.metadata.kernelspec.name == "python3", f"{notebook.name} asks for a kernel that others may not have"
    assert "widgets" not in book.metadata, f"{notebook.name} holds the state of its widgets: clear all outputs"


def test_nothing_in_it_comes_from_the_internet(notebook: Path) -> None:
    source = "\n".join(cell.source for cell in read(notebook).cells)
    for remote in ("http-equiv", "<script", "<iframe", 'src="http', "](http", "!pip", "%pip"):
        assert remote not in source, f"{notebook.name} has {remote!r}, which a room without internet cannot follow"


def test_it_runs_without_errors_and_reaches_no_other_machine(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    book = read(notebook)
    shorten(book)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert not place.attempts, f"{notebook.name} tried to reach {place.attempts}"
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", f"{notebook.name} warns: {output.text}"
