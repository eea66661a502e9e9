"""The script behind the claims on powers runs at tiny size."""

from pathlib import Path

import numpy as np

from dsketch.problems.powers.methods import METHODS
from tests.problems.powers.digits import WANTED
from tests.scripts import run_here

EPS = float(np.finfo(float).eps)
U = EPS / 2


def test_the_benchmark_measures_all_experiments(tmp_path: Path) -> None:
    """At tiny size: every case within ten times 2j·kappa·u, passes of the direct methods at most 3, and the figure is there."""
    cases, printed = run_here("powers", tmp_path)

    assert {case["experiment"] for case in cases} == {"accuracy", "exponential", "accumulation", "heads", "time"}
    for case in cases:
        if case["experiment"] == "accuracy":
            for name in METHODS:
                assert case["found"][name]["error"] <= WANTED * case["uses"] * case["condition"] * U
            assert case["found"]["factored"]["passes"] == 2
            assert case["found"]["factored_whitened"]["passes"] == 3
        if case["experiment"] == "exponential":
            assert case["error"] <= case["bound"]
        if case["experiment"] == "heads":
            assert case["same_bits"]
            assert case["passes"]["together"] == 2
    assert "powers-claim" in printed
