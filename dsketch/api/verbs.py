"""The verbs: plan, solve, resume, check; and how an answer is written by the workers that make it."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Unpack

from dsketch._results.choices import (
    RunChoices,
    cluster_from,
    require_known,
    settings_from,
    spell_out,
)
from dsketch._results.fitting import fit_x
from dsketch._results.output import Output
from dsketch._results.plan import Plan
from dsketch._results.read import too_large
from dsketch._results.run import Run
from dsketch._results.run_header import problem_of, settings_of_run
from dsketch._results.solution import Solution
from dsketch.engine.cluster import Cluster, ClusterChoices
from dsketch.engine.drive import Drive
from dsketch.engine.journal import Journal
from dsketch.engine.session import ProgressTo, listener, say
from dsketch.errors import JournalError, SpecError
from dsketch.problems import (
    Problem,
)
from dsketch.problems.outcome import Certificate
from dsketch.settings import Settings


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
    accuracy: str = "standard",
    max_passes: int | None = None,
    min_panels: int | None = None,
    cluster: Any = None,
    memory_limit: str | int | None = None,
    workers: int | None = None,
    threads: int | None = None,
    replicas: int = 1,
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
    accuracy : str
        Of least squares and ridge: ``"standard"``, or ``"full"`` for the exact minimizer of the stored floats, rounded, with a proof.
    max_passes : int, optional
        Of a linear system: the most readings of all rows that the plan may foresee.  1: a bound on all rounding of one reading must
        prove ``tol``, or a backward error of 1e-7 without one.
    min_panels : int, optional
        Of a linear system: the least panels that a pass is cut into, at most 4096, as far as chunks allow; more of them let
        :func:`audit` read less for as many.  None: those of its bytes.
    cluster : optional
        None: for stored data and dask arrays the active ``distributed.Client``, if there is one; else this process for data in memory
        or below 256 MB and inside a Dask task, else an own LocalCluster.  ``"serial"`` (this process), ``"local"`` (an own
        LocalCluster), an address, the path of a scheduler file, a ``distributed.Client`` or a cluster object.
    memory_limit : str or int, optional
        Per worker; what the plan may count on, and the limit of an own LocalCluster.  Alone it starts none for data in memory.
    workers, threads : int, optional
        Size of an own LocalCluster; either of them asks for one.
    replicas : int
        An odd number of distinct workers that compute each part and must agree, for a cluster that is not trusted; who differs is left
        out of the run.  3 cost three times the reading.

    Returns
    -------
    Plan

    Raises
    ------
    SpecError, DataError, PlanError, EngineError
    """
    settings = Settings(tol, sketch, sketch_rows, seed, features, rank, accuracy, max_passes, min_panels)
    run = Run(problem, method, settings, Cluster(cluster, memory_limit, workers, threads, replicas))
    with run.cluster.engine(problem.rows) as engine:
        return run.plan(engine)


@spell_out
def solve(
    problem: Problem | Plan,
    *,
    journal: str | os.PathLike[str] | None = None,
    progress: ProgressTo = None,
    **choices: Unpack[RunChoices],
) -> Solution:
    """Solve a problem, or carry out a plan.

    Parameters
    ----------
    problem : Problem or Plan
    journal : path or URL, optional
        Where to record each finished pass.  If it holds records of this very run, they are replayed and the run goes on.
    progress : bool or callable, optional
        None: a bar if standard error is a terminal, or in a notebook.  A callable is handed the events of :mod:`dsketch.events`.
    **choices
        ``tol, method, sketch, sketch_rows, seed, features, rank, accuracy, max_passes, min_panels, cluster, memory_limit, workers,
        threads, replicas`` as in :func:`plan`; for a Plan, which has them already, only ``cluster``.

    Returns
    -------
    Solution

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> from dsketch import LeastSquares
    >>> A = np.arange(12.0).reshape(6, 2) ** 2
    >>> solution = solve(LeastSquares(A, A @ [1.0, 2.0]))
    >>> solution.x.round(12), solution.status.name
    (array([1., 2.]), 'SOLVED')
    """
    if isinstance(problem, Plan):
        if unknown := sorted(set(choices) - {"cluster"}):
            raise SpecError(f"a Plan has its choices already; got {', '.join(unknown)} besides. Make another plan with them.")
        elsewhere = {"cluster": choices["cluster"]} if "cluster" in choices else {}
        made = replace(problem, cluster=replace(problem.cluster, **elsewhere))
        with made.cluster.engine(made.problem.rows) as engine:
            return Run(made.problem, made.method, made.settings, made.cluster, journal).solve(made, engine, progress)
    require_known(choices)
    run = Run(problem, choices.get("method", "auto"), settings_from(choices), cluster_from(choices), journal)
    with run.cluster.engine(problem.rows) as engine:
        return run.solve(run.plan(engine, goes_on=True), engine, progress)


@spell_out
def resume(
    journal: str | os.PathLike[str],
    *,
    problem: Problem | None = None,
    overwrite: bool = False,
    progress: ProgressTo = None,
    **options: Unpack[ClusterChoices],
) -> Solution:
    """Go on with a run that was interrupted; the answer has the bits that it would have had.

    Parameters
    ----------
    journal : path or URL
        Of the interrupted run (a finished one is replayed without reading A).
    problem : Problem, optional
        Needed if the run read data from memory.
    overwrite : bool
        Replace what has come to lie where the workers of this run write its arrays; its own answer is opened as it is.
    progress, **options
        ``progress, cluster, memory_limit, workers, threads, replicas`` as in :func:`solve`; they may differ from the first time.

    Raises
    ------
    SpecError
        For another keyword, or if the journal cannot make the problem again.
    JournalError
        If there is no journal, or it is of other data or another version.
    """
    cluster = Cluster.of(options)
    header = Journal(journal).header()
    if header is None:
        raise JournalError(
            f"a journal was expected at {os.fspath(journal)}; there is none. Check the path, or start with solve(..., journal=…)."
        )
    problem = problem or problem_of(header)
    kept = Journal(journal).read_out() if problem.arrays else None
    out = None if kept is None else Output.at(kept[0], overwrite=overwrite or kept[1])
    run = Run(problem, header["method"], settings_of_run(header), cluster, journal, out)
    with cluster.engine(run.problem.rows) as engine:
        return run.solve(run.plan(engine, goes_on=True), engine, progress)


@spell_out
def check(problem: Problem, x: Any, *, progress: ProgressTo = None, **options: Unpack[ClusterChoices]) -> Certificate:
    """Judge any x by the data, in passes of its own.

    Least squares and ridge take one pass (QR of A, residual and gradient at x), Gram powers one for each power.

    Parameters
    ----------
    problem : Problem
    x : array_like, shape (d,) or (d, k), n rows for a kernel; or Solution, path, URL or zarr.Array
        From any solver.  A solution and what ``dsketch solve --out`` wrote know the names of its columns; if A does too, x is put in
        their order.
    progress, **options
        ``progress, cluster, memory_limit, workers, threads, replicas`` as in :func:`solve`.

    Returns
    -------
    Certificate

    Raises
    ------
    DataError
        If x has another shape, belongs to columns of other names, or is not finite.
    SpecError
        For another keyword.
    EngineError
    """
    cluster = Cluster.of(options)
    vectors, note = fit_x(problem, x)
    if note is not None:
        say(note, progress)
    with cluster.engine(problem.rows) as engine, listener(progress) as tell:
        return Drive(engine, tell, expected=problem.judge_passes, suspect=too_large(vectors)).run(problem.judge(vectors))


def solve_to(out: str | os.PathLike[str] | None, problem: Problem, choices: Mapping[str, Any], *, overwrite: bool) -> Solution:
    """Solve a problem whose answer is made where rows or targets are read, and let the workers write it."""
    place = None if out is None else Output.at(out, overwrite=overwrite)
    require_known({name: value for name, value in choices.items() if name not in ("journal", "progress")})  # type: ignore[arg-type]
    run = Run(
        problem, choices.get("method", "auto"), settings_from(choices), cluster_from(choices), choices.get("journal"), place
    )
    run.probe()
    with run.cluster.engine(problem.rows) as engine:
        solution = run.solve(run.plan(engine, goes_on=True), engine, choices.get("progress"))
    run.write(solution)
    return solution
