"""Every pass gives of sparse rows what it gives of dense ones."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import dsketch as ds
from dsketch._linalg.factor import Factor
from dsketch.engine import SerialEngine
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Block, Rows
from dsketch.passes import Both, Gradient, Gram, Look, Normal, Sketching, Touch, WhitenedGram
from dsketch.passes.fold_grams import FoldGrams
from dsketch.passes.rowwise import Rowwise
from dsketch.passes.total_weight import TotalWeight
from dsketch.passes.transposed import Transposed
from dsketch.sketch import SKETCHES, SparseSign
from tests.matrix.csr import D, N, sparse

EPS = float(np.finfo(float).eps)

_A = sparse().toarray().astype(float)
_X1, _X3 = np.random.default_rng(5).standard_normal((D + 1, 1)), np.random.default_rng(6).standard_normal((D + 1, 3))
_FACTOR = Factor.of(np.column_stack([_A, np.ones(N)]) + 1e-3 * np.eye(N, D + 1))

# name → (pass, size of the terms that it adds up, from ‖A‖_F, ‖b‖ and n)
PASSES: dict[str, tuple[Any, Callable[[float, float], float]]] = {
    "gradient": (Gradient(_X1), lambda a, b: (1 + a) * (b + a * np.linalg.norm(_X1)) ** 2),
    "gradient, 3 sides": (Gradient(_X3), lambda a, b: (1 + a) * (b + a * np.linalg.norm(_X3)) ** 2),
    "normal": (Normal(_X1), lambda a, _: a**2 * np.linalg.norm(_X1)),
    "normal, 3 sides": (Normal(_X3), lambda a, _: a**2 * np.linalg.norm(_X3)),
    "gram": (Gram(), lambda a, b: (a + b) ** 2),
    "fold_grams": (FoldGrams(4, 1), lambda a, b: (a + b) ** 2 + N),
    "gradient, a path": (Gradient(_X3), lambda a, b: (1 + a) * (b + a * np.linalg.norm(_X3)) ** 2),
    "weight": (TotalWeight(), lambda a, b: 0 * a * b + 3 * N),
    "touch": (Touch(), lambda a, b: np.sqrt(N * D) * (a + b)),
    "whitened": (WhitenedGram(_FACTOR.whitener), lambda a, b: (a * np.linalg.norm(_FACTOR.whitener.matrix) + b) ** 2),
    "both": (Both(Sketching(SparseSign(64, 1)), Gram()), lambda a, b: (a + b) ** 2 + np.sqrt(N) * (a + b)),
    "rowwise": (Rowwise(_X3), lambda a, _: a * np.linalg.norm(_X3)),
    "transposed": (Transposed(np.ones((N, 2))), lambda a, _: a * np.sqrt(2 * N)),
    # |S_ij| ≤ 6 for all sketches of 48 rows or more, Gaussian ones included.
    **{name: (Sketching(SKETCHES[name](48, 7)), lambda a, b: 6 * np.sqrt(N) * (a + b)) for name in SKETCHES},
}


@pytest.mark.parametrize("density", [0.02, 0.3])
@pytest.mark.parametrize("name", sorted(PASSES))
def test_every_pass_gives_what_it_gives_of_dense_rows(name: str, density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights, an intercept and uneven blocks; to n eps times the size of what is added up."""
    monkeypatch.setattr("dsketch.matrix.rows.SLICE_ENTRIES", 100)
    pass_, size = PASSES[name]
    X, rng = sparse(density=density), np.random.default_rng(8)
    b, w, cuts = rng.standard_normal((N, 3 if "3 sides" in name else 1)), rng.uniform(0, 3, N), [0, 1, 17, 200, 201, 420, N]

    def parts(A: Matrix) -> list[np.ndarray]:
        rows = Rows(Recut(A, cuts), ArrayMatrix(b), ArrayMatrix(w), intercept=True)
        return _leaves(pass_.finish(SerialEngine(1).run(Look(pass_, rows), ignore)))

    dense = X.toarray()
    terms = size(float(np.linalg.norm(np.sqrt(w)[:, None] * np.column_stack([dense, np.ones(N)]))), float(np.linalg.norm(3 * b)))
    for found, expected in zip(parts(ds.open_matrix(X)), parts(ArrayMatrix(dense)), strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= N * EPS * terms


def _leaves(result: Any) -> list[np.ndarray]:
    return [part for piece in result for part in _leaves(piece)] if isinstance(result, tuple) else [np.asarray(result)]


def test_dense_and_sparse_gram_of_a_slice_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """One full row among empty ones: whichever product is thought cheaper, and however few rows fit in memory, it is AᵀA."""
    A = np.zeros((400, D))
    A[[3, 77]] = np.random.default_rng(0).standard_normal((2, D))
    for price, block in ((0, 10**6), (10**9, 10**6), (10**9, 1000)):
        monkeypatch.setattr("dsketch.passes.gram._SPARSE_PRICE", price)
        monkeypatch.setattr("dsketch.passes.gram.BLOCK_BYTES", block)
        G = Gram().map(Block(0, 400, sp.csr_array(A), None, None, False), None)[0]
        assert np.abs(G - A.T @ A).max() <= 2 * EPS * np.linalg.norm(A) ** 2


@given(start=st.sampled_from([0, 1, 37, 10**10]), cuts=st.lists(st.integers(0, 150), max_size=6), seed=st.integers(0, 99))
@pytest.mark.parametrize("name", ["sparse_sign", "count_sketch"])
def test_sketches_obey_the_chunk_law(name: str, start: int, cuts: list[int], seed: int) -> None:
    """However sparse rows are cut, integers and powers of two are added without rounding: the same bits, those of S A."""
    sketch = SparseSign(24, seed, nonzeros=4) if name == "sparse_sign" else SKETCHES[name](24, seed)
    X = sparse(150, seed=seed)
    X.data = np.round(X.data)
    target = np.zeros((24, D))

    for low, high in itertools.pairwise(sorted({0, 150, *cuts})):
        sketch.adder(start + low, start + high)(target, X[low:high])

    assert np.array_equal(target, sketch.columns(start, start + 150) @ X.toarray())
