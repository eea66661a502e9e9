"""What looks of an attention layer cost, timed on a few rows: apart for pairs of rows, for rows of A₁, and for what the driver does.

Few rows of A₁ meet 2,048 of A₂ and then 64: the difference tells a pair, the rest a row.  A QR of the Jacobian's rows and products of d²
numbers belong to rows, so that they weigh less where there are many keys.  Seconds are the processor's: what else runs does not count.
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

_FEW_KEYS, _KEYS = 64, 2048
ROWS = 512  # of A₁, at most
_DRIVER_COLUMNS = 192  # of the matrix by which the driver is timed, some ten milliseconds
# A certificate takes a singular value decomposition, singular values of two matrices, eigenvectors and products, in units of the first;
# that of a larger matrix is a little faster for its size (measured from 128 to 1,800 columns).
_CERTIFICATE, _STEP = 1.7, 0.3
_FEW_ROWS = 128
_QUICK_SECONDS = 0.1  # what takes longer is timed once


class Sweep(NamedTuple):
    """Seconds of one thread for a pair of rows of A₁ and A₂, and for a row of A₁ besides."""

    pair: float
    row: float

    def seconds(self, rows: int, others: int) -> float:
        """Return those of a whole look."""
        return rows * (others * self.pair + self.row)


def time_sweep(system: LayerSystem, sample: Sample, make: Callable[[VisibleLayer], Pass[Any]], rows: int = ROWS) -> Sweep:
    """Return what a pass takes, from so many rows of a sample."""
    many, few = (_time_pass(*_meet(system, sample, make, rows, keys)) for keys in (_KEYS, _FEW_KEYS))
    pair = max(many - few, 0.0) / ((_KEYS - _FEW_KEYS) * rows)
    return Sweep(pair, max(few / rows - _FEW_KEYS * pair, 0.0))


def _meet(
    system: LayerSystem, sample: Sample, make: Callable[[VisibleLayer], Pass[Any]], rows: int, keys: int
) -> tuple[Pass[Any], LayerSystem]:
    """Return a pass over some rows of a sample that meet as many keys, again and again where there are fewer."""
    own, other = ([np.asarray(matrix.read(0, ROWS)) for matrix in side] for side in (sample.matrices[::3], sample.matrices[1:3]))
    A1, B = (ArrayMatrix(A[:rows]) for A in own)
    A2, A3 = (ArrayMatrix(np.resize(A, (keys, A.shape[1]))) for A in other)
    few = replace(system, A1=A1, A2=A2, A3=A3, B=B)
    return make(see_all(few)), few


def _time_pass(pass_: Pass[Any], system: LayerSystem) -> float:
    """Return the seconds of the best of three runs."""
    rows = system.rows
    block, best = rows.block(0, rows.shape[0]), np.inf
    with one_blas_thread(), np.errstate(all="ignore"):  # what overflows is told by the passes
        for _ in range(3):
            began = time.thread_time()
            pass_.map(block, None)
            best = min(best, time.thread_time() - began)
            if best > _QUICK_SECONDS:
                break
    return float(best)


def time_examination(system: LayerSystem, sample: Sample) -> Sweep:
    """Return what the examination takes: pairs as of a look with the Hessian; its QR is of rows below the triangle of those before."""
    pair = time_sweep(system, sample, _bend, _FEW_ROWS).pair
    pass_, few = _meet(system, sample, _examine, ROWS, _FEW_KEYS)
    leaf = min(_examine(see_all(few)).leaf, ROWS)
    if leaf < ROWS:
        pass_, few = _meet(system, sample, _examine, leaf, _FEW_KEYS)
    row = max(_time_pass(pass_, few) / leaf - _FEW_KEYS * pair, 0.0)
    return Sweep(pair, row * (1 + see_all(few).numbers[0] / (leaf * system.shapes[3])))


def _bend(layer: VisibleLayer) -> Pass[Any]:
    return layer.moments(np.zeros(layer.numbers[0]), layer.no_values, is_exact=True)


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
            began = time.thread_time()
            sl.svd(A)
            best = min(best, time.thread_time() - began)
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
