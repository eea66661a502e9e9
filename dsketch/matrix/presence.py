"""Which stored objects of a Zarr array must be there, and what is said of one that is not."""

import itertools
from collections.abc import Iterator
from typing import Any

import zarr

from dsketch.errors import DataError, MissingDataError
from dsketch.matrix.absent import ShardIndex, is_filled, remedy
from dsketch.matrix.base import AnyArray
from dsketch.matrix.compat import wait_for
from dsketch.matrix.conventions import Conventions, is_missing
from dsketch.matrix.stored import address_of


class Presence:
    """The objects of an array: chunks, or shards and what these hold.

    Parameters
    ----------
    array : zarr.Array
    missing : {"error", "fill"}
        What an absent one means.
    what : str
        The name that errors use.
    conventions : Conventions or None
        What stored numbers stand for: the fill value may be a mark.
    """

    def __init__(self, array: "zarr.Array[Any]", missing: str, what: str, conventions: Conventions | None) -> None:
        self._array, self._missing, self._what, self._conventions = array, missing, what, conventions
        self._source = address_of(array)

    def look(self, start: int, stop: int, rows: AnyArray) -> None:
        """Refuse rows of absent chunks; ask the store only about chunks whose rows all equal the fill value: no other can be absent."""
        if self._missing != "error" and self._array.fill_value is not None:
            return
        fill, step = self._array.fill_value, int(self._array.chunks[0])
        doubtful: list[tuple[int, ...]] = []
        whole = rows.reshape(len(rows), *self._array.shape[1:])
        for number in range(start // step, (stop - 1) // step + 1):
            part = whole[max(start, number * step) - start : min(stop, (number + 1) * step) - start]
            for place, box in self.boxes(self._array.chunks[1:]):
                if is_filled(part[:, *box], fill):
                    doubtful.append((number, *place))
        if self._array.shards is None:
            for place in doubtful:
                self._require_key(place)
        elif doubtful:
            self._require_inner(doubtful)

    def refuse(self, number: int, path: str, cause: Exception | None) -> None:
        """Refuse an absent chunk, unless that means fill and there is something to fill it with."""
        fill = self._array.fill_value
        if self._missing == "error" or fill is None:
            wish = "" if self._missing == "error" else ", and missing='fill' needs a fill value"
            advice = remedy(fill, is_mark=fill is not None and is_missing(fill, self._conventions))
            raise MissingDataError(f"chunk {number} of {self._what} is absent ({path}){wish}. {advice}.") from cause

    def place_of(self, number: tuple[int, ...]) -> str:
        """Return where an object lies."""
        return f"{self._source or self._array.store}/{self._array.metadata.encode_chunk_key(number)}"

    def boxes(self, chunks: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Yield the numbers, along all dimensions but the first, of each chunk beside others, and what of these dimensions it has."""
        grid = [range(0, size, chunk) for size, chunk in zip(self._array.shape[1:], chunks, strict=True)]
        for lows in itertools.product(*grid):
            places = tuple(low // chunk for low, chunk in zip(lows, chunks, strict=True))
            yield places, tuple(slice(low, low + chunk) for low, chunk in zip(lows, chunks, strict=True))

    def _require_inner(self, places: list[tuple[int, ...]]) -> None:
        """Refuse inner chunks that their shards, which must be there themselves, do not hold."""
        grid = [outer // inner for outer, inner in zip(self._array.shards or (), self._array.chunks, strict=True)]
        index, held = ShardIndex(self._array), {}
        for place in places:
            shard = tuple(number // size for number, size in zip(place, grid, strict=True))
            if shard not in held:
                self._require_key(shard)
                held[shard] = index.find_chunks(self._key(shard))
            inner = tuple(number % size for number, size in zip(place, grid, strict=True))
            found = held[shard]
            if found is not None and not found[inner]:
                self.refuse(place[0], f"from the shard {self.place_of(shard)}", None)

    def _require_key(self, number: tuple[int, ...]) -> None:
        """Refuse an absent object, and one without a byte, which reads as an empty shard."""
        key = self._key(number)
        if not wait_for(self._array.store.exists(key)):
            self.refuse(number[0], self.place_of(number), None)
        elif wait_for(self._array.store.getsize(key)) == 0:
            name = f"chunk {number[0]} of {self._what} ({self.place_of(number)})"
            raise DataError(f"{name} has no bytes. It is truncated: copy it again from its origin.")

    def _key(self, number: tuple[int, ...]) -> str:
        return f"{self._array.path}/{self._array.metadata.encode_chunk_key(number)}".lstrip("/")
