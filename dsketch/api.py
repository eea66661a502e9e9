"""The verbs: open, plan, solve, resume, check, predict; shorthands for a problem, leverage scores, attention, coreset."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Unpack

from dsketch._results.audit import audit as audit_run
from dsketch._results.choices import (
    Choices,
    ExactChoices,
    LinearChoices,
    RunChoices,
    SketchedChoices,
    cluster_from,
    require_known,
    settings_from,
    spell_out,
)
from dsketch._results.coreset import Coreset, Draw
from dsketch._results.findings import Audit
from dsketch._results.fitting import fit_x
from dsketch._results.marginal import MarginalResult
from dsketch._results.output import Output
from dsketch._results.plan import Plan
from dsketch._results.predict import predict
from dsketch._results.read import too_large
from dsketch._results.receipt import Receipt, read_receipt
from dsketch._results.run import Run
from dsketch._results.run_header import problem_of, settings_of_run
from dsketch._results.solution import Solution
from dsketch.engine.cluster import Cluster, ClusterChoices
from dsketch.engine.drive import Drive
from dsketch.engine.journal import Journal
from dsketch.engine.session import ProgressTo, listener, say
from dsketch.errors import JournalError, SpecError
from dsketch.matrix.along import along
from dsketch.matrix.open import open_matrix
from dsketch.problems import (
    GLM,
    Attention,
    AttentionGradient,
    ElasticNetPath,
    LeastSquares,
    LeverageScores,
    Marginal,
    Problem,
    Ridge,
    SampledLeastSquares,
    TargetRegression,
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
    settings = Settings(tol, sketch, sketch_rows, seed, features, rank)
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
        ``tol, method, sketch, sketch_rows, seed, features, rank, cluster, memory_limit, workers, threads, replicas`` as in :func:`plan`;
        for a Plan, which has them already, only ``cluster``.

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
        if unknown := sorted(set(choices) - {"cluster"}):
            raise SpecError(f"a Plan has its choices already; got {', '.join(unknown)} besides. Make another plan with them.")
        elsewhere = {"cluster": choices["cluster"]} if "cluster" in choices else {}
        made = replace(problem, cluster=replace(problem.cluster, **elsewhere))
        with made.cluster.engine(made.problem.rows) as engine:
            return Run(made.problem, made.method, made.settings, made.cluster, journal).solve(made, engine, progress)
    require_known(choices)
    run = Run(problem, choices.get("method", "auto"), settings_from(choices), cluster_from(choices), journal)
    with run.cluster.engine(problem.rows) as engine:
        return run.solve(run.plan(engine), engine, progress)


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
        return run.solve(run.plan(engine), engine, progress)


def receipt(journal: str | os.PathLike[str]) -> Receipt:
    """Return the receipt of a finished run: what was asked, what came out, and the digest that holds for every record.

    Parameters
    ----------
    journal : path or URL
        Of the run, or of a receipt that was kept elsewhere (``….json``).

    Raises
    ------
    JournalError
        If there is none, the run is not finished, or the receipt was changed.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> run = tempfile.mkdtemp()
    >>> A = np.arange(12.0).reshape(6, 2) ** 2
    >>> solution = lstsq(A, A @ [1.0, 2.0], journal=run)
    >>> receipt(run).passes == len(solution.passes), receipt(run).answer["status"]
    (True, 'SOLVED')
    """
    return read_receipt(journal)


def audit(
    receipt: Receipt | str | os.PathLike[str],
    *,
    journal: str | os.PathLike[str] | None = None,
    data: Any = None,
    panels: int | None = None,
    share: float | None = None,
    signer: str | os.PathLike[str] | bytes | None = None,
    seed: int | None = None,
    x: Any = None,
) -> Audit:
    """Say what is false of a finished run, by its receipt; reads no row unless panels are asked for.

    Parameters
    ----------
    receipt : Receipt, path or URL
        Of the receipt (``….json``), or of the journal that holds it.
    journal : path or URL, optional
        Where the journal is; None: beside the receipt, or where the receipt says.
    data : path, URL, mapping of str to path, or Problem, optional
        Where the data are: A, or ``{"A": …, "b": …}``, or the whole problem where it read from memory; None: where the journal says.
    panels : int, optional
        How many panels to draw and make again from the data; None: 50 if data are given, else none.
    share : float, optional
        The most that they may read, as a part of what the solve read: 0.05 draws as many as 5 % hold, of ``panels`` at most if that is
        given.  None: whatever they read.
    signer : path, bytes or str, optional
        The public key that must have signed: PEM, or 64 hexadecimal digits.
    seed : int, optional
        Of the draw, to have it again.  None: unforeseeable, as it must be where somebody could cheat.
    x : array_like, path or URL, optional
        An x with a number for each row of A, to be compared with the receipt; None: where the run was told to write it.

    Returns
    -------
    Audit
        ``faults`` names each record or panel that is false; ``catches(f)`` is the probability that the draw shows a share f of false
        panels.

    Raises
    ------
    JournalError
        If there is no receipt or no journal.
    SpecError, DataError
        If panels are to be made again and the data cannot be opened.

    Notes
    -----
    Checked without data: digests, links, signature; the steps of the driver, run again on the recorded sums to the bits of x; each sum
    against what its panels said, with random signs.  The signs are known to who computes, so that check finds errors, not a forger who
    takes care; drawn panels find him.  Bits are those of one kind of processor and one build of NumPy and SciPy: elsewhere the last
    ones may differ, and a true panel may seem false.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> run = tempfile.mkdtemp()
    >>> A = np.arange(12.0).reshape(6, 2) ** 2
    >>> problem = LeastSquares(A, A @ [1.0, 2.0])
    >>> solution = solve(problem, journal=run)
    >>> found = audit(run, data=problem)
    >>> found.is_clean, found.is_replayed, found.drawn == found.panels
    (True, True, True)
    """
    return audit_run(receipt, journal=journal, data=data, panels=panels, share=share, signer=signer, seed=seed, x=x)


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


@spell_out
def lstsq(
    A: Any,
    b: Any,
    *,
    weights: Any = None,
    intercept: bool = False,
    missing: str = "error",
    out_dir: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    dim: str | None = None,
    **choices: Unpack[LinearChoices],
) -> Solution:
    """Solve min ‖A x − b‖: shorthand for ``solve(LeastSquares(A, b), …)``.

    Parameters
    ----------
    A, b, weights, intercept, missing
        As in :class:`LeastSquares`; ``missing="drop"`` leaves out, for each target (column of b) by itself, the rows that it lacks.
    out_dir : path or URL, optional
        Answer by tiles of targets, a million of them if need be, and write x, standard errors, t, p, R² and more into this Zarr group; the
        answer is then a :class:`TargetFit`, as with ``missing="drop"``.
    overwrite : bool
        Replace what is at ``out_dir``.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.
    **choices
        ``tol, method, sketch, sketch_rows, seed, cluster, memory_limit, workers, threads, replicas, journal, progress`` as in
        :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> lstsq(np.eye(4)[:, :2], np.ones(4)).x
    array([1., 1.])
    """
    A, b, weights = along(dim, A=A, b=b, weights=weights)
    if out_dir is not None or missing == "drop":
        asked = TargetRegression(A, b, weights=weights, intercept=intercept, missing=missing)
        return _solve_to(out_dir, asked, choices, overwrite=overwrite)
    return solve(LeastSquares(A, b, weights=weights, intercept=intercept, missing=missing), **choices)


@spell_out
def ridge(
    A: Any,
    b: Any,
    alpha: Any = 1.0,
    *,
    weights: Any = None,
    intercept: bool = False,
    missing: str = "error",
    out_dir: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    dim: str | None = None,
    **choices: Unpack[LinearChoices],
) -> Solution:
    """Solve min ‖A x − b‖² + alpha ‖x‖²: shorthand for ``solve(Ridge(A, b, alpha=alpha), …)``.

    Parameters
    ----------
    A, b, alpha, weights, intercept, missing
        As in :class:`Ridge`; with ``missing="drop"`` or ``out_dir`` as in :class:`TargetRegression`.
    out_dir, overwrite
        As in :func:`lstsq`.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.
    **choices
        ``tol, method, sketch, sketch_rows, seed, cluster, memory_limit, workers, threads, replicas, journal, progress`` as in
        :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> ridge(np.eye(4)[:, :2], np.ones(4), alpha=1.0).x
    array([0.5, 0.5])
    """
    A, b, weights = along(dim, A=A, b=b, weights=weights)
    if out_dir is not None or missing == "drop":
        asked = TargetRegression(A, b, alpha=alpha, weights=weights, intercept=intercept, missing=missing)
        return _solve_to(out_dir, asked, choices, overwrite=overwrite)
    return solve(Ridge(A, b, alpha=alpha, weights=weights, intercept=intercept, missing=missing), **choices)


@spell_out
def glm(
    A: Any,
    y: Any,
    *,
    family: str = "binomial",
    link: str | None = None,
    offset: Any = None,
    weights: Any = None,
    frequencies: Any = None,
    alpha: Any = 0.0,
    intercept: bool = False,
    power: float | None = None,
    theta: float | None = None,
    delta: float | None = None,
    start: Any = None,
    missing: str = "error",
    dim: str | None = None,
    **choices: Unpack[LinearChoices],
) -> Solution:
    """Fit a generalised linear model: shorthand for ``solve(GLM(A, y, family=…), …)``.

    Parameters
    ----------
    A, y, family, link, offset, weights, frequencies, alpha, intercept, power, theta, delta, start, missing
        As in :class:`GLM`.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.
    **choices
        ``tol, method, sketch, sketch_rows, seed, cluster, memory_limit, workers, threads, replicas, journal, progress`` as in
        :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> glm(A, [1.0, 2.0, 4.0, 8.0], family="poisson", intercept=True).x.round(9)
    array([0.69314718, 0.        ])
    """
    A, y, offset, weights, frequencies = along(dim, A=A, y=y, offset=offset, weights=weights, frequencies=frequencies)
    problem = GLM(
        A, y, family=family, link=link, offset=offset, weights=weights, frequencies=frequencies, alpha=alpha, intercept=intercept,
        power=power, theta=theta, delta=delta, start=start, missing=missing,
    )  # fmt: skip
    return solve(problem, **choices)


@spell_out
def elastic_net_path(
    A: Any,
    b: Any,
    *,
    alphas: Any = 60,
    l1_ratio: Any = 0.5,
    eps: float = 1e-3,
    folds: int = 5,
    weights: Any = None,
    intercept: bool = False,
    missing: str = "error",
    **choices: Unpack[ExactChoices],
) -> Solution:
    """Solve all elastic nets of a path and cross-validate them, in two passes: shorthand for ``solve(ElasticNetPath(A, b), …)``.

    Parameters
    ----------
    A, b, alphas, l1_ratio, eps, folds, weights, intercept, missing
        As in :class:`ElasticNetPath`.
    **choices
        ``tol, method, seed, cluster, memory_limit, workers, threads, replicas, journal, progress`` as in :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> A = np.random.default_rng(0).standard_normal((200, 3))
    >>> path = elastic_net_path(A, A @ [2.0, 0.0, -1.0] + 1.0, alphas=20, l1_ratio=1.0, intercept=True)
    >>> path.x.shape, path.x[:3, 0], path.certificate.best
    ((4, 20), array([0., 0., 0.]), 19)
    """
    problem = ElasticNetPath(
        A, b, alphas=alphas, l1_ratio=l1_ratio, eps=eps, folds=folds, weights=weights, intercept=intercept, missing=missing
    )
    return solve(problem, **choices)


@spell_out
def leverage_scores(
    A: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    alpha: float = 0.0,
    weights: Any = None,
    intercept: bool = False,
    missing: str = "error",
    overwrite: bool = False,
    **choices: Unpack[LinearChoices],
) -> Solution:
    """Return the leverage scores of the rows of A as ``x`` of a solution, written to ``out`` by the workers if that is given.

    Parameters
    ----------
    A, alpha, weights, intercept, missing
        As in :class:`LeverageScores`.
    out : path or URL, optional
        Where to write them as a Zarr array of shape (n,), block by block, or in one piece as a ``.npy`` file; ``x`` is then the opened
        Zarr array.  None: ``x`` is an array, which must not be larger than 1 GB.
    overwrite : bool
        Replace what is at ``out``.
    **choices
        ``tol, method, sketch, sketch_rows, seed, cluster, memory_limit, workers, threads, replicas, journal, progress`` as in
        :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> leverage_scores(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])).x.round(12)
    array([1. , 0.5, 0.5])
    """
    problem = LeverageScores(A, alpha=alpha, weights=weights, intercept=intercept, missing=missing)
    return _solve_to(out, problem, choices, overwrite=overwrite)


@spell_out
def attention(
    Q: Any,
    K: Any,
    V: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    kind: str = "softmax",
    degree: int | None = None,
    heads: int = 1,
    causal: bool = False,
    scale: float | None = None,
    missing: str = "error",
    overwrite: bool = False,
    **choices: Unpack[SketchedChoices],
) -> Solution:
    """Return softmax(s Q Kᵀ) V, or attention by powers, as ``x`` of a solution, written to ``out`` by the workers if that is given.

    Parameters
    ----------
    Q, K, V, kind, degree, heads, causal, scale, missing
        As in :class:`Attention`.
    out : path or URL, optional
        Where to write the rows as a Zarr array of shape (n, columns of V), block by block, or in one piece as a ``.npy`` file; ``x`` is
        then the opened Zarr array.  None: ``x`` is an array, which must not be larger than 1 GB.
    overwrite : bool
        Replace what is at ``out``.
    **choices
        ``tol, method, sketch_rows, seed, cluster, memory_limit, workers, threads, replicas, journal, progress`` as in :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> Q, K, V = np.zeros((1, 2)), np.eye(2), np.array([1.0, 3.0])
    >>> attention(Q, K, V).x
    array([2.])
    """
    problem = Attention(Q, K, V, kind=kind, degree=degree, heads=heads, causal=causal, scale=scale, missing=missing)
    return _solve_to(out, problem, choices, overwrite=overwrite)


@spell_out
def attention_gradient(
    Q: Any,
    K: Any,
    V: Any,
    dY: Any,
    out: str | os.PathLike[str] | None = None,
    *,
    wrt: str = "Q",
    kind: str = "softmax",
    degree: int | None = None,
    heads: int = 1,
    causal: bool = False,
    scale: float | None = None,
    missing: str = "error",
    overwrite: bool = False,
    **choices: Unpack[ExactChoices],
) -> Solution:
    """Return the gradient at Q, K or V of a loss whose gradient at the rows of attention is dY, written to ``out`` by the workers.

    Parameters
    ----------
    Q, K, V, dY, wrt, kind, degree, heads, causal, scale, missing
        As in :class:`AttentionGradient`.
    out, overwrite
        As in :func:`attention`.
    **choices
        ``tol, method, seed, cluster, memory_limit, workers, threads, replicas, journal, progress`` as in :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> attention_gradient(np.zeros((1, 2)), np.eye(2), np.array([1.0, 3.0]), np.array([1.0]), wrt="V").x
    array([0.5, 0.5])
    """
    problem = AttentionGradient(
        Q, K, V, dY, wrt=wrt, kind=kind, degree=degree, heads=heads, causal=causal, scale=scale, missing=missing
    )
    return _solve_to(out, problem, choices, overwrite=overwrite)


def _solve_to(out: str | os.PathLike[str] | None, problem: Problem, choices: Mapping[str, Any], *, overwrite: bool) -> Solution:
    """Solve a problem whose answer is made where rows or targets are read, and let the workers write it."""
    place = None if out is None else Output.at(out, overwrite=overwrite)
    require_known({name: value for name, value in choices.items() if name not in ("journal", "progress")})  # type: ignore[arg-type]
    run = Run(
        problem, choices.get("method", "auto"), settings_from(choices), cluster_from(choices), choices.get("journal"), place
    )
    run.probe()
    with run.cluster.engine(problem.rows) as engine:
        solution = run.solve(run.plan(engine), engine, choices.get("progress"))
    run.write(solution)
    return solution


@spell_out
def marginal(
    G: Any,
    Y: Any,
    out_dir: str | os.PathLike[str] | None = None,
    *,
    covariates: Any = None,
    intercept: bool = True,
    samples: str = "auto",
    missing: str = "mean",
    overwrite: bool = False,
    **choices: Unpack[ExactChoices],
) -> MarginalResult:
    """Regress each target on each column of a wide store, beside common covariates: coefficient, standard error, t and p of all.

    Parameters
    ----------
    G, Y, covariates, intercept, samples, missing
        As in :class:`Marginal`.
    out_dir : path or URL, optional
        Where the workers write the answer as a Zarr group, with arrays of shape (m, k) that xarray opens; with ``journal=`` a run that was
        interrupted goes on with the blocks of columns that it lacks.  None: arrays, which must not be larger than 1 GB together.
    overwrite : bool
        Replace what is at ``out_dir``.
    **choices
        ``tol, method, seed, cluster, memory_limit, workers, threads, replicas, journal, progress`` as in :func:`solve`.

    Returns
    -------
    MarginalResult
        ``beta, standard_errors, t, p, neg_log10_p, counts``, each an array or a ``zarr.Array`` of shape (m, k).

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> G = np.array([[0, 1], [1, 1], [2, 0], [1, 0]], dtype="int8")
    >>> found = marginal(G, [1.0, 3.0, 5.0, 3.5])
    >>> found.beta.round(12).ravel(), found.p.round(4).ravel()
    (array([ 2.  , -2.25]), array([0.0115, 0.2137]))
    """
    problem = Marginal(G, Y, covariates=covariates, intercept=intercept, samples=samples, missing=missing)
    return MarginalResult(_solve_to(out_dir, problem, choices, overwrite=overwrite))


@spell_out
def coreset(
    A: Any,
    b: Any,
    out: str | os.PathLike[str],
    *,
    epsilon: float = 0.1,
    alpha: float = 0.0,
    weights: Any = None,
    intercept: bool = False,
    missing: str = "error",
    overwrite: bool = False,
    progress: ProgressTo = None,
    **choices: Unpack[Choices],
) -> Coreset:
    """Draw few rows of A and b by leverage and write them, with weights, as a Zarr group that later regressions read in place of all.

    Parameters
    ----------
    A, b, epsilon, alpha, weights, intercept, missing
        As in :class:`SampledLeastSquares`.
    out : path or URL
        Of the group, with arrays ``A, b, weights, rows``; on a disk it is there whole or not at all, behind a URL each array is.
    overwrite : bool
        Replace what is at ``out``.
    progress, **choices
        ``tol, method, sketch, sketch_rows, seed, cluster, memory_limit, workers, threads, replicas`` as in :func:`solve`.

    Returns
    -------
    Coreset
        ``lstsq(found.A, found.b, weights=found.weights)``, with the same intercept, is within 1 + epsilon of the least residual² over all
        rows; for ``alpha`` above 0 :func:`ridge` with that alpha.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError

    Notes
    -----
    Two passes.  The rows drawn are in memory here once.

    References
    ----------
    Z. Song, J. Yin, R. Zhang, "Revisiting quantum algorithms for linear regressions: quadratic speedups without data-dependent parameters",
    arXiv 2311.14823, 2023.
    """
    problem = SampledLeastSquares(A, b, epsilon=epsilon, alpha=alpha, weights=weights, intercept=intercept, missing=missing)
    place = Output.at(out, overwrite=overwrite)
    draw = Draw(problem, choices.get("method", "auto"), settings_from(choices), cluster_from(choices), place)
    draw.probe()
    with draw.cluster.engine(problem.rows) as engine:
        return draw.carry_out(draw.plan(engine), engine, progress)


__all__ = [
    "LeastSquares",
    "LeverageScores",
    "Ridge",
    "SampledLeastSquares",
    "attention",
    "attention_gradient",
    "check",
    "coreset",
    "elastic_net_path",
    "glm",
    "leverage_scores",
    "lstsq",
    "marginal",
    "open_matrix",
    "plan",
    "predict",
    "resume",
    "ridge",
    "solve",
]
