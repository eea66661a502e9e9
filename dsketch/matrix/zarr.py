"""A Zarr array as a Matrix: formats 2 and 3, any codec, sharded or not, chunked along columns or not.

Two ways to read, chosen once per array and named by ``describe()``:

raw
    Chunks that are little-endian C-order bytes of whole rows on a local disk are read a slice at a time into a buffer that stays in
    the processor's cache (:mod:`dsketch.matrix.raw`): nothing to decode, and the page cache is the cache.
decoded
    Everything else is decoded block by block into a reused buffer (:mod:`dsketch.matrix.chunks`), by zarr-python where a codec is rare or
    a chunk is not as it should be.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.buffer import default_buffer_prototype

from dsketch._units import format_bytes
from dsketch.errors import DataError, DsketchError
from dsketch.matrix.ahead import AheadStore
from dsketch.matrix.base import AnyArray, Cuts, Matrix, as_two_dimensional, block_rows_for, check_numeric, even_cuts, trailing_of
from dsketch.matrix.blosc_check import check_frames
from dsketch.matrix.bounded import bound_decoding, check_codecs
from dsketch.matrix.chunks import chunks_of
from dsketch.matrix.compat import array_on
from dsketch.matrix.conventions import conventions_of
from dsketch.matrix.decoders import OverlongError
from dsketch.matrix.keys import Keys
from dsketch.matrix.presence import Presence
from dsketch.matrix.raw import PackedRows, RawRows, UnreadRows, open_file
from dsketch.matrix.retrying import is_remote
from dsketch.matrix.stored import address_of, is_raw, names_of, require_whole
from dsketch.matrix.window import Asked

_SAMPLE_ROWS = 16
_LARGE_SHARD_BYTES = 64_000_000  # shards beyond this are read in parts


class ZarrMatrix(Matrix):
    """Rows of a Zarr array.

    Parameters
    ----------
    array : zarr.Array, shape (n,), (n, d) or (n, …)
    missing : {"error", "fill"}
        What an absent chunk means: lost data, or rows equal to the fill value (Zarr writers may leave such chunks out).
    what : str
        The name that errors use.
    as_stored : bool
        Whether the stored numbers themselves are wanted; False: those that they stand for (:mod:`dsketch.matrix.conventions`).
    """

    def __init__(self, array: "zarr.Array[Any]", *, missing: str = "error", what: str = "A", as_stored: bool = False) -> None:
        check_numeric(np.dtype(array.dtype), what)
        check_codecs(array, what)
        require_whole(array, what)
        self.shape = as_two_dimensional(array.shape, what)
        self._stored = np.dtype(array.dtype).newbyteorder("=")
        self.conventions = None if as_stored else conventions_of(array, what)
        self.dtype = self._stored if self.conventions is None else self.conventions.dtype
        self.meaning = "" if self.conventions is None else self.conventions.describe()
        self.is_vector = len(array.shape) == 1
        self.trailing = trailing_of(array.shape)
        self._array = array
        self._missing = missing
        self._what = what
        self._last_chunk: tuple[int, AnyArray] | None = None
        self.source = address_of(array)
        self._presence = Presence(array, missing, what, self.conventions)
        self.names = names_of(array, self.shape[1])
        self.is_raw = self._raw_root is not None
        self.unit_rows = 1 if self.is_raw else self._decoded_rows()
        self._keys = _keys_of(array, self.unit_rows or 1)
        self.is_remote = self._keys is not None
        fetched = array if self._keys is None else array_on(array, self._keys.store)
        self._decoding = bound_decoding(check_frames(fetched, what, self.source or f"{array.store}/{array.path}".rstrip("/")))
        root = getattr(array.store, "root", None)
        self._chunks = chunks_of(array, root) if isinstance(root, Path) else chunks_of(self._decoding, None)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process."""
        as_stored = self.conventions is None
        return {"array": self._array, "missing": self._missing, "what": self._what, "as_stored": as_stored}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open again in another process."""
        self.__init__(state.pop("array"), **state)  # type: ignore[misc]

    def as_stored(self) -> "ZarrMatrix":
        """Return the matrix of the stored numbers themselves, whatever they stand for."""
        return ZarrMatrix(self._array, missing=self._missing, what=self._what, as_stored=True)

    @cached_property
    def chunk_rows(self) -> int:
        """Rows of what is stored as one object: a chunk, or a shard."""
        return int((self._array.shards or self._array.chunks)[0])

    @cached_property
    def cuts(self) -> Cuts:
        """Blocks of whole chunks near 32 MB; parts of a chunk where it is raw and large."""
        row_bytes = self.shape[1] * self.dtype.itemsize
        chunk_rows = self.chunk_rows if self._raw_root is not None else self._decoded_rows()
        return even_cuts(self.shape[0], block_rows_for(chunk_rows, row_bytes, divisible=self.is_raw))

    def _decoded_rows(self) -> int:
        """Rows of the smallest piece that can be decoded alone: an inner chunk of a large shard, else the chunk."""
        inner = int(self._array.chunks[0])
        return inner if self.chunk_rows * self.shape[1] * self.dtype.itemsize > _LARGE_SHARD_BYTES else self.chunk_rows

    def _is_whole(self, start: int, stop: int) -> bool:
        """Whether rows are those of whole pieces that are decoded alone."""
        size = self._decoded_rows()
        return start % size == 0 and (stop % size == 0 or stop == self.shape[0])

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows ``start:stop``.

        Raises
        ------
        MissingDataError
            If a chunk is absent and ``missing="error"``.
        DataError
            If a chunk is truncated or does not decode, or a cell is marked as missing.
        """
        return self._read_raw(start, stop, out) if self._raw_root is not None else self._read_decoded(start, stop, out)

    @property
    def kept_dtype(self) -> np.dtype[np.generic]:
        """Of the stored numbers."""
        return self._stored if self.conventions is None else self.conventions.stored

    def read_kept(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return rows as they are stored; those that are not packed have been looked at for marks."""
        rows = self._rows_for(start, stop, out, self.kept_dtype)
        self._read_stored(start, stop, rows.view(self._stored))
        if self.conventions is not None and not self.conventions.is_packed:
            self.conventions.interpret(rows, rows, self._what, start)
        return rows

    def open_kept(self, kept: AnyArray, start: int) -> AnyArray | UnreadRows:
        """Return packed rows as what unpacks them."""
        meaning = self.conventions
        return kept if meaning is None or not meaning.is_packed else PackedRows(kept, meaning, self._what, start)

    def _rows_for(self, start: int, stop: int, out: AnyArray | None, dtype: np.dtype[np.generic]) -> AnyArray:
        return np.empty((stop - start, self.shape[1]), dtype) if out is None else out[: stop - start]

    def needs_buffer(self, start: int, stop: int) -> bool:
        """Always: bytes are copied or decoded into memory."""
        del start, stop
        return True

    def open_rows(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray | UnreadRows:
        """Return raw rows unread, to be read by slices; others decoded."""
        return self._raw(start, stop) if self._raw_root is not None else self.read(start, stop, out)

    def ask_ahead(self, start: int, stop: int, until: int) -> Iterator[Asked]:
        """Yield what a read of rows ``start:stop`` asks of a store on another machine."""
        if self._keys is None:
            return
        last, size = self._last_chunk, self._decoded_rows()
        if last is not None and last[0] == start // size and not self._keys.has_ranges and not self._is_whole(start, stop):
            start = (last[0] + 1) * size  # the chunk that was decoded last has the first of these rows
        if start < stop:
            yield from self._keys.ask(start, stop, until)

    def traffic(self) -> tuple[int, int] | None:
        """Return requests and stored bytes of a pass over a store on another machine; asks for the size of one chunk, if compressed."""
        return None if self._keys is None else self._keys.traffic()

    def fingerprint(self) -> str:
        """Return a digest of the metadata and of the first, middle and last rows."""
        metadata = self._array.metadata.to_dict()
        metadata = {key: metadata[key] for key in metadata if key not in ("attributes", "consolidated_metadata")}
        digest = hashlib.sha256(json.dumps(metadata, sort_keys=True, default=str).encode())
        if self.conventions is not None:  # of the attributes, those alone that decide the numbers
            digest.update(repr(self.conventions).encode())
        rows = self.shape[0]
        for start in (0, rows // 2, max(rows - _SAMPLE_ROWS, 0)):
            digest.update(np.ascontiguousarray(self.read(start, min(start + _SAMPLE_ROWS, rows))).data)
        return digest.hexdigest()[:16]

    def describe(self) -> str:
        """Return where the array lies and how it is read."""
        how = "raw" if self.is_raw else "decoded by zarr" if self._chunks is None else "decoded"
        return f"{self.source} ({how}{', ' if self.meaning else ''}{self.meaning})"

    # ---- raw chunks on a local disk -------------------------------------------------------------------------------

    @cached_property
    def _raw_root(self) -> Path | None:
        """The array's folder if its chunks are the rows' own bytes, else None."""
        root = getattr(self._array.store, "root", None)
        if not isinstance(root, Path) or self._array.shards is not None or not is_raw(self._array):
            return None
        full_rows = self._array.chunks[1:] == self._array.shape[1:]
        return root / self._array.path if full_rows and self.shape[1] else None

    def _raw(self, start: int, stop: int) -> RawRows:
        shape = (stop - start, self.shape[1])
        fill = self._array.fill_value
        return RawRows(shape, self._stored, start, self.chunk_rows, self._open_chunk, fill, self.conventions, self._what)

    def _read_raw(self, start: int, stop: int, out: AnyArray | None) -> AnyArray:
        rows = self._rows_for(start, stop, out, self.dtype)
        return self._raw(start, stop).read(0, stop - start, rows)

    def _open_chunk(self, number: int) -> int | None:
        """Return a file descriptor of a chunk whose length is right, or None if absent and that means fill."""
        key = self._array.metadata.encode_chunk_key((number, *(0 for _ in self._array.shape[1:])))
        path = f"{self._raw_root}/{key}"
        try:
            descriptor = open_file(self._array.store, path)
        except FileNotFoundError as error:
            self._presence.refuse(number, path, error)
            return None
        except DsketchError:
            raise
        except OSError as error:
            raise DataError(
                f"chunk {number} of {self._what} cannot be read ({path}): {error.strerror}. Check the permissions and the disk."
            ) from error
        wanted = self.chunk_rows * self.shape[1] * self._stored.itemsize
        found = os.fstat(descriptor).st_size
        if found != wanted:
            os.close(descriptor)
            raise DataError(
                f"chunk {number} of {self._what} ({path}) must have {wanted} bytes; it has {found}. "
                "It is truncated or was being written: copy it again from its origin."
            )
        return descriptor

    # ---- anything else, through zarr-python -----------------------------------------------------------------------

    def _read_decoded(self, start: int, stop: int, out: AnyArray | None) -> AnyArray:
        """Decode, and turn stored numbers into those that they stand for."""
        if self.conventions is None or not self.conventions.is_packed:
            return self.read_kept(start, stop, out)
        rows = self._rows_for(start, stop, out, self.dtype)
        self.conventions.interpret(self.read_kept(start, stop), rows, self._what, start)
        return rows

    def _read_stored(self, start: int, stop: int, rows: AnyArray) -> None:
        """Decode whole chunks into ``rows``; parts of a chunk come from the chunk that was decoded last."""
        size = self._decoded_rows()
        is_whole = start % size == 0 and (stop % size == 0 or stop == self.shape[0])
        if is_whole or (self._keys is not None and self._keys.has_ranges):
            self._decode_stored(start, stop, rows)
            return
        for number in range(start // size, (stop - 1) // size + 1):
            low, high = max(start, number * size), min(stop, (number + 1) * size)
            rows[low - start : high - start] = self._chunk(number, size)[low - number * size : high - number * size]

    def _chunk(self, number: int, size: int) -> AnyArray:
        last = self._last_chunk
        if last is None or last[0] != number:
            start, stop = number * size, min((number + 1) * size, self.shape[0])
            last = (number, self._decode_stored(start, stop, np.empty((stop - start, self.shape[1]), self._stored)))
            self._last_chunk = last  # one assignment: another thread sees the old pair or the new one
        return last[1]

    def _decode_stored(self, start: int, stop: int, rows: AnyArray) -> AnyArray:
        """Fill ``rows`` with the stored numbers."""
        if self._keys is not None and not self._keys.is_whole(start, stop):
            return self._read_ranges(self._keys, start, stop, rows)
        target = self._as_shaped(rows)
        box = (slice(start, stop), *(slice(0, size) for size in target.shape[1:]))
        try:
            if self._chunks is None or not self._chunks.read(box, target):
                self._decoding.get_basic_selection(box, out=default_buffer_prototype().nd_buffer.from_numpy_array(target))
        except DsketchError:
            raise
        except OverlongError as error:
            raise DataError(
                f"{self._culprit(start, stop)} must decode to the {format_bytes(self._chunk_bytes())} that its shape declares; {error}. "
                "It is damaged, or made to fill memory: copy it again from its origin, or do not use it."
            ) from error
        except Exception as error:
            raise DataError(
                f"{self._culprit(start, stop)} cannot be decoded: {type(error).__name__}: {error}. "
                "It is corrupt or unreadable: copy it again from its origin, or check the permissions."
            ) from error
        self._presence.look(start, stop, rows)
        return rows

    def _read_ranges(self, keys: Keys, start: int, stop: int, rows: AnyArray) -> AnyArray:
        """Fill ``rows`` from the bytes that they have in raw chunks of a store."""
        for number, low, high, found in keys.read(start, stop):
            name = f"chunk {number} of {self._what} ({self._presence.place_of((number, *(0 for _ in self._array.shape[1:])))})"
            if isinstance(found, Exception):
                raise DataError(f"{name} cannot be read: {type(found).__name__}: {found}. Check the access.") from found
            if found is None:
                self._presence.refuse(number, self._presence.place_of((number, *(0 for _ in self._array.shape[1:]))), None)
                rows[low - start : high - start] = self._array.fill_value
                continue
            part = rows[low - start : high - start]
            if len(found) != part.nbytes:
                raise DataError(
                    f"{name} must have {format_bytes(self._chunk_bytes())}; what it has of rows {low}:{high} are {len(found)} bytes. It is "
                    "truncated: copy it again from its origin."
                )
            part[...] = np.frombuffer(found, self._stored).reshape(part.shape)
        return rows

    def _chunk_bytes(self) -> int:
        """Decoded bytes of the smallest piece that is encoded by itself."""
        return int(np.prod(self._array.chunks, dtype=object) * self._stored.itemsize)

    def _as_shaped(self, rows: AnyArray) -> AnyArray:
        """Return rows with the dimensions of the stored array, a view."""
        return rows.reshape(len(rows), *self._array.shape[1:])

    def _culprit(self, start: int, stop: int) -> str:
        """Return the name and place of the first chunk of these rows that does not decode alone."""
        for number in range(start // self.chunk_rows, (stop - 1) // self.chunk_rows + 1):
            rows = slice(max(start, number * self.chunk_rows), min(stop, (number + 1) * self.chunk_rows))
            for place, box in self._presence.boxes((self._array.shards or self._array.chunks)[1:]):
                try:
                    self._decoding.get_basic_selection((rows, *box))
                except Exception:  # noqa: BLE001 - codecs and stores raise whatever they like
                    return f"chunk {number} of {self._what} ({self._presence.place_of((number, *place))})"
        # A damaged chunk may decode at the second try (some codecs read on behind a truncated buffer): then the first is named.
        first = start // self.chunk_rows
        return f"chunk {first} of {self._what}, or one of the next in rows {start}:{stop} ({self.source}),"


def _keys_of(array: "zarr.Array[Any]", piece_rows: int) -> Keys | None:
    """Return what reads ask of a store on another machine; None for other stores."""
    if not is_remote(array.store) or not all(array.shape):
        return None
    is_plain = array.shards is None and is_raw(array)
    return Keys(array, AheadStore(array.store), piece_rows, is_plain=is_plain)
