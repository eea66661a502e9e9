"""The matrix that failure tests hurt, how it is stored, and what "the same answer" means."""

from pathlib import Path

import numpy as np
import zarr

import dsketch
from tests.failures.scale import CHUNK_ROWS, COLUMNS, ROWS


def write(path: Path, array: np.ndarray, *, chunk_rows: int = CHUNK_ROWS, compressed: bool = False) -> str:
    """Store an array as Zarr and return its path."""
    options = {} if compressed else {"compressors": None}
    target = zarr.create_array(
        store=str(path),
        shape=array.shape,
        dtype=array.dtype,
        chunks=(min(chunk_rows, array.shape[0]), *array.shape[1:]),
        config={"write_empty_chunks": True},
        **options,
    )
    target[:] = array
    return str(path)


def columns(rows: int = ROWS, columns: int = COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """Return A, with columns of very different sizes, and b, with a residual."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((rows, columns)) * np.logspace(0, 4, columns)
    return A, A @ np.ones(columns) + rng.standard_normal(rows)


def tall_files(folder: Path) -> tuple[str, str]:
    """Store A (16 MB, eight raw chunks) and b, and return their paths."""
    A, b = columns()
    return write(folder / "A.zarr", A), write(folder / "b.zarr", b)


def assert_same_bits(found: dsketch.Solution, wanted: dsketch.Solution) -> None:
    """Compare everything that was computed from the data, bit by bit."""
    assert [record.kind for record in found.passes] == [record.kind for record in wanted.passes]
    assert found.x.tobytes() == wanted.x.tobytes()
    for name in ("backward_error", "residual_norm", "gradient_norm"):
        assert getattr(found.certificate, name).tobytes() == getattr(wanted.certificate, name).tobytes()
