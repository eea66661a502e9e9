"""The table of limits: every area has its rows, and the simulated cluster runs real passes on real workers."""

import json
from pathlib import Path

import pytest

from tests.scripts import run_here, run_script

pytestmark = pytest.mark.usefixtures("importable_scripts")


@pytest.mark.cluster
def test_limit_joins_areas_into_one_table(tmp_path: Path) -> None:
    """Each row has what it takes now, its limit, the ratio of both and whether that is what was wanted."""
    before = {"part": "sparse", "work": "rows of before", "now_seconds": 1.0, "limit_seconds": 2.0, "ratio": 0.5}
    (tmp_path / "limit.jsonl").write_text(json.dumps(before) + "\n")
    cases, printed = run_script("limit", tmp_path, "--only", "store", "warm")  # workers need this process's environment
    assert {case.get("part") for case in cases} == {"sparse", "store", "warm"}
    assert before.items() <= cases[0].items()  # what was not measured again stays
    assert all(case["ratio"] > 0 and case["now_seconds"] > 0 and case["limit_seconds"] > 0 for case in cases)
    assert "| wanted | holds |" in printed


@pytest.mark.cluster
def test_limit_warm_measures_warm_and_cold(tmp_path: Path) -> None:
    """Four solves stand beside sums and Gram passes, one beside a cold read."""
    cases, printed = run_here("limit_warm", tmp_path)
    assert len(cases) == 5
    assert "bare calls" in printed


@pytest.mark.cluster
def test_limit_cluster_has_a_row_for_each_pass_and_size(tmp_path: Path) -> None:
    """Two sizes of cluster, two passes: tasks, parts, and what scheduler and driver worked."""
    cases, printed = run_script("limit_cluster", tmp_path)
    assert [(case["kind"], case["workers"]) for case in cases] == [("gradient", 2), ("gram", 2), ("gradient", 4), ("gram", 4)]
    assert all(case["seconds"] > 0 and case["share_seconds"] > 0 for case in cases)
    assert "busiest ÷ share" in printed
