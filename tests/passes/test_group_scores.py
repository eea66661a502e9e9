"""Sums of scores by group: the dense formula, whatever the cuts, and a table that stays small."""

import numpy as np
import pytest
import scipy.sparse

from dsketch._linalg.factor import Factor
from dsketch.engine import SerialEngine
from dsketch.errors import DataError
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.beside import Beside
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.group_scores import Groups, LinearGroupScores
from dsketch.testing.recut import Recut

EPS = np.finfo(float).eps
N, D = 5000, 4


def draw(is_sparse: bool = False) -> tuple[np.ndarray, ...]:
    """Return A, b, weights and groups."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((N, D)) * (rng.random((N, D)) < (0.3 if is_sparse else 1))
    return A, rng.standard_normal(N), rng.uniform(0, 2, N).round(), rng.integers(-9, 90, N).astype(float)


def run(cuts: list[int], *, is_sparse: bool = False, most: int = 1000) -> Groups:
    """Return what the pass finds at x = 1."""
    A, b, w, groups = draw(is_sparse)
    base = open_matrix(scipy.sparse.csr_array(A)) if is_sparse else ArrayMatrix(A)
    beside = Beside(b=ArrayMatrix(b[:, None]), weights=ArrayMatrix(w[:, None]), groups=ArrayMatrix(groups[:, None]))
    pass_ = LinearGroupScores(Factor.of(A).whitener, 1, most, np.ones((D, 1)), True)
    return pass_.finish(SerialEngine(1).run(Look(pass_, Rows(Recut(base, np.array(cuts)), beside)), ignore))


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("cuts", [[0, N], [0, 1, 17, 2048, 2049, 4500, N], list(range(0, N + 1, 50))])
def test_equals_the_dense_formula(cuts: list[int], is_sparse: bool) -> None:
    """The meat is Σ (Tᵀs)(Tᵀs)ᵀ, the count that of rows of positive weight; cuts change rounding alone."""
    A, b, w, groups = draw(is_sparse)
    scores = A * (w * (b - A.sum(axis=1)))[:, None]
    T = Factor.of(A).whitener.apply(np.eye(D))
    U = np.stack([scores[groups == g].sum(axis=0) for g in np.unique(groups)]) @ T

    found = run(cuts, is_sparse=is_sparse)

    np.testing.assert_allclose(found.meat[0], U.T @ U, rtol=0, atol=64 * N * EPS * np.linalg.norm(U) ** 2 / np.sqrt(N))
    assert (found.groups, found.rows) == (len(np.unique(groups)), np.count_nonzero(w))


def test_too_many_groups() -> None:
    """A table that would not fit is refused with its size and a remedy, wherever it grows too large."""
    with pytest.raises(DataError, match=r"at most 50 groups .* of 48 bytes each .* coarser groups"):
        run([0, N], most=50)
    with pytest.raises(DataError, match="at most 98 groups"):
        run(list(range(0, N + 1, 50)), most=98)


def test_parts_merge_in_one_order() -> None:
    """A table is sorted by group, so that left with right has the bits of one map over both where no group is split."""
    A, b, _, _ = draw()
    groups = np.repeat(np.arange(50.0), N // 50)
    rows = Rows(ArrayMatrix(A), Beside(b=ArrayMatrix(b[:, None]), groups=ArrayMatrix(groups[:, None])))
    pass_ = LinearGroupScores(Factor.of(A).whitener, 1, 100, np.ones((D, 1)), False)

    left, right = (pass_.map(rows.block(low, low + N // 2), None) for low in (0, N // 2))
    merged = pass_.merge(right, left)

    assert all(np.array_equal(mine, other) for mine, other in zip(merged, pass_.merge(left, right), strict=True))
    assert np.array_equal(merged[0], np.arange(50.0))
    assert pass_.part_bytes(D, 2) >= sum(array.nbytes for array in merged)
