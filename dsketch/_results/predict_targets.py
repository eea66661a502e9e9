"""Predictions of very many targets: new rows times x, some of both at a time, in memory where they fit, else written to Zarr."""

import os
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import zarr

from dsketch._linalg.arrays import Floats
from dsketch._linalg.threads import one_blas_thread
from dsketch._results.format import OURS
from dsketch._results.group import attributes_at, open_group
from dsketch._results.output import Output
from dsketch._results.rows import IN_MEMORY_BYTES
from dsketch._results.targets import TargetFit
from dsketch._units import format_bytes
from dsketch.engine.session import ProgressTo, say
from dsketch.errors import DataError, PlanError, SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns, in_order
from dsketch.matrix.retrying import store_at
from dsketch.problems import TargetRegression

_PIECE_BYTES = 32_000_000  # of predictions that are made and written at once
_ROWS = 256  # of a chunk of predictions, at least where there are so many

Box = tuple[slice, ...]


def require_agreement(parameters: dict[str, Any], said: bool | None) -> None:
    """Refuse an intercept that is said to be otherwise than the answer knows.

    Raises
    ------
    SpecError
    """
    known = bool(parameters.get("intercept"))
    if said is not None and said is not known:
        raise SpecError(f"intercept={known} is what the answer was solved with; got intercept={said}. Leave it out.")


def is_by_targets(answer: Any) -> bool:
    """Whether it is an answer of very many targets: made here, or a group at a path or URL that says so."""
    if isinstance(answer, TargetFit):
        return True
    return (
        isinstance(answer, str | os.PathLike)
        and (told := attributes_at(os.fspath(answer))) is not None
        and _problem_of(told) is not None
    )


def _problem_of(attributes: dict[str, Any]) -> dict[str, Any] | None:
    """Return the parameters of a problem of targets, of answers that workers of ours have written."""
    found = attributes.get("problem") if attributes.get("created_by") == "dsketch" else None
    return found if isinstance(found, dict) and found.get("problem") == TargetRegression.name else None


def predict_targets(
    answer: Any,
    A: Matrix,
    out: str | os.PathLike[str] | None,
    *,
    intercept: bool | None = None,
    overwrite: bool = False,
    progress: ProgressTo = None,
) -> "Floats | zarr.Array[Any]":
    """Return A x, plus the intercepts, shape (m, targets…); NaN for targets without an answer.

    Parameters
    ----------
    answer : TargetFit, path or URL
        Of which x has shape (d, targets…).
    A : Matrix, shape (m, d)
        New rows.
    out : path or URL, optional
        Where the predictions are written as a Zarr array.
    intercept : bool, optional
        Whether the last row of x belongs to a column of ones; the answer knows.
    overwrite : bool
    progress
        Is told in a sentence where columns changed places.

    Raises
    ------
    DataError
        If A has other columns, or a number of it is not finite.
    PlanError
        If the predictions are too large for memory and there is no ``out``.
    SpecError
        If ``intercept`` contradicts the answer, or ``out`` is a NumPy file.
    """
    if isinstance(answer, TargetFit):
        x, parameters, columns, source = answer.x, answer.problem.parameters, answer.columns, answer.path
    else:
        source = os.fspath(answer)
        arrays, attributes = open_group(source, ("x",))
        x, parameters, columns = arrays["x"], attributes["problem"], Columns.from_attributes(attributes)
    require_agreement(parameters, intercept)
    return _predict(x, A, out, bool(parameters.get("intercept")), columns, source, overwrite, progress)


def _predict(
    x: Any,
    A: Matrix,
    out: str | os.PathLike[str] | None,
    intercept: bool,
    columns: Columns | None,
    source: str | None,
    overwrite: bool,
    progress: ProgressTo,
) -> "Floats | zarr.Array[Any]":
    A, note = in_order(columns, A)
    if note is not None:
        say(note, progress)
    if A.shape[1] + intercept != x.shape[0]:
        raise DataError(
            f"A must have {x.shape[0] - intercept} columns, as many as x has coefficients{' beside the intercept' * intercept}; it has "
            f"{A.shape[1]}. Give rows of the same columns."
        )
    shape = (A.shape[0], *x.shape[1:])
    if out is None:
        if 8 * prod(shape) > IN_MEMORY_BYTES:
            raise PlanError(
                f"predictions of at most {format_bytes(IN_MEMORY_BYTES)} come back as an array; these take "
                f"{format_bytes(8 * prod(shape))}. Give out=, a path or URL to write them to (--out)."
            )
        found = np.empty(shape)
        _fill(found, x, A, intercept, _chunk_of(x, A))
        return found
    output = Output.at(out, overwrite=overwrite)
    if isinstance(output, Output) and output.is_npy:
        raise SpecError(f"a Zarr array was expected for predictions of targets; got {output.path.name}. Leave out .npy.")
    output.probe(8 * prod(shape), [A.source, source])
    chunk = _chunk_of(x, A)
    with output.fill(shape, chunk, {"rows_of": A.source, "answer": source, **OURS}) as target:
        _fill(target, x, A, intercept, chunk)
    return zarr.open_array(store_at(os.fspath(output.path)), mode="r")


def _chunk_of(x: Any, A: Matrix) -> tuple[int, ...]:
    """Return rows and targets of a piece: targets as x has them in a chunk, fewer along the first dimensions where these are many."""
    stored = x.chunks[1:] if isinstance(x, zarr.Array) else x.shape[1:]
    targets, height = [max(size, 1) for size in stored], min(_ROWS, max(A.shape[0], 1))
    for axis in range(len(targets)):
        beside = prod(targets) // targets[axis]
        targets[axis] = min(max(_PIECE_BYTES // (8 * height * beside), 1), targets[axis])
    return max(min(_PIECE_BYTES // (8 * prod(targets)), A.shape[0]), 1), *targets


def _fill(target: Any, x: Any, A: Matrix, intercept: bool, chunk: tuple[int, ...]) -> None:
    """Write the predictions, piece by piece; rows of A are read once, x once for each piece of them."""
    with one_blas_thread():
        for rows, X in _spans(A, chunk[0]):
            for box in _boxes(x.shape[1:], chunk[1:]):
                values = np.asarray(x[(slice(None), *box)])
                flat = values.reshape(len(values), -1)
                y = X @ flat[: A.shape[1]] + (flat[-1] if intercept else 0.0)
                target[(rows, *box)] = y.reshape(len(X), *values.shape[1:])


def _spans(A: Matrix, height: int) -> Iterator[tuple[slice, Floats]]:
    """Yield rows of A as numbers, cut where blocks of it end and where chunks of the predictions do."""
    for low, high in zip(A.cuts[:-1].tolist(), A.cuts[1:].tolist(), strict=True):
        block, start = np.asarray(A.read(low, high), np.float64), low
        _require_finite(block, low)
        while start < high:
            stop = min((start // height + 1) * height, high)
            yield slice(start, stop), block[start - low : stop - low]
            start = stop


def _require_finite(X: Floats, start: int) -> None:
    if (wrong := np.argwhere(~np.isfinite(X))).size:
        row, column = wrong[0].tolist()
        raise DataError(
            f"A must be finite; row {start + row}, column {column} is {X[row, column]}. Correct it, or leave the row out."
        )


def _boxes(shape: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[Box]:
    for place in np.ndindex(*(-(-size // step) for size, step in zip(shape, chunk, strict=True))):
        yield tuple(slice(at * step, min((at + 1) * step, size)) for at, step, size in zip(place, chunk, shape, strict=True))
