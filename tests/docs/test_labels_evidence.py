"""The script behind what labels cost runs at tiny size."""

from pathlib import Path

from tests.scripts import run_here


def test_benchmark_measures_all_that_it_claims(tmp_path: Path) -> None:
    """At tiny size: every experiment has its cases, and the same fit is timed with and without labels."""
    cases, printed = run_here("labels", tmp_path)
    own = {case["where"]: case for case in cases if case["experiment"] == "labels"}
    others = {case["values"]: case for case in cases if case["experiment"] == "rivals"}

    assert own.keys() == {"stored", "in memory"}
    assert all(case["labels"]["median"] > 0 and case["plain"]["median"] > 0 for case in own.values())
    assert others.keys() == {"whole", "a tenth missing"}
    assert all(set(case["rates"]) == {"dsketch", "xarray polyfit"} for case in others.values())
    assert "| overhead |" in printed
