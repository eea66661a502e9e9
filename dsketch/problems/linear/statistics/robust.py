"""Robust covariance of a fit: of all rows but those of leverage near 1, and these judged by the rest; or of groups of rows."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Matrix
from dsketch.matrix.beside import Beside
from dsketch.matrix.reordered import Reordered
from dsketch.matrix.rows import Rows
from dsketch.passes import Look, Reduced, Sandwich
from dsketch.passes.base import Flow
from dsketch.passes.group_scores import LinearGroupScores
from dsketch.passes.sandwich import Meat, Rest
from dsketch.problems.clusters import most_groups, remark_of, stretch_of
from dsketch.problems.linear.statistics.estimates import Fit
from dsketch.problems.linear.statistics.leverage import find_unknown, judge_near, near_limit
from dsketch.problems.linear.statistics.remarks import leverage_remark
from dsketch.problems.linear.system import LinearSystem

# Power of 1 − h in the pass, and whether the meat is stretched by n/(n − rank).
ROBUST = {"HC0": (0.0, False), "HC1": (0.0, True), "HC2": (0.5, False), "HC3": (1.0, False)}


@dataclass(frozen=True)
class Robust:
    """A robust covariance, T M Tᵀ + V Vᵀ for each side.

    Attributes
    ----------
    meat : ndarray, shape (k, r, r)
        M, of the rows that are not near leverage 1.
    halves : ndarray, shape (k, d, m)
        V, of those that are.
    whole : ndarray, shape (k, r, r)
        The meat of all rows.
    unknown : ndarray of bool, shape (d,)
        Coefficients that have no error, because rows of leverage 1 decide them.
    passes, notes : tuple of str
    groups : int or None
        How many, where it is one of groups.
    """

    meat: Floats
    halves: Floats
    whole: Floats
    unknown: NDArray[np.bool_]
    passes: tuple[str, ...] = ("sandwich",)
    notes: tuple[str, ...] = ()
    groups: int | None = None

    @classmethod
    def plain(cls, meat: Floats, columns: int, passes: tuple[str, ...], notes: tuple[str, ...], groups: int | None) -> "Robust":
        """Return one without rows set aside."""
        return cls(meat, np.zeros((len(meat), columns, 0)), meat, np.zeros(columns, dtype=bool), passes, notes, groups)


def robust_covariance(system: LinearSystem, fit: Fit, stored: Fit, robust: str, names: tuple[str, ...]) -> Flow[Robust]:
    """Return the covariance, told as ``stored`` is; one pass, two where a row has leverage near 1."""
    power, is_stretched = ROBUST[robust]
    # An exact fit has no residuals but rounding.
    stretch = np.where(fit.is_met, np.nan, fit.rows / fit.degrees if is_stretched else 1.0)[:, None, None]
    found = yield Look(Sandwich(fit.x, fit.whitener, power, near_limit(fit.factor)), system.rows)
    meat, d = found.meat * stretch, len(fit.x)
    if not found.rows.size:
        return Robust.plain(meat, d, ("sandwich",), (), None)
    rest = yield Look(Rest(left_out=found.rows), system.rows)
    return settle(fit, stored, found, rest, robust, stretch, names, ("sandwich", "rest"))


def settle(
    fit: Fit,
    stored: Fit,
    found: Meat,
    rest: Reduced,
    robust: str,
    stretch: Floats,
    names: tuple[str, ...],
    passes: tuple[str, ...],
) -> Robust:
    """Return the covariance of all rows, those of leverage near 1 judged by the rest.

    Parameters
    ----------
    fit, stored : Fit
        As passes saw it, and as it is told.
    found : Meat
        With the rows set aside.
    rest : Reduced
        What a QR leaves of [A b] without them.
    robust : str
    stretch : ndarray, shape (k, 1, 1)
        What the meat is multiplied by.
    names, passes : tuple of str
        Of coefficients, and what was read.
    """
    power = ROBUST[robust][0]
    near = judge_near(fit, stored, found, rest)
    lost = find_unknown(stored, near, robust)
    notes: tuple[str, ...] = ()
    if near.is_alone.any():
        rows = near.rows[near.is_alone]
        notes = (leverage_remark(rows, _pick_names(names, near.is_decided), _pick_names(names, lost), robust),)
    meat = found.meat * stretch
    halves, whole = near.halves(power) * np.sqrt(stretch), meat + near.meat(power) * stretch
    return Robust(meat, halves, whole, lost, passes, notes)


def group_covariance(system: LinearSystem, fit: Fit, groups: Matrix) -> Flow[Robust]:
    """Return the covariance for rows that depend on each other within groups; one pass.

    Parameters
    ----------
    groups : Matrix, shape (n, 1)
        The group of each row.

    Raises
    ------
    DataError
        If they are no number for each row of A, are one group only, or too many.
    """
    d, k = fit.x.shape
    pass_ = LinearGroupScores(fit.whitener, k, most_groups(d, k), fit.x, system.rows.weights is not None)
    found = yield Look(pass_, _beside_groups(system.rows, groups))
    stretch = np.where(fit.is_met, np.nan, stretch_of(found, fit.factor.rank))[:, None, None]
    return Robust.plain(found.meat * stretch, d, (pass_.kind,), remark_of(found, fit.factor.rank), found.groups)


def _beside_groups(rows: Rows, groups: Matrix) -> Rows:
    """Return the rows unweighted: their right-hand sides, weights and groups are columns beside each other."""
    b, weights = rows.b, rows.weights
    sides = {} if b is None else {f"b{side}" if side else "b": _column(b, side) for side in range(b.shape[1])}
    return replace(rows, b=Beside(**sides, **({} if weights is None else {"weights": weights}), groups=groups), weights=None)


def _column(b: Matrix, side: int) -> Matrix:
    return b if b.shape[1] == 1 else Reordered(b, [side])


def _pick_names(names: tuple[str, ...], places: NDArray[np.bool_]) -> list[str]:
    return [name for name, is_chosen in zip(names, places, strict=True) if is_chosen]
