"""What rounding may do to attention with weights z^p, z = ⟨q, k⟩ and p even, derived step by step; u and γ as in ``rounding``.

All weights are at least 0, so what can cancel is a product itself.  For a row q let A = ‖q‖^p Σ‖kⱼ‖^p, W = Σ zⱼ^p, a = A/W.

Tiles.  A computed product is off by δⱼ with |δⱼ| ≤ γ(d + 1)‖q‖‖kⱼ‖, so in the p-norm of all j by t = γ(d + 1) a^{1/p} relative to
that of z, and since |(z + δ)^p − z^p| ≤ (|z| + |δ|)^p − |z|^p, the weights together are off by (1 + t)^p − 1 of W (Minkowski).  Powers
add γ(p), sums γ(tile + tiles + 1).

Features.  A monomial is p − 1 products, its weight a division, a root and a product: ⟨φ(q), φ(k)⟩ is a sum of terms that are off by
γ(2p + 6) of themselves.  Sums over a slice, over slices and over the D features follow.  Terms cancel, but their sizes add up to at most
Σ(|q|ᵀ|kⱼ|)^p |vⱼ| ≤ A max|v|: numerator and denominator are off by r = γ(all of it) a of W.

A quotient whose two sides are off by r of W max|v| and W is off by 2 r/(1 − r) max|v|, rounded once more.

Of all rows a is bounded by the Gram matrix G = Σ kⱼkⱼᵀ: by the mean of powers W ≥ m^{1−p/2} (qᵀGq)^{p/2}, so
a ≤ m^{p/2−1} Σ‖kⱼ‖^p/λ^{p/2} with λ the least qᵀGq/‖q‖².  Where rows of K look in all directions alike this is d^{p/2}.  A causal row has
m, G and Σ of what it sees.
"""

import math
from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.alignment import Alignment, Moments
from dsketch.passes.attention import TILE
from dsketch.passes.causal import CausalAlignment
from dsketch.problems.attention.rounding import U, gamma, relative

_LARGEST = 700.0  # logarithms up to it have exponentials that are float64 numbers


@dataclass(frozen=True)
class Amplification:
    """By how much the sizes of terms exceed the sum of weights.

    Attributes
    ----------
    size : float
        a ≥ A/W for every row and head; infinite where rounding cannot tell a W from 0.
    late_size : float
        The same of those rows that do not have all weights one by one: where each row sees its own past, all but the first of a tile.
    row : int
        The row of Q that ``late_size`` is of.
    least_weight : float
        Below every W, with rows of Q and K divided by powers of two so that their largest number and length are in [½, 1).
    degree : int
        p.
    """

    size: float
    late_size: float
    row: int
    least_weight: float
    degree: int

    @property
    def root(self) -> float:
        """a^{1/p}."""
        return float(self.size ** (1 / self.degree))


def amplification(moments: Moments, alignment: Alignment, rows: int, degree: int) -> Amplification:
    """Return the bound on a.

    Parameters
    ----------
    rows : int
        m.
    """
    d, half = moments.gram.shape[1], degree // 2
    squares = np.einsum("hii->h", moments.gram)
    least = alignment.least - gamma(2 * (rows + 3 * d + 8)) * squares  # what rounding of G and of qᵀGq may hide
    head = int(np.argmin(least / np.where(squares > 0, squares, 1.0)))
    row = int(alignment.row[head])
    if not (least > 0).all():
        return Amplification(float("inf"), float("inf"), row, 0.0, degree)
    spread = (half - 1) * math.log(rows)
    lengths = moments.lengths * (1 + gamma(rows + degree * (d + 2)))
    logs = spread + np.log(lengths) - half * np.log(least)
    size = _exponential(max(float(logs.max()), 0.0))
    return Amplification(size, size, row, _least_weight(float((half * np.log(least) - spread).min()), degree), degree)


def causal_amplification(found: CausalAlignment, degree: int) -> Amplification:
    """Return the bound on a where each row sees its own past, by the Gram matrix of that."""
    early, late = _exponential(float(found.early[0])), _exponential(float(found.late[0]))
    return Amplification(max(early, late), late, int(found.row[0]), _least_weight(float(found.weight[0]), degree), degree)


def _exponential(log: float) -> float:
    return math.exp(log) if log < _LARGEST else float("inf")


def _least_weight(log: float, degree: int) -> float:
    """Return what W is at least, from the logarithm of the same for ‖q‖ = 1: no ‖q‖ is below ½."""
    log -= degree * math.log(2)
    return math.exp(log) if log > -_LARGEST else 0.0


def tile_error(columns: int, tiles: int, found: Amplification) -> float:
    """Return r of a sweep.

    Parameters
    ----------
    columns : int
        d, of one head.
    tiles : int
        Of the other side.
    """
    product = found.degree * np.log1p(gamma(columns + 1) * found.root)
    return float(np.expm1(min(product + np.log1p(_sum_error(tiles, found.degree)), _LARGEST)))


def _sum_error(tiles: int, degree: int) -> float:
    return gamma(degree + TILE + tiles + 1)


def feature_error(additions: int, features: int, found: Amplification) -> float:
    """Return r of features.

    Parameters
    ----------
    additions : int
        The most that a sum over rows of K makes one after another.
    features : int
        D.
    """
    return gamma(2 * found.degree + 6 + additions + features) * found.late_size


def quotient_error(r: float, lost: float, found: Amplification, values: Floats) -> Floats:
    """Return what a number of the answer may be off by, relative to the largest |v| of its column.

    Parameters
    ----------
    r : float
        Of weights and sums.
    lost : float
        So many products may be rounded to nothing, each by less than the least normal number.
    values : ndarray, shape (k,)
        The largest |v| of each column.
    """
    tiny = lost * float(np.finfo(float).tiny)
    nothing = tiny / found.least_weight if found.least_weight > 0 else float("inf")
    total = r + nothing
    if not total < 1:
        return np.where(values > 0, float("inf"), 0.0)
    off = 2 * total / (1 - total) + U
    return np.where(values > 0, off + relative(np.full(values.shape, nothing), values), 0.0)


def polynomial_condition(found: Amplification) -> float:
    """Return κ: relative changes by η of the rows of Q, K and V move a weighted mean by at most κ η of the largest |v|, to first order.

    Products change by 2 η ‖q‖‖k‖, weights together by p 2 η a^{1/p} of W, a mean of values by twice as much.
    """
    return 1 + 4 * found.degree * found.root


def polynomial_level(columns: int, tiles: int, degree: int) -> float:
    """Return the backward error that the rounding of a sweep explains whatever the rows, as long as it leaves digits at all.

    2 r/κ is at most 2 γ(d + 1) p a^{1/p}/(4 p a^{1/p}), and twice the rest.
    """
    return gamma(columns + 1) + 2 * _sum_error(tiles, degree) + U
