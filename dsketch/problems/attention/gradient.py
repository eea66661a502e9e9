"""The gradient of a loss at Q, K or V of attention, from its gradient dY at the rows of attention; written by the workers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.matrix.alignment import require_same_rows
from dsketch.matrix.along import along
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.attention_gradient import WANTED
from dsketch.passes.base import Flow
from dsketch.passes.rows_gap import Gap, RowsGap
from dsketch.passes.writing import Written
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.attention.choose import plan_gradient
from dsketch.problems.attention.gradient_certificate import (
    GradientCertificate,
    gradient_certificate,
    judged_gradient,
    note_lost_columns,
)
from dsketch.problems.attention.gradient_method import GradientMethod
from dsketch.problems.attention.gradient_methods import GRADIENT_METHODS
from dsketch.problems.attention.gradient_rounding import gradient_level
from dsketch.problems.attention.gradient_sweep import measure_gradient
from dsketch.problems.attention.gradient_system import GradientSystem
from dsketch.problems.attention.inputs import (
    CAUSAL,
    DEGREE,
    HEADS,
    KEYS,
    KIND,
    QUERIES,
    SCALE,
    VALUES,
    as_conv,
    as_degree,
    open_system,
)
from dsketch.problems.attention.polynomial_gradient import shape_of
from dsketch.problems.attention.polynomial_gradient_rounding import polynomial_gradient_level
from dsketch.problems.base import Problem, require_names, require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.outcome import Outcome, RowsLook, Status
from dsketch.problems.status import status_of
from dsketch.settings import Option, Settings


class AttentionGradient(Problem):
    """The gradient at Q, K or V of a loss whose gradient at the rows Y of attention is dY.

    Parameters
    ----------
    Q, K, V
        As in :class:`~dsketch.problems.Attention`.
    dY : path, URL, zarr.Array, ndarray, dask array or Head, shape (n, heads · p)
    wrt : {"Q", "K", "V"}
        Of what the gradient is taken: x has its shape.
    kind : {"softmax", "polynomial", "conv"}
        Weights, as in :class:`~dsketch.problems.Attention`; by a convolution basis where that is found and costs less.
    degree, heads, causal, scale, missing
        As in :class:`~dsketch.problems.Attention`.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first.

    Raises
    ------
    DataError
        If shapes do not fit, or the data are not real numbers.
    SpecError
        If wrt or kind is another word, there are no such heads or powers, or scale is not positive.

    Notes
    -----
    Two sweeps, for dK and dV three: the first keeps two numbers of each row of Q and head, the logarithm of its sum of weights and ⟨dY, Y⟩,
    which the journal has; the last makes the weights again.  Memory beside those numbers does not grow with n or m.  Of powers five numbers
    are kept, and the length of each row of K; by ``features`` (all monomials of their degree) time is linear in n and m.
    By a convolution basis d p columns are multiplied by FFT, for dV p.

    Examples
    --------
    >>> import dsketch, numpy as np
    >>> Q, K, V = np.zeros((1, 1)), np.array([[1.0], [-1.0]]), np.array([3.0, 1.0])
    >>> [dsketch.solve(AttentionGradient(Q, K, V, np.ones(1), wrt=which)).x.tolist() for which in ("Q", "K", "V")]
    [[1.0], [0.0, -0.0], [0.5, 0.5]]
    """

    name = "attention-gradient"
    title = "The gradient at Q, K or V of attention, from the one at its rows."
    inputs = (
        QUERIES,
        KEYS,
        VALUES,
        Option(
            "dY",
            Matrix,
            None,
            "Zarr matrix of the gradient at the rows of attention, n × (heads · p)",
            label="Gradient of the output",
        ),
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("wrt", str, "Q", "Of what the gradient is taken.", choices=WANTED, label="With respect to"),
        KIND,
        DEGREE,
        HEADS,
        CAUSAL,
        SCALE,
    )
    methods: ClassVar[Mapping[str, GradientMethod]] = GRADIENT_METHODS
    lacks: ClassVar[Mapping[str, str]] = {
        "sketched": "a sketch of powers has no gradients here; use 'features' (all monomials) or 'sweep' (every weight), which are exact"
    }
    answers_rows = True
    x_has_columns = False

    def __init__(
        self,
        Q: Any,
        K: Any,
        V: Any,
        dY: Any,
        *,
        wrt: str = "Q",
        kind: str = "softmax",
        degree: int | None = None,
        heads: int = 1,
        causal: bool = False,
        scale: float | None = None,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        Q, K, V, dY = along(dim, Q=Q, K=K, V=V, dY=dY)
        if wrt not in WANTED:
            raise SpecError(f"wrt must be one of {', '.join(WANTED)}; got {wrt!r}.")
        opened = open_system(Q, K, V, heads=heads, causal=causal, scale=scale, missing=missing)
        forward = replace(opened, degree=as_degree(kind, degree), is_conv=as_conv(kind, opened))
        above = open_matrix(dY, missing=missing, what="dY")
        wanted = (forward.Q.shape[0], forward.V.shape[1])
        if above.shape != wanted:
            raise DataError(f"dY must have the shape of attention's rows, {wanted}; it has {above.shape}. Give one for each.")
        require_same_rows(Q=forward.Q, dY=above)
        self.system: GradientSystem = GradientSystem(forward, above, wrt)
        self.rows: Rows = self.system.rows
        self.parameters = {
            "problem": self.name,
            "wrt": wrt,
            "kind": kind,
            "degree": forward.degree,
            "heads": forward.heads,
            "causal": forward.is_causal,
            "scale": forward.scale,
            "missing": missing,
        }

    def data(self) -> dict[str, Matrix | None]:
        """Return Q, K, V and dY."""
        forward = self.system.forward
        return {"Q": forward.Q, "K": forward.K, "V": forward.V, "dY": self.system.above}

    @property
    def columns(self) -> Columns | None:
        """None: names of columns do not go with gradients."""
        return None

    @property
    def sides(self) -> int:
        """Columns of the gradient."""
        return self.system.columns

    @property
    def x_shape(self) -> tuple[int, int]:
        """That of what the gradient is taken of."""
        return self.rows.shape[0], self.sides

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Time both sweeps on a few rows, price the methods, choose."""
        require_names(self, method, settings)
        require_settings(settings, 0)
        return plan_gradient(self.system, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Take the statistics of the rows of Q, and tell how the rows of the gradient are made."""
        answer, method = yield from with_fallback(GRADIENT_METHODS, choice.method, self.system, choice.settings)

        def conclude(written: Written | None) -> Outcome:
            certificate = gradient_certificate(answer, written)
            is_enough = written is not None and answer.is_enough(written.largest)
            accepted = float("inf") if is_enough else self.accepted(choice.settings.tol)
            lost = (
                ()
                if written is None
                else note_lost_columns(certificate.forward_error, written.largest, self.system.forward.heads)
            )
            found = status_of(certificate.backward_error, accepted, is_estimate=answer.basis is not None)
            status = Status.NOT_SOLVED if lost else found
            is_plain = status is Status.SOLVED and method == choice.method  # who took over from another says why
            return Outcome(answer.x, status, method, certificate, (*(() if is_plain else answer.notes), *lost), answer)

        begun, measured = conclude(None), answer.measured
        look = RowsLook(Look(measured.pass_, measured.rows), conclude)
        return Outcome(answer.x, Status.NOT_SOLVED, method, begun.certificate, answer.notes, answer, look)

    @property
    def judge_passes(self) -> int:
        """Two light ones, for powers three, and two sweeps, or three."""
        return (4 if self.system.wanted == "Q" else 5) + (self.system.forward.degree is not None)

    def judge(self, x: Floats) -> Flow[GradientCertificate]:
        """Judge rows by sweeps of their own: ``forward_error`` is the largest distance of any number, relative to its column's largest."""
        measured = yield from measure_gradient(self.system)
        found: Gap = yield Look(RowsGap(measured.pass_, ArrayMatrix(x)), measured.rows)
        return judged_gradient(measured, found)

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return the change of the rows that may explain an answer: rounding, twice as the judge's rows have it too, or the tolerance."""
        del x
        if self.system.forward.degree is not None:
            return max(2 * polynomial_gradient_level(shape_of(self.system)), tol or 0.0)
        return max(2 * gradient_level(*self.system.shapes, of_values=self.system.wanted == "V"), tol or 0.0)
