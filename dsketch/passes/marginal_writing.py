"""The pass that writes what another makes of columns into arrays of a Zarr group, each block where it is made.

A block's columns are one chunk of each array, so that no two tasks write the same chunk, and a task that is retried writes the same bytes
again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import zarr

from dsketch._linalg.arrays import Floats, State
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.marginal import FIELDS, MarginalFields, Tally, count_columns, facts_of, merge_tallies, tally_of
from dsketch.passes.writing import read_kept, write_rows


@dataclass(frozen=True)
class MarginalWriting(Pass[Tally]):
    """Write the fields of columns; finish to the tally.

    Parameters
    ----------
    inner : MarginalFields
    arrays : tuple of zarr.Array
        In the order of :data:`~dsketch.passes.marginal.FIELDS`, shape (m, k), whose chunks have the columns of a block.
    goes_on : bool
        Whether chunks that are there already are those of this very pass, by a run that was interrupted: they are read, not made again.
    """

    inner: MarginalFields
    arrays: "tuple[zarr.Array[Any], ...]"
    goes_on: bool = False

    kind: ClassVar[str] = "write marginal"
    writes: ClassVar[bool] = True
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Write the block's columns; count them."""
        kept = self._read_kept(block) if self.goes_on else None
        if kept is None:
            made = self.inner.make(block)
            for name, array in zip(FIELDS, self.arrays, strict=True):
                write_rows(array, block.start, made.values[name].astype(array.dtype))
            own = made.tally
        else:
            own = self._tally_of_kept(kept)
        return own if part is None else self.merge(part, own)

    def merge(self, left: Part, right: Part) -> Part:
        """Add counts."""
        return merge_tallies(left, right)

    def finish(self, part: Part) -> Tally:
        """Return what was counted."""
        return tally_of(part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of a tally."""
        del columns, sides
        return 8 * (8 + 6 * self.inner.sides.Y.shape[1])

    def state(self) -> Iterator[State]:
        """Yield what is written, and where."""
        yield repr(self.kind)
        yield from self.inner.state()
        yield repr((self.arrays, self.goes_on))

    def names(self) -> str:
        """Return both kinds."""
        return f"{self.inner.names()} → Zarr"

    def _read_kept(self, block: Block) -> dict[str, Floats] | None:
        """Return the fields of a block that is there in all arrays; None where one lacks, or where columns are to be compared."""
        if any(block.start <= number < block.stop for number in self.inner.probes):
            return None
        found = {}
        for name, array in zip(FIELDS, self.arrays, strict=True):
            values = read_kept(array, block.start, block.stop)
            if values is None:
                return None
            found[name] = values.astype(np.float64)
        return found

    def _tally_of_kept(self, kept: dict[str, Floats]) -> Part:
        """Return the tally of columns that were written before."""
        prepared = self.inner.prepared
        facts = facts_of(prepared, self.inner.sides.Y.shape[1])
        counts = np.append(count_columns(kept, facts[0]), 0.0)
        return counts, facts, np.array([float(len(prepared))]), np.zeros((2, facts.shape[1]))
