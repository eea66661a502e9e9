"""The problems that are not linear, a power or a kernel, and a stored example of each, made from what it asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS
from dsketch.testing.examples import data_of

OTHERS = (
    *(name for name in PROBLEMS if name not in ("lstsq", "ridge", "heads") and "kernel" not in name and "gram" not in name),
)
OPTIONS: dict[str, dict[str, Any]] = {
    "elastic-net": {"alpha": 1e-4},
    "elastic-net-path": {"alphas": 9, "folds": 3},
    "two-layer": {"alpha": 1e-3},
    "attention-layer": {"alpha": 1e-2},
}
AT_ONCE = ("marginal",)  # answered in one pass, which is in no journal
WITH_METHOD = tuple((name, method) for name in OTHERS for method in PROBLEMS[name].methods)


def stored_example(folder: Path, name: str, chunk_rows: int = 15, method: str = "") -> Mapping[str, Any]:
    """Store each matrix that a problem must be given in raw chunks; return all that it must be given: paths, and lists of numbers."""
    arrays, given = data_of(PROBLEMS[name], method), dict[str, Any]()
    for option in PROBLEMS[name].inputs:
        array = arrays[option.name]
        given[option.name] = array.tolist()
        if option.kind is Matrix:
            given[option.name] = str(folder / f"{option.name}-{chunk_rows}.zarr")
            chunks = (min(chunk_rows, len(array)), *array.shape[1:])
            zarr.create_array(store=given[option.name], data=array, chunks=chunks, compressors=None)
    return given


def made(name: str, given: Mapping[str, Any], **options: Any) -> Any:
    """Return the problem of that name."""
    kind: Any = PROBLEMS[name]
    return kind(**given, **OPTIONS.get(name, {}), **options)


def are_same(first: Any, second: Any) -> bool:
    """Whether x, status, notes, certificate and passes of two solutions agree bit for bit."""
    mine, other = vars(first.certificate), vars(second.certificate)
    return (
        np.asarray(first.x[...]).tobytes() == np.asarray(second.x[...]).tobytes()
        and (first.status, first.notes) == (second.status, second.notes)
        and mine.keys() == other.keys()
        and all(np.array_equal(mine[word], other[word], equal_nan=_is_real(mine[word])) for word in mine)
        and [record.kind for record in first.passes] == [record.kind for record in second.passes]
    )


def _is_real(value: Any) -> bool:
    return np.asarray(value).dtype.kind == "f"
