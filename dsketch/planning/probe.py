"""A look at a few blocks before the first pass: how fast they are read, and how ill-conditioned their rows are."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch._linalg.threads import one_blas_thread
from dsketch.errors import DataError
from dsketch.matrix.rows import Block, Rows, bytes_of_row
from dsketch.matrix.sampling import sample_blocks
from dsketch.matrix.window import window_bytes
from dsketch.planning.near import SAMPLE_ENTRIES, condition_by_steps
from dsketch.planning.price import Machines, Workload

# Who reads the blocks that are looked at: this process, or those that will read them again.
SAMPLE: ContextVar[Callable[..., list[tuple[Any, float]]]] = ContextVar("SAMPLE", default=sample_blocks)
_BLOCKS = 3
_TIMED_BYTES = 8_000_000  # of a block of raw rows: more would not tell more of the speed of reading, and be read again
_ROWS_PER_COLUMN = 4  # the triangle takes so many rows of each block for a column
# Up to here all are judged: of an A whose columns are mixtures of all, some tell little of the condition number.
_WHOLE_COLUMNS = 512
_CHECKED_COLUMNS = 256  # of more so many are judged in any case, which takes some 20 ms
# Of the flops of a Gram matrix, what the triangle of a sample may take: 26 c³ for c columns, with a condition number.
_SHARE = 0.01
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
    cache = machines.cache_bytes if machines.keeps_near or rows.A.is_remote else 0
    kept = machines.all_bytes if rows.A.is_raw else cache
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
        stays_warm=(rows.nbytes if rows.A.is_raw else rows.A.kept_bytes) <= kept,
        tasks=machines.tasks(rows),
        beside_bytes=rows.beside_bytes,
        side_bytes=0 if rows.b is None else rows.b.nbytes,
        blocks=1 if rows.A.is_raw else 2,
        nonzeros=rows.A.nonzeros,
        ahead_bytes=min(window_bytes(machines.memory_bytes), rows.nbytes) + found.block_bytes if rows.A.is_remote else 0,
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
        If they cannot be read or hold a NaN, or their squares overflow.
    """
    d, cuts = rows.shape[1], rows.cuts
    blocks = len(cuts) - 1
    numbers = sorted({0, blocks // 2, blocks - 1})[:_BLOCKS]
    spans = [(int(cuts[number]), int(cuts[number + 1])) for number in numbers]
    columns = _sample_columns(rows.shape, sum(stop - start for start, stop in spans))
    spans = [_shorten(rows, span, len(columns), len(numbers)) for span in spans]
    found = SAMPLE.get()(rows, spans, partial(_take, columns, d, len(numbers)))
    pieces = [piece for taken, _ in found for piece, _ in taken]
    sparse = [some for taken, _ in found for _, some in taken if some is not None]
    read = sum(rows.nbytes * (stop - start) // rows.shape[0] for start, stop in spans)
    speed, height = read / max(sum(each for _, each in found), 1e-6), block_bytes_of(rows)
    with one_blas_thread():
        if sparse and (known := condition_by_steps(sparse, penalty, rows.shape[0])) is not None:
            return Probe(known.condition, False, speed, height, known.trace)
        sample = np.concatenate([piece[:, columns].toarray() for piece in pieces] if sparse else pieces)
        if penalty is not None and penalty.any():
            sample = np.concatenate([sample, np.diag(np.sqrt(penalty[columns] * min(sample.shape[0] / rows.shape[0], 1.0)))])
        triangle = householder(sample)
        if not np.isfinite(triangle).all():  # weights, or the penalty, have brought finite data beyond float64
            raise DataError(
                "the squares of the data, weights counted, must be finite in float64; they overflow in the first rows that are read. "
                "Rescale A, b and weights (units!) to entries below 1e150."
            )
        factor = Factor.of(triangle)
        condition, deficient, trace = factor.scaled_condition, factor.is_deficient, _trace(factor)
    return Probe(condition, deficient, speed, height, trace * d / len(columns))


def _shorten(rows: Rows, span: tuple[int, int], columns: int, blocks: int) -> tuple[int, int]:
    """Return which rows of a block to look at: of raw ones enough for four a column of all blocks, and for a speed where all are judged."""
    start, stop = span
    if rows.A.nonzeros is not None or not rows.A.is_raw:
        return span
    timed = _TIMED_BYTES // bytes_of_row(rows.A) if columns == rows.shape[1] else 0
    return start, min(stop, start + max(-(-_ROWS_PER_COLUMN * columns // blocks), timed))


def _stride(entries: int, blocks: int) -> int:
    """Return the step from one row of a CSR block with so many entries to the next one that is looked at."""
    return max(entries * blocks // SAMPLE_ENTRIES, 1)


def _sample_columns(shape: tuple[int, int], rows: int) -> NDArray[np.intp]:
    """Return the columns to judge: all, or runs of 16 evenly spread, as many as the work allows and ``rows`` rows can tell about."""
    n, d = shape
    most = max(int((_SHARE * n * float(d) ** 2 / _FLOPS) ** (1 / 3)), _WHOLE_COLUMNS if d <= _WHOLE_COLUMNS else _CHECKED_COLUMNS)
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


def _take(columns: NDArray[np.intp], d: int, blocks: int, block: Block) -> list[tuple[Any, Any]]:
    """Return some rows of a block, spread over it, slice by slice; of CSR also more of them, for steps that cost what is stored."""
    wanted = max(_CSR_ROWS_PER_COLUMN * d // blocks, 1) if block.is_sparse else _ROWS_PER_COLUMN * len(columns)
    step = max((block.stop - block.start) // wanted, 1)
    if block.is_sparse:
        wide = _stride(int(getattr(block.A, "nnz", 0)), blocks)
        return [(X[::step].copy(), X[::wide].copy()) for _, X, _ in block.slices(sparse=True)]
    return [(X[::step].copy() if len(columns) == d else X[::step][:, columns], None) for _, X, _ in block.slices(sparse=True)]


def block_bytes_of(rows: Rows) -> int:
    """Return the bytes of A in the largest block, or of what is decoded at once for it."""
    cuts = rows.cuts
    if not rows.A.is_raw:
        return rows.A.block_bytes * rows.A.kept_bytes // max(rows.A.nbytes, 1)
    if rows.A.nonzeros is not None or len(cuts) == len(rows.A.cuts):
        return rows.A.block_bytes
    return int(np.max(np.diff(cuts))) * bytes_of_row(rows.A)
