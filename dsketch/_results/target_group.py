"""A Zarr group of answers by target: made before the first tile, filled by the workers, in its place when all of it is there.

::

    OUT/x                  (d, targets…)     standard_errors, t, p likewise
    OUT/r_squared          (targets…)        residual_variance, counts, degrees_of_freedom, backward_error likewise
"""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from dsketch._results.dimensions import COLUMN, dimensions_of
from dsketch._results.output import Output
from dsketch._results.remote import RemoteOutput, require_complete
from dsketch.errors import DataError, SpecError
from dsketch.ingest.failure import writing
from dsketch.ingest.staged import keeping, staging
from dsketch.matrix.compat import wait_for
from dsketch.matrix.retrying import store_at
from dsketch.problems.targets.fields import FIELDS, Field
from dsketch.problems.targets.problem import TargetRegression


def fields_in(problem: TargetRegression) -> tuple[Field, ...]:
    """Return the arrays that an answer has."""
    return tuple(field for field in FIELDS if field.name in problem.field_names)


def answer_bytes(problem: TargetRegression) -> int:
    """Return the bytes of all arrays."""
    columns = problem.shape[1]
    return 8 * problem.sides * sum(columns if field.has_columns else 1 for field in fields_in(problem))


@contextmanager
def filling(
    out: Output | RemoteOutput, problem: TargetRegression, attributes: dict[str, Any], key: str
) -> Iterator["zarr.Group"]:
    """Yield a group to be filled; at the end, if all of it is there, it takes its place.

    Parameters
    ----------
    out : Output or RemoteOutput
    problem : TargetRegression
        Whose answers are written.
    attributes : dict
        What the group says about itself.
    key : str
        Of a run that goes on where it was interrupted: arrays may hold chunks already.  Empty: they hold none.

    Raises
    ------
    DataError
        If it cannot be written, something came to lie there, or chunks are missing at the end.
    """
    if isinstance(out, RemoteOutput):
        yield from _fill_remote(out, problem, attributes)
        return
    beside = keeping(out.path, key, overwrite=out.overwrite) if key else staging([out.path], overwrite=out.overwrite)
    with beside as found:
        part: Path = found if isinstance(found, Path) else found[0]
        with writing(out.path):
            group = (_find_begun(part, problem) if key else None) or _create(str(part), problem, attributes)
        yield group
        with writing(out.path):
            _require_all(group, problem)
            _consolidate(group)
            for left_behind in part.rglob("*.partial"):  # by a worker that was killed while it wrote
                left_behind.unlink()


def _fill_remote(out: RemoteOutput, problem: TargetRegression, attributes: dict[str, Any]) -> Iterator["zarr.Group"]:
    """Yield a group behind a URL, marked complete at the end."""
    out.probe(0)
    group = _create(out.path, problem, {**attributes, "complete": False})
    try:
        yield group
        _require_all(group, problem)
        group.update_attributes({"complete": True})
        _consolidate(group)
    except BaseException:
        with suppress(Exception):  # what is left is marked, and the first error is the one to tell
            wait_for(group.store.delete_dir(group.path))
        raise


def _create(address: str, problem: TargetRegression, attributes: dict[str, Any]) -> "zarr.Group":
    """Create the group with all its arrays, raw, of which no chunk may be left out."""
    group = zarr.create_group(store=store_at(address, read_only=False), attributes=attributes, overwrite=True, zarr_format=3)
    matrix: Any = problem.rows.A
    trailing, columns, names = problem.targets.trailing, problem.shape[1], dimensions_of(problem)
    piece = tuple(min(size, whole) for size, whole in zip(matrix.grid.piece, trailing, strict=True))
    for field in fields_in(problem):
        group.create_array(
            field.name,
            shape=(columns, *trailing) if field.has_columns else trailing,
            chunks=((columns, *piece) if field.has_columns else piece) or "auto",
            dtype=np.dtype(field.dtype).name,
            fill_value=np.nan if np.dtype(field.dtype).kind == "f" else 0,
            compressors=None,
            dimension_names=(COLUMN, *names) if field.has_columns else names,
            attributes={"long_name": field.help},
            config={"write_empty_chunks": True},  # an absent chunk must mean damage
        )
    return group


def _find_begun(part: Path, problem: TargetRegression) -> "zarr.Group | None":
    """Return a group that an earlier run began to fill; None, and nothing left of it, where arrays are not as they are to be."""
    try:
        found = zarr.open_group(str(part), mode="r+")
        shapes = {field.name: _array(found, field.name).shape[-1:] for field in fields_in(problem)}
    except (FileNotFoundError, ValueError, KeyError):
        shutil.rmtree(part, ignore_errors=True)
        return None
    del shapes
    return found


def _require_all(group: "zarr.Group", problem: TargetRegression) -> None:
    for field in fields_in(problem):
        require_complete(_array(group, field.name))


def _consolidate(group: "zarr.Group") -> None:
    """Write what readers of many arrays look for first: the metadata of all of them in one place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # format 3 does not know of it yet, and zarr says so; xarray warns where it is not there
        zarr.consolidate_metadata(group.store, path=group.path)


def _array(group: "zarr.Group", name: str) -> "zarr.Array[Any]":
    found = group[name]
    if not isinstance(found, zarr.Array):
        raise KeyError(name)
    return found


def open_group(address: str) -> dict[str, "zarr.Array[Any]"]:
    """Return the arrays of answers at a place, opened.

    Raises
    ------
    DataError
        If there are none, or they are not complete.
    """
    try:
        group = zarr.open_group(store_at(address), mode="r")
        arrays = {field.name: _array(group, field.name) for field in FIELDS if field.name in group}
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise DataError(f"answers by target were expected at {address}; there are none. Check the path.") from error
    if group.attrs.get("complete") is False:
        raise DataError(
            f"answers must be complete; {address} says that they are not: who wrote them was interrupted. Solve again."
        )
    return arrays


def is_written(out: Output | RemoteOutput, key: str) -> bool:
    """Whether the answers of this very run lie at a place, all of them; never of a run without a key."""
    if not key:
        return False
    try:
        found = zarr.open_group(store_at(os.fspath(out.path)), mode="r").attrs
    except (FileNotFoundError, ValueError):
        return False
    return found.get("run") == key and found.get("complete") is not False


def require_folder_name(out: Output | RemoteOutput | None) -> None:
    """Refuse a NumPy file as the place of several arrays.

    Raises
    ------
    SpecError
    """
    if isinstance(out, Output) and out.is_npy:
        raise SpecError(f"a folder for a Zarr group was expected; got {out.path.name}. Leave out .npy.")
