"""What is known of attention: how far rounding may have moved any number of it."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.writing import Written
from dsketch.problems.attention.method import AttentionAnswer
from dsketch.problems.attention.rounding import U, relative
from dsketch.problems.outcome import Certificate, format_number, show_sides


@dataclass(frozen=True, kw_only=True)
class AttentionCertificate(Certificate):
    """What is known of rows of attention.

    Attributes
    ----------
    forward_error : ndarray, shape (k,)
        Bound on what rounding does to any number of a column, relative to the largest |v| of that column; where given rows are
        judged, how far the worst is from the one that the judge computes, by the same measure.
    backward_error : ndarray, shape (k,)
        ``forward_error`` over ``condition``; no less than the share by which a number of the answer is larger than any |v|, which no
        weighted mean is.
    condition : float
        Relative changes of the rows of Q, K and V by η move a number by at most this times η, to first order, relative to the largest |v|.
    compared : int
        Where weights are sketched: rows of Q, drawn by the seed, over which ``forward_error`` is the largest difference from exact rows,
        and no bound on the others; else 0.
    logit : float
        No s⟨q, k⟩ is larger in size than this.
    profiles : int
        Of a convolution basis; 0: none was used.  ``forward_error`` is then a bound for logits that are no farther from the basis than
        ``deviation``, or than its profiles were told apart by.
    refused : float
        Share of the rows, of all heads, whose range FFT could not carry in one piece.
    deviation : float
        How far a logit is from the basis at most: of ``compared`` rows, of as many columns, and of the first entries of every column.
    gap : float
        How far attention by the basis is from the exact one at most over those rows, relative to the largest |v|.
    """

    logit: float
    compared: int = 0
    profiles: int = 0
    refused: float = 0.0
    deviation: float = 0.0
    gap: float = 0.0

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        error = show_sides(self.forward_error)
        if self.profiles:
            return [
                f"error       ≤ {error} of the largest |v| of a column, if no logit is farther from the basis than those measured",
                f"measured    {format_number(self.gap)} over {self.compared} rows, made by every weight; logits of these, and of as many "
                f"columns, are {format_number(self.deviation)} off",
                f"basis       {self.profiles:,} profiles; FFT could not carry {self.refused:.1%} of the rows in one piece",
                f"condition   {format_number(self.condition)}; logits are at most {format_number(self.logit)} in size",
            ]
        of_rows = f"over {self.compared} rows, measured; no bound" if self.compared else "by rounding"
        return [
            f"error       {'' if self.compared else '≤ '}{error} of the largest |v| of a column, {of_rows}",
            f"backward    {show_sides(self.backward_error)} relative to the rows of Q, K and V",
            f"condition   {format_number(self.condition)}; logits are at most {format_number(self.logit)} in size",
        ]


def attention_certificate(answer: AttentionAnswer, written: Written | None) -> AttentionCertificate:
    """Return what is known once the rows are made; None: before."""
    error = answer.backward_error
    if written is not None:
        values = answer.measured.values
        beyond = relative(np.maximum(written.largest - values * (1 + answer.error), 0.0), values)
        error = np.maximum(error, beyond)
    return _certificate(answer, error, answer.error, answer.compared)


def judged_certificate(answer: AttentionAnswer, gap: Floats) -> AttentionCertificate:
    """Return what is known of given rows, whose largest distance from the judge's own is known for each column."""
    error = np.where(np.isfinite(answer.error), relative(gap, answer.measured.values), np.inf)
    return _certificate(answer, answer.explain(error), error)


def accepted_error(answer: AttentionAnswer) -> float:
    """Return the backward error that rounding explains."""
    return float(np.max(answer.backward_error, initial=U))


def _certificate(answer: AttentionAnswer, backward: Floats, forward: Floats, compared: int = 0) -> AttentionCertificate:
    system, basis = answer.measured.system, answer.basis
    facts = {} if basis is None else vars(basis)
    return AttentionCertificate(
        backward_error=backward,
        residual_norm=np.zeros(len(forward)),
        forward_error=forward,
        condition=answer.condition,
        rank=system.width,
        rank_reason="nothing is inverted",
        logit=answer.measured.logit,
        compared=compared,
        **facts,
    )
