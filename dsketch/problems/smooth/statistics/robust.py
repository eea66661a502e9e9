"""Robust covariance of a smooth problem: that of its tangent least-squares problem, with the scores of rows or of groups of rows."""

from dataclasses import replace

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.beside import Beside
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.sandwich import Rest
from dsketch.passes.score_meat import ScoreMeat, SmoothGroupScores
from dsketch.passes.tangent import Tangent
from dsketch.problems.clusters import most_groups, remark_of, stretch_of
from dsketch.problems.linear.statistics.estimates import Fit
from dsketch.problems.linear.statistics.leverage import near_limit
from dsketch.problems.linear.statistics.robust import ROBUST, Robust, settle
from dsketch.problems.smooth.statistics.information import Information
from dsketch.problems.smooth.system import Model


def require_one_leverage(robust: str | None, outputs: int) -> None:
    """Refuse errors that need a leverage of each row where a row has several.

    Raises
    ------
    SpecError
    """
    if robust is not None and ROBUST[robust][0] and outputs > 1:
        raise SpecError(
            f"robust must be HC0 or HC1 for several classes, whose rows have no one leverage; got {robust!r}. Use HC1."
        )


def smooth_covariance(
    model: Model, x: Floats, found: Information, stored: Fit, robust: str, names: tuple[str, ...]
) -> Flow[Robust]:
    """Return the covariance by rows, told as ``stored`` is; one pass, two where a row has leverage near 1.

    Raises
    ------
    SpecError
        For leverages of a model of several outputs.
    """
    require_one_leverage(robust, x.shape[1])
    power, is_stretched = ROBUST[robust]
    fit, has_roots = found.fit, found.is_expected or model.loss.is_convex
    limit = near_limit(fit.factor) if has_roots else 0.0
    meat = yield Look(ScoreMeat(model.loss, model.places, x, found.is_expected, fit.whitener, power, limit), model.rows)
    stretch = np.full((1, 1, 1), found.fitness.rows / found.degrees if is_stretched else 1.0)
    if not meat.rows.size:
        return Robust.plain(meat.meat * stretch, x.size, (ScoreMeat.kind,), (), None)
    rest = yield Look(Tangent(Rest(left_out=meat.rows), model.loss, model.places, x, found.is_expected), model.rows)
    return settle(fit, stored, meat, rest, robust, stretch, names, (ScoreMeat.kind, f"{Tangent.kind} {Rest.kind}"))


def smooth_group_covariance(model: Model, x: Floats, found: Information, groups: Matrix) -> Flow[Robust]:
    """Return the covariance for rows that depend on each other within groups; one pass.

    Raises
    ------
    DataError
        If groups are no number for each row of A, are one group only, or too many.
    """
    fit, rank = found.fit, found.fit.factor.rank
    pass_ = SmoothGroupScores(fit.whitener, x.shape[1], most_groups(*x.shape), model.loss, model.places, x)
    assert isinstance(model.rows.b, Beside)  # noqa: S101 - for type checkers
    sums = yield Look(pass_, replace(model.rows, b=Beside(**model.rows.b.parts, groups=groups)))
    return Robust.plain(sums.meat * stretch_of(sums, rank), x.size, (pass_.kind,), remark_of(sums, rank), sums.groups)
