"""Rows of leverage near 1, judged by the rest of the rows: 1 − h and r to all digits, and which rows alone decide a coefficient.

1 − ‖yᵢ‖² has lost what is below u·rank·kappa, r what is below u‖b‖, and a robust error divides one by the other.  So the rows near 1
(hardly more than the rank, as Σ h = rank) are set aside, one pass gives R₀ of the rest, and with Z = H T₀ for the rows H set aside and S
= I + Z Zᵀ

    1 − hᵢ = [S⁻¹]ᵢᵢ,    r = S⁻¹ (b_H − H x₀),    (AᵀA)⁻¹Hᵀ = T₀ Zᵀ S⁻¹,

where nothing cancels.  Where the rest has a lower rank than all rows (by the same limit, in the same units), a row alone decides a
direction if the others do not reach it: its leverage is 1, its r is 0, and r/(1 − h) is 0/0.

References
----------
R. D. Cook, S. Weisberg, "Residuals and Influence in Regression", 1982, section 2.2.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch._linalg.factor import Factor
from dsketch.passes.sandwich import Meat
from dsketch.passes.triangle import Reduced, join_rows_below
from dsketch.problems.linear.statistics.estimates import Fit
from dsketch.settings import EPS

_NEAREST, _FARTHEST = 1e-5, 0.1  # between them lies the limit below which 1 − ‖y‖² is not good enough
_WANTED = 1e-6  # the relative error of 1 − ‖y‖² at that limit
_MOST = 200  # the most rows that are judged one by one, at a QR of d × d each
_SPANNED = 1e-8  # 1 − leverage among the few rows that reach a direction, where one of them is not alone
_ROUNDING = 64 * EPS  # the part of a coefficient in a direction is known to this times kappa


@dataclass(frozen=True)
class Near:
    """Rows set aside, judged.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
        Their numbers.
    whitened : ndarray, shape (m, r)
        yᵢ.
    moves : ndarray, shape (m, d)
        (AᵀA)⁻¹xᵢ: how x moves with bᵢ; 0 for rows of leverage 1.
    residual : ndarray, shape (m, k)
    room : ndarray, shape (m,)
        1 − hᵢ; 1 for rows of leverage 1, whose residual is 0.
    is_alone : ndarray of bool, shape (m,)
        Whether hᵢ is 1.
    is_decided : ndarray of bool, shape (d,)
        Which coefficients these rows alone decide.
    """

    rows: NDArray[np.int64]
    whitened: Floats
    moves: Floats
    residual: Floats
    room: Floats
    is_alone: NDArray[np.bool_]
    is_decided: NDArray[np.bool_]

    def stretch(self, power: float) -> Floats:
        """Return r/(1 − h)^power, shape (m, k)."""
        return self.residual / self.room[:, None] ** power

    def meat(self, power: float) -> Floats:
        """Return the rows' part of the meat, shape (k, r, r)."""
        return np.stack([(self.whitened * side[:, None] ** 2).T @ self.whitened for side in self.stretch(power).T])

    def halves(self, power: float) -> Floats:
        """Return V with V Vᵀ the rows' part of the covariance, shape (k, d, m)."""
        return np.stack([self.moves.T * side for side in self.stretch(power).T])


def near_limit(factor: Factor) -> float:
    """Return the 1 − h at or below which a row is set aside."""
    return float(np.clip(EPS * factor.rank * factor.scaled_condition / _WANTED, _NEAREST, _FARTHEST))


def judge_near(fit: Fit, stored: Fit, found: Meat, rest: Reduced) -> Near:
    """Return what the rows set aside are worth.

    Parameters
    ----------
    fit, stored : Fit
        As the passes see it, and told of A as it is stored.
    found : Meat
        With the rows set aside.
    rest : Reduced
        What a QR leaves of [A b] without them.
    """
    is_alone, is_decided = _alone(stored, rest.R, found.X)
    moves, residual, room = np.zeros(found.X.shape), np.zeros(found.Y.shape), np.ones(len(found.X))
    others = np.flatnonzero(~is_alone)
    base = join_rows_below(rest, found.X[is_alone], found.Y[is_alone])
    # Where some rows reach a direction only together, each is judged by all others, if they are not too many.
    is_whole = Factor(base.R).rank == fit.factor.rank
    groups = [others] if is_whole else [others[[place]] for place in range(len(others))]
    if len(groups) > _MOST:
        moves[others], residual[others], room[others] = _direct(fit, found.X[others], found.Y[others])
        groups = []
    for group in (group for group in groups if group.size):
        left = np.setdiff1d(others, group)
        beside = base if len(groups) == 1 else join_rows_below(base, found.X[left], found.Y[left])
        moves[group], residual[group], room[group] = _together(beside, found.X[group], found.Y[group])
    return Near(
        found.rows.astype(np.int64), fit.whitener.apply(found.X), stored.restate(moves.T).T, residual, room, is_alone, is_decided
    )


def _alone(fit: Fit, rest: Floats, X: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows reach a direction that neither the rest nor the others of them reach, and which coefficients have a part in it."""
    full = fit.factor
    _, s, Vt = sl.svd(rest / full.scale)
    rank = int(np.count_nonzero(s > full.rank_tolerance * full.scaled_singular[0]))
    if rank >= full.rank:
        return np.zeros(len(X), dtype=bool), np.zeros(len(rest), dtype=bool)
    missed = Vt[rank:].T
    reach = (X / full.scale) @ missed
    U, _ = _main(reach)
    is_alone = 1.0 - np.einsum("ij,ij->i", U, U) <= _SPANNED
    condition = s[0] / s[rank - 1] if rank else 1.0
    directions = missed @ _main(reach[is_alone])[1].T
    return is_alone, fit.is_touched(directions, max(float(np.sqrt(EPS)), _ROUNDING * condition))


def _main(reach: Floats) -> tuple[Floats, Floats]:
    """Return the singular vectors of what a few rows reach, without those that are rounding."""
    U, s, Wt = sl.svd(reach, full_matrices=False)
    kept = s > _SPANNED * s.max(initial=0.0)
    return U[:, kept], Wt[kept]


def _together(base: Reduced, X: Floats, Y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (AᵀA)⁻¹xᵢ, r and 1 − h of a few rows beside the triangle of all others."""
    m, d = X.shape
    factor = Factor(base.R)
    Q, U = sl.qr(np.concatenate([np.eye(m), factor.whitener.apply(X).T]), mode="economic")  # UᵀU = S, graded as Z is
    inverse = np.asarray(sl.solve_triangular(U, np.eye(m)))
    left = Y - X @ factor.least_squares(base.z)
    moves = factor.whitener.apply(np.eye(d)) @ (Q[m:] @ inverse.T)
    return moves.T, inverse @ (inverse.T @ left), norms(inverse.T) ** 2


def _direct(fit: Fit, X: Floats, Y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the same from the fit itself, as for rows far from leverage 1."""
    whitened = fit.whitener.apply(X)
    room = 1.0 - np.einsum("ij,ij->i", whitened, whitened)
    return whitened @ fit.basis.T, Y - X @ fit.x, np.maximum(room, EPS)


def find_unknown(fit: Fit, near: Near, robust: str) -> NDArray[np.bool_]:
    """Return which coefficients have no robust error, because rows of leverage 1 decide them.

    HC2 and HC3 are 0/0 for all to which such a row contributes; HC0 and HC1 take its r for the 0 that it is, and are
    nothing but that for coefficients that only such rows decide.
    """
    if robust in ("HC2", "HC3") or not near.is_alone.any():
        return near.is_decided
    U = sl.qr(near.whitened[near.is_alone].T, mode="economic")[0]
    share = max(float(np.sqrt(EPS)), _ROUNDING * fit.factor.scaled_condition)
    return norms((fit.spread - fit.spread @ U @ U.T).T) <= share * norms(fit.spread.T)
