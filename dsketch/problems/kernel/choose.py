"""The plan for a kernel: rows sampled from a few blocks tell the preconditioner, a timed tile the speed of a sweep."""

import math
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.threads import one_blas_thread
from dsketch._units import format_bytes
from dsketch.errors import PlanError, SpecError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.rows import Rows, find_nonfinite
from dsketch.passes.kernel_tiles import KernelProduct, sweep_rows
from dsketch.planning.choice import MEMORY_SHARE, Choice, describe_data, describe_machines, describe_room
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate, Machines
from dsketch.problems.base import Problem, require_names, require_settings
from dsketch.problems.kernel.candidates import ENTRY_COLUMN_NS, ENTRY_NS, Candidate, asked, best, candidates
from dsketch.problems.kernel.feature_space import FAMILIES
from dsketch.problems.kernel.forecast import Sample
from dsketch.problems.kernel.system import KernelSystem, require_short
from dsketch.settings import Settings

Floats = NDArray[np.float64]

DEFAULT_TOL = 1e-10  # relative residual: beyond it nothing in a regression changes
MOST_COLUMNS = 4096  # of features by default: their Gram matrix has 134 MB and costs as much as a sweep of 300,000 rows
_SQUARES = 5  # Gram matrices in a worker at once: a part, its product, two that are merged, their sum
_SAMPLED = 384  # rows, shared by three blocks
_TIMED_ROWS = 1024  # of a tile sweep: a millisecond
_VECTORS = 14  # of n × k numbers at once in the driver: the iteration's six, what passes carry, what merges make
_DRIVER_BYTES = 4_000_000_000
_FIXED_PASSES = 4  # mean, lengths, sample, and the product that certifies
_GRADIENT_PASSES = 45  # of the linear core in feature space

REASONS = {
    "conjugate_gradient": "there is a ridge: the exact kernel, preconditioned",
    "low_rank": "there is no ridge: least squares with the numerical rank",
    "feature_space": "features stand for the kernel",
}


@dataclass(frozen=True)
class _Work:
    """The work of a method as far as it is price_passes: the preconditioner, iterations, passes."""

    taken: Candidate
    iterations: int
    passes: int


def planned(problem: Problem, alpha: float, scale: float, method: str, settings: Settings, machines: Machines) -> Choice:
    """Return the plan.

    Raises
    ------
    SpecError
        For unknown names, or a method that does not fit the ridge or the features.
    PlanError
        If vectors of n numbers do not fit into the driver, or a sweep or the features into a worker.
    DataError
        If a sampled row is too long, or holds a NaN.
    """
    require_names(problem, method, settings)
    require_settings(settings, 0)
    name = method if method != "auto" else ("conjugate_gradient" if alpha else "low_rank")
    _require_sense(name, alpha, settings)
    _require_vectors(*problem.x_shape)
    most = _columns(settings.rank, problem.shape[0], machines)
    seen = sampled(problem, alpha, scale)
    work = _work(name, seen, settings, most, problem)
    # Fixed here, so that a run that is resumed with other memory takes the same features.
    rank = most if settings.features == "auto" and name != "feature_space" else work.taken.columns
    n = problem.shape[0]
    part = 8 * max(n * problem.sides, work.taken.columns**2)
    memory = _memory(work.taken.columns, n * problem.sides)
    _require_room(memory, machines)
    return Choice(
        name,
        replace(settings, rank=max(rank, 1)),
        Estimate(work.passes, _seconds(work, seen, problem, machines), memory, part),
        {other: reason for other, reason in _others(alpha).items() if other != name},
        describe_data(problem.rows, problem.sides),
        describe_machines(machines),
        REASONS[name] if method == "auto" else "asked for",
        work.passes * problem.rows.nbytes,
        work.taken.condition,
        machines.memory_bytes,
        aim=f"relative residual ≤ {settings.tol or DEFAULT_TOL:.0e}",
        details=_details(name, work, is_free=settings.features == "auto"),
    )


def sampled(problem: Problem, alpha: float, scale: float) -> Sample:
    """Return rows of up to three blocks as a sample of the guarded system.

    Raises
    ------
    DataError
        If they cannot be read, hold a NaN, or are too long.
    """
    rows = sweep_rows(problem.rows.A)
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
    system = KernelSystem(ArrayMatrix(X), mean, scale, alpha, half, radius, np.zeros((len(X), problem.sides)))
    return Sample(system, X, system.shift[:, 0], problem.shape[0])


def _require_sense(name: str, alpha: float, settings: Settings) -> None:
    if name == "low_rank" and alpha:
        raise SpecError(f"low_rank is for alpha=0; got alpha={alpha:g}. Use conjugate_gradient, or leave the method out.")
    if name == "feature_space" and settings.features not in ("auto", *FAMILIES):
        raise SpecError(f"features must be one of {', '.join(FAMILIES)} to stand for the kernel; got {settings.features!r}.")


def _require_vectors(n: int, sides: int) -> None:
    needed = _VECTORS * 8 * n * sides
    if needed > _DRIVER_BYTES:
        raise PlanError(
            f"the vectors of n × k numbers must fit into {format_bytes(_DRIVER_BYTES)} of the driver; {n} × {sides} take "
            f"{format_bytes(needed)}. Give fewer right-hand sides at a time, or take a sample of the rows."
        )


def _columns(rank: int | None, n: int, machines: Machines) -> int:
    """Return the most columns that the features may have.

    Raises
    ------
    PlanError
        If more were asked for than fit.
    """
    room = MEMORY_SHARE * machines.memory_bytes / 2
    fitting = math.isqrt(int(room / (8 * _SQUARES)))
    if rank is not None and rank > fitting:
        raise PlanError(
            f"features of rank {rank} need {format_bytes(8 * _SQUARES * rank**2)} a thread; {format_bytes(room)} are free for them. "
            f"Use rank ≤ {fitting}, or give workers more memory."
        )
    # A power of two: what is free changes from run to run, the plan should not.
    return rank or min(1 << (max(fitting, 1).bit_length() - 1), MOST_COLUMNS, n)


def _work(name: str, seen: Sample, settings: Settings, most: int, problem: Problem) -> _Work:
    tol, shape = settings.tol or DEFAULT_TOL, (*problem.shape, problem.sides)
    if name == "feature_space":
        family = "tensor_srht" if settings.features == "auto" else settings.features
        return _Work(asked(seen.system, family, settings.rank, most, shape[0]), 1, _FIXED_PASSES + _GRADIENT_PASSES)
    if name == "low_rank":
        taken = Candidate("pivoted_cholesky", most, most, math.inf)
        return _Work(taken, 2, _FIXED_PASSES + taken.looks[0] + 6)
    with one_blas_thread():
        found = candidates(seen, most)
    taken = best(found, *shape, tol)
    if settings.features != "auto":
        taken = asked(seen.system, settings.features, settings.rank, most, shape[0])
        alike = [candidate for candidate in found if (candidate.name, candidate.columns) == (taken.name, taken.columns)]
        taken = alike[0] if alike else taken
    steps = taken.iterations(tol) if math.isfinite(taken.condition) else 0
    return _Work(taken, steps, _FIXED_PASSES + taken.looks[0] + steps * taken.looks[1])


def _seconds(work: _Work, seen: Sample, problem: Problem, machines: Machines) -> float:
    """Return about how long it takes: the candidate's price in entries of a sweep, an entry as it was timed here."""
    n, d, k = *problem.shape, problem.sides
    price = work.taken.setup(n) + max(work.iterations, 1) * work.taken.step(n, d, k)
    modelled = (ENTRY_NS + ENTRY_COLUMN_NS * d) * 1e-9
    fixed = work.passes * (PASS_SECONDS + TASK_SECONDS * machines.tasks(sweep_rows(problem.rows.A)))
    return price * 1e-9 * timed(seen) / modelled / machines.threads + fixed


def timed(seen: Sample) -> float:
    """Return the seconds of an entry of a symmetric sweep on this machine, one thread."""
    X = np.resize(seen.X, (_TIMED_ROWS, seen.X.shape[1]))
    A = ArrayMatrix(X)
    pass_ = KernelProduct(A, seen.system.mean, seen.system.scale, np.ones((_TIMED_ROWS, 1)))
    block = Rows(A).block(0, _TIMED_ROWS)
    with one_blas_thread():
        pass_.map(block, None)
        began = time.perf_counter()
        pass_.map(block, None)
        return (time.perf_counter() - began) / _TIMED_ROWS**2


def _memory(columns: int, numbers: int) -> int:
    """Return bytes of a task thread: blocks of rows and features, Gram matrices, vectors that travel and their parts."""
    return 100_000_000 + 8 * (_SQUARES * columns**2 + 4 * numbers)


def _require_room(memory: int, machines: Machines) -> None:
    """Refuse workers that are too small for any kernel; features are chosen by what is free."""
    if memory > MEMORY_SHARE * machines.memory_bytes:
        raise PlanError(
            f"{describe_room(machines.memory_bytes)}; a sweep of the kernel needs {format_bytes(memory)}. Give workers "
            "more memory or fewer threads, or ask for fewer right-hand sides at once."
        )


def _others(alpha: float) -> dict[str, str]:
    return {
        "conjugate_gradient": "does not tell the rank, nor the shortest x" if not alpha else "not asked for",
        "low_rank": "is for alpha=0",
        "feature_space": "is approximate: ask for it by name",
    }


def _details(name: str, work: _Work, *, is_free: bool) -> tuple[str, ...]:
    taken = work.taken
    if name == "feature_space":
        return (f"{taken.columns} {taken.name} features, made chunk by chunk and never stored",)
    if name == "low_rank":
        return (f"up to {taken.columns} pivots; beyond them conjugate gradients take over",)
    if not math.isfinite(taken.condition):
        return (f"preconditioner {taken.name} with {taken.columns} columns",)
    return (
        f"preconditioner {taken.name} with {taken.columns} columns: condition number about {taken.condition:.1e} (forecast from "
        f"sampled rows), at most {work.iterations} iterations",
        *(("the solve forecasts once more, from rows of all blocks, and may take another",) if is_free else ()),
    )
