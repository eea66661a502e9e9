"""min ½‖f(x) − b‖² with two layers: ReLU of a softmax, or a softmax of ReLU; A₁ by rows, and A₂ with a row for each of A₁'s."""

from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes.unit_moments import SoftmaxMoments
from dsketch.planning.work import Kind
from dsketch.problems.arguments import as_numbers
from dsketch.problems.nonlinear.problem import NonlinearProblem
from dsketch.problems.nonlinear.system import NonlinearSystem
from dsketch.problems.nonlinear.unit_system import ReluFirst, SoftmaxFirst
from dsketch.settings import Numbers, Option

_LAYERS = ("softmax", "relu")


class TwoLayer(NonlinearProblem):
    """min ½‖f(x) − b‖² + ½ alpha ‖x‖² with f = outer(A₂ᵀ inner(A₁x)), of m units.

    ``inner="softmax", outer="relu"`` is f = ReLU(A₂ᵀ softmax(A₁x)), our reading of arXiv 2311.15390 (whose A₂ is m × n: the one here,
    transposed); ``inner="relu", outer="softmax"`` is f = softmax(A₂ᵀ ReLU(A₁x)), our reading of its forerunner arXiv 2308.08358.  Softmax
    is over all n rows in the first and over the m units in the second.

    Parameters
    ----------
    A1 : path, URL, zarr.Array, ndarray, dask array or CSR, shape (n, d)
    A2 : likewise, shape (n, m)
        Dense; row i belongs to row i of A1.
    b : array_like, shape (m,)
        Read whole.
    inner, outer : {"softmax", "relu"}
        One of each.
    start : array_like, Solution or path, optional
        Where to begin, d numbers.  By default 0; with ReLU first, where 0 is a kink, a point drawn by the seed.
    restarts : int
        Further points to begin at, drawn by the seed; they share every reading.
    alpha : float
        At least 0.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first.

    Raises
    ------
    DataError
        If A2 has not one row for each of A1's, or the data are not finite real numbers.
    SpecError
        If b has not m numbers, the layers are not one of each, start does not fit, restarts or alpha is negative.

    Notes
    -----
    One look a step, and nothing of n × n.  The loss has kinks where a unit turns on; what is found is a point where it is stationary on
    its own side.  With fewer active units than columns x is not determined, and the status says so.  Starts far from the answer may end
    elsewhere: of 25 of them (0 and drawn ones) at d = 20, m = 50 17 reached it with softmax first, 20 of 20 with ReLU first.

    References
    ----------
    Z. Li, Z. Song, Z. Wang, J. Yin, "Local convergence of approximate Newton method for two layer nonlinear regression", arXiv 2311.15390,
    2023.
    T. Gao, Z. Song, J. Yin, "Convergence of two-layer regression with nonlinear units", arXiv 2308.08358, 2023.

    Examples
    --------
    >>> import dsketch
    >>> rng = np.random.default_rng(0)
    >>> A1, A2, x = rng.standard_normal((200, 2)), rng.standard_normal((200, 12)), np.array([1.0, -0.5])
    >>> f = np.exp(A1 @ x)
    >>> b = np.maximum(A2.T @ (f / f.sum()), 0)
    >>> solution = dsketch.solve(TwoLayer(A1, A2, b, start=[0.8, -0.4]))
    >>> solution.x.round(10), solution.status.name
    (array([ 1. , -0.5]), 'SOLVED')
    """

    name = "two-layer"
    title = "Two layers, min ½‖ReLU(A₂ᵀ softmax(A₁x)) − b‖², or with ReLU first."
    inputs = (
        Option("A1", Matrix, None, "Zarr matrix A₁, n × d", label="First matrix"),
        Option("A2", Matrix, None, "Zarr matrix A₂ᵀ, n × m: a row for each of A₁'s", label="Second matrix"),
        Option("b", Numbers, None, "The m targets", label="Targets"),
    )
    options = (
        Option("inner", str, "softmax", "The first layer: softmax over all rows, or relu.", choices=_LAYERS, label="First layer"),
        Option("outer", str, "relu", "The second layer, the other of the two.", choices=_LAYERS, label="Second layer"),
        *NonlinearProblem.options,
    )
    work = Kind(SoftmaxMoments.kind, lambda d: SoftmaxMoments(np.zeros(d), np.zeros(d)), grows=True)

    def __init__(
        self,
        A1: Any,
        A2: Any,
        b: Any,
        *,
        inner: str = "softmax",
        outer: str = "relu",
        start: Any = None,
        restarts: int = 0,
        alpha: float = 0.0,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A1, A2 = along(dim, A1=A1, A2=A2)
        _require_layers(inner, outer)
        rows = _open_layers(A1, A2, missing)
        m = rows.sides
        self.b: Floats = as_numbers("b", b, (m,), f"Give one number for each of the {m} columns of A2.")
        more = {"inner": inner, "outer": outer, "b": self.b.tolist(), "missing": missing}
        super().__init__(rows, start, restarts, alpha, more)
        is_softmax_first = inner == "softmax"
        self.units = m
        self.has_row_sums = is_softmax_first
        self.begins_at_zero = is_softmax_first
        self.system: NonlinearSystem = (SoftmaxFirst if is_softmax_first else ReluFirst)(rows, self.alpha, self.b)

    def data(self) -> dict[str, Matrix | None]:
        """Return A1 and A2."""
        return {"A1": self.rows.A, "A2": self.rows.b}

    @property
    def columns(self) -> Columns | None:
        """Names and levels of A1's columns."""
        return Columns.of(self.rows.A)

    def explain_start(self) -> str:
        """Return what to do."""
        return "Give a smaller start."


def _require_layers(inner: str, outer: str) -> None:
    """Refuse what is not one of each.

    Raises
    ------
    SpecError
        Naming both.
    """
    if {inner, outer} != {*_LAYERS}:
        raise SpecError(
            f"inner and outer must be softmax and relu, one of each; got inner={inner!r}, outer={outer!r}. Leave both out for softmax "
            "first."
        )


def _open_layers(A1: Any, A2: Any, missing: str) -> Rows:
    """Open both matrices.

    Raises
    ------
    DataError
        If A2 has other rows than A1; if it is the paper's, transposed, that is said.
    """
    first, second = open_matrix(A1, missing=missing, what="A1"), open_matrix(A2, missing=missing, what="A2")
    if second.shape[0] != first.shape[0]:
        hint = (
            "Transpose it: here row i of A2 belongs to row i of A1."
            if second.shape[1] == first.shape[0]
            else "Check both sources."
        )
        raise DataError(f"A2 must have one row for each of the {first.shape[0]} rows of A1; its shape is {second.shape}. {hint}")
    return Rows(first, second, names=("A1", "A2"))
