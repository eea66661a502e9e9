"""What a solve returns: x, a status sentence, a certificate, the ledger of passes."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsketch._jsonable import plain
from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import Bounds, Known
from dsketch._linalg.factor import Factor
from dsketch._results.frames import target_names, to_dataset, to_frame
from dsketch._results.pages import solution_html, solution_word
from dsketch._results.plan import Plan
from dsketch._results.plot import plot
from dsketch._results.slices import as_listed
from dsketch._units import format_bytes, format_seconds
from dsketch.engine.session import ProgressTo
from dsketch.errors import SpecError
from dsketch.events import Converged, PassRecord
from dsketch.matrix.columns import Columns
from dsketch.matrix.open import open_matrix
from dsketch.passes.base import Flow
from dsketch.problems import Problem
from dsketch.problems.linear.by_target import GroupedAnswer
from dsketch.problems.linear.full_answer import FullAnswer
from dsketch.problems.linear.own_factor import factor_of
from dsketch.problems.linear.problem import LinearProblem
from dsketch.problems.linear.stored_errors import stored_errors
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.outcome import Certificate, Status
from dsketch.problems.tables import SummaryOptions


@dataclass(frozen=True)
class Solution:
    """The answer to a problem.

    Attributes
    ----------
    x : ndarray, shape (d,) or (d, k)
        With an intercept, its coefficient is the last row.  Where the answer has a number for each row of A, n numbers: a ``zarr.Array`` if
        the workers have written them.
    status : Status
    method : str
        The method that gave x (the last one, if others gave way).
    certificate : Certificate
    passes : tuple of PassRecord
    plan : Plan
    notes : tuple of str
        What methods decided on the way: fallbacks, refinements.
    columns : Columns or None
        Names and levels of A's columns, where it has names: they stay with x wherever A goes.
    fields : mapping of str to array
        What the answer has besides x of the same shape, x among it by its own name; empty for most problems.
    answer : object
        The method's own answer with its factor; what :mod:`dsketch.problems.linear.statistics` needs.
    problem : Problem
    history : tuple of Converged
        What methods measured on the way, where they did.
    run : callable
        ``run(flow, cluster, progress)`` answers the looks of a further flow and returns what it returns.  It is handed in from above
        (:mod:`dsketch.api`), so that a Solution can ask for passes and still know no engine.
    predicts : callable
        :func:`dsketch._results.predict.predict`, handed in for the same reason.
    """

    x: Floats
    status: Status
    method: str
    certificate: Certificate
    passes: tuple[PassRecord, ...]
    plan: Plan
    notes: tuple[str, ...] = ()
    columns: Columns | None = field(default=None, repr=False, kw_only=True)
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False, kw_only=True)
    answer: Any = field(repr=False, kw_only=True)
    problem: Problem = field(repr=False, kw_only=True)
    history: tuple[Converged, ...] = field(default=(), repr=False, kw_only=True)
    run: Callable[[Flow[Any], Any, ProgressTo], Any] = field(repr=False, kw_only=True)
    predicts: Callable[..., Any] = field(repr=False, kw_only=True)

    def summary(
        self,
        *,
        robust: str | None = None,
        level: float = 0.95,
        names: Iterable[str] | None = None,
        groups: Any = None,
        information: str = "expected",
        cluster: Any = None,
        progress: ProgressTo = None,
    ) -> Any:
        """Return the table of coefficients: standard errors, t or z, p, intervals, covariance, and how well the model fits.

        Parameters
        ----------
        robust : {"HC0", "HC1", "HC2", "HC3"}, optional
            Errors that stay valid when the variance differs from row to row; HC3 is the cautious choice for few rows.
        level : float
            Of the confidence intervals.
        names : iterable of str, optional
            Of the columns of A; None: the attribute ``columns`` of a Zarr A (``dsketch ingest`` writes it), else x0, x1 ….
        groups : path, URL, zarr.Array, ndarray or dask array, shape (n,), optional
            The group of each row, any numbers: errors that stay valid when rows of one group depend on each other
            (:mod:`dsketch.problems.clusters`).
        information : {"expected", "observed"}
            What the model's own errors of a generalised linear model are made of: Fisher's information, or the curvature of the
            log-likelihood at x; the same for canonical links and least squares.
        cluster, progress
            As in :func:`dsketch.solve`, if a pass is needed; None: where the problem was solved.

        Returns
        -------
        Summary, GLMSummary
            By the problem.

        Raises
        ------
        SpecError
            With a penalty (its estimates are biased: they have no such errors), for problems without such a table, or unknown words.
        DataError
            If groups have no number for each row of A, or are not finite.

        Notes
        -----
        Least squares: equal to statsmodels' OLS and WLS (p from Student's t also with ``robust``) up to rounding times kappa, from the
        factor R alone.  No pass where R is A's own (``tsqr``, ``whitened``, ``gram`` up to kappa 10⁴).  One pass makes it so after
        ``conjugate_gradient``, ``gradient_descent`` and ``sketch_and_solve`` (the coefficients are then the minimizer's, from that R and
        Qᵀb), one more is for ``robust`` or ``groups``, another where a row has leverage near 1, and one light one where a few rows suggest
        that A itself holds a constant, to know whether R² is about the mean.  The minimum-norm answer of a rank-deficient A gets the
        covariance of the pseudoinverse, without t and p.  Rows of weight 0 are no observations.
        """
        wish = SummaryOptions(
            robust,
            level,
            None if names is None else tuple(names),
            None if groups is None else open_matrix(groups, what="groups"),
            information,
        )
        doubts = () if self.status.is_success else (self.status.value,)
        return self.run(self.problem.summarize(self.answer, self.method, wish, doubts), cluster, progress)

    def predict(
        self,
        A: Any,
        out: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        offset: Any = None,
        missing: str = "error",
        cluster: Any = None,
        progress: ProgressTo = None,
    ) -> Any:
        """Return what the answer predicts for the rows of a new A, for linear problems A x plus the intercept; one pass over it.

        Parameters
        ----------
        A : path, URL, zarr.Array, ndarray or dask array, shape (m, d)
        out : path or URL, optional
            Where to write the predictions as Zarr, block by block; None: they are returned as an array, if they fit in memory.
        overwrite : bool
            Replace what is at ``out``.
        offset : likewise, shape (m,), optional
            Of a generalised linear model, for the new rows; None: 0.
        missing : {"error", "fill"}
            What an absent chunk of A means.
        cluster, progress
            As in :func:`dsketch.solve`; None: where the problem was solved.

        Returns
        -------
        ndarray or zarr.Array, shape (m,) or (m, k)

        Raises
        ------
        SpecError, DataError, PlanError, EngineError
            As :func:`dsketch.predict`.
        """
        elsewhere = {} if cluster is None else {"cluster": cluster}
        return self.predicts(self, A, out, overwrite=overwrite, offset=offset, missing=missing, progress=progress, **elsewhere)

    def plot(self, kind: str | None = None, *, summary: Any = None) -> Any:
        """Draw the solution by matplotlib, the extra ``dsketch[plot]``.

        Parameters
        ----------
        kind : {"coefficients", "map", "convergence"}, optional
            None: a map of each coefficient where b has two dimensions of targets, else coefficients.
        summary : Summary or GLMSummary, optional
            As :meth:`summary` gave it: its intervals are drawn.  None: those of 95 %, where errors need no look at the rows (least squares
            have them at hand); where they do, the axis says so.

        Returns
        -------
        matplotlib.axes.Axes, or an array of them for maps
            A notebook shows the figure; elsewhere ``matplotlib.pyplot.show()`` does, or ``….figure.savefig(path)``.

        Raises
        ------
        SpecError
            If matplotlib is not installed, the kind is not known, or there is nothing to draw of it.
        """
        return plot(self, kind, summary)

    def __repr__(self) -> str:
        """Return the answer in one line."""
        return solution_word(self)

    def _repr_html_(self) -> str:
        """Return the answer as a notebook shows it."""
        return solution_html(self)

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns of A, to which the rows of x belong (the intercept's, the last, has none); None where A has none."""
        return None if self.columns is None else self.columns.names

    @property
    def target_names(self) -> tuple[str, ...] | None:
        """Names of the columns of b, to which those of x belong; None where b has none."""
        return target_names(self.problem)

    def to_xarray(self, summary: Any = None) -> Any:
        """Return x and the certificate as an ``xarray.Dataset``, with the coordinates of A's columns and of the targets.

        Parameters
        ----------
        summary : Summary or GLMSummary, optional
            As :meth:`summary` gave it: standard errors, t, p, R² and residual variance come along.

        Returns
        -------
        xarray.Dataset
            ``x`` (``column``, then the dimensions of b but its rows); ``backward_error``, ``residual_norm``, … of each target.  Of an
            answer with a row for each of A's (leverage scores, attention, marginal regressions): its arrays, by the rows' coordinates.

        Raises
        ------
        SpecError
            If xarray is not installed (the extra ``dsketch[xarray]``), or x belongs neither to columns nor to rows of A.
        """
        return to_dataset(self, summary)

    def to_pandas(self) -> Any:
        """Return x as a ``pandas.Series``, or a ``DataFrame`` with a column for each target, by the names of the columns of A and b.

        Raises
        ------
        SpecError
            If pandas is not installed, or x does not belong to the columns of A.
        """
        return to_frame(self)

    @property
    def singular_values(self) -> Floats:
        """Singular values of A (of its sketch where ``certificate.is_exact`` is false), from a decomposition of R.

        After ``krylov``, which makes no R, one pass makes it.

        Where columns were shifted beside an intercept (a note says so), those of [A − 1 sᵀ, 1].

        Raises
        ------
        SpecError
            If the method made no factor.
        """
        if getattr(self.answer, "factor", None) is None:
            raise SpecError(f"{self.method} made no factor of A. Use tsqr, whitened or gram.")
        values: Floats = factor_in(self).singular[0]
        return values

    @property
    def coefficient_errors(self) -> Floats:
        """First-order bounds on |x − x*|, coefficient by coefficient in the units of x, shape of x; NaN where no slope was measured.

        Raises
        ------
        SpecError
            If the problem is no linear system.
        """
        if not isinstance(self.problem, LinearSystem):
            raise SpecError(
                f"errors by coefficient need a linear system; this is {self.problem.parameters['problem']}. Use certificate.forward_error."
            )
        if self.answer.slope is None:
            return np.full(self.x.shape, np.nan)
        rows, shift = self.problem.shape[0], self.problem.rows.shift
        if isinstance(self.answer, GroupedAnswer | FullAnswer):
            errors = self.answer.errors_by_coefficient(rows, shift)
        else:
            errors = stored_errors(self.answer, rows, shift)
        return np.asarray(errors.reshape(self.x.shape))

    @property
    def seconds(self) -> float:
        """Seconds in passes that were run (not replayed)."""
        return sum(record.seconds for record in self.passes if not record.replayed)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them: x as lists, None for what was not measured, names and levels of columns if A has any.

        Of an x that was written where the rows are, or has more than 10,000 of them, there is where it lies, its shape and its first rows.
        """
        fields = {
            "x": as_listed(self.x, has_rows=self.problem.answers_rows),
            "status": self.status.name.lower(),
            "message": self.status.value,
            "method": self.method,
            "certificate": vars(self.certificate),
            "passes": [vars(record) for record in self.passes],
            "plan": self.plan.to_dict(),
            "notes": self.notes,
            **({} if self.columns is None else self.columns.attributes()),
            **({name: as_listed(values, has_rows=True) for name, values in self.fields.items()}),
            **({} if self.target_names is None else {"targets": list(self.target_names)}),
        }
        return {name: plain(value) for name, value in fields.items()}

    def __str__(self) -> str:
        """Return the answer in a few lines for people."""
        read = sum(record.read_bytes for record in self.passes)
        lines = [
            f"status      {self.status.value}",
            f"method      {self.method}, {len(self.passes)} pass{'es' * (len(self.passes) != 1)}, {format_bytes(read)}, "
            f"{format_seconds(self.seconds)}",
            *self.certificate.lines(),
        ]
        return "\n".join([*lines, *(f"note        {note}" for note in self.notes)])


def factor_in(solution: Solution) -> Factor:
    """Return the factor of a linear answer; where its method made none, A's own by a pass more."""
    known: Known = solution.answer.factor
    if isinstance(solution.problem, LinearProblem) and isinstance(known, Bounds):
        factor: Factor = solution.run(factor_of(solution.problem.shifted, known), None, None)
        return factor
    assert isinstance(known, Factor)  # noqa: S101 - only linear methods go without
    return known
