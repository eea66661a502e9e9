"""The notebooks run, and show bars and tables."""

import ast
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import matplotlib as mpl
import pytest

from tests.docs.pages import DOCS

NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


def code_of(notebook: Path) -> list[str]:
    """Return the code of its cells."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run_cell(code: str, names: dict[str, Any]) -> Any:
    """Run a cell and return what its last line gives."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)  # noqa: S102 - our own notebook
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_shows_bars_and_tables(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs in a shell with a kernel; solves draw bars, and plans, solutions and summaries are tables."""
    mpl.use("Agg")
    bars: list[str] = []
    handle = SimpleNamespace(update=lambda value: bars.append(value._repr_html_()))
    display = ModuleType("IPython.display")
    display.display = lambda value, **_: handle.update(value) or handle  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr("dsketch.engine.session.runs_in_notebook", lambda: True)

    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [run_cell(code, names) for code in code_of(notebook)]

    assert any("<progress" in bar for bar in bars)
    assert "pass 1" in bars[-1]
    tables = [type(value).__name__ for value in shown if hasattr(value, "_repr_html_") and "<table" in value._repr_html_()]
    assert {"Plan", "Solution", "Summary"} <= set(tables)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_in_a_kernel(notebook: Path) -> None:
    """In Jupyter itself: an output of each cell, bars among them, and no error."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    read = nbformat.read(notebook, as_version=4)

    nbclient.NotebookClient(read, timeout=300, kernel_name="python3").execute()

    pages = [output.data.get("text/html", "") for cell in read.cells for output in cell.get("outputs", []) if "data" in output]
    assert any("pass 1" in page for page in pages)
    assert sum("<table" in page for page in pages) >= 3
    assert not [output for cell in read.cells for output in cell.get("outputs", []) if output.output_type == "error"]
