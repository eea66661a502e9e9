"""The Hessian of several outputs: all ways of summing it give the same matrix."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

from dsketch.losses.softmax import Softmax
from dsketch.passes.class_gram import add_class_gram, is_paired
from dsketch.passes.linked import add_weighted_gram

EPS = float(np.finfo(float).eps)


def curvatures(rows: int, classes: int) -> np.ndarray:
    """Return those of a softmax, shape (rows, K − 1, K − 1)."""
    random = np.random.default_rng(1)
    eta = 3 * random.standard_normal((rows, classes - 1))
    return Softmax(classes).terms(eta, random.integers(0, classes, rows).astype(float)).curvature


@pytest.mark.parametrize(("rows", "columns", "classes"), [(700, 1, 4), (300, 7, 12), (90, 40, 12), (5, 3, 30)])
def test_pairs_of_outputs_and_columns_are_the_blocks(rows: int, columns: int, classes: int) -> None:
    """Dense rows by pairs, CSR rows block by block: equal to rounding of n terms, and symmetric to the last bit."""
    X, C = np.random.default_rng(0).standard_normal((rows, columns)), curvatures(rows, classes)
    wide = columns * (classes - 1)
    dense, sparse = np.zeros((wide, wide)), np.zeros((wide, wide))
    assert is_paired(columns, classes - 1)

    add_weighted_gram(dense, X, C)
    add_weighted_gram(sparse, scipy.sparse.csr_array(X), C)

    sizes = np.einsum("ikl,ia,ib->kalb", np.abs(C), np.abs(X), np.abs(X)).reshape(wide, wide)
    assert (np.abs(dense - sparse) <= 4 * np.sqrt(rows) * EPS * sizes).all()
    assert np.array_equal(dense, dense.T)


def test_it_adds_to_what_is_there() -> None:
    """Small whole numbers are summed exactly, beside what a slice before has left."""
    random = np.random.default_rng(2)
    X = random.integers(-4, 5, (9, 3)).astype(float)
    half = random.integers(-3, 4, (9, 4, 4)).astype(float)
    C = half + half.transpose(0, 2, 1)
    gram = np.ones((12, 12))

    add_class_gram(gram, X, C)

    for k, a, m, b in np.ndindex(4, 3, 4, 3):
        wanted = 1 + sum(Fraction(C[i, k, m]) * Fraction(X[i, a]) * Fraction(X[i, b]) for i in range(9))
        assert Fraction(gram[3 * k + a, 3 * m + b]) == wanted
