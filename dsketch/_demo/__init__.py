"""A tall matrix on disk whose least-squares answer is known exactly: for the demonstration, and for whoever wants to try a cluster.

All numbers are small integers times powers of two, chosen so that no operation below rounds::

    A = u 1ᵀ + eps G        u, G integers of 8 bits, eps = 2⁻ᵖ          condition √(d/eps² + 1)
    b = A x + r             x integers in ±{1 … 8}, r integers of 8 bits

Rows come in pairs, equal in A and opposite in r, so that Aᵀr = 0 exactly: x is the minimizer, r the residual, to the last bit.
"""

import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import below, draw, signs
from dsketch._linalg.streams import DEMO_ROWS, DEMO_X
from dsketch._results.solution import Solution
from dsketch._units import format_bytes
from dsketch.errors import DataError, SpecError
from dsketch.events import Progress, Tell, ignore
from dsketch.ingest.failure import writing

_CHUNK_BYTES = 32_000_000
_MANTISSA_BITS = 53
_VALUE_BITS = 7  # the magnitude of u, G and r in bits
_X_BITS = 3
_MOST_SHRUNK = 7  # eps is at most 2⁷: the shared column is then lost among the others, and the condition is 1


@dataclass(frozen=True)
class DemoMatrix:
    """A matrix on disk and everything there is to know about its least-squares problem.

    Attributes
    ----------
    A, b : str
        Paths.
    shape : tuple of int
    x : ndarray, shape (d,)
        The minimizer, exactly.
    residual_norm : float
        ‖b − A x‖, rounded once.
    condition : float
        The expected one of A; a sample of n rows is within a few √(d/n) of it.
    nbytes : int
        Of A and b.
    """

    A: str
    b: str
    shape: tuple[int, int]
    x: Floats
    residual_norm: float
    condition: float
    nbytes: int


def make(
    folder: Path, rows: int = 2_000_000, columns: int = 100, *, condition: float = 1e6, seed: int = 0, tell: Tell = ignore
) -> DemoMatrix:
    """Write ``A.zarr`` and ``b.zarr`` into a folder, chunk by chunk, and return what is known about them.

    Parameters
    ----------
    folder : Path
        Made if need be; must not hold either array yet.
    rows, columns : int
        n and d.
    condition : float
        At least 1; met within a factor √2.  At most about 2⁴¹/√d (2e11 for 100 columns): beyond, b would have to be rounded.
    seed : int
        The same seed gives the same bytes.
    tell : Tell
        Hears a Progress after each chunk.

    Raises
    ------
    SpecError
        If the sizes or the condition are impossible.
    DataError
        If the disk is too small, cannot be written, or the arrays exist.

    Notes
    -----
    Memory: two to three chunks of 32 MB for each processor.
    """
    bits = _bits(rows, columns, condition)
    names = folder / "A.zarr", folder / "b.zarr"
    nbytes = 8 * rows * (columns + 1)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    if taken := next((name for name in names if os.path.lexists(name)), None):
        raise DataError(f"a free path was expected; {taken} exists. Choose another folder, or remove it.")
    if nbytes > free:
        raise DataError(
            f"{format_bytes(nbytes)} of free disk were expected in {folder}; there are {format_bytes(free)}. "
            "Choose fewer rows, or another folder."
        )
    x = exact_solution(columns, seed)
    height = max(_CHUNK_BYTES // (8 * columns) // 2 * 2, 2)  # even: pairs stay together
    with writing(folder):
        squares = _write(names, (rows, columns), min(height, rows), x, bits, seed, tell)
    return DemoMatrix(
        str(names[0]),
        str(names[1]),
        (rows, columns),
        x,
        math.sqrt(squares),
        math.sqrt(columns * 4.0**bits + 1),
        nbytes,
    )


def remove(folder: Path) -> None:
    """Remove what :func:`make` wrote, and the folder if nothing else is in it."""
    for name in ("A.zarr", "b.zarr"):
        shutil.rmtree(folder / name, ignore_errors=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def exact_solution(columns: int, seed: int) -> Floats:
    """Return x: integers of magnitude 1 to 8 with random signs."""
    raw = draw(seed, DEMO_X, 0, columns, 2)
    return signs(raw[:, 0]) * (below(raw[:, 1], 1 << _X_BITS) + 1.0)


def rows_between(start: int, stop: int, rows: int, x: Floats, bits: int, seed: int) -> tuple[Floats, Floats, int]:
    """Return rows ``start:stop`` of A and b and their Σ r², a function of row numbers and seed alone; ``start`` is even."""
    columns = x.shape[0]
    pairs = range(start // 2, -(-stop // 2))
    raw = draw(seed, DEMO_ROWS, pairs.start, pairs.stop, -(-(columns + 2) // 8))
    values = raw.view(np.int8)[:, : columns + 2].astype(np.float64)
    half = np.ldexp(values[:, 2:], -bits)
    half += values[:, :1]
    fitted, r = half @ x, values[:, 1]
    A = np.repeat(half, 2, axis=0)[: stop - start]
    b = np.stack([fitted + r, fitted - r], axis=1).reshape(-1)[: stop - start]
    squares = 2 * int(r @ r)
    if stop == rows and rows % 2:  # the last row has no partner, so it has no residual either
        b[-1] = fitted[-1]
        squares -= 2 * int(r[-1]) ** 2
    return A, b, squares


def largest_error(solution: Solution) -> float:
    """Return how far x may be from the minimizer, relative to ‖x‖, by what is known of each coefficient."""
    return float(np.linalg.norm(solution.coefficient_errors) / np.linalg.norm(solution.x))


# ---- inside ----------------------------------------------------------------------------------------------------------


def _bits(rows: int, columns: int, condition: float) -> int:
    """Return p for eps = 2⁻ᵖ."""
    if columns < 1 or rows < 2 * columns:
        raise SpecError(f"at least one column and twice as many rows were expected; got {rows} × {columns}. Add rows.")
    most = _MANTISSA_BITS - 1 - _VALUE_BITS - _X_BITS - math.ceil(math.log2(columns) + 1)
    limit = math.sqrt(columns) * 2.0**most
    if not 1 <= condition <= limit:
        raise SpecError(f"a condition between 1 and {limit:.0e} was expected for {columns} columns; got {condition!r}.")
    inverse = math.sqrt(max(condition**2 - 1, 4.0**-_MOST_SHRUNK) / columns)  # of eps
    return max(round(math.log2(inverse)), -_MOST_SHRUNK)


def _write(names: tuple[Path, Path], shape: tuple[int, int], height: int, x: Floats, bits: int, seed: int, tell: Tell) -> int:
    """Write all chunks, some at a time, and return Σ r²."""
    rows, columns = shape
    options = {"compressors": None, "config": {"write_empty_chunks": True}, "dtype": np.float64}
    A = zarr.create_array(store=str(names[0]), shape=shape, chunks=(height, columns), **options)
    b = zarr.create_array(store=str(names[1]), shape=(rows,), chunks=(height,), **options)

    def chunk(start: int) -> tuple[int, int]:
        stop = min(start + height, rows)
        A[start:stop], b[start:stop], squares = rows_between(start, stop, rows, x, bits, seed)
        return stop - start, squares

    done, total = 0, 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="dsketch-demo") as pool:
        for count, squares in pool.map(chunk, range(0, rows, height)):
            done, total = done + count, total + squares
            tell(Progress(8 * done * (columns + 1), 8 * rows * (columns + 1)))
    return total
