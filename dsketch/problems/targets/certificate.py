"""What is known of all targets together: the worst of their certificates, and how many have no answer and why."""

from dataclasses import dataclass

import numpy as np

from dsketch._units import format_counted
from dsketch.passes.fit_tiles import Tally
from dsketch.problems.outcome import Certificate, format_number
from dsketch.problems.targets.design import Design


@dataclass(frozen=True, kw_only=True)
class TargetCertificate(Certificate):
    """What is known of the targets; of each alone the array ``backward_error`` tells.

    Attributes
    ----------
    backward_error : ndarray, shape (1,)
        The worst of all targets that have an answer: the Karlson–Waldén estimate, or a bound above it.
    residual_norm, forward_error : ndarray, shape (1,)
        NaN: not summed up over targets.
    condition, scaled_condition, rank, rank_reason
        Of all rows of A, with the penalty.
    targets, answered : int
        How many there are, and how many have an answer.
    """

    scaled_condition: float
    targets: int
    answered: int

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        return [
            f"backward    at most {format_number(float(self.backward_error[0]))} relative to ‖A‖, columns scaled, of any target",
            f"targets     {self.answered:,} of {self.targets:,} answered",
            f"condition   {format_number(self.condition)} (columns scaled {format_number(self.scaled_condition)}); {self.rank_reason}",
        ]


def target_certificate(design: Design, tally: Tally) -> TargetCertificate:
    """Return what is known once all tiles are answered."""
    factor, unknown = design.factor, np.full(1, np.nan)
    return TargetCertificate(
        backward_error=np.array([tally.worst]),
        residual_norm=unknown,
        forward_error=unknown,
        condition=factor.condition,
        scaled_condition=factor.scaled_condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        targets=tally.targets,
        answered=tally.targets - tally.empty - tally.few - tally.lost,
    )


def target_notes(design: Design, tally: Tally) -> tuple[str, ...]:
    """Return what was decided on the way, in sentences."""
    notes, n, rank = [], len(design.X), design.rank
    if (left_out := n - design.rows) > 0:
        what = format_counted(n, "row counts", "rows count")
        notes.append(f"{left_out:,} of {what} for no target: a value of A is missing there, or the weight is 0")
    if tally.lacking:
        notes.append(
            f"{tally.lacking:,} of {format_counted(tally.targets, 'target lacks', 'targets lack')} values; each is answered by the rows "
            "that it has, none is filled in"
        )
    if tally.empty:
        notes.append(f"{format_counted(tally.empty, 'target has', 'targets have')} no value at all: {_their(tally.empty)} NaN")
    if tally.few:
        notes.append(
            f"{format_counted(tally.few, 'target has', 'targets have')} fewer than {format_counted(rank, 'row', 'rows')}, as many as A has "
            f"rank: no x is determined, {_their(tally.few)} NaN"
        )
    if tally.lost:
        notes.append(
            f"{format_counted(tally.lost, 'target lacks', 'targets lack')} just those rows that give A its rank of {rank}: no x is "
            f"determined, {_their(tally.lost)} NaN"
        )
    if tally.exact:
        notes.append(
            f"of {format_counted(tally.exact, 'target', 'targets')} the residual is rounding of the data, or its square below what float64 "
            "holds: errors, t and p would be 0/0; they are NaN"
        )
    if design.is_penalized:
        notes.append("with a penalty the estimates are biased: no standard errors, t and p; solve without one for them")
    return tuple(notes)


def _their(count: int) -> str:
    return "its answers are" if count == 1 else "their answers are"
