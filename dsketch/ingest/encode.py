"""A column of a table → columns of floats: a number, a flag, or one-hot.

Every encoder has the ``name`` of its source column, the ``labels`` of the columns it makes, and
``fill(column, out)`` that writes them for a column without nulls.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError


class Encoder(Protocol):
    """How one column becomes floats."""

    @property
    def name(self) -> str:
        """Column of the source."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of A."""

    def fill(self, column: pa.Array, out: Floats) -> None:
        """Write the floats for ``column`` into ``out``, of shape (rows, len(labels))."""


@dataclass(frozen=True)
class Numeric:
    """x ↦ x, the nearest float64: numbers, booleans, or text that is a number in every row."""

    name: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Give the column's own name."""
        return (self.name,)

    def fill(self, column: pa.Array, out: Floats) -> None:
        """Write the numbers."""
        out[:, 0] = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class Flag:
    """true ↦ 1, false ↦ 0, for text in any case."""

    name: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Give the column's own name."""
        return (self.name,)

    def fill(self, column: pa.Array, out: Floats) -> None:
        """Write ones and zeros."""
        out[:, 0] = pc.equal(pc.ascii_lower(column), "true").to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class OneHot:
    """Level j ↦ the j-th unit vector; labels are ``name=level``.

    All levels are kept unless there is a ``base``.  With all of them, their columns add up to one, so together with an
    intercept A has not full rank.

    Parameters
    ----------
    name : str
        Column of the source.
    levels : tuple of str
        Distinct values, in the order of the columns.
    base : str, optional
        The reference level: it is mapped to zero, and has no column.
    takes_others : bool
        Map what is none of the levels to zero too; else it is an error.
    """

    name: str
    levels: tuple[str, ...]
    base: str | None = None
    takes_others: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """Give the levels that have a column."""
        return tuple(level for level in self.levels if level != self.base)

    @property
    def labels(self) -> tuple[str, ...]:
        """Give one name for each level that has a column."""
        return tuple(f"{self.name}={level}" for level in self.shown)

    def fill(self, column: pa.Array, out: Floats) -> None:
        """Write a one for the level of each row."""
        # The base stands last, behind the levels that have columns.
        known = (*self.shown, *([] if self.base is None else [self.base]))
        found = pc.index_in(as_text(column), value_set=pa.array(known, pa.string()))
        if found.null_count and not self.takes_others:
            raise DataError(
                f"the {len(self.levels):,} levels of the first pass were expected in column {self.name!r}; the second "
                "pass found another. Let nobody change the source meanwhile, and start anew."
            )
        codes = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
        out[...] = 0
        rows = np.flatnonzero((codes >= 0) & (codes < out.shape[1]))
        out[rows, codes[rows]] = 1


def as_text(column: pa.Array) -> pa.Array:
    """Return the values as the text that levels are compared by.

    >>> as_text(pa.array([1.0, 2.5])).to_pylist(), as_text(pa.array([True])).to_pylist()
    (['1', '2.5'], ['true'])
    """
    return column if column.type == pa.string() else pc.cast(column, pa.string())
