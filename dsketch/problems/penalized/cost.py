"""What is added to the squares: λ |x| + ½ μ x² for each column, within bounds; its one-sided slopes and its kinks.

Lasso, ridge, elastic net, non-negative least squares and boxes are one kind of problem: a quadratic plus a function of each coefficient
that is smooth but for kinks (at 0 where λ > 0, and at the bounds).  A coefficient *rests* at a kink or is *free* between two.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import beside


@dataclass(frozen=True)
class Cost:
    """Σ λⱼ |xⱼ| + ½ μⱼ xⱼ² over lower ≤ x ≤ upper.

    Attributes
    ----------
    lasso, ridge : ndarray, shape (d,), or (d, m) for m points
        λ ≥ 0 and μ ≥ 0; both 0 for an intercept.
    lower, upper : ndarray, likewise
        Bounds, −∞ and ∞ where there are none.
    """

    lasso: Floats
    ridge: Floats
    lower: Floats
    upper: Floats

    @classmethod
    def elastic(cls, lasso: ArrayLike, ridge: ArrayLike, columns: int, *, intercept: bool) -> "Cost":
        """Return the same λ and μ, of one point or of m, for every column but the intercept's, the last, without bounds."""
        ones = np.ones(columns)
        if intercept:
            ones[-1] = 0.0
        found = np.multiply.outer(lasso, ones).T  # a column of memory for each point
        return cls(found, np.multiply.outer(ridge, ones).T, np.full_like(found, -np.inf), np.full_like(found, np.inf))

    @classmethod
    def beside(cls, *costs: "Cost") -> "Cost":
        """Return the costs of points as one."""
        return cls(*(np.column_stack([getattr(cost, field.name) for cost in costs]) for field in fields(cls)))

    def of(self, points: int | NDArray[np.intp]) -> "Cost":
        """Return the cost of one of m points, or of some."""
        return Cost(*(getattr(self, field.name)[:, points] for field in fields(self)))

    def scaled(self, scale: Floats) -> "Cost":
        """Return the cost of z = D x, D powers of two: exact."""
        scale = beside(scale, self.lasso)
        return Cost(self.lasso / scale, self.ridge / scale**2, self.lower * scale, self.upper * scale)

    @cached_property
    def has_bounds(self) -> bool:
        """Whether a coefficient cannot go everywhere."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @cached_property
    def _is_kinked(self) -> NDArray[np.bool_]:
        return self.lasso > 0

    @property
    def is_smooth(self) -> bool:
        """Whether there is no kink at all: least squares, or ridge."""
        return not (self.lasso.any() or self.has_bounds)

    @property
    def is_zero(self) -> bool:
        """Whether nothing is added at all: least squares."""
        return self.is_smooth and not self.ridge.any()

    def start(self) -> Floats:
        """Return the x nearest to 0 within the bounds."""
        return np.clip(np.zeros_like(self.lower), self.lower, self.upper)

    def rests(self, x: Floats) -> NDArray[np.bool_]:
        """Whether each coefficient lies at a kink."""
        rests = (x == 0) & self._is_kinked
        return np.asarray((x == self.lower) | (x == self.upper) | rests if self.has_bounds else rests)

    def slopes(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the slopes of λ |x| to the left and to the right of x; infinite beyond a bound."""
        left, right = np.where(x > 0, self.lasso, -self.lasso), np.where(x < 0, -self.lasso, self.lasso)
        if not self.has_bounds:
            return left, right
        return np.where(x <= self.lower, -np.inf, left), np.where(x >= self.upper, np.inf, right)

    def excess(self, x: Floats, pull: Floats) -> Floats:
        """Return how far the pull Aᵀr − μ x lies outside of what a kink holds: above 0 it moves a coefficient up, below 0 down."""
        left, right = self.slopes(x)
        gamma = pull - self.ridge * x
        return np.asarray(np.maximum(gamma - right, 0.0) + np.minimum(gamma - left, 0.0))

    def loss(self, x: Floats, pull: Floats) -> Floats:
        """Return how much x pull − λ |x| falls short of its maximum over the bounds, by column: 0 where x is it, infinite without one."""
        up, down = pull - self.lasso, pull + self.lasso
        with np.errstate(invalid="ignore"):
            around = np.where(up > 0, self.upper * up, np.where(down < 0, self.lower * down, 0.0))
            above = np.where(up > 0, self.upper * up, self.lower * up)
            below = np.where(down > 0, self.upper * down, np.where(down < 0, self.lower * down, 0.0))
        most = np.where(self.lower > 0, above, np.where(self.upper < 0, below, around))
        return np.asarray(np.maximum(most - (x * pull - self.lasso * np.abs(x)), 0.0))

    def value(self, x: Floats) -> float:
        """Return Σ λ |x| + ½ μ x²."""
        return float(self.lasso @ np.abs(x) + 0.5 * self.ridge @ (x * x))

    def outside(self, x: Floats) -> float:
        """Return how far x lies out of its bounds at most."""
        return float(np.maximum(np.maximum(self.lower - x, x - self.upper), 0.0).max(initial=0.0))

    def kinks(self, x: Floats, d: Floats) -> tuple[Floats, Floats, NDArray[np.intp], Floats]:
        """Return the kinks ahead of x along d in their order: where along d, by how much the slope rises, of which column, at which x."""
        bound = np.where(d > 0, self.upper, self.lower)
        has_bound = (d != 0) & np.isfinite(bound)
        is_across = self._is_kinked & (x * d < 0) & np.where(d > 0, self.upper > 0, self.lower < 0)
        columns = np.concatenate([np.flatnonzero(is_across), np.flatnonzero(has_bound)])
        values = np.concatenate([np.zeros(np.count_nonzero(is_across)), bound[has_bound]])
        rises = np.concatenate([2 * (self.lasso * np.abs(d))[is_across], np.full(np.count_nonzero(has_bound), np.inf)])
        times = (values - x[columns]) / d[columns]
        order = np.argsort(times, kind="stable")
        return times[order], rises[order], columns[order], values[order]
