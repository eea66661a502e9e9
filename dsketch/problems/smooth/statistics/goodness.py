"""How well a generalised linear model fits, from the sums of the fit and of the null model.

The log-likelihood of an exponential dispersion family is that of any other mean less half the difference of the deviances over the
dispersion: so it follows from that of the null model, and no pass over A needs to know the dispersion.
"""

from dataclasses import dataclass

import numpy as np

from dsketch.losses.base import Loss
from dsketch.passes.constant_fit import Constant
from dsketch.passes.fitted import Fitness


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


def dispersion_of(loss: Loss, fitness: Fitness, degrees: float) -> float:
    """Return Pearson's χ²/(n − rank), 1 for families that have none; NaN without degrees of freedom."""
    if not loss.has_dispersion:
        return 1.0
    return fitness.pearson / degrees if degrees > 0 else np.nan


def dispersion_of_likelihood(loss: Loss, fitness: Fitness, dispersion: float) -> float:
    """Return the dispersion at which the likelihood is told: the table's, but of the Gaussian family its own maximum, Σ f w r²/n."""
    if loss.family == "gaussian":
        return fitness.deviance / fitness.rows
    return dispersion


def goodness_of(
    fitness: Fitness, null: Constant, rank: int, dispersion: float, of_likelihood: float, *, has_likelihood: bool
) -> Goodness:
    """Return how well it fits."""
    baseline = null.log_likelihood if has_likelihood and of_likelihood > 0 else np.nan
    likelihood = baseline + (null.deviance - fitness.deviance) / (2 * of_likelihood) if of_likelihood > 0 else np.nan
    aic = -2 * likelihood + 2 * rank
    bic = -2 * likelihood + rank * float(np.log(fitness.rows))
    return Goodness(fitness.deviance, null.deviance, fitness.pearson, dispersion, likelihood, baseline, aic, bic)
