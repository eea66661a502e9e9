"""The pass behind cluster-robust standard errors: Σ_g s_g s_gᵀ with s_g the sum of the scores of the rows of group g.

References
----------
K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73, 1986.
A. C. Cameron, D. L. Miller, "A practitioner's guide to cluster-robust inference", Journal of Human Resources 50, 2015.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.whitener import Whitener
from dsketch.errors import DataError
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass

_WHOLE = 2.0**53  # beyond it two whole numbers may be one float64
_SLICE_ROWS = 2048  # rows summed by group at once: sorting them is little beside their product


class Groups(NamedTuple):
    """What a pass over groups finds.

    ``meat[s]`` = Σ_g (Tᵀs_g)(Tᵀs_g)ᵀ for each side, shape (k, r, r); how many groups have a row that counts, and what the rows count.
    """

    meat: Floats
    groups: int
    rows: float


@dataclass(frozen=True)
class GroupScores(Pass[Groups]):
    """Finish to the meat of a cluster-robust covariance; the last column of the right-hand sides is the group of the row.

    Parameters
    ----------
    whitener : Whitener
        T: the covariance is T M Tᵀ.
    sides : int
        k.
    most : int
        So many groups at most.

    Notes
    -----
    One read, 2 n d (k + 1) flops and a sort of the rows' groups; a part is a table of k d + 2 numbers a group, in the order of the groups,
    so that the sums have one order whoever adds them.  Scores are summed as they are and whitened at the end, once a group.
    """

    whitener: Whitener
    sides: int
    most: int

    kind: ClassVar[str] = "group scores"
    takes_sparse: ClassVar[bool] = True

    @abstractmethod
    def score(self, X: Any, Y: Floats, start: int) -> tuple[Floats, Floats]:
        """Return what the rows of X are multiplied by, shape (rows, k), and what each row counts, shape (rows,).

        Parameters
        ----------
        X : ndarray or csr_array, shape (rows, d)
        Y : ndarray, shape (rows, columns)
            Right-hand sides without the group.
        start : int
            Number of the first row.
        """

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's sums to the table."""
        keys, places = self._groups_of(block)
        sums, counts = np.zeros((len(keys), self.sides * block.columns)), np.zeros(len(keys))
        for start, X, Y in block.slices(_SLICE_ROWS, sparse=True):
            scores, counted = self.score(X, Y[:, :-1], start)
            low = start - block.start
            near, onto = np.unique(places[low : low + len(Y)], return_inverse=True)
            sums[near] += np.concatenate([_sum_rows(onto, side, len(near), X) for side in scores.T], axis=1)
            counts[near] += np.bincount(onto, counted, len(near))
        mine = (keys, sums, counts)
        return mine if part is None else self.merge(part, mine)

    def _groups_of(self, block: Block) -> tuple[Floats, NDArray[np.intp]]:
        """Return the groups of a block in order, and the place of each row among them."""
        if block.b is None:
            raise DataError("a column of groups was expected; there is none. Give groups a number a row.")
        column = block.b[:, -1].astype(np.float64)
        _require_groups(column, block.start)
        keys, places = np.unique(column, return_inverse=True)
        self._require_few(len(keys), block.columns)
        return keys, places

    def merge(self, left: Part, right: Part) -> Part:
        """Join two tables: the sums of a group that is in both are added."""
        keys = np.union1d(left[0], right[0])
        self._require_few(len(keys), left[1].shape[1] // self.sides)
        sums, counts = np.zeros((len(keys), left[1].shape[1])), np.zeros(len(keys))
        for own, part_sums, part_counts in (left, right):
            places = np.searchsorted(keys, own)
            sums[places] += part_sums
            counts[places] += part_counts
        return keys, sums, counts

    def finish(self, part: Part) -> Groups:
        """Whiten the sums of the groups that count, and return their meat."""
        _, sums, counts = part
        counting = counts > 0
        d = sums.shape[1] // self.sides
        meat = np.empty((self.sides, self.whitener.rank, self.whitener.rank))
        for side in range(self.sides):
            U = self.whitener.apply(np.ascontiguousarray(sums[counting, side * d : (side + 1) * d]))
            meat[side] = U.T @ U
        return Groups(meat, int(np.count_nonzero(counting)), float(counts.sum()))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of the largest table."""
        del sides
        return 8 * self.most * (columns * self.sides + 2)

    def _require_few(self, groups: int, columns: int) -> None:
        """Go on only with a table that fits.

        Raises
        ------
        DataError
        """
        if groups > self.most:
            size = 8 * (columns * self.sides + 2)
            raise DataError(
                f"at most {self.most:,} groups were expected, whose sums of {size:,} bytes each fit in memory; some rows alone have "
                f"{groups:,}. Number coarser groups, or use robust='HC1' where hardly two rows share one."
            )


@dataclass(frozen=True)
class LinearGroupScores(GroupScores):
    """The scores of least squares: w (b − A x); columns of the right-hand sides are b, the weight if ``is_weighted``, and the group.

    Parameters
    ----------
    whitener, sides, most
        As in :class:`GroupScores`.
    x : ndarray, shape (d, k)
    is_weighted : bool
    """

    x: Floats
    is_weighted: bool

    kind: ClassVar[str] = "linear group scores"

    def score(self, X: Any, Y: Floats, start: int) -> tuple[Floats, Floats]:
        """Return w (b − A x), and 1 for each row of positive weight."""
        del start
        residual = Y[:, : self.sides] - X @ self.x
        if not self.is_weighted:
            return residual, np.ones(len(Y))
        weight = Y[:, self.sides]
        return weight[:, None] * residual, (weight > 0).astype(np.float64)


def _sum_rows(onto: NDArray[np.intp], factors: Floats, groups: int, X: Any) -> Floats:
    """Return Σ factorᵢ xᵢ over the rows of each group, shape (groups, d), in the order of the rows."""
    rows = len(factors)
    chosen = scipy.sparse.csr_array((factors, onto, np.arange(rows + 1)), shape=(rows, groups))
    sums = chosen.T @ X
    return np.asarray(sums.toarray() if scipy.sparse.issparse(sums) else sums)


def _require_groups(column: Floats, start: int) -> None:
    """Go on only with groups that float64 tells apart.

    Raises
    ------
    DataError
        Naming the row and the value.
    """
    bad = np.flatnonzero(~(np.abs(column) < _WHOLE))
    if bad.size:
        raise DataError(
            f"groups must be finite numbers below 2⁵³, so that float64 tells them apart; row {start + int(bad[0])} has "
            f"{column[bad[0]]!s}. Number the groups from 0, for example with numpy.unique(groups, return_inverse=True)."
        )
