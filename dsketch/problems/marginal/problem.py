"""Marginal regressions: each column of a wide store against each target, beside common covariates."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._units import format_counted
from dsketch.errors import DataError, SpecError
from dsketch.matrix.alignment import require_same_rows
from dsketch.matrix.along import along_samples
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns
from dsketch.matrix.gaps import open_with_gaps
from dsketch.matrix.labels import COLUMN
from dsketch.matrix.wide import SAMPLES, open_wide
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.marginal import FIELDS, Tally, rounding_level
from dsketch.passes.partialled import Sides
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.arguments import as_flag
from dsketch.problems.base import Problem, require_settings
from dsketch.problems.fallback import with_fallback
from dsketch.problems.marginal.certificate import MarginalCertificate, marginal_certificate
from dsketch.problems.marginal.check import check_marginal
from dsketch.problems.marginal.choose import plan_marginal
from dsketch.problems.marginal.method import MarginalAnswer, MarginalMethod
from dsketch.problems.marginal.methods import METHODS
from dsketch.problems.marginal.system import MarginalSystem
from dsketch.problems.outcome import ArrayOf, ArraysLook, Outcome, Status
from dsketch.problems.status import status_of
from dsketch.settings import Option, Settings

COLUMNS = Option(
    "G",
    Matrix,
    None,
    "Zarr array whose columns are looked at one by one, n × m or m × n; or a VCF-Zarr store",
    label="Array to look at",
)
HELP = {
    "beta": "coefficients",
    "standard_errors": "of the coefficients, with n - rank - 1 degrees of freedom",
    "t": "coefficient over standard error",
    "p": "two-sided, from Student's t",
    "neg_log10_p": "-log10 p, also where p itself is 0",
    "counts": "entries of the column that are there, of the rows that the target has",
}
TARGETS = Option("Y", Matrix, None, "Zarr matrix of targets, n × k", label="Targets")
GAPS = Option(
    "missing",
    str,
    "mean",
    "What stands for a missing entry of a column: its mean, nothing (drop: the row is left out for that column), or an error. A row "
    "that a target misses is left out for that target, one that a covariate misses for all; with error both are refused.",
    choices=("mean", "drop", "error"),
    label="Absent chunks",
)


class Marginal(Problem):
    """y = g β + [1 C] γ for each column g of G and each target y of Y: β, its standard error, t and p.

    Parameters
    ----------
    G : path, URL, zarr.Array, zarr.Group or ndarray, shape (n, m) or (m, n)
        int8 to float64, best chunked along its columns; or a VCF-Zarr store as bio2zarr writes it, or its ``call_genotype``.
    Y : path, URL, zarr.Array, ndarray or table, shape (n, k)
    covariates : likewise, shape (n, q), optional
        C, common to all.
    intercept : bool
        Whether a constant is among the covariates.
    samples : {"auto", "rows", "columns"}
        Along which axis of G its n samples lie; auto: the axis that is named ``samples``, else the first.
    missing : {"mean", "drop", "error"}
        What stands for a missing entry of a column: NaN, what CF attributes mark, in VCF-Zarr −1 and −2.
    dim : str, optional
        Which dimension of labelled arrays (xarray) the samples are.

    Raises
    ------
    DataError
        If rows do not fit, or the data are not real numbers.
    SpecError
        For unknown words.

    Notes
    -----
    One pass over G, in matrix products: 2 n (k + q) flops a column.  Equal to statsmodels' OLS of y on [g 1 C], column by column, up to
    rounding.  Targets are never imputed: those that miss the same rows are solved together, without these rows.

    References
    ----------
    R. Frisch, F. V. Waugh, "Partial time regressions as compared with individual trends", Econometrica 1, 1933.

    Examples
    --------
    >>> import dsketch as ds, numpy as np
    >>> G = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [1.0, 0.0]])
    >>> ds.solve(Marginal(G, [1.0, 3.0, 5.0, 3.5])).x.round(12).ravel()
    array([ 2.  , -2.25])
    """

    name = "marginal"
    title = "Each column of a wide store against each target, beside covariates: coefficient, error, t, p."
    inputs = (COLUMNS, TARGETS)
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            "covariates",
            Matrix,
            None,
            "Zarr matrix of covariates that all regressions have, n × q. [default: none]",
            metavar="C",
            label="Covariates",
        ),
        Option("intercept", bool, True, "Count a constant among the covariates.", flag="intercept", label="Intercept"),
        SAMPLES,
    )
    missing_option = GAPS
    methods: ClassVar[Mapping[str, MarginalMethod]] = METHODS
    answers_rows = True
    x_has_columns = False

    def __init__(
        self,
        G: Any,
        Y: Any,
        *,
        covariates: Any = None,
        intercept: bool = True,
        samples: str = "auto",
        missing: str = "mean",
        dim: str | None = None,
    ) -> None:
        if missing not in GAPS.choices:
            raise SpecError(f"missing must be one of {', '.join(GAPS.choices)}; got {missing!r}.")
        intercept = as_flag("intercept", intercept)
        samples, Y, covariates = along_samples(dim, G, samples, Y=Y, covariates=covariates)
        columns, targets = open_wide(G, samples=samples), open_with_gaps(Y, "Y")
        others = None if covariates is None else open_with_gaps(covariates, "covariates")
        _require_rows(columns.shape[1], columns.shape[0], Y=targets, covariates=others)
        require_same_rows(Y=targets, covariates=others)
        self.system = MarginalSystem(columns, Sides(targets, others, intercept, missing != "error"), missing)
        self.rows = self.system.rows
        self.parameters = {
            "problem": self.name,
            "intercept": intercept,
            "samples": samples,
            "missing": missing,
        }

    def data(self) -> dict[str, Matrix | None]:
        """Return G, Y and the covariates."""
        return {"G": self.system.columns, "Y": self.system.sides.Y, "covariates": self.system.sides.C}

    @property
    def columns(self) -> Columns | None:
        """None: x belongs to the targets."""
        return None

    @property
    def sides(self) -> int:
        """Targets."""
        return self.system.sides.Y.shape[1]

    @property
    def x_shape(self) -> tuple[int, int]:
        """(m, k)."""
        return self.rows.shape[0], self.sides

    @property
    def arrays(self) -> tuple[ArrayOf, ...]:
        """The fields, each (m, k), a chunk for a block."""
        height, k = int(np.max(np.diff(self.rows.cuts))), self.sides
        types = {"counts": "int32"}
        return tuple(
            ArrayOf(name, self.x_shape, (height, max(k, 1)), types.get(name, "float64"), (COLUMN, "target"), HELP[name])
            for name in FIELDS
        )

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Read a block, time a product, price."""
        require_settings(settings, 0)
        return plan_marginal(self.system, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Tell how the columns are answered; nothing is looked at before."""
        answer, method = yield from with_fallback(METHODS, choice.method, self.system, choice.settings)

        def conclude(tally: Tally | None) -> Outcome:
            return self._conclude(answer, method, tally, self.accepted(choice.settings.tol))

        begun = conclude(None)
        look = ArraysLook(answer.pass_, self.rows, lambda: _look_once(Look(answer.pass_, self.rows)), conclude)
        return Outcome(answer.x, Status.NOT_SOLVED, method, begun.certificate, answer.notes, answer, look)

    def _conclude(self, answer: MarginalAnswer, method: str, tally: Tally | None, accepted: float) -> Outcome:
        certificate = marginal_certificate(tally, self.system.covariates, self.sides)
        status = status_of(certificate.unexplained, accepted)
        notes = (*answer.notes, *(() if tally is None else _notes(certificate, tally)))
        if tally is not None:
            self.system.kept_sides.forget()
        return Outcome(answer.x, status, method, certificate, notes, answer)

    @property
    def judge_passes(self) -> int:
        """One over G."""
        return 1

    def judge(self, x: Floats) -> Flow[MarginalCertificate]:
        """Judge coefficients by a pass of their own."""
        return (yield from check_marginal(self.system, x))

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return the distance that rounding may explain, or the tolerance."""
        del x
        return max(rounding_level(self.rows.shape[1]), tol or 0.0)


def _look_once(look: Look) -> Flow[Any]:
    return (yield look)


def _require_rows(n: int, m: int, **sides: Matrix | None) -> None:
    """Refuse targets and covariates of another height.

    Raises
    ------
    DataError
    """
    for name, matrix in sides.items():
        if name == "Y" and matrix is not None and not matrix.shape[1]:
            raise DataError(f"Y must have at least one target; its shape is {matrix.shape}. Check its source.")
        if matrix is not None and matrix.shape[0] != n:
            turned = " Its columns are as many: say samples='columns' (m × n), or 'rows' (n × m)." if matrix.shape[0] == m else ""
            raise DataError(
                f"{name} must have one row for each of the {n} samples of G; its shape is {matrix.shape}. Check that both come from the "
                f"same data.{turned}"
            )


def _notes(found: MarginalCertificate, tally: Tally) -> tuple[str, ...]:
    """Return what users should know of columns, targets and covariates."""
    notes = []
    if found.undetermined:
        columns = format_counted(found.undetermined, "column is", "columns are")
        notes.append(f"{columns} constant or determined by the covariates: numbers are NaN")
    if found.short:
        notes.append(f"{format_counted(found.short, 'column has', 'columns have')} too few rows for errors: these are NaN")
    if found.exact:
        columns = format_counted(found.exact, "column explains", "columns explain")
        notes.append(f"{columns} a target but for rounding of the data: errors, t and p would be 0/0; they are NaN")
    if tally.counts["unmarked"]:  # of blocks that this run has read: a number would depend on what was resumed
        notes.append(
            "entries of G are −1 or −2, and count as numbers: nothing says that they are missing. If they are, "
            "give the array the attribute missing_value (−1), name its dimensions variants and samples, or pass NaN"
        )
    if empty := int((tally.facts.rows == 0).sum()):
        notes.append(f"{format_counted(empty, 'target has', 'targets have')} no row with all covariates: numbers are NaN")
    if "of" in found.rank_reason:
        notes.append(f"covariates depend on each other: {found.rank_reason}, the directions that others span are left out")
    return tuple(notes)
