"""The data of problems whose b has one number for each row of A."""

from typing import Any

from dsketch.errors import DataError
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows


def open_rows(A: Any, b: Any, missing: str) -> Rows:
    """Open A and a b of one column.

    Raises
    ------
    DataError
        If b has several, or another number of rows.
    """
    sides = open_matrix(b, missing=missing, what="b")
    if sides.shape[1] != 1:
        raise DataError(f"b must have one number for each row; its shape is {sides.shape}. Solve for one column at a time.")
    return Rows(open_matrix(A, missing=missing, what="A"), sides)
