"""What estimators ask of the data beside a solve, each in one light pass: R² without a vector of n predictions, the size of rows."""

from dataclasses import replace
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.engine.cluster import Cluster
from dsketch.engine.drive import Drive
from dsketch.engine.session import listener
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Gradient, Look, Slope
from dsketch.passes.base import Flow
from dsketch.passes.constant_fit import Constant
from dsketch.passes.fitted import Fitness, Fitted
from dsketch.passes.rowwise import RowSquares
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.linear.statistics.rounding import is_rounding, size_of
from dsketch.problems.smooth.statistics.null import fit_constant
from dsketch.problems.smooth.system import Model


def r_squared(rows: Rows, y: Any, weights: Any, x: Floats, cluster: Cluster) -> float:
    """Return 1 − Σ w (y − ŷ)² / Σ w (y − ȳ)², the mean over the columns of y.

    Parameters
    ----------
    rows : Rows
        Of [A 1].
    y : stored or in memory, shape (n,) or (n, k)
    weights : stored or in memory, shape (n,), or None
    x : ndarray, shape (d + 1,) or (d + 1, k)
    cluster : Cluster

    Notes
    -----
    A column of y that is constant scores 1 if it is met exactly, else 0, as in :func:`sklearn.metrics.r2_score`, both to rounding.

    Raises
    ------
    DataError
        If all weights are 0.
    """
    b, w = open_matrix(y, what="y"), None if weights is None else open_matrix(weights, what="sample_weight")
    slope: Slope = _run_look(Look(Gradient(x.reshape(len(x), -1)), replace(rows, b=b, weights=w)), cluster)
    require_weight(slope.rows)
    varies = ~is_rounding(np.sqrt(slope.spread), size_of(slope))
    is_missed = ~is_rounding(np.sqrt(slope.rr), size_of(slope))
    ratio = np.divide(slope.rr, slope.spread, out=is_missed.astype(float), where=varies)
    return float(np.mean(1.0 - ratio))


def deviance_explained(model: Model, x: Floats, cluster: Cluster) -> float:
    """Return D² = 1 − deviance at x / deviance of the best constant.

    Parameters
    ----------
    model : Model
        Of [A 1], without a penalty.
    x : ndarray, shape (d + 1, 1)
    cluster : Cluster

    Raises
    ------
    DataError
        If all weights are 0, or y is outside of the domain of the loss.
    """
    with cluster.engine(model.rows) as engine, listener(False) as tell:
        fitness, null = Drive(engine, tell).run(_fit_and_null(model, x))
    return float(1.0 - np.divide(fitness.deviance, null.deviance))


def _fit_and_null(model: Model, x: Floats) -> Flow[tuple[Fitness, Constant]]:
    fitness: Fitness = yield Look(Fitted(model.loss, model.places, x), model.rows)
    require_weight(fitness.weight)
    null, _ = yield from fit_constant(model, fitness, 1.0, has_mean=True)
    return fitness, null


def mean_square(rows: Rows, cluster: Cluster) -> float:
    """Return the mean squared length of the rows."""
    squares: Floats = _run_look(Look(RowSquares(), rows), cluster)
    return float(np.mean(squares))


def _run_look(look: Look, cluster: Cluster) -> Any:
    with cluster.engine(look.rows) as engine, listener(False) as tell:
        return Drive(engine, tell).run(_single_look(look))


def _single_look(look: Look) -> Flow[Any]:
    return (yield look)
