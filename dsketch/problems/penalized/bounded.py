"""min ‖A x − b‖ within lower ≤ x ≤ upper: non-negative least squares, and boxes."""

from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.matrix.along import along
from dsketch.problems.arguments import as_flag
from dsketch.problems.inputs import INTERCEPT, WEIGHTS
from dsketch.problems.penalized.bounds import as_bounds, list_bounds
from dsketch.problems.penalized.cost import Cost
from dsketch.problems.penalized.problem import PenalizedProblem, open_rows
from dsketch.settings import Numbers, Option


class Bounded(PenalizedProblem):
    """min ‖W^½ (A x − b)‖² over lower ≤ x ≤ upper; the intercept is free.

    Parameters
    ----------
    A, b, weights, intercept, missing
        As in :class:`~dsketch.problems.penalized.elastic_net.ElasticNet`.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.
    lower, upper : number, or array of shape (d,), or None
        For all columns, or one a column; None and infinities: no bound.

    Raises
    ------
    SpecError
        If a lower bound is above its upper bound, or bounds are no numbers.
    DataError
        If shapes do not fit, or the data are not real numbers.

    Notes
    -----
    Two passes, as for the elastic net; coefficients at a bound lie there exactly.  The certificate has the KKT conditions: the pull
    Aᵀ(b − A x) of a free column is 0, of one at its lower bound not above 0, of one at its upper bound not below.

    References
    ----------
    C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, 1974, chapter 23.

    Examples
    --------
    >>> import numpy as np, dsketch
    >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> dsketch.solve(Bounded(A, [1.0, 0.5, -1.0])).x
    array([0.75, 0.  ])
    """

    name = "bounded"
    title = "Least squares within bounds, min ‖A x − b‖ over lower ≤ x ≤ upper; non-negative by default."
    options = (
        Option("lower", Numbers, 0.0, "Lower bounds, a number or one a column; -inf is none.", label="Lower bounds"),
        Option(
            "upper", Numbers, None, "Upper bounds, a number or one a column; inf is none. [default: none]", label="Upper bounds"
        ),
        WEIGHTS,
        INTERCEPT,
    )

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        lower: Any = 0.0,
        upper: Any = None,
        weights: Any = None,
        intercept: bool = False,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b, weights = along(dim, A=A, b=b, weights=weights)
        intercept = as_flag("intercept", intercept)
        rows = open_rows(A, b, weights, intercept, missing)
        columns = rows.A.shape[1]
        self.lower, self.upper = as_bounds("lower", lower, columns, -np.inf), as_bounds("upper", upper, columns, np.inf)
        crossed = np.flatnonzero(self.lower > self.upper)
        if crossed.size:
            column = crossed[0]
            raise SpecError(
                f"lower must not be above upper; column {column} has {self.lower[column]:g} and {self.upper[column]:g}. Exchange them, or "
                "drop the column."
            )
        parameters = {
            "problem": self.name, "lower": list_bounds(self.lower), "upper": list_bounds(self.upper), "intercept": intercept,
            "missing": missing,
        }  # fmt: skip
        super().__init__(rows, parameters)

    @property
    def has_shortest(self) -> bool:
        """Whether there is no bound at all: least squares, of whose minimizers the shortest is given."""
        return bool(np.isinf(self.lower).all() and np.isinf(self.upper).all())

    def costs(self, weight: float, pull: Floats) -> list[Cost]:
        """Return the bounds, for each right-hand side."""
        del weight, pull
        zeros, free = np.zeros(self.shape[1]), [np.inf] * self.rows.intercept
        return [Cost(zeros, zeros, np.append(self.lower, np.negative(free)), np.append(self.upper, free))] * self.points
