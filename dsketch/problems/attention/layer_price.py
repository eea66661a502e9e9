"""What looks of an attention layer cost, timed on a few rows: apart for pairs of rows, for rows of A₁, and for what the driver does.

Few rows of A₁ meet 512 of A₂ and then 64: the difference tells a pair, the rest a row.  A QR of the Jacobian's rows and products of d²
numbers belong to rows, so that they weigh less where there are many keys.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.threads import one_blas_thread
from dsketch.matrix.array import ArrayMatrix
from dsketch.passes import Pass
from dsketch.passes.layer import LayerJacobian
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.problems.attention.layer_directions import see_all
from dsketch.problems.attention.layer_system import LayerSystem
from dsketch.problems.attention.sample import Sample
from dsketch.problems.attention.visible_layer import VisibleLayer

_FEW_KEYS, _KEYS = 64, 512
_DRIVER_COLUMNS = 192  # of the matrix by which the driver is timed, some ten milliseconds
# A certificate takes a singular value decomposition, singular values of two matrices, eigenvectors and products, in units of the first;
# that of a larger matrix is a little faster for its size (measured from 128 to 1,800 columns).
_CERTIFICATE, _STEP = 1.7, 0.3
_QUICK_SECONDS = 0.1  # what takes longer is timed once


class Sweep(NamedTuple):
    """Seconds of one thread for a pair of rows of A₁ and A₂, and for a row of A₁ besides."""

    pair: float
    row: float

    def seconds(self, rows: int, others: int) -> float:
        """Return those of a whole look."""
        return rows * (others * self.pair + self.row)


def time_sweep(system: LayerSystem, sample: Sample, make: Callable[[VisibleLayer], Pass[Any]], rows: int = _KEYS) -> Sweep:
    """Return what a pass takes, from so many rows of a sample."""
    A1, A2, A3, B = (matrix.read(0, _KEYS) for matrix in sample.matrices)
    seconds = []
    for keys in (_KEYS, _FEW_KEYS):
        few = replace(
            system, A1=ArrayMatrix(A1[:rows]), B=ArrayMatrix(B[:rows]), A2=ArrayMatrix(A2[:keys]), A3=ArrayMatrix(A3[:keys])
        )
        seconds.append(_time_pass(make(see_all(few)), few))
    pair = max(seconds[0] - seconds[1], 0.0) / ((_KEYS - _FEW_KEYS) * rows)
    return Sweep(pair, max(seconds[1] / rows - _FEW_KEYS * pair, 0.0))


def _time_pass(pass_: Pass[Any], system: LayerSystem) -> float:
    """Return the seconds of the better of two runs."""
    rows = system.rows
    block, best = rows.block(0, rows.shape[0]), np.inf
    with one_blas_thread(), np.errstate(all="ignore"):  # what overflows is told by the passes
        for _ in range(2):
            began = time.perf_counter()
            pass_.map(block, None)
            best = min(best, time.perf_counter() - began)
            if best > _QUICK_SECONDS:
                break
    return float(best)


def time_examination(system: LayerSystem, sample: Sample) -> Sweep:
    """Return what the examination takes: its QR is of leaves of rows below the triangle of those before, which the first leaf has not."""
    few = see_all(replace(system, A1=sample.matrices[0], A2=sample.matrices[1], A3=sample.matrices[2], B=sample.matrices[3]))
    leaf = LayerJacobian(few.keys, few.basis, few.beside(np.zeros(few.numbers[0])), few.no_values).leaf
    found = time_sweep(system, sample, lambda layer: _examine(layer), min(leaf, _KEYS))
    columns, sides = few.numbers[0], system.shapes[3]
    return Sweep(found.pair, found.row * (1 + columns / (leaf * sides)))


def _examine(layer: VisibleLayer) -> LayerJacobian:
    return LayerJacobian(layer.keys, layer.basis, layer.beside(np.zeros(layer.numbers[0])), layer.no_values)


def driver_seconds(layer: LayerSystem, steps: int) -> float:
    """Return what the driver takes for so many steps with a matrix by X, and for a certificate with one by X and Y."""
    d, e, p, k = layer.shapes
    of_x, of_all = layer.heads * d * e, layer.heads * (d * e + p * k)
    return (_CERTIFICATE * of_all**3 + _STEP * steps * of_x**3) * _decompose_seconds() / _DRIVER_COLUMNS**3


@lru_cache(maxsize=1)
def _decompose_seconds() -> float:
    A = np.random.default_rng(0).standard_normal((_DRIVER_COLUMNS, _DRIVER_COLUMNS))
    best = np.inf
    with one_blas_thread():
        for _ in range(2):
            began = time.perf_counter()
            sl.svd(A)
            best = min(best, time.perf_counter() - began)
    return float(best)


def price_sweeps(
    system: LayerSystem, sweeps: Iterable[tuple[Sweep, int]], threads: int, tasks: int, starts: int, memory: tuple[int, int]
) -> Estimate:
    """Return the cost of looks, each so often, from each start, which share a reading, and of two light ones before.

    Parameters
    ----------
    memory : (int, int)
        Bytes of a task thread, and of a part.
    """
    rows, times = system.rows, list(sweeps)
    passes = sum(count for _, count in times) + 2
    work = sum(count * sweep.seconds(rows.shape[0], system.others.rows) for sweep, count in times)
    seconds = work * starts / min(threads, len(rows.cuts) - 1) + passes * (PASS_SECONDS + TASK_SECONDS * tasks)
    return Estimate(passes, seconds, *memory)
