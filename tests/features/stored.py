"""Rows stored on disk, in chunks of twenty."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr


def stored_at(folder: Path, name: str, array: np.ndarray, **options: Any) -> str:
    """Write an array to Zarr and return its path."""
    made = zarr.create_array(
        store=str(folder / name), shape=array.shape, dtype=array.dtype, chunks=(20, array.shape[1]), **options
    )
    made[:] = array
    return str(folder / name)
