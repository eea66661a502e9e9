"""The whole path of elastic nets, and its cross-validation, from two passes."""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.matrix.along import along
from dsketch.passes import Both, Look, Triangle
from dsketch.passes.base import Flow
from dsketch.passes.fold_grams import FoldGrams, FoldSums
from dsketch.problems.arguments import as_flag
from dsketch.problems.inputs import ANY, INTERCEPT, SIDE, WEIGHTS
from dsketch.problems.linear.statistics.observations import require_weight
from dsketch.problems.outcome import Outcome
from dsketch.problems.penalized.certificate import PenalizedCertificate, penalized_certificate
from dsketch.problems.penalized.check import check_penalized
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.cross_validation import CrossValidation, cross_validate
from dsketch.problems.penalized.grid import Grid
from dsketch.problems.penalized.method import PenalizedAnswer
from dsketch.problems.penalized.path_certificate import PathCertificate, path_certificate
from dsketch.problems.penalized.path_methods import METHODS
from dsketch.problems.penalized.problem import PenalizedProblem, open_rows
from dsketch.problems.penalized.system import Sums
from dsketch.settings import Numbers, Option, Settings


@dataclass(frozen=True, kw_only=True)
class PathAnswer(PenalizedAnswer):
    """What was found of a path.

    Attributes
    ----------
    alphas, l1_ratios : ndarray, shape (m,)
        The penalty of each column of x.
    cross_validation : CrossValidation or None
        What held-out rows say, where there are folds.
    """

    alphas: Floats
    l1_ratios: Floats
    cross_validation: CrossValidation | None


class ElasticNetPath(PenalizedProblem):
    """:class:`~dsketch.problems.penalized.elastic_net.ElasticNet` for many alphas, and which of them held-out rows choose.

    x has a column for each point: for each l1_ratio all alphas, falling.  ``certificate`` has the alphas, the duality gap of each point,
    the cross-validated errors, the best point and the simplest within one standard error; ``answer.cross_validation`` the errors by fold.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, CSR or dask array, shape (n, d)
    b : likewise, shape (n,)
    alphas : int or numbers
        How many, from the least that makes all coefficients 0 down to ``eps`` times it, or the values.
    l1_ratio : float or numbers
        Between 0 (ridge) and 1 (lasso), one or several.
    eps : float
        The smallest alpha over the largest, where they are counted.
    folds : int
        Of the cross-validation: 0 for none, else 2 or more.  Each run of so many rows is spread over the folds at random, by the seed.
    weights, intercept, missing
        As in the elastic net.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    SpecError
        If a number is out of range.
    DataError
        If b has several columns, shapes do not fit, or the data are not real numbers.

    Notes
    -----
    Two passes, whatever the number of points and folds: a Gram matrix for each fold, and one look at all points that certifies each.
    Memory of a part: folds · d² numbers.  ``alphas`` are scikit-learn's; the errors are those of its LassoCV on the same folds.

    References
    ----------
    J. Friedman, T. Hastie, R. Tibshirani, "Regularization paths for generalized linear models via coordinate descent", Journal of
    Statistical Software 33, 2010.

    Examples
    --------
    >>> import numpy as np, dsketch
    >>> A = np.random.default_rng(0).standard_normal((200, 3))
    >>> solution = dsketch.solve(ElasticNetPath(A, A @ [2.0, 0.0, -1.0], alphas=[0.5, 0.1], l1_ratio=1.0))
    >>> solution.x.shape, len(solution.passes), solution.certificate.best
    ((3, 2), 2, 1)
    """

    name = "elastic-net-path"
    title = "All elastic nets of a path, with cross-validation, in two passes."
    inputs = (ANY, SIDE)
    methods = METHODS
    options = (
        Option("alphas", Numbers, 60, "How many penalties, or their values.", label="Penalties"),
        Option(
            "l1_ratio",
            Numbers,
            0.5,
            "Share of ‖x‖₁ in the penalty, from 0 (ridge) to 1 (lasso); one or several.",
            label="Share of the 1-norm",
        ),
        Option(
            "eps",
            float,
            1e-3,
            "The smallest penalty over the largest, where they are counted.",
            above=0,
            below=1,
            label="Length of the path",
        ),
        Option("folds", int, 5, "Folds of the cross-validation; 0 for none.", least=0, most=100, label="Folds"),
        WEIGHTS,
        INTERCEPT,
    )

    def __init__(
        self,
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
    ) -> None:
        A, b, weights = along(dim, A=A, b=b, weights=weights)
        self.grid, intercept = Grid.of(alphas, l1_ratio, eps), as_flag("intercept", intercept)
        rows = open_rows(A, b, weights, intercept, missing)
        if rows.sides != 1:
            raise DataError(f"b must be one vector for a path; it has {rows.sides} columns. Solve for one of them at a time.")
        self.folds = as_folds(folds, rows.shape[0])
        parameters = {
            "problem": self.name, **self.grid.parameters, "folds": self.folds, "intercept": intercept, "missing": missing,
        }  # fmt: skip
        super().__init__(rows, parameters)

    @property
    def points(self) -> int:
        """Columns of x."""
        return self.grid.points

    @property
    def is_flat(self) -> bool:
        """Never: x has a column for each point."""
        return False

    def side_of(self, point: int) -> int:
        """The only one."""
        del point
        return 0

    def follows(self, point: int) -> bool:
        """Whether the alpha before was just larger."""
        return point % self.grid.length > 0

    def penalties(self, pull: Floats, weight: float) -> Floats:
        """Return the alpha of each point."""
        columns = self.rows.A.shape[1]
        return self.grid.values(pull[:columns, 0], weight)

    def costs(self, weight: float, pull: Floats) -> list[Cost]:
        """Return Σ w times the penalty, for each point."""
        found = self._cost_of(self.penalties(pull, weight), weight)
        return [found.of(point) for point in range(self.points)]

    def _cost_of(self, alphas: Floats, weight: float) -> Cost:
        sizes, ratios = weight * alphas, self.grid.by_point
        return Cost.elastic(sizes * ratios, sizes * (1 - ratios), self.shape[1], intercept=self.rows.intercept)

    def gram(self, seed: int) -> Flow[Sums]:
        """Return AᵀA, Aᵀb and Σ w, and what each fold sums to.  One pass."""
        folds: FoldSums = yield Look(FoldGrams(max(self.folds, 1), seed), self.rows)
        return self._sum_up(folds.G.sum(axis=0), folds.c.sum(axis=0), folds)

    def triangle(self, seed: int, folds: FoldSums | None) -> Flow[Sums]:
        """Return R, Qᵀb and Σ w, and what each fold sums to.  One pass."""
        if folds is None:
            found, folds = yield Look(Both(Triangle(seed), FoldGrams(max(self.folds, 1), seed)), self.rows)
        else:
            found = yield Look(Triangle(seed), self.rows)
        return self._sum_up(found.R, found.z, folds)

    def _sum_up(self, square: Floats, sides: Floats, folds: FoldSums) -> Sums:
        weight = float(folds.weight.sum())
        require_weight(weight)
        return Sums(square, sides, weight, folds)

    def conclude(self, answer: PenalizedAnswer, method: str, settings: Settings) -> Outcome:
        """Return what an answer comes to, cross-validation and all."""
        alphas = self.penalties(answer.pull, answer.weight)
        found = None if not self.folds or answer.folds is None else cross_validate(
            answer.folds, answer.x, answer.scale, lambda weight: self._cost_of(alphas, weight), self.grid.by_point, self.grid.length
        )  # fmt: skip
        outcome = super().conclude(answer, method, settings)
        certificate = path_certificate(cast("PenalizedCertificate", outcome.certificate), alphas, self.grid.by_point, found)
        detail = PathAnswer(**vars(answer), alphas=alphas, l1_ratios=self.grid.by_point, cross_validation=found)
        return replace(outcome, certificate=certificate, detail=replace(detail, folds=None))

    def judge(self, x: Floats) -> Flow[PathCertificate]:
        """Judge x by a QR of [A b], and the residual and the pull of all points, in one pass; held-out rows are not asked."""
        answer, told = yield from check_penalized(self.shifted, x)
        certificate = penalized_certificate(answer, self.shape[0], told, by_column=True)
        return path_certificate(certificate, self.penalties(answer.pull, answer.weight), self.grid.by_point, None)

    def attributes(self, answer: Any) -> dict[str, Any]:
        """Return the penalty of each column of a stored x, and which held-out rows choose."""
        found: CrossValidation | None = answer.cross_validation
        chosen = {} if found is None else {"best": found.best, "simplest": found.simplest}
        return {"alphas": answer.alphas.tolist(), "l1_ratios": answer.l1_ratios.tolist(), **chosen}


def as_folds(value: Any, rows: int) -> int:
    """Return a number of folds.

    Raises
    ------
    SpecError
        If it is no whole number, 1, or there are fewer rows.
    """
    if not (isinstance(value, int | np.integer) and not isinstance(value, bool) and (value == 0 or 2 <= value <= rows)):
        raise SpecError(f"folds must be 0 (none), or from 2 to the {rows} rows; got {value!r}. Five is common.")
    return int(value)
