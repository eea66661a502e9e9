"""Sources that the tests of this folder write, and what became of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import zarr
from hypothesis import HealthCheck, settings
from pyarrow import parquet

import dsketch
from dsketch.ingest import Ingested

# A fresh file for each example would need a fixture for each; all examples of a test may share its folder.
examples = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(done: Ingested) -> np.ndarray:
    """Return A."""
    return zarr.open_array(done.matrix, mode="r")[...]


def read_target(done: Ingested) -> np.ndarray:
    """Return b."""
    return zarr.open_array(done.target, mode="r")[...]


def write_csv(folder: Path, text: str, name: str = "t.csv") -> Path:
    """Write a CSV file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def write_parquet(folder: Path, columns: dict, name: str = "t.parquet", **options: object) -> Path:
    """Write a Parquet file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, **options)
    return path


# A child runs in another folder, where a relative PYTHONPATH would mean something else.
CHILD = os.environ | {"PYTHONPATH": str(Path(dsketch.__file__).parents[1])}


def run(program: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a program in a process of its own."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, env=CHILD, capture_output=True, text=True, check=False)


def leftovers(folder: Path) -> list[str]:
    """Return what dsketch's temporaries would be called."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]
