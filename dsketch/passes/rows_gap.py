"""The pass that holds given rows against those that a row pass makes."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.rowwise import RowPass


class Gap(NamedTuple):
    """Of each column, shape (k,): the largest difference, and the largest size of what was made."""

    gap: Floats
    largest: Floats


@dataclass(frozen=True)
class RowsGap(Pass[Gap]):
    """Finish to the largest |y − b| of each column, y what a row pass makes and b what somebody gives for it.

    Parameters
    ----------
    inner : RowPass
    given : Matrix, shape (n, k), or None
        None: what lies beside the rows, of which the row pass itself has no use.
    """

    inner: RowPass
    given: Matrix | None = None

    kind: ClassVar[str] = "rows gap"

    def map(self, block: Block, part: Part | None) -> Part:
        """Compare the rows of a block."""
        made = self.inner.finish(self.inner.map(block, None))
        given: Any = block.b if self.given is None else self.given.read(block.start, block.stop)
        found = np.abs(made - given).max(axis=0), np.abs(made).max(axis=0)
        return found if part is None else self.merge(part, found)

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger."""
        return np.maximum(left[0], right[0]), np.maximum(left[1], right[1])

    def finish(self, part: Part) -> Gap:
        """Return both."""
        return Gap(*part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return two numbers for each column, at least."""
        del columns
        return 16 * max(sides, 1)

    def names(self) -> str:
        """Return the kind and that of what is compared."""
        return f"{self.kind}: {self.inner.names()}"
