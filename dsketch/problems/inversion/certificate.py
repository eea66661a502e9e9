"""What is proven of an x with g(x) ≈ c: that an exact answer exists, and how far it is at most.

Along a line from x, in a direction h, let v = S⁻¹A h and m = max abs(v).  With B_k = Σvᵏqqᵀ::

    D²V[h, h] = 3 tr B₂ − 2 tr B₁²      D³V[h, h, h] = −12 tr B₃ + 10 tr B₁B₂ + 8 tr B₁(B₂ − B₁²)

and B₂ − B₁² ≽ 0, B₁ ≼ m I.  As sums over pairs of rows with the weights (P∘P)ᵢⱼ ≥ 0 the second derivative has the terms
½(a² + b²) + (a − b)², a = vᵢ, b = vⱼ, and the third, in size, at most abs(a + b) abs(6(a − b)² + ab) + 4m(a − b)², which is at most
6.67 m times them.  So V is self-concordant in a sense that looks at the slacks::

    abs(D³V[h, h, h]) ≤ 6.67 max abs(S⁻¹A h) D²V[h, h]

With ‖h‖ = 1 in the metric of the Hessian and m ≤ κ slacks fall by 1 − κt at most on a way t, so that the second derivative is not below
(1 − κt)^6.67 there, and the slope not below −λ + (1 − (1 − κt)^7.67)/(7.67κ).  Where that reaches 0 before the way 1/κ, for every h, a
minimizer lies inside: an x* with g(x*) = c, slacks of the same signs, and the distance in that metric at most where it does.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.columns import norms
from dsketch.problems.inversion.system import Place
from dsketch.problems.outcome import Certificate, Status, format_number, show_sides

CONCORDANCE = 6.67  # the supremum over a, b in [−1, 1] is 6.6684
OUTSIDE = float(np.sqrt(np.finfo(float).eps))  # a larger part of c outside the range of Aᵀ is more than rounding of c


@dataclass(frozen=True, kw_only=True)
class GradientCertificate(Certificate):
    """What is known about an x with g(x) ≈ c.

    Attributes
    ----------
    backward_error : ndarray, shape (1,)
        Estimate of how much the data must change, relatively, for x to be exact: slacks in the mean by their leverage, or columns of
        S⁻¹A.
    residual_norm : ndarray, shape (1,)
        ‖g(x) − c‖.
    forward_error : ndarray, shape (1,)
        Proven bound on ‖D (x − x*)‖/‖D x‖, D the norms of the columns of S⁻¹A; infinite where nothing is proven.
    condition, scaled_condition : float
        Of S⁻¹A.
    decrement : float
        λ = ‖g(x) − c‖ in the metric of the inverse Hessian of V.
    doubt : float
        How far rounding may have moved it.
    reach : float
        Proven bound on the distance to x* in the metric of the Hessian, ``doubt`` counted; infinite where nothing is proven.
    kappa : float
        Slacks change by at most so much, relatively, on a way of length 1: they are within kappa · reach of those at x*.
    negative : int
        Slacks below 0.
    closeness : float
        The least abs(s)/(abs(a)ᵀabs(x) + abs(b)).
    outside : float
        The part of c, relative to its size, outside the range of Aᵀ, where no g(x) is.
    """

    scaled_condition: float
    decrement: float
    doubt: float
    reach: float
    kappa: float
    negative: int
    closeness: float
    outside: float

    @property
    def is_proven(self) -> bool:
        """Whether an exact answer is proven to exist within ``reach``."""
        return bool(np.isfinite(self.reach)) and self.outside <= OUTSIDE

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        proven = (
            f"an exact answer lies within {format_number(self.reach)}" if self.is_proven else "no exact answer is proven nearby"
        )
        return [
            f"backward    {show_sides(self.backward_error)} of slacks and columns",
            f"residual    {show_sides(self.residual_norm)} = ‖g(x) − c‖   decrement {format_number(self.decrement)} (rounding "
            f"{format_number(self.doubt)})",
            f"distance    {proven} in the metric of the Hessian, slacks within {format_number(self.kappa * self.reach)} of theirs   "
            f"forward error ≤ {show_sides(self.forward_error)}",
            f"slacks      {self.negative} below 0; the nearest to 0 has {format_number(self.closeness)} of its terms",
            f"condition   {format_number(self.condition)} (columns scaled {format_number(self.scaled_condition)}); {self.rank_reason}",
        ]


def find_reach(decrement: float, kappa: float) -> float:
    """Return how far a minimizer is at most, in the metric of the Hessian; infinite where none is proven.

    >>> find_reach(0.0, 1.0), find_reach(0.1, 2.0)
    (0.0, inf)
    >>> round(find_reach(1e-9, 1.0) / 1e-9, 6)
    1.0
    """
    power = CONCORDANCE + 1.0
    share = power * kappa * decrement
    if not share < 1.0:
        return float("inf")
    return float(-np.expm1(np.log1p(-share) / power) / kappa)


def certify(place: Place) -> GradientCertificate:
    """Return what is known about the x of a place."""
    factor, kappa, doubt = place.factor, place.kappa, place.doubt
    reach = find_reach(place.decrement + doubt, kappa)
    D = norms(factor.R)
    length = float(sl.norm(D * place.x))
    values, vectors = place.spectrum
    widest = float(sl.norm((D[:, None] * place.directions) @ (vectors / np.sqrt(values)), 2))
    return GradientCertificate(
        backward_error=np.array([place.decrement / place.size]),
        residual_norm=np.array([float(sl.norm(place.misfit))]),
        forward_error=np.array([reach * widest / length if length > 0 else np.inf]),
        condition=factor.condition,
        rank=factor.rank,
        rank_reason=factor.rank_reason,
        scaled_condition=factor.scaled_condition,
        decrement=place.decrement,
        doubt=doubt,
        reach=reach,
        kappa=kappa,
        negative=place.facts.negative,
        closeness=place.facts.closeness,
        outside=_part_outside(place),
    )


def _part_outside(place: Place) -> float:
    """Return the largest part of c along a direction that A does not have, relative to the sizes of what adds up to it."""
    null = place.factor.null if place.factor.is_deficient else np.zeros((len(place.c), 0))
    sizes = np.abs(null).T @ np.abs(place.c)
    return float(np.divide(np.abs(null.T @ place.c), sizes, out=np.zeros_like(sizes), where=sizes > 0).max(initial=0.0))


def status_at(certificate: GradientCertificate, accepted: float, *, is_deficient: bool) -> Status:
    """Return how a solve ended: solved where an exact answer is proven and the backward error met."""
    if not certificate.is_proven or not (certificate.backward_error <= accepted).all():
        return Status.NOT_SOLVED
    return Status.MINIMUM_NORM if is_deficient else Status.SOLVED
