"""What :func:`dsketch.marginal` returns: coefficient, standard error, t and p of each column and target."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import zarr
from numpy.typing import NDArray

from dsketch._results.pages import solution_html
from dsketch._results.plan import Plan
from dsketch._results.solution import Solution
from dsketch.events import PassRecord
from dsketch.problems.marginal.certificate import MarginalCertificate
from dsketch.problems.outcome import Status

Values: TypeAlias = "NDArray[Any] | zarr.Array[Any]"


@dataclass(frozen=True)
class MarginalResult:
    """Marginal regressions of all columns and targets, each field of shape (m, k): arrays, or those of the group that workers have written.

    Where the covariates determine a column, its numbers are NaN; where too few rows are left, errors, t and p are.

    Attributes
    ----------
    solution : Solution
        With the ledger of passes, and for all that :func:`dsketch.solve` returns.
    """

    solution: Solution

    @property
    def beta(self) -> Values:
        """Coefficients."""
        return self._field("beta")

    @property
    def standard_errors(self) -> Values:
        """Standard errors of the coefficients, with n − rank − 1 degrees of freedom."""
        return self._field("standard_errors")

    @property
    def t(self) -> Values:
        """Coefficients over their errors."""
        return self._field("t")

    @property
    def p(self) -> Values:
        """P(|T| > |t|) of Student's T, two-sided; 0 where float64 has nothing so small."""
        return self._field("p")

    @property
    def neg_log10_p(self) -> Values:
        """−log₁₀ p, also where p itself is 0."""
        return self._field("neg_log10_p")

    @property
    def counts(self) -> Values:
        """Entries of the column that are there, of the rows that the target has."""
        return self._field("counts")

    def _field(self, name: str) -> Values:
        values: Values = self.solution.fields[name]
        return values

    @property
    def certificate(self) -> MarginalCertificate:
        """What is known of the numbers."""
        found: Any = self.solution.certificate
        certificate: MarginalCertificate = found
        return certificate

    @property
    def status(self) -> Status:
        """How it ended."""
        return self.solution.status

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided on the way."""
        return self.solution.notes

    @property
    def plan(self) -> Plan:
        """How it was made."""
        return self.solution.plan

    @property
    def passes(self) -> tuple[PassRecord, ...]:
        """The ledger."""
        return self.solution.passes

    def top(self, count: int = 10, target: int = 0) -> NDArray[np.int64]:
        """Return the numbers of the columns with the largest −log₁₀ p for a target, the largest first.

        Parameters
        ----------
        count : int
        target : int
        """
        decades = np.nan_to_num(np.asarray(self.neg_log10_p[:, target]), nan=-np.inf)
        return np.argsort(-decades, kind="stable")[:count]

    def to_xarray(self) -> Any:
        """Return the fields as an ``xarray.Dataset``, with the coordinates of the columns of G and of the targets; written ones lazily.

        Raises
        ------
        SpecError
            If xarray is not installed (the extra ``dsketch[xarray]``).
        """
        return self.solution.to_xarray()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; of many columns the first ones."""
        return self.solution.to_dict()

    def _repr_html_(self) -> str:
        """Return it as a cell of a notebook shows it."""
        return solution_html(self.solution)

    def __str__(self) -> str:
        """Return it in a few lines for people."""
        return str(self.solution)
