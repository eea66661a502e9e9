"""Shorthands for generalised linear models and paths of elastic nets."""

from typing import Any, Unpack

from dsketch._results.choices import (
    ExactChoices,
    LinearChoices,
    spell_out,
)
from dsketch._results.solution import Solution
from dsketch.api.verbs import solve
from dsketch.problems import (
    GLM,
    ElasticNetPath,
)


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
    problem = GLM(
        A, y, family=family, link=link, offset=offset, weights=weights, frequencies=frequencies, alpha=alpha, intercept=intercept,
        power=power, theta=theta, delta=delta, start=start, missing=missing, dim=dim,
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
    dim: str | None = None,
    **choices: Unpack[ExactChoices],
) -> Solution:
    """Solve all elastic nets of a path and cross-validate them, in two passes: shorthand for ``solve(ElasticNetPath(A, b), …)``.

    Parameters
    ----------
    A, b, alphas, l1_ratio, eps, folds, weights, intercept, missing
        As in :class:`ElasticNetPath`.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.
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
        A,
        b,
        alphas=alphas,
        l1_ratio=l1_ratio,
        eps=eps,
        folds=folds,
        weights=weights,
        intercept=intercept,
        missing=missing,
        dim=dim,
    )
    return solve(problem, **choices)
