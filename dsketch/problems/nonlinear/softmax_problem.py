"""What the two problems whose rows are divided by a sum over all rows share: one right-hand side, f sums to 1."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.softmax_rows import SoftmaxPrediction
from dsketch.problems.base import Predictor, require_columns
from dsketch.problems.inputs import SIDE, TALL
from dsketch.problems.nonlinear.problem import NonlinearProblem
from dsketch.problems.nonlinear.sides import open_rows


class SoftmaxProblem(NonlinearProblem):
    """min ½‖u/⟨u, 1⟩ − b‖² + ½ alpha ‖x‖², u a function of A x row by row.

    Attributes
    ----------
    has_residual : bool
        Whether u = exp(A x) + A x rather than exp(A x).
    """

    inputs = (TALL, SIDE)
    has_residual: ClassVar[bool]

    def __init__(
        self, A: Any, b: Any, *, start: Any = None, restarts: int = 0, alpha: float = 0.0, missing: str = "error"
    ) -> None:
        super().__init__(open_rows(A, b, missing), start, restarts, alpha, {"missing": missing})

    def data(self) -> dict[str, Matrix | None]:
        """Return A and b."""
        return {"A": self.rows.A, "b": self.rows.b}

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look that finishes to f of the rows of a new matrix, which sum to 1 among themselves; one look ahead of it."""
        return _look(x, A, has_residual=self.has_residual)

    @classmethod
    def predictor_from(cls, parameters: Mapping[str, Any]) -> Predictor:
        """Return what gives f of new rows: it depends on x alone."""
        del parameters
        return Predictor(partial(_look, has_residual=cls.has_residual))


def _look(x: Floats, A: Matrix, *, has_residual: bool) -> Look:
    require_columns(A, len(x))
    return Look(SoftmaxPrediction(x[:, 0], has_residual=has_residual), Rows(A))
