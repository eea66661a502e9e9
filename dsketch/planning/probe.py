"""A look at a few blocks before the first pass: how fast they are read, and how ill-conditioned their rows are."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch._linalg.threads import one_blas_thread
from dsketch.matrix.rows import Buffers, Rows, bytes_of_row, find_nonfinite
from dsketch.planning.near import SAMPLE_ENTRIES, condition_by_steps
from dsketch.planning.price import Machines, Workload

_BLOCKS = 3
_ROWS_PER_COLUMN = 4  # the triangle takes so many rows of each block for a column
_CHECKED_COLUMNS = 256  # so many are probed in any case, which takes some 20 ms
_SHARE = (
    0.01  # of the flops of a Gram matrix is what the triangle of a sample may take: 26 c³ for c columns, with a condition number
)
_FLOPS = 26
_RUN = 16  # columns of a sample in a row: neighbours may depend on each other as no others do
_CSR_ROWS_PER_COLUMN = 2  # the same of all CSR blocks together: a sparse block may have more rows than a triangle is worth


@dataclass(frozen=True)
class Probe:
    """What a few blocks told.

    Attributes
    ----------
    condition : float
        Condition number of the sampled rows, of a wide A of some columns only, scaled; a hint (what matters may lie elsewhere), never a
        proof.
    is_deficient : bool
        Whether the sampled rows lack rank.
    read_bytes_per_second : float
        Decoded bytes of one reading thread, first touch.
    block_bytes : int
        Of A in the largest block.
    trace : float
        ‖A‖_F² / ‖A‖² of the sampled rows, columns scaled; of a sample of columns times what it stands for.
    """

    condition: float
    is_deficient: bool
    read_bytes_per_second: float
    block_bytes: int
    trace: float = 1.0


def workload_of(rows: Rows, sides: int, found: Probe, machines: Machines) -> Workload:
    """Return data and machines as methods are priced on them."""
    n, d = rows.shape
    # Raw bytes stay in the page cache of the machine, which workers' limits do not see; decoded blocks stay in theirs.
    kept = machines.all_bytes if rows.A.is_raw else machines.cache_bytes
    return Workload(
        n=n,
        d=d,
        k=sides,
        total_bytes=rows.nbytes,
        block_bytes=found.block_bytes,
        float_bytes=8 * n * d,
        threads=machines.threads,
        memory_bytes=machines.memory_bytes,
        cold_bytes_per_second=found.read_bytes_per_second,
        stays_warm=rows.nbytes <= kept,
        tasks=machines.tasks(rows),
        beside_bytes=rows.beside_bytes,
        side_bytes=0 if rows.b is None else rows.b.nbytes,
        blocks=1 if rows.A.is_raw else 2,
        nonzeros=rows.A.nonzeros,
    )


def probe(rows: Rows, penalty: Floats | None = None) -> Probe:
    """Read up to three blocks, spread over the rows; of a wide A only so many columns are judged as take 1 % of a Gram matrix.

    Parameters
    ----------
    rows : Rows
    penalty : ndarray, shape (d,), optional
        That is added to the diagonal of AᵀA.

    Raises
    ------
    DataError
        If they cannot be read or hold a NaN.
    """
    d, cuts = rows.shape[1], rows.cuts
    blocks = len(cuts) - 1
    numbers = sorted({0, blocks // 2, blocks - 1})[:_BLOCKS]
    columns = _sample_columns(rows.shape, sum(int(cuts[number + 1] - cuts[number]) for number in numbers))
    buffers, pieces, sparse, read, seconds = Buffers(), list[Any](), list[Any](), 0, 0.0
    for number in numbers:
        began = time.perf_counter()
        block = rows.block(int(cuts[number]), _stop_of(rows, number, len(columns), len(numbers)), buffers)
        wanted = max(_CSR_ROWS_PER_COLUMN * d // len(numbers), 1) if block.is_sparse else _ROWS_PER_COLUMN * len(columns)
        step = max((block.stop - block.start) // wanted, 1)
        entries = int(getattr(block.A, "nnz", 0))
        for _, X, _ in block.slices(sparse=True):
            if block.is_sparse:
                sparse.append(X[:: _stride(entries, len(numbers))])
            some = X[::step]
            pieces.append(some.copy() if block.is_sparse or len(columns) == d else some[:, columns])
        seconds += time.perf_counter() - began
        read += rows.nbytes * (block.stop - block.start) // rows.shape[0]
        find_nonfinite(replace(block, b=None) if block.sides > block.columns else block)  # a wide b is looked at by the passes
    speed, height = read / max(seconds, 1e-6), block_bytes_of(rows)
    with one_blas_thread():
        if sparse and (known := condition_by_steps(sparse, penalty, rows.shape[0])) is not None:
            return Probe(known.condition, False, speed, height, known.trace)
        sample = np.concatenate([piece[:, columns].toarray() for piece in pieces] if sparse else pieces)
        if penalty is not None and penalty.any():
            sample = np.concatenate([sample, np.diag(np.sqrt(penalty[columns] * min(sample.shape[0] / rows.shape[0], 1.0)))])
        factor = Factor.of(householder(sample))
        condition, deficient, trace = factor.scaled_condition, factor.is_deficient, _trace(factor)
    return Probe(condition, deficient, speed, height, trace * d / len(columns))


def _stop_of(rows: Rows, number: int, columns: int, blocks: int) -> int:
    """Return where to stop in a block: of raw rows, of which columns are sampled, when all blocks together give four rows a column."""
    start, stop = int(rows.cuts[number]), int(rows.cuts[number + 1])
    if columns == rows.shape[1] or rows.A.nonzeros is not None or not rows.A.is_raw:
        return stop
    return min(stop, start + -(-_ROWS_PER_COLUMN * columns // blocks))


def _stride(entries: int, blocks: int) -> int:
    """Return the step from one row of a CSR block with so many entries to the next one that is looked at."""
    return max(entries * blocks // SAMPLE_ENTRIES, 1)


def _sample_columns(shape: tuple[int, int], rows: int) -> NDArray[np.intp]:
    """Return the columns to judge: all, or runs of 16 evenly spread, as many as the work allows and ``rows`` rows can tell about."""
    n, d = shape
    most = max(int((_SHARE * n * float(d) ** 2 / _FLOPS) ** (1 / 3)), _CHECKED_COLUMNS)
    if d > _CHECKED_COLUMNS:
        most = min(most, max(rows // _ROWS_PER_COLUMN, 1))
    if d <= most:
        return np.arange(d)
    runs = max(most // _RUN, 1)
    starts = np.arange(runs) * (d - _RUN) // max(runs - 1, 1)
    return np.unique((starts[:, None] + np.arange(min(_RUN, most))).ravel())


def _trace(factor: Factor) -> float:
    """Return ‖R‖_F² / ‖R‖², columns scaled; 1 for a zero R."""
    if factor.extent is not None:
        return float(np.linalg.norm(factor.scaled) / factor.extent.largest) ** 2
    s = factor.scaled_singular
    return float(np.sum((s / s[0]) ** 2)) if s[0] > 0 else 1.0


def block_bytes_of(rows: Rows) -> int:
    """Return the bytes of A in the largest block, or of what is decoded at once for it."""
    cuts = rows.cuts
    if not rows.A.is_raw or rows.A.nonzeros is not None or len(cuts) == len(rows.A.cuts):
        return rows.A.block_bytes
    return int(np.max(np.diff(cuts))) * bytes_of_row(rows.A)
