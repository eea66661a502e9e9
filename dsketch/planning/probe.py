"""A look at a few blocks before the first pass: how fast they are read, and how ill-conditioned their rows are."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch._linalg.threads import one_blas_thread
from dsketch.matrix.rows import Block, Rows, bytes_of_row, sample_blocks
from dsketch.matrix.window import window_bytes
from dsketch.planning.price import Machines, Workload

# Who reads the blocks that are looked at: this process, or those that will read them again.
SAMPLE: ContextVar[Callable[..., list[tuple[Any, float]]]] = ContextVar("SAMPLE", default=sample_blocks)
_BLOCKS = 3
_ROWS_PER_COLUMN = 4  # the triangle takes so many rows of each block for a column
_CSR_ROWS_PER_COLUMN = 2  # the same of all CSR blocks together: a sparse block may have more rows than a triangle is worth


@dataclass(frozen=True)
class Probe:
    """What a few blocks told.

    Attributes
    ----------
    condition : float
        Condition number of the sampled rows, columns scaled; a hint (rows that matter may lie elsewhere), never a proof.
    is_deficient : bool
        Whether the sampled rows lack rank.
    read_bytes_per_second : float
        Decoded bytes of one reading thread, first touch.
    block_bytes : int
        Of A in the largest block.
    trace : float
        ‖A‖_F² / ‖A‖² of the sampled rows, columns scaled.
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
        ahead_bytes=min(window_bytes(machines.memory_bytes), rows.nbytes) + found.block_bytes if rows.A.is_remote else 0,
    )


def probe(rows: Rows, penalty: Floats | None = None) -> Probe:
    """Read up to three blocks, spread over the rows.

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
    spans = [(int(cuts[number]), int(cuts[number + 1])) for number in numbers]
    found = SAMPLE.get()(rows, spans, partial(_take, d, len(numbers)))
    pieces, seconds = [piece for taken, _ in found for piece in taken], sum(each for _, each in found)
    read = sum(rows.nbytes * (stop - start) // rows.shape[0] for start, stop in spans)
    sample = np.concatenate(pieces)
    if penalty is not None and penalty.any():
        sample = np.concatenate([sample, np.diag(np.sqrt(penalty * min(sample.shape[0] / rows.shape[0], 1.0)))])
    with one_blas_thread():
        factor = Factor.of(householder(sample))
        condition, deficient, s = factor.scaled_condition, factor.is_deficient, factor.scaled_singular
    return Probe(
        condition,
        deficient,
        read / max(seconds, 1e-6),
        _block_bytes(rows),
        float(np.sum((s / s[0]) ** 2)) if s[0] > 0 else 1.0,
    )


def _take(d: int, blocks: int, block: Block) -> list[Floats]:
    """Return some rows of a block, spread over it."""
    wanted = max(_CSR_ROWS_PER_COLUMN * d // blocks, 1) if block.is_sparse else _ROWS_PER_COLUMN * d
    step = max((block.stop - block.start) // wanted, 1)
    return [X[::step].toarray() if block.is_sparse else X[::step].copy() for _, X, _ in block.slices(sparse=True)]


def _block_bytes(rows: Rows) -> int:
    """Return the bytes of A in the largest block, or of what is decoded at once for it."""
    cuts = rows.cuts
    if not rows.A.is_raw or rows.A.nonzeros is not None or len(cuts) == len(rows.A.cuts):
        return rows.A.block_bytes
    return int(np.max(np.diff(cuts))) * bytes_of_row(rows.A)
