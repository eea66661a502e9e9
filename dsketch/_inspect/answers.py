"""Look at a group of answers: which arrays it has, of how many targets, and the worst certificate; no chunk is read."""

import math
import os
from typing import Any

import numpy as np
import zarr

from dsketch._inspect.facts import StoredAnswers
from dsketch.errors import DataError
from dsketch.matrix.retrying import store_at


def answers_at(address: str | os.PathLike[str]) -> StoredAnswers | None:
    """Return what a group of answers at a path or URL says about itself; None where there is no such group.

    Raises
    ------
    DataError
        If who wrote it was interrupted.
    """
    try:
        group = zarr.open_group(store_at(os.fspath(address)), mode="r")
        told = group.attrs.asdict()
    except Exception:  # noqa: BLE001 - stores raise whatever they like; what is wrong is said where a matrix is opened
        return None
    if told.get("created_by") != "dsketch" or not isinstance(told.get("problem"), dict) or "status" not in told:
        return None
    if told.get("complete") is False:
        raise DataError(
            f"answers must be complete; {address} says that they are not: who wrote them was interrupted. Solve again."
        )
    found = dict(group.arrays())
    first = str(told.get("x", "x"))
    names = [first, *sorted(name for name in found if name != first and _is_field(found, found.get(first), name))]
    errors = [value for value in told.get("backward_error", []) if isinstance(value, int | float)]
    return StoredAnswers(
        address=os.fspath(address),
        problem=str(told["problem"].get("problem")),
        status=str(told["status"]),
        method=str(told.get("method")),
        arrays={name: (tuple(found[name].shape), str(found[name].dtype)) for name in names if name in found},
        chunks=tuple(found[first].chunks) if first in found else (),
        decoded_bytes=sum(math.prod(found[name].shape) * np.dtype(found[name].dtype).itemsize for name in names if name in found),
        worst=max(errors, default=None),
        sources=dict(told.get("sources", {})),
        certificate=dict(told.get("certificate", {})),
        notes=tuple(map(str, told.get("notes", ()))),
    )


def _is_field(found: dict[str, Any], first: Any, name: str) -> bool:
    """Whether an array is an answer: coordinates have the name of a dimension, or fewer of them than any answer."""
    dimensions = getattr(getattr(first, "metadata", None), "dimension_names", None) or ()
    return name not in dimensions and "long_name" in found[name].attrs
