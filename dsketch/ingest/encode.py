"""A column of a table → columns of floats: a number, a flag, or one-hot.

Every encoder has the ``name`` of its source column, the ``labels`` of the columns it makes, and
``fill(column, out)`` that writes them for a column without nulls.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dsketch.errors import DataError
from dsketch.ingest.rows import Matrix


class Encoder(Protocol):
    """How one column becomes floats."""

    @property
    def name(self) -> str:
        """Column of the source."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of A."""

    def fill(self, column: pa.Array, out: Matrix) -> None:
        """Write the floats for ``column`` into ``out``, of shape (rows, len(labels))."""


@dataclass(frozen=True)
class Number:
    """x ↦ x, the nearest float64: numbers, booleans, or text that is a number in every row."""

    name: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Give the column's own name."""
        return (self.name,)

    def fill(self, column: pa.Array, out: Matrix) -> None:
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

    def fill(self, column: pa.Array, out: Matrix) -> None:
        """Write ones and zeros."""
        out[:, 0] = pc.equal(pc.ascii_lower(column), "true").to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class OneHot:
    """Level j ↦ the j-th unit vector; labels are ``name=level``.

    All levels are kept unless ``drop_first``.  With all of them, their columns add up to one, so together with an
    intercept A has not full rank.

    Parameters
    ----------
    name : str
        Column of the source.
    levels : pyarrow.Array
        Distinct values in sorted order.
    drop_first : bool
        Map the first level to zero, and make no column of it.
    """

    name: str
    levels: pa.Array
    drop_first: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Give one name for each level that has a column."""
        return tuple(f"{self.name}={level}" for level in self.levels.to_pylist()[int(self.drop_first) :])

    def fill(self, column: pa.Array, out: Matrix) -> None:
        """Write a one for the level of each row."""
        found = pc.index_in(column, value_set=self.levels)
        if found.null_count:
            raise DataError(
                f"the {len(self.levels):,} levels of the first pass were expected in column {self.name!r}; the second "
                "pass found another. Let nobody change the source meanwhile, and start anew."
            )
        codes = found.to_numpy(zero_copy_only=False) - int(self.drop_first)
        out[...] = 0
        rows = np.flatnonzero(codes >= 0)
        out[rows, codes[rows]] = 1
