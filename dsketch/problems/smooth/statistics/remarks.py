"""Sentences about what a reader of a generalised linear model's table must know."""

import numpy as np

from dsketch.problems.linear.statistics.estimates import Fit

_WANTED = 1e-6  # standard errors from the maximum, beyond which the coefficients printed may differ from it


def smooth_remarks(
    fit: Fit,
    *,
    is_convex: bool,
    reach: float,
    rows: float,
    degrees: float,
    is_exact: bool,
    has_distribution: bool,
    is_asked: bool,
) -> list[str]:
    """Return them.

    Parameters
    ----------
    fit : Fit
    is_convex : bool
        Whether a maximum is the only one.
    reach : float
        How far x is from the maximum at most, in standard errors.
    rows : float
        Of A, as many as there are.
    degrees : float
        n − rank.
    is_exact : bool
        Whether what is left of y is rounding.
    has_distribution : bool
        Whether y has a distribution given η.
    is_asked : bool
        Whether robust errors were asked for.
    """
    said = []
    if not is_convex:
        said.append("the loss is not convex: x is a maximum of the likelihood near by, which is not proven to be the highest")
    elif reach > _WANTED:
        far = f"at most {reach:.1e} standard errors" if np.isfinite(reach) else "an unproven distance"
        said.append(f"x is {far} from the maximum: the statistics are those of x, not of it; solve with a smaller tol")
    if fit.rows < rows:
        said.append(f"{rows - fit.rows:,.12g} of {rows:,.12g} rows have weight 0 and do not count as observations")
    if not degrees:
        said.append("n equals the rank: no degree of freedom is left to estimate a dispersion from")
    if is_exact:
        said.append("the fit is exact: what is left of y is rounding, so that there is no dispersion, no error and no test")
    if not has_distribution and not is_asked:
        said.append("the loss stands for no distribution of y, so that there are no errors of the model's own: these are HC1")
    if not fit.is_estimable.all():
        said.append(
            f"A has rank {fit.factor.rank} of {fit.is_estimable.size}: x is one of many maxima and the errors are of the shortest; "
            f"the {np.count_nonzero(~fit.is_estimable)} coefficients with * are not determined by the data one by one: no test"
        )
    return said
