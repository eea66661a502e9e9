"""Tables where something is out of the ordinary: leverage 1, dependent columns, units, no maximum, no distribution."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import dsketch as ds
from tests.problems.smooth.statistics.oracle import CLOSE, Case, assert_equal, sm


def solved(A: Any, y: Any, **choices: Any) -> ds.Solution:
    """Solve a model on the serial engine."""
    return ds.solve(ds.GLM(A, y, **choices), cluster="serial")


def test_a_row_of_leverage_1() -> None:
    """A dummy of one row is met exactly: HC3 has no error for it, those of the others are of the data without that row."""
    case = Case.draw("poisson")
    alone = np.zeros((len(case.y), 1))
    alone[17] = 1
    y = case.y.copy()
    y[17] = 3.0
    kept = np.arange(len(y)) != 17

    summary = solved(np.column_stack([case.A, alone]), y, family="poisson", intercept=True).summary(robust="HC3")
    others = solved(case.A[kept], y[kept], family="poisson", intercept=True).summary(robust="HC3")

    places = [0, 1, 2, 3, 5]
    assert np.isnan(summary.standard_errors).tolist() == [False, False, False, False, True, False]
    np.testing.assert_allclose(summary.standard_errors[places], others.standard_errors, rtol=1e-8)
    assert any("leverage 1" in note and "x4" in note for note in summary.notes)


@pytest.mark.parametrize("asked", [{}, {"robust": "HC3"}, {"groups": True}], ids=["model", "HC3", "cluster"])
def test_units_change_errors_by_their_factor(asked: dict[str, Any]) -> None:
    """Columns in units of 1e±4 have errors in these units: a pass in other units is the same to rounding."""
    case, units = Case.draw("logit"), 10.0 ** np.array([-4, 4, 3, -2])
    wish = {"groups": case.groups} if "groups" in asked else asked

    near = solved(case.A, case.y, intercept=True).summary(**wish)
    far = solved(case.A * units, case.y, intercept=True).summary(**wish)

    np.testing.assert_allclose(far.standard_errors[:4] * units, near.standard_errors[:4], rtol=CLOSE)
    np.testing.assert_allclose(far.test_values, near.test_values, rtol=1e-9)


def test_a_condition_that_a_gram_matrix_would_square() -> None:
    """With a scaled condition of 1e6 the factor comes from a QR of the tangent rows: errors are right to 1e-8."""
    case = Case.draw("logit")
    A = case.A.copy()
    A[:, 1] = A[:, 0] + 1e-6 * A[:, 1]
    solution = solved(A, case.y, intercept=True, family="binomial")

    summary = solution.summary()

    x = np.append(solution.x[:-1], solution.x[-1])
    X = np.column_stack([A, np.ones(len(A))])
    mean = 1 / (1 + np.exp(-X @ x))
    R = np.linalg.qr(X * np.sqrt(mean * (1 - mean))[:, None], mode="r")
    np.testing.assert_allclose(summary.standard_errors, np.linalg.norm(np.linalg.inv(R), axis=1), rtol=1e-8)
    assert "tangent triangle & fitted" in summary.passes


def test_dependent_columns() -> None:
    """Of a column that is there twice, the errors are of the shortest maximum, without a test; the fit is that of one of them."""
    case = Case.draw("poisson")

    summary = solved(np.column_stack([case.A, case.A[:, 1]]), case.y, family="poisson", intercept=True).summary()
    once = solved(case.A, case.y, family="poisson", intercept=True).summary()

    assert np.isnan(summary.test_values).tolist() == [False, True, False, False, True, False]
    np.testing.assert_allclose(summary.standard_errors[[0, 2, 3, 5]], once.standard_errors[[0, 2, 3, 4]], rtol=1e-9)
    np.testing.assert_allclose(2 * summary.standard_errors[1], once.standard_errors[1], rtol=1e-9)
    for name in ("deviance", "null_deviance", "log_likelihood", "aic", "bic", "rank"):
        np.testing.assert_allclose(getattr(summary, name), getattr(once, name), rtol=1e-11, err_msg=name)
    assert "not determined by the data" in str(summary)


def test_rows_of_weight_0_are_no_observations() -> None:
    """Weight 0 or frequency 0 is as if the row were not there, in every number."""
    case = Case.draw("gamma", "weights")
    weights = case.extra["weights"] * (np.arange(len(case.y)) % 5 > 0)
    kept = weights > 0

    summary = solved(case.A, case.y, family="gamma", weights=weights, intercept=True).summary(groups=case.groups)
    there = solved(case.A[kept], case.y[kept], family="gamma", weights=weights[kept], intercept=True).summary(
        groups=case.groups[kept]
    )

    np.testing.assert_allclose(summary.standard_errors, there.standard_errors, rtol=CLOSE)
    for name in ("deviance", "null_deviance", "log_likelihood", "bic", "rows", "residual_degrees"):
        np.testing.assert_allclose(getattr(summary, name), getattr(there, name), rtol=CLOSE, err_msg=name)
    assert any("weight 0" in note for note in summary.notes)


def test_a_loss_without_a_distribution() -> None:
    """Pseudo-Huber has no likelihood and no expected information: the errors are HC1's of the observed one, and a note says so."""
    case = Case.draw("gaussian")
    solution = solved(case.A, case.y, family="huber", delta=1.2, intercept=True)

    summary = solution.summary()

    X = case.whole
    t = (X @ solution.x - case.y) / 1.2
    slope, curvature = 1.2 * t / np.sqrt(1 + t * t), (1 + t * t) ** -1.5
    H = np.linalg.inv(X.T @ (X * curvature[:, None]))
    meat = X.T @ (X * slope[:, None] ** 2) * len(X) / (len(X) - 5)
    np.testing.assert_allclose(summary.standard_errors, np.sqrt(np.diag(H @ meat @ H)), rtol=1e-10)
    assert (summary.robust, summary.information) == ("HC1", "observed")
    assert np.isnan(summary.log_likelihood)
    assert summary.to_dict()["aic"] is None
    assert any("HC1" in note for note in summary.notes)


def test_no_table_of_a_penalty_or_without_a_maximum() -> None:
    """Penalized coefficients have no such errors, separated data no maximum: a sentence says so, and what to do."""
    case = Case.draw("logit")
    with pytest.raises(ds.SpecError, match=r"alpha up to 2\.0.*alpha=0"):
        solved(case.A, case.y, alpha=2.0).summary()
    with pytest.raises(ds.SpecError, match="separated"):
        solved(case.A, (case.A[:, 0] > 0).astype(float), intercept=True).summary()
    with pytest.raises(ds.SpecError, match="one for each of the 4 columns"):
        solved(case.A, case.y).summary(names=["only", "two"])
    with pytest.raises(ds.DataError, match="groups must be at least 2"):
        solved(case.A, case.y).summary(groups=np.ones(len(case.y)))


@pytest.mark.parametrize(("reach", "said"), [(0.3, "at most 3.0e-01 standard errors"), (np.inf, "an unproven distance")])
def test_an_early_end_is_told(reach: float, said: str) -> None:
    """Where x may be away from the maximum, the table says how far at most."""
    solution = solved(Case.draw("poisson").A, Case.draw("poisson").y, family="poisson")
    doubtful = replace(solution, answer=replace(solution.answer, proof=solution.answer.proof._replace(reach=reach)))

    assert not any("from the maximum" in note for note in solution.summary().notes)
    assert any(f"{said} from the maximum" in note for note in doubtful.summary().notes)


@pytest.mark.parametrize("asked", [{}, {"robust": "HC2"}, {"groups": True}], ids=["model", "HC2", "cluster"])
def test_storage_changes_rounding_alone(tmp_path: Path, stored: Any, asked: dict[str, Any]) -> None:
    """CSR rows and other chunks give the same table to rounding."""
    rng = np.random.default_rng(8)
    A = rng.standard_normal((4000, 5)) * (rng.random((4000, 5)) < 0.4)
    y, groups = rng.poisson(np.exp(A[:, 0] / 2)).astype(float), rng.integers(0, 80, 4000)
    wish = {"groups": groups} if "groups" in asked else asked

    whole = solved(A, y, family="poisson", intercept=True).summary(**wish)
    others = [
        solved(scipy.sparse.csr_array(A), y, family="poisson", intercept=True).summary(**wish),
        solved(stored("A", A, 321), stored("y", y, 1000), family="poisson", intercept=True).summary(**wish),
    ]

    for other in others:
        np.testing.assert_allclose(other.standard_errors, whole.standard_errors, rtol=CLOSE)
        np.testing.assert_allclose(other.log_likelihood, whole.log_likelihood, rtol=CLOSE)


def test_a_resumed_run_has_the_same_table(tmp_path: Path, stored: Any) -> None:
    """From a journal alone, the table has the bits that it had."""
    case = Case.draw("gamma")
    paths = stored("A", case.A, 100), stored("y", case.y, 100)
    first = ds.solve(
        ds.GLM(*paths, family="gamma", intercept=True), cluster="serial", method="newton", journal=tmp_path / "journal"
    )

    again = ds.resume(tmp_path / "journal", cluster="serial")

    assert np.array_equal(again.x, first.x)
    mine, theirs = again.summary(robust="HC3"), first.summary(robust="HC3")
    assert np.array_equal(mine.standard_errors, theirs.standard_errors)
    assert mine.log_likelihood == theirs.log_likelihood


def test_one_column_and_few_rows() -> None:
    """One coefficient, six rows; and as many rows as coefficients."""
    A, y = np.array([[1.0], [2], [3], [4], [5], [6]]), np.array([1.0, 0, 2, 3, 3, 9])

    summary = solved(A, y, family="poisson").summary()
    full = solved(np.eye(3), np.array([1.0, 2.0, 4.0]), family="gamma").summary()

    assert_equal(summary, sm.GLM(y, A, family=sm.families.Poisson()).fit(tol=1e-14, tol_criterion="params"))
    assert full.residual_degrees == 0
    assert np.isnan(full.standard_errors).all()
    assert any("no degree of freedom" in note for note in full.notes)


@pytest.mark.parametrize("family", ["gaussian", "gamma", "tweedie"])
@pytest.mark.parametrize("asked", [{}, {"robust": "HC1"}], ids=["model", "HC1"])
def test_an_exact_fit_has_no_tests(family: str, asked: dict[str, Any]) -> None:
    """Rounding over rounding is no t: NaN, and a note; a residual with digits, 1e-9 of y, has its tests."""
    case = Case.draw(family)
    power = {"power": 1.5} if family == "tweedie" else {}
    eta = case.A @ [0.5, -0.3, 0.2, 0.0] + 0.3
    mean = eta if family == "gaussian" else np.exp(eta)
    shaken = mean * (1 + 1e-9 * np.random.default_rng(3).standard_normal(len(mean)))
    for y, is_exact in ((mean, True), (np.full(len(mean), 3.7), True), (shaken, False)):
        table = solved(case.A, y, family=family, intercept=True, **power).summary(**asked)
        assert np.isnan(table.p_values).all() == is_exact
        assert np.isnan(table.standard_errors).all() == is_exact
        assert np.isnan(table.aic) == is_exact
        assert any("the fit is exact" in note for note in table.notes) == is_exact


def test_pearson_of_an_exact_count_is_0() -> None:
    """Counts that are all 1 are met exactly: χ² is 0, and the errors are those that the family itself gives."""
    case = Case.draw("poisson")
    table = solved(case.A, np.ones(len(case.y)), family="poisson", intercept=True).summary()
    assert table.pearson == pytest.approx(0.0, abs=1e-20)
    assert np.isfinite(table.p_values).all()
