"""From a solved least-squares problem to its statistics: what is read off R, and the passes for what is not."""

from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple

import numpy as np

from dsketch.errors import SpecError
from dsketch.factor import Factor
from dsketch.methods.base import ROUNDING, Answer
from dsketch.passes import Both, Gradient, Look, Sandwich, Triangle
from dsketch.passes.base import Floats
from dsketch.statistics import constant
from dsketch.statistics.estimates import Fit, explained, significance, standard_errors, wald
from dsketch.statistics.summary import Summary
from dsketch.statistics.uncentred import as_stored
from dsketch.system import Flow, LinearSystem

# Power of 1 − h in the pass, and whether the meat is stretched by n/(n − rank).
ROBUST = {"HC0": (0.0, False), "HC1": (0.0, True), "HC2": (0.5, False), "HC3": (1.0, False)}
# A Gram matrix leaves a relative error of u·kappa² in the factor; statistics are wanted to more digits than this.
_GRAM_ERROR = 1e-8


@dataclass(frozen=True)
class Wish:
    """What the user asked of a summary, checked."""

    robust: str | None = None
    level: float = 0.95
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check at the door."""
        if self.robust is not None and self.robust not in ROBUST:
            raise SpecError(
                f"robust must be None or one of {', '.join(ROBUST)}; got {self.robust!r}. Leave it out for equal variances."
            )
        if not (isinstance(self.level, Real) and 0 < self.level < 1):
            raise SpecError(f"level must lie between 0 and 1; got {self.level!r}. Use 0.95 for 95 % intervals.")


class _Found(NamedTuple):
    """What further passes found, which they were, and what to say of it."""

    q: Floats | None  # whitened coordinates of the constant
    meat: Floats | None  # of the robust covariance
    passes: tuple[str, ...]
    notes: tuple[str, ...]


def summarized(problem: LinearSystem, answer: Answer, method: str, wish: Wish, notes: tuple[str, ...] = ()) -> Flow[Summary]:
    """Return the statistics of a solved problem.

    Parameters
    ----------
    problem : LinearSystem
        Without a penalty.
    answer : Answer
    method : str
        That gave the answer.
    wish : Wish
    notes : tuple of str
        To show besides those made here.

    Raises
    ------
    SpecError
        For a ridge problem, or names that do not fit.

    Notes
    -----
    Passes: none if the factor is A's own; one to make it so after ``conjugate_gradient``, ``gradient_descent``,
    ``sketch_and_solve``, and after ``gram`` where kappa is above about 10⁴; one for a robust covariance; one light one if a few
    rows suggest that A holds a constant of its own.
    """
    if problem.is_penalized:
        raise SpecError(
            f"standard errors need an unbiased estimator; this is ridge with alpha = {float(problem.penalty.max())!r}. "
            "Solve LeastSquares(A, b) for them, or bootstrap the ridge coefficients."
        )
    names = _names(problem, wish.names)
    fit, passes, said = yield from _exact(problem, answer, method)
    found = yield from _further(problem, fit, wish)
    return _summary(problem, fit, wish, names, found._replace(passes=passes + found.passes, notes=notes + said + found.notes))


def _names(problem: LinearSystem, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return a name for each coefficient: those asked for, those stored with A, or x0, x1, …, then the intercept."""
    d, has_intercept = problem.shape[1], problem.rows.intercept
    own = d - has_intercept
    names = (problem.rows.A.names or tuple(f"x{place}" for place in range(own))) if asked is None else asked
    names = (*names, "intercept") if has_intercept and len(names) == own else names
    if len(names) != d:
        raise SpecError(f"names must be one for each of the {own} columns of A; got {len(names)}. Leave them out for x0, x1, ….")
    return names


def _exact(problem: LinearSystem, answer: Answer, method: str) -> Flow[tuple[Fit, tuple[str, ...], tuple[str, ...]]]:
    """Return the fit with A's own factor, the passes that took (none or one) and what to say of it.

    Where the factor is not A's own, or has lost digits to a Gram matrix, a QR that no conditioning stops gives it; a mere estimate
    of x becomes the solution in the same pass.
    """
    n, d = problem.shape
    is_squared = method in ("gram", "cholesky") and ROUNDING * answer.factor.scaled_condition**2 > _GRAM_ERROR
    if answer.slope is None:
        full, slope = yield Look(Both(Triangle(), Gradient(answer.x)), problem.rows)  # the slope for the moments of b
        factor, z, rest = Factor(full[:d, :d]), full[:d, d:], full[d:, d:]
        x, slope = factor.least_squares(z), slope._replace(rr=np.einsum("ij,ij->j", rest, rest))
        said = "coefficients and statistics are those of the exact factor; the solution's x is the sketch's estimate"
        return Fit(x, slope, factor, n), ("triangle & gradient",), (said,)
    if answer.is_exact and not is_squared:
        return Fit(answer.x, answer.slope, answer.factor, n), (), ()
    full = yield Look(Triangle(), problem.rows)
    return Fit(answer.x, answer.slope, Factor(full[:d, :d]), n), ("triangle",), ()


def _further(problem: LinearSystem, fit: Fit, wish: Wish) -> Flow[_Found]:
    """Return the constant and the robust meat."""
    q, meat, passes, notes = None, None, [], []
    if problem.rows.intercept:
        q = fit.whitener.matrix[:, -1]
    elif constant.is_plausible(problem.rows):
        q = yield from constant.direction(problem.rows, fit.basis, fit.factor.scaled_condition)
        passes.append("normal")
    if wish.robust is not None and fit.degrees:
        power, is_stretched = ROBUST[wish.robust]
        meat, alone = yield Look(Sandwich(fit.x, fit.whitener, power), problem.rows)
        meat = meat * (fit.rows / fit.degrees) if is_stretched else meat
        passes.append("sandwich")
        if alone:
            notes.append(
                f"{alone} rows have leverage 1 (each alone decides a coefficient): {wish.robust} is 0/0 there; they are left out, "
                "and the errors of such coefficients mean nothing"
            )
    return _Found(q, meat, tuple(passes), tuple(notes))


def _summary(problem: LinearSystem, fit: Fit, wish: Wish, names: tuple[str, ...], found: _Found) -> Summary:
    is_centred = found.q is not None
    stored = as_stored(fit, problem.rows.shift)
    errors = standard_errors(stored, found.meat)
    t, p = significance(stored, errors)
    r_squared, adjusted = explained(fit, is_centred)
    F, F_p = wald(fit, found.q, found.meat)
    is_vector = bool(getattr(problem.rows.b, "is_vector", False))
    by_coefficient = [array[:, 0] if is_vector else array for array in (stored.x, errors, t, p)]
    by_side = [array[0] if is_vector else array for array in (r_squared, adjusted, fit.variance, F, F_p)]
    meat = fit.variance[:, None, None] * np.eye(fit.factor.rank) if found.meat is None else found.meat
    return Summary(
        names,
        *by_coefficient,
        *by_side,
        rows=fit.rows,
        rank=fit.factor.rank,
        model_degrees=fit.factor.rank - is_centred,
        residual_degrees=fit.degrees,
        is_centred=is_centred,
        is_weighted=problem.rows.weights is not None,
        robust=wish.robust,
        level=wish.level,
        is_estimable=stored.is_estimable,
        singular_values=fit.factor.singular[0],
        passes=found.passes,
        notes=(*found.notes, *_remarks(stored, wish, F, is_centred)),
        spread=stored.spread,
        meat=meat,
    )


def _remarks(fit: Fit, wish: Wish, F: Floats, is_centred: bool) -> list[str]:
    """Return sentences about what a reader of the table must know."""
    said = []
    if not fit.degrees:
        said.append(
            "n equals the rank: the fit is exact whatever b is, and no degree of freedom is left to estimate a variance from"
        )
    if not fit.is_estimable.all():
        said.append(
            f"A has rank {fit.factor.rank} of {fit.is_estimable.size}: x is the shortest minimizer and the errors are of that choice; "
            f"the {np.count_nonzero(~fit.is_estimable)} coefficients with * are not determined by the data one by one"
        )
    if wish.robust is not None and fit.degrees and fit.factor.rank > is_centred and np.isnan(F).any():
        said.append(f"the {wish.robust} covariance is singular (some coefficients fit their rows exactly): no F test")
    if not is_centred:
        said.append("without a constant among the columns R² and F compare with 0, not with the mean of b; see intercept=True")
    return said
