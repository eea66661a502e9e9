"""The pass that puts row-sized results into a Zarr array where they are made: nothing with n rows moves over the network.

The only pass that writes.  A block's rows are whole chunks of the target, so that no two tasks ever write the same chunk, and a task
that is retried, or runs twice at once, writes the same bytes again.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State
from dsketch.errors import DataError, DsketchError
from dsketch.matrix.base import Matrix
from dsketch.matrix.compat import wait_for
from dsketch.matrix.raw_chunk import write_raw_chunk
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.digests import DIGEST_BYTES, Digests, merkle_root

Box = tuple[slice, ...]

MOST_CHUNKS = 16_384  # an output whose blocks are uneven has no more: a folder of more files is slow to list

NO_LEAVES: Digests = np.zeros((0, DIGEST_BYTES), np.uint8)


class Written(NamedTuple):
    """What was written: the number of rows, and of each side the largest magnitude and the sum, shape (k,); digests of its chunks."""

    rows: int
    largest: Floats
    total: Floats
    leaves: Digests = NO_LEAVES


@dataclass(frozen=True)
class Writing(Pass[Written]):
    """Write what another pass gives for each block into a Zarr array.

    Parameters
    ----------
    inner : Pass
        Of any kind whose result for a block has a row for each of its rows: a :class:`~dsketch.passes.rowwise.RowPass`.
    target : zarr.Array, shape (n,), (n, k) or (n, …)
        Its chunks are those of :func:`align_to_chunks`, and every worker must see the place where it lies.
    sides : int
        k.
    goes_on : bool
        Whether chunks that are there already are those of this very pass, by a run that was interrupted: they are read, not made again.

    Notes
    -----
    A part is 2k + 1 numbers, and 32 bytes a chunk.  The largest magnitude is what shows a NaN or an infinity of the data to the engine,
    which then names the row; the target is a store beside the final one until all is well (:mod:`dsketch._results.output`).
    """

    inner: Pass[Floats]
    target: "zarr.Array[Any]"
    sides: int
    goes_on: bool = False

    kind: ClassVar[str] = "write"
    writes: ClassVar[bool] = True

    def map(self, block: Block, part: Part | None) -> Part:
        """Write the block's rows; count them."""
        rows_box = self._box(block)
        kept = read_kept(self.target, rows_box) if self.goes_on else None
        values = self.inner.finish(self.inner.map(block, None)) if kept is None else kept.reshape(len(kept), -1)
        rows, largest, total, leaves = part or (
            np.zeros(1),
            np.zeros(self.sides),
            np.zeros(self.sides),
            NO_LEAVES,
        )
        if kept is None:
            write_box(self.target, rows_box, values.reshape(len(values), *self.target.shape[1:]))
        leaves = np.concatenate([leaves, digest_rows(values, self.target.chunks[0])])
        return rows + len(values), np.maximum(largest, np.abs(values).max(axis=0)), total + values.sum(axis=0), leaves

    def _box(self, block: Block) -> Box:
        return slice(block.start, block.stop), *(slice(0, size) for size in self.target.shape[1:])

    def merge(self, left: Part, right: Part) -> Part:
        """Add counts and sums; keep the larger magnitudes; put digests behind each other."""
        return left[0] + right[0], np.maximum(left[1], right[1]), left[2] + right[2], np.concatenate([left[3], right[3]])

    def finish(self, part: Part) -> Written:
        """Return how much was written."""
        return Written(int(part[0][0]), part[1], part[2], part[3])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return 2k + 1 numbers, and the digests of some chunks."""
        del columns, sides
        return 8 * (2 * self.sides + 1) + 1000

    def state(self) -> Iterator[State]:
        """Yield what is written, and where."""
        yield repr(self.kind)
        yield from self.inner.state()
        for name, value in (("target", self.target), ("sides", self.sides), ("goes on", self.goes_on)):
            yield repr(name)
            yield repr(value)

    def names(self) -> str:
        """Return both kinds."""
        return f"{self.inner.names()} → Zarr"


def digest_chunk(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the SHA-256 of numbers, little-endian in C order, with a first byte 0 as leaves of a Merkle tree have, shape (32,)."""
    digest = hashlib.sha256(b"\0")
    digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data)
    return np.frombuffer(digest.digest(), np.uint8)


def digest_rows(values: Floats, height: int) -> Digests:
    """Return the SHA-256 of each ``height`` rows, with a first byte 0 as leaves of a Merkle tree have, shape (leaves, 32)."""
    rows = np.ascontiguousarray(values, "<f8")
    found = [digest_chunk(rows[low : low + height]) for low in range(0, len(rows), height)]
    return np.array(found, np.uint8).reshape(-1, DIGEST_BYTES)


def root_of_rows(leaves: Digests) -> str:
    """Return the Merkle root over digests of rows, in order."""
    return merkle_root([leaf.tobytes() for leaf in leaves]).hex()


def align_to_chunks(A: Matrix) -> tuple[Matrix, int]:
    """Return A in blocks of whole output chunks, and the rows of such a chunk.

    Blocks of one height (the last may be lower) are a chunk each.  Others (of a dask array with uneven chunks, or sparse rows) have
    their cuts moved to multiples of a quarter of the middle height, by an eighth of it at most: the output has few chunks however
    low the lowest block is, and no block grows much.

    >>> from dsketch.matrix.array import ArrayMatrix
    >>> matrix, rows = align_to_chunks(Recut(ArrayMatrix(np.ones((250, 1))), [0, 100, 103, 202, 250]))
    >>> matrix.cuts, rows
    (array([  0, 108, 198, 250]), 18)
    """
    heights = np.diff(A.cuts)
    if (heights[:-1] == heights[0]).all() and heights[-1] <= heights[0]:
        return A, int(heights[0])
    rows = max(int(np.median(heights)) // 4, A.shape[0] // MOST_CHUNKS, 1)
    moved = np.minimum((A.cuts[:-1] + rows // 2) // rows * rows, A.shape[0])
    return Recut(A, np.unique(np.append(moved, A.shape[0]))), rows


def chunks_in(array: "zarr.Array[Any]", box: Box) -> Iterator[tuple[int, ...]]:
    """Yield the numbers of the chunks that a box has a part in."""
    return product(*(range(one.start // size, -(-one.stop // size)) for one, size in zip(box, array.chunks, strict=True)))


def is_there(array: "zarr.Array[Any]", chunks: Iterable[tuple[int, ...]]) -> bool:
    """Whether the store has these chunks."""
    keys = (array.metadata.encode_chunk_key(chunk) for chunk in chunks)
    return all(wait_for(array.store.exists(f"{array.path}/{key}".lstrip("/"))) for key in keys)


def read_kept(array: "zarr.Array[Any]", box: Box) -> NDArray[Any] | None:
    """Return a box of which all chunks are there, whole; None where one is not."""
    if not is_there(array, chunks_in(array, box)):
        return None
    try:
        return np.asarray(array[box or ...])
    except (ValueError, OSError):  # a chunk that was cut off is made again
        return None


def write_box(array: "zarr.Array[Any]", box: Box, values: NDArray[Any]) -> None:
    """Write the numbers of a box, of its shape.

    Raises
    ------
    DataError
        If the array is not there for this process, or does not take them.
    """
    try:
        written = write_raw_chunk(array, box, values)
        has_place = wait_for(array.store.exists(f"{array.path}/zarr.json".lstrip("/"))) if written is None else written
        if has_place and written is None:
            array[box or ...] = values
    except DsketchError:  # of a store that was tried again and again
        raise
    except Exception as error:
        where = f"rows {box[0].start}:{box[0].stop}" if box else "the number"
        raise DataError(
            f"{where} could not be written to {array.store_path}: {type(error).__name__}: {error}. Free some space, correct the access, "
            "or choose another place."
        ) from error
    if not has_place:
        raise DataError(
            f"a place that every worker sees was expected for the output; {array.store_path} is not there for one. Write to a shared "
            "folder or to a URL."
        )
