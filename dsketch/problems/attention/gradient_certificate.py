"""What is known of a gradient of attention: how far rounding may have moved any number of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.rows_gap import Gap
from dsketch.passes.writing import Written
from dsketch.problems.attention.gradient_method import GradientAnswer, GradientRows
from dsketch.problems.attention.rounding import relative
from dsketch.problems.outcome import Certificate, format_number, show_sides
from dsketch.settings import EPS

_HALF = float(np.sqrt(EPS))  # of the digits


@dataclass(frozen=True, kw_only=True)
class GradientCertificate(Certificate):
    """What is known of rows of a gradient.

    Attributes
    ----------
    forward_error : ndarray, shape (k,)
        Bound on what rounding does to any number of a column, relative to the largest of that column; where given rows are judged, how far
        the worst is from the one that the judge computes.
    backward_error : ndarray, shape (k,)
        The same over the condition of its column.
    condition : float
        Relative changes of the rows of Q, K, V and dY by η move a number by at most this times η, to first order, relative to the largest.
    logit : float
        No s⟨q, k⟩ is larger in size than this.
    profiles, compared, refused, deviation, gap
        Of a convolution basis, as of :class:`AttentionCertificate`; ``forward_error`` is then a bound if no logit deviates by more than
        those measured.
    """

    logit: float
    profiles: int = 0
    compared: int = 0
    refused: float = 0.0
    deviation: float = 0.0
    gap: float = 0.0

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        by = f"by {self.profiles:,} profiles, if no logit is farther from them than measured" if self.profiles else "by rounding"
        return [
            f"error       ≤ {show_sides(self.forward_error)} of the largest number of a column, {by}",
            f"backward    {show_sides(self.backward_error)} relative to the rows of Q, K, V and dY",
            f"condition   {format_number(self.condition)}; logits are at most {format_number(self.logit)} in size",
        ]


def gradient_certificate(answer: GradientAnswer, written: Written | None) -> GradientCertificate:
    """Return what is known once the rows are made; None: before."""
    measured = answer.measured
    largest = measured.reference if written is None else written.largest
    facts = {} if answer.basis is None else {**vars(answer.basis), "compared": answer.compared}
    return _certificate(measured, measured.error, largest, **facts)


def judged_gradient(measured: GradientRows, found: Gap) -> GradientCertificate:
    """Return what is known of given rows, whose largest distance from the judge's own is known for each column."""
    return _certificate(measured, found.gap, found.largest)


def note_lost_columns(error: Floats, largest: Floats, heads: int) -> tuple[str, ...]:
    """Return which columns are known to less than half of their digits, and to half of the digits fewer than another of their head.

    A head's bound is one number where columns feel rows as a whole: of a column that is so much smaller than another of its head it may say
    nothing.  Where all columns are as poorly known, as those of saturated weights, the backward error says what there is to say.

    Parameters
    ----------
    error, largest : ndarray, shape (k,)
        Bounds relative to the largest numbers, and these; a column of zeros has no unit.
    """
    best = np.repeat(error.reshape(heads, -1).min(axis=1), len(error) // heads)
    lost = np.flatnonzero((error > _HALF) & (best < _HALF * error) & (largest > 0))
    if not lost.size:
        return ()
    worst = int(lost[np.argmax(error[lost])])
    return (
        f"{lost.size} column(s) are so much smaller than others of their head that the bound on rounding says little of them: column "
        f"{worst} is known to {error[worst]:.1e} of its largest number, {largest[worst]:.1e}. Scale the columns of Q, K and dY to like "
        "sizes, and the gradient back",
    )


def _certificate(measured: GradientRows, error: Floats, largest: Floats, **facts: Any) -> GradientCertificate:
    return GradientCertificate(
        backward_error=measured.backward(error),
        residual_norm=np.zeros(len(error)),
        forward_error=relative(error, largest),
        condition=float(np.max(relative(measured.sway, largest), initial=0.0)),
        rank=measured.measured.system.width,
        rank_reason="nothing is inverted",
        logit=measured.measured.logit,
        **facts,
    )
