"""The sums of folds are those of their rows, whatever the blocks; so are the weights."""

from typing import Any

import numpy as np
import pytest

from dsketch.passes.fold_grams import FoldGrams, fold_of_rows
from dsketch.passes.gradient import Gradient
from dsketch.passes.total_weight import TotalWeight
from tests.passes.test_passes import N, cases, close, data, point, run


@cases
@pytest.mark.parametrize("folds", [1, 2, 7])
def test_sums_are_those_of_the_rows_of_each_fold(case: dict[str, Any], folds: int) -> None:
    """AᵀA, Aᵀb, squares of b and Σ w of the rows that the words put there."""
    d = data(**case)
    found = run(FoldGrams(folds, 5), d.rows)
    number = fold_of_rows(5, 0, N, folds)

    assert len(found.G) == folds
    for fold in range(folds):
        A, b = d.A[number == fold], d.b[number == fold]
        assert close(found.G[fold], A.T @ A, np.abs(A).T @ np.abs(A))
        assert close(found.c[fold], A.T @ b, np.abs(A).T @ np.abs(b))
        assert close(found.bb[fold], np.sum(b**2, axis=0), np.sum(b**2, axis=0))
        assert found.weight[fold] == pytest.approx(d.w[number == fold].sum(), rel=1e-14)


@cases
def test_weights_add_up(case: dict[str, Any]) -> None:
    """Σ w, or the number of rows."""
    d = data(**case)

    assert run(TotalWeight(), d.rows) == pytest.approx(d.w.sum(), rel=1e-14)


def test_a_gradient_at_many_points() -> None:
    """One column of b, several of x: each as alone."""
    d = data()
    x = point(d.A.shape[1], 4)

    found = run(Gradient(x), d.rows)

    r = d.b - d.A @ x
    size = np.abs(d.b) + np.abs(d.A) @ np.abs(x)
    assert close(found.g, d.A.T @ r, np.abs(d.A).T @ size)
    assert close(found.rr, np.sum(r**2, axis=0), np.sum(size**2, axis=0))
    assert np.allclose(found.spread, np.sum((d.b - d.b.mean()) ** 2), rtol=1e-13)
