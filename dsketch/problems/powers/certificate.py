"""Certificates, statuses and notes of answers to powers of the Gram matrix and to its exponential."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch.problems.outcome import Certificate, Status, format_number, show_sides
from dsketch.problems.powers.answer import PowerAnswer, Stage
from dsketch.problems.powers.exponential import ExponentialAnswer
from dsketch.problems.status import status_of
from dsketch.settings import EPS, Settings

# A residual below it people would call the equation solved: half the digits of float64.
_SMALL_RESIDUAL = float(np.sqrt(EPS))


@dataclass(frozen=True, kw_only=True)
class PowerCertificate(Certificate):
    """What is known about the x of (AᵀA)ʲx = b or A(AᵀA)ʲx = b.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        ‖reducible residual‖/(‖A‖^(2j)‖x‖ + ‖b‖): how much the power must change, relatively, for x to be exact.  For odd powers the
        Karlson–Waldén estimate for A(AᵀA)ʲ, relative to its norm.  Where the same with columns scaled is more, that: of a solve of each
        level (one use of AᵀA), of ``check`` of the whole even power.
    residual_norm : ndarray, shape (k,)
        ‖b − (AᵀA)ʲx‖ or ‖b − A(AᵀA)ʲx‖.
    relative_residual : ndarray, shape (k,)
        The reducible part of it (without what lies outside the range) over ‖b‖, for even powers also with columns scaled.
    outside : ndarray, shape (k,)
        The part of b that lies outside the range, over ‖b‖.
    forward_error : ndarray, shape (k,)
        Bound on ‖x − x*‖/‖x*‖, to first order: if every use of A has an error of eps‖A‖, and what the measured residuals come to.  Where
        that may be as large as x itself nothing is known of x*, and it is infinite.
    condition : float
        kappa of A: largest over smallest singular value kept.
    scaled_condition : float
        The same with columns of norm one.
    power : int
        j.
    is_exact : bool
        Whether condition and rank come from A's own factor rather than a sketch's.
    measured : str
        What was measured in the data, and what follows from a factor.
    """

    relative_residual: Floats
    outside: Floats
    scaled_condition: float
    power: int
    is_exact: bool
    measured: str

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        return [
            f"backward    {show_sides(self.backward_error)} relative to the power of ‖A‖",
            f"residual    {show_sides(self.residual_norm)}   relative to b {show_sides(self.relative_residual)}   "
            f"outside the range {show_sides(self.outside)}   forward error ≤ {show_sides(self.forward_error)}",
            f"condition   {format_number(self.condition)} (columns scaled {format_number(self.scaled_condition)}); {self.rank_reason}",
            f"measured    {self.measured}",
        ]


@dataclass(frozen=True, kw_only=True)
class ExponentialCertificate(Certificate):
    """What is known about the x of exp(AᵀA)x = b.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        Of a solve: how much AᵀA must change, relative to ‖A‖², for x to be exact; of ``check``: ‖r‖/(‖exp(AᵀA)‖‖x‖ + ‖b‖).
    residual_norm, relative_residual : ndarray, shape (k,)
        ‖b − exp(AᵀA)x‖, and over ‖b‖.
    forward_error : ndarray, shape (k,)
        First-order bound on ‖x − x*‖/‖x‖ for that backward error (at least eps), and the rounding of x itself.
    condition : float
        Of exp(AᵀA) or of its series.
    measured : str
        What was measured in the data, and what follows from the factor.
    """

    relative_residual: Floats
    measured: str

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        return [
            f"backward    {show_sides(self.backward_error)}",
            f"residual    {show_sides(self.residual_norm)}   relative to b {show_sides(self.relative_residual)}   "
            f"forward error ≤ {show_sides(self.forward_error)}",
            f"condition   {format_number(self.condition)}; {self.rank_reason}",
            f"measured    {self.measured}",
        ]


def power_certificate(answer: PowerAnswer, power: int) -> PowerCertificate:
    """Return what is known about an answer."""
    factor, is_zero = answer.factor, norms(answer.x) == 0
    return PowerCertificate(
        # An x rounded to float64 has a backward error of about u/4, and a product with AᵀA some u, whatever the residual says.
        backward_error=np.where(is_zero, answer.backward_error, np.maximum(answer.backward_error, EPS / 2)),
        residual_norm=answer.residual_norm,
        forward_error=answer.forward_error,
        condition=answer.core.condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        relative_residual=answer.relative,
        outside=answer.outside,
        scaled_condition=factor.scaled_condition,
        power=power,
        is_exact=answer.is_exact,
        measured=answer.measured,
    )


def power_status(answer: PowerAnswer, settings: Settings, accepted: float, *, is_odd: bool) -> Status:
    """Return how a solve ended."""
    return status_of(
        answer.backward_error,
        accepted,
        is_outside=not is_odd and _lies_outside(answer),
        is_deficient=answer.factor.is_deficient,
        is_rounded=is_rounded(answer, settings),
    )


def _lies_outside(answer: PowerAnswer) -> bool:
    """Whether b has a part outside the range that is more than the uncertainty of the null space itself."""
    return bool(answer.outside.max(initial=0.0) > 8 * EPS * answer.factor.scaled_condition)


def is_rounded(answer: PowerAnswer | ExponentialAnswer, settings: Settings) -> bool:
    """Whether the residual is larger than what people would call small, relative to b."""
    return bool(answer.relative.max(initial=0.0) > max(_SMALL_RESIDUAL, settings.tol or 0.0))


def power_notes(answer: PowerAnswer, settings: Settings, power: int, *, is_odd: bool) -> tuple[str, ...]:
    """Return what people should know besides the status."""
    name = "A(AᵀA)ʲ" if is_odd else "(AᵀA)ʲ"
    notes = list(answer.notes)
    if answer.stages:
        notes.append("passes by stage: " + ", ".join(_stage_text(stage) for stage in answer.stages))
    if _lies_outside(answer):
        notes.append(
            f"{float(answer.outside.max()):.2%} of b lies outside the range of {'A' if is_odd else 'AᵀA'}; x is the least-squares answer"
            + (" of minimum norm" if answer.factor.is_deficient else "")
        )
    if is_rounded(answer, settings):
        exponent = 2 * power * np.log10(answer.core.condition) + np.log10(EPS / 2)
        notes.append(
            f"the residual of {name}x is {_beyond(float(answer.relative.max()))} of ‖b‖: u·kappa^(2j) is 1e{exponent:+.0f}, and no x in "
            "double precision has a small one; judge x by its backward or forward error"
        )
    if (answer.forward_error > 0.1).any():
        notes.append(
            f"x is certified, but the data may not determine it: kappa {answer.core.condition:.1e} and this b allow a relative change of "
            f"x up to {min(float(answer.forward_error.max()), 1.0):.1g}"
        )
    return tuple(notes)


def _stage_text(stage: Stage) -> str:
    ends = {"rule": "", "rounding": " (ended by rounding)", "limit": " (ended by the limit)"}
    return f"{stage.passes}{ends[stage.end]}"


def _beyond(value: float) -> str:
    return f"{value:.1e}" if np.isfinite(value) else "more than 1e308"


def exponential_certificate(answer: ExponentialAnswer) -> ExponentialCertificate:
    """Return what is known about an answer to the exponential."""
    return ExponentialCertificate(
        backward_error=answer.backward_error,
        residual_norm=answer.residual_norm,
        forward_error=answer.forward_error,
        condition=answer.condition,
        rank=answer.factor.R.shape[0],
        rank_reason=f"exp(AᵀA) has full rank {answer.factor.R.shape[0]}; ‖AᵀA‖ {answer.size:.2e}",
        relative_residual=answer.relative,
        measured=answer.measured,
    )


def exponential_notes(answer: ExponentialAnswer) -> tuple[str, ...]:
    """Return what people should know besides the status."""
    if not (answer.forward_error > 0.1).any():
        return answer.notes
    wrong = min(float(answer.forward_error.max()), 1.0)
    return (*answer.notes, f"‖AᵀA‖ is {answer.size:.1e}: x may be wrong by {wrong:.1g} of its size")
