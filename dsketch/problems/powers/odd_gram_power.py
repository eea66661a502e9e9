"""min ‖A(AᵀA)ʲx − b‖: an odd power, for many right-hand sides with n rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.problems.linear.problem import is_vector
from dsketch.problems.outcome import Outcome
from dsketch.problems.powers.certificate import PowerCertificate, certificate_of, notes_of, status_of
from dsketch.problems.powers.check import check_odd
from dsketch.problems.powers.gram_power import POWER
from dsketch.problems.powers.methods import METHODS, powered
from dsketch.problems.powers.problem import PoweringProblem, require_power

Floats = NDArray[np.float64]


class OddGramPower(PoweringProblem):
    """min ‖A(AᵀA)ʲx − b‖ over x.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    b : likewise, shape (n,) or (n, k)
        Rides along with A: no pass of its own.
    power : int
        j ≥ 1; j = 0 is :class:`~dsketch.problems.linear.least_squares.LeastSquares`.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.

    Raises
    ------
    DataError
        If shapes do not fit, n < d, or the data are not real numbers.
    SpecError
        If j < 1.

    References
    ----------
    Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.diag([1.0, 2.0, 4.0])
    >>> import dsketch
    >>> dsketch.solve(OddGramPower(A, [1.0, 8.0, 64.0], power=1)).x.round(14)
    array([1., 1., 1.])
    """

    name = "odd-gram-power"
    title = "An odd power, min ‖A(AᵀA)ʲx − b‖."
    options = (POWER,)
    methods = METHODS

    def __init__(self, A: Any, b: Any, *, power: int = 1, missing: str = "error") -> None:
        self.power = require_power(power, "For j = 0 use LeastSquares(A, b).")
        rows = Rows(open_matrix(A, missing=missing, what="A"), open_matrix(b, missing=missing, what="b"))
        super().__init__(rows, {"problem": self.name, "power": self.power, "missing": missing})

    @property
    def stages(self) -> int:
        """Least squares, and j solves with AᵀA."""
        return self.power + 1

    @property
    def judge_passes(self) -> int:
        """‖A‖, each product, and the gradient at b."""
        return 2 + self.power

    @property
    def checked(self) -> int:
        """All levels of all sides, or the whole Gram matrix where that is narrower."""
        return min(self.power * self.sides, self.shape[1])

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the plan's method, or by QR where that cannot go on.

        Raises
        ------
        DataError
            If x does not fit into float64.
        """
        answer, method = yield from powered(self.system, None, self.power, choice.settings, choice.method)
        status = status_of(answer, choice.settings, self.stages, is_odd=True)
        notes = notes_of(answer, choice.settings, self.power, is_odd=True)
        x = answer.x[:, 0] if is_vector(self.rows.b) else answer.x
        return Outcome(x, status, method, certificate_of(answer, self.power), notes, answer)

    def judge(self, x: Floats) -> Flow[PowerCertificate]:
        """Judge x by j real products with AᵀA and one gradient at b, after one pass for ‖A‖."""
        return certificate_of((yield from check_odd(self.system, self.power, x)), self.power)
