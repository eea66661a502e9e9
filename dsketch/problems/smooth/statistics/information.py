"""A factor of the information at x, and the sums of the fit: one pass.

A step of Newton's method may leave a factor that is one step old, and steps may be by another information than the table's: so it is
taken at x once more.  By a Gram matrix where its rounding, u·kappa², does not show in the errors; else by a QR of the tangent rows, which
does not square.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.errors import SpecError
from dsketch.losses.base import Loss
from dsketch.passes import Both, Look, Slope, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.fitted import Fitness, Fitted
from dsketch.passes.linked import Linked
from dsketch.passes.tangent import Tangent
from dsketch.problems.linear.statistics.estimates import Fit
from dsketch.problems.method import Breakdown
from dsketch.problems.smooth.metric import factor_of_gram
from dsketch.problems.smooth.system import Model
from dsketch.settings import ROUNDING

_GRAM_ERROR = 1e-10  # u·kappa² of a factor by a Gram matrix, below which it does not show: statistics are wanted to 8 digits


@dataclass(frozen=True)
class Information:
    """What the data say at x.

    Attributes
    ----------
    fit : Fit
        The tangent problem as a least-squares fit, whose solution is 0.
    fitness : Fitness
    is_expected : bool
        Whether the factor is of Fisher's information.
    passes : tuple of str
    """

    fit: Fit
    fitness: Fitness
    is_expected: bool
    passes: tuple[str, ...]

    @property
    def degrees(self) -> float:
        """Residual degrees of freedom, n − rank."""
        return max(self.fitness.rows - self.fit.factor.rank, 0.0)


def has_distribution(loss: Loss) -> bool:
    """Whether y has a distribution given η, so that there is an expected information and a likelihood."""
    return bool(np.isfinite(loss.expected_curvature(np.zeros((1, loss.outputs)))).all())


def information_at(model: Model, x: Floats, nearby: Factor, *, is_expected: bool) -> Flow[Information]:
    """Return the information at x; one pass, two where its condition comes as a surprise.

    Parameters
    ----------
    model : Model
    x : ndarray, shape (d, outputs)
    nearby : Factor
        Of the Hessian near x: its condition says how.
    is_expected : bool

    Raises
    ------
    SpecError
        If the observed information is not positive definite.
    """
    fitted, has_roots = Fitted(model.loss, model.places, x), is_expected or model.loss.is_convex
    passes: list[str] = []
    if _is_tame(nearby) or not has_roots:
        linked = Linked(model.loss, model.places, x, True, is_expected)
        local, fitness = yield Look(Both(linked, fitted), model.rows)
        passes.append("linked & fitted")
        factor = _factor_of(local.gram, has_roots=has_roots)
        if factor is not None and (_is_tame(factor) or not has_roots):
            return Information(_fit(x, factor, fitness), fitness, is_expected, tuple(passes))
    tangent = Tangent(Triangle(), model.loss, model.places, x, is_expected)
    reduced, fitness = yield Look(Both(tangent, fitted), model.rows)
    passes.append(Both(tangent, fitted).names())
    return Information(_fit(x, Factor(reduced.R), fitness), fitness, is_expected, tuple(passes))


def _is_tame(factor: Factor) -> bool:
    return not factor.is_deficient and ROUNDING * factor.scaled_condition**2 <= _GRAM_ERROR


def _factor_of(gram: Floats, *, has_roots: bool) -> Factor | None:
    """Return R of a Gram matrix; None where a QR must give it."""
    try:
        return factor_of_gram(gram)
    except Breakdown as reason:
        if has_roots:
            return None
        raise SpecError(
            f"an observed information that is positive definite was expected; {reason}. Use information='expected'."
        ) from reason


def _fit(x: Floats, factor: Factor, fitness: Fitness) -> Fit:
    """Return the tangent problem as a fit: its solution, the next step, is 0 to rounding."""
    nothing = np.zeros((x.size, 1))
    one = np.ones(1)
    slope = Slope(nothing, fitness.pearson * one, fitness.weight * one, 0 * one, fitness.pearson * one, fitness.rows * one, one)
    return Fit(nothing, slope, factor)
