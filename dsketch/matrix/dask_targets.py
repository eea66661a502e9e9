"""Targets in a dask array: a box is computed chunk of rows by chunk of rows, where it is read, by Dask's synchronous scheduler."""

import hashlib
from typing import Any

import numpy as np

from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray, check_numeric
from dsketch.matrix.blocks import require_declared
from dsketch.matrix.dask import fetch_chunks, holds_futures
from dsketch.matrix.targets import Box, Targets, Windows, key_of


class DaskTargets(Targets):
    """Boxes of a ``dask.array.Array``.

    Parameters
    ----------
    array : dask.array.Array, shape (n, ...)
        With known chunk sizes.
    may_lack : bool
    what : str
        The name that errors use.

    Raises
    ------
    DataError
        If chunk sizes are not known, or it does not hold numbers.
    """

    is_divisible = False

    def __init__(self, array: Any, *, may_lack: bool = False, what: str = "b") -> None:
        check_numeric(np.dtype(array.dtype), what)
        if any(np.isnan(size) for sizes in array.chunks for size in sizes):
            raise DataError(
                f"{what} must have known chunk sizes; they are {array.chunks}. Call compute_chunk_sizes() on it first."
            )
        self.what, self.may_lack = what, may_lack
        self.shape, self.dtype = tuple(map(int, array.shape)), np.dtype(array.dtype)
        self.chunks = tuple(max(sizes, default=1) for sizes in array.chunks)
        self._array, self._is_persisted = array, holds_futures(array)
        self._ends = np.cumsum([0, *array.chunks[0]])
        self._last: tuple[Any, AnyArray] | None = None

    def read(self, start: int, stop: int, box: Box, out: AnyArray) -> AnyArray:
        """Return rows of a box, filled into ``out``."""
        first, last = np.searchsorted(self._ends, start, side="right") - 1, np.searchsorted(self._ends, stop)
        filled = out[: stop - start]
        for number in range(int(first), int(last)):
            low, high = int(self._ends[number]), int(self._ends[number + 1])
            rows = slice(max(start, low), min(stop, high))
            if rows.start < rows.stop:
                filled[rows.start - start : rows.stop - start] = self._chunk(low, high, box)[rows.start - low : rows.stop - low]
        return filled

    def _chunk(self, low: int, high: int, box: Box) -> AnyArray:
        """Return all rows of a chunk in a box, computed once for the reads that follow each other."""
        place = (low, high, *((piece.start, piece.stop) for piece in box))
        last = self._last
        if last is None or last[0] != place:
            part = self._array[(slice(low, high), *box)]
            values = self._compute(part).reshape(high - low, -1)
            name, shape = f"rows {low}:{high} of {self.what}", (high - low, int(np.prod(part.shape[1:])))
            last = (place, require_declared(values, name, self.what, shape, self.dtype, (low, 0)).reshape(part.shape))
            self._last = last  # one assignment: another thread sees the old rows or the new ones
        return last[1]

    def _compute(self, part: Any) -> AnyArray:
        if self._is_persisted:  # what fetches has optimized already: again, and Dask loses the chunks that are numbers
            part = fetch_chunks(part)
        values: AnyArray = part.compute(scheduler="synchronous", optimize_graph=not self._is_persisted)
        return values

    def window(self, boxes: list[Box]) -> Targets:
        """Return the boxes with their part of the graph; of what a cluster holds the numbers, for no future is known elsewhere."""
        if self._is_persisted:
            return Windows(self, {key_of(box): self._compute(self._array[(slice(None), *box)]) for box in boxes})
        return _Pieces(self, {key_of(box): self._array[(slice(None), *box)] for box in boxes})

    def fingerprint(self) -> str:
        """Return a digest of the array's name (a hash of its graph), chunks and dtype."""
        return hashlib.sha256(f"{self._array.name}{self._array.chunks}{self.dtype}".encode()).hexdigest()[:16]

    def describe(self) -> str:
        """Return "dask array" and its chunks."""
        return f"dask array in chunks of {' × '.join(map(str, self.chunks))}"

    def __getstate__(self) -> dict[str, Any]:
        """Leave the last computed rows behind."""
        return self.__dict__ | {"_last": None}


class _Pieces(Targets):
    """Some boxes of an array, each with its own graph."""

    is_divisible = False

    def __init__(self, whole: DaskTargets, pieces: dict[Any, Any]) -> None:
        self.shape, self.dtype, self.chunks, self.what = whole.shape, whole.dtype, whole.chunks, whole.what
        self.may_lack = whole.may_lack
        self._pieces = {place: DaskTargets(piece, may_lack=whole.may_lack, what=whole.what) for place, piece in pieces.items()}

    def read(self, start: int, stop: int, box: Box, out: AnyArray) -> AnyArray:
        inner = tuple(slice(0, piece.stop - piece.start) for piece in box)
        return self._pieces[key_of(box)].read(start, stop, inner, out)

    def fingerprint(self) -> str:
        return ""

    def describe(self) -> str:
        return "dask array"
