"""Passes that hold a convolution basis against the logits: some columns over all rows, some rows over all columns, and their attention."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.basis import Basis, Indices
from dsketch.passes.polynomial import with_ones


def _gap(Z: Floats, other: Floats) -> float:
    """Return the largest difference of logits, of which the same are hidden."""
    return float(np.abs(np.where(np.isfinite(other), Z - other, 0.0)).max(initial=0.0))


@dataclass(frozen=True)
class ProbedColumns(SlicePass[float]):
    """Finish to the largest difference of the basis from the logits of given columns, from rows of Q.

    Parameters
    ----------
    basis : Basis
    keys : ndarray, shape (r, heads · d)
        Rows of K, times s.
    numbers : ndarray of int64, shape (r,)
        Theirs.

    Notes
    -----
    One read, 2 n r d flops a head.
    """

    basis: Basis
    keys: Floats
    numbers: Indices

    kind: ClassVar[str] = "probed columns"

    def zero(self, columns: int, sides: int) -> Part:
        """Return no difference."""
        del columns, sides
        return (np.zeros(1),)

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Compare the rows of a slice."""
        del Y
        heads = len(self.basis.starts)
        rows = np.arange(start, start + len(X))[:, None]
        for head, (Q, K) in enumerate(zip(np.split(X, heads, axis=1), np.split(self.keys, heads, axis=1), strict=True)):
            part[0][0] = max(part[0][0], _gap(Q @ K.T, self.basis.at(head, rows, self.numbers[None, :])))

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger."""
        return (np.maximum(left[0], right[0]),)

    def finish(self, part: Part) -> float:
        """Return the difference."""
        return float(part[0][0])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number."""
        del columns, sides
        return 8


class Compared(NamedTuple):
    """Of given rows of Q.

    Attributes
    ----------
    deviation : float
        The largest difference of a logit.
    gap : ndarray, shape (heads · p,)
        That of a number of each column of attention.
    """

    deviation: float
    gap: Floats


@dataclass(frozen=True)
class ComparedRows(SlicePass[Compared]):
    """Finish to how far rows of Q are from those of the basis, from all rows of K with those of V beside them.

    Parameters
    ----------
    basis : Basis
    queries : ndarray, shape (r, heads · d)
        Rows of Q, times s.
    numbers : ndarray of int64, shape (r,)
        Theirs.
    tops : ndarray, shape (heads, r)
        The largest logit of each, by the basis.

    Notes
    -----
    One read, 2 n r (d + 2 p) flops a head.
    """

    basis: Basis
    queries: Floats
    numbers: Indices
    tops: Floats

    kind: ClassVar[str] = "compared rows"

    def zero(self, columns: int, sides: int) -> Part:
        """Return the sums of no rows."""
        del columns
        heads = len(self.basis.starts)
        return np.zeros(1), np.zeros((heads, 2, len(self.numbers), sides // heads + 1))

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add the weights of a slice by both, times its values and ones."""
        heads = len(self.basis.starts)
        ones, columns = with_ones(Y, heads), np.arange(start, start + len(X))[None, :]
        for head, (Q, K) in enumerate(zip(np.split(self.queries, heads, axis=1), np.split(X, heads, axis=1), strict=True)):
            known = self.basis.at(head, self.numbers[:, None], columns)
            Z = np.where(np.isfinite(known), Q @ K.T, -np.inf)
            part[0][0] = max(part[0][0], _gap(Z, known))
            for place, logits in enumerate((Z, known)):
                weights = np.exp(np.minimum(logits - self.tops[head][:, None], _MOST))
                part[1][head, place] += weights @ ones[head]

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger difference; add the sums."""
        return np.maximum(left[0], right[0]), left[1] + right[1]

    def added(self, part: Part) -> list[Floats]:
        """Return the sums."""
        return [part[1]]

    def finish(self, part: Part) -> Compared:
        """Return the differences."""
        sums = part[1]
        rows = sums[..., :-1] / np.maximum(sums[..., -1:], np.finfo(float).tiny)
        return Compared(float(part[0][0]), np.abs(rows[:, 0] - rows[:, 1]).max(axis=1).ravel())

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of the sums."""
        del columns
        return 16 * len(self.numbers) * (sides + len(self.basis.starts))


_MOST = 600.0  # a logit so far above the basis's largest is no longer near it; weights stay numbers
