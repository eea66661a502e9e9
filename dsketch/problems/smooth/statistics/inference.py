"""From a solved smooth problem to its statistics."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch.errors import SpecError
from dsketch.losses.base import Loss
from dsketch.matrix.centring import uncentre_answer
from dsketch.passes.base import Flow
from dsketch.problems.linear.statistics.estimates import Fit, robust_errors
from dsketch.problems.linear.statistics.robust import Robust
from dsketch.problems.linear.statistics.uncentred import as_stored
from dsketch.problems.smooth.method import SmoothAnswer
from dsketch.problems.smooth.statistics.goodness import (
    Goodness,
    dispersion_of,
    dispersion_of_likelihood,
    goodness_of,
    is_exact_fit,
)
from dsketch.problems.smooth.statistics.information import Information, has_distribution, information_at
from dsketch.problems.smooth.statistics.null import fit_constant
from dsketch.problems.smooth.statistics.remarks import smooth_remarks
from dsketch.problems.smooth.statistics.robust import smooth_covariance, smooth_group_covariance
from dsketch.problems.smooth.statistics.summary import GLMSummary
from dsketch.problems.smooth.system import Model, flat
from dsketch.problems.tables import SummaryOptions, name_coefficients

_COUNTS = ("weights", "frequencies")


class _Errors(NamedTuple):
    """Standard errors, shape (d,), and the covariance T M Tᵀ + V Vᵀ that they are of."""

    errors: Floats
    meat: Floats
    halves: Floats
    unknown: NDArray[np.bool_]


def summarize_smooth(
    model: Model, answer: SmoothAnswer, options: SummaryOptions, doubts: tuple[str, ...] = ()
) -> Flow[GLMSummary]:
    """Return the statistics of a solved problem.

    Parameters
    ----------
    model : Model
        Without a penalty.
    answer : SmoothAnswer
    options : SummaryOptions
    doubts : tuple of str
        To be shown besides what is said here.

    Raises
    ------
    SpecError
        With a penalty, without a maximum, for names that do not fit, or an observed information that is not positive definite.

    Notes
    -----
    One pass over A for the factor of the information at x and the sums of the fit; one or a few over y alone for the null model; one more
    for ``robust`` or ``groups``, another where a row has leverage near 1.
    """
    _require_maximum(model, answer)
    A = model.rows.A
    names = name_coefficients(A.names, options.names, A.shape[1], model.rows.intercept)
    has_law = has_distribution(model.loss)
    found = yield from information_at(model, answer.x, answer.factor, is_expected=has_law and options.information == "expected")
    is_exact = is_exact_fit(model.loss, found.fitness, found.fit.factor.R, flat(answer.x))
    dispersion = dispersion_of(model.loss, found.fitness, found.degrees, is_exact=is_exact)
    of_likelihood = dispersion_of_likelihood(model.loss, found.fitness, dispersion, is_exact=is_exact)
    null, light = yield from fit_constant(model, found.fitness, of_likelihood if of_likelihood > 0 else 1.0, has_mean=has_law)
    word = options.robust or (None if has_law or options.groups is not None else "HC1")
    stored = as_stored(found.fit, model.rows.shift)
    robust = yield from _robust(model, answer.x, found, stored, word, options, names)
    rank = found.fit.factor.rank
    good = goodness_of(
        found.fitness, null, rank, dispersion, of_likelihood, has_likelihood=has_law, has_pearson=answer.x.shape[1] == 1
    )
    notes = smooth_remarks(
        stored,
        is_convex=model.loss.is_convex,
        reach=answer.proof.reach,
        rows=found.fitness.rows if "frequencies" in model.places.names else float(A.shape[0]),
        degrees=found.degrees,
        is_exact=is_exact,
        has_distribution=has_law,
        is_asked=options.covariance is not None,
    )
    own = () if robust is None else robust.notes
    passes = (*found.passes, *["constant"] * light, *(() if robust is None else robust.passes))
    x = uncentre_answer(answer.x, model.rows.shift)
    told = replace(found, fit=stored)
    return _summary(model, x, options, names, told, good, robust, word, passes, (*doubts, *own, *notes))


def require_unpenalized(model: Model) -> None:
    """Refuse a model whose estimates are biased.

    Raises
    ------
    SpecError
        With a penalty.
    """
    if model.penalty.any():
        raise SpecError(
            f"standard errors need an unpenalized maximum of the likelihood; this has alpha up to {float(model.penalty.max())!r}. Solve "
            "with alpha=0 for them, or bootstrap the penalized coefficients."
        )


def _require_maximum(model: Model, answer: SmoothAnswer) -> None:
    require_unpenalized(model)
    if answer.separation is not None:
        raise SpecError(
            "standard errors need a maximum of the likelihood; the data are separated and have none. Drop the columns that the solution "
            "names, or give alpha."
        )


def _robust(
    model: Model,
    x: Floats,
    found: Information,
    stored: Fit,
    word: str | None,
    options: SummaryOptions,
    names: tuple[str, ...],
) -> Flow[Robust | None]:
    if not found.degrees:
        return None
    if options.groups is not None:
        return (yield from smooth_group_covariance(model, x, found, options.groups))
    if word is not None:
        return (yield from smooth_covariance(model, x, found, stored, word, names))
    return None


def _errors(found: Information, dispersion: float, robust: Robust | None) -> _Errors:
    """Return the errors and what they are made of."""
    fit, d = found.fit, found.fit.factor.R.shape[0]
    if robust is None:
        meat, halves, unknown = dispersion * np.eye(fit.factor.rank), np.zeros((d, 0)), np.zeros(d, dtype=bool)
        return _Errors(norms(fit.spread.T) * np.sqrt(dispersion), meat, halves, unknown)
    errors = robust_errors(fit, robust.meat, robust.halves)[:, 0]
    errors[robust.unknown] = np.nan
    return _Errors(errors, robust.meat[0], robust.halves[0], robust.unknown)


def _test_degrees(loss: Loss, degrees: float, robust: Robust | None) -> float:
    """Return the degrees of freedom of the tests; ∞ for z."""
    if not loss.has_dispersion:
        return np.inf
    return degrees if robust is None or robust.groups is None else float(robust.groups - 1)


def _like(x: Floats, numbers: Any) -> Any:
    """Return numbers in the order of Hessians in the shape of x: one dimension where it has one column."""
    return numbers.copy() if x.shape[1] == 1 else numbers.reshape(x.shape[::-1]).T.copy()


def _summary(
    model: Model,
    x: Floats,
    options: SummaryOptions,
    names: tuple[str, ...],
    found: Information,
    good: Goodness,
    robust: Robust | None,
    word: str | None,
    passes: tuple[str, ...],
    notes: tuple[str, ...],
) -> GLMSummary:
    fit, loss, coefficients = found.fit, model.loss, flat(x)[:, 0]
    errors, meat, halves, unknown = _errors(found, good.dispersion, robust)
    if loss.has_dispersion and found.degrees and np.isnan(good.dispersion):
        errors = np.full_like(errors, np.nan)  # of robust errors as well: rounding over rounding
    degrees = _test_degrees(loss, found.degrees, robust)
    with np.errstate(divide="ignore", invalid="ignore"):
        tests = np.where(fit.is_estimable, coefficients / errors, np.nan)
    p = 2 * (special.ndtr(-np.abs(tests)) if np.isinf(degrees) else special.stdtr(max(degrees, 1), -np.abs(tests)))
    return GLMSummary(
        names,
        *(_like(x, numbers) for numbers in (coefficients, errors, tests, p)),
        test="z" if np.isinf(degrees) else "t",
        test_degrees=degrees,
        family=loss.family,
        link=loss.link,
        **vars(good),
        rows=found.fitness.rows,
        rank=fit.factor.rank,
        residual_degrees=found.degrees,
        information="expected" if found.is_expected else "observed",
        is_weighted=any(name in model.places.names for name in _COUNTS),
        robust=word if options.groups is None else options.covariance,
        groups=None if robust is None else robust.groups,
        level=options.level,
        is_estimable=_like(x, fit.is_estimable),
        singular_values=fit.factor.singular[0],
        passes=passes,
        notes=notes,
        spread=np.where(unknown[:, None], np.nan, fit.spread),
        meat=meat,
        halves=halves,
    )
