"""What a method for marginal regressions finds, and what it is priced on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._units import format_bytes, format_counted
from dsketch.passes.marginal import MarginalFields
from dsketch.planning.choice import describe_room
from dsketch.planning.price import Estimate, Machines
from dsketch.problems.marginal.system import MarginalSystem
from dsketch.problems.method import Method
from dsketch.settings import Settings


@dataclass(frozen=True)
class MarginalAnswer:
    """How columns are answered: an :class:`~dsketch.problems.method.Answer`.

    Attributes
    ----------
    pass_ : MarginalFields
    notes : tuple of str
    """

    pass_: MarginalFields
    notes: tuple[str, ...] = ()

    @property
    def x(self) -> Floats:
        """None of the columns: they are made where G lies."""
        return np.zeros((0, self.pass_.sides.Y.shape[1]))

    @property
    def backward_error(self) -> Floats:
        """Not measured before the columns are made."""
        return np.full(self.pass_.sides.Y.shape[1], np.nan)

    @property
    def residual_norm(self) -> Floats:
        """Each column has its own."""
        return self.backward_error

    @property
    def factor(self) -> Factor | None:
        """None: of the covariates there is a basis."""
        return None


@dataclass(frozen=True)
class MarginalCase:
    """What the method is priced on.

    Attributes
    ----------
    settings : Settings
    machines : Machines
    system : MarginalSystem
    flop_seconds, column_seconds : float
        Of one thread: of a multiplication and addition in products of such shape; to read a column and to widen it.
    """

    settings: Settings
    machines: Machines
    system: MarginalSystem
    flop_seconds: float
    column_seconds: float

    @property
    def found(self) -> None:
        """None: nothing is factored by blocks."""

    @property
    def sides(self) -> int:
        """Targets."""
        return self.system.sides.Y.shape[1]

    @property
    def memory_bytes(self) -> int:
        """Of one task thread."""
        return self.machines.memory_bytes

    @cached_property
    def groups(self) -> int:
        """Groups of targets that miss the same rows."""
        return len(self.system.prepared)

    def explain_need(self, prices: Mapping[str, Estimate]) -> str:
        """Say what is too large for workers."""
        n = self.system.columns.shape[1]
        patterns = format_counted(self.groups, "pattern", "patterns")
        needs = ", ".join(f"{name} {format_bytes(price.memory_bytes)}" for name, price in prices.items())
        return (
            f"{describe_room(self.memory_bytes)}; {needs} would be needed: blocks of {format_bytes(self.system.columns.block_bytes)}, and "
            f"targets and covariates over {n} rows in {patterns} of what is missing. Give workers more memory, take fewer "
            "targets at a time, or store chunks of fewer columns."
        )


class MarginalMethod(Method[MarginalCase, MarginalSystem, MarginalAnswer]):
    """How marginal regressions are made."""
