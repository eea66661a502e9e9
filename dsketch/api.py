"""The verbs: open, plan, solve, resume, check, predict."""

import os
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypeVar

from dsketch._linalg.threads import one_blas_thread
from dsketch._results.fitting import fitting
from dsketch._results.make_plan import make_plan
from dsketch._results.plan import Plan
from dsketch._results.predict import predict
from dsketch._results.read import too_large
from dsketch._results.run_header import describe_run, problem_of, settings_of
from dsketch._results.solution import Solution
from dsketch.engine import Engine, connect_engine
from dsketch.engine.drive import Drive
from dsketch.engine.journal import Journal
from dsketch.engine.session import Progress, engine_for, listener, say
from dsketch.errors import JournalError, SpecError
from dsketch.events import Converged, Note
from dsketch.matrix.open import open_matrix
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.problems import LeastSquares, Problem, Ridge
from dsketch.problems.outcome import Certificate
from dsketch.settings import Settings

_SETTINGS = tuple(field.name for field in fields(Settings))
T = TypeVar("T")


def plan(
    problem: Problem,
    *,
    tol: float | None = None,
    method: str = "auto",
    sketch: str = "sparse_sign",
    sketch_rows: int | None = None,
    seed: int = 0,
    features: str = "auto",
    rank: int | None = None,
    cluster: Any = None,
    memory_limit: str | int | None = None,
    workers: int | None = None,
    threads: int | None = None,
) -> Plan:
    """Say how a problem would be solved and what that would cost; reads a few blocks, solves nothing.

    Parameters
    ----------
    problem : Problem
        :class:`LeastSquares`, :class:`Ridge`, or any of :mod:`dsketch.problems`.
    tol : float, optional
        Backward error to reach, relative to ‖A‖_F.  None: as accurate as Householder QR.
    method : str
        ``"auto"``, or one that the problem knows; for least squares and ridge ``cholesky, conjugate_gradient, gradient_descent,
        gram, sketch_and_solve, tsqr, whitened``.
    sketch : str
        One of ``block_srht, count_sketch, gaussian, sparse_sign``.
    sketch_rows : int, optional
        Rows m of the sketch; None: a multiple of d that fits its use.
    seed : int
        Of all random words; the same seed gives the same bits.
    features : str
        Of a kernel: ``"auto"``, or the family of features that preconditions or replaces it.
    rank : int, optional
        How many features; None: the rule of the family.
    cluster : optional
        None: for stored data and dask arrays the active ``distributed.Client``, if there is one; else this process for data in memory
        or below 256 MB and inside a Dask task, else an own LocalCluster.  ``"serial"`` (this process), ``"local"`` (an own
        LocalCluster), an address, the path of a scheduler file, a ``distributed.Client`` or a cluster object.
    memory_limit : str or int, optional
        Per worker; what the plan may count on, and the limit of an own LocalCluster.  Alone it starts none for data in memory.
    workers, threads : int, optional
        Size of an own LocalCluster; either of them asks for one.

    Returns
    -------
    Plan

    Raises
    ------
    SpecError, DataError, PlanError, EngineError
    """
    settings = Settings(tol, sketch, sketch_rows, seed, features, rank)
    options = {"cluster": cluster, "memory_limit": memory_limit, "workers": workers, "threads": threads}
    with connect_engine(cluster, problem.rows, workers=workers, threads=threads, memory=memory_limit) as engine:
        return make_plan(problem, method, settings, engine, memory_limit, options)


def solve(
    problem: Problem | Plan,
    *,
    journal: str | os.PathLike[str] | None = None,
    progress: Progress = None,
    **choices: Any,
) -> Solution:
    """Solve a problem, or carry out a plan.

    Parameters
    ----------
    problem : Problem or Plan
    journal : path or URL, optional
        Where to record each finished pass.  If it holds records of this very run, they are replayed and the run goes on.
    progress : bool or callable, optional
        None: a bar if standard error is a terminal.  A callable is handed the events of :mod:`dsketch.events`.
    **choices
        ``tol, method, sketch, sketch_rows, seed, features, rank, cluster, memory_limit, workers, threads`` as in :func:`plan`; for a
        Plan, which has them already, only ``cluster``.

    Returns
    -------
    Solution

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> A = np.arange(12.0).reshape(6, 2) ** 2
    >>> solution = solve(LeastSquares(A, A @ [1.0, 2.0]))
    >>> solution.x.round(12), solution.status.name
    (array([1., 2.]), 'SOLVED')
    """
    if isinstance(problem, Plan):
        made = replace(problem, options={**problem.options, **choices})
        if unknown := sorted(set(choices) - {"cluster"}):
            raise SpecError(f"a Plan has its choices already; got {', '.join(unknown)} besides. Make another plan with them.")
        with engine_for(made.problem.rows, made.options) as engine:
            return _carry_out(made, engine, journal, progress)
    names = {*_SETTINGS, "method", "cluster", "memory_limit", "workers", "threads"}
    if unknown := sorted(set(choices) - names):
        raise SpecError(f"the keyword arguments are {', '.join(sorted(names))}, journal and progress; got {', '.join(unknown)}.")
    options = {name: choices.get(name) for name in ("cluster", "memory_limit", "workers", "threads")}
    settings = Settings(**{name: choices[name] for name in _SETTINGS if name in choices})
    with engine_for(problem.rows, options) as engine:
        made = _plan_or_record(problem, choices.get("method", "auto"), settings, engine, options, journal)
        return _carry_out(made, engine, journal, progress)


def resume(
    journal: str | os.PathLike[str],
    *,
    problem: Problem | None = None,
    cluster: Any = None,
    progress: Progress = None,
    **options: Any,
) -> Solution:
    """Go on with a run that was interrupted; the answer has the bits that it would have had.

    Parameters
    ----------
    journal : path or URL
        Of the interrupted run (a finished one is replayed without reading A).
    problem : Problem, optional
        Needed if the run read data from memory.
    cluster, progress
        As in :func:`solve`; they may differ from the first time.
    **options
        ``memory_limit, workers, threads``.

    Raises
    ------
    JournalError
        If there is no journal, or it is of other data or another version.
    """
    header = Journal(journal).header()
    if header is None:
        raise JournalError(
            f"a journal was expected at {os.fspath(journal)}; there is none. Check the path, or start with solve(..., journal=…)."
        )
    problem = problem or problem_of(header)
    settings = vars(settings_of(header))
    return solve(problem, journal=journal, progress=progress, cluster=cluster, method=header["method"], **settings, **options)


def check(problem: Problem, x: Any, *, cluster: Any = None, progress: Progress = None, **options: Any) -> Certificate:
    """Judge any x by the data, in passes of its own.

    Least squares and ridge take one pass (QR of A, residual and gradient at x), Gram powers one for each power.

    Parameters
    ----------
    problem : Problem
    x : array_like, shape (d,) or (d, k), n rows for a kernel; or Solution, path, URL or zarr.Array
        From any solver.  A solution and what ``dsketch solve --out`` wrote know the names of its columns; if A does too, x is put in
        their order.
    cluster, progress, **options
        As in :func:`solve`.

    Returns
    -------
    Certificate

    Raises
    ------
    DataError
        If x has another shape, belongs to columns of other names, or is not finite.
    """
    vectors, note = fitting(problem, x)
    if note is not None:
        say(note, progress)
    with engine_for(problem.rows, {"cluster": cluster, **options}) as engine, listener(progress) as tell:
        return Drive(engine, tell, expected=problem.judge_passes, suspect=too_large(vectors)).run(problem.judge(vectors))


def lstsq(A: Any, b: Any, *, weights: Any = None, intercept: bool = False, missing: str = "error", **choices: Any) -> Solution:
    """Solve min ‖A x − b‖: shorthand for ``solve(LeastSquares(A, b), …)``.

    Examples
    --------
    >>> import numpy as np
    >>> lstsq(np.eye(4)[:, :2], np.ones(4)).x
    array([1., 1.])
    """
    return solve(LeastSquares(A, b, weights=weights, intercept=intercept, missing=missing), **choices)


def ridge(
    A: Any,
    b: Any,
    alpha: float = 1.0,
    *,
    weights: Any = None,
    intercept: bool = False,
    missing: str = "error",
    **choices: Any,
) -> Solution:
    """Solve min ‖A x − b‖² + alpha ‖x‖²: shorthand for ``solve(Ridge(A, b, alpha=alpha), …)``.

    Examples
    --------
    >>> import numpy as np
    >>> ridge(np.eye(4)[:, :2], np.ones(4), alpha=1.0).x
    array([0.5, 0.5])
    """
    return solve(Ridge(A, b, alpha=alpha, weights=weights, intercept=intercept, missing=missing), **choices)


# ---- inside ---------------------------------------------------------------------------------------------------------


def _plan_or_record(
    problem: Problem,
    method: str,
    settings: Settings,
    engine: Engine,
    options: dict[str, Any],
    journal: str | os.PathLike[str] | None,
) -> Plan:
    """Plan, but keep to the method that a journal of this run began with (the probe's timings may differ today)."""
    if journal is not None and method == "auto" and (header := Journal(journal).header()) is not None:
        method = header["method"]
    return make_plan(problem, method, settings, engine, options.get("memory_limit"), options)


def _carry_out(made: Plan, engine: Engine, journal: str | os.PathLike[str] | None, progress: Progress) -> Solution:
    problem = made.problem
    record = None if journal is None else Journal(journal)
    if record is not None:
        record.begin(describe_run(problem, made))
    with listener(progress) as tell:
        drive = Drive(engine, tell, record, made.estimate.passes)
        found = drive.run(problem.answer(made))
        for note in found.notes:
            tell(Note(note))
    return Solution(
        found.x,
        found.status,
        found.method,
        found.certificate,
        tuple(drive.passes),
        made,
        found.notes,
        answer=found.detail,
        columns=problem.columns,
        problem=problem,
        run=partial(_more, problem, made.options),
        predicts=partial(predict, **made.options),
    )


def _more(problem: Problem, options: dict[str, Any], flow: Flow[T], cluster: Any, progress: Progress) -> T:
    """Return what a flow returns that a Solution asks later; connects only if it looks at the data at all."""
    with one_blas_thread():
        try:
            first = next(flow)
        except StopIteration as end:
            result: T = end.value
            return result
    with (
        engine_for(problem.rows, options if cluster is None else {**options, "cluster": cluster}) as engine,
        listener(progress) as tell,
    ):
        return Drive(engine, tell).run(_begun(first, flow))


def _begun(look: Look | Converged, flow: Flow[T]) -> Flow[T]:
    """Yield what a flow has already yielded, then the rest."""
    try:
        while True:
            look = flow.send((yield look))
    except StopIteration as end:
        result: T = end.value
        return result


__all__ = ["LeastSquares", "Ridge", "check", "lstsq", "open_matrix", "plan", "predict", "resume", "ridge", "solve"]
