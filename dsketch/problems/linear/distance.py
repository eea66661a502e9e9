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
from dsketch._linalg.bounds import Bounds
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.factor import Factor
from dsketch._linalg.tiled import solve_turned
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
    if isinstance(factor, Bounds):
        parts = _far_by_bounds(answer, factor, rows)
        return np.tile(np.sum(parts, axis=0), (len(x), 1))
    weights = factor.scale[:, None]
    whitened, step, row_norms, row_norms_of_square = _apply_inverse(factor, answer.slope.g / weights)
    unseen = weights * np.abs(x - factor.shortest(x)) + _turn_of_null_space(answer)
    once, twice = _doubts(answer, rows)
    # Of a sketch's factor R⁻ᵀAᵀA R⁻¹ is not I, but its inverse is at most (1 + ε)².
    stretch = (1 + answer.distortion) ** 2
    felt_once = row_norms[:, None] * (np.sqrt(stretch) * once + (stretch - 1) * norms(whitened))
    felt_twice = row_norms_of_square[:, None] * (stretch * twice)
    return np.asarray(unseen + np.abs(step) + felt_once + felt_twice)


def _apply_inverse(factor: Factor, h: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return Tᵀh and T Tᵀh for T = (R D⁻¹)⁺, up to a rotation of the first, and the norms of the rows of T and of T Tᵀ, rounded up."""
    if factor.extent is not None:
        whitened = np.array(h, order="C")
        solve_turned(factor.scaled, whitened)
        step = factor.solve(whitened) * factor.scale[:, None]
        return whitened, step, *factor.extent.row_norms
    s, V = factor.scaled_decomposition[0][: factor.rank], factor.scaled_decomposition[1][: factor.rank].T
    whitened = (V.T @ h) / s[:, None]
    return whitened, V @ (whitened / s[:, None]), np.linalg.norm(V / s, axis=1), np.linalg.norm(V / s**2, axis=1)


def _far_by_bounds(answer: LinearAnswer, bounds: Bounds, rows: int) -> tuple[Floats, Floats, Floats]:
    """Return what is at most ‖D (x − x*)‖ for the slope and for the doubt of the residual, and at most each entry for that of the sums."""
    assert answer.slope is not None  # noqa: S101 - for type checkers
    once, twice = _doubts(answer, rows)
    step = norms(bounds.solve_transposed(answer.slope.g)) / bounds.least**2
    return step, once / bounds.least, twice / bounds.least**2


def _turn_of_null_space(answer: LinearAnswer) -> Floats:
    """Return how far D x may be off because rounding turns the null space, shape (d, k) or 0.

    A null vector v of A D⁻¹ is known to eps kappa.  In the user's units it is D⁻¹v, of length τ at least, and the shortest x is orthogonal
    to it.
    """
    factor, d = answer.triangle, answer.x.shape[0]
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
    return once + EPS * moved, twice + EPS * factor.fitted(answer.move) + answer.spread * moved


def doubt_of_fit(answer: LinearAnswer, rows: int) -> Floats:
    """Return by how much rounding of the slope may move ‖A (x − x*)‖ as it is told by ‖R⁻ᵀ g‖, shape (k,); of A's own factor."""
    once, twice = _doubts(answer, rows)
    return np.asarray(once + inverse_norm(answer.factor) * twice)


def inverse_norm(factor: Factor | Bounds) -> float:
    """Return at least ‖(R D⁻¹)⁺‖, D being ``factor.scale``."""
    if isinstance(factor, Bounds):
        return 1.0 / float(factor.least)
    return float(np.linalg.norm(_apply_inverse(factor, np.zeros((len(factor.R), 1)))[2]))


def forward_error(answer: LinearAnswer, rows: int) -> Floats:
    """Return a first-order bound on ‖D (x − x*)‖/‖D x*‖, shape (k,): NaN without a slope, infinite where x* may be 0."""
    if answer.slope is None:
        return np.full(answer.x.shape[1], np.nan)
    if isinstance(bounds := answer.factor, Bounds):
        step, once, twice = _far_by_bounds(answer, bounds, rows)
        length, far = norms(bounds.scale[:, None] * answer.x), step + once + np.sqrt(bounds.rank) * twice
        return bounds.unit * ratio(far, np.maximum(length - far, 0.0))
    sizes = ratio(answer.factor.sizes, answer.factor.scale)[:, None]  # of the columns, where the scale is a power of two
    far, length = norms(sizes * coefficient_errors(answer, rows)), norms(sizes * answer.factor.scale[:, None] * answer.x)
    return ratio(far, np.maximum(length - far, 0.0))
