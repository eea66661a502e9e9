"""What is written of every target, and how it follows from what a solver found of it; the conventions are those of the regression table."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch.problems.linear.certificate import resolution
from dsketch.problems.linear.statistics.rounding import is_rounding
from dsketch.problems.targets.design import Design
from dsketch.problems.targets.tails import tail

Counts = NDArray[np.int64]
Answers = dict[str, NDArray[np.generic]]  # by field, shape (d, w) or (w,)


class Field(NamedTuple):
    """An array of the answer: its name, whether it has a number for each column, its type, whether a penalty leaves it out."""

    name: str
    has_columns: bool
    dtype: type[np.generic]
    needs_unbiased: bool
    help: str


FIELDS = (
    Field("x", True, np.float64, False, "coefficients, the intercept last"),
    Field("standard_errors", True, np.float64, True, "of the coefficients"),
    Field("t", True, np.float64, True, "coefficient over standard error"),
    Field("p", True, np.float64, True, "two-sided, from Student's t"),
    Field("r_squared", False, np.float64, False, "about the mean where the model holds a constant, else about 0"),
    Field("residual_variance", False, np.float64, True, "sum of w r^2 over the degrees of freedom"),
    Field("counts", False, np.int64, False, "rows that count for the target"),
    Field("degrees_of_freedom", False, np.int64, True, "counts less the rank"),
    Field("backward_error", False, np.float64, False, "bound on how much A must change for x to be exact, columns scaled"),
)


def fields_of(*, is_penalized: bool) -> tuple[Field, ...]:
    """Return what is written; with a penalty estimates are biased, and have no such errors."""
    return tuple(field for field in FIELDS if not (is_penalized and field.needs_unbiased))


@dataclass(frozen=True)
class Found:
    """What a solver found of w targets; NaN where there is no answer.

    Attributes
    ----------
    x : ndarray, shape (d, w)
        Of A as it is stored.
    size : ndarray, shape (w,)
        √Σ ‖aⱼ‖² xⱼ²: what A x is added up from.
    rr : ndarray, shape (w,)
        ‖b − A x‖², without a penalty.
    explained : ndarray, shape (w,)
        ‖A x‖², about the mean where the model holds a constant; with the penalty, what adds up with rr to the squares of b.
    whole : ndarray, shape (w,)
        ‖b‖².
    spread : ndarray, shape (d, w) or (d, 1), or None
        Standard errors for a residual variance of 1; None with a penalty.
    counts : ndarray of int, shape (w,)
    backward_error : ndarray, shape (w,)
    """

    x: Floats
    size: Floats
    rr: Floats
    explained: Floats
    whole: Floats
    spread: Floats | None
    counts: Counts
    backward_error: Floats

    @classmethod
    def nothing(cls, columns: int, counts: Counts, *, is_penalized: bool) -> "Found":
        """Return no answer for some targets."""
        each, one = (columns, len(counts)), len(counts)
        spread = None if is_penalized else np.full(each, np.nan)
        one_each = [np.full(one, np.nan) for _ in range(5)]
        size, rr, explained, whole, backward = one_each
        return cls(np.full(each, np.nan), size, rr, explained, whole, spread, counts, backward)

    def of(self, places: NDArray[np.intp]) -> "Found":
        """Return what was found of some of these targets."""
        own: dict[str, Any] = {name: mine if mine is None else mine[..., places] for name, mine in vars(self).items()}
        return Found(**own)

    def put(self, places: NDArray[np.intp], other: "Found") -> None:
        """Write what was found of some of these targets in its places."""
        for name, mine in vars(self).items():
            if mine is not None:
                mine[..., places] = getattr(other, name)


def answers_of(found: Found, design: Design) -> Answers:
    """Return all fields."""
    x, rank = found.x, design.rank
    with np.errstate(divide="ignore", invalid="ignore"):
        size, total = np.sqrt(found.whole), found.rr + found.explained
        is_flat = is_rounding(np.sqrt(total), size) if design.constant is not None else size == 0
        floor = np.where((x != 0).any(axis=0), resolution(len(design.X)), 0.0)
        answers: Answers = {
            "x": x,
            "r_squared": 1 - np.where(is_flat, np.nan, found.rr / total),
            "counts": found.counts,
            "backward_error": np.maximum(found.backward_error, floor),  # NaN stays
        }
        if (empty := found.counts == 0).any():  # a penalty would make 0 of nothing
            answers |= {name: np.where(empty, np.nan, answers[name]) for name in ("x", "backward_error")}
        if found.spread is not None:
            answers |= _errors(found, design, rank)
    return answers


def _errors(found: Found, design: Design, rank: int) -> Answers:
    degrees = np.maximum(found.counts - rank, 0)
    is_met = is_rounding(np.sqrt(found.rr), np.hypot(np.sqrt(found.whole), found.size))
    variance = np.where(is_met | (degrees == 0), np.nan, found.rr / np.maximum(degrees, 1))
    errors = np.asarray(found.spread) * np.sqrt(variance)
    t = found.x / errors
    if not (sure := design.told.is_estimable).all():
        t[~sure] = np.nan
    return {
        "standard_errors": errors,
        "t": t,
        "p": tail(t, np.maximum(degrees, 1)),
        "residual_variance": variance,
        "degrees_of_freedom": degrees,
    }


def backward_bound(g: Floats, inverse_size: Floats, lengths: Floats, x: Floats, rr: Floats) -> Floats:
    """Return an upper bound of the Karlson–Waldén estimate of the backward error, by target.

    ``η = ‖(‖D x‖² M + ‖r‖² I)^(-1/2) D⁻¹g‖/‖A D⁻¹‖_F`` with M = D⁻¹AᵀA D⁻¹ falls when either term is left out, so that it is at most
    the smaller of ‖D⁻¹g‖/‖r‖ and √(gᵀ(AᵀA)⁻¹g)/‖D x‖, over ‖A D⁻¹‖_F.

    Parameters
    ----------
    g : ndarray, shape (d, w)
        Aᵀ(b − A x).
    inverse_size : ndarray, shape (w,)
        √(gᵀ(AᵀA)⁻¹g).
    lengths : ndarray, shape (d, w) or (d, 1)
        D, norms of the columns, over the rows that count for the target.
    x : ndarray, shape (d, w)
    rr : ndarray, shape (w,)
    """
    present = lengths > 0
    scaled = np.where(present, np.abs(g) / np.where(present, lengths, 1.0), 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        by_residual, by_x = norms(scaled) / np.sqrt(rr), inverse_size / norms(lengths * x)
        least = np.fmin(by_residual, by_x) / np.sqrt(np.maximum(present.sum(axis=0), 1))
    return np.where((scaled == 0).all(axis=0), 0.0, least)
