"""What a method for kernels has besides that of every family: work that is told in entries of a sweep, and priced alike."""

from abc import abstractmethod
from dataclasses import dataclass

from dsketch._units import format_bytes
from dsketch.errors import PlanError
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.problems.kernel.answer import KernelAnswer
from dsketch.problems.kernel.candidates import ENTRY_COLUMN_NS, ENTRY_NS, Candidate
from dsketch.problems.kernel.case import SQUARES, KernelCase
from dsketch.problems.kernel.system import KernelSystem
from dsketch.problems.method import Method

FIXED_PASSES = 4  # every method takes these: mean, lengths, sample, and the product that certifies
_VECTORS = 14  # the driver holds so many times n × k numbers at once: the iteration's six, what passes carry, what merges make
_DRIVER_BYTES = 4_000_000_000
_TASK_BYTES = 100_000_000  # blocks of rows and features take this of a task thread
_TRAVELLING = 4  # a task thread holds so many times n × k numbers: vectors that travel and their parts


@dataclass(frozen=True)
class KernelWork:
    """What a method has to do, as far as a plan needs it.

    Attributes
    ----------
    taken : Candidate
        Features.
    iterations, passes : int
    rank : int
        Columns that the run may take, fixed by the plan: so that a run that is resumed with other memory takes the same features.
    """

    taken: Candidate
    iterations: int
    passes: int
    rank: int


class KernelMethod(Method[KernelCase, KernelSystem, KernelAnswer]):
    """How (K + λ I) x = b is answered."""

    @abstractmethod
    def work(self, case: KernelCase) -> KernelWork:
        """Return what there is to do; may read a few rows."""

    @abstractmethod
    def details(self, case: KernelCase) -> tuple[str, ...]:
        """Return further lines of a plan."""

    def price(self, case: KernelCase) -> Estimate:
        """Return the work in passes, seconds and memory: the candidate's price in entries of a sweep, an entry as it was timed here.

        Raises
        ------
        PlanError
            If vectors of n numbers do not fit into the driver, or the features that were asked for into a worker.
        DataError
            If a sampled row is too long, or holds a NaN.
        """
        _require_vectors(case)
        _require_columns(case)
        work, (n, d, k) = self.work(case), case.dimensions
        spent = work.taken.setup(n) + max(work.iterations, 1) * work.taken.step(n, d, k)
        modelled = (ENTRY_NS + ENTRY_COLUMN_NS * d) * 1e-9
        fixed = work.passes * (PASS_SECONDS + TASK_SECONDS * case.tasks)
        seconds = spent * 1e-9 * case.entry_seconds / modelled / case.machines.threads + fixed
        squares = work.taken.columns**2
        return Estimate(
            work.passes, seconds, _TASK_BYTES + 8 * (SQUARES * squares + _TRAVELLING * n * k), 8 * max(n * k, squares)
        )


def _require_vectors(case: KernelCase) -> None:
    n, _, sides = case.dimensions
    needed = _VECTORS * 8 * n * sides
    if needed > _DRIVER_BYTES:
        raise PlanError(
            f"the vectors of n × k numbers must fit into {format_bytes(_DRIVER_BYTES)} of the driver; {n} × {sides} take "
            f"{format_bytes(needed)}. Give fewer right-hand sides at a time, or take a sample of the rows."
        )


def _require_columns(case: KernelCase) -> None:
    rank = case.settings.rank
    if rank is not None and rank > case.fitting_columns:
        raise PlanError(
            f"features of rank {rank} need {format_bytes(8 * SQUARES * rank**2)} a thread; {format_bytes(case.features_bytes)} are free "
            f"for them. Use rank ≤ {case.fitting_columns}, or give workers more memory."
        )
