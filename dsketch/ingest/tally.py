"""Which rows stay: how many, what each column cost, and a digest to compare them by."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Tally:
    """Counts rows as they are read, and forms a digest of those that were left out.

    Two outputs have the same rows if their digests are equal: the digest depends on how many rows were read and on the
    numbers of those left out, not on how they came in batches, nor on the name of the source.

    Parameters
    ----------
    names : sequence of str
        The columns that are looked at.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._missing = np.zeros(len(names), dtype=np.int64)
        self._left_out = hashlib.sha256()
        self.read = 0
        self.count = 0

    def add(self, missing: NDArray[np.bool_], keep: NDArray[np.bool_]) -> None:
        """Take note of some more rows: where they lack a value, of shape (rows, columns), and which stay."""
        self._missing += missing.sum(axis=0)
        self._left_out.update((self.read + np.flatnonzero(~keep)).astype("<i8").tobytes())
        self.read += len(keep)
        self.count += int(keep.sum())

    def add_whole(self, rows: int) -> None:
        """Take note of rows that all stay."""
        self.read += rows
        self.count += rows

    @property
    def cost(self) -> dict[str, int]:
        """How many rows lack a value in each column that lacks any, the most first; a row may count for several."""
        found = {name: int(count) for name, count in zip(self._names, self._missing, strict=True) if count}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def digest(self) -> str:
        """Which rows stayed, in hexadecimal."""
        whole = self._left_out.copy()
        whole.update(f" of {self.read} rows".encode())
        return whole.hexdigest()[:32]
