"""How far x is from the minimizer, coefficient by coefficient: what the slope tells, plus what rounding may hide from it.

AᵀA (x* − x) = Aᵀ(b − A x) holds for any x, wherever it comes from; so the measured slope g and a factor of A give x* − x itself, but
for the rounding of g.  With columns scaled (A D⁻¹ = U Σ Vᵀ) that is of two kinds:

- the residual is rounded before it meets Aᵀ, by at most u (‖b‖ + ‖D x‖₁) in norm: coefficient i of D x feels Σ⁻¹V row by row;
- the sums over rows of Aᵀr are rounded, independently for each column and by about u √L ‖r‖ for a chain of L additions: coefficient
  i feels V Σ⁻².

The claim is the sum.  It is of first order: it means something while it stays well below 1, and says so itself where it does not.

References
----------
N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002, Section 20.1.
N. J. Higham, T. Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019 (√L).
"""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch.problems.linear.method import LinearAnswer
from dsketch.settings import EPS


def coefficient_errors(answer: LinearAnswer, rows: int) -> Floats:
    """Return first-order bounds on D |x − x*|, shape (d, k), D being ``answer.factor.scale``.

    Parameters
    ----------
    answer : LinearAnswer
        With a slope.
    rows : int
        n: how many terms each sum of the slope has.
    """
    if answer.slope is None:
        raise ValueError("an answer with a slope was expected")
    factor, x = answer.factor, answer.x
    weights, rank = factor.scale[:, None], factor.rank
    s, V = factor.scaled_decomposition[0][:rank], factor.scaled_decomposition[1][:rank].T
    whitened = (V.T @ (answer.slope.g / weights)) / s[:, None]
    step = V @ (whitened / s[:, None])
    unseen = weights * np.abs(x - factor.shortest(x)) + _turn_of_null_space(answer)
    once, twice = _doubts(answer, rows)
    # Of a sketch's factor R⁻ᵀAᵀA R⁻¹ is not I, but its inverse is at most (1 + ε)².
    stretch = (1 + answer.distortion) ** 2
    felt_once = np.linalg.norm(V / s, axis=1)[:, None] * (np.sqrt(stretch) * once + (stretch - 1) * norms(whitened))
    felt_twice = np.linalg.norm(V / s**2, axis=1)[:, None] * (stretch * twice)
    return np.asarray(unseen + np.abs(step) + felt_once + felt_twice)


def _turn_of_null_space(answer: LinearAnswer) -> Floats:
    """Return how far D x may be off because rounding turns the null space, shape (d, k) or 0.

    A null vector v of A D⁻¹ is known to eps kappa.  In the user's units it is D⁻¹v, of length τ at least, and the shortest x is orthogonal
    to it.
    """
    factor, d = answer.factor, answer.x.shape[0]
    if factor.rank == d or not factor.rank:
        return np.zeros(answer.x.shape)
    units = factor.scale[:, None]
    shortest = np.linalg.svd(factor.scaled_decomposition[1][factor.rank :].T / units, compute_uv=False)[-1]
    with np.errstate(over="ignore", invalid="ignore"):
        along = ratio(EPS * factor.scaled_condition * norms(answer.x / units), shortest)
        turned = units * np.linalg.norm(factor.null, axis=1)[:, None] * along
    return np.where(np.isfinite(along), turned, np.inf)  # units too far apart for a basis


def _doubts(answer: LinearAnswer, rows: int) -> tuple[Floats, Floats]:
    """Return by how much the residual, and the scaled slope beyond it, may be off, shape (k,) each."""
    factor = answer.factor
    chain = np.sqrt(2 * np.sqrt(rows))  # sums are made in slices, then over slices: about 2√n additions one after the other
    fitted = np.abs(factor.scale[:, None] * answer.x).sum(axis=0)
    once, twice = EPS * (answer.residual_norm + 2 * fitted), EPS * chain * answer.residual_norm
    if answer.blur is not None:
        once, twice = once + answer.blur[0], twice + answer.blur[1]
    if answer.move is None:
        return once, twice
    moved = norms(factor.scale[:, None] * answer.move)
    return once + EPS * moved, twice + EPS * norms(factor.R @ answer.move) + answer.spread * moved


def forward_error(answer: LinearAnswer, rows: int) -> Floats:
    """Return a first-order bound on ‖D (x − x*)‖/‖D x*‖, shape (k,): NaN without a slope, infinite where x* may be 0."""
    if answer.slope is None:
        return np.full(answer.x.shape[1], np.nan)
    sizes = ratio(norms(answer.factor.R), answer.factor.scale)[:, None]  # of the columns, where the scale is a power of two
    far, length = norms(sizes * coefficient_errors(answer, rows)), norms(sizes * answer.factor.scale[:, None] * answer.x)
    return ratio(far, np.maximum(length - far, 0.0))
