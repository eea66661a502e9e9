"""The script behind the claims on features runs at tiny size."""

from pathlib import Path

from dsketch.features import (
    FEATURES,
)
from tests.scripts import run_here


def test_benchmark_runs(tmp_path: Path) -> None:
    """The script measures every family of rows and every map, and the tensor sketch's error at degree 3."""
    cases, _ = run_here("features", tmp_path)

    kernel = [case for case in cases if case["experiment"] == "kernel"]
    assert {case["map"] for case in kernel} == set(FEATURES)
    assert {case["rows"] for case in kernel} >= {"1 cluster", "50 clusters", "sphere", "Gaussian"}
    flat = [case["flat"] for case in cases if case["experiment"] == "power" and case["degree"] == 3]
    assert flat
    assert all(0.9 <= value <= 1.3 for value in flat)
    assert (tmp_path / "features.png").stat().st_size > 0
