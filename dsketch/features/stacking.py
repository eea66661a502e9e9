"""Degrees side by side: how many columns each term ⟨x, y⟩^p / p! of the exponential gets, and which terms are kept exactly.

The error of a sketched term with m_p columns goes like ρ^p / (p! √m_p), ρ = s ‖c‖²; its sum of squares for a given total is least at
m_p ∝ ρ^p / p!.  From degree 1 on, a term is exact as long as its C(d + p − 1, p) monomials are no more than its share: no error where
most of the mass lies.  What is left is shared by the rest, in sizes that differ by powers of two, so that degrees can share the
transforms of their leaves.

References
----------
N. Pham, R. Pagh, "Fast and scalable polynomial kernels via explicit feature maps", KDD 2013.
T. D. Ahle, M. Kapralov, J. B. T. Knudsen, R. Pagh, A. Velingker, D. P. Woodruff, A. Zandieh, "Oblivious sketching of high-degree
polynomial kernels", SODA 2020 (arXiv 1909.01410).
Z. Song, D. P. Woodruff, Z. Yu, L. Zhang, "Fast sketching of polynomial kernels of polynomial degree", ICML 2021 (arXiv 2108.09420):
leaves shared by all degrees.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.fft
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.features.base import GaussianMap, RowMap, require_size
from dsketch.features.taylor import expand_monomials, factorials, monomials

HIGHEST_DEGREE = 60  # p! and the numbers of tree nodes stay small; ρ^60/60! is below 1e-16 for ρ ≤ 10
_TRANSFORM_ROWS = 64  # one transform of so many rows stays in the second-level cache
_LEAST_COLUMNS = 8  # a sketched degree has so many, as far as the total allows: fewer would be noise

Hashed = Callable[["scipy.sparse.csr_array"], Floats]  # B (d × r, few entries a row) ↦ Bᵀ Cᵀ (r × h)
Sizes = dict[int, int]  # degree → columns


class Layout(NamedTuple):
    """Degrees up to ``exact`` as monomials, then the columns of each sketched degree."""

    exact: int
    sizes: Sizes


@lru_cache(maxsize=256)
def layout(size: int, columns: int, degree: int, radius2: float) -> Layout:
    """Return how at most m columns are shared by the degrees up to q.

    Raises
    ------
    SpecError
        If there are fewer columns than degrees.

    Examples
    --------
    >>> layout(512, 8, 5, 1.0)
    Layout(exact=3, sizes={4: 256, 5: 64})
    """
    logs = [power * math.log(radius2) - math.lgamma(power + 1) for power in range(degree + 1)]
    weights = [math.exp(log - max(logs)) for log in logs]
    left, exact = size - 1, 0
    while exact < degree:
        power = exact + 1
        count = math.comb(columns + exact, power)
        if count > left * weights[power] / sum(weights[power:]):
            break
        left, exact = left - count, power
    return Layout(exact, _powers_of_two(left, {power: weights[power] for power in range(exact + 1, degree + 1)}, size))


def _powers_of_two(left: int, weights: dict[int, float], size: int) -> Sizes:
    """Return sizes near the weights' shares of ``left`` columns that divide the largest by powers of two."""
    if not weights:
        return {}
    if left < len(weights):
        raise SpecError(
            f"size must be above the degree; {size} columns cannot hold {len(weights)} sketched degrees. Ask for more."
        )
    largest, least = max(weights.values()), min(max(left // len(weights), 1), _LEAST_COLUMNS)
    shifts = {power: round(math.log2(largest / weight)) for power, weight in weights.items()}
    deepest = max(shifts.values())
    while True:
        capped = {power: min(shift, deepest) for power, shift in shifts.items()}
        smallest = int(left / sum(2.0 ** (deepest - shift) for shift in capped.values()))
        if smallest >= least or not deepest:
            smallest = _smooth(smallest)
            return {power: smallest << (deepest - shift) for power, shift in capped.items()}
        deepest -= 1


def _smooth(number: int) -> int:
    """Return the largest number not above this one that a fast Fourier transform likes."""
    while scipy.fft.next_fast_len(number, real=True) != number:
        number -= 1
    return number


@dataclass(frozen=True, eq=False)
class Stacked(GaussianMap):
    """The constant, exact low degrees, then one sketch for each degree up to q.

    Attributes
    ----------
    size : int
        At most this many columns.
    degree : int
        q, the last term of the series that is kept.
    seed : int
    radius2 : float
        s ‖c‖², typical of the rows: it decides how the columns are shared, not whether the answer is right.
    """

    size: int
    degree: int
    seed: int = 0
    radius2: float = 1.0

    takes_sparse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check at the door."""
        super().__post_init__()
        _require_degree(self.degree)
        if not (np.isfinite(self.radius2) and self.radius2 > 0):
            raise SpecError(f"radius2 must be a finite number above 0; it is {self.radius2}. Pass s · mean ‖a − mean‖².")
        layout(self.size, len(self.mean), self.degree, self.radius2)

    @abstractmethod
    def powers(self, hashed: Hashed, columns: int, sizes: Sizes) -> Iterator[tuple[int, Floats]]:
        """Yield (p, features of ⟨·, ·⟩^p, shape (m_p, h)) in increasing order of p."""

    def width(self, columns: int) -> int:
        """Return the columns in use."""
        self.require_columns(columns)
        exact, sizes = layout(self.size, columns, self.degree, self.radius2)
        return monomials(columns, exact) + sum(sizes.values())

    def rows_at_once(self, columns: int) -> int:
        """Return a height at which one transform stays in the second-level cache."""
        del columns
        return _TRANSFORM_ROWS

    def fill(self, X: Any, out: Floats) -> None:
        """Expand; rows stay sparse unless degree 1 is exact and needs them whole."""
        if not scipy.sparse.issparse(X) or layout(self.size, X.shape[1], self.degree, self.radius2).exact:
            super().fill(X, out)
            return
        root = np.sqrt(self.scale)
        norms = np.asarray(X.multiply(X).sum(axis=1)) - 2 * (X @ self.mean) + self._shift
        weight = np.exp(-0.5 * self.scale * np.maximum(norms, 0.0))
        self._stack(lambda B: root * (np.ascontiguousarray((X @ B).toarray().T) - self._hashed_mean(B)), None, weight, out)

    def _hashed_mean(self, B: "scipy.sparse.csr_array") -> Floats:
        """Return Bᵀ mean, shape (r, 1); once for each B, for it costs d and a slice of sparse rows costs its entries."""
        kept = self._hashed_means.get(id(B))
        if kept is None or kept[0] is not B:
            kept = self._hashed_means[id(B)] = (B, (B.T @ self.mean)[:, None])
        return kept[1]

    @cached_property
    def _hashed_means(self) -> dict[int, tuple[Any, Floats]]:
        return {}

    @cached_property
    def _shift(self) -> float:
        return float(self.mean @ self.mean)

    def expand(self, C: Floats, weight: Floats, out: Floats) -> None:
        """Stack the degrees of dense rows."""
        across = np.ascontiguousarray(C.T)
        self._stack(lambda B: B.T @ across, C, weight, out)

    def _stack(self, hashed: Hashed, C: Floats | None, weight: Floats, out: Floats) -> None:
        columns = len(self.mean)
        exact, sizes = layout(self.size, columns, self.degree, self.radius2)
        first = monomials(columns, exact)
        out[:, 0] = weight
        if C is not None:
            expand_monomials(C, exact, out)
            out[:, :first] *= 1.0 / np.sqrt(factorials(columns, exact))
        for power, features in self.powers(hashed, columns, sizes):
            share = weight * math.exp(-0.5 * math.lgamma(power + 1))
            np.multiply(features.T, share[:, None], out=out[:, first : first + len(features)])
            first += len(features)


@dataclass(frozen=True, eq=False)
class PowerMap(RowMap):
    """Features of the single power ⟨x, y⟩^p.

    Attributes
    ----------
    size : int
        Columns m.
    degree : int
        p.
    seed : int
    """

    size: int
    degree: int
    seed: int = 0

    takes_sparse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check at the door."""
        _require_degree(self.degree)
        require_size(self.size)

    @abstractmethod
    def powers(self, hashed: Hashed, columns: int, sizes: Sizes) -> Iterator[tuple[int, Floats]]:
        """Yield (p, features of ⟨·, ·⟩^p, shape (m_p, h))."""

    def width(self, columns: int) -> int:
        """Return m."""
        del columns
        return self.size

    def rows_at_once(self, columns: int) -> int:
        """Return a height at which one transform stays in the second-level cache."""
        del columns
        return _TRANSFORM_ROWS

    def fill(self, X: Any, out: Floats) -> None:
        """Write the sketch of the p-th tensor power of each row."""
        for _, features in self.powers(_make_hashed(X), X.shape[1], {self.degree: self.size}):
            out[:] = features.T


def _make_hashed(X: Any) -> Hashed:
    """Return the product with rows as they are, dense or CSR."""
    if scipy.sparse.issparse(X):
        return lambda B: np.ascontiguousarray((X @ B).toarray().T)
    across = np.ascontiguousarray(X.T)
    return lambda B: np.asarray(B.T @ across)


def _require_degree(degree: int) -> None:
    """Refuse a degree that no series needs.

    Raises
    ------
    SpecError
        If it is not between 1 and ``HIGHEST_DEGREE``.
    """
    if not 1 <= degree <= HIGHEST_DEGREE:
        raise SpecError(f"degree must be between 1 and {HIGHEST_DEGREE}; it is {degree}. 4 to 8 suits rows of unit length.")
