"""Heteroscedasticity-robust covariance of a fit: the meat of all rows but those of leverage near 1, and these judged by the rest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.passes import Look, Sandwich
from dsketch.passes.base import Flow
from dsketch.passes.sandwich import Rest
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
    """

    meat: Floats
    halves: Floats
    whole: Floats
    unknown: NDArray[np.bool_]
    passes: tuple[str, ...] = ("sandwich",)
    notes: tuple[str, ...] = ()


def robust_covariance(system: LinearSystem, fit: Fit, stored: Fit, robust: str, names: tuple[str, ...]) -> Flow[Robust]:
    """Return the covariance, told as ``stored`` is; one pass, two where a row has leverage near 1."""
    power, is_stretched = ROBUST[robust]
    # An exact fit has no residuals but rounding.
    stretch = np.where(fit.is_met, np.nan, fit.rows / fit.degrees if is_stretched else 1.0)[:, None, None]
    found = yield Look(Sandwich(fit.x, fit.whitener, power, near_limit(fit.factor)), system.rows)
    meat, d = found.meat * stretch, len(fit.x)
    if not found.rows.size:
        return Robust(meat, np.zeros((len(meat), d, 0)), meat, np.zeros(d, dtype=bool))
    rest = yield Look(Rest(left_out=found.rows), system.rows)
    near = judge_near(fit, stored, found, rest)
    lost = find_unknown(stored, near, robust)
    notes: tuple[str, ...] = ()
    if near.is_alone.any():
        rows = near.rows[near.is_alone]
        notes = (leverage_remark(rows, _pick_names(names, near.is_decided), _pick_names(names, lost), robust),)
    halves, whole = near.halves(power) * np.sqrt(stretch), meat + near.meat(power) * stretch
    return Robust(meat, halves, whole, lost, ("sandwich", "rest"), notes)


def _pick_names(names: tuple[str, ...], places: NDArray[np.bool_]) -> list[str]:
    return [name for name, is_chosen in zip(names, places, strict=True) if is_chosen]
