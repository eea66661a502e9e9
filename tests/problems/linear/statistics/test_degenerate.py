"""Dependent columns, units, constants, leverage one, no degree of freedom."""

import json

import numpy as np
import pytest

import dsketch as ds
from tests.problems.linear.statistics.oracle import ROBUST, Case, Counting, assert_equal, oracle


@pytest.mark.parametrize("method", ["tsqr", "whitened", "gram"])
@pytest.mark.parametrize("robust", [None, "HC2"])
def test_units_do_not_matter(method: str, robust: str | None) -> None:
    """Columns measured in units 10⁻¹² to 10¹² give the same t, p, R² and F, and errors in those units."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((500, 7)) + 0.5 * rng.standard_normal((500, 1))
    units = 2.0 ** np.array([40, -40, 0, 13, -27, 38, -11])
    case = Case(A, A @ np.ones(7) + rng.standard_normal(500) + 1, intercept=True)

    summary = Case(A * units, case.b, intercept=True).solve(method=method).summary(robust=robust)

    theirs, tolerance = oracle(case, robust=robust), case.tolerance()
    np.testing.assert_allclose(summary.standard_errors * np.append(units, 1), theirs.bse, rtol=tolerance)
    np.testing.assert_allclose(summary.t_values, theirs.tvalues, rtol=0, atol=tolerance * np.abs(theirs.tvalues).max())
    np.testing.assert_allclose(summary.r_squared, theirs.rsquared, rtol=tolerance)
    np.testing.assert_allclose(summary.f_statistic, theirs.fvalue, rtol=2 * tolerance)


@pytest.mark.parametrize("robust", [None, *ROBUST])
def test_dependent_columns(robust: str | None) -> None:
    """A duplicated and a zero column get the pseudoinverse's covariance, n − rank degrees of freedom, and a mark."""
    rng = np.random.default_rng(4)
    A = rng.standard_normal((300, 4))
    case = Case(np.column_stack([A, A[:, 0]]), A @ np.ones(4) + rng.standard_normal(300) + 3, intercept=True)

    solution = case.solve()
    summary = solution.summary(robust=robust)

    assert solution.status is ds.Status.MINIMUM_NORM
    assert summary.residual_degrees == 300 - 5
    # The robust F of statsmodels warns here that its restrictions are dependent.
    assert_equal(summary, oracle(case, robust=robust), case.tolerance(), with_f=robust is None)
    assert summary.is_estimable.tolist() == [False, True, True, True, False, True]
    assert "x0 *" in str(summary)
    assert "the 2 coefficients with *" in str(summary)


@pytest.mark.parametrize("robust", [None, "HC1"])
def test_robust_f_of_dependent_columns(robust: str | None) -> None:
    """F is that of any set of independent columns with the same span."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((300, 4))
    b = A @ np.ones(4) + rng.standard_normal(300) * (1 + A[:, 0] ** 2)
    independent = Case(A, b, intercept=True)

    summary = Case(np.column_stack([A, A[:, 0] - A[:, 2]]), b, intercept=True).solve().summary(robust=robust)

    np.testing.assert_allclose(summary.f_statistic, oracle(independent, robust=robust).fvalue, rtol=4 * independent.tolerance())


class TestConstant:
    """R² is about the mean if, and only if, the columns contain a constant."""

    rng = np.random.default_rng(11)
    n = 1200
    A = rng.standard_normal((n, 3))
    groups = np.sort(rng.integers(0, 4, n))
    dummies = np.eye(4)[groups]
    b = A @ np.ones(3) + rng.standard_normal(n) + 5

    @pytest.mark.parametrize("robust", [None, "HC1"])
    def test_column_of_ones(self, robust: str | None) -> None:
        """A constant column of A, of any value, is found with one light pass."""
        case = Case(np.column_stack([self.A[:, 0], np.full(self.n, 0.3), self.A[:, 1:]]), self.b, self.rng.uniform(1, 2, self.n))

        engine = Counting()
        solution = case.solve(cluster=engine)
        before = len(engine.ran)
        summary = solution.summary(robust=robust)

        assert summary.is_centred
        assert engine.ran[before:] == ["normal", *(["sandwich"] if robust else [])] == list(summary.passes)
        assert_equal(summary, oracle(case, robust=robust), case.tolerance())

    def test_dummies_of_every_group(self) -> None:
        """Dummies that add up to one are a constant too, in sorted data."""
        case = Case(np.column_stack([self.A, self.dummies]), self.b)
        assert_equal(case.solve().summary(), oracle(case), case.tolerance())

    def test_dummies_beside_an_intercept(self) -> None:
        """An intercept beside dummies of every group is rank-deficient, and still the same fit."""
        case = Case(np.column_stack([self.A, self.dummies]), self.b, intercept=True)
        summary = case.solve().summary()
        assert_equal(summary, oracle(case), case.tolerance())
        assert summary.is_estimable.tolist() == [True] * 3 + [False] * 5

    def test_no_constant(self) -> None:
        """Without a constant nothing is centred, and the table says so; a few rows suffice to know."""
        summary = Case(self.A, self.b).solve().summary()
        assert not summary.is_centred
        assert summary.passes == ()
        assert "see intercept=True" in str(summary)

    def test_constant_only_where_one_looks(self) -> None:
        """A column that is constant but for a few rows in between is no constant: the pass finds out."""
        column = np.ones(self.n)
        column[300:310] = 0
        case = Case(np.column_stack([self.A, column]), self.b)

        summary = case.solve().summary()

        assert summary.passes == ("normal",)
        assert_equal(summary, oracle(case), case.tolerance())


@pytest.mark.parametrize("robust", ["HC2", "HC3"])
def test_leverage_one(robust: str) -> None:
    """A row with a dummy of its own changes nothing but its own coefficient; its 0/0 is left out and said."""
    rng = np.random.default_rng(12)
    A, b = rng.standard_normal((200, 3)), rng.standard_normal(200)
    dummy = np.zeros(200)
    dummy[17] = 1
    rest = Case(np.delete(A, 17, axis=0), np.delete(b, 17))

    summary = Case(np.column_stack([A, dummy]), b).solve().summary(robust=robust)

    np.testing.assert_allclose(summary.standard_errors[:3], oracle(rest, robust=robust).bse, rtol=rest.tolerance())
    assert np.isnan(summary.f_statistic)
    assert any("1 rows have leverage 1" in note for note in summary.notes)
    assert any("singular" in note for note in summary.notes)


@pytest.mark.parametrize("robust", [None, "HC1", "HC3"])
def test_no_degree_of_freedom(robust: str | None) -> None:
    """As many rows as coefficients: the coefficients stand, the errors are NaN, a note says why."""
    rng = np.random.default_rng(13)

    summary = ds.lstsq(rng.standard_normal((5, 4)), rng.standard_normal(5), intercept=True).summary(robust=robust)

    assert summary.residual_degrees == 0
    for values in (summary.standard_errors, summary.t_values, summary.p_values, summary.confidence(), summary.covariance()):
        assert np.isnan(values).all()
    assert np.isnan([summary.residual_variance, summary.f_statistic, summary.adjusted_r_squared]).all()
    assert any("no degree of freedom" in note for note in summary.notes)
    assert json.loads(json.dumps(summary.to_dict(), allow_nan=False))["standard_errors"] == [None] * 5
    assert "nan" in str(summary)


def test_constant_right_hand_side() -> None:
    """A b that does not vary, zero included, leaves nothing to explain: R² is NaN, nothing warns."""
    A = np.random.default_rng(14).standard_normal((50, 2))
    assert np.isnan(ds.lstsq(A, np.zeros(50)).summary(robust="HC3").r_squared)
    assert np.isnan(ds.lstsq(A, np.full(50, 2.0), intercept=True).summary().r_squared)
