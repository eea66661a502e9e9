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


def test_audits_of_small_panels_read_a_twentieth(tmp_path: Path) -> None:
    """At any size: 50 of 1,024 panels, clean, of a run that is right."""
    cases, printed = run_here("audit_share", tmp_path, draws=False)

    usual, small = cases
    assert (usual["min_panels"], small["min_panels"], small["drawn"], small["panels"]) == (None, 512, 50, 1024)
    assert small["read_share"] <= 0.05 < usual["read_share"]
    assert all(case["is_clean"] and case["status"] == "SOLVED" and case["error"] < 1e-12 for case in cases)
    assert "audit-share" in printed
