"""Statistics of a fit, judged by statsmodels."""

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client

import dsketch as ds
from dsketch.engine import SerialEngine
from dsketch.events import Tell
from dsketch.methods import METHODS
from dsketch.passes.base import Look, Part
from dsketch.statistics import Summary

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the oracle's imports deprecate is not ours
    import statsmodels.api as sm

U = np.finfo(float).eps / 2
# Constant of the first-order bounds below: two solvers, each with a few roundings for each of d columns.
C = 32
ROBUST = ["HC0", "HC1", "HC2", "HC3"]


@dataclass
class Counting(SerialEngine):
    """The serial engine, with a list of what it ran."""

    ran: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(1)

    def run(self, look: Look, tell: Tell) -> Part:
        """Note the pass, run it."""
        self.ran.append(look.pass_.names())
        return super().run(look, tell)


@dataclass(frozen=True)
class Case:
    """Data of a regression."""

    A: np.ndarray
    b: np.ndarray
    weights: np.ndarray | None = None
    intercept: bool = False

    def solve(self, **choices: Any) -> ds.Solution:
        """Solve it with dsketch."""
        return ds.lstsq(self.A, self.b, weights=self.weights, intercept=self.intercept, **choices)

    @property
    def whole(self) -> np.ndarray:
        """[A 1]."""
        return np.column_stack([self.A, np.ones(len(self.A))]) if self.intercept else self.A

    def tolerance(self, side: int = 0) -> float:
        """Return the relative uncertainty of any statistic: C d u · (kappa + kappa² tan θ + ‖b‖/‖r‖).

        kappa u is the error of R⁻¹ by rows, (kappa + kappa² ‖r‖/(‖A‖‖x‖)) u that of x, ‖b‖/‖r‖ u that of the residual.
        """
        root = np.sqrt(np.ones(len(self.A)) if self.weights is None else self.weights)[:, None]
        M, b = self.whole * root, self.b.reshape(len(self.A), -1)[:, side] * root[:, 0]
        s = np.linalg.svd(M, compute_uv=False)
        kept = s[s > 1e-13 * s[0]]
        kappa = s[0] / kept[-1]
        x = np.linalg.lstsq(M, b, rcond=1e-13)[0]
        residual = np.linalg.norm(b - M @ x)
        forward = kappa + kappa**2 * residual / (s[0] * np.linalg.norm(x))
        return C * M.shape[1] * U * (forward + np.linalg.norm(b) / residual)


def oracle(case: Case, side: int = 0, robust: str | None = None) -> Any:
    """Return statsmodels' fit of the rows that count."""
    counts = slice(None) if case.weights is None else case.weights > 0
    A, b = case.whole[counts], case.b.reshape(len(case.A), -1)[counts, side]
    model = sm.OLS(b, A) if case.weights is None else sm.WLS(b, A, weights=case.weights[counts])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that a matrix is rank-deficient: so it should be
        return model.fit(cov_type=robust or "nonrobust", use_t=True)


def assert_equal(mine: Summary, theirs: Any, tolerance: float, side: int | None = None, *, with_f: bool = True) -> None:
    """Compare everything that both know."""
    of = (lambda array: array) if side is None else (lambda array: array[..., side])
    reach = np.abs(theirs.tvalues).max()
    np.testing.assert_allclose(of(mine.coefficients), theirs.params, rtol=0, atol=tolerance * np.linalg.norm(theirs.params))
    np.testing.assert_allclose(of(mine.standard_errors), theirs.bse, rtol=tolerance)
    sure = mine.is_estimable
    np.testing.assert_allclose(of(mine.t_values)[sure], theirs.tvalues[sure], rtol=0, atol=tolerance * (1 + reach))
    # log p falls by about |t| for a unit of t.
    np.testing.assert_allclose(of(mine.p_values)[sure], theirs.pvalues[sure], rtol=tolerance * (1 + reach) ** 2, atol=1e-300)
    assert np.isnan(of(mine.t_values)[~sure]).all()
    assert np.isnan(of(mine.p_values)[~sure]).all()
    intervals = mine.confidence(0.9) if side is None else mine.confidence(0.9)[:, side]
    size = np.abs(theirs.params).max() + np.abs(theirs.bse).max()
    np.testing.assert_allclose(intervals, theirs.conf_int(0.1), rtol=0, atol=4 * tolerance * size)
    np.testing.assert_allclose(
        mine.covariance(side or 0), theirs.cov_params(), rtol=0, atol=2 * tolerance * np.abs(theirs.cov_params()).max()
    )
    np.testing.assert_allclose(of(mine.r_squared), theirs.rsquared, rtol=0, atol=2 * tolerance)
    np.testing.assert_allclose(of(mine.adjusted_r_squared), theirs.rsquared_adj, rtol=0, atol=2 * tolerance)
    np.testing.assert_allclose(of(mine.residual_variance), theirs.scale, rtol=2 * tolerance)
    assert (mine.rows, mine.residual_degrees, mine.model_degrees) == (theirs.nobs, theirs.df_resid, theirs.df_model)
    assert mine.is_centred == bool(theirs.k_constant)
    if with_f:
        np.testing.assert_allclose(of(mine.f_statistic), theirs.fvalue, rtol=2 * tolerance / min(theirs.rsquared, 1.0))
        np.testing.assert_allclose(
            of(mine.f_p_value), theirs.f_pvalue, rtol=tolerance * (1 + theirs.fvalue) * mine.rows, atol=1e-300
        )


def cases() -> Iterator[Any]:
    """Yield ordinary regressions."""
    rng = np.random.default_rng(1)
    n = 400
    A, noise = rng.standard_normal((n, 6)), rng.standard_normal(n)
    b = A @ np.array([1.0, -2, 0, 0.1, 3, 0.01]) + noise
    weights = rng.uniform(0.1, 4, n)
    uneven = A @ np.ones(6) + noise * (1 + A[:, 0] ** 2)
    tilted = A + 30 * rng.standard_normal((n, 1)) + 5
    yield pytest.param(Case(A, b), id="plain")
    yield pytest.param(Case(A, b + 4, intercept=True), id="intercept")
    yield pytest.param(Case(A, b, weights), id="weights")
    yield pytest.param(Case(A, uneven - 7, weights, True), id="weights and intercept")
    yield pytest.param(Case(tilted, tilted @ np.arange(6.0) + noise, intercept=True), id="correlated")
    yield pytest.param(Case(A[:, :1], b, intercept=True), id="one column")
    yield pytest.param(Case(A.astype(np.float32), b, weights * (rng.random(n) > 0.1), True), id="float32 and zero weights")
    yield pytest.param(Case(A, 1e-3 * noise, intercept=True), id="nothing to explain")


@pytest.mark.parametrize("case", list(cases()))
@pytest.mark.parametrize("robust", [None, *ROBUST])
def test_equals_statsmodels(case: Case, robust: str | None) -> None:
    """Every statistic, classical or robust, equals OLS or WLS of statsmodels to rounding."""
    assert_equal(case.solve().summary(robust=robust), oracle(case, robust=robust), case.tolerance())


@pytest.mark.parametrize("robust", [None, "HC3"])
def test_many_right_hand_sides(robust: str | None) -> None:
    """Three right-hand sides give three tables, each that of its side alone."""
    rng = np.random.default_rng(2)
    A = rng.standard_normal((300, 4))
    case = Case(A, A @ rng.standard_normal((4, 3)) + rng.standard_normal((300, 3)) * [0.1, 1, 10] + 2, intercept=True)

    summary = case.solve().summary(robust=robust)

    assert summary.coefficients.shape == (5, 3)
    assert summary.confidence().shape == (5, 3, 2)
    for side in range(3):
        assert_equal(summary, oracle(case, side, robust), case.tolerance(side), side)
    assert str(summary).count("right-hand side") == 3


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


@pytest.mark.parametrize("method", ["tsqr", "whitened", "gram", "sketch_and_solve"])
def test_large_offset(method: str) -> None:
    """A mean of b 10⁸ times its deviation costs no more digits of R² than the rounding of b did."""
    rng = np.random.default_rng(6)
    A = rng.standard_normal((1000, 5))
    b = A @ np.ones(5) + rng.standard_normal(1000)
    near, far = Case(A, b, intercept=True), Case(A, b + 1e8, intercept=True)

    summary, theirs = far.solve(method=method).summary(), oracle(near)

    tolerance = far.tolerance()
    assert tolerance < 1e-4
    np.testing.assert_allclose(summary.r_squared, theirs.rsquared, rtol=tolerance)
    np.testing.assert_allclose(summary.standard_errors, theirs.bse, rtol=tolerance)
    np.testing.assert_allclose(summary.f_statistic, theirs.fvalue, rtol=2 * tolerance)


@pytest.mark.parametrize("robust", [None, "HC3"])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method(method: str, robust: str | None) -> None:
    """Whatever solved it, the statistics are those of the exact factor."""
    rng = np.random.default_rng(7)
    A = rng.standard_normal((3000, 8))
    A[:, 1] = A[:, 0] + 1e-2 * A[:, 1]
    case = Case(A, A @ np.ones(8) + rng.standard_normal(3000), rng.uniform(0.5, 2, 3000), intercept=True)

    solution = case.solve(method=method)

    assert solution.method == method
    kappa = solution.certificate.scaled_condition
    squared = C * U * kappa**2 if method == "gram" else 0.0
    assert_equal(solution.summary(robust=robust), oracle(case, robust=robust), case.tolerance() + squared)


@pytest.mark.parametrize(
    ("method", "classical"),
    [
        ("tsqr", []),
        ("whitened", []),
        ("gram", []),
        ("conjugate_gradient", ["triangle"]),
        ("gradient_descent", ["triangle"]),
        ("sketch_and_solve", ["triangle & gradient"]),
    ],
)
def test_passes(method: str, classical: list[str]) -> None:
    """Statistics cost no pass from an exact factor, one from a sketch's, and one more if robust."""
    rng = np.random.default_rng(8)
    engine = Counting()
    solution = ds.lstsq(rng.standard_normal((2000, 5)), rng.standard_normal(2000), intercept=True, method=method, cluster=engine)
    before = len(engine.ran)

    summary = solution.summary()
    assert engine.ran[before:] == classical == list(summary.passes)

    summary = solution.summary(robust="HC0")
    assert engine.ran[before + len(classical) :] == [*classical, "sandwich"] == list(summary.passes)


def test_gram_of_poor_condition() -> None:
    """Where u·kappa² would show in the errors, one pass replaces the factor that came from a Gram matrix."""
    rng = np.random.default_rng(9)
    A = rng.standard_normal((2000, 5))
    A[:, 1] = A[:, 0] + 1e-5 * A[:, 1]
    case = Case(A, A @ np.ones(5) + rng.standard_normal(2000))

    solution = case.solve(method="gram")
    summary = solution.summary()

    assert solution.method == "gram"
    assert summary.passes == ("triangle",)
    kappa = np.linalg.cond(A)
    assert C * U * kappa < 1e-8 < U * kappa**2
    np.testing.assert_allclose(summary.standard_errors, oracle(case).bse, rtol=C * 5 * U * kappa)


@pytest.mark.cluster
@pytest.mark.parametrize("method", ["tsqr", "sketch_and_solve"])
def test_cluster_gives_the_same_bits(client: Client, stored: Callable[..., str], method: str) -> None:
    """On Zarr blocks read by two workers the statistics have the bits of one process, and are statsmodels'."""
    rng = np.random.default_rng(10)
    n = 40_000
    A, weights = rng.standard_normal((n, 10)), rng.uniform(0.5, 2, n)
    case = Case(A, A @ np.ones(10) + rng.standard_normal(n) * (1 + A[:, 1] ** 2), weights, True)
    paths = [stored(name, array, 3000, compressors="auto") for name, array in (("A", A), ("b", case.b), ("w", weights))]

    def summary(cluster: Any) -> Summary:
        solution = ds.lstsq(*paths[:2], weights=paths[2], intercept=True, method=method, cluster=cluster)
        return solution.summary(robust="HC3")

    here, there = summary("serial"), summary(client)

    assert np.array_equal(here.standard_errors, there.standard_errors)
    assert np.array_equal(here.covariance(), there.covariance())
    assert here.f_statistic == there.f_statistic
    assert_equal(there, oracle(case, robust="HC3"), case.tolerance())


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


def test_names(stored: Callable[..., str]) -> None:
    """Coefficients are named by the user, else by the attribute of the Zarr array, else by number."""
    rng = np.random.default_rng(15)
    A, b = rng.standard_normal((100, 2)), rng.standard_normal(100)
    path = stored("A", A)
    assert ds.lstsq(path, b, intercept=True).summary().names == ("x0", "x1", "intercept")

    zarr.open_array(path, mode="a").attrs["columns"] = ["age", "height"]
    solution = ds.lstsq(path, b, intercept=True)

    assert solution.summary().names == ("age", "height", "intercept")
    assert solution.summary(names=["a", "b"]).names == ("a", "b", "intercept")
    assert solution.summary(names=["a", "b", "level"]).names == ("a", "b", "level")
    assert "\nheight " in str(solution.summary())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"robust": "HC4"}, "HC0, HC1, HC2, HC3; got 'HC4'"),
        ({"robust": True}, "got True"),
        ({"level": 95}, "between 0 and 1; got 95"),
        ({"level": "high"}, "got 'high'"),
        ({"names": ["a"]}, "each of the 2 columns of A; got 1"),
        ({"names": []}, "each of the 2 columns of A; got 0"),
    ],
)
def test_refusals(asked: dict[str, Any], message: str) -> None:
    """What cannot be summarized is refused with the value and the remedy, before any pass."""
    engine = Counting()
    solution = ds.lstsq(np.eye(4)[:, :2], np.ones(4), cluster=engine, method="sketch_and_solve")
    before = len(engine.ran)
    with pytest.raises(ds.SpecError, match=message):
        solution.summary(**asked)
    assert len(engine.ran) == before


def test_refuses_ridge() -> None:
    """A biased estimate has no standard errors; alpha = 0 is least squares and has."""
    rng = np.random.default_rng(16)
    A, b = rng.standard_normal((60, 3)), rng.standard_normal(60)
    with pytest.raises(ds.SpecError, match=r"alpha = 2\.0.*LeastSquares"):
        ds.ridge(A, b, 2.0).summary()
    case = Case(A, b)
    assert_equal(ds.ridge(A, b, 0.0).summary(), oracle(case), case.tolerance())


def test_sides_and_levels_are_checked() -> None:
    """A side or a level that is not there is refused."""
    summary = ds.lstsq(np.eye(4)[:, :2], np.ones(4)).summary()
    with pytest.raises(ds.SpecError, match="1 right-hand sides"):
        summary.covariance(1)
    with pytest.raises(ds.SpecError, match="got 2"):
        summary.confidence(2)


def test_no_engine_without_a_pass() -> None:
    """A summary that needs no pass connects to nothing; one that does says that nobody answers."""
    rng = np.random.default_rng(17)
    solution = ds.lstsq(rng.standard_normal((100, 2)), rng.standard_normal(100), method="tsqr")
    nowhere = "no-such-scheme://nowhere:1"

    assert solution.summary(cluster=nowhere).passes == ()
    with pytest.raises(ds.EngineError, match="no-such-scheme"):
        solution.summary(cluster=nowhere, robust="HC0")


def test_text_and_json() -> None:
    """The table shows every coefficient with its numbers; the dictionary survives strict JSON."""
    rng = np.random.default_rng(18)
    case = Case(rng.standard_normal((80, 2)), rng.standard_normal(80), intercept=True)
    summary = case.solve().summary(names=["left", "right"], robust="HC3", level=0.9)

    text, theirs = str(summary), oracle(case, robust="HC3")
    low, high = theirs.conf_int(0.1)[1]
    assert f"{theirs.params[1]:.5g}" in text
    assert f"{theirs.bse[1]:.4g}" in text
    assert f"{low:.5g} " in text
    assert f"{high:.5g}" in text
    assert "[0.05" in text
    assert "HC3" in text

    plain = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert plain["names"] == ["left", "right", "intercept"]
    assert plain["r_squared"] == summary.r_squared
    assert np.array(plain["confidence"]).shape == (3, 2)
    assert "spread" not in plain


def test_singular_values() -> None:
    """Singular values and condition are those of √W A."""
    rng = np.random.default_rng(19)
    case = Case(rng.standard_normal((90, 3)), rng.standard_normal(90), rng.uniform(1, 2, 90))
    summary = case.solve().summary()
    expected = np.linalg.svd(np.sqrt(case.weights)[:, None] * case.A, compute_uv=False)
    np.testing.assert_allclose(summary.singular_values, expected, rtol=C * 3 * U)
    assert summary.condition == summary.singular_values[0] / summary.singular_values[-1]
