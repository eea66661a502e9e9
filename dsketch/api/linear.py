"""Shorthands for least squares and ridge: solve, solve on drawn rows, regress on each column of a wide store."""

import os
from typing import Any, Unpack

from dsketch._results.choices import (
    Choices,
    ExactChoices,
    FullChoices,
    cluster_from,
    settings_from,
    spell_out,
)
from dsketch._results.coreset import Coreset, Draw
from dsketch._results.marginal import MarginalResult
from dsketch._results.output import Output
from dsketch._results.solution import Solution
from dsketch.api.verbs import solve, solve_to
from dsketch.engine.session import ProgressTo
from dsketch.problems import (
    LeastSquares,
    Marginal,
    Ridge,
    SampledLeastSquares,
    TargetRegression,
)


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
    **choices: Unpack[FullChoices],
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
        ``tol, method, sketch, sketch_rows, seed, accuracy, max_passes, min_panels, cluster, memory_limit, workers, threads, replicas,
        journal, progress`` as in :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> lstsq(np.eye(4)[:, :2], np.ones(4)).x
    array([1., 1.])
    """
    if out_dir is not None or missing == "drop":
        asked = TargetRegression(A, b, weights=weights, intercept=intercept, missing=missing, dim=dim)
        return solve_to(out_dir, asked, choices, overwrite=overwrite)
    return solve(LeastSquares(A, b, weights=weights, intercept=intercept, missing=missing, dim=dim), **choices)


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
    **choices: Unpack[FullChoices],
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
        ``tol, method, sketch, sketch_rows, seed, accuracy, max_passes, min_panels, cluster, memory_limit, workers, threads, replicas,
        journal, progress`` as in :func:`solve`.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError, JournalError

    Examples
    --------
    >>> import numpy as np
    >>> ridge(np.eye(4)[:, :2], np.ones(4), alpha=1.0).x
    array([0.5, 0.5])
    """
    if out_dir is not None or missing == "drop":
        asked = TargetRegression(A, b, alpha=alpha, weights=weights, intercept=intercept, missing=missing, dim=dim)
        return solve_to(out_dir, asked, choices, overwrite=overwrite)
    return solve(Ridge(A, b, alpha=alpha, weights=weights, intercept=intercept, missing=missing, dim=dim), **choices)


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
    dim: str | None = None,
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
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.
    progress, **choices
        ``tol, method, sketch, sketch_rows, seed, cluster, memory_limit, workers, threads, replicas`` as in :func:`solve`.

    Returns
    -------
    Coreset
        ``lstsq(found.A, found.b, weights=found.weights)``, with the same intercept, is within 1 + epsilon of the least residual² over all
        rows, but for about one draw of a thousand, or some of a hundred where outliers of b stand on rows of low leverage; ``check`` of
        :class:`SampledLeastSquares` measures it.  For ``alpha`` above 0 :func:`ridge` with that alpha.

    Raises
    ------
    SpecError, DataError, PlanError, EngineError

    Notes
    -----
    Two passes.  The rows drawn are in memory here once, and stored as float64: integers beyond 2⁵³ are rounded.

    References
    ----------
    Z. Song, J. Yin, R. Zhang, "Revisiting quantum algorithms for linear regressions: quadratic speedups without data-dependent parameters",
    arXiv 2311.14823, 2023.
    """
    problem = SampledLeastSquares(
        A, b, epsilon=epsilon, alpha=alpha, weights=weights, intercept=intercept, missing=missing, dim=dim
    )
    place = Output.at(out, overwrite=overwrite)
    draw = Draw(problem, choices.get("method", "auto"), settings_from(choices), cluster_from(choices), place)
    draw.probe()
    with draw.cluster.engine(problem.rows) as engine:
        return draw.carry_out(draw.plan(engine), engine, progress)


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
    dim: str | None = None,
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
    dim : str, optional
        Which dimension of labelled arrays (xarray) the samples are.
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
    problem = Marginal(G, Y, covariates=covariates, intercept=intercept, samples=samples, missing=missing, dim=dim)
    return MarginalResult(solve_to(out_dir, problem, choices, overwrite=overwrite))
