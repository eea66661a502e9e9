"""What a method costs: passes, bytes, seconds, memory; numbers only."""

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dsketch.matrix.base import BLOCK_BYTES
from dsketch.matrix.rows import Rows, rows_beside
from dsketch.passes.base import heavy_rows
from dsketch.planning.rates import WIDTHS, seconds_per_gigabyte
from dsketch.planning.work import GRAM, TRIANGLE, Kind, Work

# Measured on two cores: one task of a few with its messages, and the fixed part of a pass.
TASK_SECONDS = 0.006
PASS_SECONDS = 0.015
_ANSWERS = 16  # so many arrays of the size of x are in memory at once where it is found and certified (measured, 20,000 sides)
_TALL = 4  # a block of so many rows a column is what rates are measured on
_WARM_BYTES_PER_SECOND = 8e9  # what one thread reads from the page cache or the cache of decoded blocks


@dataclass(frozen=True)
class Machines:
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
    driver_bytes : int
        Free where the arithmetic between passes runs.
    keeps_near : bool
        Whether blocks from this machine's own disks stay too, or only those of other machines.
    """

    where: str
    threads: int
    memory_bytes: int
    all_bytes: int
    cache_bytes: int
    tasks: Callable[[Rows], int]
    driver_bytes: int
    keeps_near: bool = True


@dataclass(frozen=True)
class Workload:
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
    side_bytes: int = 0  # of b: what a pass over A alone does not read
    beside_bytes: int = 0  # of b and weights that a reading thread holds
    ahead_bytes: int = 0  # on their way from a store on another machine, for one thread
    outputs: int = 1  # of a smooth problem: d and float_bytes then count each column as often


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
    spared_bytes : int
        What the passes together do not read of A and b.
    reading_seconds : float
        Of the seconds, what reading costs; 0 where it is not known apart.
    """

    passes: int
    seconds: float
    memory_bytes: int
    part_bytes: int
    spared_bytes: int = 0
    reading_seconds: float = 0.0


def rate(kind: Kind, workload: Workload) -> float:
    """Return the seconds that a kind of work takes one thread for a gigabyte of A, counted as float64 and dense.

    Of a sparse A, light passes and sparse sketches work on stored numbers alone, a Gram matrix on pairs of them where that is cheaper;
    other kinds make slices dense.
    """
    width = workload.d + min(workload.k, 1)
    further = max(workload.k - 1, 0) * workload.n * 1e9 / max(workload.float_bytes, 1)  # numbers of b beyond its first column
    if workload.outputs > 1 and kind.outputs_seconds is not None:
        return kind.outputs_seconds(workload.d, workload.outputs) * workload.n * 1e9 / max(workload.float_bytes, 1)
    if workload.nonzeros is None or kind.sparse_seconds is None:
        return seconds_per_gigabyte(kind, width) + further * kind.side_seconds(workload.d)
    seconds = kind.sparse_seconds(workload.k, workload.nonzeros / workload.n, workload.d)
    sparse = seconds * workload.nonzeros * 1e9 / max(workload.float_bytes, 1) + further * kind.side_seconds(0)
    dense = seconds_per_gigabyte(kind, width) + further * kind.side_seconds(workload.d) if kind.may_be_dense else sparse
    return min(sparse, dense)


def seconds_between(d: int, alone: float, tiled: float) -> float:
    """Return the seconds of arithmetic between passes.

    Parameters
    ----------
    alone, tiled : float
        Its flops, in units of d³ at the speed of a Gram matrix: on one thread, and on all of the driver's.
    """
    a_flop = seconds_per_gigabyte(GRAM, WIDTHS[-1]) / (1e9 / 8 * WIDTHS[-1])
    return (alone + tiled / len(os.sched_getaffinity(0))) * a_flop * float(d) ** 3


def _merging_seconds(workload: Workload) -> float:
    """Return the seconds that one thread merges triangles of blocks that are hardly taller than wide: 10/3 d³ flops each, at half speed."""
    height = workload.n * workload.block_bytes / max(workload.total_bytes - workload.side_bytes, 1)
    if height >= _TALL * workload.d:
        return 0.0
    return max(workload.n / max(height, 1) - 1, 0) * 2 * seconds_between(workload.d, 10 / 3, 0.0)


def price_works(works: Iterable[Work], part: int, workload: Workload) -> Estimate:
    """Return the cost of the passes of a method, the largest part of which has ``part`` bytes."""
    alone, rates, spared, merging = replace(workload, k=min(workload.k, 1)), [], 0.0, 0.0
    for work in works:
        seconds = sum(rate(kind, workload if work.beside else alone) for kind in work.kinds)
        rates.append((seconds * work.share, work.times))
        read = workload.total_bytes - (0 if work.beside else workload.side_bytes)
        merging += _merging_seconds(workload) * work.times if TRIANGLE in work.kinds else 0.0
        spared += (workload.total_bytes - work.share * read) * work.times
    price = price_passes(rates, part, workload, int(spared))
    return replace(price, seconds=price.seconds + merging / workload.threads)


def price_passes(rates: list[tuple[float, int]], part: int, workload: Workload, spared: int = 0) -> Estimate:
    """Return the cost of passes given as (seconds a gigabyte of one thread, times), the largest part of which has ``part`` bytes.

    ``spared`` bytes of all that they would read they do not.
    """
    count = sum(times for _, times in rates)
    compute = sum(per_gigabyte * times for per_gigabyte, times in rates) * workload.float_bytes / 1e9
    warm = max(count - 1, 0) if workload.stays_warm else 0  # the first pass finds the data where they are stored
    reading = workload.total_bytes * ((count - warm) / workload.cold_bytes_per_second + warm / _WARM_BYTES_PER_SECOND)
    reading -= spared / (_WARM_BYTES_PER_SECOND if warm else workload.cold_bytes_per_second)
    seconds = (compute + reading) / workload.threads + count * (PASS_SECONDS + TASK_SECONDS * workload.tasks)
    waiting = 2 + math.log2(max(4096 / max(workload.tasks, 1), 1)) / 2
    height = min(heavy_rows(workload.d), rows_beside(workload.k))
    slice_bytes = min(8 * height * (workload.d + workload.k), workload.float_bytes + 8 * workload.n * workload.k)
    height = -(-workload.n * workload.block_bytes // max(workload.total_bytes - workload.side_bytes, 1))
    slice_bytes = min(slice_bytes, 8 * height * (workload.d + workload.k))  # no slice is higher than its block
    if workload.nonzeros is not None:
        slice_bytes = min(slice_bytes, BLOCK_BYTES)  # what is made dense at once
    answers = _ANSWERS * 8 * workload.d * workload.k
    memory = workload.blocks * workload.block_bytes + workload.beside_bytes + answers + 3 * slice_bytes + int(part * waiting)
    return Estimate(count, seconds, memory + workload.ahead_bytes, part, spared, max(reading, 0.0) / workload.threads)
