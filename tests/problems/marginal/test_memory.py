"""What a plan says of memory is never less than what a run of one thread takes."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds


@pytest.mark.parametrize(
    ("shape", "targets", "chunk", "dtype", "missing"),
    [
        ((5000, 1500), 20, 500, "int8", "mean"),
        ((3000, 500), 20, 250, "float32", "drop"),
        ((1000, 2000), 150, 1000, "int8", "mean"),
    ],
    ids=["counts", "gaps", "many targets"],
)
def test_a_run_takes_no_more_memory_than_planned(
    tmp_path: Path, shape: tuple[int, int], targets: int, chunk: int, dtype: str, missing: str
) -> None:
    """As Python counts what it was given, planning, decoding and writing included; nor is the plan ten times too careful."""
    rng = np.random.default_rng(0)
    G, Y = rng.integers(0, 3, shape).astype(dtype), rng.standard_normal((shape[0], targets))
    if dtype != "int8":
        G[rng.random(shape) < 0.01] = np.nan
    Y[::7, 0] = np.nan
    zarr.create_array(str(tmp_path / "G"), data=G, chunks=(shape[0], chunk))
    zarr.create_array(str(tmp_path / "Y"), data=Y, chunks=Y.shape)
    del G, Y
    where: dict[str, Any] = {"missing": missing, "cluster": "serial", "threads": 1, "progress": False}

    tracemalloc.start()
    try:
        found = ds.marginal(tmp_path / "G", tmp_path / "Y", tmp_path / "out", **where)
        measured = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found.plan.estimate.memory_bytes / 10 <= measured <= found.plan.estimate.memory_bytes
