"""How well a generalised linear model fits, from the sums of the fit and of the null model.

The log-likelihood of an exponential dispersion family is that of any other mean less half the difference of the deviances over the
dispersion: so it follows from that of the null model, and no pass over A needs to know the dispersion.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss
from dsketch.passes.constant_fit import Constant
from dsketch.passes.fitted import Fitness
from dsketch.problems.linear.statistics.rounding import is_rounding, terms_of


@dataclass(frozen=True)
class Goodness:
    """The numbers; NaN where a loss has no likelihood.

    Attributes
    ----------
    deviance, null_deviance, pearson : float
    dispersion : float
        χ²/(n − rank), or 1 where the family says so.
    log_likelihood, null_log_likelihood : float
        At the dispersion of the likelihood (:func:`dispersion_of_likelihood`).
    aic, bic : float
        −2 log L + 2 rank, and + rank log n: the coefficients count, a dispersion does not.
    """

    deviance: float
    null_deviance: float
    pearson: float
    dispersion: float
    log_likelihood: float
    null_log_likelihood: float
    aic: float
    bic: float


def is_exact_fit(loss: Loss, fitness: Fitness, R: Floats, x: Floats) -> bool:
    """Whether what is left of y is nothing but rounding, so that there is no dispersion to estimate.

    Pearson's residual has the rounding of y and of μ, in deviations of the family: that of η, whose terms √h aⱼ xⱼ are as large as the
    columns of R and x say, and that of a mean of the size of y's.

    Parameters
    ----------
    R : ndarray, shape (d, d)
        Of the information at x.
    x : ndarray, shape (d, 1)
    """
    if not loss.has_dispersion:
        return False
    mean = np.array([fitness.response / fitness.weight])
    size = 0.0 if loss.family == "gaussian" else float(np.sqrt(fitness.weight * (mean**2 / loss.variance(mean))[0]))
    return bool(is_rounding(np.sqrt([fitness.pearson]), np.hypot(size, terms_of(R, x)))[0])


def dispersion_of(loss: Loss, fitness: Fitness, degrees: float, *, is_exact: bool) -> float:
    """Return Pearson's χ²/(n − rank), 1 for families that have none; NaN without degrees of freedom, and of an exact fit."""
    if not loss.has_dispersion:
        return 1.0
    if is_exact:
        return np.nan
    return fitness.pearson / degrees if degrees > 0 else np.nan


def dispersion_of_likelihood(loss: Loss, fitness: Fitness, dispersion: float, *, is_exact: bool) -> float:
    """Return the dispersion at which the likelihood is told: the table's, but of the Gaussian family its own maximum, Σ f w r²/n."""
    if loss.family == "gaussian" and not is_exact:
        return fitness.deviance / fitness.rows
    return dispersion


def goodness_of(
    fitness: Fitness,
    null: Constant,
    rank: int,
    dispersion: float,
    of_likelihood: float,
    *,
    has_likelihood: bool,
    has_pearson: bool,
) -> Goodness:
    """Return how well it fits."""
    baseline = null.log_likelihood if has_likelihood and of_likelihood > 0 else np.nan
    likelihood = baseline + (null.deviance - fitness.deviance) / (2 * of_likelihood) if of_likelihood > 0 else np.nan
    aic = -2 * likelihood + 2 * rank
    bic = -2 * likelihood + rank * float(np.log(fitness.rows))
    pearson = fitness.pearson if has_pearson else np.nan
    return Goodness(fitness.deviance, null.deviance, pearson, dispersion, likelihood, baseline, aic, bic)
