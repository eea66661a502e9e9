"""Answers of very many targets: arrays that the workers write where b is read, or that come back where they are small."""

import os
from dataclasses import dataclass, field, fields
from typing import Any

from dsketch._jsonable import plain
from dsketch._results.output import Output
from dsketch._results.remote import RemoteOutput
from dsketch._results.solution import Solution
from dsketch._units import format_bytes, format_seconds
from dsketch.errors import SpecError
from dsketch.problems.targets.problem import TargetRegression


@dataclass(frozen=True, repr=False)
class TargetFit(Solution):
    """The answers of all targets, each an array with the targets' own dimensions last; in memory, or Zarr arrays where they were written.

    Attributes
    ----------
    x : ndarray or zarr.Array, shape (d, targets…)
        With an intercept, its coefficient is the last row.  NaN for a target without an answer; ``notes`` say how many and why.
    certificate : TargetCertificate
        The worst of all targets.
    dimensions : tuple of str
        Names of the targets' dimensions.
    path : str or None
        Of the Zarr group, where the answers were written.
    status, method, passes, plan, notes, columns
        As :class:`~dsketch.Solution` has them.
    """

    dimensions: tuple[str, ...] = field(kw_only=True)
    path: str | None = field(default=None, kw_only=True)

    @property
    def arrays(self) -> dict[str, Any]:
        """All arrays by name, of shape (d, targets…) or (targets…)."""
        return dict(self.fields)

    @property
    def standard_errors(self) -> Any:
        """Of the coefficients, shape of x.  SpecError with a penalty."""
        return self._of("standard_errors")

    @property
    def t(self) -> Any:
        """Coefficients over their standard errors, shape of x.  SpecError with a penalty."""
        return self._of("t")

    @property
    def p(self) -> Any:
        """Two-sided, from Student's t with the target's own degrees of freedom, shape of x.  SpecError with a penalty."""
        return self._of("p")

    @property
    def r_squared(self) -> Any:
        """About the mean of a target where the model holds a constant, else about 0; shape (targets…)."""
        return self._of("r_squared")

    @property
    def residual_variance(self) -> Any:
        """Σ w r² over the degrees of freedom, shape (targets…).  SpecError with a penalty."""
        return self._of("residual_variance")

    @property
    def counts(self) -> Any:
        """Rows that count for each target, shape (targets…)."""
        return self._of("counts")

    @property
    def degrees_of_freedom(self) -> Any:
        """Counts less the rank, shape (targets…).  SpecError with a penalty."""
        return self._of("degrees_of_freedom")

    @property
    def backward_error(self) -> Any:
        """The certificate of each target, shape (targets…)."""
        return self._of("backward_error")

    def _of(self, name: str) -> Any:
        if name not in self.arrays:
            raise SpecError(
                f"{name} needs an unbiased estimator; this is ridge. Solve without alpha for it; there are {', '.join(self.arrays)}."
            )
        return self.arrays[name]

    def to_dict(self) -> dict[str, Any]:
        """Return what is known of all targets as JSON can hold it: of the arrays, their shapes, and where they lie."""
        facts = {
            "arrays": {name: {"shape": list(value.shape), "dtype": str(value.dtype)} for name, value in self.arrays.items()},
            "zarr": self.path,
            "dimensions": list(self.dimensions),
            "status": self.status.name.lower(),
            "message": self.status.value,
            "method": self.method,
            "certificate": vars(self.certificate),
            "passes": [vars(record) for record in self.passes],
            "plan": self.plan.to_dict(),
            "notes": self.notes,
            **({} if self.columns is None else self.columns.attributes()),
            **({} if self.target_names is None else {"targets": list(self.target_names)}),
        }
        return {name: plain(value) for name, value in facts.items()}

    def summary(self, **options: Any) -> Any:
        """Refuse: every target has its own table, in the arrays.

        Raises
        ------
        SpecError
        """
        del options
        raise SpecError(
            "a table for few right-hand sides was expected; of targets it is in standard_errors, t, p and r_squared. Solve LeastSquares(A, "
            "b[:, target]) for intervals and robust errors."
        )

    def __str__(self) -> str:
        """Return the answers in a few lines for people."""
        read = sum(record.read_bytes for record in self.passes)
        lines = [
            f"status      {self.status.value}",
            f"method      {self.method}, {format_bytes(read)}, {format_seconds(self.seconds)}",
            *self.certificate.lines(),
            f"arrays      {', '.join(self.arrays)}" + ("" if self.path is None else f" in {self.path}"),
        ]
        return "\n".join([*lines, *(f"note        {note}" for note in self.notes)])


def told_by_target(solution: Solution, problem: TargetRegression, out: Output | RemoteOutput | None) -> TargetFit:
    """Return a solution as the answers of its targets, which lie at ``out``, if that is a place."""
    facts = {part.name: getattr(solution, part.name) for part in fields(Solution)}
    return TargetFit(**facts, dimensions=problem.dimensions, path=None if out is None else os.fspath(out.path))
