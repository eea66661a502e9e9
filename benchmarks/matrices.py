"""Tall matrices with a known condition number and a known least-squares solution, of any height in bounded memory.

::

    A = G · diag(s) Vᵀ        G Gaussian with entries of variance 1/n, s from 1 down to 1/kappa on a logarithmic scale
    b = A x + r               Aᵀ r = 0 within each stripe, ‖r‖ = noise · ‖diag(s) Vᵀ x‖

For n ≫ d the columns of G are nearly orthonormal, so the condition number of A is kappa up to a factor (1 + √(d/n)) / (1 − √(d/n)).
Rows are drawn in stripes of a fixed height, each from a Philox generator keyed by the stripe's number: the same rows however they
are chunked, and any stripe alone.

Shares no code with the library that it measures.  Chunks are written as plain files, for zarr-python takes a millisecond for each.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRIPE_BYTES = 32_000_000
KEPT_FREE = 4_000_000_000  # bytes of the disk that no benchmark takes


@dataclass(frozen=True)
class Tall:
    """A recipe for A, b and x.

    Parameters
    ----------
    n, d : int
        Rows and columns.
    condition : float
        kappa.
    noise : float
        ‖r‖ relative to ‖A x‖.
    seed : int
    """

    n: int
    d: int
    condition: float
    noise: float = 1e-3
    seed: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of A and b as float64."""
        return 8 * self.n * (self.d + 1)

    @cached_property
    def mixing(self) -> Floats:
        """diag(s) Vᵀ, d × d."""
        s = np.logspace(0, -np.log10(self.condition), self.d)
        V, _ = np.linalg.qr(self._draw(0).standard_normal((self.d, self.d)))
        return s[:, None] * V.T

    @cached_property
    def x(self) -> Floats:
        """The solution, of norm 1."""
        x = np.random.Generator(np.random.Philox(key=[self.seed, 2**63])).standard_normal(self.d)
        return x / np.linalg.norm(x)

    @property
    def known_to(self) -> float:
        """How well the rounded data determine x: u · kappa (1 + kappa · noise), relative to ‖x‖."""
        return float(np.finfo(float).eps / 2 * self.condition * (1 + self.condition * self.noise))

    @property
    def stripes(self) -> list[tuple[int, int]]:
        """Rows (start, stop) of each stripe; the last is the longest."""
        height = max(STRIPE_BYTES // (8 * self.d), 8 * self.d)
        count = max(self.n // height, 1)
        return [(i * height, self.n if i == count - 1 else (i + 1) * height) for i in range(count)]

    def stripe(self, number: int) -> tuple[Floats, Floats]:
        """Return A and b of one stripe."""
        start, stop = self.stripes[number]
        draw = self._draw(number + 1)
        G = draw.standard_normal((stop - start, self.d))
        w = draw.standard_normal(stop - start)
        if stop - start > 2 * self.d:
            gram = G.T @ G  # of a Gaussian matrix: condition below 50, so two rounds leave only rounding
            for _ in range(2):
                w -= G @ np.linalg.solve(gram, G.T @ w)
            w *= self.noise * np.linalg.norm(self.mixing @ self.x) * np.sqrt((stop - start) / self.n) / np.linalg.norm(w)
        else:
            w[:] = 0.0
        A = G @ (self.mixing / np.sqrt(self.n))
        return A, A @ self.x + w

    def _draw(self, number: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=[self.seed, number]))


@dataclass(frozen=True)
class Stored:
    """Where A and b lie."""

    A: Path
    b: Path

    def blocks(self) -> Iterator[tuple[Floats, Floats]]:
        """Yield rows of A and b, about 32 MB at a time, read by zarr-python."""
        A, b = zarr.open_array(self.A, mode="r"), zarr.open_array(self.b, mode="r")
        step = max(STRIPE_BYTES // (8 * A.shape[1]) // A.chunks[0], 1) * A.chunks[0]
        for start in range(0, A.shape[0], step):
            yield A[start : start + step], b[start : start + step]

    def files(self) -> list[Path]:
        """Return the chunk files of A, in order of their rows."""
        A = zarr.open_array(self.A, mode="r")
        return [self.A / A.metadata.encode_chunk_key((i, 0)) for i in range(-(-A.shape[0] // A.chunks[0]))]

    def evict(self) -> None:
        """Drop the rows from the page cache: the next pass reads the disk."""
        for folder in (self.A, self.b):
            for path in folder.rglob("*"):
                if path.is_file():
                    _evicted(path)

    def warm(self) -> None:
        """Bring the rows into the page cache, as far as it holds them."""
        buffer = bytearray(4_000_000)
        for folder in (self.A, self.b):
            for path in folder.rglob("*"):
                if path.is_file():
                    with path.open("rb", buffering=0) as file:
                        while file.readinto(buffer):
                            pass

    def delete(self) -> None:
        """Free the disk."""
        for folder in (self.A, self.b):
            shutil.rmtree(folder, ignore_errors=True)


def write(recipe: Tall, folder: Path, *, chunk_bytes: int = 32_000_000, chunk_rows: int | None = None) -> Stored:
    """Write A and b as Zarr arrays of raw chunks, one thread a processor.

    Parameters
    ----------
    recipe : Tall
    folder : Path
        Must have room for the bytes and 4 GB more.
    chunk_bytes, chunk_rows : int
        Size of a chunk of A; b is cut at the same rows.

    Raises
    ------
    OSError
        If the disk is too full.
    """
    free = shutil.disk_usage(folder).free
    if free < recipe.nbytes + KEPT_FREE:
        raise OSError(f"{recipe.nbytes / 1e9:.1f} GB and {KEPT_FREE / 1e9:.0f} GB more are needed; {free / 1e9:.1f} GB are free.")
    rows = min(chunk_rows or max(chunk_bytes // (8 * recipe.d), 1), recipe.n)
    stored = Stored(folder / "A.zarr", folder / "b.zarr")
    stored.delete()
    outputs = [
        _Chunks(stored.A, (recipe.n, recipe.d), (rows, recipe.d)),
        _Chunks(stored.b, (recipe.n,), (rows,)),
    ]

    def work(number: int) -> None:
        start = recipe.stripes[number][0]
        for output, array in zip(outputs, recipe.stripe(number), strict=True):
            output.write(start, array)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(work, range(len(recipe.stripes))))
    return stored


@contextmanager
def scratch(folder: Path | None) -> Iterator[Path]:
    """Yield a temporary folder (within ``folder``); it is removed even if the run is told to terminate."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            yield Path(name)
    finally:
        signal.signal(signal.SIGTERM, before)


class _Chunks:
    """Writes rows of a new Zarr array straight into its chunk files; threads may write different rows."""

    def __init__(self, path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
        self.array: zarr.Array[Any] = zarr.create_array(
            path, shape=shape, chunks=chunks, dtype="float64", compressors=None, config={"write_empty_chunks": True}
        )
        self.path, self.height, self.row_bytes = path, chunks[0], 8 * (shape[1] if len(shape) == 2 else 1)

    def write(self, start: int, rows: Floats) -> None:
        """Write ``rows``, the first of which has global number ``start``."""
        low = start
        while low < start + len(rows):
            number = low // self.height
            high = min((number + 1) * self.height, start + len(rows))
            path = self.path / self.array.metadata.encode_chunk_key((number, 0)[: self.array.ndim])
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
            try:
                os.pwrite(
                    descriptor, np.ascontiguousarray(rows[low - start : high - start]).data, (low % self.height) * self.row_bytes
                )
                if high == self.array.shape[0]:
                    os.ftruncate(descriptor, self.height * self.row_bytes)  # a chunk at the edge is stored whole
            finally:
                os.close(descriptor)
            low = high


def _evicted(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # dirty pages cannot be dropped
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
