"""Predict: what an answer says of new rows, in memory where it fits, else written to Zarr by whoever reads the rows."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Unpack

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._results.choices import spell_out
from dsketch._results.format import OURS
from dsketch._results.output import Output, words_of
from dsketch._results.predict_targets import is_by_targets, predict_targets, require_agreement
from dsketch._results.read import StoredX, numbers_of, read_x, too_large
from dsketch._results.remote import RemoteOutput
from dsketch._results.rows import IN_MEMORY_BYTES
from dsketch._results.run_header import make_problem
from dsketch._results.solution import Solution
from dsketch._units import format_bytes
from dsketch.engine.cluster import Cluster, ClusterChoices
from dsketch.engine.drive import Drive
from dsketch.engine.session import ProgressTo, listener, say
from dsketch.errors import DataError, PlanError, SpecError
from dsketch.losses.base import Loss
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.columns import Columns, in_order
from dsketch.matrix.open import open_matrix
from dsketch.matrix.retrying import store_at
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.mean_response import MeanResponse
from dsketch.passes.rowwise import RowPass
from dsketch.passes.writing import Writing, align_to_chunks
from dsketch.problems import PROBLEMS, Problem, TargetRegression
from dsketch.problems.affine import ShiftedProblem, centred_look, linear_look
from dsketch.problems.linear.centring import Centre, read_centre
from dsketch.problems.smooth.problem import mean_look


@spell_out
def predict(
    answer: Any,
    A: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    intercept: bool | None = None,
    offset: Any = None,
    missing: str = "error",
    progress: ProgressTo = None,
    **options: Unpack[ClusterChoices],
) -> "NDArray[np.float64] | zarr.Array[Any]":
    """Return what an answer predicts for the rows of a new matrix; one pass over it.

    Parameters
    ----------
    answer : Solution, path, URL or array
        A solution; what ``dsketch solve --out`` wrote (it knows its problem); or any x of shape (d,) or (d, k).
    A : path, URL, zarr.Array, ndarray, dask array or table in memory, shape (m, d)
        New rows; m may be anything.  Where the answer and A both know the names of columns, they are matched by these.
    out : path or URL, optional
        Where to write the predictions as a Zarr array of shape (m,) or (m, k), block by block, by the workers that read the rows.
        None: they are returned as an array.
    overwrite : bool
        Replace what is at ``out``.
    intercept : bool, optional
        Whether the last row of a bare x is an intercept; a Solution and a stored x know.
    offset : path, URL, zarr.Array, ndarray or dask array, shape (m,), optional
        Of a generalised linear model: added to aᵀx of each new row, as ``offset`` was on solving.  None: 0, which is said where the
        answer was solved with one.
    missing : {"error", "fill"}
        What an absent chunk of A means.
    progress
        As in :func:`dsketch.solve`.
    **options
        ``cluster, memory_limit, workers, threads, replicas`` as in :func:`dsketch.plan`.

    Returns
    -------
    ndarray or zarr.Array
        The array at ``out``, opened, if that is given.

    Raises
    ------
    SpecError
        If the problem predicts nothing, takes no offset, or ``intercept`` contradicts what the answer knows.
    DataError
        If shapes, names or levels of columns do not fit, a number of x or A is not finite, or ``out`` cannot be written.
    PlanError
        If the predictions are too large for memory and there is no ``out``.
    EngineError

    Notes
    -----
    For least squares and ridge A x plus the intercept.  At ``out`` stands the whole result or what stood there before, whoever dies.

    Examples
    --------
    >>> predict(np.array([2.0, 3.0]), np.eye(2))
    array([2., 3.])
    """
    cluster = Cluster.of(options)
    if is_by_targets(answer):
        _refuse_offset(offset)
        rows = open_matrix(A, missing=missing, what="A")
        return predict_targets(answer, rows, out, cluster=cluster, intercept=intercept, overwrite=overwrite, progress=progress)
    beside = None if offset is None else open_matrix(offset, missing=missing, what="offset")
    rule = replace(_rule_of(answer, intercept), offset=beside)
    return _predict_rows(rule, open_matrix(A, missing=missing, what="A"), out, overwrite, cluster, progress)


def predict_by(
    problem: Problem,
    x: Floats,
    A: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    cluster: Cluster,
    progress: ProgressTo = None,
) -> "NDArray[np.float64] | zarr.Array[Any]":
    """Return what an answer x to a problem, from wherever it comes, predicts; otherwise as :func:`predict`."""
    return _predict_rows(_by(problem, x), open_matrix(A, what="A"), out, False, cluster, progress)


def predict_centred(
    centre: Centre, A: Any, out: str | os.PathLike[str] | None = None, *, cluster: Cluster, progress: ProgressTo = None
) -> "NDArray[np.float64] | zarr.Array[Any]":
    """Return what an answer for shifted columns predicts; otherwise as :func:`predict`."""
    rule = _Rule(partial(centred_look, shift=centre.shift), centre.x, {})
    return _predict_rows(rule, open_matrix(A, what="A"), out, False, cluster, progress)


def predict_means(
    loss: Loss,
    x: Floats,
    A: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    shift: AnyArray | None = None,
    cluster: Cluster,
    progress: ProgressTo = None,
) -> "NDArray[np.float64] | zarr.Array[Any]":
    """Return the means of a loss for new rows, whose columns x may see shifted; x has a row for an intercept, shape (d + 1, outputs).

    Otherwise as :func:`predict`.
    """
    count = loss.mean(np.zeros((1, x.shape[1]))).shape[1]

    def look(x: Floats, A: Matrix) -> Look:
        return mean_look(loss, x, A, intercept=True, shift=shift)

    rule = _Rule(look, x[:, 0] if count == 1 else x, {}, wide=None if count == 1 else count)
    return _predict_rows(rule, open_matrix(A, what="A"), out, False, cluster, progress)


# ---- what an answer predicts by ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    """How to predict: x, the look that it takes at a new matrix, where both come from, and how many numbers a row has if x does not say.

    ``offset`` is that of the new rows, if one was given.
    """

    predictor: Callable[[Floats, Matrix], Look]
    x: Floats
    attributes: dict[str, Any]
    source: str | None = None
    columns: Columns | None = None
    wide: int | None = None
    offset: Matrix | None = None

    @property
    def sides(self) -> int:
        """Numbers of a row: right-hand sides k, or as the problem says."""
        return int(self.x.size // len(self.x)) if self.wide is None else self.wide

    def look(self, A: Matrix) -> Look:
        """Return the look at new rows.

        Raises
        ------
        SpecError
            If an offset was given for what takes none.
        DataError
            If it has another number of rows.
        """
        look = self.predictor(self.x.reshape(len(self.x), -1), A)
        if self.offset is None:
            return look
        if not isinstance(look.pass_, MeanResponse) or self.wide is not None:
            raise SpecError(
                "offset is for answers of generalised linear models (glm); this answer predicts without one. Leave it out."
            )
        if self.offset.shape != (A.shape[0], 1):
            raise DataError(
                f"offset must be a vector with one number for each of the {A.shape[0]} new rows; its shape is {self.offset.shape}. "
                "Check that both come from the same data."
            )
        return Look(replace(look.pass_, has_offset=True), replace(look.rows, b=self.offset))

    @property
    def doubt(self) -> str | None:
        """A sentence where the answer was solved with an offset, and none is given now."""
        if self.offset is not None or "offset" not in self.attributes.get("sources", {}):
            return None
        return "the answer was solved with an offset; these predictions are at offset 0: give offset (--offset) for the new rows' own"

    def shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of the predictions: (m,) for a vector x, else (m, k)."""
        return (rows, *self.x.shape[1:]) if self.wide is None else (rows, self.wide)


def _rule_of(answer: Any, intercept: bool | None) -> _Rule:
    if isinstance(answer, Solution):
        return _of_solution(answer, intercept)
    source = os.fspath(answer) if isinstance(answer, str | os.PathLike) else None
    x, attributes = _read_answer(answer)
    if x.ndim == 0 or x.size == 0:
        raise DataError(f"x must have shape (d,), (d, k) or (d, …); it has {x.shape}. Check where it comes from.")
    columns = Columns.from_attributes(attributes) if attributes.get("created_by") == "dsketch" else None
    kept: dict[str, Any] = {
        name: attributes[name]
        for name in ("problem", "sources", "centred")
        if attributes.get("created_by") == "dsketch" and name in attributes
    }
    if "problem" not in kept:
        hint = "" if intercept else ", or say intercept if the last row of x is one"
        return _Rule(partial(linear_look, intercept=bool(intercept), hint=hint), x, kept, source, columns)
    require_agreement(attributes["problem"], intercept)
    if _is_linear(attributes["problem"]):
        if (centre := read_centre(kept, x)) is not None:
            return _Rule(partial(centred_look, shift=centre.shift), centre.x, kept, source, columns)
        return _Rule(partial(linear_look, intercept=bool(attributes["problem"].get("intercept"))), x, kept, source, columns)
    known = PROBLEMS[attributes["problem"]["problem"]].predictor_from(attributes["problem"])
    if known is not None:
        if (centre := read_centre(kept, x)) is not None:
            return _Rule(partial(known.look, shift=centre.shift), centre.x, kept, source, columns, known.sides)
        return _Rule(known.look, x, kept, source, columns, known.sides)
    problem = _remake_problem(attributes, columns)
    return _Rule(problem.predictor, x, kept, source, columns, problem.prediction_sides)


def _read_answer(answer: Any) -> StoredX:
    """Return an x with what it says about itself, wherever it comes from."""
    if isinstance(answer, StoredX):
        return answer
    return read_x(answer) if isinstance(answer, str | os.PathLike | zarr.Array) else StoredX(numbers_of(answer), {})


def _of_solution(solution: Solution, intercept: bool | None) -> _Rule:
    problem = solution.problem
    require_agreement(problem.parameters, intercept)
    if isinstance(problem, ShiftedProblem) and problem.rows.shift is not None:
        x = problem.told_for_shifted(solution.answer)  # the intercept of the solution's has lost digits to its offset
        words, wide = words_of(problem), problem.prediction_sides
        return _Rule(problem.centred_predictor, x.reshape(solution.x.shape), words, columns=problem.columns, wide=wide)
    return _by(problem, np.asarray(solution.x))


def _by(problem: Problem, x: Floats) -> _Rule:
    return _Rule(problem.predictor, x, words_of(problem), columns=problem.columns, wide=problem.prediction_sides)


def _refuse_offset(offset: Any) -> None:
    if offset is not None:
        raise SpecError("offset is for answers of generalised linear models (glm); these are of targets. Leave it out.")


def _is_linear(parameters: dict[str, Any]) -> bool:
    if parameters.get("problem") == TargetRegression.name:
        return True
    kind = PROBLEMS.get(str(parameters.get("problem")))
    if kind is None:
        raise SpecError(
            f"x must be the answer to one of {', '.join(PROBLEMS)}; it says {parameters.get('problem')!r}. Use the version that wrote it."
        )
    return kind.predicts_linearly


def _remake_problem(attributes: dict[str, Any], columns: Columns | None) -> Problem:
    """Return the problem of an answer that needs its data; they are opened again.

    Raises
    ------
    SpecError
        If they were in memory.
    DataError
        If A has other columns by now.
    """
    sources = attributes.get("sources", {})
    if lost := [name for name, source in sources.items() if source is None]:
        raise SpecError(
            f"predictions of {attributes['problem']['problem']} read its {', '.join(lost)} again; when x was written they were in "
            "memory. Predict with the Solution, or solve from a path."
        )
    problem = make_problem(attributes["problem"], sources)
    if columns is not None and problem.columns is not None and columns.order_in(problem.columns, "its A") is not None:
        raise DataError(
            f"A with the columns of x in their order was expected at {sources.get('A')}; they are {', '.join(problem.columns.names)}. "
            "Solve again, or put back the A that x belongs to."
        )
    return problem


# ---- the pass ----------------------------------------------------------------------------------------------------------


def _predict_rows(
    rule: _Rule, A: Matrix, out: str | os.PathLike[str] | None, overwrite: bool, cluster: Cluster, progress: ProgressTo
) -> "NDArray[np.float64] | zarr.Array[Any]":
    A, note = in_order(rule.columns, A)
    look = rule.look(A)
    for sentence in (note, rule.doubt):
        if sentence is not None:
            say(sentence, progress)
    if out is None:
        return _gather(look, rule, cluster, progress)
    return _write_rows(look, rule, Output.at(out, overwrite=overwrite), cluster, progress)


def _gather(look: Look, rule: _Rule, cluster: Cluster, progress: ProgressTo) -> Floats:
    count = 8 * look.rows.shape[0] * rule.sides
    if count > IN_MEMORY_BYTES:
        raise PlanError(
            f"predictions of at most {format_bytes(IN_MEMORY_BYTES)} come back as an array; these take {format_bytes(count)}. Give "
            "out=, a path or URL to write them to."
        )
    values: Floats = _answer_look(look, rule, cluster, progress)
    return values.reshape(rule.shape(len(values)))


def _write_rows(
    look: Look, rule: _Rule, output: "Output | RemoteOutput", cluster: Cluster, progress: ProgressTo
) -> "zarr.Array[Any]":
    A, chunk_rows = align_to_chunks(look.rows.A)
    rows = replace(look.rows, A=A)
    output.probe(8 * rows.shape[0] * rule.sides, [rows.A.source, rule.source, *rule.attributes.get("sources", {}).values()])
    attributes = {"rows_of": rows.A.source, "answer": rule.source, "answers": rule.attributes.get("problem"), **OURS}
    with output.fill(rule.shape(rows.shape[0]), chunk_rows, attributes) as target:
        _answer_look(Look(Writing(look.pass_, target, rule.sides), rows), rule, cluster, progress)
    return zarr.open_array(store_at(str(output.path)), mode="r")


def _answer_look(look: Look, rule: _Rule, cluster: Cluster, progress: ProgressTo) -> Any:
    with cluster.engine(look.rows) as engine, listener(progress) as tell:
        return Drive(engine, tell, suspect=too_large(rule.x)).run(_answer(look))


def _answer(look: Look) -> Flow[Any]:
    """Return what a look finds, after the one ahead that it may need."""
    pass_ = look.pass_.inner if isinstance(look.pass_, Writing) else look.pass_
    if isinstance(pass_, RowPass) and (ahead := pass_.ahead()) is not None:
        pass_ = pass_.informed_by((yield Look(ahead, look.rows)))
        look = Look(replace(look.pass_, inner=pass_) if isinstance(look.pass_, Writing) else pass_, look.rows)
    return (yield look)
