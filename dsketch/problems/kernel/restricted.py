"""min ‖K_nM w − b‖² + alpha wᵀ K_MM w: kernel ridge regression with M centres, for n beyond a million.

With K_MM = L Lᵀ and v = Lᵀ w this is ridge on the tall matrix F = K_nM L⁻ᵀ, whose rows are made from rows of A as they are read and never
stored: the tall least-squares core solves it with all its methods and certificates.

References
----------
A. Rudi, L. Carratino, L. Rosasco, "FALKON: an optimal large scale kernel method", NeurIPS 2017.
M. Díaz, E. N. Epperly, Z. Frangella, J. A. Tropp, R. J. Webber, "Robust, randomized preconditioning for kernel ridge regression",
arXiv 2304.12465, 2023 (KRILL).
"""

from dataclasses import replace
from functools import cached_property
from numbers import Integral
from typing import Any, cast

import numpy as np
import scipy.linalg as sl
import scipy.sparse
from numpy.typing import NDArray

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import Bounds
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.factor import Factor
from dsketch._linalg.streams import CENTRE_BLOCKS, CENTRE_ROWS
from dsketch.errors import DataError, SpecError
from dsketch.features import FeatureView
from dsketch.features.base import squares
from dsketch.features.kernel_columns import GrownCentres
from dsketch.matrix.along import along
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.kernel_tiles import LONGEST, KernelRows, sweep_rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.arguments import as_penalty, as_scale
from dsketch.problems.base import Problem, require_columns
from dsketch.problems.inputs import SIDES, TALL
from dsketch.problems.linear.certificate import LinearCertificate
from dsketch.problems.linear.distance import inverse_norm
from dsketch.problems.linear.methods import METHODS
from dsketch.problems.linear.problem import LinearProblem
from dsketch.problems.linear.sides import shape_by_side
from dsketch.problems.outcome import Outcome
from dsketch.settings import EPS, Option, Settings

_MOST_BLOCKS = 64  # centres are drawn from so many blocks of A: a compressed block is decoded whole for a single row
_F = "K_nM L⁻ᵀ"  # what certificates are relative to
_OPEN = (
    "rounding of the kernel's values leaves x open: centres nearly depend on each other, or rows differ too much in length; use fewer "
    "centres, a larger alpha, or another scale"
)


class _Inner(LinearProblem):
    """The linear problem in features, which nobody can ask for other accuracy."""

    takes = ()


class RestrictedKernel(Problem):
    """Kernel ridge regression on exp(s⟨·, ·⟩) with M of A's rows as centres; x has M rows.

    Parameters
    ----------
    A : path, URL, zarr.Array, ndarray, dask array or CSR, shape (n, d)
    b : likewise, shape (n,) or (n, k)
    alpha : float
        At least 0, without division by n.
    scale : float
        s > 0.
    centres : int, optional
        M ≤ n, by default 500 or all; rows of A drawn without repetition from up to 64 blocks.
    draw : int
        Which draw of centres: the same number gives the same ones.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first of A.

    Raises
    ------
    SpecError
        If alpha is negative, scale not positive, or there are more centres than rows.
    DataError
        If shapes do not fit, or a centre is so long that its exponential overflows.

    Notes
    -----
    Centres that depend on the others to rounding get the coefficient 0.  The certificate is about F as it was computed: where centres
    nearly depend on each other, that is the F of kernel values changed by rounding; ``forward_error`` holds what that may move of v, to
    first order, and says where it is everything.  A pass costs n M d flops and n M exponentials more than one over stored features;
    workers hold a block of F at a time.

    Examples
    --------
    >>> import dsketch
    >>> A = np.linspace(0, 1, 50)[:, None]
    >>> solution = dsketch.solve(RestrictedKernel(A, np.sin(A[:, 0]), alpha=1e-8, centres=10))
    >>> bool(np.abs(solution.predict(A) - np.sin(A[:, 0])).max() < 1e-4)
    True
    """

    name = "restricted-kernel"
    title = "Kernel ridge regression with M centres, min ‖K_nM w − b‖² + alpha wᵀ K_MM w."
    inputs = (replace(TALL, help="Zarr matrix, n × d"), SIDES)
    options = (
        Option("alpha", float, 1.0, "Penalty alpha wᵀ K w, ≥ 0, not divided by n.", label="Penalty"),
        Option("scale", float, 1.0, "s > 0 in exp(s⟨a, a'⟩).", label="Scale of the kernel"),
        Option("centres", int, None, "How many rows of A are centres. [default: 500, or all]", label="Number of centres"),
        Option("draw", int, 0, "Which draw of centres: the same number gives the same ones.", label="Draw of centres"),
    )
    methods = METHODS
    x_has_columns = False

    def __init__(
        self,
        A: Any,
        b: Any,
        *,
        alpha: float = 1.0,
        scale: float = 1.0,
        centres: int | None = None,
        draw: int = 0,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        A, b = along(dim, A=A, b=b)
        self.alpha: float = as_penalty(alpha, "Use a small positive one if in doubt.")
        self.scale: float = as_scale(scale)
        if not (isinstance(draw, Integral) and draw >= 0):
            raise SpecError(f"draw must be an integer ≥ 0; got {draw!r}. Use 0, or another number for other centres.")
        self.A: Matrix = open_matrix(A, missing=missing, what="A")
        self.b: Matrix = open_matrix(b, missing=missing, what="b", has_targets=True)
        centres = min(500, self.A.shape[0]) if centres is None else centres
        if not (isinstance(centres, Integral) and 1 <= centres <= self.A.shape[0]):
            raise SpecError(
                f"centres must be a number from 1 to the {self.A.shape[0]} rows of A; got {centres!r}. Use a few hundred, or √n."
            )
        self.count: int = int(centres)
        self.draw: int = int(draw)
        Rows(self.A, self.b)  # the pieces fit
        self.parameters = {
            "problem": self.name,
            "alpha": self.alpha,
            "scale": self.scale,
            "centres": self.count,
            "draw": self.draw,
            "missing": missing,
        }

    def data(self) -> dict[str, Matrix | None]:
        """Return A and b."""
        return {"A": self.A, "b": self.b}

    @property
    def x_shape(self) -> tuple[int, int]:
        """(M, k)."""
        return self.count, self.sides

    @cached_property
    def centre_rows(self) -> Floats:
        """The centres, shape (M, d), in the order of their row numbers.

        Raises
        ------
        DataError
            If one is not finite or so long that its exponential overflows.
        """
        numbers = draw_centres(self.A, self.count, self.draw)
        cuts = self.A.cuts
        places = np.searchsorted(cuts, numbers, side="right") - 1
        pieces = [
            self._read_rows(int(cuts[place]), int(cuts[place + 1]), numbers[places == place]) for place in np.unique(places)
        ]
        rows = np.concatenate(pieces)
        half = 0.5 * self.scale * squares(rows)
        worst = int(np.argmax(np.where(np.isfinite(half), half, np.inf)))
        if not half[worst] <= LONGEST:
            raise DataError(
                f"s‖a‖²/2 must be a number of at most {LONGEST:.0f} for every centre, or exp overflows; row {numbers[worst]} has "
                f"{half[worst]:.4g} at scale={self.scale:g}. Use a smaller scale, normalise the rows, or mend the row."
            )
        return rows

    def _read_rows(self, start: int, stop: int, numbers: NDArray[np.int64]) -> Floats:
        if self.A.is_raw:  # single rows cost what they hold
            return np.concatenate([_dense(self.A.read(int(number), int(number) + 1)) for number in numbers])
        return _dense(self.A.read(start, stop)[numbers - start])

    @cached_property
    def _kept(self) -> tuple[NDArray[np.int64], Floats]:
        """Which centres are independent, and the upper triangle U with UᵀU = G of those."""
        Z = (self.centre_rows - self.centre_rows.mean(axis=0)) * np.sqrt(self.scale)
        size = squares(Z)
        G = np.exp(np.minimum(Z @ Z.T - 0.5 * (size[:, None] + size[None, :]), 0.0))
        U, order, rank, _ = sl.lapack.dpstrf(G)
        return order[:rank] - 1, np.triu(U[:rank, :rank])

    @cached_property
    def inner(self) -> "_Inner":
        """Ridge on F = K_nM L⁻ᵀ."""
        order, U = self._kept
        mean = self.centre_rows.mean(axis=0)
        mix = np.asarray(sl.solve_triangular(U, np.eye(len(U))))
        view = FeatureView(self.A, GrownCentres(mean, self.scale, self.centre_rows[order], np.triu(mix)))
        rows = Rows(view, self.b)
        if rows.shape[0] < rows.shape[1]:
            raise DataError(f"there must be at least as many rows as centres; got {rows.shape[0]} and {rows.shape[1]}.")
        return _Inner(rows, np.full(len(U), self.alpha), {"problem": "ridge", "alpha": self.alpha})

    @property
    def rows(self) -> Rows:  # type: ignore[override]  # made when first needed
        """F and b."""
        return self.inner.rows

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Plan the ridge problem in F."""
        made = self.inner.plan(method, settings, machines)
        dropped = self.count - len(self._kept[0])
        said = f"{self.count} centres" + (f", {dropped} of them dependent on the others to rounding" if dropped else "")
        return replace(made, details=(said, *made.details))

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve for v and return w = L⁻ᵀ v; the certificate is that of v."""
        found = yield from self.inner.answer(choice)
        order, U = self._kept
        v = found.x.reshape(len(U), -1)
        w = np.zeros(self.x_shape)
        w[order] = sl.solve_triangular(U, v) / self._growth[order]
        certificate = cast(LinearCertificate, found.certificate)
        factor: Factor | Bounds = found.detail.factor
        beyond = self._doubt(v, factor.scale[:, None], inverse_norm(factor), certificate.residual_norm)
        certificate = replace(certificate, matrix=_F, forward_error=certificate.forward_error + beyond)
        notes = (*found.notes, _OPEN) if (beyond >= 1).any() else found.notes
        return replace(found, x=shape_by_side(w, self.b), certificate=certificate, notes=notes)

    def _doubt(self, v: Floats, D: Floats, T: float, residual: Floats) -> Floats:
        """Return how far the v of exact kernel values may be from that of rounded ones, in D v relatively, to first order, shape (k,).

        Each value is known to ε = eps (4 + d + 2 s max ‖centre − mean‖²), so F = K U⁻¹ to ‖δF D⁻¹‖ ≤ E = ε ‖K‖_F ‖U⁻¹D⁻¹‖_F, and the
        penalty's rows √alpha L U⁻¹ to √alpha ε M ‖U⁻¹‖_F times the last factor; a minimizer feels E as E (T ‖D v‖ + T² ‖r‖).

        Parameters
        ----------
        D : ndarray, shape (M, 1)
            About the norms of the columns of F.
        T : float
            ‖(F D⁻¹)⁺‖.
        residual : ndarray, shape (k,)
        """
        U = self._kept[1]
        inverse = np.asarray(sl.solve_triangular(U, np.eye(len(U))))
        longest = float(squares(self.centre_rows - self.centre_rows.mean(axis=0)).max(initial=0.0))
        known = EPS * (4 + self.A.shape[1] + 2 * self.scale * longest)
        with np.errstate(over="ignore", invalid="ignore"):
            size = np.sqrt(len(U)) * float(np.linalg.norm(D * U)) + np.sqrt(self.alpha) * len(U) * float(np.linalg.norm(inverse))
            moved, length = known * size * float(np.linalg.norm(inverse / D.T)), norms(D * v)
            far = moved * (T * length + T * T * residual)
            found = ratio(far, np.maximum(length - far, 0.0))
        return np.asarray(np.where(np.isfinite(found), found, np.inf))

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return what ridge accepts, times ‖D|Lᵀ||w|‖/‖D Lᵀ w‖: by that the rounding of w alone moves v = Lᵀ w, which is judged.

        D are the norms of F's columns.
        """
        if x is None:
            return super().accepted(tol, x)
        order, U = self._kept
        w = x.reshape(self.count, -1)[order] * self._growth[order]
        moved, v = norms(self._sizes * (np.abs(U) @ np.abs(w))), norms(self._sizes * (U @ w))
        return super().accepted(tol, x) * float(np.max(moved / np.where(v > 0, v, 1.0), initial=1.0))

    def judge(self, x: Floats) -> Flow[LinearCertificate]:
        """Judge v = Lᵀ w; coefficients of dependent centres must be 0.

        Raises
        ------
        DataError
            If they are not.
        """
        order, U = self._kept
        others = np.setdiff1d(np.arange(self.count), order)
        if x[others].any():
            raise DataError(
                f"x must be 0 for the {len(others)} centres that depend on the others; it is not. Solve with fewer centres."
            )
        v = U @ (x[order] * self._growth[order])
        found = yield from self.inner.judge(v)
        beyond = self._doubt(v, self._sizes, found.scaled_condition, found.residual_norm)
        return replace(found, matrix=_F, forward_error=found.forward_error + beyond, coefficient_errors=None)  # those are of v

    @cached_property
    def _sizes(self) -> Floats:
        """The norms of F's columns, shape (M, 1), as the rows of F that belong to centres tell them: there F is L."""
        order, U = self._kept
        most = float(self._growth.max())
        rows = self._growth[order].T / most * U
        here = np.sqrt(self.A.shape[0] / self.count * np.sum(rows * rows, axis=1))  # squared without the size, which may be 1e150
        return np.asarray(np.hypot(most * here, np.sqrt(self.alpha))[:, None])

    @cached_property
    def _growth(self) -> Floats:
        return np.asarray(np.exp(0.5 * self.scale * squares(self.centre_rows)))[:, None]

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the sweep exp(s⟨new, centre⟩) x for the rows of a new matrix."""
        require_columns(A, self.A.shape[1])
        centres = ArrayMatrix(self.centre_rows)
        return Look(KernelRows(centres, np.zeros(self.A.shape[1]), self.scale, x), sweep_rows(A))


def _dense(rows: Any) -> Floats:
    return np.asarray(rows.toarray() if scipy.sparse.issparse(rows) else rows, dtype=np.float64)


def draw_centres(A: Matrix, count: int, draw: int) -> NDArray[np.int64]:
    """Return row numbers drawn without repetition, from at most 64 blocks (more where those hold too few rows), in order."""
    cuts = A.cuts
    blocks = len(cuts) - 1
    order = np.argsort(random_words.draw(draw, CENTRE_BLOCKS, 0, blocks, 1)[:, 0], kind="stable")
    sizes = np.diff(cuts)[order]
    taken = max(min(_MOST_BLOCKS, blocks), int(np.searchsorted(np.cumsum(sizes), count)) + 1)
    rows = np.concatenate([np.arange(cuts[block], cuts[block + 1]) for block in np.sort(order[:taken])])
    keys = random_words.draw(draw, CENTRE_ROWS, 0, len(rows), 1)[:, 0]
    return np.sort(rows[np.argsort(keys, kind="stable")[:count]])
