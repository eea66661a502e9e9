"""What the script of paths and bounds measures, at tiny size."""

from pathlib import Path

import pytest

from tests.scripts import run_here

pytestmark = pytest.mark.usefixtures("importable_scripts")


def test_paths_take_two_passes_and_no_gap_is_hidden(tmp_path: Path) -> None:
    """Every kind of data is solved as the claim says; claimed gaps are no smaller than true ones."""
    cases, printed = run_here("elastic_net", tmp_path)
    of = {name: [case for case in cases if case["experiment"] == name] for name in ("path", "race", "bounded", "gaps")}

    assert {case["kind"] for case in of["path"]} == {"plain", "correlated", "units 1e±4", "dependent"}
    for case in of["path"]:
        assert case["status"] == "SOLVED"
        assert case["passes"] == 2
        assert case["gap"] <= 1e-12
        if case["kind"] != "dependent":  # of whose minimizers there are many
            assert case["away"] <= 1e-8
        assert case["same_choice"]
    for case in of["bounded"]:
        assert case["passes"] == 2
        assert case["away"] <= 1e-12
        assert case["same_zeros"]
    assert all(case["claimed"] >= case["true"] * (1 - 1e-3) for case in of["gaps"] if case["true"] > 1e-13)
    assert {case["contestant"] for case in of["race"]} >= {"dsketch", "LassoCV, tol 1e-8"}
    assert "times faster than LassoCV" in printed
