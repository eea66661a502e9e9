"""What the problems with functions of AᵀA share: the seam to plans and methods, and a b with a row for each column of A."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.base import Problem, require_settings
from dsketch.problems.inputs import SIDES, TALL
from dsketch.problems.linear.sides import shape_by_side
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Method
from dsketch.problems.powers.choose import plan_powers
from dsketch.settings import Settings

MOST_POWER = 10_000  # at a higher power x leaves the range of float64 unless A's singular values are all 1 to some digits


class PoweringProblem(Problem):
    """A function of AᵀA to be inverted, planned by the price of its passes.

    Attributes
    ----------
    methods : mapping of str to Method
    rows : Rows
        A, and b if it has n rows.
    parameters : dict
    """

    methods: ClassVar[Mapping[str, Method[Any, Any, Any]]]

    def __init__(self, rows: Rows, parameters: dict[str, Any]) -> None:
        if rows.shape[0] < rows.shape[1]:
            raise DataError(
                f"A must be tall: at least as many rows as columns; it has {rows.shape[0]} × {rows.shape[1]}. "
                "Transpose it if rows and columns were exchanged."
            )
        self.rows, self.parameters = rows, parameters

    @cached_property
    def linear(self) -> LinearSystem:
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
        return plan_powers(
            self.methods, method, self.rows, self.sides, settings, machines, stages=self.stages, checked=self.checked
        )

    def shape_like_b(self, x: Floats) -> Floats:
        """Return x with the targets of b: as a vector where b came as one, with several dimensions where it has them."""
        return shape_by_side(x, self.data()["b"])


class ColumnSidesProblem(PoweringProblem):
    """One whose b has a row for each column of A, and is read whole.

    Attributes
    ----------
    b : Matrix, shape (d, k)
    """

    inputs = (TALL, replace(SIDES, help="Zarr vector of length d, or matrix d × k"))
    read_whole = ("b",)

    def __init__(self, A: Any, b: Any, parameters: dict[str, Any], missing: str, hint: str) -> None:
        super().__init__(Rows(open_matrix(A, missing=missing, what="A")), parameters)
        self.b = _column_sides(b, self.rows.shape[1], missing, hint)

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
        return _read_sides(self.b)


def _column_sides(b: Any, columns: int, missing: str, hint: str) -> Matrix:
    """Open a b with one row for each column of A.

    Raises
    ------
    DataError
        With both numbers, and what may have been meant.
    """
    opened = open_matrix(b, missing=missing, what="b", has_targets=True)
    if opened.shape[0] != columns:
        raise DataError(f"b must have one row for each of the {columns} columns of A; its shape is {opened.shape}. {hint}")
    return opened


def _read_sides(b: Matrix) -> Floats:
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
