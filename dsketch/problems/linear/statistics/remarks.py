"""Sentences about what a reader of a summary must know."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.problems.linear.statistics.estimates import Fit, is_flat


def remarks(fit: Fit, rows: int, robust: str | None, F: Floats, is_centred: bool) -> list[str]:
    """Return them.

    Parameters
    ----------
    fit : Fit
    rows : int
        Of A, those of weight 0 too.
    robust : str or None
    F : ndarray, shape (k,)
    is_centred : bool
        Whether the model contains a constant.
    """
    said = []
    if fit.rows < rows:
        said.append(f"{rows - fit.rows:,} of {rows:,} rows have weight 0 and do not count as observations")
    if not fit.degrees:
        said.append(
            "n equals the rank: the fit is exact whatever b is, and no degree of freedom is left to estimate a variance from"
        )
    said += _rounding(fit, is_centred)
    if not fit.is_estimable.all():
        said.append(
            f"A has rank {fit.factor.rank} of {fit.is_estimable.size}: x is the shortest minimizer and the errors are of that choice; "
            f"the {np.count_nonzero(~fit.is_estimable)} coefficients with * are not determined by the data one by one: no t and p"
        )
    if robust is not None and fit.degrees and fit.factor.rank > is_centred and np.isnan(F[~fit.is_met]).any():
        said.append(f"the {robust} covariance is singular to rounding: no F test")
    if not is_centred:
        said.append("without a constant among the columns R² and F compare with 0, not with the mean of b; see intercept=True")
    return said


def leverage_remark(rows: NDArray[np.int64], touched: Sequence[str], unknown: Sequence[str], robust: str) -> str:
    """Return what is said of rows of leverage 1 and the coefficients that they decide.

    Parameters
    ----------
    rows : ndarray of int
        Their numbers.
    touched, unknown : sequence of str
        Names of the coefficients that they decide, and of those that have no error for it.
    robust : str
    """
    said = f"{rows.size} rows have leverage 1 (row {_list_some(rows)}; each alone decides a coefficient and is met exactly)"
    if not unknown:
        return f"{said}: {robust} takes their residual for 0, so that the errors of {_list_some(touched)} are too small"
    return f"{said}: {robust} is 0/0 there; no error, t and p for {_list_some(unknown)}"


def _list_some(things: Iterable[Any], most: int = 8) -> str:
    """Return the first few of them, and how many more there are."""
    every = [str(thing) for thing in things]
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")


def _rounding(fit: Fit, is_centred: bool) -> list[str]:
    """Return what is said of fits whose residual, and of b whose spread, is rounding."""
    flat, met = is_flat(fit, is_centred), fit.is_met
    said = []
    if fit.degrees and met.any():
        said.append(
            f"the fit{_of(met)} is exact: the residual is rounding of the data, so that errors, t, p and F would be 0/0; they are NaN"
        )
    if flat.any():
        said.append(f"b{_of(flat)} does not vary: there is nothing to explain and R² would be 0/0; it is NaN")
    return said


def _of(sides: NDArray[np.bool_]) -> str:
    """Return which right-hand sides are meant, where there are several."""
    if sides.size == 1:
        return ""
    places = np.flatnonzero(sides)
    return f" of right-hand side{'s' * (places.size > 1)} {_list_some(places)}"
