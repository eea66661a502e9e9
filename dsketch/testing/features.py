"""The contract of a row map: rows alone decide, seeds are laws, and F Fᵀ is the kernel as closely as its size promises.

Statistical tests draw from fixed seeds, so they pass or fail for good; the failure rate that each states is that of a fresh seed.
"""

import itertools
import math
import pickle
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.features import Recipe, RowMap
from dsketch.features.base import PRODUCT_ROWS

LAW = settings(
    deadline=None,
    derandomize=True,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
EPS = float(np.finfo(np.float64).eps)
ROWS, COLUMNS = PRODUCT_ROWS + 45, 6  # one whole product and a part of another
_DEGREE = 8
RARE = 6.5  # standard deviations of a mean: an entry lies outside once in 10¹⁰, one of the hundred compared once in 10⁸


def rows(count: int = ROWS, columns: int = COLUMNS, seed: int = 0, radius: float = 1.0) -> Floats:
    """Return rows of length ``radius`` around a mean of length one half, in random directions."""
    X = np.random.default_rng(seed).standard_normal((count, columns))
    X *= radius / np.linalg.norm(X, axis=1)[:, None]
    return X + mean(columns)


def mean(columns: int = COLUMNS) -> Floats:
    """Return the mean that :func:`rows` lie around."""
    return np.full(columns, 0.5 / np.sqrt(columns))


def gaussian(C: Floats, degree: int | None = None) -> Floats:
    """Return G of centred, scaled rows, its series truncated at ``degree`` if asked."""
    lengths, Z = np.einsum("ij,ij->i", C, C), C @ C.T
    if degree is None:
        return np.asarray(np.exp(Z - 0.5 * np.add.outer(lengths, lengths)))
    series = sum(Z**power / math.factorial(power) for power in range(degree + 1))
    return np.asarray(series * np.exp(-0.5 * np.add.outer(lengths, lengths)))


class RowMapTests:
    """What every row map guarantees; give it for rows of ``COLUMNS`` columns as fixture ``row_map``."""

    @pytest.fixture
    def row_map(self) -> RowMap:
        """Return the map to test."""
        raise NotImplementedError

    @LAW
    @given(cuts=st.lists(st.integers(0, ROWS), max_size=6))
    def test_any_cut_gives_the_same_bits(self, row_map: RowMap, cuts: list[int]) -> None:
        """A row's features know nothing of the rows beside it."""
        X = rows()
        whole = row_map.apply(X)

        pieces = [row_map.apply(X[low:high]) for low, high in itertools.pairwise(sorted({0, ROWS, *cuts}))]

        assert whole.shape == (ROWS, row_map.width(COLUMNS))
        assert np.array_equal(np.concatenate(pieces), whole)

    def test_order_of_rows_does_not_matter(self, row_map: RowMap) -> None:
        """Rows in another order have the same features in that order."""
        X, order = rows(), np.random.default_rng(1).permutation(ROWS)

        assert np.array_equal(row_map.apply(X[order]), row_map.apply(X)[order])

    def test_a_buffer_is_filled(self, row_map: RowMap) -> None:
        """Features lie in ``out`` where one is given, whatever it held."""
        X = rows(40)
        out = np.full((50, row_map.width(COLUMNS)), np.nan)

        found = row_map.apply(X, out)

        assert np.shares_memory(found, out)
        assert np.array_equal(found, row_map.apply(X))

    def test_numbers_decide_not_their_type(self, row_map: RowMap) -> None:
        """Rows of another dtype or memory order have the features of their float64 values."""
        X = np.round(4 * rows())

        for other in (X.astype(np.float32), X.astype(np.int8), np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
            assert np.array_equal(row_map.apply(other), row_map.apply(X))

    def test_sparse_rows_are_the_rows(self, row_map: RowMap) -> None:
        """CSR rows have the features of the dense rows, within the rounding of sums in another order."""
        X = rows()
        X[np.random.default_rng(2).random(X.shape) < 0.6] = 0.0
        X[7] = 0.0
        dense = row_map.apply(X)

        found = row_map.apply(scipy.sparse.csr_array(X))

        # DEGREE factors and a weight, each a sum of at most d + 2 products of numbers below 2 (lengths at most 1 + two means).
        assert np.abs(found - dense).max() <= _DEGREE * 4 * (COLUMNS + 2) * EPS * np.abs(dense).max()

    def test_no_rows_have_no_features(self, row_map: RowMap) -> None:
        """Nothing in, nothing out, of the right width."""
        assert row_map.apply(np.empty((0, COLUMNS))).shape == (0, row_map.width(COLUMNS))

    def test_a_map_travels_as_its_fields(self, row_map: RowMap) -> None:
        """After use a map pickles no larger than before, and what arrives is equal to the bit."""
        fresh, X = len(pickle.dumps(row_map)), rows(30)
        expected = row_map.apply(X)
        packed = pickle.dumps(row_map)
        arrived = pickle.loads(packed)  # noqa: S301 - our own bytes

        assert len(packed) == fresh
        assert arrived == row_map
        assert hash(arrived) == hash(row_map)
        assert np.array_equal(arrived.apply(X), expected)

    def test_every_field_tells(self, row_map: RowMap) -> None:
        """Another value of any number or vector of the map is another fingerprint; a journal relies on it."""
        for field in fields(row_map):
            value = getattr(row_map, field.name)
            if value is not None:
                other = replace(row_map, **{field.name: value * 2 if isinstance(value, np.ndarray) else value + 1})
                assert other.fingerprint() != row_map.fingerprint()
                assert other != row_map


class GaussianTests(RowMapTests):
    """What every map of the Gaussian form guarantees; give its ``recipe`` as a fixture as well."""

    size = 64

    @pytest.fixture
    def recipe(self) -> Recipe:
        """Return what makes the map from (mean, scale, size, degree, seed)."""
        raise NotImplementedError

    @pytest.fixture
    def row_map(self, recipe: Recipe) -> RowMap:
        """Return a map of the recipe."""
        return recipe(mean(), 1.0, self.size, _DEGREE, 5)

    def test_width_is_within_the_size(self, recipe: Recipe) -> None:
        """No more columns than asked for, for any number of them that can hold the degrees."""
        for size in (_DEGREE + 1, 31, 64, 500, 4000):
            assert 1 <= recipe(mean(), 1.0, size, _DEGREE, 0).width(COLUMNS) <= size

    def test_scale_is_a_length(self, recipe: Recipe) -> None:
        """Scale 4 is scale 1 for rows twice as far from the mean, to the bit: multiplying by 2 does not round."""
        X = rows(50)
        near, far = recipe(np.zeros(COLUMNS), 4.0, self.size, _DEGREE, 3), recipe(np.zeros(COLUMNS), 1.0, self.size, _DEGREE, 3)

        assert np.array_equal(near.apply(X), far.apply(2 * X))

    def test_moving_rows_and_mean_changes_rounding_only(self, recipe: Recipe) -> None:
        """Only a − mean counts."""
        X, shift = rows(50), np.linspace(-1, 1, COLUMNS)
        here, there = recipe(mean(), 1.0, self.size, _DEGREE, 3), recipe(mean() + shift, 1.0, self.size, _DEGREE, 3)
        expected = here.apply(X)

        # A centred entry, of size 1, moves by 4 · 3u; features are products of at most DEGREE sums of d such, and a weight.
        limit = 12 * (_DEGREE + 2) * COLUMNS * EPS * np.abs(expected).max()
        assert np.abs(there.apply(X + shift) - expected).max() <= limit

    def test_long_rows_do_not_overflow(self, recipe: Recipe) -> None:
        """Rows of length 100, whose exp ⟨a, a⟩ is e^10000, have finite features."""
        assert np.isfinite(recipe(mean(), 1.0, self.size, _DEGREE, 0).apply(rows(20, radius=100.0))).all()

    def test_other_columns_are_refused(self, row_map: RowMap) -> None:
        """Rows of another table are named, not broadcast."""
        with pytest.raises(DataError, match=f"{COLUMNS} columns"):
            row_map.apply(rows(5, COLUMNS + 1))

    @pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
    def test_bad_scales_are_refused(self, recipe: Recipe, scale: float) -> None:
        """The scale is a finite number above 0."""
        with pytest.raises(SpecError, match="scale"):
            recipe(mean(), scale, self.size, _DEGREE, 0)


class RandomGaussianTests(GaussianTests):
    """What maps drawn from a seed guarantee besides."""

    def test_seeds_differ(self, recipe: Recipe) -> None:
        """Another seed is another map, also beyond 32 bits."""
        X = rows(10)
        found = [recipe(mean(), 1.0, self.size, _DEGREE, seed).apply(X) for seed in (0, 1, 2**32, 2**32 + 1)]

        assert not any(np.array_equal(left, right) for left, right in itertools.combinations(found, 2))

    def test_kernel_in_expectation(self, recipe: Recipe) -> None:
        """E F Fᵀ = G: the mean over seeds is within its sampling error, and the tail of the series, of each entry."""
        X = rows(12)
        found = np.array([F @ F.T for F in (recipe(mean(), 1.0, self.size, _DEGREE, seed).apply(X) for seed in range(400))])
        tail = 1 / math.factorial(_DEGREE + 1)  # of a series with ρ = 1, times e^{z − 1} ≤ 1

        spread = found.std(axis=0, ddof=1) / np.sqrt(len(found))

        assert (np.abs(found.mean(axis=0) - gaussian(X - mean())) <= RARE * spread + tail + 100 * EPS).all()

    def test_error_falls_with_the_size(self, recipe: Recipe) -> None:
        """Sixteen times the columns leave at most a quarter of the error (exact degrees take their part of it away)."""
        X = rows(60, 20)
        G, errors = gaussian(X - mean(20)), []
        for size in (64, 1024):
            kernels = [F @ F.T for F in (recipe(mean(20), 1.0, size, _DEGREE, seed).apply(X) for seed in range(10))]
            errors.append(np.sqrt(np.mean([(kernel - G) ** 2 for kernel in kernels])))

        # Each is a mean over 10 seeds of a square whose relative spread between seeds is below 1/2; 3 standard deviations of the ratio.
        assert errors[1] <= (1 + 3 * np.sqrt(2) * 0.25 / np.sqrt(10)) * errors[0] / 4


class PowerTests(RowMapTests):
    """What maps of a single power ⟨x, y⟩^p guarantee; give ``family``: (size, degree, seed) ↦ map."""

    @pytest.fixture
    def family(self) -> Callable[[int, int, int], RowMap]:
        """Return what makes the map."""
        raise NotImplementedError

    @pytest.fixture
    def row_map(self, family: Callable[[int, int, int], RowMap]) -> RowMap:
        """Return a map of degree 3."""
        return family(40, 3, 5)

    @pytest.mark.parametrize("degree", [1, 2, 3, 4, 7])
    def test_power_in_expectation(self, family: Callable[[int, int, int], RowMap], degree: int) -> None:
        """E F Fᵀ = (X Xᵀ)^p entrywise, within the sampling error of the mean over seeds."""
        X = rows(12)
        found = np.array([F @ F.T for F in (family(32, degree, seed).apply(X) for seed in range(400))])

        spread = found.std(axis=0, ddof=1) / np.sqrt(len(found))

        assert (np.abs(found.mean(axis=0) - (X @ X.T) ** degree) <= RARE * spread + 100 * EPS).all()

    @pytest.mark.parametrize("columns", [5, 300])
    def test_error_is_flat_times_the_root_of_the_size(self, family: Callable[[int, int, int], RowMap], columns: int) -> None:
        """Degree 3, unit rows: rms error · √m is the same for 64 and 1024 columns, also where rows are longer than the sketch."""
        X = rows(80, columns) - mean(columns)
        exact, flat = (X @ X.T) ** 3, []
        for size in (64, 1024):
            squares = [np.mean((F @ F.T - exact) ** 2) for F in (family(size, 3, seed).apply(X) for seed in range(12))]
            flat.append(np.sqrt(size * np.mean(squares)))

        # Between seeds a mean square varies by less than half of itself; 4 standard deviations of the ratio of two roots of means.
        assert abs(flat[1] / flat[0] - 1) <= 4 * np.sqrt(2) * 0.25 / np.sqrt(12)
