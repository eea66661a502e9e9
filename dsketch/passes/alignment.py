"""Passes that find how well rows of Q are aligned with those of K: what sums of even powers of their products are at least."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.polynomial import shrink


class Moments(NamedTuple):
    """Of rows k of each head.

    Attributes
    ----------
    gram : ndarray, shape (heads, d, d)
        Σ k kᵀ.
    lengths : ndarray, shape (heads,)
        Σ ‖k‖^p.
    """

    gram: Floats
    lengths: Floats


@dataclass(frozen=True)
class KeyMoments(SlicePass[Moments]):
    """Finish to the moments of rows.

    Parameters
    ----------
    degree : int
        p.
    factors : ndarray, shape (heads,)
        What rows of each head are multiplied with first: powers of two.

    Notes
    -----
    One read, 2 m d² flops a head.
    """

    degree: int
    factors: Floats

    kind: ClassVar[str] = "moments of keys"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the moments of no rows."""
        del sides
        heads, d = len(self.factors), columns // len(self.factors)
        return np.zeros((heads, d, d)), np.zeros(heads)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the moments of a slice."""
        del start, Y
        Z = np.moveaxis(X.reshape(len(X), len(self.factors), -1), 1, 0) * self.factors[:, None, None]
        part[0][...] += np.matmul(Z.swapaxes(1, 2), Z)
        part[1][...] += (np.einsum("hij,hij->hi", Z, Z) ** (self.degree // 2)).sum(axis=1)

    def finish(self, part: Part) -> Moments:
        """Return the moments."""
        return Moments(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d² + 1 numbers a head."""
        del sides
        heads = len(self.factors)
        return 8 * heads * ((columns // heads) ** 2 + 1)


class Alignment(NamedTuple):
    """Of each head, shape (heads,): the least qᵀGq/‖q‖², 0 for a row of zeros, and the row that has it."""

    least: Floats
    row: Floats


@dataclass(frozen=True)
class LeastAlignment(SlicePass[Alignment]):
    """Finish to the rows of Q that are the least aligned with those of K.

    Parameters
    ----------
    gram : ndarray, shape (heads, d, d)
        G = Σ k kᵀ.

    Notes
    -----
    One read, 2 n d² flops a head.
    """

    gram: Floats

    kind: ClassVar[str] = "least alignment"

    def zero(self, columns: int, sides: int) -> Part:
        """Return what holds of no rows."""
        del columns, sides
        return np.full(len(self.gram), np.inf), np.zeros(len(self.gram))

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Compare the rows of a slice."""
        del Y
        Z = np.moveaxis(shrink(X, len(self.gram)).reshape(len(X), len(self.gram), -1), 1, 0)
        squares = np.einsum("hij,hij->hi", Z, Z)
        aligned = np.einsum("hij,hij->hi", np.matmul(Z, self.gram), Z) / np.where(squares > 0, squares, 1.0)
        found, rows = aligned.min(axis=1), start + aligned.argmin(axis=1)
        part[1][...] = np.where(found < part[0], rows, part[1])
        part[0][...] = np.minimum(found, part[0])

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the less aligned; of equal ones the first."""
        return np.minimum(left[0], right[0]), np.where(right[0] < left[0], right[1], left[1])

    def finish(self, part: Part) -> Alignment:
        """Return the rows."""
        return Alignment(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return two numbers a head."""
        del columns, sides
        return 16 * len(self.gram)
