"""The pass that writes answers of several arrays into a Zarr group, each block where it is made: nothing of them moves over the network.

What a block comes to lies in whole chunks of every array, so that no two tasks write the same chunk, and a task that is retried, or runs
twice at once, writes the same bytes again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._linalg.arrays import State
from dsketch.matrix.deferred import Deferred
from dsketch.matrix.rows import Block, Rows
from dsketch.passes.base import Look, Part, Pass
from dsketch.passes.digests import DIGEST_BYTES, Digests
from dsketch.passes.writing import Box, chunks_in, digest_chunk, is_there, read_kept, root_of_rows, write_box

Answers = dict[str, NDArray[Any]]


class Source(Protocol):
    """What makes the numbers of blocks."""

    @property
    def kind(self) -> str:
        """The kind of the pass."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the arrays, in the order in which they are written."""

    @property
    def tally_bytes(self) -> int:
        """Bytes of the arrays of a tally."""

    def make_pieces(self, block: Block) -> Iterator[tuple[Box, Answers, Part]]:
        """Yield the pieces of a block: where each lies along the last dimensions of every array, its numbers, and their tally."""

    def kept_pieces(self, block: Block) -> Iterable[Box] | None:
        """Return where the pieces of a block lie that may have been written before; None for one that must be made again."""

    def count_kept(self, answers: Answers) -> Part:
        """Return the tally of a piece that was written before."""

    def add_tallies(self, left: Part, right: Part) -> Part:
        """Return the tally of both, neither changed."""

    def tell(self, tally: Part) -> Any:
        """Return the tally under its names."""

    def state(self) -> Iterator[State]:
        """Yield what decides the numbers besides the data of the run."""


class Filled(NamedTuple):
    """What was written: its tally, as arrays, and of its chunks their numbers, shape (chunks,), and digests, (chunks, arrays, 32)."""

    tally: Part
    numbers: NDArray[np.int64]
    leaves: Digests

    @property
    def root(self) -> str:
        """The Merkle root over the digests, by the chunks' numbers, of each those of all arrays."""
        return root_of_rows(self.leaves[np.argsort(self.numbers)].reshape(-1, DIGEST_BYTES))


@dataclass(frozen=True)
class WriteArrays(Pass[Filled]):
    """Write what a source makes of each block.

    Parameters
    ----------
    source : Source
    arrays : tuple of zarr.Array
        In the order of the source's fields; every worker must see the place where they lie.
    goes_on : bool
        Whether chunks that are there already are those of this very pass, by a run that was interrupted: they are read, not made again.
    """

    source: Source
    arrays: "tuple[zarr.Array[Any], ...]"
    goes_on: bool = False

    kind: ClassVar[str] = "write arrays"
    writes: ClassVar[bool] = True
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Write the pieces of a block, or find them written."""
        kept = self._kept(block) if self.goes_on else None
        for own in self._write(block) if kept is None else kept:
            part = own if part is None else self.merge(part, own)
        return part

    def _write(self, block: Block) -> Iterator[Part]:
        for box, answers, tally in self.source.make_pieces(block):
            leaves = []
            for name, array in zip(self.source.fields, self.arrays, strict=True):
                whole = whole_box(array, box)
                values = answers[name].astype(array.dtype, copy=False).reshape([one.stop - one.start for one in whole])
                write_box(array, whole, values)
                leaves.append(digest_chunk(values))
            yield tally, self._number(box), np.stack(leaves)[None]

    def _kept(self, block: Block) -> list[Part] | None:
        """Return what is there of a block, if all of it is."""
        found, pieces = [], self.source.kept_pieces(block)
        for box in () if pieces is None else pieces:
            answers = {}
            for name, array in reversed(list(zip(self.source.fields, self.arrays, strict=True))):  # the last one is written last
                values = read_kept(array, whole_box(array, box))
                if values is None:
                    return None
                answers[name] = values
            leaves = np.stack([digest_chunk(answers[name]) for name in self.source.fields])
            found.append((self.source.count_kept(answers), self._number(box), leaves[None]))
        return found or None

    def merge(self, left: Part, right: Part) -> Part:
        """Merge tallies; put numbers and digests behind each other."""
        behind = (np.concatenate(pair) for pair in zip(left[1:], right[1:], strict=True))
        return (self.source.add_tallies(left[0], right[0]), *behind)

    def _number(self, box: Box) -> NDArray[np.int64]:
        """Return the number of the chunk at a box, in C order, shape (1,)."""
        array = self.arrays[0]
        sizes, chunks = (shape[array.ndim - len(box) :] for shape in (array.shape, array.chunks))
        grid = [-(-size // chunk) for size, chunk in zip(sizes, chunks, strict=True)]
        place = [one.start // chunk for one, chunk in zip(box, chunks, strict=True)]
        return np.array([np.ravel_multi_index(place, grid) if grid else 0], np.int64)

    def finish(self, part: Part) -> Filled:
        """Return what was written."""
        return Filled(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a tally, and the digests of some chunks."""
        del columns, sides
        return self.source.tally_bytes + 8 * DIGEST_BYTES * len(self.arrays)

    def state(self) -> Iterator[State]:
        """Yield what is written, and where."""
        yield repr((self.kind, self.arrays, self.goes_on))
        yield from self.source.state()

    def names(self) -> str:
        """Return the source's kind."""
        return f"{self.source.kind} → Zarr"


def look_of(source: Source, arrays: "tuple[zarr.Array[Any], ...]", rows: Rows, *, goes_on: bool) -> Look:
    """Return the look that writes; of a run that goes on, blocks are not read of which all is there."""
    if goes_on and not rows.A.is_raw:
        rows = replace(rows, A=Deferred(rows.A, Written(arrays)))
    return Look(WriteArrays(source, arrays, goes_on), rows)


@dataclass(frozen=True)
class Written:
    """Whether all arrays with a row for each of the data's have the chunks of some rows."""

    arrays: "tuple[zarr.Array[Any], ...]"

    def __call__(self, start: int, stop: int) -> bool:
        """Ask the store about ``start:stop``."""
        span = slice(start, stop)
        return all(is_there(array, chunks_in(array, whole_box(array, (span, slice(0, array.shape[1]))))) for array in self.arrays)


def root_of_arrays(arrays: Sequence[Any], dtypes: Sequence[str], chunk: Sequence[int]) -> str:
    """Return the root that :attr:`Filled.root` has of these numbers, read chunk by chunk.

    Parameters
    ----------
    arrays : sequence of ndarray or zarr.Array
    dtypes : sequence of str
        As which they are, or would be, stored.
    chunk : sequence of int
        The size of a chunk along the last dimensions of every array; those before are whole.
    """
    shape = arrays[0].shape[arrays[0].ndim - len(chunk) :]
    leaves = []
    for place in np.ndindex(*(-(-size // step) for size, step in zip(shape, chunk, strict=True))):
        box = tuple(slice(at * step, min((at + 1) * step, size)) for at, step, size in zip(place, chunk, shape, strict=True))
        for array, dtype in zip(arrays, dtypes, strict=True):
            leaves.append(digest_chunk(np.asarray(array[whole_box(array, box) or ...]).astype(dtype)))
    return root_of_rows(np.array(leaves, np.uint8).reshape(-1, DIGEST_BYTES))


def whole_box(array: Any, box: Box) -> Box:
    """Return a box along the last dimensions of an array with all of those before."""
    return (*(slice(0, size) for size in array.shape[: array.ndim - len(box)]), *box)
