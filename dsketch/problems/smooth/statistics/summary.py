"""The statistics of a generalised linear model as a value."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dsketch._html import join_parts, lines_table
from dsketch._jsonable import plain
from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.problems.linear.statistics.summary import sandwich_of
from dsketch.problems.linear.statistics.table import coefficient_html, coefficient_lines, note_lines


@dataclass(frozen=True)
class GLMSummary:
    """What the data say about the coefficients of a generalised linear model.

    Attributes
    ----------
    names : tuple of str
    coefficients, standard_errors, test_values, p_values : ndarray, shape (d,), of K classes (d, K − 1)
        p is two-sided, from the normal distribution (``test`` z) or Student's t.
    test : {"z", "t"}
        t for families whose dispersion is estimated.
    test_degrees : float
        Of t: n − rank, or with groups one below their number; ∞ for z.
    family, link : str
    deviance, null_deviance : float
        Σ w d(y, μ); that of a constant beside the offset.
    pearson : float
        Σ w (y − μ)²/V(μ); NaN of classes.
    dispersion : float
        Pearson's over n − rank, or 1 for families that have none.
    log_likelihood, null_log_likelihood : float
        All constants included, at the dispersion (of the Gaussian family at Σ w r²/n, its own maximum); NaN for losses without one.
    aic, bic : float
        −2 log L + 2 rank and −2 log L + rank log n: an estimated dispersion is not counted (R's AIC counts it).
    rows : float
        n: rows of positive weight, each as often as its frequency says; prior weights change nothing of it.
    rank : int
    residual_degrees : float
        n − rank.
    information : {"expected", "observed"}
        What the errors, and the leverages, are made of.
    is_weighted : bool
        Whether there are prior weights or frequencies.
    robust : str or None
        ``HC0`` to ``HC3``, or ``cluster``.
    groups : int or None
        How many, where ``robust`` is ``cluster``.
    level : float
        Of the intervals that are printed.
    is_estimable : ndarray of bool, shape of the coefficients
        False for coefficients that a rank-deficient A does not determine one by one.
    singular_values : ndarray, shape (d,)
        Of √H A, H the curvatures of the rows.
    passes : tuple of str
        What this summary read rows for, beyond the solve; ``constant`` passes read y alone.
    notes : tuple of str
    """

    names: tuple[str, ...]
    coefficients: Floats
    standard_errors: Floats
    test_values: Floats
    p_values: Floats
    test: str = field(kw_only=True)
    test_degrees: float = field(kw_only=True)
    family: str = field(kw_only=True)
    link: str = field(kw_only=True)
    deviance: float = field(kw_only=True)
    null_deviance: float = field(kw_only=True)
    pearson: float = field(kw_only=True)
    dispersion: float = field(kw_only=True)
    log_likelihood: float = field(kw_only=True)
    null_log_likelihood: float = field(kw_only=True)
    aic: float = field(kw_only=True)
    bic: float = field(kw_only=True)
    rows: float = field(kw_only=True)
    rank: int = field(kw_only=True)
    residual_degrees: float = field(kw_only=True)
    information: str = field(kw_only=True)
    is_weighted: bool = field(kw_only=True)
    robust: str | None = field(kw_only=True)
    groups: int | None = field(kw_only=True)
    level: float = field(kw_only=True)
    is_estimable: NDArray[np.bool_] = field(kw_only=True)
    singular_values: Floats = field(kw_only=True)
    passes: tuple[str, ...] = field(kw_only=True)
    notes: tuple[str, ...] = field(kw_only=True)
    spread: Floats = field(kw_only=True, repr=False)  # T, shape (d, r)
    meat: Floats = field(kw_only=True, repr=False)  # M, shape (r, r)
    halves: Floats = field(kw_only=True, repr=False)  # V, shape (d, m): the covariance is T M Tᵀ + V Vᵀ

    @property
    def condition(self) -> float:
        """Ratio of the largest to the smallest singular value kept."""
        s = self.singular_values
        return float(s[0] / s[self.rank - 1]) if self.rank else 1.0

    @property
    def deviance_explained(self) -> float:
        """1 − deviance/null deviance: R² of the Gaussian family."""
        return 1 - self.deviance / self.null_deviance if self.null_deviance > 0 else np.nan

    @property
    def mcfadden(self) -> float:
        """McFadden's pseudo-R², 1 − log L/log L₀."""
        return 1 - self.log_likelihood / self.null_log_likelihood if self.null_log_likelihood else np.nan

    @property
    def cox_snell(self) -> float:
        """Cox and Snell's pseudo-R², 1 − (L₀/L)^(2/n)."""
        return float(-np.expm1(2 * (self.null_log_likelihood - self.log_likelihood) / self.rows))

    def covariance(self) -> Floats:
        """Return the covariance matrix of the coefficients, shape (d, d); of classes one class after the other."""
        return sandwich_of(self.spread, self.meat, self.halves)

    def confidence(self, level: float | None = None) -> Floats:
        """Return the confidence intervals, shape (d, 2) or (d, K − 1, 2): lower and upper ends.

        Parameters
        ----------
        level : float, optional
            Between 0 and 1; None means the summary's own.
        """
        level = self.level if level is None else level
        if not 0 < level < 1:
            raise SpecError(f"level must lie between 0 and 1; got {level!r}. Use 0.95 for 95 % intervals.")
        above = (1 + level) / 2
        quantile = special.ndtri(above) if self.test == "z" else special.stdtrit(self.test_degrees or np.nan, above)
        reach = quantile * self.standard_errors
        return np.stack([self.coefficients - reach, self.coefficients + reach], axis=-1)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them (None for what is not a finite number), with the intervals."""
        left_out = {"spread", "meat", "halves"}
        fields = {name: value for name, value in vars(self).items() if name not in left_out}
        others = ("condition", "deviance_explained", "mcfadden", "cox_snell")
        fields |= {"confidence": self.confidence(), **{name: getattr(self, name) for name in others}}
        return {name: plain(value) for name, value in fields.items()}

    def __str__(self) -> str:
        """Return a table, one for each class but the first where there are several."""
        lines = self._head()
        for title, names, columns in self._tables():
            lines += [title] if title else []
            lines += coefficient_lines(names, columns, self.level, self.test)
        return "\n".join([*lines, *note_lines(self.notes)])

    def __repr__(self) -> str:
        """Return the summary in one line."""
        said = f"{self.family}, {len(self.names)} coefficients, {self.rows:,.12g} rows, deviance {self.deviance:.6g}"
        return f"<{type(self).__name__} of {said}>"

    def _repr_html_(self) -> str:
        """Return the tables as a notebook shows them."""
        tables = [coefficient_html(names, columns, self.level, self.test, title) for title, names, columns in self._tables()]
        return join_parts([lines_table("\n".join([*self._head(), *note_lines(self.notes)])), *tables])

    def _tables(self) -> Iterator[tuple[str, list[str], Floats]]:
        """Yield of each class but the first its title, its names, and coefficient, error, test, p and interval of each."""
        d = len(self.names)
        by_coefficient = (self.coefficients, self.standard_errors, self.test_values, self.p_values)
        columns = np.stack([numbers.reshape(d, -1) for numbers in by_coefficient], axis=-1)
        columns = np.concatenate([columns, self.confidence().reshape(d, -1, 2)], axis=-1)
        for output, sure in enumerate(self.is_estimable.reshape(d, -1).T):
            names = [name if is_sure else f"{name} *" for name, is_sure in zip(self.names, sure, strict=True)]
            yield f"class {output + 1} against class 0" if columns.shape[1] > 1 else "", names, columns[:, output]

    def _head(self) -> list[str]:
        covariance = f"by {self.groups:,} groups of rows" if self.groups is not None else self.robust or "the model's own"
        weighted = ", weighted" if self.is_weighted else ""
        return [
            f"rows        {self.rows:,.12g}   rank {self.rank} of {self.coefficients.size}   "
            f"degrees of freedom {self.residual_degrees:,.12g}   condition {self.condition:.2e}",
            f"family      {self.family}, link {self.link}   dispersion {self.dispersion:.6g}",
            f"covariance  {covariance}, {self.information} information{weighted}",
            f"deviance    {self.deviance:.6f}   of a constant {self.null_deviance:.6f}   explained {self.deviance_explained:.6f}   "
            f"Pearson χ² {self.pearson:.6f}",
            f"likelihood  log {self.log_likelihood:.6f}   of a constant {self.null_log_likelihood:.6f}   AIC {self.aic:.4f}   "
            f"BIC {self.bic:.4f}",
        ]
