"""The script behind the claims on sparse rows runs at tiny size."""

from pathlib import Path

import numpy as np

from tests.scripts import run_here

EPS = float(np.finfo(float).eps)


def test_benchmark_measures_all_that_it_claims(tmp_path: Path) -> None:
    """At tiny size: every experiment has its cases; what does not depend on size or clock holds already."""
    cases, printed = run_here("csr", tmp_path)
    by = {name: [case for case in cases if case["experiment"] == name] for name in {case["experiment"] for case in cases}}

    assert {case["work"] for case in by["time"]} == {"z = 8", "z = 4", "z = 1", "light"}
    assert {(case["d"], case["nonzeros"]) for case in by["time"] if case["m"] == 320} == {
        (20, 32_000),
        (40, 16_000),
        (40, 32_000),
        (40, 64_000),
        (80, 32_000),
    }
    assert max(case["apart"] for case in by["condition"]) <= 2000 * EPS  # n: how many terms one entry of S A may have
    heavy = {case["sketch"]: case for case in by["heavy"] if case["ratio"] == 8}
    assert heavy["z = 8"]["worst"] < 2.5
    assert heavy["z = 1"]["median"] > 100
    assert max(case["from_same"] for case in by["solution"]) <= 1e-12
    assert {case["contestant"] for case in by["rival"]} == {"dsketch auto", "dsketch conjugate_gradient", "scipy lsqr"}
    assert all(case["backward"] <= 16 * EPS for case in by["rival"] if case["contestant"].startswith("dsketch"))
    assert "times as long when stored numbers double" in printed


def test_limit_is_measured_for_every_matrix(tmp_path: Path) -> None:
    """At tiny size: each matrix has its line, and x is as right as LSMR's in every column's own unit, to rounding."""
    cases, printed = run_here("limit_sparse", tmp_path)

    assert [case["wanted"] for case in cases] == [1.5, 1.5, 0.333]
    assert all(case["part"] == "sparse" and case["ratio"] > 0 for case in cases)
    assert all(case["backward"] <= max(case["backward_of_limit"], EPS) for case in cases)
    assert "well-conditioned, serial" in printed
