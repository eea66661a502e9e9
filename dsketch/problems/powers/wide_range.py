"""Vectors with an exponent of their own: what (AᵀA)⁻ʲ does to b is far beyond the range of float64 long before it is wrong.

A column is kept as mantissa · 2^exponent with the largest mantissa between ½ and 1, so that ‖A‖^(2j) and kappa^(2j) neither over- nor
underflow at any power.  All scaling is by powers of two, hence exact.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError

Integers = NDArray[np.int64]

# Entries of a vector whose largest lies within these are normal numbers, or negligible beside it.
_LOWEST, _HIGHEST = -1021, 1024
_NONE = -(2**40)  # the exponent of a zero column is below every other


@dataclass(frozen=True)
class WideColumns:
    """Columns ``mantissas[:, s] · 2^exponents[s]``.

    Attributes
    ----------
    mantissas : ndarray, shape (d, k)
        Largest entry of each column between ½ and 1; all 0 for a zero column.
    exponents : ndarray of int64, shape (k,)
    """

    mantissas: Floats
    exponents: Integers

    @classmethod
    def of(cls, V: Floats, exponents: Integers | int = 0) -> "WideColumns":
        """Return V · 2^exponents, shape (d, k)."""
        top = np.abs(V).max(axis=0, initial=0.0)
        shift = np.frexp(top)[1].astype(np.int64)
        return cls(_ldexp(V, -shift), np.where(top > 0, shift + exponents, _NONE))

    @property
    def norms(self) -> Floats:
        """Log₂ of the Euclidean norm of each column, −∞ for zero, shape (k,)."""
        with np.errstate(divide="ignore"):
            sizes = np.log2(np.linalg.norm(self.mantissas, axis=0))
        return np.asarray(sizes + np.where(np.isfinite(sizes), self.exponents, 0))

    def shift(self, by: Integers | int) -> "WideColumns":
        """Return the columns times 2^by."""
        return WideColumns(self.mantissas, np.where(self.exponents > _NONE, self.exponents + by, _NONE))

    def plus(self, other: "WideColumns", sign: float = 1.0) -> "WideColumns":
        """Return the sum (``sign`` −1: the difference), rounded as float64 would."""
        top = np.maximum(self.exponents, other.exponents)
        return WideColumns.of(self.over(top) + sign * other.over(top), top)

    def times(self, M: Floats) -> "WideColumns":
        """Return M times the columns; entries of M of moderate size."""
        return WideColumns.of(M @ self.mantissas, self.exponents)

    def over(self, exponents: Integers) -> Floats:
        """Return the columns divided by 2^exponents, as plain numbers."""
        return _ldexp(self.mantissas, self.exponents - exponents)

    def values(self, what: str) -> Floats:
        """Return plain numbers.

        Raises
        ------
        DataError
            If the largest of a column is beyond, or below, what float64 holds; ``what`` says of what.
        """
        live = self.exponents[self.exponents > _NONE]
        for worst, word in ((live.max(initial=0), "overflow"), (live.min(initial=0), "underflow")):
            if worst > _HIGHEST or worst < _LOWEST:
                raise DataError(
                    f"{what} must fit into float64 (1e-308 to 1e308); its largest entry is about 1e{worst * np.log10(2):+.0f}, an "
                    f"{word}. Rescale A or b (units!): x follows ‖b‖ and the inverse of the power of ‖A‖."
                )
        return _ldexp(self.mantissas, np.where(self.exponents > _NONE, self.exponents, 0))


def _ldexp(V: Floats, exponents: Integers) -> Floats:
    """Return V · 2^exponents by columns, for exponents of any size."""
    return np.asarray(np.ldexp(V, np.clip(exponents, -4000, 4000).astype(np.int32)))


def exponent_of(size: float) -> int:
    """Return e with ``size`` · 2^-e between ½ and 1; 0 for 0."""
    return int(np.frexp(size)[1])


def power_of_two(log2: Floats) -> Floats:
    """Return 2^log2; 0 and ∞ where float64 ends."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.exp2(log2))
