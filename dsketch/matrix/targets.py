"""b of n rows and one, two, three or more dimensions of targets, read by boxes of targets: in memory, or a Zarr array.

The first dimension is that of the rows of A, the others (pixels, voxels, genes) are targets.  What a box reads is kept as it is stored
(float32, packed int16) and widened to float64 a slice at a time, with NaN where the CF conventions, a mask or an absent chunk say that a
cell holds no number.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
import zarr
from zarr.buffer import default_buffer_prototype

from dsketch.errors import DataError, DsketchError, MissingDataError
from dsketch.matrix.absent import is_filled, remedy
from dsketch.matrix.base import AnyArray, check_numeric
from dsketch.matrix.blosc_check import check_frames
from dsketch.matrix.bounded import bound_decoding, check_codecs
from dsketch.matrix.compat import wait_for
from dsketch.matrix.conventions import Conventions, conventions_of, is_missing
from dsketch.matrix.labels import Labels, dimensions_in
from dsketch.matrix.raw_boxes import RawBoxes, raw_boxes
from dsketch.matrix.stored import address_of, require_whole

Box = tuple[slice, ...]

_SAMPLED_TARGETS = 16
LARGE_CHUNK_BYTES = 4_000_000  # decoded; ten such at once, as zarr reads them, are more than a tile


class Targets(ABC):
    """Numbers of n rows and some dimensions of targets.

    Guarantees: ``read`` gives the same numbers for the same box whoever calls it, from any thread; an instance travels small, but for
    what lives in the driver's memory, of which a :meth:`window` travels.

    Attributes
    ----------
    shape : tuple of int
        (n, targets…); a vector has no trailing dimension.
    dtype : dtype
        As which boxes are read.
    chunks : tuple of int
        Of what is read at once; the shape itself in memory.
    conventions : Conventions or None
        What the numbers stand for, where not themselves.
    labels : Labels or None
        What the dimensions of the targets are called and where they lie, where the source has labels.
    dimensions : tuple of str or None
        Names of all dimensions, where the storage knows them.
    source : str or None
        A path or URL that opens the same targets again.
    rows_digest : str or None
        Which rows they belong to, where labels or the storage say so (:mod:`dsketch.matrix.alignment`).
    is_divisible : bool
        Whether a part of a chunk is read at its own price.
    is_local : bool
        Whether they live in this process.
    may_lack : bool
        Whether cells without a number are wanted, as NaN, or refused.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    chunks: tuple[int, ...]
    conventions: Conventions | None = None
    labels: Labels | None = None
    dimensions: tuple[str, ...] | None = None
    source: str | None = None
    rows_digest: str | None = None
    is_divisible: bool = True
    is_local: bool = False
    may_lack: bool = False
    what: str = "b"

    @property
    def trailing(self) -> tuple[int, ...]:
        """Dimensions of the targets."""
        return self.shape[1:]

    @abstractmethod
    def read(self, start: int, stop: int, box: Box, out: AnyArray) -> AnyArray:
        """Return rows ``start:stop`` of a box, shape (rows, box…), as they are stored: a view, or ``out`` filled.

        Raises
        ------
        DataError
            If a chunk is missing, truncated or does not decode.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a short text that changes when the data do."""

    @abstractmethod
    def describe(self) -> str:
        """Return a few words for the plan."""

    def ask_for(self, box: Box) -> None:
        """Tell whoever can read ahead that a box comes next; nobody, by default."""
        del box

    def window(self, boxes: list[Box]) -> "Targets":
        """Return what a worker needs to read these boxes."""
        del boxes
        return self

    def widen(self, stored: AnyArray, out: np.ndarray) -> np.ndarray:
        """Fill ``out``, float64, with what stored numbers stand for, NaN where that is none.

        Raises
        ------
        DataError
            Without ``may_lack``, for a cell that is marked as missing.
        """
        out[...] = stored
        meaning = self.conventions
        if meaning is None:
            return out
        values = meaning.unpack(stored, out)
        if self.may_lack:
            for lacking in meaning.lacking(stored, values):
                out[lacking] = np.nan
        elif (mark := meaning.find(stored, values)) is not None:
            raise LackingError(mark.row, mark.column, mark.why)
        return out


@dataclass
class LackingError(Exception):
    """A cell that stands for no number; whoever knows which row and target it is says so."""

    row: int
    column: int
    why: str


class ArrayTargets(Targets):
    """Targets in this process's memory.

    Parameters
    ----------
    array : ndarray, shape (n, ...)
        A masked one is copied with NaN in place of masked entries, where these may lack.
    """

    is_local = True

    def __init__(self, array: AnyArray, *, may_lack: bool = False, what: str = "b") -> None:
        check_numeric(array.dtype, what)
        self.what, self.may_lack = what, may_lack
        self._array = _unmask(array, what, may_lack=may_lack)
        self.shape, self.dtype, self.chunks = self._array.shape, self._array.dtype, self._array.shape

    def read(self, start: int, stop: int, box: Box, out: AnyArray) -> AnyArray:
        """Return a view."""
        del out
        view: AnyArray = self._array[(slice(start, stop), *box)]
        return view

    def fingerprint(self) -> str:
        """Return a digest of all values."""
        digest = hashlib.sha256(f"{self.shape}{self.dtype}".encode())
        for start in range(0, self.shape[0], 4096):
            digest.update(np.ascontiguousarray(self._array[start : start + 4096]).data)
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """Return "array in memory"."""
        return "array in memory"

    def window(self, boxes: list[Box]) -> "Targets":
        """Return the boxes alone."""
        return Windows(self, {key_of(box): np.ascontiguousarray(self._array[(slice(None), *box)]) for box in boxes})


class Windows(Targets):
    """Some boxes of targets that live in another process."""

    is_local = True

    def __init__(self, whole: Targets, pieces: dict[tuple[Any, ...], AnyArray]) -> None:
        self.shape, self.dtype, self.chunks, self.what = whole.shape, whole.dtype, whole.chunks, whole.what
        self.may_lack = whole.may_lack
        self._pieces = pieces

    def read(self, start: int, stop: int, box: Box, out: AnyArray) -> AnyArray:
        """Return a view."""
        del out
        view: AnyArray = self._pieces[key_of(box)][start:stop]
        return view

    def fingerprint(self) -> str:
        """Return nothing: a window is not asked."""
        return ""

    def describe(self) -> str:
        """Return "array in memory"."""
        return "array in memory"


def key_of(box: Box) -> tuple[Any, ...]:
    """Return what tells boxes apart."""
    return tuple((piece.start, piece.stop) for piece in box)


def _unmask(array: AnyArray, what: str, *, may_lack: bool) -> AnyArray:
    if not isinstance(array, np.ma.MaskedArray):
        return np.asarray(array)
    mask = np.ma.getmaskarray(array)
    if not mask.any():
        return np.asarray(array.data)
    if may_lack:
        plain = np.array(array.data, dtype=array.dtype if array.dtype.kind == "f" else np.float64)
        plain[mask] = np.nan
        return plain
    place = tuple(int(index) for index in np.unravel_index(int(np.argmax(mask)), mask.shape))
    raise DataError(
        f"{what} is masked at row {place[0]}, target {place[1:]}; every number must be known. Leave such rows out for their targets "
        "alone with missing='drop'."
    )


class ZarrTargets(Targets):
    """Targets in a Zarr array of any number of dimensions; raw chunks on a local disk are read without zarr.

    Parameters
    ----------
    array : zarr.Array
    missing : {"error", "fill", "drop"}
        What an absent chunk means: lost data, cells of the fill value, or, of ``"drop"``, missing values where the fill value is NaN or a
        mark of the CF conventions, and lost data otherwise.
    what : str
    """

    def __init__(self, array: "zarr.Array[Any]", *, missing: str = "error", what: str = "b") -> None:
        check_numeric(np.dtype(array.dtype), what)
        check_codecs(array, what)
        require_whole(array, what)
        self._array, self._missing, self.what = array, missing, what
        self.may_lack = missing == "drop"
        self.shape = tuple(int(size) for size in array.shape)
        self.conventions = conventions_of(array, what)
        stored = np.dtype(array.dtype).newbyteorder("=")
        self._stored, self.dtype = stored, stored if self.conventions is None else self.conventions.stored
        self.chunks = tuple(int(size) for size in array.chunks)
        self.source = address_of(array)
        self.dimensions = dimensions_in(array)
        digest = array.attrs.get("rows_digest")
        self.rows_digest = digest if isinstance(digest, str) else None
        self._raw: RawBoxes | None = raw_boxes(array, what, self._absent)
        self.is_divisible = self._raw is not None
        self._decoding = bound_decoding(check_frames(array, what, self.source or f"{array.store}/{array.path}".rstrip("/")))
        fill = array.fill_value
        self._may_be_absent = fill is not None and (missing == "fill" or (self.may_lack and is_missing(fill, self.conventions)))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process."""
        return {"array": self._array, "missing": self._missing, "what": self.what}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open again in another process."""
        self.__init__(state.pop("array"), **state)  # type: ignore[misc]

    def read(self, start: int, stop: int, box: Box, out: AnyArray) -> AnyArray:
        """Return ``out``, filled."""
        if self._raw is not None:
            return self._raw.read(start, stop, box, out)
        try:
            for low, high in self._spans(start, stop):
                part = out[low - start : high - start].view(self._stored)
                self._decoding.get_basic_selection(
                    (slice(low, high), *box), out=default_buffer_prototype().nd_buffer.from_numpy_array(part)
                )
        except DsketchError:
            raise
        except Exception as error:
            raise DataError(
                f"a chunk of {self.what} in rows {start}:{stop}, targets {_said(box)} ({self.source}) cannot be decoded: "
                f"{type(error).__name__}: {error}. It is corrupt or unreadable: copy it again from its origin, or check the permissions."
            ) from error
        if not self._may_be_absent:
            self._require_chunks(start, stop, box, out)
        return out

    def _spans(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield rows to decode at once: large chunks one after the other, for zarr holds all that it decodes side by side."""
        step = self.chunks[0] if self.is_decoded_singly else stop - start
        low = start
        while low < stop:
            high = min((low // step + 1) * step if self.is_decoded_singly else stop, stop)
            yield low, high
            low = high

    @property
    def is_decoded_singly(self) -> bool:
        """Whether chunks are so large that rows of them are decoded one after the other."""
        return not self.is_divisible and prod(self.chunks) * self._stored.itemsize >= LARGE_CHUNK_BYTES

    def ask_for(self, box: Box) -> None:
        """Let the system read raw chunks ahead."""
        if self._raw is not None:
            self._raw.ask_for(box)

    def _require_chunks(self, start: int, stop: int, box: Box, out: AnyArray) -> None:
        """Ask the store about chunks that hold nothing but the fill value: no other can be absent."""
        grid, fill = self._array.shards or self._array.chunks, self._array.fill_value
        whole = (slice(start, stop), *box)
        numbers = [range(one.start // size, -(-one.stop // size)) for one, size in zip(whole, grid, strict=True)]
        for place in product(*numbers):
            inside = tuple(
                slice(max(number * size - one.start, 0), min((number + 1) * size, one.stop) - one.start)
                for number, size, one in zip(place, grid, whole, strict=True)
            )
            if is_filled(out.view(self._stored)[inside], fill) and not self._stands(place):
                self._absent(place)

    def _stands(self, place: tuple[int, ...]) -> bool:
        key = f"{self._array.path}/{self._array.metadata.encode_chunk_key(place)}".lstrip("/")
        return bool(wait_for(self._array.store.exists(key)))

    def _absent(self, place: tuple[int, ...]) -> None:
        """Go on if an absent chunk stands for its fill value; refuse it otherwise."""
        if self._may_be_absent:
            return
        fill = self._array.fill_value
        advice = remedy(fill, is_mark=fill is not None and is_missing(fill, self.conventions))
        raise MissingDataError(
            f"chunk {place} of {self.what} is absent ({self.source}/{self._array.metadata.encode_chunk_key(place)}). {advice}, or read "
            "absent chunks of missing values with missing='drop'."
        )

    def fingerprint(self) -> str:
        """Return a digest of the metadata and of the first, middle and last rows of a few targets."""
        metadata = {
            key: value
            for key, value in self._array.metadata.to_dict().items()
            if key not in ("attributes", "consolidated_metadata")
        }
        digest = hashlib.sha256(repr((sorted(metadata.items(), key=lambda pair: pair[0]), self.conventions)).encode())
        for row in sorted({0, self.shape[0] // 2, self.shape[0] - 1}):
            box = tuple(slice(0, min(size, _SAMPLED_TARGETS)) for size in self.trailing)
            out = np.empty((1, *(piece.stop for piece in box)), self.dtype)
            digest.update(np.ascontiguousarray(self.read(row, row + 1, box, out)).data)
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """Return where the array lies and how it is read."""
        meaning = "" if self.conventions is None else self.conventions.describe()
        return f"{self.source} ({'raw' if self.is_divisible else 'decoded by zarr'}{', ' if meaning else ''}{meaning})"


def _said(box: Box) -> str:
    return ", ".join(f"{piece.start}:{piece.stop}" for piece in box)
