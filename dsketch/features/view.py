"""A matrix of features: rows of a base matrix through a row map, block by block, never stored.

Guarantees: those of every Matrix; features are made again at each reading, so a view of a thousand features of a small A costs no
more memory than two of its blocks.  Rows of the base that cannot be decoded alone are decoded once for the blocks that are made from
them, not once for each.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError
from dsketch.features.base import RowMap
from dsketch.matrix.base import BLOCK_BYTES, AnyArray, Cuts, Matrix, block_rows_for, bytes_of
from dsketch.matrix.csr_slices import require_finite_entries

# The decoded base blocks that are kept: as many threads as a worker usually has may be in the middle of one.
_KEPT_BYTES = 4 * BLOCK_BYTES


class FeatureView(Matrix):
    """``map`` applied to the rows of ``base``.

    Parameters
    ----------
    base : Matrix, shape (n, d)
    map : RowMap
        Gives m features a row.
    base_cuts : ndarray of int64, optional
        Row cuts of those base blocks that a :meth:`window` reads, so that a worker need not find them again.
    """

    is_raw = False
    is_kept = False  # the same rows of A, or of another map, may be read in the same run
    source = None  # opening the base's address would give A

    def __init__(self, base: Matrix, map: RowMap, base_cuts: Cuts | None = None) -> None:  # noqa: A002 - the word of the field
        self.base = base
        self.map = map
        self.shape = (base.shape[0], map.width(base.shape[1]))
        self.dtype = np.dtype(np.float64)
        self.is_local = base.is_local
        self.held = base.held
        self._given_cuts = base_cuts
        self._kept: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Leave decoded rows behind."""
        return {"base": self.base, "map": self.map, "base_cuts": self._given_cuts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open again in another process."""
        self.__init__(**state)  # type: ignore[misc]

    @cached_property
    def _base_cuts(self) -> Cuts:
        return np.asarray(self.base.cuts) if self._given_cuts is None else self._given_cuts

    @cached_property
    def cuts(self) -> Cuts:
        """Blocks near 32 MB of features: even parts of a base block, or whole base blocks together."""
        return feature_cuts(np.asarray(self.base.cuts), 8 * self.shape[1])

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Make the features of rows ``start:stop``.

        Raises
        ------
        DataError
            If rows of the base cannot be read, or hold a NaN or an infinity.
        """
        features: Any = np.empty((stop - start, self.shape[1])) if out is None else out[: stop - start]
        for low, high, rows in self._base_rows(start, stop):
            _require_finite(rows, low)
            self.map.apply(rows, features[low - start : high - start])
        return np.asarray(features)

    def needs_buffer(self, start: int, stop: int) -> bool:
        """Always: features are made, not found."""
        del start, stop
        return True

    def window(self, start: int, stop: int) -> "FeatureView":
        """Return the view of the base's window: whole base blocks where rows are decoded by blocks."""
        if self.base.is_raw:
            return FeatureView(self.base.window(start, stop), self.map)
        spans = self._spans(start, stop)
        cuts = np.array([spans[0][0], *(high for _, high in spans)], dtype=np.int64)
        return FeatureView(self.base.window(spans[0][0], spans[-1][1]), self.map, cuts)

    def futures(self) -> list[Any]:
        """Return the base's futures."""
        return self.base.futures()

    def holding(self, values: list[Any]) -> "FeatureView":
        """Return the view of the base with its futures taken out or their values put in."""
        return FeatureView(self.base.holding(values), self.map, self._given_cuts)

    def fingerprint(self) -> str:
        """Return a digest of the base's and the map's."""
        return hashlib.sha256(f"{self.base.fingerprint()}|{self.map.fingerprint()}".encode()).hexdigest()[:16]

    def describe(self) -> str:
        """Return the map's name, the number of features and where the base lies."""
        return f"{self.shape[1]} {self.map.name} features of {self.base.describe()}"

    def _base_rows(self, start: int, stop: int) -> Iterator[tuple[int, int, Any]]:
        """Yield rows ``start:stop`` of the base in pieces ``(low, high, rows)``, each to be used before the next."""
        for low, high in [(start, stop)] if self.base.is_raw else self._spans(start, stop):
            first, last = max(low, start), min(high, stop)
            if (first, last) == (low, high):
                yield first, last, self.base.read(low, high, self._buffer(low, high))
            else:
                yield first, last, self._kept_block(low, high)[first - low : last - low]

    def _buffer(self, start: int, stop: int) -> AnyArray | None:
        if self.base.nonzeros is not None or not self.base.needs_buffer(start, stop):
            return None
        return scratch("base rows", (stop - start, self.base.shape[1]), self.base.dtype)

    def _spans(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the base blocks that hold rows ``start:stop``."""
        cuts = self._base_cuts
        first = int(np.searchsorted(cuts, start, side="right")) - 1
        last = int(np.searchsorted(cuts, stop, side="left"))
        return [(int(cuts[place]), int(cuts[place + 1])) for place in range(first, last)]

    def _kept_block(self, low: int, high: int) -> Any:
        """Return a base block, decoded once for all the blocks of features that are parts of it."""
        with self._lock:
            block = self._kept.get((low, high))
        if block is None:
            block = self.base.read(low, high)
            with self._lock:
                self._kept[low, high] = block
                while len(self._kept) > 1 and sum(map(bytes_of, self._kept.values())) > _KEPT_BYTES:
                    self._kept.popitem(last=False)
        return block


def feature_cuts(base: Cuts, row_bytes: int) -> Cuts:
    """Return cuts of blocks near 32 MB for features of ``row_bytes`` a row.

    A base block with more rows is cut into even parts; smaller ones are joined whole, as many as fit, so that no base block is shared by
    two blocks of features without need.

    Examples
    --------
    >>> feature_cuts(np.array([0, 10, 20, 30, 100]), 1_600_000).tolist()
    [0, 20, 30, 47, 65, 82, 100]
    """
    wanted = block_rows_for(1, row_bytes, divisible=True)
    cuts = [0]
    for place, (low, high) in enumerate(zip(base[:-1].tolist(), base[1:].tolist(), strict=True)):
        if high - low > wanted:
            parts = -(-(high - low) // wanted)
            cuts += [low + (high - low) * part // parts for part in range(1, parts + 1)]
        elif place + 2 == len(base) or base[place + 2] - cuts[-1] > wanted:
            cuts.append(high)
    return np.array(cuts, dtype=np.int64)


def _require_finite(rows: Any, start: int) -> None:
    """Refuse a NaN or an infinity by its place in the base: in the features its column could not be told."""
    if not isinstance(rows, np.ndarray):
        require_finite_entries("A", rows, start)
        return
    if rows.dtype.kind != "f" or np.isfinite(rows).all():
        return
    row, column = (int(index[0]) for index in np.nonzero(~np.isfinite(rows)))
    raise DataError(
        f"A must be finite; row {start + row}, column {column} is {rows[row, column]}. Remove or impute such rows before solving."
    )
