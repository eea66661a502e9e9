"""What a method for attention finds, and what methods of this wing are priced on."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import fft

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._units import format_bytes
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes.lengths import Sizes
from dsketch.passes.polynomial import KeySums
from dsketch.passes.rowwise import RowPass
from dsketch.planning.choice import describe_room
from dsketch.planning.price import Estimate, Machines
from dsketch.problems.attention.sample import Sample
from dsketch.problems.attention.system import AttentionSystem, Measured
from dsketch.problems.method import Method
from dsketch.settings import Settings

_TRANSFORMS = 4  # that are timed


@dataclass(frozen=True)
class BasisFacts:
    """What is known of a convolution basis.

    Attributes
    ----------
    profiles : int
        Of all heads.
    refused : float
        Share of the rows of which FFT could not carry a tile.
    deviation : float
        How far a logit is from the basis at most, over those compared.
    gap : float
        How far attention by the basis is from the exact one, over the rows compared, relative to the largest |v|.
    """

    profiles: int
    refused: float
    deviation: float
    gap: float


@dataclass(frozen=True)
class AttentionAnswer:
    """How the rows are made, and what rounding may do to them: an :class:`~dsketch.problems.method.Answer`.

    Attributes
    ----------
    measured : Measured
    pass_ : RowPass
        Finishes to the rows.
    error : ndarray, shape (k,)
        Bound on what rounding does to any number of a column, relative to the largest |v| of it.
    condition : float
        Relative changes of the rows of Q, K and V by η move a number by at most this times η, relative to the same.
    notes : tuple of str
    level : float
        The backward error that its rounding may have, where that is more than a sweep's.
    compared : int
        Rows over which ``error`` was measured, where it is no bound; 0: it is one.
    basis : BasisFacts or None
        Of the convolution basis that was used.
    blocks : Rows or None
        Q in the blocks in which the rows are made; None: those of a sweep.
    """

    measured: Measured
    pass_: RowPass
    error: Floats
    condition: float
    notes: tuple[str, ...] = ()
    level: float = 0.0
    compared: int = 0
    basis: BasisFacts | None = None
    blocks: Rows | None = None

    @property
    def rows(self) -> Rows:
        """Q in the blocks in which the rows are made."""
        return self.measured.system.rows if self.blocks is None else self.blocks

    @property
    def x(self) -> Floats:
        """None of the rows: they are made where Q lies."""
        return np.zeros((0, len(self.error)))

    @property
    def backward_error(self) -> Floats:
        """The relative change of the rows of Q, K and V that moves the answer as far as rounding may."""
        return self.explain(self.error)

    def explain(self, error: Floats) -> Floats:
        """Return the relative change of the rows that may move numbers so far; the error itself where nothing is known of that."""
        return error / self.condition if np.isfinite(self.condition) else error

    @property
    def residual_norm(self) -> Floats:
        """Nothing is minimized."""
        return np.zeros(len(self.error))

    @property
    def factor(self) -> Factor | None:
        """None was made."""
        return None


@dataclass(frozen=True)
class AttentionCase:
    """What a method is priced on: a few rows of each matrix tell the speed of a tile.

    Attributes
    ----------
    settings : Settings
    machines : Machines
    system : AttentionSystem
    sample : Sample
    """

    settings: Settings
    machines: Machines
    system: AttentionSystem
    sample: Sample

    @property
    def found(self) -> None:
        """None: nothing is factored."""

    @property
    def sides(self) -> int:
        """Columns of the answer."""
        return self.system.V.shape[1]

    @property
    def memory_bytes(self) -> int:
        """Of one task thread."""
        return self.machines.memory_bytes

    @cached_property
    def entry_seconds(self) -> float:
        """Seconds of an entry of Q Kᵀ on this machine, those of all heads together, one thread."""
        Q, K, V = self.sample.matrices if self.system.degree is None else self._plain
        few = replace(self.system, Q=Q, K=K, V=V, is_causal=False)
        with np.errstate(over="ignore", invalid="ignore"):
            sizes = (np.linalg.norm(matrix.read(0, matrix.shape[0]), axis=1).max() for matrix in (Q, K))
            logit = self.system.scale * float(np.prod([*sizes]))
        none = Sizes(*[np.zeros(few.heads)] * 5)
        return self.sample.entry_seconds(Measured(few, logit, none, none).sweep, few.rows)

    def row_seconds(self, sums: KeySums) -> float:
        """Return the seconds to expand a row and to multiply its features with what is summed of them, one thread.

        Infinite where the sums do not fit.
        """
        _, K, V = self._plain
        if sums.part_bytes(K.shape[1], V.shape[1]) > self.memory_bytes:
            return float("inf")
        return self.sample.row_seconds(sums, Rows(K, V, names=("K", "V")))

    @property
    def _plain(self) -> tuple[Matrix, ...]:
        """Rows of ones like those of the sample: the seconds of powers depend on no number, and every row has weights."""
        Q, K, V = self.sample.matrices
        return ArrayMatrix(np.ones(Q.shape)), ArrayMatrix(np.ones(K.shape)), V

    def explain_need(self, prices: Mapping[str, Estimate]) -> str:
        """Say what is too large for workers."""
        return explain_room(self.memory_bytes, prices)


class AttentionMethod(Method[AttentionCase, AttentionSystem, AttentionAnswer]):
    """How attention is computed."""


def transform_seconds(height: int) -> float:
    """Return the seconds of two transforms of so many rows, padded, and a product, for one column, one thread, by the best of three."""
    values = np.ones((_TRANSFORMS, 2 * height))
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        found = fft.rfft(values, axis=1)
        found *= found[0]
        fft.irfft(found, 2 * height, axis=1)
        best = min(best, (time.perf_counter() - began) / _TRANSFORMS)
    return best


def explain_room(memory_bytes: int, prices: Mapping[str, Estimate]) -> str:
    """Return what to say where none of these methods fits into a task thread."""
    needs = ", ".join(f"{name} {format_bytes(price.memory_bytes)}" for name, price in prices.items())
    return f"{describe_room(memory_bytes)}; {needs} would be needed. Give workers more memory, or take fewer heads."
