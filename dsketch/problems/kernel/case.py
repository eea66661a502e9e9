"""What methods for kernels are priced on: rows sampled from a few blocks tell the preconditioner, a timed tile the speed of a sweep."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.threads import one_blas_thread
from dsketch._units import format_bytes
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows, find_nonfinite
from dsketch.passes.kernel_tiles import KernelProduct, sweep_rows
from dsketch.planning.choice import MEMORY_SHARE, describe_room
from dsketch.planning.price import Estimate, Machines
from dsketch.problems.kernel.candidates import Candidate, forecast_candidates
from dsketch.problems.kernel.forecast import Sample
from dsketch.problems.kernel.refinement import DEFAULT_TOL
from dsketch.problems.kernel.system import KernelSystem, require_short
from dsketch.settings import Settings

_MOST_COLUMNS = 4096  # the default for features: their Gram matrix has 134 MB and costs as much as a sweep of 300,000 rows
SQUARES = 5  # Gram matrices are in a worker at once: a part, its product, two that are merged, their sum
_SAMPLED = 384  # rows are sampled, shared by three blocks
_TIMED_ROWS = 1024  # a sweep of so many rows takes a millisecond


@dataclass(frozen=True)
class KernelCase:
    """What a method for (K + λ I) x = b is priced on; rows are read when a price first asks for them.

    Attributes
    ----------
    settings : Settings
    machines : Machines
    A : Matrix, shape (n, d)
    sides : int
        k.
    alpha, scale : float
        λ and s.
    """

    settings: Settings
    machines: Machines
    A: Matrix
    sides: int
    alpha: float
    scale: float

    @property
    def found(self) -> None:
        """None: nothing is timed or factored but the sample."""

    @property
    def dimensions(self) -> tuple[int, int, int]:
        """(n, d, k)."""
        return *self.A.shape, self.sides

    @property
    def memory_bytes(self) -> int:
        """Of one task thread."""
        return self.machines.memory_bytes

    @property
    def tasks(self) -> int:
        """Of one sweep."""
        return self.machines.tasks(sweep_rows(self.A))

    @property
    def tol(self) -> float:
        """Residual relative to b."""
        return self.settings.tol or DEFAULT_TOL

    @cached_property
    def most(self) -> int:
        """The most columns that features may have: those that were asked for, or by what is free.

        A power of two: what is free changes from run to run, the plan should not.
        """
        fitting = max(self.fitting_columns, 1)
        return self.settings.rank or min(1 << (fitting.bit_length() - 1), _MOST_COLUMNS, self.A.shape[0])

    @property
    def fitting_columns(self) -> int:
        """Columns whose Gram matrices fit into the room for them."""
        return math.isqrt(int(self.features_bytes / (8 * SQUARES)))

    @property
    def features_bytes(self) -> float:
        """Room for features in a task thread: half of it."""
        return MEMORY_SHARE * self.memory_bytes / 2

    @cached_property
    def sample(self) -> Sample:
        """Rows of up to three blocks.

        Raises
        ------
        DataError
            If they cannot be read, hold a NaN, or are too long.
        """
        return _sample_rows(self.A, self.alpha, self.scale, self.sides)

    @cached_property
    def candidates(self) -> list[Candidate]:
        """Preconditioners that are worth trying, each with its forecast from the sample."""
        with one_blas_thread():
            return forecast_candidates(self.sample, self.most)

    @cached_property
    def entry_seconds(self) -> float:
        """Seconds of an entry of a symmetric sweep on this machine, one thread."""
        return _time_tile(self.sample)

    def explain_need(self, prices: Mapping[str, Estimate]) -> str:
        """Say what is too large for workers that cannot do any sweep; features are chosen by what is free."""
        memory = min(price.memory_bytes for price in prices.values())
        return (
            f"{describe_room(self.memory_bytes)}; a sweep of the kernel needs {format_bytes(memory)}. Give workers "
            "more memory or fewer threads, or ask for fewer right-hand sides at once."
        )


def _sample_rows(A: Matrix, alpha: float, scale: float, sides: int) -> Sample:
    """Return rows of up to three blocks as a sample of the guarded system.

    Raises
    ------
    DataError
        If they cannot be read, hold a NaN, or are too long.
    """
    rows = sweep_rows(A)
    cuts, pieces, numbers = rows.cuts, list[Floats](), list[int]()
    for number in sorted({0, (len(cuts) - 1) // 2, len(cuts) - 2}):
        block = rows.block(int(cuts[number]), int(cuts[number + 1]))
        find_nonfinite(block)
        step = max((block.stop - block.start) * 3 // _SAMPLED, 1)
        for start, rows_of_slice, _ in block.slices():
            pieces.append(rows_of_slice[::step].copy())
            numbers.extend(range(start, start + len(rows_of_slice), step))
    X = np.concatenate(pieces)
    mean = X.mean(axis=0)
    half = 0.5 * scale * np.einsum("ij,ij->i", X, X)
    require_short(half, scale, f"row {numbers[int(np.argmax(half))]}")
    radius = scale * np.einsum("ij,ij->i", X - mean, X - mean)
    system = KernelSystem(ArrayMatrix(X), mean, scale, alpha, half, radius, np.zeros((len(X), sides)))
    return Sample(system, X, system.shift[:, 0], A.shape[0])


def _time_tile(sample: Sample) -> float:
    """Return the seconds of an entry of a symmetric sweep on this machine, one thread."""
    X = np.resize(sample.X, (_TIMED_ROWS, sample.X.shape[1]))
    A = ArrayMatrix(X)
    pass_ = KernelProduct(A, sample.system.mean, sample.system.scale, np.ones((_TIMED_ROWS, 1)))
    block = Rows(A).block(0, _TIMED_ROWS)
    with one_blas_thread():
        pass_.map(block, None)
        began = time.perf_counter()
        pass_.map(block, None)
        return (time.perf_counter() - began) / _TIMED_ROWS**2
