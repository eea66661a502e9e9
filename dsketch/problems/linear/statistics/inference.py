"""From a solved least-squares problem to its statistics: what is read off R, and the passes for what is not."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.factor import Factor
from dsketch.errors import SpecError
from dsketch.passes import Both, Gradient, Look, Moments, Slope, Triangle
from dsketch.passes.base import Flow
from dsketch.problems.linear.full_answer import FullAnswer
from dsketch.problems.linear.method import LinearAnswer
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.own_factor import gram_factor, is_near
from dsketch.problems.linear.sides import shape_by_side
from dsketch.problems.linear.statistics import constant
from dsketch.problems.linear.statistics.estimates import Fit, explain_variance, robust_errors, significance, standard_errors, wald
from dsketch.problems.linear.statistics.remarks import remarks
from dsketch.problems.linear.statistics.robust import Robust, group_covariance, robust_covariance
from dsketch.problems.linear.statistics.rounding import require_squares_of_b
from dsketch.problems.linear.statistics.summary import Summary
from dsketch.problems.linear.statistics.uncentred import as_stored
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.tables import SummaryOptions, name_coefficients
from dsketch.settings import ROUNDING

# A Gram matrix leaves a relative error of u·kappa² in the factor; statistics are wanted to more digits than this.
_GRAM_ERROR = 1e-8
_ROUNDINGS = 16  # two answers, each with a few roundings a column, differ by so many of the first-order bound


class _Found(NamedTuple):
    """What further passes found, which they were, and what to say of it."""

    stored: Fit  # the fit, told of A as it is stored
    q: Floats | None  # whitened coordinates of the constant
    robust: Robust | None  # covariance
    passes: tuple[str, ...]
    notes: tuple[str, ...]


def summarize(
    system: LinearSystem, answer: LinearAnswer, method: str, options: SummaryOptions, notes: tuple[str, ...] = ()
) -> Flow[Summary]:
    """Return the statistics of a solved problem.

    Parameters
    ----------
    system : LinearSystem
        Without a penalty.
    answer : LinearAnswer
    method : str
        That gave the answer.
    options : SummaryOptions
    notes : tuple of str
        To show besides those made here.

    Raises
    ------
    SpecError
        For a ridge problem, or names that do not fit.

    Notes
    -----
    Passes: none if the factor is A's own; one to make it so after ``krylov`` (AᵀA), ``conjugate_gradient``, ``gradient_descent``,
    ``sketch_and_solve``, and after ``gram`` and ``cholesky`` where kappa is above about 10⁴ or x is not exact to rounding (the
    coefficients are then those of the same factor); one for a robust covariance, one more where a row has leverage near 1; one light
    one if a few rows suggest that A holds a constant of its own.
    """
    if system.is_penalized:
        raise SpecError(
            f"standard errors need an unbiased estimator; this is ridge with alpha = {float(system.penalty.max())!r}. "
            "Solve LeastSquares(A, b) for them, or bootstrap the ridge coefficients."
        )
    own = system.rows.A
    names = name_coefficients(own.names, options.names, own.shape[1], system.rows.intercept)
    fit, passes, said = yield from _exact(system, answer, method)
    if not fit.slope.has_moments:
        moments: Slope = yield Look(Moments(), system.rows)
        fit = replace(fit, slope=fit.slope._replace(mean=moments.mean, spread=moments.spread, peak=moments.peak))
        passes = (*passes, "moments")
    found = yield from _further(system, fit, options, names)
    return _summary(system, fit, options, names, found._replace(passes=passes + found.passes, notes=notes + said + found.notes))


def _exact(system: LinearSystem, answer: LinearAnswer, method: str) -> Flow[tuple[Fit, tuple[str, ...], tuple[str, ...]]]:
    """Return the fit of the minimizer with A's own factor, the passes that took (none or one) and what to say of it.

    Where the factor is not A's own, or it or x has lost digits to a Gram matrix, a QR that no conditioning stops gives R and Qᵀb, and x
    follows from them: an iterate, however small its backward error, is not what the statistics are about.
    """
    if isinstance(answer, FullAnswer):
        return (yield from _fit_of_full(system, answer, method))
    slope, own = answer.slope, answer.factor
    if slope is not None and isinstance(own, Factor) and answer.is_exact:
        is_squared = METHODS[method].is_squared
        if not (is_squared and (answer.blur is not None or _has_lost_digits(own, answer.x, slope))):
            told = slope if answer.squares is None else slope._replace(rr=answer.squares)  # a variance is no bound
            return Fit(answer.x, told, own), (), ()
    elif slope is not None and is_near(own):
        squared = yield from gram_factor(system)
        if not _has_lost_digits(squared, answer.x, slope):
            return Fit(answer.x, slope, squared), ("gram",), ()
    if slope is None:
        found, slope = yield Look(Both(Triangle(), Gradient(answer.x)), system.rows)  # the slope for the moments of b
        require_squares_of_b(slope.peak)
        passes: tuple[str, ...] = ("triangle & gradient",)
    else:
        found = yield Look(Triangle(), system.rows)
        passes = ("triangle",)
    factor = Factor(found.R)
    fit = Fit(factor.least_squares(found.z), slope._replace(g=np.zeros_like(found.z), rr=found.rr), factor)
    return fit, passes, _of_another_x(fit, answer, method)


def _fit_of_full(system: LinearSystem, answer: FullAnswer, method: str) -> Flow[tuple[Fit, tuple[str, ...], tuple[str, ...]]]:
    """Return the fit of the exact minimizer; its factor, for what else a table has, is A's own."""
    slope = answer.slope
    assert slope is not None  # noqa: S101 - for type checkers: estimates are not refined
    slope = slope._replace(rr=answer.least)
    own = answer.factor
    is_squared = METHODS[method].is_squared
    if isinstance(own, Factor) and answer.is_exact and not (is_squared and ROUNDING * own.scaled_condition**2 > _GRAM_ERROR):
        return Fit(answer.x, slope, own, answer), (), ()
    found = yield Look(Triangle(), system.rows)
    return Fit(answer.x, slope, Factor(found.R), answer), ("triangle",), ()


def _has_lost_digits(factor: Factor, x: Floats, slope: Slope) -> bool:
    """Return whether a Gram matrix shows in the factor, or in an x that was not refined to rounding: (AᵀA)⁻¹g is what it misses."""
    if ROUNDING * factor.scaled_condition**2 > _GRAM_ERROR:
        return True
    missed = factor.solve(factor.solve_transposed(slope.g))
    return bool((_size(factor, missed) > _rounding(factor, x, slope.rr) * _size(factor, x)).any())


def _of_another_x(fit: Fit, answer: LinearAnswer, method: str) -> tuple[str, ...]:
    """Return what is said where the solution's x is not the minimizer."""
    if answer.slope is None:
        return ("coefficients and statistics are those of the exact factor; the solution's x is the sketch's estimate",)
    off = ratio(_size(fit.factor, answer.x - fit.x), _size(fit.factor, fit.x))
    if not (off > _rounding(fit.factor, fit.x, fit.slope.rr)).any():
        return ()
    return (
        f"coefficients and statistics are those of the minimizer, from the exact factor; the solution's x, by {method}, differs from it "
        f"by up to {off.max():.1e} of its size (columns scaled)",
    )


def _size(factor: Factor, x: Floats) -> Floats:
    """Return ‖D x‖ by side, every coefficient in the unit of its column."""
    return norms(factor.scale[:, None] * x)


def _rounding(factor: Factor, x: Floats, rr: Floats) -> Floats:
    """Return by how much two answers to rounding may differ, relative to ‖D x‖: u·kappa·(1 + kappa tan), columns scaled."""
    kappa = factor.scaled_condition
    return _ROUNDINGS * ROUNDING * kappa * (1 + kappa * ratio(np.sqrt(rr), _size(factor, x)))


def _further(system: LinearSystem, fit: Fit, options: SummaryOptions, names: tuple[str, ...]) -> Flow[_Found]:
    """Return the constant and the robust meat."""
    q, stored = None, as_stored(fit, system.rows.shift)
    passes: list[str] = []
    notes: list[str] = []
    if system.rows.intercept:
        q = fit.whitener.matrix[:, -1]
    elif constant.is_plausible(system.rows):
        q = yield from constant.direction(system.rows, fit.basis, fit.factor.scaled_condition)
        passes.append("normal")
    robust = None
    if options.groups is not None and fit.degrees:
        robust = yield from group_covariance(system, fit, options.groups)
    elif options.robust is not None and fit.degrees:
        robust = yield from robust_covariance(system, fit, stored, options.robust, names)
    if robust is not None:
        passes, notes = [*passes, *robust.passes], [*notes, *robust.notes]
    return _Found(stored, q, robust, tuple(passes), tuple(notes))


def _summary(system: LinearSystem, fit: Fit, options: SummaryOptions, names: tuple[str, ...], found: _Found) -> Summary:
    is_centred = found.q is not None
    stored, robust = found.stored, found.robust
    unknown = np.zeros(len(fit.x), dtype=bool) if robust is None else robust.unknown
    errors = standard_errors(stored) if robust is None else robust_errors(stored, robust.meat, robust.halves)
    errors[unknown] = np.nan
    degrees = fit.degrees if robust is None or robust.groups is None else robust.groups - 1
    t, p = significance(stored, errors, degrees)
    r_squared, adjusted = explain_variance(fit, is_centred)
    F, F_p = wald(fit, found.q, None if robust is None else robust.whole, degrees)
    if unknown.any():
        F, F_p = np.full_like(F, np.nan), np.full_like(F, np.nan)
    by_coefficient = [shape_by_side(array, system.rows.b) for array in (stored.x, errors, t, p)]
    by_side = [shape_by_side(array, system.rows.b)[()] for array in (r_squared, adjusted, fit.variance, F, F_p)]
    if robust is None:
        meat, halves = fit.variance[:, None, None], np.zeros((len(fit.variance), len(fit.x), 0))
    else:
        meat, halves = robust.meat, robust.halves
    return Summary(
        names,
        *by_coefficient,
        *by_side,
        rows=fit.rows,
        rank=fit.factor.rank,
        model_degrees=fit.factor.rank - is_centred,
        residual_degrees=fit.degrees,
        test_degrees=degrees,
        is_centred=is_centred,
        is_weighted=system.rows.weights is not None,
        robust=options.covariance,
        groups=None if robust is None else robust.groups,
        level=options.level,
        is_estimable=stored.is_estimable,
        singular_values=fit.factor.singular[0],
        passes=found.passes,
        notes=(*found.notes, *remarks(stored, system.shape[0], options.covariance, F, is_centred)),
        spread=np.where(unknown[:, None], np.nan, stored.spread),
        meat=meat,
        halves=halves,
        targets=None if system.rows.b is None else system.rows.b.names,
    )
