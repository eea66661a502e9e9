"""Passes about the leverage of rows: ‖Tᵀaᵢ‖² for each, and how far given scores are from it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch._linalg.whitener import Whitener
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.rowwise import RowPass

_LEAST = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Leverages(RowPass):
    """Finish to hᵢ = ‖Tᵀaᵢ‖², shape (n, 1).

    Parameters
    ----------
    whitener : Whitener
        T, from a factor of A.

    Notes
    -----
    One read, about 1.3 n d² flops, BLAS-3.
    """

    whitener: Whitener

    kind: ClassVar[str] = "leverages"
    height: ClassVar[int | None] = 2048

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the squared lengths of whitened rows."""
        del Y
        return leverages_of(X, self.whitener)[:, None]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number a row of the largest block, at least."""
        del columns, sides
        return 8 * 65_536


@dataclass(frozen=True)
class LeverageGap(SlicePass[Floats]):
    """Finish to the largest |hᵢ − bᵢ|/hᵢ, Σ bᵢ and the largest |bᵢ|: scores that somebody gives, judged; shape (3,).

    Parameters
    ----------
    whitener : Whitener

    Notes
    -----
    One read, about 1.3 n d² flops; three numbers a part.  Scores are those of the rows as they are weighted; errors of those below eps
    are relative to eps.
    """

    whitener: Whitener

    kind: ClassVar[str] = "leverage gap"

    def zero(self, columns: int, sides: int) -> Part:
        """Return nothing."""
        del columns, sides
        return (np.zeros(1), np.zeros(1), np.zeros(1))

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Compare the scores of a slice."""
        del start
        gap, total, largest = part
        given = Y[:, 0]
        scores = leverages_of(X, self.whitener)
        np.maximum(gap, (np.abs(scores - given) / np.maximum(scores, _LEAST)).max(), out=gap)
        np.maximum(largest, np.abs(given).max(), out=largest)
        total += given.sum()

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger gap; add the sums."""
        return np.maximum(left[0], right[0]), left[1] + right[1], np.maximum(left[2], right[2])

    def finish(self, part: Part) -> Floats:
        """Return the three numbers."""
        return np.concatenate(part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return three numbers."""
        del columns, sides
        return 24


def leverages_of(X: Floats, whitener: Whitener) -> Floats:
    """Return ‖Tᵀx‖² of each row, shape (rows,)."""
    white = whitener.apply(X, scratch("leverages", (X.shape[0], whitener.rank)))
    return np.asarray(np.einsum("ij,ij->i", white, white))
