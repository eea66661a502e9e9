"""exp(AᵀA)x = b, or the truncated series in its place, for many right-hand sides with d rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.problems.linear.problem import is_vector
from dsketch.problems.outcome import Certificate, Outcome, Status, digits, shown
from dsketch.problems.powers.exponential import MOST_TERMS, ExponentialAnswer, exponential_by, judged_exponential
from dsketch.problems.powers.factored import ROUTES
from dsketch.problems.powers.problem import ColumnSidesProblem, require_power
from dsketch.settings import EPS, Option

Floats = NDArray[np.float64]


# Times what one QR may leave: LAPACK's singular vectors leave 5 to 60 eps at d = 10 to 300 (measured on well-conditioned matrices).
SPECTRAL = 8


@dataclass(frozen=True, kw_only=True)
class ExponentialCertificate(Certificate):
    """What is known about the x of exp(AᵀA)x = b.

    Attributes
    ----------
    backward_error : ndarray, shape (k,)
        Of a solve: how much AᵀA must change, relative to ‖A‖², for x to be exact; of ``check``: ‖r‖/(‖exp(AᵀA)‖‖x‖ + ‖b‖).
    residual_norm, relative_residual : ndarray, shape (k,)
        ‖b − exp(AᵀA)x‖, and over ‖b‖.
    forward_error : ndarray, shape (k,)
        First-order bound on ‖x − x*‖/‖x‖ for that backward error (at least eps), and the rounding of x itself.
    condition : float
        Of exp(AᵀA) or of its series.
    measured : str
        What was measured in the data, and what follows from the factor.
    """

    relative_residual: Floats
    measured: str

    def lines(self) -> list[str]:
        """Return the certificate as lines for people."""
        return [
            f"backward    {shown(self.backward_error)}",
            f"residual    {shown(self.residual_norm)}   relative to b {shown(self.relative_residual)}   "
            f"forward error ≤ {shown(self.forward_error)}",
            f"condition   {digits(self.condition)}; {self.rank_reason}",
            f"measured    {self.measured}",
        ]


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
        ),
    )
    methods = tuple(ROUTES)

    def __init__(self, A: Any, b: Any, *, terms: int | None = None, missing: str = "error") -> None:
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
        return SPECTRAL * super().accepted(tol, x)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the singular values of the factor.

        Raises
        ------
        DataError
            If ‖A‖² is so large that exp(AᵀA) is not determined by float64 data, or x does not fit into float64.
        """
        answer, method, notes = yield from exponential_by(choice.method, self.system, self.right, self.terms, choice.settings)
        solved = float(answer.backward_error.max(initial=0.0)) <= self.accepted(choice.settings.tol)
        if (answer.forward_error > 0.1).any():
            notes = (
                *notes,
                f"‖AᵀA‖ is {answer.size:.1e}: x may be wrong by {min(float(answer.forward_error.max()), 1.0):.1g} of its size",
            )
        small = max(float(np.sqrt(EPS)), choice.settings.tol or 0.0)
        rounded = float(answer.relative.max(initial=0.0)) > small
        status = Status.NOT_SOLVED if not solved else Status.ROUNDED if rounded else Status.SOLVED
        x = answer.x[:, 0] if is_vector(self.b) else answer.x
        return Outcome(x, status, method, _certificate_of(answer), notes, answer)

    @property
    def judge_passes(self) -> int:
        """‖A‖, and each term of the series; how many exp itself needs only ‖A‖ tells."""
        return 0 if self.terms is None else 1 + self.terms * (self.terms <= MOST_TERMS)

    def judge(self, x: Floats) -> Flow[ExponentialCertificate]:
        """Judge x by the series in real products with AᵀA, one a term, as far as that is reasonable."""
        return _certificate_of((yield from judged_exponential(self.system, self.right, self.terms, x)))


def _certificate_of(answer: ExponentialAnswer) -> ExponentialCertificate:
    return ExponentialCertificate(
        backward_error=answer.backward_error,
        residual_norm=answer.residual_norm,
        forward_error=answer.forward_error,
        condition=answer.condition,
        rank=answer.factor.R.shape[0],
        rank_reason=f"exp(AᵀA) has full rank {answer.factor.R.shape[0]}; ‖AᵀA‖ {answer.size:.2e}",
        relative_residual=answer.relative,
        measured=answer.measured,
    )
