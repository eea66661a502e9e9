"""Elastic nets are scikit-learn's, with exact zeros and a duality gap, in two passes."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model
from sklearn.datasets import load_diabetes

import dsketch as ds
from dsketch.errors import DataError, SpecError
from tests.problems.penalized.cases import EPS, centred, data, solve, spread

METHODS = ("gram", "triangle")


def reference(A: Any, b: Any, alpha: float, ratio: float, weights: Any = None) -> Any:
    """Return scikit-learn's coefficients at the least tolerance that it reaches."""
    model = linear_model.ElasticNet(alpha=alpha, l1_ratio=ratio, fit_intercept=False, tol=1e-15, max_iter=500_000)
    return model.fit(A, b, sample_weight=weights).coef_


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("alpha", "ratio"), [(0.05, 0.5), (0.1, 1.0), (0.7, 0.2)])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_it_is_scikit_learn_s(method: str, alpha: float, ratio: float, is_weighted: bool) -> None:
    """With an intercept, weighted or not: the same coefficients, the same zeros, a gap far below 1e-12, in two passes."""
    A, b = data()
    w = np.random.default_rng(1).uniform(0.2, 3, len(A)) if is_weighted else None

    found = solve(ds.ElasticNet(A, b, alpha=alpha, l1_ratio=ratio, intercept=True, weights=w), method=method)

    expected = reference(*centred(A, b, w), alpha, ratio, w)
    assert found.status is ds.Status.SOLVED
    assert found.method == method
    assert len(found.passes) == 2
    assert np.abs(found.x[:-1] - expected).max() <= 1e-12
    assert ((found.x[:-1] == 0) == (expected == 0)).all()
    assert found.x[-1] == pytest.approx(np.average(b - A @ found.x[:-1], weights=w), rel=1e-13)
    assert found.certificate.gap.max() <= 1e-24
    assert found.certificate.kkt.max() <= 64 * EPS


@pytest.mark.parametrize("method", METHODS)
def test_columns_in_any_unit(method: str) -> None:
    """Units of 1e±4: the penalty is by unit, as in scikit-learn, and no column loses digits."""
    A, b = data(units=4)

    found = solve(ds.ElasticNet(A, b, alpha=0.02, l1_ratio=0.9), method=method)

    assert np.abs(spread(A, found.x - reference(A, b, 0.02, 0.9))).max() <= 1e-11
    assert found.certificate.forward_error.max() <= 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_columns_far_from_zero(method: str) -> None:
    """Beside an intercept, columns at 1e9 of their spread keep their digits, in x and in predictions of new rows."""
    A, b = data()
    near = solve(ds.ElasticNet(A, b, alpha=0.05, intercept=True), method=method)
    far = np.round(A * 2**20) / 2**20 + 2.0**30  # exact in float64

    found = solve(ds.ElasticNet(far, b, alpha=0.05, intercept=True), method=method)
    again = solve(ds.ElasticNet(far - 2.0**30, b, alpha=0.05, intercept=True), method=method)

    assert np.abs(found.x[:-1] - again.x[:-1]).max() <= 1e-13
    assert np.abs(found.x[:-1] - near.x[:-1]).max() <= 1e-5
    assert np.abs(found.predict(far[:50]) - again.predict(far[:50] - 2.0**30)).max() <= 1e-12
    assert any("shifted" in note for note in found.notes)
    assert ds.check(ds.ElasticNet(far, b, alpha=0.05, intercept=True), found.x, progress=False).backward_error[0] <= 16 * EPS


@pytest.mark.parametrize("method", METHODS)
def test_ratio_0_is_ridge(method: str) -> None:
    """Without ‖x‖₁ it is ridge regression with alpha Σ w, in closed form."""
    A, b = data()

    found = solve(ds.ElasticNet(A, b, alpha=0.3, l1_ratio=0.0, intercept=True), method=method)
    expected = ds.ridge(A, b, alpha=0.3 * len(A), intercept=True, progress=False)

    assert np.abs(found.x - expected.x).max() <= 1e-13


@pytest.mark.parametrize("method", METHODS)
def test_alpha_0_is_least_squares(method: str) -> None:
    """Without a penalty; of dependent columns the shortest answer, which the status says."""
    A, b = data()

    found = solve(ds.ElasticNet(A, b, alpha=0, intercept=True), method=method)
    lacking = np.column_stack([A, A[:, 0] - 2 * A[:, 3]])
    shortest = solve(ds.ElasticNet(lacking, b, alpha=0), method=method)

    assert np.abs(found.x - ds.lstsq(A, b, intercept=True, progress=False).x).max() <= 1e-13
    assert shortest.status is ds.Status.MINIMUM_NORM
    assert np.abs(shortest.x - np.linalg.lstsq(lacking, b)[0]).max() <= 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_the_largest_alpha_and_beyond_make_zeros(method: str) -> None:
    """From max |Aᵀ(b − mean)|/n on every coefficient is exactly 0; just below it one is not."""
    A, b = data()
    largest = np.abs(centred(A, b)[0].T @ centred(A, b)[1]).max() / len(A)

    for factor, free in ((3.0, 0), (1 + 1e-12, 0), (1 - 1e-9, 1)):
        found = solve(ds.ElasticNet(A, b, alpha=factor * largest, l1_ratio=1.0, intercept=True), method=method)
        assert np.count_nonzero(found.x[:-1]) == free
        assert found.status is ds.Status.SOLVED


@pytest.mark.parametrize("method", METHODS)
def test_each_side_is_a_problem_of_its_own(method: str) -> None:
    """Several columns of b are answered side by side, as one by one."""
    A, b = data()
    sides = np.column_stack([b, A[:, 0] - b, np.ones(len(b))])

    found = solve(ds.ElasticNet(A, sides, alpha=0.1, intercept=True), method=method)

    assert found.x.shape == (9, 3)
    for side in range(3):
        alone = solve(ds.ElasticNet(A, sides[:, side], alpha=0.1, intercept=True), method=method)
        assert np.abs(found.x[:, side] - alone.x).max() <= 1e-14


@pytest.mark.parametrize("method", METHODS)
def test_dependent_columns_are_told(method: str) -> None:
    """With a duplicate lasso's minimizer is one of many, which a note says; its objective is the least; a ridge makes it one."""
    A, b = data()
    twice = np.column_stack([A, A[:, 0], np.zeros(len(A))])

    lasso = solve(ds.ElasticNet(twice, b, alpha=0.05, l1_ratio=1.0), method=method)
    single = solve(ds.ElasticNet(A, b, alpha=0.05, l1_ratio=1.0), method=method)
    unique = solve(ds.ElasticNet(twice, b, alpha=0.05, l1_ratio=0.5), method=method)

    assert lasso.status is ds.Status.SOLVED
    assert any("one of many" in note for note in lasso.notes)
    assert lasso.x[-1] == 0
    assert lasso.x[0] + lasso.x[-2] == pytest.approx(single.x[0], rel=1e-12)
    assert np.abs(lasso.x).sum() == pytest.approx(np.abs(single.x).sum(), rel=1e-12)
    assert not unique.notes
    assert unique.x[0] == pytest.approx(unique.x[-2], rel=1e-9)


def test_a_gram_matrix_gives_way_to_the_triangle() -> None:
    """Where rounding could hide in AᵀA of the free columns, the next method takes over, and says so."""
    rng = np.random.default_rng(2)
    A = np.linalg.qr(rng.standard_normal((500, 6)))[0] * np.geomspace(1, 1e-8, 6) @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    b = A @ rng.standard_normal(6) + 1e-9 * rng.standard_normal(500)

    found = solve(ds.ElasticNet(A, b, alpha=1e-16, l1_ratio=1.0), method="gram")

    assert found.method == "triangle"
    assert found.status is ds.Status.SOLVED
    assert "gram gave way to triangle" in found.notes[0]


def test_wide_matrices() -> None:
    """More columns than rows: the lasso of scikit-learn, at most n coefficients."""
    A, b = data(30, 80)

    found = solve(ds.ElasticNet(A, b, alpha=0.1, l1_ratio=1.0))

    assert np.abs(found.x - reference(A, b, 0.1, 1.0)).max() <= 1e-10
    assert found.certificate.gap.max() <= 1e-20


def test_sparse_rows() -> None:
    """CSR rows give the answer of the dense ones."""
    A = sp.random_array((400, 12), density=0.2, rng=np.random.default_rng(3), format="csr")
    b = A @ np.arange(12.0) + np.random.default_rng(4).standard_normal(400)

    for method in METHODS:
        found = solve(ds.ElasticNet(A, b, alpha=0.01, intercept=True), method=method)
        dense = solve(ds.ElasticNet(A.toarray(), b, alpha=0.01, intercept=True), method=method)
        assert np.abs(found.x - dense.x).max() <= 1e-12


def test_tiny_data() -> None:
    """One row, one column, a constant b, b = 0."""
    one = solve(ds.ElasticNet([[2.0]], [3.0], alpha=1.0, l1_ratio=1.0))
    assert one.x[0] == pytest.approx((2 * 3 - 1) / 4)  # (|ab| − alpha)/a²
    constant = solve(ds.ElasticNet(data()[0], np.full(600, 7.0), alpha=0.1, intercept=True))
    assert np.array_equal(constant.x[:-1], np.zeros(8))
    assert constant.x[-1] == pytest.approx(7.0, rel=4 * EPS)
    assert constant.certificate.gap[0] <= 1e-12
    nothing = solve(ds.ElasticNet(data()[0], np.zeros(600), alpha=0.1))
    assert not nothing.x.any()
    assert nothing.certificate.gap[0] == 0


def test_diabetes() -> None:
    """Real data: the coefficients of scikit-learn's Lasso on the ten columns of the diabetes study."""
    A, b = load_diabetes(return_X_y=True)

    found = solve(ds.ElasticNet(A, b, alpha=0.1, l1_ratio=1.0, intercept=True))

    expected = linear_model.Lasso(alpha=0.1, tol=1e-15, max_iter=500_000).fit(A, b)
    assert np.abs(found.x[:-1] - expected.coef_).max() <= 1e-9
    assert found.x[-1] == pytest.approx(expected.intercept_, rel=1e-12)
    assert np.count_nonzero(found.x[:-1]) == np.count_nonzero(expected.coef_)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": -1.0}, "alpha must be a number ≥ 0"),
        ({"alpha": np.nan}, "alpha must be a number ≥ 0"),
        ({"l1_ratio": 1.5}, "l1_ratio must be a number from 0"),
        ({"l1_ratio": "all"}, "l1_ratio must be a number from 0"),
        ({"intercept": 2}, "intercept must be True or False"),
    ],
)
def test_impossible_options(options: dict[str, Any], words: str) -> None:
    """Refused at the door, with what was found."""
    with pytest.raises(SpecError, match=words):
        ds.ElasticNet(*data(), **options)


def test_bad_numbers_are_named_by_row() -> None:
    """A NaN, an infinity, a negative weight: the row is named; weights that are all 0 say so."""
    A, b = data()
    A[417, 3] = np.nan
    with pytest.raises(DataError, match="row 417, column 3"):
        solve(ds.ElasticNet(A, b))
    A[417, 3], b[99] = 0.0, np.inf
    with pytest.raises(DataError, match="row 99"):
        solve(ds.ElasticNet(A, b))
    b[99], w = 0.0, np.ones(600)
    w[7] = -1
    with pytest.raises(DataError, match="row 7"):
        solve(ds.ElasticNet(A, b, weights=w))
    with pytest.raises(DataError, match="at least one row"):
        solve(ds.ElasticNet(A, b, weights=np.zeros(600)))
    masked = np.ma.masked_array(A, mask=np.zeros(A.shape, bool))
    masked[5, 1] = np.ma.masked
    with pytest.raises(DataError, match="row 5"):
        solve(ds.ElasticNet(masked, b))


def test_a_row_of_weight_0_is_no_row() -> None:
    """Nor does it count in Σ w."""
    A, b = data()
    w = np.ones(600)
    w[300:] = 0

    found = solve(ds.ElasticNet(A, b, alpha=0.1, weights=w))

    assert np.abs(found.x - solve(ds.ElasticNet(A[:300], b[:300], alpha=0.1)).x).max() <= 1e-13
