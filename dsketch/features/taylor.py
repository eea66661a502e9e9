"""Exact Taylor features: all monomials of degree ≤ q, the truncated series of exp ⟨x, y⟩ without any sampling error.

⟨x, y⟩^p / p! = Σ_{|α| = p} x^α y^α / ∏ α_i!, so the features are x^α / √(∏ α_i!): C(d + q, q) columns.  For few columns of A no
sketch of the same width comes near, since most of the mass lies in degrees that it keeps whole.  Each column is one product of an
earlier column with a variable.  Cost about two multiplications a feature.

References
----------
A. Cotter, J. Keshet, N. Srebro, "Explicit approximations of the Gaussian kernel", arXiv 1109.4603, 2011.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.errors import SpecError
from dsketch.features.base import GaussianMap, RowMap


class TaylorStep(NamedTuple):
    """Columns ``first:first + size`` are variable ``variable`` times columns ``source:source + size``."""

    source: int
    size: int
    variable: int
    first: int


def monomials(columns: int, degree: int) -> int:
    """Return how many monomials of d variables have degree at most q: C(d + q, q).

    Examples
    --------
    >>> monomials(8, 5)
    1287
    """
    return math.comb(columns + degree, degree)


@lru_cache(maxsize=64)
def steps(columns: int, degree: int) -> tuple[TaylorStep, ...]:
    """Return the products that make the monomials of degrees 1 to q, ordered by degree, then by their largest variable.

    In that order the monomials of degree p − 1 in the first j variables are a run from the beginning, so variable j needs one product.
    """
    found, source, first = [], 0, 1
    for power in range(1, degree + 1):
        start = first
        for variable in range(columns):
            size = math.comb(variable + power - 1, power - 1)
            found.append(TaylorStep(source, size, variable, first))
            first += size
        source = start
    return tuple(found)


@lru_cache(maxsize=64)
def factorials(columns: int, degree: int) -> Floats:
    """Return ∏ α_i! of each monomial of degree ≤ q, shape (C(d + q, q),)."""
    products, exponents = np.ones((2, monomials(columns, degree)))
    exponents[0] = 0  # of the largest variable
    for source, size, variable, first in steps(columns, degree):
        own = np.zeros(size, dtype=bool)  # those that hold the variable already: the end of the run
        power = _degree_of(first, columns)
        own[math.comb(variable + power - 2, power - 1) if power > 1 else size :] = True
        exponents[first : first + size] = np.where(own, exponents[source : source + size] + 1, 1)
        products[first : first + size] = products[source : source + size] * exponents[first : first + size]
    products.flags.writeable = False
    return products


def _degree_of(column: int, columns: int) -> int:
    degree = 0
    while monomials(columns, degree) <= column:
        degree += 1
    return degree


def expand_monomials(C: Floats, degree: int, out: Floats) -> None:
    """Multiply up all monomials of degrees 1 to q of the rows C (h × d) from column 0 of ``out``, which is there already."""
    columns = C.shape[1]
    if degree >= 1:
        np.multiply(C, out[:, :1], out=out[:, 1 : 1 + columns])
    for source, size, variable, first in steps(columns, degree)[columns:]:
        np.multiply(out[:, source : source + size], C[:, variable, None], out=out[:, first : first + size])


def pull_monomials(C: Floats, degree: int, everything: Floats, slopes: Floats) -> Floats:
    """Return the slopes at the rows C (h × d) of what has given slopes at their monomials, made backwards through the products.

    Parameters
    ----------
    everything : ndarray, shape (h, C(d + q, q))
        All monomials, by :func:`expand_monomials`.
    slopes : ndarray, shape (h, C(d + q, q))
        Of each monomial; overwritten.
    """
    found, columns = np.zeros(C.shape), C.shape[1]
    for source, size, variable, first in reversed(steps(columns, degree)[columns:]):
        above = slopes[:, first : first + size]
        found[:, variable] += np.einsum("ij,ij->i", above, everything[:, source : source + size])
        slopes[:, source : source + size] += above * C[:, variable, None]
    found += slopes[:, 1 : 1 + columns]
    return found


@dataclass(frozen=True, eq=False)
class Taylor(GaussianMap):
    """All monomials of degree ≤ q.

    Attributes
    ----------
    degree : int
        q ≥ 0.

    Notes
    -----
    With z = ⟨x, y⟩ of the centred, scaled rows the error of an entry of G is at most
    |z|^{q+1}/(q+1)! · e^{max(z, 0)} · e^{−(‖x‖² + ‖y‖²)/2}, and the missing part G − F Fᵀ is positive semidefinite.
    """

    degree: int

    name: ClassVar[str] = "taylor"

    def __post_init__(self) -> None:
        """Check at the door."""
        super().__post_init__()
        if self.degree < 0:
            raise SpecError(f"degree must be at least 0; it is {self.degree}. Pass 2 or more for a useful series.")

    def width(self, columns: int) -> int:
        """Return C(d + q, q)."""
        self.require_columns(columns)
        return monomials(columns, self.degree)

    def expand(self, C: Floats, weight: Floats, out: Floats) -> None:
        """Multiply up, then divide by √(∏ α_i!)."""
        out[:, 0] = weight
        expand_monomials(C, self.degree, out)
        out *= 1.0 / np.sqrt(factorials(C.shape[1], self.degree))


@dataclass(frozen=True, eq=False)
class Monomials(RowMap):
    """Features of the single power ⟨x, y⟩^p, exact: C(d + p − 1, p) columns.

    Attributes
    ----------
    degree : int
        p ≥ 1.
    """

    degree: int

    name: ClassVar[str] = "monomials"

    def width(self, columns: int) -> int:
        """Return C(d + p − 1, p)."""
        return math.comb(columns + self.degree - 1, self.degree)

    def fill(self, X: Any, out: Floats) -> None:
        """Multiply up all degrees, keep the last."""
        np.multiply(self._expand(X)[:, -out.shape[1] :], self._weights(X.shape[1]), out=out)

    def pull(self, X: Floats, slopes: Floats) -> Floats:
        """Return the slopes at rows of what has given slopes at their features, shape (h, d).

        Parameters
        ----------
        X : ndarray, shape (h, d)
        slopes : ndarray, shape (h, C(d + p − 1, p))
        """
        found, step = np.empty(X.shape), self.rows_at_once(X.shape[1])
        for low in range(0, len(X), step):
            C, above = X[low : low + step], slopes[low : low + step]
            everything = self._expand(C)
            beneath = scratch("slopes", (everything.shape[0], everything.shape[1]))
            beneath[:] = 0.0
            np.multiply(above, self._weights(X.shape[1]), out=beneath[:, -above.shape[1] :])
            found[low : low + step] = pull_monomials(C, self.degree, everything, beneath)
        return found

    def _expand(self, X: Floats) -> Floats:
        """Return all monomials of degree ≤ p of rows."""
        everything = np.empty((X.shape[0], monomials(X.shape[1], self.degree)))
        everything[:, 0] = 1.0
        expand_monomials(X, self.degree, everything)
        return everything

    def _weights(self, columns: int) -> Floats:
        """Return √(p!/∏ α_i!) of those of degree p."""
        weights = np.sqrt(math.factorial(self.degree) / factorials(columns, self.degree))
        return np.asarray(weights[-self.width(columns) :])


def estimate_tail(rows: int, columns: int, radius2: float, degree: int) -> float:
    """Return about how large the largest eigenvalue of exp(CCᵀ) beyond the span of degrees ≤ q is, for rows spread in all directions.

    n ρ^{q+1} / ((q+1)! C(d + q, q + 1)) with ρ = s ‖c‖²: the mass of degree q + 1, shared evenly by its monomials.  One more than this
    over α is about the condition number of exp(CCᵀ) + αI with F Fᵀ + αI as its preconditioner.  For the Gaussian form multiply by
    e^{−ρ}.

    Examples
    --------
    >>> round(estimate_tail(4000, 8, 1.0, 4) / 0.027, 1)
    1.6
    """
    power = degree + 1
    log = np.log(rows) + power * np.log(max(radius2, np.finfo(float).tiny)) - math.lgamma(power + 1)
    return float(np.exp(log - math.log(math.comb(columns + degree, power))))


def degree_for(rows: int, columns: int, radius2: float, alpha: float, limit_columns: int) -> int:
    """Return the least degree whose remainder is at most ``alpha`` (condition number about 2 of the preconditioned K + αI).

    Parameters
    ----------
    rows, columns : int
        n and d.
    radius2 : float
        s ‖c‖², typical of the rows.
    alpha : float
        The ridge.
    limit_columns : int
        The most monomials that fit; the answer is the largest degree below if none suffices (0 if not even degree 1 fits).

    Examples
    --------
    >>> degree_for(1_000_000, 8, 1.0, 0.027, 5000), degree_for(1_000_000, 8, 1.0, 0.027, 1000)
    (6, 4)
    """
    degree = 0
    while monomials(columns, degree + 1) <= limit_columns and estimate_tail(rows, columns, radius2, degree) > alpha:
        degree += 1
    return degree
