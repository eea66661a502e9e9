"""What one reading proves: a bound on the backward error of x from AᵀA, or from R, with a bound on all the rounding of their sums.

Let u be the unit round-off and γ = L u/(1 − L u), L the most roundings that a product of the sums went through (counted as they were
made: :mod:`dsketch.passes.counted`).  Then |fl(AᵀA) − AᵀA|ᵢⱼ ≤ γ ‖aᵢ‖‖aⱼ‖, likewise of Aᵀb and bᵀb, whatever the order of the sums, and

- the slope at any x is c − G x up to γ ‖aⱼ‖ (‖b‖ + Σ ‖aᵢ‖|xᵢ|) in its j-th entry, and the residual's square up to γ (‖b‖ + Σ ‖aᵢ‖|xᵢ|)²;
- the singular values of A D⁻¹ are those of chol(D⁻¹GD⁻¹), squares up to γ ‖A D⁻¹‖_F²: with the least of them the Karlson–Waldén estimate
  of the worst slope is a bound on the backward error.  It grows with kappa, as the slope of a Gram matrix does.

A QR [A b] + [ΔA Δb] = Q [R z; 0 ρ] moves columns by E times their norm at most: the slope at x is that of R but for ΔAᵀr̃ + Aᵀ(Δb − ΔA x),
of which the backward error feels three or four E, whatever kappa is.

Everything is worst case: no rounding is taken to cancel another.  What is shifted or weighted on the way counts as rounded once more
for each; beyond that, A is what the passes saw.

References
----------
N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM, 2002, Sections 3.1, 10.1, 19.3 and 20.7.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.factor import Factor
from dsketch.events import Converged
from dsketch.passes import CountedGram, Reduced, Slope, Triangle
from dsketch.passes.base import Flow, heavy_rows
from dsketch.passes.counted import reflections
from dsketch.passes.triangle import CHILDREN
from dsketch.problems.linear.method import LinearAnswer
from dsketch.settings import EPS

ONE_READING = 1e-7  # what max_passes=1 aims at without tol: what one reading of up to about 300 columns proves, whatever kappa is
_U = EPS / 2
_ON_THE_WAY = 8  # roundings of an entry before it is multiplied: root of a weight, its product, a shift, each for two factors
_GRAM_UNITS, _TRIANGLE_UNITS = 6.0, 4.0  # what a proof comes to, in γ kappa √(‖A‖_F²/‖A‖²) and in E
_SUMS, _LEVELS, _MERGES = 100, 3, 10  # of slices and panels; of the tree in a block; of blocks and panels: usual numbers
_UNKNOWN = 1e50  # a distortion with which no bound on x means anything
_NORMAL = float(np.finfo(float).tiny) / EPS  # squares below have lost digits


@dataclass(frozen=True)
class Proof:
    """What is proven of x.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        A bound; infinite where nothing is proven.
    slope : Slope
        At x as it was computed, with the largest residual that may be.
    squares : ndarray, shape (k,)
        That of the residual, as the sums tell it.
    blur : ndarray, shape (2, k)
        How far the residual may be off, and D⁻¹ times the slope beyond that, in norm.
    distortion : float
        How far R may be from A's own factor: as of a sketch's.
    """

    backward_error: Floats
    slope: Slope
    squares: Floats
    blur: Floats
    distortion: float


@np.errstate(divide="ignore", invalid="ignore")
def prove_by_gram(found: CountedGram, factor: Factor, x: Floats, moments: Slope) -> Proof:
    """Return what AᵀA, Aᵀb and bᵀb prove of x.

    Parameters
    ----------
    found : CountedGram
        With a penalty on the diagonal, if there is one.
    factor : Factor
        The Cholesky factor of AᵀA.
    x : ndarray, shape (d, k)
    moments : Slope
        Of b.
    """
    G, c, bb, depth = found
    d, weights = len(x), factor.scale[:, None]
    gamma = _gamma(depth + _ON_THE_WAY)
    lengths = np.sqrt(np.diag(G))[:, None] * (1 + 2 * gamma)
    reach = np.sqrt(bb) * (1 + 2 * gamma) + (lengths * np.abs(x)).sum(axis=0)
    g = c - G @ x
    off = (gamma + _gamma(d + 4)) * lengths * reach
    rr = bb - 2 * np.einsum("ij,ij->j", x, c) + np.einsum("ij,ij->j", x, G @ x)
    room = (gamma + _gamma(2 * d + 8)) * reach**2
    size = float(norms(lengths / weights)[0])
    least = factor.scaled_bounds[0] ** 2
    moved = (gamma + _gamma(20 * d)) * size**2  # of the squares of singular values, with what Cholesky and their bounds round
    weight = np.maximum(least - moved, 0.0) * norms(weights * x) ** 2 + np.maximum(rr - room, 0.0)
    error = (1 + 1e-6) * ratio(norms((np.abs(g) + off) / weights), np.sqrt(weight)) / (size * (1 - 4 * gamma))
    is_known = (np.diag(G) > _NORMAL).all()
    error = np.where((bb > _NORMAL) & np.isfinite(error) & is_known, error, np.inf)
    loose = _inverse_stretch(moved, least)
    blur = np.stack([np.zeros_like(rr), norms(off / weights)])
    squares = np.maximum(rr, 0.0)
    return Proof(error, moments._replace(g=g, rr=squares + room), squares, blur, loose)


@np.errstate(divide="ignore", invalid="ignore")
def prove_by_triangle(found: Reduced, depth: float, factor: Factor, x: Floats, moments: Slope) -> Proof:
    """Return what R, Qᵀb and the squares of the rest prove of x; of a rank-deficient A nothing.

    Parameters
    ----------
    found : Reduced
        With the rows of a penalty, if there is one.
    depth : float
        How far QRs may have moved a column, in units of u.
    factor : Factor
        Of R.
    x : ndarray, shape (d, k)
    moments : Slope
        Of b.
    """
    d, weights, (least_singular, largest) = len(x), factor.scale[:, None], factor.scaled_bounds
    moving = _gamma(depth + _ON_THE_WAY)
    lengths = norms(found.R)[:, None] * (1 + 2 * moving)
    total, length = np.hypot(norms(found.z), found.rest), norms(weights * x)
    reach = total * (1 + 2 * moving) + (lengths * np.abs(x)).sum(axis=0)
    left = found.z - found.R @ x
    rounded = _gamma(d + 4) * reach
    small = norms(left) + rounded  # what x leaves of R x = z
    rest = np.hypot(norms(left), found.rest) + rounded  # the residual of what was factored
    off = moving * reach  # and how far it is from that of A
    size = float(norms(lengths / weights)[0])
    bend = (moving + _gamma(20 * d)) * size  # of singular values
    least = np.maximum(rest - 2 * rounded - off, 0.0)
    turned = moving * size * rest / np.maximum(least, max(least_singular - bend, 0.0) * length)
    along = (off + small) * np.minimum(1 / length, (largest + bend) / least)
    error = (1 + 1e-6) * (turned + along) / (size * (1 - 4 * moving))
    is_known = (norms(found.R) ** 2 > _NORMAL).all() and not factor.is_deficient
    error = np.where((total**2 > _NORMAL) & np.isfinite(error) & is_known, error, np.inf)
    blur = np.stack([off + small, moving * size * (rest + off)])
    slope, squares = moments._replace(g=np.zeros_like(x), rr=(rest + off) ** 2), norms(left) ** 2 + found.rest**2
    return Proof(error, slope, squares, blur, _inverse_stretch(bend, least_singular))


def conclude(proof: Proof, factor: Factor, x: Floats) -> Flow[LinearAnswer]:
    """Return the answer that is proven and not measured.  No pass."""
    residual = np.sqrt(proof.slope.rr)
    yield Converged(float(proof.backward_error.max(initial=0.0)), float(residual.max(initial=0.0)))
    return LinearAnswer(
        x,
        factor,
        True,
        proof.slope,
        proof.backward_error,
        residual,
        distortion=proof.distortion,
        blur=proof.blur,
        squares=proof.squares,
        notes=("the rows were read once: errors and residual are bounds, for the largest rounding that the sums may have",),
    )


def reading_notes(answer: LinearAnswer, most: int | None) -> tuple[str, ...]:
    """Return a note where one reading was asked for and did not prove enough of these rows."""
    if most != 1 or answer.blur is not None or answer.slope is None:
        return ()
    return ("one reading of these rows proves less than was asked for, which the plan could not know: another one measured it",)


def explain_proof(error: float) -> tuple[str, ...]:
    """Return the line of a plan that foresees one reading."""
    return (f"one reading: its rounding is at most of a backward error of about {error:.0e}, which needs no second",)


def _gamma(roundings: float) -> float:
    """Return γ of so many roundings; infinite where it means nothing."""
    return roundings * _U / (1 - roundings * _U) if roundings * _U < 0.01 else float("inf")


def _inverse_stretch(moved: float, least: float) -> float:
    """Return δ with (1 + δ)(1 − moved/least) = 1: large where that may be nothing."""
    return moved / (least - moved) if moved < least else _UNKNOWN


def forecast_by_gram(rows: int, d: int, condition: float, trace: float) -> float:
    """Return about what :func:`prove_by_gram` will prove of rows like the probed ones, with b about as long as A x."""
    return _GRAM_UNITS * _gamma(min(heavy_rows(d), rows) + _SUMS) * condition * float(np.sqrt(trace))


def forecast_by_triangle(d: int, sides: int) -> float:
    """Return about what :func:`prove_by_triangle` will prove; infinite where leaves are not made by Householder QR."""
    triangle, width = Triangle(), d + sides
    rows = triangle.leaf_rows(d, sides)
    if sides > d or not triangle.has_plain_leaves(d, sides, rows):
        return float("inf")
    depth = reflections(rows, width) + _LEVELS * reflections(CHILDREN * width, width) + _MERGES * reflections(2 * width, width)
    return _TRIANGLE_UNITS * _gamma(depth)
