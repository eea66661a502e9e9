"""Paths are scikit-learn's on the same folds, all points certified, in two passes."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNetCV

import dsketch as ds
from dsketch.errors import DataError, SpecError
from dsketch.passes.fold_grams import fold_of_rows
from tests.problems.penalized.cases import data, solve


def splits(rows: int, folds: int, seed: int = 0) -> list[Any]:
    """Return the folds of a run as scikit-learn takes them."""
    number = fold_of_rows(seed, 0, rows, folds)
    return [(np.flatnonzero(number != fold), np.flatnonzero(number == fold)) for fold in range(folds)]


@pytest.mark.parametrize("method", ["gram", "triangle"])
@pytest.mark.parametrize(("ratio", "intercept", "is_weighted"), [(1.0, True, False), (0.5, False, False), (0.3, True, True)])
def test_it_is_elastic_net_cv(method: str, ratio: float, intercept: bool, is_weighted: bool) -> None:
    """The same alphas, errors by fold, best alpha and coefficients; a gap for all 60 points; two passes."""
    A, b = data()
    w = np.random.default_rng(1).uniform(0.5, 2, len(b)) if is_weighted else None

    found = solve(ds.ElasticNetPath(A, b, l1_ratio=ratio, intercept=intercept, weights=w), method=method)

    model = ElasticNetCV(
        alphas=60, l1_ratio=ratio, fit_intercept=intercept, cv=splits(len(b), 5), tol=1e-13, max_iter=200_000
    ).fit(A, b, sample_weight=w)
    told = found.certificate
    assert found.status is ds.Status.SOLVED
    assert len(found.passes) == 2
    assert np.allclose(told.alphas, model.alphas_, rtol=1e-12)
    assert np.allclose(found.answer.cross_validation.by_fold, model.mse_path_.T, rtol=1e-10)
    assert told.alphas[told.best] == pytest.approx(model.alpha_, rel=1e-12)
    assert np.abs(found.x[:8, told.best] - model.coef_).max() <= 1e-9
    assert told.gap.max() <= 1e-20
    assert not found.x[:8, 0].any()


def test_simplest_within_one_standard_error() -> None:
    """The largest alpha whose mean is at most the least plus its standard error."""
    A, b = data()
    told = solve(ds.ElasticNetPath(A, b, l1_ratio=1.0, intercept=True, folds=7)).certificate

    limit = told.cv_mean[told.best] + told.cv_standard_error[told.best]
    assert told.best == np.argmin(told.cv_mean)
    assert told.simplest == np.flatnonzero(told.cv_mean <= limit)[0]
    assert told.alphas[told.simplest] > told.alphas[told.best]


def test_points_are_elastic_nets() -> None:
    """Given values, of several ratios, falling in each: each column is the answer of its own problem."""
    A, b = data()
    found = solve(ds.ElasticNetPath(A, b, alphas=[0.01, 1.0, 0.2], l1_ratio=[1.0, 0.0], folds=0, intercept=True))

    assert found.certificate.alphas.tolist() == [1.0, 0.2, 0.01] * 2
    assert found.certificate.l1_ratios.tolist() == [1.0] * 3 + [0.0] * 3
    assert found.certificate.best is None
    for point in range(6):
        alpha, ratio = found.certificate.alphas[point], found.certificate.l1_ratios[point]
        alone = solve(ds.ElasticNet(A, b, alpha=alpha, l1_ratio=ratio, intercept=True))
        assert np.abs(found.x[:, point] - alone.x).max() <= 1e-13


def test_best_of_several_ratios() -> None:
    """The simplest point has the best one's ratio."""
    A, b = data()
    told = solve(ds.ElasticNetPath(A, b, alphas=20, l1_ratio=[0.1, 0.9], intercept=True)).certificate

    assert told.l1_ratios[told.simplest] == told.l1_ratios[told.best]
    assert told.alphas[told.simplest] >= told.alphas[told.best]


def test_the_seed_decides_the_folds() -> None:
    """Another seed, other errors; the same path."""
    A, b = data()
    first, second = (solve(ds.ElasticNetPath(A, b, alphas=10), seed=seed) for seed in (0, 1))

    assert np.array_equal(first.x, second.x) or np.allclose(first.x, second.x, rtol=1e-12)
    assert not np.array_equal(first.certificate.cv_mean, second.certificate.cv_mean)


def test_sparse_rows_and_columns_far_from_zero() -> None:
    """CSR as dense; columns at 1e6 of their spread as near ones."""
    A = sp.random_array((500, 8), density=0.3, rng=np.random.default_rng(2), format="csr")
    b = A @ np.arange(8.0) + np.random.default_rng(3).standard_normal(500)
    thin, dense = (solve(ds.ElasticNetPath(rows, b, alphas=12, intercept=True)) for rows in (A, A.toarray()))
    assert np.allclose(thin.x, dense.x, rtol=1e-11, atol=1e-13)
    assert np.allclose(thin.certificate.cv_mean, dense.certificate.cv_mean, rtol=1e-12)

    near = np.round(data()[0] * 2**20) / 2**20
    first, second = (solve(ds.ElasticNetPath(rows, data()[1], alphas=12, intercept=True)) for rows in (near, near + 2.0**20))
    assert np.allclose(first.x[:-1], second.x[:-1], rtol=1e-9, atol=1e-12)
    assert np.allclose(first.certificate.cv_mean, second.certificate.cv_mean, rtol=1e-10)
    assert np.allclose(second.predict(near[:9] + 2.0**20), first.predict(near[:9]), rtol=1e-11)


def test_folds_are_even_and_of_rows_alone() -> None:
    """Sizes differ by one at most, every run of K rows has all folds, and any window of rows has its own part of them."""
    whole = fold_of_rows(3, 0, 1003, 7)

    sizes = np.bincount(whole)
    assert sizes.max() - sizes.min() <= 1
    assert (np.sort(whole[:1001].reshape(-1, 7), axis=1) == np.arange(7)).all()
    assert np.array_equal(fold_of_rows(3, 401, 777, 7), whole[401:777])
    assert not np.array_equal(fold_of_rows(4, 0, 1003, 7), whole)


def test_diabetes() -> None:
    """Real data: scikit-learn's choice on the same folds."""
    A, b = load_diabetes(return_X_y=True)

    found = solve(ds.ElasticNetPath(A, b, l1_ratio=1.0, intercept=True, alphas=30))

    model = ElasticNetCV(alphas=30, l1_ratio=1.0, cv=splits(442, 5), tol=1e-13, max_iter=200_000).fit(A, b)
    told = found.certificate
    assert told.alphas[told.best] == pytest.approx(model.alpha_, rel=1e-12)
    assert np.abs(found.x[:-1, told.best] - model.coef_).max() <= 1e-8
    assert told.gap.max() <= 1e-12


def test_dependent_columns() -> None:
    """A duplicate: the objective of each point is certified all the same."""
    A, b = data()
    found = solve(ds.ElasticNetPath(np.column_stack([A, A[:, 0]]), b, l1_ratio=1.0, alphas=15))

    assert found.status is ds.Status.SOLVED
    assert found.certificate.gap.max() <= 1e-12


def test_words_for_people_and_documents() -> None:
    """The text names the chosen alphas, the document holds the curve, and a stored x knows the penalty of each column."""
    A, b = data()
    found = solve(ds.ElasticNetPath(A, b, alphas=8, intercept=True))
    text, document = str(found), found.to_dict()

    assert "best        alpha" in text
    assert "simplest    alpha" in text
    assert len(document["certificate"]["cv_mean"]) == 8
    assert document["certificate"]["best"] == found.certificate.best
    judged = ds.check(ds.ElasticNetPath(A, b, alphas=8, intercept=True), found.x, progress=False)
    assert (judged.backward_error <= 16 * np.finfo(float).eps).all()
    assert np.allclose(judged.alphas, found.certificate.alphas, rtol=1e-13)
    assert judged.cv_mean is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alphas": 0}, "alphas must be from 1"),
        ({"alphas": []}, "alphas must be from 1"),
        ({"alphas": [-1.0, 2.0]}, "each of alphas must be a number ≥ 0; got -1.0"),
        ({"alphas": [[1.0], [2.0]]}, "in a row"),
        ({"l1_ratio": 0.0}, "must be given as values"),
        ({"l1_ratio": 2}, "from 0 to 1"),
        ({"eps": 1.0}, "eps must lie between"),
        ({"folds": 1}, "folds must be 0"),
        ({"folds": 601}, "folds must be 0"),
    ],
)
def test_impossible_options(options: dict[str, Any], words: str) -> None:
    """Refused at the door, with what was found."""
    with pytest.raises(SpecError, match=words):
        ds.ElasticNetPath(*data(), **options)


def test_data_that_have_no_path() -> None:
    """Several right-hand sides; a fold whose rows weigh nothing; NaN by row."""
    A, b = data()
    with pytest.raises(DataError, match="one vector"):
        ds.ElasticNetPath(A, np.column_stack([b, b]))
    with pytest.raises(DataError, match="fold 2"):
        solve(ds.ElasticNetPath(A, b, weights=(fold_of_rows(0, 0, 600, 5) != 2).astype(float)))
    A[33, 2] = np.nan
    with pytest.raises(DataError, match="row 33, column 2"):
        solve(ds.ElasticNetPath(A, b))


def test_tiny_data() -> None:
    """Two rows, two folds, one column, one alpha; a constant b has the path of zeros."""
    found = solve(ds.ElasticNetPath([[1.0], [2.0]], [1.0, 3.0], alphas=1, folds=2))
    assert found.x.shape == (1, 1)
    assert found.x[0, 0] == 0
    flat = solve(ds.ElasticNetPath(data()[0], np.full(600, 3.0), alphas=4, intercept=True))
    assert not flat.x[:-1].any()
