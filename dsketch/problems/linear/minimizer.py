"""The minimizer of exact sums, to as many digits as are wanted, with a proof.

Let Â = A D⁻¹ with columns of norm about one (D powers of two), Ĝ = ÂᵀÂ exactly, and T any matrix of d columns.  With W = TᵀĜT, which
is computed exactly, and ε ≥ ‖W − I‖_F < 1, T is nonsingular and Ĝ⁻¹ = T W⁻¹ Tᵀ.  So for any x, with ρ = Âᵀb − Ĝ x̂ exactly and z = Tᵀρ,

    |x̂ − x̂*|_j = |e_jᵀ T W⁻¹ z| ≤ ‖T_j‖ ‖z‖/(1 − ε),         T_j the j-th row of T,
    (Ĝ⁻¹)_jj = T_j W⁻¹ T_jᵀ = ‖T_j‖² − T_j (W − I) T_jᵀ + θ ε² ‖T_j‖²/(1 − ε),   |θ| ≤ 1,

whatever the condition number is, and wherever T comes from: here from R, made better by the eigenvectors of W where it must be.  x̂ ←
x̂ + T z, in fixed point, makes z smaller by ε each time.

References
----------
S. M. Rump, "Verification methods: rigorous results using floating-point arithmetic", Acta Numerica 19, 2010, section 10.
S. M. Rump, "Inversion of extremely ill-conditioned matrices in floating-point", Japan J. Indust. Appl. Math. 26, 2009.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch._linalg.wholes import Wholes, dyadic, from_floats, multiply, shift_rounded, to_floats
from dsketch.passes.exact_gram import ExactSums

_NEAR = 2.0**-30  # ε that makes further terms of the variance, ε², smaller than any rounding
_ROUNDS = 8  # of making T better; each divides the condition of A T by up to 10⁷
T_BITS = 80  # fractions of T
_M_BITS = 64  # and of what it is multiplied by
_X_BITS = (256, 768)  # fractions of x: the second where a coefficient is 10⁻³⁰ of others
_DIGITS = 2.0**-110  # error relative to the coefficient: who looked for it may then decide a rounding once in 10¹⁷
_STEPS = 40
_LEAST = 2.0**-1000
_SAFE = 1 + 2.0**-30  # more than all roundings of a bound together


class Normal(NamedTuple):
    """Sums with columns of norm about one.

    Attributes
    ----------
    gram, cross, sizes : ndarray of integers, shapes (d, d), (d, k), (k,)
        Ĝ, Âᵀb̂ and b̂ᵀb̂, times 2^``bits``.
    bits : int
    units, units_of_b : ndarray of int, shapes (d,), (k,)
        Exponents of D and of what b was divided by.
    """

    gram: Wholes
    cross: Wholes
    sizes: Wholes
    bits: int
    units: NDArray[np.int64]
    units_of_b: NDArray[np.int64]


def normalize(sums: ExactSums, penalty: Floats) -> Normal | None:
    """Return the sums of A and the rows of a penalty, shape (d,), columns scaled; None if a column is 0."""
    squares, bits, units = sums.squares.copy(), sums.bits, sums.units
    parts = [dyadic(float(p)) for p in penalty]
    finer = max([2 * int(unit) - bits - power for (factor, power), unit in zip(parts, units, strict=True) if factor] + [0])
    squares, bits = squares << finer, bits + finer
    for place, (factor, power) in enumerate(parts):
        squares[place, place] += factor << (power - 2 * int(units[place]) + bits) if factor else 0
    if not all(squares[place, place] > 0 for place in range(len(units))):
        return None
    up = _half_exponents(np.diagonal(squares), bits)
    up_of_b = _half_exponents(sums.sizes, sums.bits)
    fraction = max(bits + 2 * max([*up, *up_of_b]), sums.bits + 2 * max([*up, *up_of_b]), 0)
    gram = squares << (fraction - bits - np.add.outer(up, up))
    cross = sums.cross << (fraction - sums.bits - np.add.outer(up, up_of_b))
    sizes = sums.sizes << (fraction - sums.bits - 2 * up_of_b)
    to_int = np.int64
    return Normal(gram, cross, sizes, fraction, units + up.astype(to_int), sums.units_of_b + up_of_b.astype(to_int))


def _half_exponents(squares: Wholes, bits: int) -> Wholes:
    """Return e, as Python's integers, with √squares · 2^(−bits/2) at most 2^e, or little above; 0 for 0."""
    return np.array([-(-(int(value).bit_length() - bits) // 2) if value else 0 for value in squares], dtype=object)


@dataclass(frozen=True)
class Verified:
    """T, with a proof that W = TᵀĜT is near I.

    Attributes
    ----------
    T : ndarray of integers, shape (d, d)
        Times 2^``T_BITS``.
    excess : ndarray, shape (d, d)
        W − I, to a unit in the last place.
    epsilon : float
        At least ‖W − I‖_F.
    """

    T: Wholes
    excess: Floats
    epsilon: float

    @property
    def lengths(self) -> Floats:
        """‖T_j‖, shape (d,)."""
        return norms(to_floats(self.T, -T_BITS).T)

    def inverse_diagonal(self) -> Floats:
        """Return the diagonal of Ĝ⁻¹, each entry right to a few units in the last place."""
        T = to_floats(self.T, -T_BITS)
        squares = to_floats(np.array([sum(value * value for value in row) for row in self.T.tolist()], dtype=object), -2 * T_BITS)
        return np.asarray(squares - np.einsum("ij,ij->i", T @ self.excess, T))


def verify(normal: Normal, T: Wholes) -> Verified | None:
    """Return T, made better as far as it must be, with its proof; None if none is found, as where A lacks rank."""
    d = len(T)
    one = np.array(np.eye(d, dtype=int), dtype=object) << (normal.bits + 2 * T_BITS)
    for _ in range(_ROUNDS):
        W = multiply(T.T, multiply(normal.gram, T))
        excess = to_floats(W - one, -normal.bits - 2 * T_BITS)
        epsilon = float(np.linalg.norm(excess)) * _SAFE
        if epsilon <= _NEAR:
            return Verified(T, excess, epsilon)
        if not np.isfinite(epsilon):
            return None
        T = shift_rounded(multiply(T, from_floats(_whitening(excess + np.eye(d)), _M_BITS)), _M_BITS)
    return None


def _whitening(W: Floats) -> Floats:
    """Return M with MᵀWM near I; of directions that rounding hides, small enough."""
    values, vectors = np.linalg.eigh((W + W.T) / 2)
    least = len(W) * 2.0**-48 * values[-1]
    return np.asarray(vectors / np.sqrt(np.maximum(values, least)))


class Minimizer(NamedTuple):
    """x̂ = ``x`` · 2^−``bits``, shape (d, k), integers; ``errors`` bound |x̂ − x̂*|, shape (d, k), ``square`` ‖Â (x̂ − x̂*)‖², shape (k,)."""

    x: Wholes
    bits: int
    errors: Floats
    square: Floats


def minimize(normal: Normal, verified: Verified) -> Minimizer:
    """Return the minimizer: 33 digits of each coefficient, or the digits of a number 2^−700 times the largest."""
    x: Wholes = np.zeros(normal.cross.shape, dtype=object)
    found, bits = None, 0
    for more in _X_BITS:
        x, bits = shift_rounded(x, bits - more), more
        found = _refine(normal, verified, x, bits)
        if (found.errors <= _DIGITS * np.abs(to_floats(found.x, -bits))).all():
            break
        x = found.x
    assert found is not None  # noqa: S101 - for type checkers: there are steps
    return found


def _refine(normal: Normal, verified: Verified, x: Wholes, bits: int) -> Minimizer:
    lengths, found = verified.lengths[:, None] * (_SAFE / (1 - verified.epsilon)), None
    for _ in range(_STEPS):
        rho = (normal.cross << bits) - multiply(normal.gram, x)
        z = multiply(verified.T.T, rho)
        size = norms(to_floats(z, -normal.bits - bits - T_BITS)) * _SAFE
        size = np.where(z.any(axis=0), np.maximum(size, _LEAST), 0.0)  # what underflows is not 0
        if found is not None and not (size**2 < found.square / 4).any():
            return found
        found = Minimizer(x, bits, lengths * size, size**2)
        if (found.errors <= _DIGITS * np.abs(to_floats(x, -bits))).all():
            return found
        step = multiply(verified.T, shift_rounded(z, normal.bits + T_BITS - 32))
        x = x + shift_rounded(step, T_BITS + 32)
    assert found is not None  # noqa: S101 - for type checkers: there are steps
    return found


def squares_left(normal: Normal, x: Wholes, bits: int) -> Wholes:
    """Return ‖b̂ − Â x̂‖² times 2^(bits of the sums + 2 bits), exactly, shape (k,)."""
    there = (normal.cross << (bits + 1)) - multiply(normal.gram, x)
    products = np.array(
        [sum(map(int.__mul__, column.tolist(), other.tolist())) for column, other in zip(x.T, there.T, strict=True)], dtype=object
    )
    return np.asarray((normal.sizes << (2 * bits)) - products, dtype=object)
