"""What a method for gradients of attention finds, and what it is priced on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.matrix.array import ArrayMatrix
from dsketch.planning.price import Estimate, Machines
from dsketch.problems.attention.gradient_system import GradientSystem, MeasuredGradient
from dsketch.problems.attention.method import BasisFacts, explain_room
from dsketch.problems.attention.polynomial_gradient import MeasuredPowers, timed_powers
from dsketch.problems.attention.sample import Sample
from dsketch.problems.method import Method
from dsketch.settings import Settings

GradientRows = MeasuredGradient | MeasuredPowers


@dataclass(frozen=True)
class GradientAnswer:
    """How the rows of a gradient are made, and what rounding may do to them: an :class:`~dsketch.problems.method.Answer`.

    Attributes
    ----------
    measured : GradientRows
    notes : tuple of str
        What is said where it is not solved.
    share : float
        Errors of up to this share of what gradients of such rows come to, or of the largest number of a column, count as solved.
    basis : BasisFacts or None
        Of the convolution basis that was used.
    compared : int
        Rows over which it was held against exact attention.
    """

    measured: GradientRows
    notes: tuple[str, ...] = ()
    share: float = 0.0
    basis: BasisFacts | None = None
    compared: int = 0

    def is_enough(self, largest: Floats) -> bool:
        """Whether no number is off by more than that."""
        size = np.maximum(self.measured.reference, largest)
        return self.share > 0 and bool((np.isfinite(self.measured.error) & (self.measured.error <= self.share * size)).all())

    @property
    def x(self) -> Floats:
        """None of the rows: they are made where the data lie."""
        return np.zeros((0, len(self.measured.reference)))

    @property
    def backward_error(self) -> Floats:
        """The relative change of the rows of Q, K, V and dY that moves the gradient as far as rounding may."""
        return self.measured.backward(self.measured.error)

    @property
    def residual_norm(self) -> Floats:
        """Nothing is minimized."""
        return np.zeros(len(self.measured.reference))

    @property
    def factor(self) -> Factor | None:
        """None was made."""
        return None


@dataclass(frozen=True)
class GradientCase:
    """What a method is priced on: a few rows of each matrix tell the speed of both sweeps.

    Attributes
    ----------
    settings : Settings
    machines : Machines
    system : GradientSystem
    sample : Sample
        Of Q, K, V and dY.
    """

    settings: Settings
    machines: Machines
    system: GradientSystem
    sample: Sample

    @property
    def found(self) -> None:
        """None: nothing is factored."""

    @property
    def sides(self) -> int:
        """Columns of the gradient."""
        return self.system.columns

    @property
    def memory_bytes(self) -> int:
        """Of one task thread."""
        return self.machines.memory_bytes

    @cached_property
    def entry_seconds(self) -> float:
        """Seconds of an entry of Q Kᵀ in both sweeps, one thread."""
        few = self.few
        timed = few.timed() if few.forward.degree is None else timed_powers(few)
        return sum(self.sample.entry_seconds(pass_, rows) for pass_, rows in timed)

    @cached_property
    def few(self) -> GradientSystem:
        """The rows of the sample, those of Q and K ones where weights are powers: every row has some."""
        Q, K, V, dY = self.sample.matrices
        if self.system.forward.degree is not None:
            Q, K = (ArrayMatrix(np.ones(side.shape)) for side in (Q, K))
        return replace(self.system, forward=replace(self.system.forward, Q=Q, K=K, V=V, is_causal=False), above=dY)

    def explain_need(self, prices: Mapping[str, Estimate]) -> str:
        """Say what is too large for workers."""
        return explain_room(self.memory_bytes, prices)


class GradientMethod(Method[GradientCase, GradientSystem, GradientAnswer]):
    """How a gradient of attention is computed."""
