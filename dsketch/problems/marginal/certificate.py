"""What is known of marginal regressions: what covariates span, and how far coefficients are from those in extended precision.

A few columns, spread over the store, are made again: g̃ projected once more, its products with ỹ summed in extended precision.  What
rounding leaves open of the span of the covariates, which g̃ and ỹ share, is bounded and added.  The distance of a coefficient counts as a
share of ‖ỹ‖/‖g̃‖: it is then the cosine between g̃ and what is left of y, which is 0 for the coefficient of least squares, and a share of
so much is a relative change of the column that explains it.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._units import format_counted
from dsketch.passes.marginal import Tally
from dsketch.problems.outcome import Certificate, format_number, show_sides
from dsketch.settings import EPS

_HALF = float(np.sqrt(EPS))  # of the digits


@dataclass(frozen=True, kw_only=True)
class MarginalCertificate(Certificate):
    """What is known of the coefficients of all columns.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        Largest distance of a compared coefficient from that in extended precision, as a share of ‖ỹ‖/‖g̃‖, with what rounding leaves open
        of the covariates' span; where given coefficients are judged, of any.
    forward_error : ndarray, shape (k,)
        Largest distance of a compared t, as a share of max(1, |t|); where given ones are judged, the same as ``backward_error``.
    span_error : ndarray, shape (k,)
        How much of ``backward_error`` that is: eps κ times what covariates explain of target and column, relative to what they leave.
    residual_norm : ndarray, shape (k,)
        ‖ỹ‖: what covariates leave of a target.
    condition : float
        Of the covariates, columns scaled, beside a constant shifted if they lie far from 0; the largest of all patterns.
    rank : int
        Of the covariates, the constant counted; the least of all patterns.
    columns, undetermined, lacking, missing, short, exact, compared : int
        As :class:`~dsketch.passes.marginal.Tally` counts them.
    patterns : int
        How many there are of rows that targets miss; targets that miss the same rows share one.
    """

    span_error: Floats
    columns: int
    undetermined: int
    lacking: int
    missing: int
    short: int
    exact: int
    compared: int
    patterns: int

    @property
    def unexplained(self) -> Floats:
        """``backward_error`` less what rounding leaves open of the span, as long as that leaves half of the digits, shape (k,)."""
        return np.where(self.span_error <= _HALF, self.backward_error - self.span_error, self.backward_error)

    def is_right(self, accepted: float) -> bool:
        """Return whether coefficients may be called answers: their distances are no more than rounding explains."""
        return bool((self.unexplained <= accepted).all())

    def lines(self) -> list[str]:
        """Return it as lines for people."""
        compared, missing = format_counted(self.compared, "column", "columns"), format_counted(self.missing, "entry", "entries")
        patterns = format_counted(self.patterns, "pattern", "patterns")
        return [
            f"compared    {compared} in extended precision: coefficients off by {show_sides(self.backward_error)} of ‖ỹ‖/‖g̃‖, "
            f"t by {show_sides(self.forward_error)}",
            f"columns     {self.columns:,}, of them {self.undetermined:,} determined by the covariates; {missing} missing "
            f"in {self.lacking:,}",
            f"covariates  condition {format_number(self.condition)}; {self.rank_reason}; {patterns} of targets",
        ]


def marginal_certificate(tally: Tally | None, covariates: int, targets: int) -> MarginalCertificate:
    """Return the certificate of what a pass counted; None: of a pass that is still to come."""
    if tally is None:
        unknown = np.full(targets, np.nan)
        return _of(np.tile(unknown, (3, 1)), unknown, float("nan"), 0, covariates, dict.fromkeys(_WORDS, 0), 0)
    facts = tally.facts
    counts = {name: tally.counts[name] for name in _WORDS}
    rank, condition = int(facts.rank[facts.rows > 0].min(initial=covariates)), float(facts.condition.max(initial=1.0))
    return _of(tally.off, facts.norms, condition, rank, covariates, counts, facts.groups)


_WORDS = ("columns", "undetermined", "lacking", "missing", "short", "exact", "compared")


def _of(
    off: Floats,
    norms: Floats,
    condition: float,
    rank: int,
    covariates: int,
    counts: dict[str, int],
    groups: int,
) -> MarginalCertificate:
    reason = f"rank {rank} of {covariates} covariates" if rank < covariates else f"all {covariates} covariates count"
    return MarginalCertificate(
        backward_error=off[0],
        forward_error=off[1],
        span_error=off[2],
        residual_norm=norms,
        condition=condition,
        rank=rank,
        rank_reason=reason,
        patterns=groups,
        **counts,
    )
