"""exp(AᵀA)x = b, or the truncated series in its place, for many right-hand sides with d rows."""

from functools import cached_property
from typing import Any

from dsketch._linalg.arrays import Floats
from dsketch.matrix.along import along
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.problems.fallback import with_fallback
from dsketch.problems.outcome import Outcome
from dsketch.problems.powers.certificate import (
    ExponentialCertificate,
    exponential_certificate,
    exponential_notes,
    is_rounded,
)
from dsketch.problems.powers.check import MOST_TERMS, check_exponential
from dsketch.problems.powers.methods import DIRECT
from dsketch.problems.powers.problem import ColumnSidesProblem, require_power
from dsketch.problems.powers.system import ExponentialSystem
from dsketch.problems.status import status_of
from dsketch.settings import Option

# Times what one QR may leave: LAPACK's singular vectors leave 5 to 60 eps at d = 10 to 300 (measured on well-conditioned matrices).
_SPECTRAL = 8


class GramExponential(ColumnSidesProblem):
    """exp(AᵀA)x = b, exactly from the factor.

    The exponential is the reason that the paper gives for its powers; it is itself no power, and its solve no sum of solves with
    powers: there is no alternating method for it.  It has full rank whatever A has.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    b : likewise, shape (d,) or (d, k)
        Read whole.
    terms : int, optional
        Truncate the series after (AᵀA)^terms/terms!, and invert that; None: exp itself.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    DataError
        If shapes do not fit, n < d, or the data are not finite real numbers.
    SpecError
        If ``terms`` < 1.

    References
    ----------
    Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.

    Examples
    --------
    >>> import numpy as np, dsketch
    >>> A = np.diag([1.0, 2.0])
    >>> dsketch.solve(GramExponential(A, np.exp([1.0, 4.0]))).x.round(12)
    array([1., 1.])
    """

    name = "gram-exp"
    title = "The exponential of the Gram matrix, exp(AᵀA)x = b."
    options = (
        Option(
            "terms",
            int,
            None,
            "Truncate the series after this power, and invert that. [default: the whole exponential]",
            most=1000,
            label="Terms of the series",
        ),
    )
    methods = DIRECT

    def __init__(self, A: Any, b: Any, *, terms: int | None = None, missing: str = "error", dim: str | None = None) -> None:
        (A,) = along(dim, A=A)
        self.terms = None if terms is None else require_power(terms, "Leave terms out for the exponential itself.", "terms")
        parameters = {"problem": self.name, "terms": self.terms, "missing": missing}
        super().__init__(A, b, parameters, missing, "exp(AᵀA) is d × d.")

    @property
    def stages(self) -> int:
        """One function of AᵀA."""
        return 1

    @property
    def checked(self) -> int:
        """The whole Gram matrix."""
        return self.shape[1]

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return what singular vectors may leave."""
        return _SPECTRAL * super().accepted(tol, x)

    @cached_property
    def system(self) -> ExponentialSystem:
        """A, b and the function."""
        return ExponentialSystem(self.linear, self.right, self.terms)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the singular values of the factor.

        Raises
        ------
        DataError
            If ‖A‖² is so large that exp(AᵀA) is not determined by float64 data, or x does not fit into float64.
        """
        answer, method = yield from with_fallback(self.methods, choice.method, self.system, choice.settings)
        accepted = self.accepted(choice.settings.tol)
        status = status_of(answer.backward_error, accepted, is_rounded=is_rounded(answer, choice.settings))
        return Outcome(
            self.shape_like_b(answer.x), status, method, exponential_certificate(answer), exponential_notes(answer), answer
        )

    @property
    def judge_passes(self) -> int:
        """‖A‖, and each term of the series; how many exp itself needs only ‖A‖ tells."""
        return 0 if self.terms is None else 1 + self.terms * (self.terms <= MOST_TERMS)

    def judge(self, x: Floats) -> Flow[ExponentialCertificate]:
        """Judge x by the series in real products with AᵀA, one a term, as far as that is reasonable."""
        return exponential_certificate((yield from check_exponential(self.system, x)))
