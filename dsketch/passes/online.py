"""Sums of exponentials in one pass, whatever their size: each part carries the largest exponent it has seen.

The online softmax: a sum Σ e^{z}·(…) is kept as Σ e^{z − top}·(…); a larger z shrinks what was summed before by e^{top − new}, and so does
merging two parts.  No exponential overflows, and the result is the same to rounding however the rows are cut.

References
----------
M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, 2018.
"""

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part, SlicePass

R = TypeVar("R")

_NOTHING = -1e300  # the top of no rows
LARGEST = 1e100  # of a z: a trial x may be any size, and its square must be finite too
# A difference below this share of the centre is rounding of the centre, a weighted mean: a constant column has no spread.
_FLUSH = 2.0**-46


class OnlineSums(SlicePass[R]):
    """A pass whose part is the top and then sums, each of which shrinks by a power of e^{top − new} when the top rises.

    Attributes
    ----------
    orders : tuple of int
        That power for each sum: 0, 1 or 2 exponentials in its terms.
    """

    orders: ClassVar[tuple[int, ...]]

    @abstractmethod
    def zeros(self, columns: int, sides: int) -> Part:
        """Return the sums of no rows."""

    @abstractmethod
    def exponents(self, X: Floats) -> Floats:
        """Return z, shape (rows,)."""

    @abstractmethod
    def add_terms(self, sums: Part, X: Floats, Y: Floats, z: Floats, top: float) -> None:
        """Add the terms of some rows to the sums, in place, scaled to a top that is not below their z."""

    @abstractmethod
    def conclude(self, top: float, sums: Part) -> R:
        """Return the result."""

    def zero(self, columns: int, sides: int) -> Part:
        """Return a top below all others, and no sums."""
        return (np.full(1, _NOTHING), *self.zeros(columns, sides))

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Raise the top where these rows have a larger z, and add their terms."""
        del start
        z = np.clip(self.exponents(X), -LARGEST, LARGEST)
        top, *sums = part
        highest = float(z.max())
        if highest > top[0]:
            self._shrink(sums, float(top[0]) - highest)
            top[0] = highest
        self.add_terms(sums, X, Y, z, float(top[0]))

    def merge(self, left: Part, right: Part) -> Part:
        """Bring both to the larger top and add."""
        top = np.maximum(left[0], right[0])
        parts = []
        for part in (left, right):
            sums = [array.copy() for array in part[1:]]
            self._shrink(sums, float(part[0][0] - top[0]))
            parts.append(sums)
        return (top, *(mine + other for mine, other in zip(*parts, strict=True)))

    def finish(self, part: Part) -> R:
        """Return the result."""
        return self.conclude(float(part[0][0]), part[1:])

    def _shrink(self, sums: list[Floats], by: float) -> None:
        """Multiply each sum by its power of e^by."""
        if by:
            for array, order in zip(sums, self.orders, strict=True):
                if order:
                    array *= np.exp(order * by)


def absolute_sums(X: Floats, x: Floats) -> Floats:
    """Return abs(X) abs(x), what is summed in z without signs, shape (rows,)."""
    return np.asarray(np.minimum(np.abs(X) @ np.abs(x), LARGEST))


def centre_rows(X: Floats, centre: Floats) -> Floats:
    """Return X − centre, with what is no more than rounding of the centre set to 0."""
    C = X - centre
    C[np.abs(C) <= _FLUSH * np.abs(centre)] = 0.0
    return C
