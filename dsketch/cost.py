"""What a method costs: passes, bytes, seconds, memory; numbers only."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dsketch.matrix.rows import Rows
from dsketch.methods.base import Settings
from dsketch.passes.base import heavy_rows
from dsketch.rates import seconds_per_gigabyte
from dsketch.sketch.size import FOR_GUARDING, FOR_ITERATING, FOR_SOLVING, FOR_WHITENING, distortion, rows_for

# Measured on two cores: one task of a few with its messages, and the fixed part of a pass.
TASK_SECONDS = 0.006
PASS_SECONDS = 0.015
WARM_BYTES_PER_SECOND = 8e9  # of one thread from the page cache or the cache of decoded blocks


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
    seconds, count = 0.0, 0
    for kinds, times in works(method, settings, means.d):
        per_gigabyte = sum(seconds_per_gigabyte(kind, means.d + means.k) for kind in kinds.split("+"))
        compute = per_gigabyte * means.float_bytes / 1e9 / means.threads
        for _ in range(times):
            speed = WARM_BYTES_PER_SECOND if count and means.stays_warm else means.cold_bytes_per_second
            seconds += compute + means.total_bytes / speed / means.threads + PASS_SECONDS + TASK_SECONDS * means.tasks
            count += 1
    part = part_bytes(method, settings, means.d, means.k)
    waiting = 2 + math.log2(max(4096 / max(means.tasks, 1), 1)) / 2
    slice_bytes = min(8 * heavy_rows(means.d) * (means.d + means.k), means.float_bytes)
    memory = means.blocks * means.block_bytes + 3 * slice_bytes + int(part * waiting)
    return Estimate(count, seconds, memory, part)
