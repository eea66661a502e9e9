"""What a method costs: passes, bytes, seconds, memory; numbers only."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dsketch.matrix.base import BLOCK_BYTES
from dsketch.matrix.rows import Rows
from dsketch.methods.base import Settings
from dsketch.passes.base import heavy_rows
from dsketch.rates import seconds_per_gigabyte
from dsketch.sketch.size import FOR_GUARDING, FOR_ITERATING, FOR_SOLVING, FOR_WHITENING, distortion, rows_for

# Measured on two cores: one task of a few with its messages, and the fixed part of a pass.
TASK_SECONDS = 0.006
PASS_SECONDS = 0.015
WARM_BYTES_PER_SECOND = 8e9  # of one thread from the page cache or the cache of decoded blocks
# Of one stored number of CSR rows, one thread, d = 50 … 2000 (benchmarks/sparse.py): both products of a light pass, the first side and
# each further one; a sign of a sparse sketch, most of it waiting for memory; a Gram matrix, for each number of the same row and besides.
_LIGHT_SECONDS, _SIDE_SECONDS = 2e-9, 1e-9
_SIGN_SECONDS = 12e-9
_GRAM_SECONDS, _PAIR_SECONDS = 20e-9, 5e-9
_SIGNS = {"sketch_sparse_sign": 8, "sketch_sparse_sign_whitening": 4, "sketch_sparse_sign_guarding": 2, "sketch_count_sketch": 1}


@dataclass(frozen=True)
class Ground:
    """Where the work would run, as far as a plan is concerned.

    Attributes
    ----------
    where : str
        Words for people.
    threads : int
        Task threads in all.
    memory_bytes : int
        Of one thread: the workers' limit, or the user's if that is lower.
    all_bytes : int
        The limits of all workers together.
    cache_bytes : int
        Decoded blocks that may stay on all workers together.
    tasks : callable
        The number of tasks of one pass over some rows.
    options : dict
        The cluster that was asked for.
    """

    where: str
    threads: int
    memory_bytes: int
    all_bytes: int
    cache_bytes: int
    tasks: Callable[[Rows], int]
    options: dict[str, Any]


@dataclass(frozen=True)
class Means:
    """The data and the machines, as far as cost is concerned."""

    n: int
    d: int
    k: int
    total_bytes: int
    block_bytes: int
    float_bytes: int  # of A as float64: what the arithmetic sees
    threads: int
    memory_bytes: int  # for one thread
    cold_bytes_per_second: float  # of one thread, first pass
    stays_warm: bool  # whether later passes find the data in memory
    tasks: int
    blocks: int = 2  # in memory at once: one is computed on, one decoded; of raw rows only a slice, at most one block
    nonzeros: int | None = None  # stored numbers of a sparse A; None: A is dense


@dataclass(frozen=True)
class Estimate:
    """Cost of one method.

    Attributes
    ----------
    passes : int
    seconds : float
    memory_bytes : int
        Of one task thread at its fullest: blocks, slices and what is computed from them, the parts that wait to be merged.
    part_bytes : int
        Of one part.
    """

    passes: int
    seconds: float
    memory_bytes: int
    part_bytes: int


def works(method: str, settings: Settings, d: int) -> list[tuple[str, int]]:
    """Return what the method does to every row: (kind of work, times), several kinds in one pass joined by ``+``."""
    sketch = f"sketch_{settings.sketch}"
    is_sparse = settings.sketch == "sparse_sign"  # with fewer signs a row where a Gram matrix follows
    if method == "cholesky":
        return [("gram", 1), ("gradient", 1)]
    if method == "gram":
        return [(f"{'sketch_sparse_sign_guarding' if is_sparse else sketch}+gram", 1), ("gradient", 1)]
    if method == "whitened":
        return [("sketch_sparse_sign_whitening" if is_sparse else sketch, 1), ("whitened", 1), ("gradient", 1)]
    if method == "tsqr":
        return [("triangle", 1), ("gradient", 1)]
    if method == "sketch_and_solve":
        return [(sketch, 1)]
    steps, rounds = _steps(settings, d)
    return [(sketch, 1), ("normal", steps), ("gradient", rounds + 1)]


def _steps(settings: Settings, d: int) -> tuple[int, int]:
    """Return inner steps and rounds of the iterative methods: each step gains a factor √(d/m), a round at most 10⁶."""
    rate = distortion(d, settings.sketch_rows or rows_for(d, FOR_ITERATING, settings.sketch))
    digits = math.log(1 / settings.goal) + math.log(1e3)  # from the sketch-and-solve start, with the floor of a round
    steps = math.ceil(digits / max(-math.log(rate), 0.02))
    return steps, max(2, math.ceil(steps / 12))


def part_bytes(method: str, settings: Settings, d: int, k: int) -> int:
    """Return the bytes of the largest part that the method makes."""
    purpose = {"gram": FOR_GUARDING, "whitened": FOR_WHITENING, "sketch_and_solve": FOR_SOLVING}.get(method, FOR_ITERATING)
    sketch = 0 if method == "tsqr" else 8 * (settings.sketch_rows or rows_for(d, purpose, settings.sketch)) * (d + k)
    square = 8 * (d + k) ** 2
    return {"gram": sketch + square, "cholesky": square, "tsqr": square}.get(method, max(sketch, square))


def estimate(method: str, settings: Settings, means: Means) -> Estimate:
    """Return the predicted cost of a method."""
    rates = [(sum(rate(kind, means) for kind in kinds.split("+")), times) for kinds, times in works(method, settings, means.d)]
    return priced(rates, part_bytes(method, settings, means.d, means.k), means)


def rate(kind: str, means: Means) -> float:
    """Return the seconds that a kind of work takes one thread for a gigabyte of A, counted as float64 and dense.

    Of a sparse A, light passes and sparse sketches work on stored numbers alone, a Gram matrix on pairs of them where that is cheaper;
    other kinds make slices dense.
    """
    dense = seconds_per_gigabyte(kind, means.d + means.k)
    if means.nonzeros is None:
        return dense
    seconds = {
        "gradient": _LIGHT_SECONDS + _SIDE_SECONDS * (means.k - 1),
        "normal": _LIGHT_SECONDS + _SIDE_SECONDS * (means.k - 1),
        "gram": _GRAM_SECONDS + _PAIR_SECONDS * means.nonzeros / means.n,
        **{name: _SIGN_SECONDS * signs for name, signs in _SIGNS.items()},
    }
    if kind not in seconds:
        return dense
    sparse = seconds[kind] * means.nonzeros * 1e9 / max(means.float_bytes, 1)
    return min(sparse, dense) if kind == "gram" else sparse


def priced(rates: list[tuple[float, int]], part: int, means: Means) -> Estimate:
    """Return the cost of passes given as (seconds a gigabyte of one thread, times), the largest part of which has ``part`` bytes."""
    count = sum(times for _, times in rates)
    compute = sum(per_gigabyte * times for per_gigabyte, times in rates) * means.float_bytes / 1e9
    warm = max(count - 1, 0) if means.stays_warm else 0  # the first pass finds the data where they are stored
    reading = means.total_bytes * ((count - warm) / means.cold_bytes_per_second + warm / WARM_BYTES_PER_SECOND)
    seconds = (compute + reading) / means.threads + count * (PASS_SECONDS + TASK_SECONDS * means.tasks)
    waiting = 2 + math.log2(max(4096 / max(means.tasks, 1), 1)) / 2
    slice_bytes = min(8 * heavy_rows(means.d) * (means.d + means.k), means.float_bytes)
    if means.nonzeros is not None:
        slice_bytes = min(slice_bytes, BLOCK_BYTES)  # what is made dense at once
    memory = means.blocks * means.block_bytes + 3 * slice_bytes + int(part * waiting)
    return Estimate(count, seconds, memory, part)
