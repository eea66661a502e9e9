"""Whether new rows can be predicted at all, told from their metadata before a job is made of them."""

from typing import Any

import numpy as np

from dsketch.errors import DataError, MissingDataError
from dsketch.matrix.base import check_numeric
from dsketch.service.data_facts import tell_data
from dsketch.service.places import Roots
from dsketch.service.specs import PredictSpec
from dsketch.service.upload_names import is_upload


def require_fitting_rows(roots: Roots, spec: PredictSpec, columns: int | None) -> None:
    """Refuse what is no matrix, holds no numbers, or has other columns than the answer, and an offset of other rows.

    Uploads, whose matrices are not made yet, and data in object stores are left to the job.

    Parameters
    ----------
    roots : Roots
        Of who asks.
    spec : PredictSpec
    columns : int or None
        Of the matrix that the answer is about; None: not known.

    Raises
    ------
    DataError
        Naming what does not fit.
    """
    A = _facts_of(roots, spec.A, "A")
    if A is not None:
        found = A["shape"][1] if len(A["shape"]) == 2 else 1
        if columns is not None and found != columns:
            raise DataError(
                f"A must have {columns} columns, as the answer has; its shape is ({_sizes(A)}). Choose rows of the same columns."
            )
    offset = None if spec.offset is None else _facts_of(roots, spec.offset, "offset")
    if offset is None:
        return
    rows = offset["shape"][0] if A is None else A["shape"][0]
    if offset["shape"] not in ([rows], [rows, 1]):
        raise DataError(
            f"offset must be a vector with one number for each of the {rows} new rows; its shape is ({_sizes(offset)}). Check that both "
            "come from the same data."
        )


def columns_of(roots: Roots, document: dict[str, Any]) -> int | None:
    """Return how many columns the matrix of a run has; None where that cannot be told any more."""
    try:
        facts = _facts_of(roots, str(document.get("A", "")), "A")
    except (DataError, MissingDataError):
        return None
    return None if facts is None or len(facts["shape"]) != 2 else int(facts["shape"][1])


def _facts_of(roots: Roots, address: str, what: str) -> dict[str, Any] | None:
    """Return what the metadata of a matrix of numbers say; None of what lies elsewhere than on this machine's disks.

    Raises
    ------
    PlaceError, MissingDataError
    DataError
        If it is none.
    """
    if is_upload(address) or "://" in address:
        return None
    try:
        facts = tell_data(roots, address, what)
    except MissingDataError:
        raise
    except DataError as error:
        raise DataError(f"{what}: {error}") from error
    if not 1 <= len(facts["shape"]) <= 2:
        raise DataError(f"{what} must have one or two dimensions; its shape is ({_sizes(facts)}). Choose a matrix.")
    check_numeric(np.dtype(facts["dtype"]), what)
    return facts


def _sizes(facts: dict[str, Any]) -> str:
    return ", ".join(map(str, facts["shape"])) + "," * (len(facts["shape"]) == 1)
