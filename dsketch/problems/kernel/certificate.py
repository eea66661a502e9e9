"""The certificate of an answer for the exponential kernel."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms
from dsketch.problems.kernel.answer import KernelAnswer
from dsketch.problems.outcome import Certificate, format_number, show_sides
from dsketch.settings import EPS


@dataclass(frozen=True, kw_only=True)
class KernelCertificate(Certificate):
    """What is known about the x of (K + λ I) x = b, from sweeps of the exact kernel.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        ‖r‖/(‖K + λ I‖‖x‖ + ‖b‖): how much K and b must change, relatively, for x to be exact.  In least squares r is the part of the
        residual that a better x could remove.
    residual_norm : ndarray, shape (k,)
        ‖b − (K + λ I) x‖.
    relative_residual : ndarray, shape (k,)
        ‖r‖/‖b‖.
    forward_error : ndarray, shape (k,)
        2 · condition · backward error, or what rounding leaves open of an entry of K where that is more.
    condition : float
        ‖K + λ I‖/λ, an upper bound; without a ridge the ratio of the eigenvalues kept, infinite where they are not known.
    preconditioned : float
        Condition number that the preconditioner left (Ritz values); NaN where there was none.
    distance : float
        ‖(K − F Fᵀ) v‖/‖K v‖ over random v where features stand for the kernel; 0 where it is exact.
    is_scaled : bool
        Whether norms are those of rows scaled by exp(−s‖a‖²/2), K itself being beyond float64.
    """

    relative_residual: Floats
    preconditioned: float
    distance: float
    is_scaled: bool

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        found = [
            f"backward    {show_sides(self.backward_error)} relative to ‖K + λI‖",
            f"residual    {show_sides(self.residual_norm)}   relative to b {show_sides(self.relative_residual)}   "
            f"forward error ≤ {show_sides(self.forward_error)}",
            f"condition   {format_number(self.condition)}; {self.rank_reason}",
        ]
        if not np.isnan(self.preconditioned):
            found.append(f"            {self.preconditioned:.2e} with the preconditioner (Ritz values)")
        if self.is_scaled:
            found.append("norms       all in rows scaled by exp(−s‖a‖²/2), as K itself is beyond float64: x and b too")
        if self.distance:
            found.append(f"distance    {self.distance:.2e} of the features' kernel from the exact one, relative to it")
        return found


def kernel_certificate(answer: KernelAnswer) -> KernelCertificate:
    """Return what is known about an answer."""
    # An x rounded to float64 has a backward error of about u/4 whatever the residual says.
    error = np.where(norms(answer.x) > 0, np.maximum(answer.backward_error, EPS / 8), answer.backward_error)
    return KernelCertificate(
        backward_error=error,
        residual_norm=answer.residual_norm,
        relative_residual=answer.relative_residual,
        forward_error=np.where(error > 0, 2 * answer.condition * np.maximum(error, answer.resolution), 0.0),
        condition=answer.condition,
        rank=answer.rank,
        rank_reason=answer.rank_reason,
        preconditioned=answer.preconditioned,
        distance=answer.distance,
        is_scaled=answer.is_scaled,
    )
