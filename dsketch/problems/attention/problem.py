"""Attention softmax(s Q Kᵀ) V: a weighted mean of the rows of V for each row of Q, written by the workers; never n × m."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.matrix.along import along
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.writing import Written
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.attention.certificate import AttentionCertificate, attention_certificate
from dsketch.problems.attention.check import check_attention
from dsketch.problems.attention.choose import plan_attention
from dsketch.problems.attention.gradient import AttentionGradient
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
from dsketch.problems.attention.method import AttentionMethod
from dsketch.problems.attention.methods import METHODS
from dsketch.problems.attention.polynomial_rounding import polynomial_level
from dsketch.problems.attention.rounding import rounding_level
from dsketch.problems.attention.system import AttentionSystem
from dsketch.problems.base import Problem, require_names, require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.outcome import Outcome, RowsLook, Status
from dsketch.problems.status import status_of
from dsketch.settings import Option, Settings


class Attention(Problem):
    """y = Σⱼ wⱼ vⱼ / Σⱼ wⱼ for each row q of Q, with weights wⱼ = exp(s⟨q, kⱼ⟩), or ⟨q, kⱼ⟩^p, of the rows of K and V.

    Parameters
    ----------
    Q : path, URL, zarr.Array, ndarray, dask array or Head, shape (n, heads · d)
    K : likewise, shape (m, heads · d)
    V : likewise, shape (m, heads · p) or (m,)
        Head h has the columns h d … of Q and K, and h p … of V and of the answer.  All three may be a
        :class:`~dsketch.matrix.head.Head` of one stored matrix.
    kind : {"softmax", "polynomial", "conv"}
        Weights exp(s⟨q, k⟩), or powers ⟨q, k⟩^p.  ``"conv"`` has those of softmax, for ``causal`` rows and as many rows of Q as of K: if
        the logits of a column, read from the diagonal on, are one of few profiles, rows are made from these by FFT, else by a sweep.
    degree : int, optional
        p of kind polynomial, even, so that no weight is below 0; by default 4.
    heads : int
        How many there are; they share every reading.
    causal : bool
        Row i sees rows 0 … i + m − n of K and V: with n = m those up to its own, with n < m the rows of Q are the last n.
    scale : float, optional
        s > 0; by default 1/√d.  It changes no powers: these are divided by their sum.
    missing : {"error", "fill"}
        What an absent Zarr chunk means.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the rows are; None: the first.

    Raises
    ------
    DataError
        If shapes do not fit, or the data are not real numbers.
    SpecError
        If there are no such heads or powers, or scale is not positive.

    Notes
    -----
    n m weights of each head, in tiles that stay in the processor's cache; memory does not grow with n or m.  Or, for powers, K and V
    summed once by the C(d + p − 1, p) monomials of their rows (``features``), where these fit, or about so by a sketch (``sketched``): time
    is linear in n and m.  For ``kind="conv"`` profiles are found by their first entries, held against the logits of some rows and
    columns, and multiplied in n log n (``conv``): ``ESTIMATED``.  Exact for rows of any length, but for sketch and basis, up to rounding,
    for which the certificate has a bound.  The answer has n rows: it is gathered up to 1 GB, else written by the workers (``out=`` of
    :func:`dsketch.attention`).

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017.
    M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867, 2018.
    Y. Liang et al., "Conv-Basis: a new paradigm for efficient attention inference and gradient computation in transformers", arXiv
    2405.05219.

    Examples
    --------
    >>> import dsketch, numpy as np
    >>> Q, K, V = np.array([[0.0], [1e4]]), np.array([[1.0], [2.0]]), np.array([1.0, 3.0])
    >>> dsketch.solve(Attention(Q, K, V)).x
    array([2., 3.])
    """

    name = "attention"
    title = "Attention softmax(s Q Kᵀ) V by rows, written by the workers."
    inputs = (QUERIES, KEYS, VALUES)
    options: ClassVar[tuple[Option, ...]] = (KIND, DEGREE, HEADS, CAUSAL, SCALE)
    methods: ClassVar[Mapping[str, AttentionMethod]] = METHODS
    answers_rows = True
    x_has_columns = False

    def __init__(
        self,
        Q: Any,
        K: Any,
        V: Any,
        *,
        kind: str = "softmax",
        degree: int | None = None,
        heads: int = 1,
        causal: bool = False,
        scale: float | None = None,
        missing: str = "error",
        dim: str | None = None,
    ) -> None:
        Q, K, V = along(dim, Q=Q, K=K, V=V)
        system = open_system(Q, K, V, heads=heads, causal=causal, scale=scale, missing=missing)
        self.system: AttentionSystem = replace(system, degree=as_degree(kind, degree), is_conv=as_conv(kind, system))
        self.rows: Rows = self.system.rows
        self.parameters = {
            "problem": self.name,
            "kind": kind,
            "degree": self.system.degree,
            "heads": self.system.heads,
            "causal": self.system.is_causal,
            "scale": self.system.scale,
            "missing": missing,
        }

    def data(self) -> dict[str, Matrix | None]:
        """Return Q, K and V."""
        return {"Q": self.system.Q, "K": self.system.K, "V": self.system.V}

    @property
    def columns(self) -> Columns | None:
        """None: x belongs to V's columns, not to Q's."""
        return None

    @property
    def sides(self) -> int:
        """Columns of V."""
        return self.system.V.shape[1]

    @property
    def x_shape(self) -> tuple[int, int]:
        """A row for each of Q's, with the columns of V."""
        return self.rows.shape[0], self.sides

    def gradient(self, dY: Any, wrt: str = "Q") -> AttentionGradient:
        """Return the problem of the gradient at Q, K or V of a loss whose gradient at the rows of this attention is dY.

        Parameters
        ----------
        dY : path, URL, zarr.Array, ndarray, dask array or Head, shape (n, heads · p)
        wrt : {"Q", "K", "V"}
            Of what the gradient is taken.

        Raises
        ------
        DataError, SpecError
            As :class:`~dsketch.problems.AttentionGradient`.
        """
        options = {name: self.parameters[name] for name in ("kind", "degree", "heads", "causal", "scale", "missing")}
        return AttentionGradient(self.system.Q, self.system.K, self.system.V, dY, wrt=wrt, **options)

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Time a tile, price the methods, choose."""
        require_names(self, method, settings)
        require_settings(settings, 0)
        return plan_attention(self.system, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Look at the rows of K and Q, and tell how those of the answer are made."""
        answer, method = yield from with_fallback(METHODS, choice.method, self.system, choice.settings)

        def conclude(written: Written | None) -> Outcome:
            certificate = attention_certificate(answer, written)
            accepted = max(self.accepted(choice.settings.tol), answer.level)
            status = status_of(certificate.backward_error, accepted, is_estimate=answer.compared > 0)
            return Outcome(answer.x, status, method, certificate, answer.notes, answer)

        begun = conclude(None)
        look = Look(answer.pass_, answer.rows)
        return Outcome(answer.x, Status.NOT_SOLVED, method, begun.certificate, answer.notes, answer, RowsLook(look, conclude))

    @property
    def judge_passes(self) -> int:
        """Two light ones, for powers four, and a sweep."""
        return 3 if self.system.degree is None else 5

    def judge(self, x: Floats) -> Flow[AttentionCertificate]:
        """Judge rows by a sweep of their own: ``forward_error`` is the largest distance of any number, relative to the largest |v|."""
        return (yield from check_attention(self.system, x))

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return the change of the rows that may explain an answer: rounding, twice as the judge's rows have it too, or the tolerance."""
        del x
        system = self.system
        if system.degree is None:
            return max(2 * rounding_level(system.width, system.tiles), tol or 0.0)
        return max(2 * polynomial_level(system.width, system.tiles, system.degree), tol or 0.0)
