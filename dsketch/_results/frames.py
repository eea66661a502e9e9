"""An answer by its labels: as a Dataset of xarray, or a frame of pandas."""

import importlib
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr

from dsketch._linalg.arrays import Floats
from dsketch._results.dimensions import targets_of
from dsketch._results.group import consolidate
from dsketch.errors import SpecError
from dsketch.matrix.labels import COLUMN, Labels, coordinates_of, label_targets, name_dimensions
from dsketch.matrix.retrying import store_at
from dsketch.problems import Problem
from dsketch.problems.tables import name_coefficients
from dsketch.problems.targets.problem import TargetRegression

# Attributes of tables of coefficients, of least squares and of generalised linear models, and what they are called beside x.
BY_COEFFICIENT = {
    "standard_errors": "standard_errors",
    "t_values": "t",
    "test_values": "test",
    "p_values": "p",
    "is_estimable": "is_estimable",
}
BY_TARGET = {"r_squared": "r_squared", "residual_variance": "residual_variance"}


def require_package(package: str, what: str, extra: str = "") -> Any:
    """Return a package that may not be installed.

    Raises
    ------
    SpecError
        Naming what to install.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        wanted = f"'dsketch[{extra}]'" if extra else package
        raise SpecError(f"{what} needs {package}, which is not installed. pip install {wanted}.") from error


def target_names(problem: Problem) -> tuple[str, ...] | None:
    """Return the names of the columns of b, where it has one dimension of targets and they have names."""
    labels = targets_of(problem)
    return (
        tuple(map(str, np.asarray(labels.coords[labels.dims[0]]).tolist()))
        if len(labels.dims) == 1 and labels.dims[0] in labels.coords
        else None
    )


def names_of_rows(problem: Problem, rows: int) -> tuple[str, ...]:
    """Return the names of the rows of x."""
    columns, is_appended = problem.columns, bool(problem.parameters.get("intercept"))
    own = None if columns is None or len(columns.names) + is_appended != rows else columns.names
    return name_coefficients(own, None, rows - is_appended, is_appended)


def to_dataset(solution: Any, summary: Any = None) -> Any:
    """Return x and its certificate as an ``xarray.Dataset``; with a summary also what it says.

    Raises
    ------
    SpecError
        If xarray is not installed, or x belongs neither to columns nor to rows of A.
    """
    xr = require_package("xarray", "to_xarray", "xarray")
    if isinstance(solution.problem, TargetRegression):
        return _by_tiles(xr, solution)
    if solution.problem.answers_rows:
        return _by_rows(xr, solution)
    x, labels = _with_rows(solution)
    found = {"x": _by_coefficient(labels, x), **_by_target(labels, vars(solution.certificate), {})}
    if summary is not None:
        found |= {
            told: _by_coefficient(labels, _whole(getattr(summary, name), x.shape))
            for name, told in BY_COEFFICIENT.items()
            if hasattr(summary, name)
        }
        found |= _by_target(labels, vars(summary), BY_TARGET)
        found |= {"counts": ((), summary.rows), "degrees_of_freedom": ((), summary.residual_degrees)}
    return _with_coordinates(xr.Dataset(found), solution, labels)


def _by_tiles(xr: Any, solution: Any) -> Any:
    """Return the arrays of answers by target: as they are, or, where they were written, opened lazily."""
    labels = targets_of(solution.problem)
    if solution.path is not None:
        return _with_coordinates(xr.open_zarr(solution.path), solution, labels)
    dims = name_dimensions(labels.dims)
    arrays = {
        name: ((COLUMN, *dims) if np.ndim(values) > len(dims) else dims, values) for name, values in solution.arrays.items()
    }
    return _with_coordinates(xr.Dataset(arrays), solution, labels)


def _by_rows(xr: Any, solution: Any) -> Any:
    """Return the arrays with a row for each of A's (of marginal regressions for each column of G); what was written is opened lazily."""
    problem = solution.problem
    rows, beside = labels_of_rows(problem)
    arrays = dict(solution.fields) or {"x": solution.x}
    row = COLUMN if rows.dims == (COLUMN,) and not rows.coords else name_dimensions(rows.dims)[0]
    dims, found = (row, *(name_dimensions(beside.dims) or ("target",))), {}
    for name, values in arrays.items():
        lazy = importlib.import_module("dask.array").from_zarr(values) if hasattr(values, "store") else values
        found[name] = (dims[: len(lazy.shape)], lazy)
    made = xr.Dataset(found).assign_coords(coordinates_of(rows)).assign_coords(coordinates_of(beside))
    return made.assign_attrs(_tell(solution))


def labels_of_rows(problem: Problem) -> tuple[Labels, Labels]:
    """Return the labels of the rows of an answer with a row for each of A's, and those of its columns."""
    data, wrt = problem.data(), str(problem.parameters.get("wrt", ""))
    names = (wrt, wrt) if wrt else ("Q", "V") if "Q" in data else ("G", "Y") if "G" in data else ("A", "")
    source, beside = (data.get(name) for name in names)
    assert source is not None  # noqa: S101 - for type checkers: what has rows has data
    of_rows = source.row_labels or Labels((COLUMN if "G" in data else "row",), (source.shape[0],))
    if beside is None or beside.is_vector:
        return of_rows, beside.labels if beside is not None and beside.labels is not None else Labels((), ())
    if beside.labels is not None:
        return of_rows, beside.labels
    if beside.trailing:
        return of_rows, Labels(tuple(f"target_{number}" for number in range(len(beside.trailing))), beside.trailing)
    return of_rows, label_targets(beside.names, beside.shape[1])


def _with_coordinates(made: Any, solution: Any, labels: Labels) -> Any:
    """Return a Dataset with the names of A's columns and the coordinates of the targets, and how it was found."""
    names = names_of_rows(solution.problem, made.sizes[COLUMN])
    return made.assign_coords({COLUMN: list(names)}).assign_coords(coordinates_of(labels)).assign_attrs(_tell(solution))


def _tell(solution: Any) -> dict[str, str]:
    told = {"status": solution.status.name.lower(), "message": solution.status.value, "method": solution.method}
    return {**told, "problem": solution.problem.parameters["problem"]}


def keep_labels(path: str, problem: Problem) -> None:
    """Write names of A's columns and coordinates of targets beside the arrays of a written answer, for whoever opens the group later.

    Coordinates of xarray's that no store holds (of several levels, dates of other calendars, objects) are left out.
    """
    labels, names = targets_of(problem), {}
    if isinstance(problem, TargetRegression) and problem.columns is not None:
        names[COLUMN] = names_of_rows(problem, problem.shape[1])
    if "G" in problem.data():
        names |= {
            name: texts for name, each in zip((COLUMN, "target"), labels_of_rows(problem), strict=True) if (texts := _texts(each))
        }
    elif hasattr(labels.coords, "to_dataset"):
        _keep_coordinates(path, coordinates_of(labels).to_dataset())
    else:
        names |= {name: tuple(map(str, values)) for name, values in labels.coords.items()}
    if not names:
        return
    group = zarr.open_group(store_at(path, read_only=False), mode="r+")
    for name, texts in names.items():
        array = group.create_array(name, shape=(len(texts),), dtype=str, dimension_names=(name,), overwrite=True)
        array[...] = np.array(texts, dtype=object)
    consolidate(group)


def _texts(labels: Labels) -> tuple[str, ...]:
    """Return the names along the first dimension; none where it has none."""
    known = labels.coords.get(labels.dims[0]) if labels.dims else None
    return () if known is None else tuple(map(str, np.asarray(known).tolist()))


def _keep_coordinates(path: str, coords: Any) -> None:
    """Write the coordinates of a Dataset of xarray that has nothing else."""
    several = {name for name, index in coords.indexes.items() if index.nlevels > 1}
    texts = {name: found.astype(object) for name, found in coords.variables.items() if _is_text(found)}
    plain = {name for name, found in coords.variables.items() if found.dtype.kind in "biufM" or name in texts} - several
    kept = coords.drop_vars([name for name in coords.variables if name not in plain])
    kept = kept.assign_coords({name: found for name, found in texts.items() if name in plain})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # format 3 does not know of consolidated metadata, and zarr says so
        kept.drop_encoding().to_zarr(path, mode="a", consolidated=True)


def _is_text(variable: Any) -> bool:
    kind = variable.dtype.kind
    return kind in "UT" or (kind == "O" and all(isinstance(value, str) for value in np.ravel(variable.to_numpy())))


def to_frame(solution: Any) -> Any:
    """Return x as a ``pandas.Series`` (b is a vector) or ``DataFrame``, a column for each target.

    Raises
    ------
    SpecError
        If pandas is not installed, or x has a number for each row of A.
    """
    pd = require_package("pandas", "to_pandas")
    x, labels = _with_rows(solution)
    index = pd.Index(names_of_rows(solution.problem, len(x)), name=COLUMN)
    if not labels.dims:
        return pd.Series(x, index=index, name=labels.name)
    levels = [_level(labels, dim, size) for dim, size in zip(labels.dims, labels.shape, strict=True)]
    columns = (
        pd.Index(levels[0], name=labels.dims[0]) if len(levels) == 1 else pd.MultiIndex.from_product(levels, names=labels.dims)
    )
    return pd.DataFrame(x.reshape(len(x), -1), index=index, columns=columns)


def _with_rows(solution: Any) -> tuple[Floats, Labels]:
    """Return x with a dimension for each of the targets', and their labels."""
    if not solution.problem.x_has_columns or solution.problem.answers_rows:
        raise SpecError(
            f"an x that belongs to the columns of A was expected; that of {solution.problem.parameters['problem']} does not. Use its x."
        )
    x = np.asarray(solution.x)
    labels = targets_of(solution.problem)
    if math.prod(labels.shape) != math.prod(x.shape[1:]):  # classes, points of a path
        labels = label_targets(None, math.prod(x.shape[1:]))
    return x.reshape(len(x), *labels.shape), labels


def _by_coefficient(labels: Labels, values: Floats) -> tuple[tuple[str, ...], Floats]:
    return (COLUMN, *name_dimensions(labels.dims)), values.reshape(len(values), *labels.shape)


def _by_target(labels: Labels, values: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    """Return the arrays with one number a target, by the words for them; without ``words`` all there are."""
    size = math.prod(labels.shape)
    chosen = {words.get(name, name): np.asarray(value) for name, value in values.items() if not words or name in words}
    return {
        name: (name_dimensions(labels.dims), value.reshape(labels.shape))
        for name, value in chosen.items()
        if value.size == size and value.dtype.kind in "fiu" and (words or value.ndim == 1)
    }


def _whole(values: Any, shape: Sequence[int]) -> Floats:
    """Return numbers by coefficient in the shape of x: those that are the same for all targets are repeated."""
    found = np.asarray(values)
    return (
        found.reshape(shape)
        if found.size == math.prod(shape)
        else np.broadcast_to(found.reshape(-1, *[1] * (len(shape) - 1)), shape)
    )


def _level(labels: Labels, dim: str, size: int) -> Any:
    return np.asarray(labels.coords[dim]) if dim in labels.coords else np.arange(size)
