"""One look at all rows: ``map`` a block into a part, ``merge`` two parts, ``finish`` the last one.

A pass is the unit of cost, of progress, of retry and of checkpoint.  It is a frozen value that travels to the workers, holds only
small arrays, and does no I/O.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from dsketch._linalg.arrays import Floats, State, Stated
from dsketch.events import Converged
from dsketch.matrix.rows import Block, Rows

Part = Any  # a tuple of arrays, nested for a product of passes
R = TypeVar("R")
_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, slice)  # their repr is all of them, in every process


class Pass(ABC, Generic[R]):
    """One look at all rows that gives a small result of type R."""

    kind: ClassVar[str]
    accumulates: ClassVar[bool] = True  # blocks of a panel are added into one part; False: each has its part, merged as a tree
    writes: ClassVar[bool] = False  # has an effect besides its part
    takes_sparse: ClassVar[bool] = False  # slices of CSR rows come as csr_array; False: made dense

    @abstractmethod
    def map(self, block: Block, part: Part | None) -> Part:
        """Add a block to ``part`` (None at the start of a panel), which may be changed in place, and return it."""

    def merge(self, left: Part, right: Part) -> Part:
        """Return the part of both, neither changed (a retried merge must find them whole); the default adds array by array."""
        return tuple(mine + other for mine, other in zip(left, right, strict=True))

    @abstractmethod
    def finish(self, part: Part) -> R:
        """Turn the last part into the result."""

    def end_panel(self, part: Part) -> Part:
        """Return the part of a whole panel as it is merged with others; the default leaves it as it is."""
        return part

    def end_task(self, part: Part) -> Part:
        """Return the part of a whole task as it leaves its thread; the default leaves it as it is."""
        return part

    def added(self, part: Part) -> list[Floats]:
        """Return what of a part merges by being added, up to rounding: what a journal checks its sums by.

        The default knows it of passes that merge by the default rule; none of a pass with a rule of its own that does not say.
        """
        return leaves(part) if type(self).merge is Pass.merge else []

    @abstractmethod
    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of one part for d columns and k right-hand sides."""

    def names(self) -> str:
        """Return the kind as the ledger shows it."""
        return self.kind

    def state(self) -> Iterator[State]:
        """Yield what decides the part besides the rows: the kind, and the name and state of each field, nested passes opened.

        The digest of a journal's record is made of it, so it must be the same in every process and tell all passes apart.

        Raises
        ------
        TypeError
            If a field is of a type that does not say what tells its values apart: a dict, or an object without ``state()``.
        """
        yield repr(self.kind)
        for field in fields(self):  # type: ignore[arg-type]  # every Pass is a dataclass
            value = getattr(self, field.name)
            if nested := _find_passes(value):
                for inner in nested:
                    yield from inner.state()
            else:
                yield repr(field.name)
                yield from _state_of(value, f"{type(self).__name__}.{field.name}")

    def __and__(self, other: "Pass[Any]") -> "Both":
        """Return the product: both passes in one reading of the data."""
        return Both(self, other)


class SlicePass(Pass[R]):
    """A pass whose part grows slice by slice; two of them in one reading share the slices."""

    @abstractmethod
    def zero(self, columns: int, sides: int) -> Part:
        """Return the part of no rows."""

    @abstractmethod
    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add rows ``start:start + X.shape[0]`` to ``part``, in place; X is a csr_array only if the pass takes such."""

    def rows_at_once(self, columns: int) -> int:
        """Return the height of a slice."""
        return heavy_rows(columns)

    def csr_rows_at_once(self) -> int | None:
        """Return the most rows of a slice of CSR, whose entries are few anyway; None: as many as there are."""
        return None

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block slice by slice."""
        part = part or self.zero(block.columns, block.sides)
        is_csr = self.takes_sparse and block.is_sparse
        height = self.csr_rows_at_once() if is_csr else self.rows_at_once(block.columns)
        for start, X, Y in block.slices(height, sparse=is_csr):
            self.add(part, start, X, Y)
        return part


@dataclass(frozen=True)
class Both(Pass[tuple[Any, Any]]):
    """Two passes that share one reading; finishes to the pair of their results."""

    first: Pass[Any]
    second: Pass[Any]

    kind: ClassVar[str] = "both"

    def map(self, block: Block, part: Part | None) -> Part:
        """Map the block into both parts, sharing its slices if both can."""
        first, second = (None, None) if part is None else part
        if isinstance(self.first, SlicePass) and isinstance(self.second, SlicePass):
            first = first or self.first.zero(block.columns, block.sides)
            second = second or self.second.zero(block.columns, block.sides)
            is_csr = self.first.takes_sparse and self.second.takes_sparse and block.is_sparse
            for start, X, Y in block.slices(self._height(block.columns, is_csr), sparse=is_csr):
                self.first.add(first, start, X, Y)
                self.second.add(second, start, X, Y)
            return first, second
        return self.first.map(block, first), self.second.map(block, second)

    def _height(self, columns: int, is_csr: bool) -> int | None:
        """Return the height of slices that suits both."""
        if not (isinstance(self.first, SlicePass) and isinstance(self.second, SlicePass)):
            return None
        if is_csr:
            return min((rows for rows in (self.first.csr_rows_at_once(), self.second.csr_rows_at_once()) if rows), default=None)
        return max(self.first.rows_at_once(columns), self.second.rows_at_once(columns))

    def end_panel(self, part: Part) -> Part:
        """End the panel of each side by its own rule."""
        return self.first.end_panel(part[0]), self.second.end_panel(part[1])

    def merge(self, left: Part, right: Part) -> Part:
        """Merge each side by its own rule."""
        return self.first.merge(left[0], right[0]), self.second.merge(left[1], right[1])

    def finish(self, part: Part) -> tuple[Any, Any]:
        """Finish each side."""
        return self.first.finish(part[0]), self.second.finish(part[1])

    def added(self, part: Part) -> list[Floats]:
        """Return those of both."""
        return self.first.added(part[0]) + self.second.added(part[1])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return the bytes of both parts."""
        return self.first.part_bytes(columns, sides) + self.second.part_bytes(columns, sides)

    def names(self) -> str:
        """Return both kinds, joined by ``&``."""
        return f"{self.first.names()} & {self.second.names()}"


@dataclass(frozen=True)
class BothAsTree(Both):
    """The same for passes of which one does not add block to block: each block has its part, merged as a tree."""

    kind: ClassVar[str] = "both as a tree"
    accumulates: ClassVar[bool] = False


class Look(NamedTuple):
    """What a method yields: a pass and the rows it is about."""

    pass_: Pass[Any]
    rows: Rows


def heavy_rows(columns: int) -> int:
    """Return the slice height for work of d flops or more a number: tall against d, a few MB at ordinary d."""
    return max(2048, 2 * columns)


def leaves(part: Part) -> list[Floats]:
    """Return the arrays of a nested part, left to right."""
    return [part] if isinstance(part, np.ndarray) else [array for piece in part for array in leaves(piece)]


def contents(pass_: Pass[Any]) -> list[Any]:
    """Return kind and parameters of a pass, nested passes opened."""
    values: list[Any] = [pass_.kind]
    for field in fields(pass_):  # type: ignore[arg-type]  # every Pass is a dataclass
        value = getattr(pass_, field.name)
        if nested := _find_passes(value):
            values.extend(piece for item in nested for piece in contents(item))
        else:
            values.extend([field.name, value])
    return values


def _find_passes(value: Any) -> tuple[Pass[Any], ...]:
    """Return the passes that a field holds, if it holds nothing else."""
    held = value if isinstance(value, tuple) else (value,)
    return held if all(isinstance(item, Pass) for item in held) else ()


def _state_of(value: Any, what: str) -> Iterator[State]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Stated):
        yield from value.state()
    elif isinstance(value, _PLAIN) or (isinstance(value, tuple) and all(isinstance(item, _PLAIN) for item in value)):
        yield repr(value)
    else:
        raise TypeError(
            f"a number, a text, an array, a pass or a value with state() was expected as a field of a pass; {what} is of type "
            f"{type(value).__name__}. Use one of these, or let the pass's own state() say what tells it apart."
        )


T = TypeVar("T")
# Yields looks, and is sent their results; a Converged in between is a word to listeners and is sent nothing.
Flow = Generator[Look | Converged, Any, T]
