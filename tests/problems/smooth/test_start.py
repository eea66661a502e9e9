"""Where smooth problems begin: a sample of rows where that pays, the loss's own place, or where the user says."""

from typing import Any

import numpy as np
import pytest

import dsketch as ds
from dsketch.problems.smooth import sample
from tests.problems.smooth.cases import draw, model, rows, solve


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let samples of 160 rows pay."""
    monkeypatch.setattr(sample, "_ROWS", 160)
    monkeypatch.setattr(sample, "_ROWS_PER_COLUMN", 1)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("name", ["logit", "poisson"])
def test_a_sample_saves_passes_and_changes_no_answer(stored: Any, name: str) -> None:
    """The same minimizer, in fewer looks at all rows; other chunks take the same rows."""
    A = rows(6000)
    y = draw(name, A)
    plain = solve(model(name, A, y, start=0.0, intercept=True, weights=np.ones(6000)), method="newton")
    sampled = solve(model(name, A, y, intercept=True, weights=np.ones(6000)), method="newton")
    cut = solve(model(name, stored("A", A, chunk_rows=77), y, intercept=True, weights=np.ones(6000)), method="newton")

    assert sampled.passes[0].kind == "gather"
    assert len(sampled.passes) - 1 < len(plain.passes)
    assert sampled.status is ds.Status.SOLVED
    assert np.allclose(sampled.x, plain.x, rtol=1e-11)
    assert np.allclose(cut.x, sampled.x, rtol=1e-13)


@pytest.mark.usefixtures("_small")
def test_a_sample_that_misleads_costs_passes_only() -> None:
    """Rows sorted by their labels, a group that no sampled row has, a column that is 0 in the sample."""
    A = rows(6000)
    y = draw("logit", A)
    order = np.argsort(y, kind="stable")
    group = np.zeros(6000)
    group[:40] = 1
    wide = np.column_stack([A[order], group])
    y = y[order]
    y[:20] = 1

    found = solve(model("logit", wide, y, intercept=True))

    assert found.passes[0].kind == "gather"
    assert found.status is ds.Status.SOLVED
    assert np.allclose(found.x, solve(model("logit", wide, y, intercept=True, start=0.0)).x, rtol=1e-10)


@pytest.mark.usefixtures("_small")
def test_a_bad_number_in_the_sample_is_named_by_its_own_row() -> None:
    """The sample passes over it; the look at all rows has its number."""
    A = rows(6000)
    y = draw("logit", A)
    A[3000 - 3000 // 16, 2] = np.nan
    bad = int(np.flatnonzero(np.isnan(A[:, 2]))[0])

    with pytest.raises(ds.DataError, match=f"row {bad}, column 2 is nan"):
        solve(model("logit", A, y))


def test_few_rows_are_not_sampled() -> None:
    """Where a pass costs no more than a sample."""
    A = rows()
    assert solve(model("logit", A, draw("logit", A))).passes[0].kind != "gather"


def test_a_start_from_which_steps_crawl_is_given_up() -> None:
    """Counts in the thousands from x = 0: the loss's own beginning takes over, in few passes."""
    A = rows(2000) * 4
    y = np.random.default_rng(0).poisson(np.exp(A @ np.array([1.0, -1.0, 1.0, 0.5]) + 2)).astype(float)

    found = solve(model("poisson", A, y, intercept=True, start=0.0), method="newton")

    assert found.status is ds.Status.SOLVED
    assert len(found.passes) <= 25
