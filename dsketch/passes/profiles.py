"""The pass that finds where the profile of causal logits changes, by the first entries of every column.

The paper searches each change by bisection, which holds if profiles never return.  Out of core a probe costs a reading, so all columns are
looked at in one: T products each, 2 n T d flops.  A change in the middle of a block is found there, beside the entries of the column that
its segment began with; what the first column of a block is, is settled when all blocks are known.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.spans import Spans

ENTRIES = 8  # T: so many of a column, from the diagonal on, must show a change
_SLICE = 2048  # rows of K at once
_BEGIN = 16  # so many columns are compared at first, twice as many each time that nothing changes


@dataclass(frozen=True)
class ProfileScan(Pass[Floats]):
    """Finish to a table of columns at which a profile may begin: head, column, T entries (NaN beyond the last row), by rows of K.

    Parameters
    ----------
    queries : Spans
        Q, shape (n, heads · d).
    heads : int
    scale : float
        s.
    tol : float
        What two entries of one profile may differ by.
    most : int
        A block that has more stops: the rows behind are not of few profiles either.
    """

    queries: Spans
    heads: int
    scale: float
    tol: float
    most: int

    kind: ClassVar[str] = "profiles"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Return the changes in a block, and its first column."""
        current = np.full((self.heads, ENTRIES), np.inf)
        found: list[Floats] = []
        counts = np.zeros(self.heads, dtype=np.int64)
        for start, K, _ in block.slices(_SLICE):
            Z = self._entries(start, K)
            for head in np.flatnonzero(counts <= self.most):
                places = find_changes(Z[head], current[head], self.tol, int(self.most + 1 - counts[head]))
                counts[head] += len(places)
                if len(places):
                    current[head] = Z[head, places[-1]]
                    numbers = np.stack([np.full(len(places), float(head)), start + places.astype(np.float64)], axis=1)
                    found.append(np.concatenate([numbers, np.nan_to_num(Z[head, places], nan=HIDDEN)], axis=1))
        own = (np.concatenate(found),)
        return own if part is None else self.merge(part, own)

    def _entries(self, start: int, K: Floats) -> Floats:
        """Return the first entries of columns ``start …``, shape (heads, columns, T)."""
        rows, d = len(K), K.shape[1] // self.heads
        stop = min(start + rows + ENTRIES - 1, self.queries.rows)
        (Q,) = self.queries.read(start, stop)
        Z = np.full((self.heads, rows, ENTRIES), np.nan)
        keys = K.reshape(rows, self.heads, d)
        for lag in range(ENTRIES):
            seen = min(rows, len(Q) - lag)
            if seen > 0:
                queries = Q[lag : lag + seen].reshape(seen, self.heads, d)
                Z[:, :seen, lag] = self.scale * np.einsum("ihj,ihj->hi", queries, keys[:seen])
        return Z

    def merge(self, left: Part, right: Part) -> Part:
        """Put one behind the other."""
        return (np.concatenate([left[0], right[0]]),)

    def finish(self, part: Part) -> Floats:
        """Return the table."""
        table: Floats = part[0]
        return table

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a line for as many as may be."""
        del columns, sides
        return 8 * self.heads * (self.most + 1) * (2 + ENTRIES)


HIDDEN = 1e308  # stands for an entry beyond the last row in parts, which hold finite numbers: no finite logit is as large


def find_changes(Z: Floats, current: Floats, tol: float, most: int) -> np.ndarray:
    """Return the places of rows of Z that differ by more than ``tol`` from the one that was found before, at most so many.

    Parameters
    ----------
    Z : ndarray, shape (columns, T)
    current : ndarray, shape (T,)
        The one before the first; ∞: none.  NaN, and what stands for it, is like everything.
    """
    places: list[int] = []
    low, step = 0, _BEGIN
    while low < len(Z) and len(places) < most:
        gap = np.abs(Z[low : low + step] - current)
        other = np.flatnonzero((gap > tol).any(axis=1))
        if other.size:
            low += int(other[0])
            places.append(low)
            current, step = Z[low], _BEGIN
        else:
            low, step = low + step, 2 * step
    return np.array(places, dtype=np.int64)


def settle_starts(table: Floats, heads: int, tol: float) -> tuple[tuple[int, ...], ...]:
    """Return the first columns of the segments of each head, from what :class:`ProfileScan` has found in all blocks."""
    starts = []
    for head in range(heads):
        mine = table[table[:, 0] == head]
        entries = np.where(mine[:, 2:] >= HIDDEN, np.nan, mine[:, 2:])
        places = find_changes(entries, np.full(ENTRIES, np.inf), tol, len(mine))
        starts.append(tuple(int(column) for column in mine[places, 1]))
    return tuple(starts)
