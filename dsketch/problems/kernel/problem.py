"""(K + λ I) x = b with the attention kernel K = exp(s A Aᵀ), the exponential taken entry by entry.

``conjugate_gradient``
    The exact kernel, swept tile by tile and never formed; preconditioned, with one refinement.  n²/2 exponentials an iteration.
``low_rank``
    λ = 0: the least-squares, minimum-norm answer and the numerical rank, by pivoted Cholesky to rounding.
``feature_space``
    The attention-regression paper's own: features stand for the kernel, and the tall least-squares core solves in their space.
    Approximate, with its measured distance from the kernel.
"""

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.kernel_tiles import KernelRows, sweep_rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.arguments import as_penalty, as_scale
from dsketch.problems.base import Problem, require_columns, require_names, require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.inputs import SIDES, TALL
from dsketch.problems.kernel.candidates import FEATURES
from dsketch.problems.kernel.certificate import KernelCertificate, kernel_certificate
from dsketch.problems.kernel.check import check_answer
from dsketch.problems.kernel.choose import plan_kernel
from dsketch.problems.kernel.methods import METHODS
from dsketch.problems.kernel.refinement import DEFAULT_TOL
from dsketch.problems.kernel.system import guard_system
from dsketch.problems.linear.sides import shape_by_side
from dsketch.problems.outcome import Outcome
from dsketch.problems.status import status_of
from dsketch.settings import ACCEPTED, EPS, Option, Settings


class ExpKernel(Problem):
    """(K + λ I) x = b with K_ij = exp(s ⟨a_i, a_j⟩); without a ridge min ‖K x − b‖.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray or dask array, shape (n, d)
    b : likewise, shape (n,) or (n, k)
    alpha : float
        The ridge λ ≥ 0, added to the diagonal (no division by n).
    scale : float
        s > 0.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    SpecError
        If alpha is negative or scale not positive.
    DataError
        If b has not one row for each of A, or the data are not real numbers.

    Notes
    -----
    x has n rows and predicts exp(s ⟨a, a_j⟩) x for new rows a.  Vectors of n numbers live in the driver; A does not.

    References
    ----------
    Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
    M. Díaz, E. N. Epperly, Z. Frangella, J. A. Tropp, R. J. Webber, "Robust, randomized preconditioning for kernel ridge regression",
    arXiv 2304.12465, 2023.

    Examples
    --------
    >>> import dsketch
    >>> A, b = np.array([[0.0], [1.0]]), np.array([1.0, 3.0])
    >>> x = dsketch.solve(ExpKernel(A, b, alpha=0.5)).x
    >>> bool(np.allclose(np.exp(A @ A.T) @ x + 0.5 * x, b))
    True
    """

    name = "exp-kernel"
    title = "The attention kernel, (exp(s A Aᵀ) + λ I) x = b, exp entry by entry."
    inputs = (replace(TALL, help="Zarr matrix, n × d"), SIDES)
    options = (
        Option("alpha", float, 1.0, "The ridge λ ≥ 0 on the kernel's diagonal; 0 asks for least squares.", label="Penalty"),
        Option("scale", float, 1.0, "s > 0 in exp(s⟨a, a'⟩).", label="Scale of the kernel"),
    )
    methods = METHODS
    families = FEATURES
    x_has_columns = False

    def __init__(
        self, A: Any, b: Any, *, alpha: float = 1.0, scale: float = 1.0, missing: str = "error", dim: str | None = None
    ) -> None:
        A, b = along(dim, A=A, b=b)
        self.alpha: float = as_penalty(alpha, "Use 0 for least squares with the kernel alone.")
        self.scale: float = as_scale(scale)
        self.rows = Rows(open_matrix(A, missing=missing, what="A"), open_matrix(b, missing=missing, what="b", has_targets=True))
        self.parameters = {"problem": self.name, "alpha": self.alpha, "scale": self.scale, "missing": missing}

    def data(self) -> dict[str, Matrix | None]:
        """Return A and b."""
        return {"A": self.rows.A, "b": self.rows.b}

    @property
    def x_shape(self) -> tuple[int, int]:
        """(n, k)."""
        return self.shape[0], self.sides

    @cached_property
    def b(self) -> Matrix:
        """The right-hand sides."""
        assert self.rows.b is not None  # noqa: S101 - the constructor put it there
        return self.rows.b

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Sample a few rows, forecast what each preconditioner would leave, price the sweeps."""
        require_names(self, method, settings)
        require_settings(settings, 0)
        return plan_kernel(self.rows, self.alpha, self.scale, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the plan's method.

        Raises
        ------
        DataError
            If a row is so long that its exponential overflows.
        """
        settings, tol = choice.settings, choice.settings.tol or DEFAULT_TOL
        system = yield from guard_system(self.rows.A, self.b, self.scale, self.alpha)
        answer, method = yield from with_fallback(METHODS, choice.method, system, settings)
        status = status_of(
            answer.backward_error,
            # A kernel value is exact to u (1 + s‖a‖²): what the entries themselves are uncertain by, a few times over.
            max(ACCEPTED * (1 + 2 * float(system.half.max())), tol),
            is_approximate=answer.is_approximate,
            is_outside=bool((answer.outside > max(tol, EPS) * answer.b_norm).any()),
            is_rounded=not (answer.relative_residual <= tol).all(),
        )
        return Outcome(shape_by_side(answer.x, self.b), status, method, kernel_certificate(answer), answer.notes, answer)

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return the tolerance, which is above rounding: a relative residual is never below the backward error."""
        return super().accepted(tol or DEFAULT_TOL, x)

    def judge(self, x: Floats) -> Flow[KernelCertificate]:
        """Judge x by sweeps of its own over the exact kernel."""
        system = yield from guard_system(self.rows.A, self.b, self.scale, self.alpha)
        return kernel_certificate((yield from check_answer(system, x)))

    @property
    def judge_passes(self) -> int:
        """Mean, lengths, and three sweeps."""
        return 5

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the sweep exp(s⟨new, a_j⟩) x for the rows of a new matrix."""
        require_columns(A, self.shape[1])
        return Look(KernelRows(self.rows.A, np.zeros(self.shape[1]), self.scale, x), sweep_rows(A))
