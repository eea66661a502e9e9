"""What a notebook shows: tables with every text escaped, one line for a prompt, pictures."""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dsketch as ds

N = 40
RNG = np.random.default_rng(0)
EVIL = "<script>alert('x')</script>&"
A = pd.DataFrame(RNG.standard_normal((N, 2)), columns=[EVIL, "v"])
Y = pd.DataFrame(RNG.standard_normal((N, 12)), columns=[EVIL, *map(str, range(11))])
MAP = xr.DataArray(RNG.standard_normal((N, 2, 3)), dims=("time", "lat", "lon"), coords={"lat": [1.0, 2.0]})


@pytest.fixture(autouse=True)
def _draw_nowhere() -> Iterator[None]:
    mpl.use("Agg")
    yield
    sys.modules["matplotlib.pyplot"].close("all") if "matplotlib.pyplot" in sys.modules else None


class Tags(HTMLParser):
    """Collects tags and text, and holds that they are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Open."""
        del attrs
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Read."""
        self.text += f"{data}\n"


def shown() -> dict[str, Any]:
    """Return what a cell may end with."""
    solution = ds.lstsq(A, Y, intercept=True)
    fit = ds.glm(A, RNG.poisson(2.0, N), family="poisson")
    classes = ds.solve(ds.Multinomial(A, RNG.integers(0, 3, N)))
    return {
        "plan": ds.plan(ds.LeastSquares(A, Y)),
        "solution": solution,
        "vector": ds.ridge(A, Y[EVIL], 1.0),
        "map": ds.lstsq(A, MAP),
        "rows": ds.leverage_scores(A),
        "summary": solution.summary(),
        "one": ds.lstsq(A, Y[EVIL]).summary(),
        "families": fit.summary(),
        "classes": classes.summary(),
    }


def test_every_text_of_a_page_is_escaped() -> None:
    """Names of columns are data: none of them becomes a tag, and all tags are closed."""
    for name, value in shown().items():
        page = Tags(value._repr_html_())
        assert page.seen <= {"div", "table", "tr", "th", "td", "caption"}, name
        assert (EVIL in page.text) == (name not in ("plan", "rows")), name


def test_a_page_says_what_the_text_says() -> None:
    """Status, certificate, names, coefficients, and how many are not shown."""
    page = Tags(shown()["solution"]._repr_html_()).text

    for word in ("solved: the backward error", "12 targets", "the first 6", "intercept", f"{shown()['solution'].x[1, 2]:.6g}"):
        assert word in page
    assert "2 right-hand sides" in Tags(shown()["summary"]._repr_html_()).text  # ten of twelve are shown


def test_a_prompt_shows_one_line() -> None:
    """``repr`` is short however large x is."""
    for value in shown().values():
        assert len(repr(value).splitlines()) == 1
        assert len(repr(value)) < 160
    assert "lstsq" in repr(shown()["solution"])


def test_pictures_show_the_coefficients() -> None:
    """Points at x with the intervals of the summary; a map of each coefficient; the errors by passes."""
    solution = ds.lstsq(A, Y.iloc[:, :2])
    axes = solution.plot(summary=solution.summary())
    drawn = [line.get_xdata() for line in axes.get_lines() if line.get_linestyle() == "None" and line.get_marker() == "o"]
    np.testing.assert_array_equal(drawn, solution.x.T)
    np.testing.assert_allclose(
        sorted(segment[:, 0].tolist() for bars in axes.collections for segment in bars.get_segments()),
        sorted(solution.summary().confidence().reshape(-1, 2).tolist()),
        rtol=1e-9,
    )

    cells = np.asarray(MAP).reshape(len(A), -1)
    some = ds.lstsq(A, cells[:, :3], missing="drop")
    own = some.plot()  # of targets the errors are there
    assert own.get_xlabel() == "coefficient, 95% interval"
    (low, high) = own.containers[1].lines[2][0].get_segments()[0][:, 0].tolist()
    summary = ds.lstsq(A, cells[:, 1]).summary()
    np.testing.assert_allclose((low, high), summary.confidence()[0], rtol=1e-9)
    maps = ds.lstsq(A, MAP).plot()
    assert [axes.get_title() for axes in maps] == [EVIL, "v"]
    np.testing.assert_array_equal(maps[1].collections[0].get_array(), np.reshape(ds.lstsq(A, MAP).x, (2, 2, 3))[1])

    iterated = ds.lstsq(A, Y[EVIL], method="conjugate_gradient")
    (line,) = iterated.plot("convergence").get_lines()
    assert len(iterated.history) + 1 == len(line.get_xdata())


def test_intervals_are_drawn_where_they_are_at_hand() -> None:
    """Without asking, as those of the summary; else the axis says what they would need, or that there are none."""
    solution = ds.lstsq(A, Y.iloc[:, :2])
    axes, wanted = solution.plot(), solution.summary().confidence()

    assert axes.get_xlabel() == "coefficient, 95% interval"
    drawn = [segment[:, 0].tolist() for bars in axes.collections for segment in bars.get_segments()]
    np.testing.assert_allclose(sorted(drawn), sorted(wanted.reshape(-1, 2).tolist()), rtol=1e-9)
    assert "need a look at the rows: summary=" in ds.lstsq(A, Y).plot().get_xlabel()
    assert "ridge has no standard errors" in ds.ridge(A, Y[EVIL]).plot().get_xlabel()


def test_what_cannot_be_drawn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another kind, an x of rows, a package that lacks."""
    solution = ds.lstsq(A, Y)
    with pytest.raises(ds.SpecError, match="kind must be one of coefficients, map, convergence; got 'pie'"):
        solution.plot("pie")
    with pytest.raises(ds.SpecError, match="a map needs two dimensions of targets; b has target"):
        solution.plot("map")
    with pytest.raises(ds.SpecError, match="that of leverage-scores has rows"):
        ds.leverage_scores(A).plot()
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ds.SpecError, match=r"pip install 'dsketch\[plot\]'"):
        solution.plot()
