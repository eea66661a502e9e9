"""Find missing and infinite values; name the first or drop its row.

Rows are counted from 1 over the whole source, without a header.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError
from dsketch.ingest import remedy


def keep_finite(
    missing: NDArray[np.bool_], nulls: str, names: Sequence[str], first_row: int, needed: Sequence[str] = ()
) -> NDArray[np.bool_]:
    """Return the rows without a missing value, as a mask.

    Parameters
    ----------
    missing : array (rows, columns)
        Where there is no value.
    nulls : {"error", "drop"}
        Whether such a row is an error or is dropped.
    names : sequence of str
        Name of each column.
    first_row : int
        Number of the first row, from 0.
    needed : sequence of str
        Columns that cannot be left out.

    Raises
    ------
    SourceError
        For ``"error"``: the first row with a missing value, and its leftmost column.
    """
    bad = np.any(missing, axis=1)
    if nulls == "error" and bad.any():
        row = int(np.argmax(bad))
        column = names[int(np.argmax(missing[row]))]
        raise remedy.SourceError(
            f"a value in every cell was expected; column {column!r} has a null or NaN in row {first_row + row + 1:,}",
            remedy.at_source("fill it"),
            remedy.drop_rows(),
            *([] if column in needed else [remedy.drop_column(column, "the column")]),
        )
    complete: NDArray[np.bool_] = np.logical_not(bad)
    return complete


def refuse_nonfinite(block: Floats, names: Sequence[str], row_numbers: NDArray[np.intp]) -> None:
    """Raise a DataError that names column, row and value of the first infinity; ``row_numbers`` count from 0."""
    finite = np.isfinite(block)
    if finite.all():
        return
    row, column = (int(found[0]) for found in np.nonzero(~finite))
    raise DataError(
        f"finite numbers were expected; column {names[column]!r} has {block[row, column]} "
        f"in row {row_numbers[row] + 1:,}. Correct or remove that row."
    )
