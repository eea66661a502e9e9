"""A small regression on disk, and the command as a program."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import dsketch as ds

ROOT = Path(ds.__file__).parents[1]
CHILD = os.environ | {"PYTHONPATH": str(ROOT)}
DSKETCH = [sys.executable, "-m", "dsketch"]


class Data:
    """A small regression on disk."""

    def __init__(self, folder: Path, rows: int = 3000, columns: int = 4, **options: Any) -> None:
        rng = np.random.default_rng(7)
        self.A = rng.standard_normal((rows, columns))
        self.b = self.A @ np.arange(1.0, columns + 1) + 0.1 * rng.standard_normal(rows)
        self.w = rng.uniform(0.5, 2.0, rows)
        self.paths = tuple(self._write(folder / f"{name}.zarr", array, options) for name, array in (("A", self.A), ("b", self.b)))
        self.weights = self._write(folder / "w.zarr", self.w, options)

    @staticmethod
    def _write(path: Path, array: np.ndarray, options: dict[str, Any]) -> str:
        options = {"compressors": None, "chunks": (max(len(array) // 8, 1), *array.shape[1:]), **options}
        zarr.create_array(store=str(path), data=array, **options)
        return str(path)


# Compressed, so that each of some 40 passes takes the decoder 10 ms or more: the signal comes long before the end.
SLOW = {"rows": 200_000, "columns": 10, "compressors": zarr.codecs.ZstdCodec(level=1)}
