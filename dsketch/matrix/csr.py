"""Sparse rows: a CSR matrix in Zarr (the layout of AnnData) or in memory, read by blocks of whole rows.

Three vectors make the matrix: ``data`` and ``indices`` with an entry for every stored number, ``indptr`` with the n + 1 places where
rows begin and end.  Each is a Matrix of its own, so that formats, codecs, raw reading, missing and damaged chunks are what they are
for dense arrays.

Guarantees: those of every Matrix, with ``read`` giving a ``scipy.sparse.csr_array`` whose columns lie in range; entries of the same
place count as their sum, in any order; explicit zeros are numbers like others; no more than ``BLOCK_BYTES`` of ``indptr`` is in memory.

References
----------
I. Virshup, S. Rybakov, F. J. Theis, P. Angerer, F. A. Wolf, "anndata: Access and store annotated data matrices", Journal of Open Source
Software 9, 2024; on-disk format "csr_matrix", encoding version 0.1.0.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._units import format_count
from dsketch.errors import DataError, DsketchError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import BLOCK_BYTES, AnyArray, Cuts, Matrix, Sparse, check_numeric
from dsketch.matrix.conventions import Conventions, conventions_of, refuse
from dsketch.matrix.csr_slices import csr_of
from dsketch.matrix.stored import address_of, names_of
from dsketch.matrix.window import Asked
from dsketch.matrix.zarr import ZarrMatrix

ENCODING = "csr_matrix"
PARTS = ("data", "indices", "indptr")
_POINTER_BYTES = 8
_REMEDY = "The store is damaged or was being written: copy or write it again."


class CsrMatrix(Matrix):
    """Rows of a sparse matrix.

    Parameters
    ----------
    data, indices, indptr : Matrix, shapes (nonzeros,), (nonzeros,) and (n + 1,)
        Numbers, their columns, and where each row begins.
    shape : tuple of int
        (n, d).
    source : str, optional
        What opens the matrix again.
    names : tuple of str, optional
        Of the columns.
    what : str
        The name that errors use.
    conventions : Conventions, optional
        What the stored numbers stand for, where it is not themselves.

    Raises
    ------
    DataError
        If lengths or dtypes do not make a CSR matrix, or numbers are packed with an offset.
    """

    nonzeros: int

    def __init__(
        self,
        data: Matrix,
        indices: Matrix,
        indptr: Matrix,
        shape: tuple[int, int],
        *,
        source: str | None = None,
        names: tuple[str, ...] | None = None,
        what: str = "A",
        conventions: Conventions | None = None,
    ) -> None:
        _check_parts(data, indices, indptr, shape, what)
        _check_offset(conventions, what)
        self.shape = shape
        dtype = data.dtype if conventions is None else conventions.dtype
        self.dtype = np.dtype(np.float32) if dtype == np.float16 else dtype  # SciPy computes with no shorter floats
        self._conventions = conventions
        self.meaning = "" if conventions is None else conventions.describe()
        self.nonzeros = data.shape[0]
        self.source, self.names = source, names
        self.is_local = self.is_raw = data.is_local
        self.is_remote = data.is_remote
        self._data, self._indices, self._indptr, self._what = data, indices, indptr, what
        self._seen: dict[tuple[int, int], Sparse] = {}  # blocks in memory that were looked at and found right

    def __getstate__(self) -> dict[str, Any]:
        """Leave the grid behind, which belongs to the driver, and the blocks that are views here."""
        kept = {key: value for key, value in self.__dict__.items() if key not in ("_grid", "nbytes", "block_bytes")}
        return {**kept, "_seen": {}}

    # ---- the grid -------------------------------------------------------------------------------------------------

    @property
    def cuts(self) -> Cuts:
        """Blocks of whole rows with about 32 MB of entries, and never more than 32 MB of row pointers."""
        return self._grid[0]

    @cached_property
    def nbytes(self) -> int:
        """Decoded bytes of entries and row pointers: what a pass reads."""
        return self.nonzeros * self._entry_bytes + _POINTER_BYTES * self.shape[0]

    @cached_property
    def block_bytes(self) -> int:
        """Decoded bytes of the largest block."""
        cuts, places = self._grid
        return int(np.max(np.diff(places) * self._entry_bytes + np.diff(cuts) * _POINTER_BYTES, initial=0))

    @property
    def _entry_bytes(self) -> int:
        return max(self._data.dtype.itemsize, self.dtype.itemsize) + self._indices.dtype.itemsize

    @cached_property
    def _grid(self) -> tuple[Cuts, Cuts]:
        """Row cuts, and the entry where each begins: a cut is the first row at or behind a multiple of a block's entries."""
        piece, entries = BLOCK_BYTES // _POINTER_BYTES, self._entries_of_block()
        cuts, places = [], []
        for low in range(0, self.shape[0], piece):
            pointers = self._pointers(low, min(low + piece, self.shape[0]))[:-1]
            chosen = np.append(0, np.flatnonzero(np.diff(pointers // entries)) + 1)
            cuts.append(low + chosen)
            places.append(pointers[chosen])
        ends = np.array([self.shape[0]]), np.array([self.nonzeros])
        return np.concatenate([*cuts, ends[0]]).astype(np.int64), np.concatenate([*places, ends[1]])

    def _entries_of_block(self) -> int:
        """Entries that fill 32 MB, or as much as a chunk of ``data`` that is larger and decodes as a whole."""
        whole = self._data.block_bytes if self.nonzeros else 0
        return max(max(whole, BLOCK_BYTES) // self._entry_bytes, 1)

    def traffic(self) -> tuple[int, int] | None:
        """Return the sum over the three vectors."""
        found = [part.traffic() for part in (self._data, self._indices, self._indptr)]
        known = [one for one in found if one is not None]
        return (sum(one[0] for one in known), sum(one[1] for one in known)) if known else None

    def ask_ahead(self, start: int, stop: int, until: int) -> Iterator[Asked]:
        """Yield what entries of rows ``start:stop`` ask for; where they lie is read from the row pointers first."""
        del until
        if not self.is_remote:
            return
        pointers = self._pointers(start, stop)
        first, last = int(pointers[0]), int(pointers[-1])
        if last > first:
            for vector in (self._data, self._indices):
                for asked in vector.ask_ahead(first, last, last):
                    yield replace(asked, stop=stop)

    # ---- reading --------------------------------------------------------------------------------------------------

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> Sparse:
        """Return rows ``start:stop`` as a ``csr_array`` in this dtype; ``out`` is not used.

        Raises
        ------
        MissingDataError
            If a chunk is absent and ``missing="error"``.
        DataError
            If a chunk does not decode, row pointers decrease, a column does not exist, or a number is marked as missing.
        """
        del out
        if (seen := self._seen.get((start, stop))) is not None:
            return seen
        pointers = self._pointers(start, stop)
        first, last = int(pointers[0]), int(pointers[-1])
        values = _entries(self._data, first, last)
        columns: NDArray[np.int64] = _entries(self._indices, first, last)
        self._check_columns(columns, pointers, start)
        stored, values = values, self._interpret(values, columns, pointers, start).astype(self.dtype, copy=False)
        kind = np.int32 if max(last - first, self.shape[1]) < 2**31 else np.int64
        labels: NDArray[Any] = columns.astype(kind, copy=False)
        block = csr_of(values, labels, (pointers - first).astype(kind), self.shape[1])
        if self.is_local and values is stored and labels is columns:  # of which only the row pointers take memory
            self._seen[start, stop] = block
        return block

    def window(self, start: int, stop: int) -> "CsrMatrix":
        """Return the entries of rows ``start:stop`` alone where they lie in memory and travel with the task."""
        if not self.is_local:
            return self
        pointers = self._pointers(start, stop)
        first, last = int(pointers[0]), int(pointers[-1])
        entries = self._data.window(first, last), self._indices.window(first, last)
        return CsrMatrix(*entries, self._indptr.window(start, stop + 1), self.shape, names=self.names, what=self._what)

    def fingerprint(self) -> str:
        """Return a digest of the shape and of the three vectors' own."""
        prints = "|".join(part.fingerprint() for part in (self._data, self._indices, self._indptr) if part.shape[0])
        prints += "" if self._conventions is None else f"|{self._conventions}"
        return hashlib.sha256(f"csr|{self.shape}|{prints}".encode()).hexdigest()[:16]

    def describe(self) -> str:
        """Return where it lies, how many numbers are stored and which share of all that is."""
        place = f"{self.source} " if self.source else ""
        how = "in memory" if self.is_local else "raw" if self._data.is_raw and self._indices.is_raw else "decoded by zarr"
        how += f", {self.meaning}," if self.meaning else ""
        return f"{place}({how} CSR, {format_count(self.nonzeros)} nonzeros, density {100 * self.density:.2g} %)"

    def _pointers(self, start: int, stop: int) -> Cuts:
        """Return ``indptr[start : stop + 1]``, checked.

        Raises
        ------
        DataError
            Naming the first row whose pointers decrease or leave the entries, if there is one.
        """
        pointers: Cuts = self._indptr.read(start, stop + 1)[:, 0].astype(np.int64)
        wrong = np.flatnonzero(np.diff(pointers) < 0)
        if wrong.size:
            row = start + int(wrong[0])
            raise DataError(
                f"row pointers (indptr) of {self._what} must not decrease; row {row} runs from {pointers[wrong[0]]} to "
                f"{pointers[wrong[0] + 1]}. {_REMEDY}"
            )
        for row, found, wanted in ((0, pointers[0], 0), (self.shape[0], pointers[-1], self.nonzeros)):
            outside = pointers[0] < 0 or pointers[-1] > self.nonzeros
            if (row in (start, stop) and found != wanted) or (outside and not 0 <= found <= self.nonzeros):
                raise DataError(
                    f"row pointers (indptr) of {self._what} must run from 0 to its {self.nonzeros} stored numbers; that of row "
                    f"{start if row == 0 else stop} is {found}. {_REMEDY}"
                )
        return pointers

    def _interpret(self, stored: AnyArray, columns: NDArray[np.int64], pointers: Cuts, start: int) -> AnyArray:
        """Return what stored entries stand for.

        Raises
        ------
        DataError
            Naming row and column of the first entry that is marked as missing.
        """
        meaning = self._conventions
        if meaning is None or not stored.size:
            return stored
        stored = stored.view(meaning.stored)
        values = meaning.unpack(stored, np.empty(stored.shape, meaning.dtype))
        if mark := meaning.find(stored[:, None], values[:, None]):
            row = start + int(np.searchsorted(pointers, pointers[0] + mark.row, side="right")) - 1
            refuse(self._what, row, int(columns[mark.row]), mark.why)
        return values

    def _check_columns(self, columns: NDArray[np.int64], pointers: Cuts, start: int) -> None:
        d = self.shape[1]
        if not columns.size or (int(columns.min()) >= 0 and int(columns.max()) < d):
            return
        place = int(np.flatnonzero((columns < 0) | (columns >= d))[0])
        row = start + int(np.searchsorted(pointers, pointers[0] + place, side="right")) - 1
        raise DataError(f"column numbers of {self._what} must lie in 0 … {d - 1}; row {row} has {columns[place]}. {_REMEDY}")


def is_csr(group: "zarr.Group") -> bool:
    """Whether a group says that it is a CSR matrix."""
    return bool(group.attrs.get("encoding-type") == ENCODING)


def open_csr(group: "zarr.Group", *, missing: str = "error", what: str = "A") -> CsrMatrix:
    """Return the CSR matrix of a group.

    Raises
    ------
    DataError
        If one of its arrays or its shape is not there, or they do not fit.
    """
    parts = {name: _part(group, name, what) for name in PARTS}
    lacking = [name for name, part in parts.items() if not isinstance(part, zarr.Array)]
    shape: Any = group.attrs.get("shape")
    place = address_of(group) or str(group.store)
    if lacking:
        raise DataError(f"{what} at {place} must have the arrays {', '.join(PARTS)}; it lacks {', '.join(lacking)}. {_REMEDY}")
    if not (isinstance(shape, list | tuple) and len(shape) == 2 and all(isinstance(size, int) and size >= 0 for size in shape)):
        raise DataError(f"{what} at {place} must have an attribute shape with two sizes; it is {shape!r}. {_REMEDY}")
    opened = (ZarrMatrix(part, missing=missing, what=f"{what}/{name}", as_stored=True) for name, part in parts.items())
    data, indices, indptr = opened
    meaning = conventions_of(parts["data"], f"{what}/data")
    size = int(shape[0]), int(shape[1])
    names = names_of(group, size[1])
    source = address_of(group)
    return CsrMatrix(data, indices, indptr, size, source=source, names=names, what=what, conventions=meaning)


def _part(group: "zarr.Group", name: str, what: str) -> Any:
    """Return a member of the group, or None; metadata that zarr refuses are an error of ours."""
    try:
        return group.get(name)
    except DsketchError:
        raise
    except Exception as error:
        raise DataError(
            f"{what}/{name} at {address_of(group) or group.store} cannot be opened: {type(error).__name__}: {error}. {_REMEDY}"
        ) from error


def csr_in_memory(X: Any, *, what: str = "A") -> CsrMatrix:
    """Return a ``scipy.sparse`` matrix or array as a Matrix; other formats than CSR are converted.

    Raises
    ------
    DataError
        If it has not two dimensions or does not hold real numbers.
    """
    if len(X.shape) != 2:
        raise DataError(
            f"{what} must have two dimensions where it is sparse; its shape is {X.shape}. Reshape it to rows × columns."
        )
    check_numeric(X.dtype, what)
    X = X.tocsr()
    data, indices, indptr = (ArrayMatrix(part, what=what) for part in (X.data, X.indices, X.indptr))
    return CsrMatrix(data, indices, indptr, (int(X.shape[0]), int(X.shape[1])), what=what)


def _entries(vector: Matrix, first: int, last: int) -> Any:
    return vector.read(first, last)[:, 0] if last > first else np.empty(0, vector.dtype)


def _check_offset(conventions: Conventions | None, what: str) -> None:
    if conventions is not None and conventions.offset != 0.0:
        raise DataError(
            f"{what} must be packed without an offset where it is sparse; {what}/data has add_offset={conventions.offset:g}, and what is "
            "not stored would stand for 0 or for that. Write the unpacked numbers."
        )


def _check_parts(data: Matrix, indices: Matrix, indptr: Matrix, shape: tuple[int, int], what: str) -> None:
    check_numeric(data.dtype, what)
    for name, part in (("indices", indices), ("indptr", indptr)):
        if part.dtype.kind not in "iu":
            raise DataError(f"{what}/{name} must hold integers; its dtype is {part.dtype}. {_REMEDY}")
    for name, found, wanted in (
        ("indices", indices.shape, (data.shape[0], 1)),
        ("data", data.shape, (data.shape[0], 1)),
        ("indptr", indptr.shape, (shape[0] + 1, 1)),
    ):
        if found != wanted:
            raise DataError(f"{what}/{name} must have {wanted[0]} entries for {shape[0]} rows; its shape is {found}. {_REMEDY}")
