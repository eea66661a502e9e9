"""Shorthands for answers with a row for each of A: leverage scores, attention and its gradients."""

import os
from typing import Any, Unpack

from dsketch._results.choices import (
    ExactChoices,
    LinearChoices,
    SketchedChoices,
    spell_out,
)
from dsketch._results.solution import Solution
from dsketch.api.verbs import solve_to
from dsketch.problems import (
    Attention,
    AttentionGradient,
    LeverageScores,
)


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
    dim: str | None = None,
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
    >>> leverage_scores(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])).x.round(12)
    array([1. , 0.5, 0.5])
    """
    problem = LeverageScores(A, alpha=alpha, weights=weights, intercept=intercept, missing=missing, dim=dim)
    return solve_to(out, problem, choices, overwrite=overwrite)


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
    dim: str | None = None,
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
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of each.
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
    problem = Attention(Q, K, V, kind=kind, degree=degree, heads=heads, causal=causal, scale=scale, missing=missing, dim=dim)
    return solve_to(out, problem, choices, overwrite=overwrite)


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
    dim: str | None = None,
    **choices: Unpack[ExactChoices],
) -> Solution:
    """Return the gradient at Q, K or V of a loss whose gradient at the rows of attention is dY, written to ``out`` by the workers.

    Parameters
    ----------
    Q, K, V, dY, wrt, kind, degree, heads, causal, scale, missing
        As in :class:`AttentionGradient`.
    out, overwrite, dim
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
        Q, K, V, dY, wrt=wrt, kind=kind, degree=degree, heads=heads, causal=causal, scale=scale, missing=missing, dim=dim
    )
    return solve_to(out, problem, choices, overwrite=overwrite)
