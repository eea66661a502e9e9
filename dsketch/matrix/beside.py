"""Columns of several matrices with the same rows, read as one block of float64: y, and what else belongs to a row.

What a row function needs besides aᵀx (the response, an offset, weights, frequencies, groups) is read so, as the b of
:class:`~dsketch.matrix.rows.Rows`; a pass finds each part by its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch.errors import DataError
from dsketch.matrix.alignment import require_same_rows
from dsketch.matrix.base import AnyArray, Cuts, Matrix

_COUNTS = ("weights", "frequencies")  # parts that multiply rows


@dataclass(frozen=True)
class Places:
    """Which columns of a block are what.

    Attributes
    ----------
    names : tuple of str
        Of the parts, in the order of their columns; each has one.
    """

    names: tuple[str, ...]

    def of(self, name: str, block: Floats) -> Floats | None:
        """Return the column of a part, shape (rows,); None where there is no such part."""
        return block[:, self.names.index(name)] if name in self.names else None

    def weight(self, block: Floats) -> Floats | None:
        """Return weight times frequency, shape (rows,); None where there is neither."""
        given = [column for name in _COUNTS if (column := self.of(name, block)) is not None]
        if not given:
            return None
        return given[0] if len(given) == 1 else given[0] * given[1]

    def state(self) -> Iterator[State]:
        """Yield the names."""
        yield repr(self.names)


class Beside(Matrix):
    """Parts with one column each, side by side, as float64.

    Parameters
    ----------
    **parts : Matrix
        By the names that errors use, in the order of their columns.  Those called ``weights`` and ``frequencies`` must not be negative.

    Raises
    ------
    DataError
        If their rows differ in number or origin, one has several columns, or is sparse.

    Examples
    --------
    >>> from dsketch.matrix.open import open_matrix
    >>> Beside(y=open_matrix([1, 0, 1]), weights=open_matrix([2.0, 2.0, 3.0])).read(1, 3)
    array([[0., 2.],
           [1., 3.]])
    """

    is_kept = False  # what the cache keeps is told apart by rows alone
    dtype: np.dtype[np.generic] = np.dtype(np.float64)

    def __init__(self, **parts: Matrix) -> None:
        self.parts = parts
        (first, head), *others = parts.items()
        for name, part in parts.items():
            _require_column(name, part)
        for name, part in others:
            if part.shape[0] != head.shape[0]:
                raise DataError(
                    f"{name} must have one row for each of the {head.shape[0]} rows of {first}; its shape is {part.shape}. "
                    "Check that both come from the same data."
                )
        require_same_rows(**parts)
        self.shape = (head.shape[0], len(parts))
        self.is_vector = len(parts) == 1 and head.is_vector
        self.rows_digest = next((part.rows_digest for part in parts.values() if part.rows_digest), None)
        self.is_local = any(part.is_local for part in parts.values())
        self.is_raw = all(part.is_raw for part in parts.values())
        self.held = sum(part.held for part in parts.values())
        self.meaning = " · ".join(f"{name} {part.meaning}" for name, part in parts.items() if part.meaning)

    @property
    def places(self) -> Places:
        """Which column is what."""
        return Places(tuple(self.parts))

    @property
    def cuts(self) -> Cuts:
        """Those of the first part."""
        return next(iter(self.parts.values())).cuts

    @property
    def nbytes(self) -> int:
        """Decoded bytes of all parts."""
        return sum(part.nbytes for part in self.parts.values())

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Read the rows of every part.

        Raises
        ------
        DataError
            If a number is not finite, or a weight is negative: with the name of the part and the row.
        """
        block = np.empty((stop - start, len(self.parts))) if out is None else out[: stop - start]
        for place, (name, part) in enumerate(self.parts.items()):
            column = part.read(start, stop)[:, 0]
            _require_numbers(name, column, start)
            block[:, place] = column
        return block

    def needs_buffer(self, start: int, stop: int) -> bool:
        """It fills memory always."""
        del start, stop
        return True

    def window(self, start: int, stop: int) -> "Beside":
        """Return the windows of the parts."""
        return Beside(**{name: part.window(start, stop) for name, part in self.parts.items()})

    def futures(self) -> list[Any]:
        """Return the futures of all parts, in their order."""
        return [future for part in self.parts.values() for future in part.futures()]

    def holding(self, values: list[Any]) -> "Beside":
        """Return the parts with their futures taken out or their values put in."""
        taken = iter(values)
        return Beside(
            **{name: part.holding([next(taken) for _ in range(part.held if values else 0)]) for name, part in self.parts.items()}
        )

    def fingerprint(self) -> str:
        """Return those of the parts, with their names."""
        return " ".join(f"{name}={part.fingerprint()}" for name, part in self.parts.items())

    def describe(self) -> str:
        """Return the words of the parts."""
        return ", ".join(f"{name} {part.describe()}" for name, part in self.parts.items())


def _require_column(name: str, part: Matrix) -> None:
    if part.nonzeros is not None:
        raise DataError(f"{name} must be dense; it is {part.describe()}. Pass {name}.toarray(), or store it as an array.")
    if part.shape[1] != 1:
        raise DataError(
            f"{name} must be one number a row; its shape is {part.shape}. Pass a vector of length {part.shape[0]}, one column at a time."
        )


def _require_numbers(name: str, column: AnyArray, start: int) -> None:
    """Refuse what is not finite, and negative weights."""
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        row = int(np.flatnonzero(~np.isfinite(column))[0])
        raise DataError(
            f"{name} must be finite; row {start + row} is {column[row]}. Remove or impute such rows before solving "
            "(weight 0 does not hide a NaN)."
        )
    if name in _COUNTS and (is_negative := np.asarray(column, np.float64) < 0).any():
        row = int(np.flatnonzero(is_negative)[0])
        raise DataError(f"{name} must be ≥ 0; row {start + row} has {column[row]}. Remove the row or give it weight 0.")
