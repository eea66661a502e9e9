"""What rounding may do to gradients of polynomial attention; symbols are those of ``polynomial_rounding`` and ``gradient_rounding``.

Rows are divided by powers of two, exactly.  For a row i of Q let m = ‖qᵢ‖‖kⱼ‖, A = Σ m^p over the j that it sees, W = Σ z^p, a = A/W,
B = ‖dyᵢ‖ max‖v‖.  What a sweep computed of W is known, so a is: by Minkowski W^{1/p} is that of Σ z'^p up to η A^{1/p}, η = γ(d + 1), and
sums and powers add σ = γ(p + tile + tiles + 1); of features W is known to γ A, γ of all that they sum.  With ρ what W is then off by and
τ = ρ/(1 − ρ), Y is off by 2 τ max‖v‖, D by ω B = (2 τ + γ(depth + 4)(1 + 2 τ) + 2 u) B and P − D by ω' B = (ω + γ(depth + 2) + 4 u) B.

Tiles.  With x = |z| + η m, which no |z'| is above, |z'^e − z^e| ≤ e η m x^{e−1}.  So a number of E = p z^{p−1}(P − D)/W is off by p B/W
times

    (1 + τ) [(p − 1)(2 + ω') η m x^{p−2} + (ω' + 2 τ + σ'(2 + ω')) x^{p−1}],   σ' = γ(p + 11 + tile + tiles) with the sums,

and one of S = z^p/W by (1 + τ) [p η m x^{p−1} + (τ + σ') x^p]/W.  For dQ sums over j are bounded by Hölder:
Σ x^{p−1}‖k‖/W ≤ (1 + η a^{1/p})^{p−1} a^{1/p}/‖q‖, and one power of x less gives a^{2/p} with one of m more.  For dK and dV a sweep finds
the largest sum over i.

A single row of K has no more than |z|^{p−1}/W ≤ a^{1/p}/A^{1/p} and m|z|^{p−2}/W ≤ a^{2/p}/A^{1/p} of a row of Q.

Features.  All terms are at most of size m^{p−1} where tiles have x^{p−1}: Σ m^{p−1}‖k‖/W = a/‖q‖.  Slopes are made by products and sums as
features are, so all is off by p B/W (1 + τ)(γ (2 + ω) + ω + 2 τ) of that.

Changes of the rows of Q, K, V and dY by ε of themselves change z by 2 ε m, W by 2 p ε a^{1/p} W, P − D by (4 + 4 p a^{1/p}) ε B: a number
of E changes by p B/W ε (4(p − 1) m |z|^{p−2} + (6 + 8 p a^{1/p})|z|^{p−1}), one of S by ε (2 p m |z|^{p−1} + (1 + 2 p a^{1/p}) z^p)/W.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.attention import TILE
from dsketch.problems.attention.rounding import U, gamma

TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True)
class PowerShape:
    """Sizes: p; d and the columns of V, of one head; rows of K; tiles of the side that has more; and of what the gradient is taken."""

    degree: int
    width: int
    depth: int
    keys: int
    tiles: int
    wanted: str

    @property
    def of_values(self) -> bool:
        """Whether it is dV."""
        return self.wanted == "V"

    @property
    def product(self) -> float:
        """η."""
        return gamma(self.width + 1)

    @property
    def sums(self) -> float:
        """σ'."""
        return gamma(self.degree + 11 + TILE + self.tiles)


class Weights(NamedTuple):
    """Of rows of Q by heads, shape (n, heads): a^{1/p}, and what W is off by, relatively; infinite where rounding hides a W."""

    root: Floats
    off: Floats

    @property
    def tau(self) -> Floats:
        """τ."""
        with np.errstate(invalid="ignore"):
            return np.where(self.off < 0.5, self.off / (1 - self.off), np.inf)


class Pair(NamedTuple):
    """Of rows of Q: factors of m x^{e−1} and of x^e, e being p − 1, or p for dV."""

    first: Floats
    second: Floats


def tile_weights(shape: PowerShape, weight: Floats, sizes: Floats) -> Weights:
    """Return what is known of weights that a sweep has summed.

    Parameters
    ----------
    weight : ndarray, shape (n, heads)
        W, as computed.
    sizes : ndarray, shape (n, heads)
        A.
    """
    p, sigma = shape.degree, gamma(shape.degree + TILE + shape.tiles + 1)
    lost = shape.keys * p * TINY
    share = (np.maximum(weight - lost, 0.0) / (sizes * (1 + sigma))) ** (1 / p) - shape.product
    root = _over(share)
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.expm1(p * np.log1p(shape.product * root)) * (1 + sigma) + sigma + 2 * lost / weight
    return Weights(root, np.where(np.isfinite(root), off, np.inf))


def feature_weights(shape: PowerShape, weight: Floats, sizes: Floats, off: float, lost: float) -> Weights:
    """Return what is known of weights that features have summed.

    Parameters
    ----------
    off : float
        What sums are off by, of A.
    lost : float
        What products that are rounded to nothing come to.
    """
    size = _over((weight - lost) / sizes - off)
    with np.errstate(over="ignore", invalid="ignore"):
        return Weights(size ** (1 / shape.degree), np.where(np.isfinite(size), off * size + 2 * lost / weight, np.inf))


def _over(share: Floats) -> Floats:
    """Return what a bound is from the share that is left of 1; infinite where none is."""
    with np.errstate(divide="ignore"):
        return np.where(share > 0, np.maximum(1 / np.maximum(share, TINY), 1.0), np.inf)


def tile_slack(shape: PowerShape, weights: Weights) -> Pair:
    """Return what numbers of E, over p B/W, or of S, over 1/W, are off by."""
    tau, p = weights.tau, shape.degree
    if shape.of_values:
        return Pair((1 + tau) * p * shape.product, (1 + tau) * (tau + shape.sums))
    near = _difference(shape, tau)
    first = (1 + tau) * (p - 1) * (2 + near) * shape.product
    return Pair(first, (1 + tau) * (near + 2 * tau + shape.sums * (2 + near)))


def _difference(shape: PowerShape, tau: Floats) -> Floats:
    """Return ω'."""
    return np.asarray(_mean(shape, tau) + gamma(shape.depth + 2) + 4 * U)


def _mean(shape: PowerShape, tau: Floats) -> Floats:
    """Return ω."""
    return np.asarray(2 * tau + gamma(shape.depth + 4) * (1 + 2 * tau) + 2 * U)


def feature_slack(shape: PowerShape, weights: Weights, off: float, *, is_causal: bool) -> Floats:
    """Return what numbers of E, over p B m^{p−1}/W, or of S, over m^p/W, are off by; with tiles where each row sees its own past.

    Parameters
    ----------
    off : float
        γ of all that is summed on the way.
    """
    tau = weights.tau
    tiles = sum(tile_slack(shape, weights)) if is_causal else 0.0
    if shape.of_values:
        return np.asarray((1 + tau) * (off + tau) + tiles)
    mean = _mean(shape, tau)
    return np.asarray((1 + tau) * (off * (2 + mean) + mean + 2 * tau) + tiles)


def sway(shape: PowerShape, weights: Weights) -> Pair:
    """Return what changes of the rows by ε do to numbers of E, or of S, over the same and over ε."""
    p, root = shape.degree, weights.root
    if shape.of_values:
        return Pair(np.full(root.shape, 2.0 * p), 1 + 2 * p * root)
    return Pair(np.full(root.shape, 4.0 * (p - 1)), 6 + 8 * p * root)


def sum_pairs(shape: PowerShape, weights: Weights, pair: Pair) -> Floats:
    """Return what a pair comes to over all j for dQ, over p B/‖q‖."""
    p, root = shape.degree, weights.root
    with np.errstate(over="ignore"):
        above = np.exp(np.minimum((p - 1) * np.log1p(shape.product * root), 700.0))
        return np.asarray(above * (pair.first * root**2 + pair.second * root))


def feel_pairs(shape: PowerShape, weights: Weights, sizes: Floats, pair: Pair) -> Floats:
    """Return the most that a pair comes to at any one row of K, over p B ‖q‖, or for dV over ‖dy‖; sums of powers bound each of them.

    Parameters
    ----------
    sizes : ndarray, shape (n, heads)
        A.
    """
    p, root = shape.degree, weights.root
    if not shape.of_values:
        return sum_pairs(shape, weights, pair) / sizes ** (1 / p)
    with np.errstate(over="ignore"):
        above = np.exp(np.minimum(p * np.log1p(shape.product * root), 700.0))
        return np.asarray(above * (pair.first * root + pair.second))


def polynomial_gradient_level(shape: PowerShape) -> float:
    """Return the backward error that the rounding of sweeps explains whatever the rows, as long as it leaves digits at all.

    With τ ≈ p η a^{1/p} + σ both factors of :func:`tile_slack` are at most this times those of :func:`sway`.
    """
    return shape.product + 2 * shape.sums + gamma(shape.depth + 4) + U
