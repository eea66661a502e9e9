"""The script behind the claims on many targets runs at tiny size."""

from pathlib import Path

import numpy as np

from tests.scripts import run_here

EPS = float(np.finfo(float).eps)


def test_benchmark_measures_all_that_it_claims(tmp_path: Path) -> None:
    """At tiny size: every contestant for every number of targets, answers right to rounding, memory planned for every storage."""
    cases, printed = run_here("targets", tmp_path)
    cost, memory = ([case for case in cases if case["experiment"] == name] for name in ("cost", "memory"))

    assert {(case["k"], case["contestant"]) for case in cost} == {
        (k, name) for k in (20, 200) for name in ("normal equations", "auto", "cholesky", "semi_normal", "tsqr", "summary")
    }
    assert all(case["backward"] <= 4 * EPS for case in cost if "backward" in case)
    assert {(case["is_raw"], case["method"]) for case in memory} == {
        (is_raw, method) for is_raw in (True, False) for method in ("cholesky", "tsqr", "semi_normal")
    }
    assert [case["is_cold"] for case in cases if case["experiment"] == "cold"] == [False, True]
    assert all(case[name]["median"] > 0 for case in cases if case["experiment"] == "cold" for name in ("by_read", "by_least"))
    assert "auto / normal equations" in printed
