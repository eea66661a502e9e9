"""What the problems with powers of AᵀA share: the seam to plans, methods and prices.

``factored``
    R by a tall-skinny QR, then triangular solves: 2 passes for any power.
``factored_whitened``
    R by a sketch and a whitened Gram matrix, all BLAS-3: 3 passes for any power; falls back to the QR.
``alternating``, ``alternating_cg``
    The paper's stages, by gradient descent or conjugate gradients: passes for every level, 4 n d k flops each.
"""

import math
from abc import abstractmethod
from bisect import bisect_right
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch._units import format_bytes, format_count, format_seconds
from dsketch.errors import DataError, PlanError, SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.planning.choice import (
    MEMORY_SHARE,
    Choice,
    describe_data,
    describe_machines,
    describe_room,
)
from dsketch.planning.price import Estimate, Machines, Workload, price_passes
from dsketch.planning.price import rate as rate_of
from dsketch.planning.probe import Probe, probe, workload_of
from dsketch.planning.work import GRAM, NORMAL, TRIANGLE, WHITENED_GRAM, sketching
from dsketch.problems.base import Problem, require_settings
from dsketch.problems.choose import SAFE_PREMIUM, SMALL_SECONDS
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import SKETCHING
from dsketch.problems.powers.alternating import rows_for_stages
from dsketch.problems.powers.methods import LAST
from dsketch.problems.powers.stage import INNERS
from dsketch.settings import EPS, Settings
from dsketch.sketch.size import FOR_ITERATING, FOR_WHITENING, distortion, rows_for

Floats = NDArray[np.float64]

_LAST_STEPS = 5  # of a stage: they tell that progress has ended
MOST_POWER = 10_000  # beyond, x of every A whose singular values are not all 1 to some digits leaves the range of float64


class PoweringProblem(Problem):
    """A function of AᵀA to be inverted, planned by the price of its passes.

    Attributes
    ----------
    rows : Rows
        A, and b if it has n rows.
    parameters : dict
    """

    def __init__(self, rows: Rows, parameters: dict[str, Any]) -> None:
        if rows.shape[0] < rows.shape[1]:
            raise DataError(
                f"A must be tall: at least as many rows as columns; it has {rows.shape[0]} × {rows.shape[1]}. "
                "Transpose it if rows and columns were exchanged."
            )
        self.rows, self.parameters = rows, parameters

    @cached_property
    def system(self) -> LinearSystem:
        """The rows as what passes are asked of."""
        return LinearSystem(self.rows, np.zeros(self.rows.shape[1]))

    @property
    @abstractmethod
    def stages(self) -> int:
        """Solves with AᵀA, the least-squares solve of an odd power counted."""

    @property
    @abstractmethod
    def checked(self) -> int:
        """Columns that the certificate multiplies by AᵀA."""

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return what one solve may have, for each stage."""
        return self.stages * super().accepted(tol, x)

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods, choose."""
        require_settings(settings, self.shape[1])
        found = probe(self.system.rows, self.system.penalty)
        workload = workload_of(self.rows, self.sides, found, machines)
        prices = {name: self._price(name, settings, workload, found) for name in self.methods}
        name, rejected, why = self._chosen(method, prices, workload, found)
        return Choice(
            name,
            settings,
            prices[name],
            rejected,
            describe_data(self.rows, self.sides),
            describe_machines(machines, found),
            why,
            prices[name].passes * self.rows.nbytes,
            found.condition,
            workload.memory_bytes,
            details=self._details(name, settings),
            takes=() if name == LAST else SKETCHING,
        )

    def _details(self, name: str, settings: Settings) -> tuple[str, ...]:
        if name not in INNERS:
            return ("passes do not depend on the power",)
        size = settings.sketch_rows or rows_for_stages(self.shape[1], self.stages)
        return (f"{self.stages} stages with one sketch of {format_count(size)} rows; passes grow with the power",)

    def _price(self, name: str, settings: Settings, workload: Workload, found: Probe) -> Estimate:
        """Return the cost of a method: kinds of work by their measured rates, wide products by that of a Gram matrix."""
        d, k, one = workload.d, workload.k, replace(workload, k=1)
        sketch = rate_of(sketching(settings.sketch), workload)

        def product(columns: int) -> float:
            if workload.nonzeros is not None:
                return rate_of(NORMAL, replace(workload, k=columns))
            return rate_of(NORMAL, one) + rate_of(GRAM, one) * 4 * (columns - 1) / d

        if name == LAST:
            return price_passes([(rate_of(TRIANGLE, workload), 1), (product(self.checked), 1)], 8 * (d + k) ** 2, workload)
        if name not in INNERS:
            m = settings.sketch_rows or rows_for(d, FOR_WHITENING, settings.sketch)
            if settings.sketch == "sparse_sign":
                sketch = rate_of(sketching(settings.sketch, FOR_WHITENING, 4), workload)
            return price_passes(
                [(sketch, 1), (rate_of(WHITENED_GRAM, workload), 1), (product(self.checked), 1)],
                8 * max(m, d) * (d + k),
                workload,
            )
        m = settings.sketch_rows or rows_for_stages(d, self.stages)
        looks = self._all_looks(settings, found) + self.stages - 1
        return price_passes([(sketch, 1), (product(min(8, d)), 2), (product(k), looks)], 8 * m * (d + k), workload)

    def _all_looks(self, settings: Settings, found: Probe) -> int:
        """Return the passes of all stages: they never fall from level to level, so that equal ones are counted at once."""
        levels, total, start = range(self.stages), 0, 0
        while start < self.stages:
            looks = self._looks(start, settings, found)
            end = bisect_right(levels, looks, lo=start, key=lambda level: self._looks(level, settings, found))
            total, start = total + looks * (end - start), end
        return total

    def _looks(self, level: int, settings: Settings, found: Probe) -> int:
        """Return the passes of a stage: the absolute rule asks for 2 log kappa more at each level, until rounding ends it."""
        rate = distortion(self.shape[1], settings.sketch_rows) if settings.sketch_rows else 1 / math.sqrt(FOR_ITERATING)
        digits = math.log(self.stages / settings.goal) + 2 * level * math.log(max(found.condition, 1.0))
        return math.ceil(min(digits, -math.log(EPS)) / max(-math.log(rate), 0.02)) + _LAST_STEPS

    def _chosen(
        self, method: str, prices: dict[str, Estimate], workload: Workload, found: Probe
    ) -> tuple[str, dict[str, str], str]:
        """Return the method, the rejections and the reason.

        Raises
        ------
        PlanError
            If no method (or not the one asked for) fits in memory.
        """
        names, room = self.methods if method == "auto" else (method,), MEMORY_SHARE * workload.memory_bytes
        fitting = [name for name in names if prices[name].memory_bytes <= room]
        if not fitting:
            needs = ", ".join(f"{name} {format_bytes(prices[name].memory_bytes)}" for name in names)
            raise PlanError(
                f"{describe_room(workload.memory_bytes)}; {needs} would be needed. Give workers more memory or "
                "fewer threads, or store smaller chunks."
            )
        rejected = {
            name: f"about {format_seconds(price.seconds)} in {price.passes} passes"
            + (
                ""
                if price.memory_bytes <= room
                else f", and needs {format_bytes(price.memory_bytes)} of {format_bytes(room)} a thread"
            )
            for name, price in prices.items()
        }
        best, why = fitting[0], "asked for"
        if method == "auto":
            best, why = min(fitting, key=lambda name: prices[name].seconds), f"the cheapest of {len(fitting)}"
            if found.is_deficient and LAST in fitting:
                best, why = LAST, "the probed rows lack rank, which only a factor of A itself can confirm"
            elif LAST in fitting and prices[LAST].seconds <= max(SAFE_PREMIUM * prices[best].seconds, SMALL_SECONDS):
                best, why = LAST, "stable for every A, at a price near the cheapest"
        del rejected[best]
        return best, rejected, why


class ColumnSidesProblem(PoweringProblem):
    """One whose b has a row for each column of A, and is read whole.

    Attributes
    ----------
    b : Matrix, shape (d, k)
    """

    sides_text = "b (d, or d × k)"

    def __init__(self, A: Any, b: Any, parameters: dict[str, Any], missing: str, hint: str) -> None:
        super().__init__(Rows(open_matrix(A, missing=missing, what="A")), parameters)
        self.b = column_sides(b, self.rows.shape[1], missing, hint)

    def data(self) -> dict[str, Matrix | None]:
        """Return A and b."""
        return {"A": self.rows.A, "b": self.b}

    @property
    def sides(self) -> int:
        """Number of right-hand sides k."""
        return self.b.shape[1]

    @cached_property
    def right(self) -> Floats:
        """The numbers of b, shape (d, k)."""
        return read_sides(self.b)


def column_sides(b: Any, columns: int, missing: str, hint: str) -> Matrix:
    """Open a b with one row for each column of A.

    Raises
    ------
    DataError
        With both numbers, and what may have been meant.
    """
    opened = open_matrix(b, missing=missing, what="b")
    if opened.shape[0] != columns:
        raise DataError(f"b must have one row for each of the {columns} columns of A; its shape is {opened.shape}. {hint}")
    return opened


def read_sides(b: Matrix) -> Floats:
    """Return b as numbers, shape (d, k).

    Raises
    ------
    DataError
        If one is not finite.
    """
    values = np.asarray(b.read(0, b.shape[0]), dtype=np.float64).reshape(b.shape)
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        row, column = (int(place) for place in bad[0])
        raise DataError(
            f"b must hold finite numbers; row {row}, column {column} has {values[row, column]}. Replace or remove it."
        )
    return values


def require_power(power: Any, remedy: str, what: str = "power") -> int:
    """Return a power that is one.

    Raises
    ------
    SpecError
        If it is not an integer from 1 to ``MOST_POWER``.
    """
    if isinstance(power, bool) or not isinstance(power, int | np.integer) or power < 1:
        raise SpecError(f"{what} must be an integer ≥ 1; got {power!r}. {remedy}")
    if power > MOST_POWER:
        found = f"{power:,}" if power < 10**30 else f"{power:.3g}" if power < 10**300 else "one of hundreds of digits"
        raise SpecError(f"{what} must be an integer of at most {MOST_POWER:,}; got {found}. Ask for a smaller one.")
    return int(power)
