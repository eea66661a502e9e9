"""Data without a minimizer are named as that, with columns and rows; data that nearly are, are solved."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

import dsketch as ds
from tests.problems.smooth.cases import draw, model, rows, solve

BOTH = pytest.mark.parametrize("method", ["newton", "newton_qr"])
SEEDS = range(24)


def is_separated(A: Any, y: Any) -> bool:
    """Whether a v has (2y − 1)Av ≥ 0, not all 0: the definition, by a linear program."""
    M = (2 * y - 1)[:, None] * A / np.abs(A).max(axis=0)
    found = linprog(-M.sum(axis=0), A_ub=-M, b_ub=np.zeros(len(M)), bounds=[(-1, 1)] * A.shape[1], method="highs")
    return bool(-found.fun > 1e-7)


def labels(seed: int) -> tuple[Any, Any]:
    """Return separable, quasi-separable, nearly separable data in turn, in units that differ by 1e8."""
    random = np.random.default_rng(seed)
    n, d = int(random.integers(15, 200)), int(random.integers(1, 6))
    A = random.standard_normal((n, d)) * 10.0 ** random.uniform(-4, 4, d)
    eta = A @ (random.standard_normal(d) / np.abs(A).max(axis=0))
    if seed % 4 == 0:
        return A, (eta > 0).astype(float)
    if seed % 4 == 3:
        y = (eta > 0).astype(float)
        y[np.argmin(np.abs(eta))] = 1 - y[np.argmin(np.abs(eta))]
        return A, y
    few = max(2, n // 5)
    y = (random.random(n) < 0.5).astype(float)
    y[:few] = 1
    y[0] = seed % 4 == 1
    return np.column_stack([A, np.arange(n) < few, np.ones(n)]), y


@BOTH
@pytest.mark.parametrize("seed", SEEDS)
def test_separated_is_said_where_it_is_so_and_nowhere_else(seed: int, method: str) -> None:
    """As a linear program decides; never SOLVED without a minimizer, and never the other way."""
    A, y = labels(seed)

    found = solve(model("logit", A, y), method=method)

    assert found.status is (ds.Status.SEPARATED if is_separated(A, y) else ds.Status.SOLVED)
    assert found.status.is_success == np.isfinite(found.certificate.reach)
    assert found.certificate.decrement * found.certificate.kappa >= 1 or found.status.is_success


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog"])
def test_columns_and_rows_are_named(name: str) -> None:
    """A dummy of rows that all succeeded: its column, and one of its rows."""
    A = np.column_stack([rows(), np.arange(600) < 30])
    y = draw(name, rows())
    y[:30] = 1

    found = solve(model(name, A, y, intercept=True))

    assert found.status is ds.Status.SEPARATED
    note = found.notes[-1]
    assert note.startswith("separation: column 4 fits some rows, and none worse, ever better without end, such as row ")
    assert int(note.split("row ")[1].split()[0]) < 30
    assert "(y = 1, η rises)" in note
    assert "drop the columns" in str(found)


def test_complete_separation_names_a_row_of_each_side() -> None:
    """Both labels are fitted ever better, by the columns that part them; rows next to the plane might be left as they are."""
    A = rows()
    A = A[np.abs(A[:, 0] + A[:, 1]) > 0.1]
    found = solve(model("logit", A, (A[:, 0] + A[:, 1] > 0).astype(float)))

    assert found.status is ds.Status.SEPARATED
    assert "fit all rows" in found.notes[-1]
    assert "(y = 1, η rises)" in found.notes[-1]
    assert "(y = 0, η falls)" in found.notes[-1]


@BOTH
@pytest.mark.parametrize("name", ["poisson", "negative_binomial", "tweedie"])
def test_a_group_of_zero_counts_has_no_finite_coefficient(name: str, method: str) -> None:
    """A small decrement is no answer there: the group is named."""
    A = np.column_stack([rows(), np.arange(600) < 40])
    y = draw(name, rows())
    y[:40] = 0

    found = solve(model(name, A, y, intercept=True), method=method)

    assert found.status is ds.Status.SEPARATED
    assert "column 4" in found.notes[-1]
    assert "(y = 0, η falls)" in found.notes[-1]
    assert len(found.passes) <= 20


def test_a_penalty_or_a_counterexample_makes_a_minimizer() -> None:
    """With alpha on the column, or one row that speaks against, the same data are solved."""
    A = np.column_stack([rows(), np.arange(600) < 30])
    y = draw("logit", rows())
    y[:30] = 1

    assert solve(model("logit", A, y, alpha=1e-3)).status is ds.Status.SOLVED
    assert solve(model("logit", A, y, alpha=[0, 0, 0, 0, 1e-2])).status is ds.Status.SOLVED
    assert solve(model("logit", A, y, alpha=[1, 1, 1, 1, 0])).status is ds.Status.SEPARATED
    y[7] = 0
    assert solve(model("logit", A, y)).status is ds.Status.SOLVED


def test_rows_of_weight_zero_speak_for_nobody() -> None:
    """A counterexample of weight 0 is none; the separated group of weight 0 separates nothing."""
    A = np.column_stack([rows(), np.arange(600) < 30])
    y = draw("logit", rows())
    y[:30] = 1
    y[7] = 0
    weights = np.ones(600)
    weights[7] = 0

    assert solve(model("logit", A, y, weights=weights)).status is ds.Status.SEPARATED
    weights[:30] = 0
    assert solve(model("logit", A, y, weights=weights)).status is ds.Status.MINIMUM_NORM
