"""Marginal regressions are those of statsmodels, column by column and target by target, whatever is missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr
import zarr

import dsketch as ds
from dsketch._linalg.arrays import Floats

N, K = 300, 4
TOLERANCE = 1e-9  # of what issue and guide promise; conditions here are below 1e4, so that both sides have twelve digits
FIELDS = ("beta", "standard_errors", "t", "p")


def example(seed: int = 1) -> dict[str, Floats]:
    """Return columns of counts, a constant one, some near the covariates' span or far from 0, targets and covariates."""
    rng = np.random.default_rng(seed)
    G, Y, C = rng.integers(0, 3, (N, 12)).astype(float), rng.standard_normal((N, K)), rng.standard_normal((N, 3))
    G[:, 3], G[:, 4] = 2.0, 2 * C[:, 0] + 1
    G[:, 5] = C[:, 1] + 1e-3 * rng.standard_normal(N)
    G[:, 6] += 1e6
    Y[:, 0] += 30 * G[:, 1]
    Y[:, 3] = 3 * G[:, 2] + 1e-5 * rng.standard_normal(N)
    return {"G": G, "Y": Y, "C": C}


def with_gaps(data: dict[str, Floats], seed: int = 2) -> dict[str, Floats]:
    """Return the same with a tenth of the columns' entries missing, most of one column, and rows of two targets."""
    rng = np.random.default_rng(seed)
    G, Y = data["G"].copy(), data["Y"].copy()
    G[rng.random(G.shape) < 0.1] = np.nan
    G[:250, 7] = np.nan
    for target in (1, 2):
        Y[rng.random(N) < 0.1, target] = np.nan
    return {**data, "G": G, "Y": Y}


def expected(g: Floats, y: Floats, C: Floats, missing: str) -> Floats:
    """Return coefficient, error, t and p of statsmodels; g is moved near 0, which a constant takes up, so that its own digits last."""
    there = ~np.isnan(y)
    g, y, C = g[there], y[there], C[there]
    if missing == "mean":
        g = np.where(np.isnan(g), np.nanmean(g), g)
    there = ~np.isnan(g)
    g, y, C = g[there], y[there], C[there]
    fit = sm.OLS(y, np.column_stack([g - np.round(g.mean()), np.ones(len(g)), C])).fit()
    return np.array([fit.params[0], fit.bse[0], fit.tvalues[0], fit.pvalues[0]])


def marginal(G: Any, Y: Any, **options: Any) -> ds.MarginalResult:
    """Return the answer of this process."""
    return ds.marginal(G, Y, **{"cluster": "serial", "progress": False, **options})


def require_same(found: ds.MarginalResult, data: dict[str, Floats], missing: str, spared: set[int]) -> None:
    """Hold every field of every column and target to statsmodels; ``spared`` columns are NaN."""
    for column in range(data["G"].shape[1]):
        for target in range(K):
            mine = np.array([getattr(found, name)[column, target] for name in FIELDS])
            if column in spared:
                assert np.isnan(mine).all()
                continue
            theirs = expected(data["G"][:, column], data["Y"][:, target], data["C"], missing)
            assert (np.abs(mine - theirs) <= TOLERANCE * np.abs(theirs)).all(), (column, target, mine, theirs)


@pytest.mark.parametrize("order", ["C", "F"])
def test_all_there_is_statsmodels(order: Any) -> None:
    """Whichever way the columns lie; what covariates determine is NaN, with a note, and what lies near their span is not."""
    data = example()
    found = marginal(np.asarray(data["G"], order=order), data["Y"], covariates=data["C"], missing="error")

    require_same(found, data, "error", {3, 4})
    assert found.status is ds.Status.SOLVED
    assert "2 columns are constant or determined by the covariates" in found.notes[0]
    assert (np.asarray(found.counts) == N).all()
    assert np.allclose(found.neg_log10_p[0], -np.log10(found.p[0]))


@pytest.mark.parametrize("missing", ["mean", "drop"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_missing_is_as_asked(missing: str, order: Any) -> None:
    """A column's gap has its mean, over the rows of the target, or leaves the row out; a target's gap always does."""
    data = with_gaps(example())
    found = marginal(np.asarray(data["G"], order=order), data["Y"], covariates=data["C"], missing=missing)

    require_same(found, data, missing, {3, 4} if missing == "drop" else {3})
    there = ~np.isnan(data["G"][:, :, None]) & ~np.isnan(data["Y"][:, None, :])
    assert np.array_equal(found.counts, there.sum(axis=0))
    assert found.certificate.patterns == 3
    assert "3 patterns" in str(found.plan)


def test_rows_that_covariates_miss_are_left_out_for_all() -> None:
    """And counted in no degree of freedom."""
    data = example()
    data["C"][[3, 50], 1] = np.nan
    kept = {name: np.delete(values, [3, 50], axis=0) for name, values in data.items()}

    found = marginal(data["G"], data["Y"], covariates=data["C"])

    require_same(found, {**kept}, "mean", {3, 4})
    assert (np.asarray(found.counts) == N - 2).all()


@pytest.mark.parametrize("name", ["G", "Y", "C"])
def test_missing_error_refuses_a_gap(name: str) -> None:
    """By row and column."""
    data = example()
    data[name][17, 2] = np.nan
    with pytest.raises(ds.DataError, match="row 17, column 2"):
        marginal(data["G"], data["Y"], covariates=data["C"], missing="error")


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_infinity_is_no_gap(missing: str) -> None:
    """It is refused whatever stands for a gap."""
    for name in ("G", "Y"):
        data = example()
        data[name][17, 2] = np.inf
        with pytest.raises(ds.DataError, match="row 17, column 2 is inf"):
            marginal(data["G"], data["Y"], missing=missing)


def test_without_a_constant_and_covariates() -> None:
    """A regression through the origin: β = gᵀy/gᵀg, n − 1 degrees of freedom."""
    data = example()
    found = marginal(data["G"], data["Y"], intercept=False)

    g, y = data["G"][:, 0], data["Y"][:, 2]
    fit = sm.OLS(y, g[:, None]).fit()
    assert found.beta[0, 2] == pytest.approx(fit.params[0], rel=TOLERANCE)
    assert found.p[0, 2] == pytest.approx(fit.pvalues[0], rel=TOLERANCE)
    assert found.certificate.rank == 0


def test_covariates_that_depend_on_each_other_count_once() -> None:
    """Degrees of freedom are n − rank − 1, and a note says so."""
    data = example()
    twice = np.column_stack([data["C"], data["C"] @ [1.0, 2.0, 3.0]])

    found = marginal(data["G"], data["Y"], covariates=twice)

    require_same(found, data, "mean", {3, 4})
    assert any("rank 4 of 5 covariates" in note for note in found.notes)


def test_too_few_rows_have_no_errors() -> None:
    """A coefficient without a degree of freedom left stands alone; with fewer rows than covariates there is none."""
    rng = np.random.default_rng(0)
    G, Y, C = rng.standard_normal((6, 2)), rng.standard_normal((6, 2)), rng.standard_normal((6, 3))
    G[5, 1] = np.nan
    Y[4:, 1] = np.nan
    found = marginal(G, Y, covariates=C, missing="drop")

    exact = np.linalg.lstsq(np.column_stack([G[:5, 1], np.ones(5), C[:5]]), Y[:5, 0], rcond=None)[0]
    assert found.beta[1, 0] == pytest.approx(exact[0], rel=1e-9)
    assert np.isnan(found.standard_errors[1, 0])
    assert np.isnan(found.beta[:, 1]).all()
    assert any("too few rows" in note for note in found.notes)


def test_p_beyond_float64_keeps_its_logarithm() -> None:
    """p = 0 there; −log₁₀ p grows on, as the normal tail of that t does."""
    rng = np.random.default_rng(0)
    g = rng.standard_normal(20_000)
    found = marginal(g[:, None], g + 0.1 * rng.standard_normal(20_000))

    assert found.p[0, 0] == 0.0
    t, freedom = float(found.t[0, 0]), 20_000 - 2
    leading = 0.5 * (freedom + 1) * np.log1p(t * t / freedom) / np.log(10)  # of the density, in decades
    assert leading < found.neg_log10_p[0, 0] < leading + np.log10(t) + 3


def test_columns_are_ranked() -> None:
    """``top`` has the numbers of the columns that matter most, NaN last."""
    data = example()
    found = marginal(data["G"], data["Y"], covariates=data["C"])

    assert found.top(1, target=0).tolist() == [1]
    assert found.top(1, target=3).tolist() == [2]
    assert set(found.top(12)[-2:].tolist()) == {3, 4}


def test_a_claim_is_no_better_than_the_truth() -> None:
    """``check`` refuses a coefficient that is off by 1e-9 of its scale, whatever its target, and takes the right ones."""
    data = example()
    G = np.delete(data["G"], [3, 4], axis=1)
    problem = ds.Marginal(G, data["Y"], covariates=data["C"])
    x = np.array(ds.solve(problem, cluster="serial", progress=False).x)

    assert ds.check(problem, x, cluster="serial", progress=False).is_right(problem.accepted(None))
    x[7, 1] += 1e-9
    judged = ds.check(problem, x, cluster="serial", progress=False)
    assert (judged.backward_error > problem.accepted(None)).tolist() == [False, True, False, False]


def test_shapes_that_do_not_fit_are_told() -> None:
    """With what would mend it."""
    with pytest.raises(ds.DataError, match=r"Y must have one row for each of the 5 samples.*samples='columns'"):
        marginal(np.ones((5, 3)), np.ones(3))
    with pytest.raises(ds.SpecError, match="missing must be one of mean, drop, error"):
        marginal(np.ones((5, 3)), np.ones(5), missing="fill")
    with pytest.raises(ds.SpecError, match="samples must be one of"):
        marginal(np.ones((5, 3)), np.ones(5), samples="first")


def test_covariates_of_other_rows_are_refused() -> None:
    """A table's row labels must be those of the other's: they are paired by place."""
    data = example()
    Y, C = pd.DataFrame(data["Y"]), pd.DataFrame(data["C"])
    assert marginal(data["G"], Y, covariates=C).beta.shape == (12, K)
    with pytest.raises(ds.DataError, match="same rows in the same order"):
        marginal(data["G"], Y, covariates=C[::-1])


def test_calls_that_nothing_marks_are_numbers_and_a_note_says_so(tmp_path: Path) -> None:
    """int8 with -1 and no attribute: counted, with the remedy; with the attribute, named dimensions or labels there is nothing to say."""
    data = example()
    rng = np.random.default_rng(4)
    calls = np.where(rng.random((N, 12)) < 0.1, -1, rng.integers(0, 3, (N, 12))).astype(np.int8)
    marked = zarr.create_array(tmp_path / "G.zarr", data=calls, attributes={"missing_value": -1})
    labelled = xr.DataArray(calls.T, dims=("variants", "samples"))

    found = marginal(calls, data["Y"], missing="drop")
    assert any(f"count as numbers: {(calls == -1).sum()};" in note and "missing_value" in note for note in found.notes)
    expected = marginal(np.where(calls < 0, np.nan, calls), data["Y"], missing="drop")
    for G in (marked, labelled):
        found = marginal(G, data["Y"], missing="drop")
        assert not any("count as numbers" in note for note in found.notes)
        np.testing.assert_allclose(found.beta, expected.beta, rtol=1e-10, atol=1e-12)


def test_targets_without_rows_are_told_and_no_targets_refused() -> None:
    """A target without a value says nothing of the covariates' rank; no target at all is an error."""
    data = example()
    Y = data["Y"].copy()
    Y[:, 1] = np.nan
    found = marginal(data["G"], Y, covariates=data["C"])
    assert found.certificate.rank == 4
    assert "1 target has no row with all covariates: numbers are NaN" in found.notes
    with pytest.raises(ds.DataError, match="at least one target"):
        marginal(data["G"], Y[:, :0])
