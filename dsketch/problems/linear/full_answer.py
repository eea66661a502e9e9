"""The answer of ``accuracy="full"``: the exact minimizer, rounded, and what is proven of it."""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, powers_near, ratio
from dsketch.errors import SpecError
from dsketch.matrix.base import AnyArray
from dsketch.problems.linear.method import LinearAnswer
from dsketch.settings import ACCURACY, Settings

FULL = "full"
_SAFE = 1 + 2.0**-30  # more than all roundings of a norm together


def require_accuracy(settings: Settings) -> None:
    """Refuse an unknown word for the accuracy.

    Raises
    ------
    SpecError
        Naming it and the choices.
    """
    if settings.accuracy not in ACCURACY.choices:
        raise SpecError(f"accuracy must be one of {', '.join(ACCURACY.choices)}; got {settings.accuracy!r}.")


@dataclass(frozen=True)
class FullAnswer(LinearAnswer):
    """The exact minimizer, rounded.

    Attributes
    ----------
    stored : ndarray, shape (d, k)
        x for A as it is stored, rounded once; ``x`` has the intercept of shifted columns.
    errors : ndarray, shape (d, k)
        Proven bounds on the distance of ``stored`` from the minimizer.
    deviations : ndarray, shape (d,)
        Roots of the diagonal of (AᵀA)⁻¹, to rounding.
    least : ndarray, shape (k,)
        The least sum of squares, to rounding; 0 where b is met exactly, or to 10⁻⁹⁰.
    sizes : ndarray, shape (2, d)
        Norms of the columns of A as it is stored, and of these with the rows of the penalty.
    """

    stored: Floats = None  # type: ignore[assignment]  # the fields before have defaults
    errors: Floats = None  # type: ignore[assignment]
    deviations: Floats = None  # type: ignore[assignment]
    least: Floats = None  # type: ignore[assignment]
    sizes: Floats = None  # type: ignore[assignment]

    def errors_by_coefficient(self, rows: int, shift: AnyArray | None) -> Floats:
        """Return the bounds."""
        del rows, shift
        return self.errors

    @property
    def last_places(self) -> Floats:
        """The bounds in units in the last place of x; infinite where x is 0 and need not be, shape (d, k)."""
        with np.errstate(over="ignore"):
            return np.where(
                self.errors > 0, np.where(self.stored != 0, self.errors / np.spacing(np.abs(self.stored)), np.inf), 0.0
            )

    @property
    def forward_error(self) -> Floats:
        """Proven bound on ‖D (x − x*)‖/‖D x*‖, shape (k,), whether D has the penalty or not."""
        both, unit = [], powers_near(np.maximum(np.abs(self.stored), self.errors).max(axis=0, initial=0.0))
        errors, stored = self.errors / unit, self.stored / unit  # exact: an x that is rounded to 0 has an error, however small
        for sizes in self.sizes / powers_near(self.sizes.max(axis=1, initial=0.0))[:, None]:
            far = norms(sizes[:, None] * errors)
            both.append(ratio(far, np.maximum(norms(sizes[:, None] * stored) - far, 0.0)))
        return np.asarray(_SAFE * np.maximum(*both))
