"""The rows that a problem is about: [A 1], or [A − 1 sᵀ, 1], and b, scaled by √weight, never stored.

A ``Rows`` is what passes look at.  It reads A block by block, and whatever belongs to the same rows (b, weights), and hands out
float64 slices small enough to stay in the processor's cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.errors import DataError
from dsketch.matrix.alignment import require_same_rows
from dsketch.matrix.base import BLOCK_BYTES, AnyArray, Cuts, Matrix, Sparse, even_cuts
from dsketch.matrix.cache import BLOCKS
from dsketch.matrix.csr_slices import SLICE_ENTRIES, BareRows, edges, float_rows, require_finite_entries
from dsketch.matrix.raw import UnreadRows
from dsketch.matrix.shift import Difference
from dsketch.matrix.window import Asked

SLICE_BYTES = 400_000  # so much of A at once stays in a 1 MB second-level cache beside its products
SIDES_BYTES = 8_000_000  # and so much of b as float64: what is computed from it is not made for more at once
_DECODING = 7  # blocks: two, and while one is decoded its bytes before and after, which the allocator keeps for a while
_LEAST_BESIDE = 64  # rows of a slice, however wide b is: a product of fewer is all overhead
_LEAST_DENSIFIED = 256  # rows of CSR made dense at once: making a slice costs 0.1 ms


@dataclass(frozen=True)
class Block:
    """Rows ``start:stop``: A (in memory, dense or CSR, or raw and still to be read) and what belongs to it, in their stored dtypes."""

    start: int
    stop: int
    A: AnyArray | UnreadRows | Sparse
    b: AnyArray | None
    weights: AnyArray | None
    intercept: bool
    shift: AnyArray | None = None
    names: tuple[str, str] = ("A", "b")

    @property
    def columns(self) -> int:
        """Columns of [A 1]."""
        return int(self.A.shape[1]) + self.intercept

    @property
    def sides(self) -> int:
        """Right-hand sides k."""
        return 0 if self.b is None else int(self.b.shape[1])

    @property
    def is_sparse(self) -> bool:
        """Whether A is CSR."""
        return bool(scipy.sparse.issparse(self.A))

    def slices(self, rows: int | None = None, *, sparse: bool = False) -> Iterator[tuple[int, Any, Floats]]:
        """Yield ``(first row, X, Y)``: float64, C order, weighted, with the column of ones; at most ``rows`` rows at a time.

        ``X`` may be a view of the block or a buffer that the next slice overwrites.  Of CSR rows it is a ``csr_array`` where the caller
        takes such (``sparse``), else made dense, 32 MB at a time at most.
        """
        if self.is_sparse:
            yield from self._csr_slices(rows) if sparse else self._densified_slices(rows)
            return
        step = rows or max(SLICE_BYTES // (8 * max(self.columns, 1)), 16)
        step = min(step, rows_beside(self.sides), self.stop - self.start)
        plain = self.A.dtype == np.float64 and not self.intercept and self.weights is None and self.shift is None
        buffer = None if plain else scratch("converted", (step, self.columns))
        less = None if self.shift is None else Difference(self.shift, self.columns)
        for low, stored in self.stored_slices(step):
            X = self._convert(low, stored, buffer[: len(stored)], less) if buffer is not None else _align(stored)
            yield self.start + low, X, self._right_sides(low, low + len(stored))

    def light_slices(self) -> Iterator[tuple[int, Any, Floats]]:
        """Yield slices for products alone: of CSR rows that are used as they are stored as :class:`~dsketch.matrix.csr_slices.BareRows`."""
        as_stored = self.weights is None and self.shift is None and not self.intercept
        if not (self.is_sparse and as_stored and self.A.dtype == np.float64):
            yield from self.slices(sparse=True)
            return
        A: Any = self.A
        for low, high in edges(A, min(self.stop - self.start, rows_beside(self.sides)), SLICE_ENTRIES):
            X = BareRows(A.indptr[low : high + 1], A.indices, A.data, (high - low, A.shape[1]))
            yield self.start + low, X, self._right_sides(low, high)

    def _csr_slices(self, rows: int | None) -> Iterator[tuple[int, Sparse, Floats]]:
        for low, high in edges(self.A, min(rows or self.stop - self.start, rows_beside(self.sides)), SLICE_ENTRIES):
            yield (
                self.start + low,
                float_rows(self.A, low, high, self._roots(low, high), self.intercept, self.shift),
                self._right_sides(low, high),
            )

    def _densified_slices(self, rows: int | None) -> Iterator[tuple[int, Floats, Floats]]:
        row_bytes = 8 * max(self.columns, 1)
        step = min(
            rows or max(SLICE_BYTES // row_bytes, _LEAST_DENSIFIED),
            max(BLOCK_BYTES // row_bytes, 1),
            rows_beside(self.sides),
            self.stop - self.start,
        )
        buffer = scratch("densified", (step, self.columns))
        for low, high in edges(self.A, step, None):
            X = float_rows(self.A, low, high, self._roots(low, high), self.intercept, self.shift)
            yield self.start + low, X.toarray(out=buffer[: high - low]), self._right_sides(low, high)

    def _roots(self, low: int, high: int) -> Floats | None:
        return None if self.weights is None else np.sqrt(self.weights[low:high].astype(np.float64))

    def stored_slices(self, step: int) -> Iterator[tuple[int, Any]]:
        """Yield ``(row within the block, rows)`` of A alone, as they are stored."""
        buffer = scratch("raw", (step, self.A.shape[1]), self.A.dtype) if isinstance(self.A, UnreadRows) else None
        for low in range(0, self.stop - self.start, step):
            high = min(low + step, self.stop - self.start)
            if isinstance(self.A, UnreadRows) and buffer is not None:
                yield low, self.A.read(low, high, buffer[: high - low])
            else:
                yield low, self.A[low:high]  # type: ignore[index]  # the other member of the union

    def _convert(self, low: int, stored: AnyArray, X: Floats, less: Difference | None) -> Floats:
        X[:, : stored.shape[1]] = stored
        if self.intercept:
            X[:, -1] = 1.0
        if less is not None:
            less.subtract(stored, X)
        if self.weights is not None:
            with np.errstate(over="ignore"):  # of data near the end of float64: what is infinite, the pass tells
                X *= np.sqrt(self.weights[low : low + len(stored)].astype(np.float64))
        return X

    def _right_sides(self, low: int, high: int) -> Floats:
        if self.b is None:
            return np.empty((high - low, 0))
        Y = self.b[low:high].astype(np.float64, copy=False)
        if self.weights is not None:
            Y = Y * np.sqrt(self.weights[low:high].astype(np.float64))
        aligned: Floats = _align(Y)
        return aligned


@dataclass
class Buffers:
    """Reused memory of one reading thread: a fresh 32 MB buffer costs as much in page faults as reading the rows."""

    arrays: dict[str, AnyArray] = field(default_factory=dict)

    def take(self, name: str, start: int, stop: int, matrix: Matrix) -> AnyArray | None:
        """Return a buffer for rows ``start:stop`` of ``matrix``, or None where its read is a view and needs none."""
        if not matrix.needs_buffer(start, stop):
            return None
        kept = self.arrays.get(name)
        if kept is None or kept.shape[0] < stop - start:
            dtype = matrix.kept_dtype if name == "A" else matrix.dtype
            kept = self.arrays[name] = np.empty((stop - start, matrix.shape[1]), dtype)
        return kept


@dataclass(frozen=True)
class Rows:
    """[A 1] and b, row-scaled by √weights; with a shift [A − 1 sᵀ, 1].

    Attributes
    ----------
    A : Matrix, shape (n, d)
    b : Matrix, shape (n, k), or None
    weights : Matrix, shape (n, 1), or None
        Nonnegative; row i of A and b counts ``weights[i]`` times in the sum of squares.
    intercept : bool
        Whether a column of ones is appended to A.
    shift : ndarray, shape (d,), or None
        s, in the :func:`~dsketch.matrix.shift.exact_type` of A: what is subtracted from its columns before they become float64.
    names : (str, str)
        What errors call A and b.
    """

    A: Matrix
    b: Matrix | None = None
    weights: Matrix | None = None
    intercept: bool = False
    pieces: int = 0  # at least that many panels and tasks, where a row is more work than its bytes tell
    panels: int = 0  # at least that many panels, where audits shall draw small ones
    run: str = ""  # the run whose blocks of A may be kept in the cache of the process; empty means none
    b_run: str = ""  # the same of b
    weights_run: str = ""  # and of weights
    shift: AnyArray | None = None
    names: tuple[str, str] = ("A", "b")

    def __post_init__(self) -> None:
        """Check at the door that the pieces fit."""
        if self.A.shape[0] == 0 or self.A.shape[1] == 0:
            raise DataError(
                f"{self.names[0]} must have at least one row and one column; its shape is {self.A.shape}. Check the source of the data."
            )
        for what, matrix in ((self.names[1], self.b), ("weights", self.weights)):
            if matrix is not None and matrix.nonzeros is not None:
                raise DataError(
                    f"{what} must be dense; it is {matrix.describe()}. Pass {what}.toarray(), or store it as an array."
                )
            if matrix is not None and matrix.shape[0] != self.A.shape[0]:
                raise DataError(
                    f"{what} must have one row for each of the {self.A.shape[0]} rows of A; its shape is {matrix.shape}. "
                    "Check that both come from the same data."
                )
        require_same_rows(A=self.A, b=self.b, weights=self.weights)
        if self.weights is not None and self.weights.shape[1] != 1:
            raise DataError(
                f"weights must be one number a row; their shape is {self.weights.shape}. Pass a vector of length {self.A.shape[0]}."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d), the intercept counted."""
        return self.A.shape[0], self.A.shape[1] + self.intercept

    @property
    def sides(self) -> int:
        """Number of right-hand sides k; 0 without b."""
        return 0 if self.b is None else self.b.shape[1]

    @property
    def cuts(self) -> Cuts:
        """Row cuts of the blocks: those of A; where one would have too much of b beside it, those of about 8 MB of b besides."""
        cuts, b = self.A.cuts, self.b
        if b is None or int(np.max(np.diff(cuts))) * bytes_of_row(b) <= BLOCK_BYTES:
            return cuts
        unit = b.unit_rows
        return np.union1d(
            cuts, b.cuts if unit is None else even_cuts(b.shape[0], max(SIDES_BYTES // (bytes_of_row(b) * unit), 1) * unit)
        )

    @property
    def nbytes(self) -> int:
        """Decoded bytes that one pass reads."""
        return sum(matrix.nbytes for matrix in self.matrices())

    @property
    def beside_bytes(self) -> int:
        """Bytes of b and weights that a reading thread holds: two blocks of each, more where chunks are decoded; none of views."""
        n, tallest = self.A.shape[0], int(np.max(np.diff(self.cuts)))
        held = 0
        for matrix in (self.b, self.weights):
            if matrix is not None and not (matrix.is_raw and not matrix.needs_buffer(0, n)):
                held += (2 if matrix.is_raw else _DECODING) * tallest * bytes_of_row(matrix)
        return held

    def window(self, start: int, stop: int) -> "Rows":
        """Return what a worker needs for rows ``start:stop``."""
        return replace(
            self,
            A=self.A.window(start, stop),
            b=None if self.b is None else self.b.window(start, stop),
            weights=None if self.weights is None else self.weights.window(start, stop),
        )

    def futures(self) -> list[Any]:
        """Return what a cluster holds of these rows, for the task that reads them."""
        return [future for matrix in self.matrices() for future in matrix.futures()]

    def holding(self, values: list[Any]) -> "Rows":
        """Return the rows with futures taken out (no ``values``) or their values put in, in the order of :meth:`futures`."""
        taken = iter(values)
        parts = {
            name: matrix.holding([next(taken) for _ in range(matrix.held if values else 0)])
            for name, matrix in (("A", self.A), ("b", self.b), ("weights", self.weights))
            if matrix is not None
        }
        return replace(self, **parts)  # type: ignore[arg-type]

    def matrices(self) -> list[Matrix]:
        """Return A, b and weights, as far as they are there."""
        return [matrix for matrix in (self.A, self.b, self.weights) if matrix is not None]

    def block(self, start: int, stop: int, buffers: Buffers | None = None) -> Block:
        """Read rows ``start:stop``.

        Raises
        ------
        DataError
            If a stored chunk is missing, truncated or corrupt, or a weight is negative.
        """
        buffers = buffers or Buffers()
        weights = None
        if self.weights is not None:
            weights = _read_kept(self.weights, "weights", self.weights_run, start, stop, buffers)
            _check_weights(weights, start)
        b = None if self.b is None else _read_kept(self.b, "b", self.b_run, start, stop, buffers)
        is_raw = self.A.is_raw
        A = self.A.open_rows(start, stop) if is_raw else _read_kept(self.A, "A", self.run, start, stop, buffers, is_opened=True)
        return Block(start, stop, A, b, weights, self.intercept, self.shift, self.names)

    def ask_ahead(self, start: int, stop: int, until: int) -> Iterator[Asked]:
        """Yield what :meth:`block` of rows ``start:stop`` will ask of stores on other machines, if no row from ``until`` on is read."""
        for matrix, run in ((self.A, self.run), (self.b, self.b_run), (self.weights, self.weights_run)):
            if matrix is not None and not (run and matrix.is_kept and BLOCKS.has(run, (start, stop))):
                for asked in matrix.ask_ahead(start, stop, until):
                    yield replace(asked, run=run) if matrix.is_kept else asked


def _read_kept(matrix: Matrix, name: str, run: str, start: int, stop: int, buffers: Buffers, *, is_opened: bool = False) -> Any:
    """Return rows of a matrix, from the cache of the process if the run keeps them there.

    Rows that are ``is_opened`` are kept as they are stored, where that is shorter, and widened slice by slice.
    """
    run, span = run if matrix.is_kept else "", (start, stop)
    read_rows, dtype = (matrix.read_kept, matrix.kept_dtype) if is_opened else (matrix.read, matrix.dtype)
    block = BLOCKS.get(run, span) if run else None
    if block is None:
        shape = (stop - start, matrix.shape[1])
        place = BLOCKS.place(run, span, shape, dtype) if run and matrix.needs_buffer(start, stop) else None
        if place is not None:
            block = BLOCKS.fill(run, span, place, partial(read_rows, start, stop))
        else:
            block = read_rows(start, stop, buffers.take(name, start, stop, matrix))
            if run:
                BLOCKS.offer(run, span, block)
    return matrix.open_kept(block, start) if is_opened else block


def rows_beside(sides: int) -> int:
    """Return the most rows of a slice beside so many right-hand sides."""
    return max(SIDES_BYTES // (8 * max(sides, 1)), _LEAST_BESIDE)


def bytes_of_row(matrix: Matrix) -> int:
    """Return the decoded bytes of a row."""
    return matrix.shape[1] * matrix.dtype.itemsize


def _align(array: AnyArray) -> Any:
    """Return the array in C order, its numbers at whole addresses: else products would be made without BLAS, with other last bits."""
    return np.require(array, requirements=["C", "A"])


def _check_weights(weights: AnyArray, start: int) -> None:
    bad = np.flatnonzero(~(np.asarray(weights, dtype=np.float64) >= 0))
    if bad.size:
        raise DataError(
            f"weights must be ≥ 0; row {start + int(bad[0])} has {weights[bad[0], 0]}. Remove the row or give it weight 0."
        )


def find_nonfinite(block: Block) -> None:
    """Raise the error that names the first NaN or infinity of a block, if it has one.

    Raises
    ------
    DataError
        With the global row, the column and the value.
    """
    if block.is_sparse:
        require_finite_entries(block.names[0], block.A, block.start)
    else:
        for low, stored in block.stored_slices(4096):
            _require_finite(block.names[0], stored, block.start + low)
    for what, array in ((block.names[1], block.b), ("weights", block.weights)):
        if array is not None:
            _require_finite(what, array, block.start)


def _require_finite(what: str, array: AnyArray, start: int) -> None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    row, column = (int(index[0]) for index in np.nonzero(~np.isfinite(array)))
    raise DataError(
        f"{what} must be finite; row {start + row}, column {column} is {array[row, column]}. "
        "Remove or impute such rows before solving (weight 0 does not hide a NaN)."
        + (" Least squares and ridge leave them out for their target alone with missing='drop'." if what == "b" else "")
    )
