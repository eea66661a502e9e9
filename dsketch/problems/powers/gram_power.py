"""min ‖(AᵀA)ʲx − b‖: an even power, for many right-hand sides with d rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.problems.linear.problem import is_vector
from dsketch.problems.outcome import Outcome
from dsketch.problems.powers.certificate import PowerCertificate, certificate_of, notes_of, status_of
from dsketch.problems.powers.check import check_even
from dsketch.problems.powers.methods import METHODS, powered
from dsketch.problems.powers.problem import ColumnSidesProblem, require_power
from dsketch.settings import Option

Floats = NDArray[np.float64]

POWER = Option("power", int, 1, "The power j ≥ 1.", most=64)


class GramPower(ColumnSidesProblem):
    """min ‖(AᵀA)ʲx − b‖ over x.

    Where A lacks rank, or b lies partly outside the range, x is the shortest minimizer, and the Solution says so.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    b : likewise, shape (d,) or (d, k)
        Read whole.
    power : int
        j ≥ 1.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.

    Raises
    ------
    DataError
        If shapes do not fit, n < d, or the data are not finite real numbers.
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
    >>> dsketch.solve(GramPower(A, [1.0, 16.0, 256.0], power=2)).x
    array([1., 1., 1.])
    """

    name = "gram-power"
    title = "A power of the Gram matrix, min ‖(AᵀA)ʲx − b‖."
    options = (POWER,)
    methods = METHODS

    def __init__(self, A: Any, b: Any, *, power: int = 1, missing: str = "error") -> None:
        self.power = require_power(power, "For j = 0 x is b itself.")
        parameters = {"problem": self.name, "power": self.power, "missing": missing}
        super().__init__(A, b, parameters, missing, "For a b with n rows use OddGramPower.")

    @property
    def stages(self) -> int:
        """Solves with AᵀA: j."""
        return self.power

    @property
    def judge_passes(self) -> int:
        """‖A‖, and each product."""
        return 1 + self.power

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
        answer, method = yield from powered(self.system, self.right, self.power, choice.settings, choice.method)
        status = status_of(answer, choice.settings, self.stages, is_odd=False)
        notes = notes_of(answer, choice.settings, self.power, is_odd=False)
        x = answer.x[:, 0] if is_vector(self.b) else answer.x
        return Outcome(x, status, method, certificate_of(answer, self.power), notes, answer)

    def judge(self, x: Floats) -> Flow[PowerCertificate]:
        """Judge x by j real products with AᵀA, after one pass for ‖A‖."""
        return certificate_of((yield from check_even(self.system, self.right, self.power, x)), self.power)
