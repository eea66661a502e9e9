"""Any number of passes in one reading of the same rows, each on its own part of every row."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.head import Selection
from dsketch.matrix.raw import UnreadRows
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass


@dataclass(frozen=True)
class Projected(Pass[Any]):
    """A pass on a head: some columns of the rows that are read, or the rows times W, with a b and weights of its own.

    Parameters
    ----------
    pass_ : Pass
    selection : Selection
    b, weights : Matrix or None
        Read here, for they belong to the head and not to A.
    intercept : bool
    shift : ndarray or None

    Notes
    -----
    The head's block is what reading the head alone would give; so are all bits of the pass.
    """

    pass_: Pass[Any]
    selection: Selection
    b: Matrix | None = None
    weights: Matrix | None = None
    intercept: bool = False
    shift: AnyArray | None = None

    kind: ClassVar[str] = "projected"

    def map(self, block: Block, part: Part | None) -> Part:
        """Map the head's block."""
        b, weights = (None if m is None else m.read(block.start, block.stop) for m in (self.b, self.weights))
        own = Block(block.start, block.stop, self.selection.of(block.A), b, weights, self.intercept, self.shift)
        return self.pass_.map(own, part)

    def merge(self, left: Part, right: Part) -> Part:
        """Merge by the pass's own rule."""
        return self.pass_.merge(left, right)

    def added(self, part: Part) -> list[Floats]:
        """Return the pass's own."""
        return self.pass_.added(part)

    def finish(self, part: Part) -> Any:
        """Finish by the pass's own rule."""
        return self.pass_.finish(part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of the pass's part for the head's own columns."""
        del sides
        W = self.selection.W
        own = min(columns, self.selection.stop - self.selection.start) if W is None else W.shape[1]
        return self.pass_.part_bytes(own + self.intercept, 0 if self.b is None else self.b.shape[1])

    def names(self) -> str:
        """Return the pass's names."""
        return self.pass_.names()


@dataclass(frozen=True)
class Many(Pass[tuple[Any, ...]]):
    """Passes that share one reading; finishes to the tuple of their results.

    Parameters
    ----------
    passes : tuple of Pass
    """

    passes: tuple[Pass[Any], ...]

    kind: ClassVar[str] = "many"

    def map(self, block: Block, part: Part | None) -> Part:
        """Map the block, read once, into every part."""
        whole, parts = _read_once(block), part or (None,) * len(self.passes)
        return tuple(pass_.map(whole, own) for pass_, own in zip(self.passes, parts, strict=True))

    def merge(self, left: Part, right: Part) -> Part:
        """Merge each by its own rule."""
        return tuple(pass_.merge(mine, other) for pass_, mine, other in zip(self.passes, left, right, strict=True))

    def added(self, part: Part) -> list[Floats]:
        """Return those of each."""
        return [array for pass_, own in zip(self.passes, part, strict=True) for array in pass_.added(own)]

    def finish(self, part: Part) -> tuple[Any, ...]:
        """Finish each."""
        return tuple(pass_.finish(own) for pass_, own in zip(self.passes, part, strict=True))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of all parts."""
        return sum(pass_.part_bytes(columns, sides) for pass_ in self.passes)

    def names(self) -> str:
        """Return each kind with how often it is there."""
        return ", ".join(f"{count} × {name}" for name, count in Counter(pass_.names() for pass_ in self.passes).items())


class ManyTrees(Many):
    """Passes that all want a part for each block, merged as a tree."""

    accumulates: ClassVar[bool] = False


def many(passes: Sequence[Projected]) -> Many:
    """Return the passes in one reading, with the bits that each has alone if all add up blocks alike."""
    trees = not any(pass_.pass_.accumulates for pass_ in passes)
    return (ManyTrees if trees else Many)(tuple(passes))


def _read_once(block: Block) -> Block:
    """Return the block with its rows of A read, so that several passes read them once."""
    rows = block.A
    if not isinstance(rows, UnreadRows):
        return block
    return replace(block, A=rows.read(0, rows.shape[0], scratch("held", rows.shape, rows.dtype)))
