"""What methods for functions of AᵀA answer: A, the right-hand side, and which function; each knows its answer once A has a factor."""

from dataclasses import dataclass
from typing import Protocol

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.method import Answer
from dsketch.problems.powers.answer import PowerAnswer
from dsketch.problems.powers.direct import factored_even, factored_odd
from dsketch.problems.powers.exponential import ExponentialAnswer, factored_exponential


class GramSystem(Protocol):
    """f(AᵀA)x = b, or its least squares, for any f."""

    @property
    def linear(self) -> LinearSystem:
        """A, and b if it has n rows, as what passes are asked of."""

    def answer_by(self, factor: Factor, z: Floats) -> Flow[Answer]:
        """Answer by A's own factor R; z with min ‖R y − z‖ the least-squares problem of the rows' b, of no columns without one."""


@dataclass(frozen=True)
class PowerSystem:
    """min ‖(AᵀA)ʲx − b‖ or min ‖A(AᵀA)ʲx − b‖, for many right-hand sides.

    Attributes
    ----------
    linear : LinearSystem
        A, and for odd powers b.
    right : ndarray, shape (d, k), or None
        The b of an even power; None: the odd power, with the b of the rows.
    power : int
        j ≥ 1.
    """

    linear: LinearSystem
    right: Floats | None
    power: int

    @property
    def stages(self) -> int:
        """Solves with AᵀA, the least-squares solve of an odd power counted."""
        return self.power + (self.right is None)

    def answer_by(self, factor: Factor, z: Floats) -> Flow[PowerAnswer]:
        """Answer by A's own factor.  One pass."""
        if self.right is None:
            return (yield from factored_odd(self.linear, z, self.power, factor))
        return (yield from factored_even(self.linear, self.right, self.power, factor))


@dataclass(frozen=True)
class ExponentialSystem:
    """exp(AᵀA)x = b, or its series up to a power, for many right-hand sides.

    Attributes
    ----------
    linear : LinearSystem
        A alone.
    right : ndarray, shape (d, k)
    terms : int or None
        The last power of the series; None: exp itself.
    """

    linear: LinearSystem
    right: Floats
    terms: int | None

    def answer_by(self, factor: Factor, z: Floats) -> Flow[ExponentialAnswer]:
        """Answer by A's own factor.  One pass."""
        del z
        return (yield from factored_exponential(self.linear, self.right, self.terms, factor))
