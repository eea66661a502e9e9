"""The bar of a notebook: there by default, updated in place, escaped, and not more often than a page can follow."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch import events
from dsketch.engine.notebook import NotebookBar, runs_in_notebook


class Page:
    """What a notebook's cell shows, and all that it showed."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def display(self, value: Any, *, display_id: bool) -> "Page":
        """Show a value and return its handle."""
        assert display_id
        self.update(value)
        return self

    def update(self, value: Any) -> None:
        """Show it anew."""
        self.shown.append(value._repr_html_())


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """A shell with a kernel, as IPython has it in a notebook."""
    page, module, display = Page(), ModuleType("IPython"), ModuleType("IPython.display")
    module.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    display.display = page.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return page


def test_a_solve_in_a_notebook_shows_its_passes(page: Page) -> None:
    """By default, in one output that ends as a line for each pass; ``progress=False`` is silent."""
    A = np.random.default_rng(0).standard_normal((200, 3))

    solution = ds.lstsq(A, A[:, 0])
    assert page.shown[-1].count("<div>pass ") == len(solution.passes)
    assert "<progress" not in page.shown[-1]
    assert "<progress" in "".join(page.shown)

    page.shown.clear()
    ds.lstsq(A, A[:, 0], progress=False)
    assert not page.shown


def test_a_shell_without_a_kernel_is_no_notebook(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """IPython on a terminal, and Python without it, ask whether standard error is one."""
    assert runs_in_notebook()
    for shell in (SimpleNamespace(), None):
        monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda shell=shell: shell)
        assert not runs_in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not runs_in_notebook()


def test_a_bar_is_not_told_faster_than_a_page_follows(page: Page) -> None:
    """A thousand steps in a second are some five updates."""
    now = [0.0]
    bar = NotebookBar(clock=lambda: now[0])
    bar(events.PassStarted(1, "sketch", 1000, 2))
    for step in range(1000):
        now[0] += 0.001
        bar(events.Progress(step + 1, 1000))
    bar(events.Note("<b>bold</b> & more"))
    bar(events.PassFinished(1, "sketch", 1.0, 1000, replayed=False))

    assert len(page.shown) <= 1 + 5 + 2
    assert 'value="0.' in page.shown[3]
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in page.shown[-1]
    assert repr(bar).splitlines() == ["note: <b>bold</b> & more", "pass 1 of 2  sketch  1.00 kB  1.00 kB/s  1 s"]
