"""The contract of a sketch: chunk law, linearity, unbiasedness, and the distortion that its size rule promises.

Statistical tests draw from fixed seeds, so they pass or fail for good; the failure rate that each states is that of a fresh seed.
"""

import itertools
import pickle
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsketch.sketch import Sketch
from dsketch.sketch.size import FOR_ITERATING, rows_for
from dsketch.testing.known import ROWS

LAW = settings(
    deadline=None,
    derandomize=True,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
EPS = float(np.finfo(np.float64).eps)
_FAR = 10**10  # a row number beyond 32 bits
RARE = 1e-9  # failure rate of one statistical comparison


class SketchTests:
    """What every family of sketches guarantees; give it as fixture ``family``.

    Attributes
    ----------
    incoherent_only : frozenset of str
        Names of families that promise their distortion only where no few rows carry the columns.
    """

    incoherent_only: ClassVar[frozenset[str]] = frozenset({"count_sketch"})

    @pytest.fixture
    def family(self) -> type[Sketch]:
        """Return the class to test."""
        raise NotImplementedError

    @LAW
    @given(start=st.sampled_from([0, 1, 37, _FAR]), cuts=st.lists(st.integers(0, 150), max_size=6))
    def test_columns_obey_the_chunk_law(self, family: type[Sketch], start: int, cuts: list[int]) -> None:
        """Column i depends on the seed and the global row i alone: any split of the rows gives the same bits."""
        sketch = family(24, 5)
        whole = sketch.columns(start, start + 150)
        edges = sorted({0, 150, *cuts})

        pieces = [sketch.columns(start + low, start + high) for low, high in itertools.pairwise(edges)]

        assert np.array_equal(np.concatenate(pieces, axis=1), whole)

    def test_distant_rows_have_their_own_columns(self, family: type[Sketch]) -> None:
        """Rows that are a power of two apart are not sketched alike."""
        sketch = family(64, 0)
        near = sketch.columns(0, 16)

        for far in (2**10, 2**16, 2**32, 2**34):
            assert not np.array_equal(sketch.columns(far, far + 16), near)

    @LAW
    @given(seed=st.integers(0, 2**64 - 1), rows=st.integers(1, 200), columns=st.integers(1, 5))
    def test_operator_is_its_matrix(self, family: type[Sketch], seed: int, rows: int, columns: int) -> None:
        """Applying the operator is multiplying by its columns (so it is linear), within rows · eps · |S| |X| of each entry."""
        sketch = family(16, seed)
        X = np.random.default_rng(seed).standard_normal((rows, columns))
        S = sketch.columns(3, 3 + rows)

        found = sketch.operator(3, 3 + rows)(X)

        # A fast transform adds up whole runs of rows before it takes its sample: the bound is of |H| |X|, of which |S| is a part.
        limit = 4 * (rows + 64) * EPS * (np.abs(S) @ np.abs(X) + np.abs(X).sum(axis=0) / np.sqrt(16))
        assert found.shape == (16, columns)
        assert (np.abs(found - S @ X) <= limit).all()

    def test_identity_in_expectation(self, family: type[Sketch]) -> None:
        """E SᵀS = I: the mean over seeds is within its sampling error (each entry fails once in 10⁹)."""
        size, rows, seeds = 40, 24, 400
        total = np.zeros((rows, rows))
        for seed in range(seeds):
            S = family(size, seed).columns(0, rows)
            total += S.T @ S

        # An entry is a sum of m products of variance at most 1/m² off the diagonal and 2/m² on it; 6.1 standard deviations.
        spread = np.sqrt((1 + np.eye(rows)) / (size * seeds))
        assert (np.abs(total / seeds - np.eye(rows)) <= 6.1 * spread).all()

    @pytest.mark.parametrize("rows", sorted(ROWS))
    @pytest.mark.parametrize("columns", [12, 48])
    def test_distortion_is_what_the_size_promises(self, family: type[Sketch], rows: str, columns: int) -> None:
        """Singular values of S U lie in 1 ± (√(d/m) + t), P(beyond) ≤ exp(−m t²/2) = 1e-9 for a Gaussian of this size."""
        if family.name in self.incoherent_only and rows != "incoherent":
            pytest.skip(f"{family.name} promises nothing on {rows} rows")
        n, size = 3000, rows_for(columns, FOR_ITERATING, family.name)
        U = np.linalg.qr(ROWS[rows](n, columns, np.random.default_rng(1)))[0]
        tail = np.sqrt(columns / size) + np.sqrt(2 * np.log(1 / RARE) / size)

        for seed in range(5):
            s = np.linalg.svd(family(size, seed).operator(0, n)(U), compute_uv=False)

            assert s[0] <= 1 + tail
            assert s[-1] >= 1 - tail

    def test_mean_distortion_follows_the_gaussian_law(self, family: type[Sketch]) -> None:
        """cond(S U) is on average that of the law, (1 + √(d/m))/(1 − √(d/m)), to 10 %: what plans and steps count on."""
        columns, n = 48, 3000
        size = rows_for(columns, FOR_ITERATING, family.name)
        U = np.linalg.qr(ROWS["incoherent"](n, columns, np.random.default_rng(2)))[0]
        ratio = np.sqrt(columns / size)

        conditions = [np.linalg.cond(family(size, seed).operator(0, n)(U)) for seed in range(5)]

        assert np.mean(conditions) <= 1.1 * (1 + ratio) / (1 - ratio)

    def test_seeds_differ(self, family: type[Sketch]) -> None:
        """Another seed is another matrix, also beyond 32 bits."""
        matrices = [family(16, seed).columns(0, 50) for seed in (0, 1, 2**32, 2**32 + 1)]

        for place, left in enumerate(matrices):
            assert not any(np.array_equal(left, right) for right in matrices[place + 1 :])

    def test_pickle_keeps_the_matrix(self, family: type[Sketch]) -> None:
        """A sketch travels as its parameters: small, equal, of the same matrix."""
        sketch = family(32, 9)
        packed = pickle.dumps(sketch)

        assert len(packed) < 500
        assert pickle.loads(packed) == sketch  # noqa: S301 - our own bytes
        assert np.array_equal(pickle.loads(packed).columns(7, 40), sketch.columns(7, 40))  # noqa: S301

    @pytest.mark.parametrize("size", [1, 2, 7, 33])
    def test_any_size_is_allowed(self, family: type[Sketch], size: int) -> None:
        """The number of rows need be no power and no multiple of anything."""
        S = family(size, 0).columns(0, 100)

        assert S.shape == (size, 100)
        assert np.isfinite(S).all()
        assert S.any()
