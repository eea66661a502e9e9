"""What every matrix is: a shape, a dtype, a grid of row blocks, and ``read(start, stop)``."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import State
from dsketch.errors import DataError
from dsketch.matrix.labels import Labels

AnyArray = NDArray[np.generic]
Sparse = Any  # a scipy.sparse.csr_array: SciPy publishes no types that we follow
Cuts = NDArray[np.int64]

if TYPE_CHECKING:
    from dsketch.matrix.raw import UnreadRows
    from dsketch.matrix.window import Asked

# One block is what is in memory at once.  32 MB is large enough that the interpreter's share of a block (about 0.2 ms)
# vanishes, small enough that two of them and the accumulators stay far below a 1 GiB worker.
BLOCK_BYTES = 32_000_000
# Blocks beyond this are cut into rows where the storage can read a part of a chunk without decoding the whole.
LARGEST_BLOCK_BYTES = 2 * BLOCK_BYTES
_MOST_BLOCKS = 10**8  # so many blocks are 3 PB, and their row numbers alone take 800 MB


def even_cuts(rows: int, block_rows: int) -> Cuts:
    """Return the row numbers 0 = c₀ < c₁ < … = rows with steps of ``block_rows`` (the last one may be shorter).

    Raises
    ------
    DataError
        If they are so many that no store holds them: a shape that somebody only declared.
    """
    count = -(-rows // max(block_rows, 1))
    if count > _MOST_BLOCKS:
        raise DataError(
            f"at most {_MOST_BLOCKS} blocks of rows were expected; {rows} rows make {count}. Correct the shape in the metadata "
            "of the array."
        )
    return np.append(np.arange(0, rows, max(block_rows, 1), dtype=np.int64), np.int64(rows))


def block_rows_for(chunk_rows: int, row_bytes: int, *, divisible: bool) -> int:
    """Return how many rows one block holds: whole chunks near ``BLOCK_BYTES``, or a part of a large divisible chunk.

    Parameters
    ----------
    chunk_rows : int
        Rows of one stored chunk (of one shard where the array is sharded).
    row_bytes : int
        Decoded bytes of one row.
    divisible : bool
        Whether a part of a chunk can be read at its own price (raw bytes on a local disk, memory).
    """
    wanted = max(BLOCK_BYTES // max(row_bytes, 1), 1)
    if chunk_rows <= wanted:
        return chunk_rows * max(wanted // chunk_rows, 1)
    if divisible and chunk_rows * row_bytes > LARGEST_BLOCK_BYTES:
        return -(-chunk_rows // -(-chunk_rows // wanted))
    return chunk_rows


class Matrix(ABC):
    """Tall data where it lies.

    Guarantees: ``read`` gives the same values for the same rows whoever calls it and however the rows are cut; it is safe
    to call from several threads; an instance pickles small (data that lives in the driver's memory travels by
    :meth:`window`).
    """

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    is_vector: bool = False  # its one column came without a second dimension: a vector b asks for a vector x
    trailing: tuple[int, ...] = ()  # the dimensions that make up its columns, in C order, where it came with three or more
    source: str | None = None  # a path or URL that opens the same matrix again, if there is one
    names: tuple[str, ...] | None = None  # of the columns, where the storage knows them
    labels: Labels | None = None  # of the source's dimensions but its rows', where it has some
    row_labels: Labels | None = None  # of its rows
    levels: Mapping[str, tuple[str, ...]] = MappingProxyType({})  # of the source's columns that became one-hot
    base_levels: Mapping[str, str] = MappingProxyType({})  # of these, the level that has no column of its own
    rows_digest: str | None = None  # which rows of its source it has, where the storage knows
    is_raw = False  # rows are bytes in memory or in the page cache: keeping decoded blocks would only copy them
    is_kept = (
        True  # a run may keep decoded blocks in the cache, by their rows; False for what is made from another matrix of the run
    )
    unit_rows: int | None = None  # rows of the smallest piece that is read by itself at its own price, where the storage has such
    held = 0  # how many chunks were taken out by :meth:`holding` and travel beside the matrix
    is_remote = False  # comes by requests to another machine
    is_local = False  # lives in this process: no reason to start a cluster for it
    meaning = ""  # how stored numbers become those that are read, in words; empty where they are the same
    nonzeros: int | None = None  # stored numbers where blocks are CSR; None: blocks are arrays

    @property
    @abstractmethod
    def cuts(self) -> Cuts:
        """Row numbers between blocks, from 0 to n; a function of the data alone, never of the cluster."""

    @abstractmethod
    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows ``start:stop`` as an array of this dtype; a read-only view, ``out`` filled, or a fresh array."""

    def open_rows(self, start: int, stop: int, out: AnyArray | None = None) -> "AnyArray | UnreadRows":
        """Return rows ``start:stop`` for a pass: read, or still to be read by slices where that is cheaper."""
        return self.read(start, stop, out)

    def ask_ahead(self, start: int, stop: int, until: int) -> "Iterator[Asked]":
        """Yield what a read of rows ``start:stop`` asks of another machine, if no row from ``until`` on is read; here nothing."""
        del start, stop, until
        yield from ()

    def traffic(self) -> tuple[int, int] | None:
        """Return the requests, and the bytes as they are stored, of reading all once from another machine; None where it is near."""
        return None

    @property
    def kept_dtype(self) -> np.dtype[np.generic]:
        """Of what memory keeps of a block from pass to pass: the stored numbers, where they are shorter than those they stand for."""
        return self.dtype

    def read_kept(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows as memory keeps them, to be opened by :meth:`open_kept`."""
        return self.read(start, stop, out)

    def open_kept(self, kept: AnyArray, start: int) -> "AnyArray | UnreadRows":
        """Return rows from ``start`` on for a pass, of what memory keeps of them."""
        del start
        return kept

    @property
    def kept_bytes(self) -> int:
        """Of the whole matrix as memory keeps it."""
        return self.nbytes * self.kept_dtype.itemsize // self.dtype.itemsize

    def needs_buffer(self, start: int, stop: int) -> bool:
        """Whether ``read`` of these rows fills memory (``out`` is worth reusing) rather than return a view."""
        del start, stop
        return False

    def window(self, start: int, stop: int) -> "Matrix":
        """Return what a worker needs to read rows ``start:stop``, still addressed by global row numbers."""
        del start, stop
        return self

    def futures(self) -> list[Any]:
        """Return what a cluster already holds of this matrix and must hand to the task that reads it; nothing, by default."""
        return []

    def holding(self, values: list[Any]) -> "Matrix":
        """Return the matrix with its futures taken out (no ``values``) or their values put in."""
        del values
        return self

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a short text that changes when the data does (metadata and a sample of rows)."""

    def state(self) -> Iterator[State]:
        """Yield the fingerprint: of a matrix that a pass reads besides its rows, all that its digest holds."""
        yield self.fingerprint()

    def describe(self) -> str:
        """Return a few words for the plan: where it lies and how it is stored."""
        return self.source or type(self).__name__

    @cached_property
    def nbytes(self) -> int:
        """Decoded bytes of the whole matrix."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    @cached_property
    def block_bytes(self) -> int:
        """Decoded bytes of the largest block."""
        return self.nbytes * int(np.max(np.diff(self.cuts), initial=0)) // max(self.shape[0], 1)

    @property
    def density(self) -> float:
        """Share of the numbers that is stored: 1 but for sparse matrices."""
        return 1.0 if self.nonzeros is None else self.nonzeros / max(self.shape[0] * self.shape[1], 1)


def bytes_of(rows: "AnyArray | Sparse") -> int:
    """Return the bytes of a block, dense or CSR."""
    return rows.nbytes if isinstance(rows, np.ndarray) else int(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes)


def check_numeric(dtype: np.dtype[np.generic], what: str) -> None:
    """Refuse anything but real numbers.

    Raises
    ------
    DataError
        For complex, text, object, date and structured dtypes.
    """
    if dtype.kind not in "fiub" or dtype.itemsize > 8:
        raise DataError(
            f"{what} must hold real numbers of at most 64 bits; its dtype is {dtype}. {_conversion_remedy(dtype, what)}"
        )


def _conversion_remedy(dtype: np.dtype[np.generic], what: str) -> str:
    """Return how numbers come out of another dtype without one of them being lost."""
    if dtype.kind == "c":
        return (
            f"Pass {what}.real where what is imaginary may be left out; a complex system is the real one of np.block([[A.real, -A.imag], "
            "[A.imag, A.real]]) and np.concatenate([b.real, b.imag])."
        )
    if dtype.kind == "M":
        return f"Count from some date: ({what} - np.datetime64('2000-01-01')) / np.timedelta64(1, 's'), where NaT becomes NaN."
    if dtype.kind == "m":
        return f"Count in some unit: {what} / np.timedelta64(1, 's'), where NaT becomes NaN."
    if dtype.kind == "V":
        return f"Make columns of its fields with structured_to_unstructured({what}) from numpy.lib.recfunctions."
    return "Convert it first, for example with dsketch ingest or astype('float64')."


def as_two_dimensional(shape: tuple[int, ...], what: str) -> tuple[int, int]:
    """Return (n, k) for a shape (n,), (n, k), or of more dimensions, all but the first of which make up the columns.

    Raises
    ------
    DataError
        For a single number.

    Examples
    --------
    >>> as_two_dimensional((480, 20, 30), "b")
    (480, 600)
    """
    if not shape:
        raise DataError(f"{what} must have one or two dimensions; its shape is {shape}. Reshape it to rows × columns.")
    return int(shape[0]), math.prod(int(size) for size in shape[1:])


def trailing_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the dimensions that make up the columns where they are several; () for a vector or a matrix."""
    return tuple(int(size) for size in shape[1:]) if len(shape) > 2 else ()


_OF_LINEAR = "Where x is linear in them (least squares, ridge, powers, kernels) targets keep several dimensions; here it is not. "
_WHY_TWO = {"b": _OF_LINEAR, "y": _OF_LINEAR, "Y": "Answers are written columns of G × targets. "}


def require_two_dimensions(matrix: Matrix, what: str) -> None:
    """Refuse columns of several dimensions where they are no targets.

    Raises
    ------
    DataError
        Naming the shape.
    """
    if matrix.trailing:
        shape, why = (matrix.shape[0], *matrix.trailing), _WHY_TWO.get(what, "")
        raise DataError(f"{what} must have one or two dimensions; its shape is {shape}. {why}Reshape it to rows × columns.")
