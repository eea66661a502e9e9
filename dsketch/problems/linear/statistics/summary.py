"""The statistics of a least-squares fit as a value."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dsketch._html import join_parts, lines_table
from dsketch._jsonable import plain
from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, powers_near, ratio
from dsketch.errors import SpecError
from dsketch.problems.linear.statistics.table import coefficient_html, coefficient_lines, note_lines

_MOST_TABLES = 20  # of more right-hand sides the first are printed; arrays have all

Bools = NDArray[np.bool_]
_MOST_SHOWN = 10  # right-hand sides whose tables a notebook shows


@dataclass(frozen=True)
class Summary:
    """What the data say about the coefficients.

    Arrays with one number a coefficient have the shape of x, (d,), (d, k) or (d, …); those with one number a right-hand side are scalars
    if b is a vector, else of shape (k,), or of the dimensions of b's targets.

    Attributes
    ----------
    names : tuple of str
    coefficients, standard_errors, t_values, p_values : ndarray, shape (d,) or (d, k)
        p is two-sided, from Student's t with ``test_degrees``, for robust errors too.
    r_squared, adjusted_r_squared : float or ndarray, shape (k,)
        About the mean of b if ``is_centred``, else about 0.
    residual_variance : float or ndarray, shape (k,)
        Σ w r²/(n − rank).
    f_statistic, f_p_value : float or ndarray, shape (k,)
        Of all coefficients but the constant; the Wald form with the robust covariance if there is one.
    rows, rank, model_degrees, residual_degrees : int
        n (rows of positive weight, as R counts them), the rank, rank less the constant, n − rank.
    is_centred : bool
        Whether the model contains a constant: an intercept, or columns of A that combine to one.
    is_weighted : bool
    test_degrees : int
        Degrees of freedom of t, F and intervals: n − rank, or with groups one below their number.
    robust : str or None
        ``HC0`` to ``HC3``, or ``cluster``.
    groups : int or None
        How many, where ``robust`` is ``cluster``.
    level : float
        Of the intervals that are printed.
    is_estimable : ndarray of bool, shape (d,)
        False for coefficients that a rank-deficient A does not determine one by one.
    singular_values : ndarray, shape (d,)
        Of √W A, from R.
    passes : tuple of str
        What this summary read the rows for, beyond the solve.
    notes : tuple of str
    targets : tuple of str or None
        Names of the right-hand sides, where b has names for its columns.
    """

    names: tuple[str, ...]
    coefficients: Floats
    standard_errors: Floats
    t_values: Floats
    p_values: Floats
    r_squared: Floats
    adjusted_r_squared: Floats
    residual_variance: Floats
    f_statistic: Floats
    f_p_value: Floats
    rows: int = field(kw_only=True)
    rank: int = field(kw_only=True)
    model_degrees: int = field(kw_only=True)
    residual_degrees: int = field(kw_only=True)
    is_centred: bool = field(kw_only=True)
    is_weighted: bool = field(kw_only=True)
    test_degrees: int = field(kw_only=True)
    groups: int | None = field(kw_only=True)
    robust: str | None = field(kw_only=True)
    level: float = field(kw_only=True)
    is_estimable: Bools = field(kw_only=True)
    singular_values: Floats = field(kw_only=True)
    passes: tuple[str, ...] = field(kw_only=True)
    notes: tuple[str, ...] = field(kw_only=True)
    targets: tuple[str, ...] | None = field(kw_only=True, default=None)
    spread: Floats = field(kw_only=True, repr=False)  # T, shape (d, r)
    meat: Floats = field(kw_only=True, repr=False)  # M, shape (k, r, r); (k, 1, 1): so many times the identity
    halves: Floats = field(kw_only=True, repr=False)  # V, shape (k, d, m): the covariance of side s is T M[s] Tᵀ + V[s] V[s]ᵀ

    @property
    def condition(self) -> float:
        """Ratio of the largest to the smallest singular value kept; ∞ where float64 cannot hold it."""
        s = self.singular_values
        return float(ratio(s[:1], s[self.rank - 1 : self.rank])[0]) if self.rank else 1.0

    def covariance(self, side: int = 0) -> Floats:
        """Return the covariance matrix of the coefficients for one right-hand side, shape (d, d)."""
        if not 0 <= side < self.meat.shape[0]:
            raise SpecError(f"side must be one of the {self.meat.shape[0]} right-hand sides, counted from 0; got {side}.")
        meat, rank = self.meat[side], self.spread.shape[1]
        return sandwich_of(self.spread, meat if len(meat) == rank else meat * np.eye(rank), self.halves[side])

    def confidence(self, level: float | None = None) -> Floats:
        """Return the confidence intervals, shape (d, 2) or (d, k, 2): lower and upper ends.

        Parameters
        ----------
        level : float, optional
            Between 0 and 1; None means the summary's own.
        """
        level = self.level if level is None else level
        if not 0 < level < 1:
            raise SpecError(f"level must lie between 0 and 1; got {level!r}. Use 0.95 for 95 % intervals.")
        quantile = special.stdtrit(self.test_degrees, (1 + level) / 2) if self.test_degrees else np.nan
        reach = quantile * self.standard_errors
        return np.stack([self.coefficients - reach, self.coefficients + reach], axis=-1)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them (None for what is not a finite number), with the intervals."""
        left_out = {"spread", "meat", "halves"}
        fields = {name: value for name, value in vars(self).items() if name not in left_out}
        return {
            name: plain(value) for name, value in {**fields, "confidence": self.confidence(), "condition": self.condition}.items()
        }

    def __str__(self) -> str:
        """Return a table for each right-hand side."""
        names, columns = self._table()
        lines, sides = self._head(), columns.shape[1]
        for side in range(min(sides, _MOST_TABLES)):
            lines += [*([""] if side else []), *([self._title_of(side)] if sides > 1 else []), *self._side_lines(side)]
            lines += coefficient_lines(names, columns[:, side], self.level)
        if sides > _MOST_TABLES:
            lines += ["", f"and {sides - _MOST_TABLES:,} more right-hand sides, not printed"]
        return "\n".join([*lines, *note_lines(self.notes)])

    def __repr__(self) -> str:
        """Return the summary in one line."""
        sides = np.size(self.residual_variance)
        r_squared = f"R² {float(np.ravel(self.r_squared)[0]):.4g}" if sides == 1 else f"{sides:,} right-hand sides"
        return f"<{type(self).__name__} of {len(self.names)} coefficients, {self.rows:,} rows, {r_squared}>"

    def _repr_html_(self) -> str:
        """Return the table as a notebook shows it, of the first right-hand sides where there are many."""
        names, columns = self._table()
        sides = columns.shape[1]
        said = [*self._head(), *(self._side_lines(0) if sides == 1 else []), *note_lines(self.notes)]
        tables = [
            coefficient_html(names, columns[:, side], self.level, caption=self._title_of(side) if sides > 1 else "")
            for side in range(min(sides, _MOST_SHOWN))
        ]
        rest = [lines_table(f"more  {sides - _MOST_SHOWN:,} right-hand sides")] if sides > _MOST_SHOWN else []
        return join_parts([lines_table("\n".join(said)), *tables, *rest])

    def _table(self) -> tuple[list[str], Floats]:
        """Return the names, and coefficient, error, t, p and interval of each, shape (d, k, 6)."""
        d, sides = len(self.names), np.size(self.residual_variance)
        by_coefficient = (self.coefficients, self.standard_errors, self.t_values, self.p_values)
        columns = np.stack([array.reshape(d, sides) for array in by_coefficient], axis=-1)
        columns = np.concatenate([columns, self.confidence().reshape(d, sides, 2)], axis=-1)
        return [name if sure else f"{name} *" for name, sure in zip(self.names, self.is_estimable, strict=True)], columns

    def _head(self) -> list[str]:
        return [
            f"rows        {self.rows:,}   rank {self.rank} of {len(self.names)}   degrees of freedom {self.residual_degrees:,}   "
            f"condition {self.condition:.2e}",
            f"covariance  {self._covariance_words()}{', weighted' if self.is_weighted else ''}",
        ]

    def _title_of(self, side: int) -> str:
        return f"right-hand side {side}" + (f": {self.targets[side]}" if self.targets else "")

    def _covariance_words(self) -> str:
        if self.groups is not None:
            return f"by {self.groups:,} groups of rows"
        return self.robust or "same variance in every row"

    def _side_lines(self, side: int) -> list[str]:
        by_side = (self.r_squared, self.adjusted_r_squared, self.residual_variance, self.f_statistic, self.f_p_value)
        r2, adjusted, variance, F, p = (float(np.ravel(value)[side]) for value in by_side)
        return [
            f"fit         R² {r2:.6f}{'' if self.is_centred else ' (about 0)'}   adjusted {adjusted:.6f}   "
            f"residual variance {variance:.6g}",
            f"F           {F:.6g} on {self.model_degrees} and {self.test_degrees:,} degrees of freedom, p {p:.2g}",
        ]


def sandwich_of(spread: Floats, meat: Floats, halves: Floats) -> Floats:
    """Return the covariance T M Tᵀ + V Vᵀ, shape (d, d), of factors in any units.

    Parameters
    ----------
    spread : ndarray, shape (d, r)
        T.
    meat : ndarray, shape (r, r)
        M.
    halves : ndarray, shape (d, m)
        V.
    """
    T, rows = _near_one(spread)
    M, whole = _near_one(meat.reshape(1, -1))
    V, own = _near_one(halves)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a variance may be beyond what float64 holds
        far = np.ldexp(T @ M.reshape(meat.shape) @ T.T, np.add.outer(rows, rows) + whole)
        return np.asarray(far + np.ldexp(V @ V.T, np.add.outer(own, own)))


def _near_one(V: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the rows divided by powers of two near their norms, exactly, and the powers: squares of these stay in range."""
    units = powers_near(norms(V.T))
    return V / units[:, None], np.frexp(units)[1].astype(np.int64) - 1
