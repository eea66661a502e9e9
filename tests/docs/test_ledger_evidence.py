"""The simulated peer-to-peer scheme runs at tiny size, and its claims hold there."""

from pathlib import Path

import pytest

from tests.scripts import run_here

pytestmark = pytest.mark.usefixtures("importable_scripts")


def test_ledger_simulates_the_scheme(tmp_path: Path) -> None:
    """An honest run has its bits, liars are named and change nothing where votes that differ are made again, flips are found."""
    cases, printed = run_here("ledger", tmp_path)
    by = {name: [case for case in cases if case["experiment"] == name] for name in ("honest", "flips", "liars", "race")}

    assert by["honest"][0]["is_same"]
    assert by["flips"][0]["found"] == by["flips"][0]["trials"]
    recompute = next(case for case in by["liars"] if case["rule"] == "recompute")
    assert recompute["is_same"]
    assert (recompute["wrong"], recompute["named"], recompute["innocent"]) == (0, 2, 0)
    # Fixed seeds: 4 standard errors of a binomial.
    assert all(abs(case["errors"]) < 4 and case["poisson"] < case["exact"] for case in by["race"])
    assert "Double spend" in printed
