"""Predictions of very many targets: new rows times x, in memory where they fit, else written to Zarr by whoever reads the rows."""

import os
from math import prod
from typing import Any

import zarr

from dsketch._linalg.arrays import Floats
from dsketch._results.format import OURS
from dsketch._results.group import attributes_at, open_group
from dsketch._results.output import Output
from dsketch._results.rows import IN_MEMORY_BYTES
from dsketch._results.targets import TargetFit
from dsketch._units import format_bytes
from dsketch.engine.cluster import Cluster
from dsketch.engine.drive import Drive
from dsketch.engine.session import ProgressTo, listener, say
from dsketch.errors import DataError, PlanError, SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns, in_order
from dsketch.matrix.retrying import store_at
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.target_products import TargetAnswers, TargetProducts, WriteTargetProducts, align_to_pieces
from dsketch.problems import TargetRegression

_PIECE_BYTES = 32_000_000  # of predictions that are made and written at once
_ROWS = 256  # of a chunk of predictions, at least where there are so many


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
    cluster: Cluster,
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
    cluster : Cluster
        Whose workers read the rows, and write.
    intercept : bool, optional
        Whether the last row of x belongs to a column of ones; the answer knows.
    overwrite : bool
    progress
        Is told of the pass, and in a sentence where columns changed places.

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
    return _predict(x, A, out, bool(parameters.get("intercept")), columns, source, overwrite, cluster, progress)


def _predict(
    x: Any,
    A: Matrix,
    out: str | os.PathLike[str] | None,
    intercept: bool,
    columns: Columns | None,
    source: str | None,
    overwrite: bool,
    cluster: Cluster,
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
    A, chunk = _pieces_of(x, A)
    answers, rows = TargetAnswers(x, intercept, chunk), Rows(A)
    if out is None:
        if 8 * prod(shape) > IN_MEMORY_BYTES:
            raise PlanError(
                f"predictions of at most {format_bytes(IN_MEMORY_BYTES)} come back as an array; these take "
                f"{format_bytes(8 * prod(shape))}. Give out=, a path or URL to write them to (--out)."
            )
        values: Floats = _answer_look(Look(TargetProducts(answers), rows), cluster, progress)
        return values
    output = Output.at(out, overwrite=overwrite)
    if isinstance(output, Output) and output.is_npy:
        raise SpecError(f"a Zarr array was expected for predictions of targets; got {output.path.name}. Leave out .npy.")
    output.probe(8 * prod(shape), [A.source, source])
    with output.fill(shape, answers.chunk, {"rows_of": A.source, "answer": source, **OURS}) as target:
        _answer_look(Look(WriteTargetProducts(answers, target), rows), cluster, progress)
    return zarr.open_array(store_at(os.fspath(output.path)), mode="r")


def _answer_look(look: Look, cluster: Cluster, progress: ProgressTo) -> Any:
    with cluster.engine(look.rows) as engine, listener(progress) as tell:
        return Drive(engine, tell).run(_answer(look))


def _answer(look: Look) -> Flow[Any]:
    return (yield look)


def _pieces_of(x: Any, A: Matrix) -> tuple[Matrix, tuple[int, ...]]:
    """Return A in blocks of whole pieces, and rows and targets of a piece: targets as x has them in a chunk, fewer where these are many."""
    stored = x.chunks[1:] if isinstance(x, zarr.Array) else x.shape[1:]
    targets, least = [max(size, 1) for size in stored], min(_ROWS, max(A.shape[0], 1))
    for axis in range(len(targets)):
        beside = prod(targets) // targets[axis]
        targets[axis] = min(max(_PIECE_BYTES // (8 * least * beside), 1), targets[axis])
    A, height = align_to_pieces(A, _PIECE_BYTES // (8 * max(prod(targets), A.shape[1])))
    return A, (height, *targets)
