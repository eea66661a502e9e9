"""What is known of the points of a path: all that is known of each, and which of them held-out rows choose."""

from dataclasses import dataclass, replace

from dsketch._linalg.arrays import Floats
from dsketch.problems.outcome import format_number
from dsketch.problems.penalized.certificate import PenalizedCertificate
from dsketch.problems.penalized.cross_validation import CrossValidation


@dataclass(frozen=True, kw_only=True)
class PathCertificate(PenalizedCertificate):
    """What is known about the m points of a path; what is said of a point has its place in each array.

    Attributes
    ----------
    alphas, l1_ratios : ndarray, shape (m,)
        The penalty of each point.
    cv_mean, cv_standard_error : ndarray, shape (m,), or None
        Cross-validated mean of squared errors, and its standard error over the folds; None where there were no folds.
    best : int or None
        The point with the least mean.
    simplest : int or None
        The point with the largest alpha within one standard error of it.
    """

    alphas: Floats
    l1_ratios: Floats
    cv_mean: Floats | None = None
    cv_standard_error: Floats | None = None
    best: int | None = None
    simplest: int | None = None

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        path = f"path        {len(self.alphas)} points, alpha from {self.alphas.max():.4g} to {self.alphas.min():.4g}"
        return [*super().lines(), path, *self._chosen()]

    def _chosen(self) -> list[str]:
        if self.cv_mean is None or self.cv_standard_error is None or self.best is None or self.simplest is None:
            return []
        mean, error = self.cv_mean[self.best], self.cv_standard_error[self.best]
        return [
            f"best        {self._show(self.best)}: squared error {format_number(mean)} ± {format_number(error)}",
            f"simplest    {self._show(self.simplest)}: within one standard error, {int(self.free[self.simplest])} coefficients",
        ]

    def _show(self, point: int) -> str:
        return f"alpha {self.alphas[point]:.6g}, l1_ratio {self.l1_ratios[point]:g} (column {point} of x)"


def path_certificate(
    certificate: PenalizedCertificate, alphas: Floats, ratios: Floats, found: CrossValidation | None
) -> PathCertificate:
    """Return a certificate with what a path has besides."""
    plain = PathCertificate(**vars(certificate), alphas=alphas, l1_ratios=ratios)
    if found is None:
        return plain
    return replace(plain, cv_mean=found.mean, cv_standard_error=found.standard_error, best=found.best, simplest=found.simplest)
