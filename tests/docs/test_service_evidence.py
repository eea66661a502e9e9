"""The scripts behind what is said of the service's load and of its page run at tiny size."""

from pathlib import Path

import pytest

from tests.scripts import run_script


@pytest.mark.cluster
def test_load_is_measured_with_the_audit_log_and_without(tmp_path: Path) -> None:
    """At tiny size: both sides have answered the same requests, and one of them has a line for each."""
    cases, printed = run_script("service_load", tmp_path)
    off, on = sorted(cases, key=lambda case: case["audit"])

    assert off["requests"] == on["requests"] == 18
    assert (off["lines"], on["lines"] >= on["requests"]) == (0, True)
    assert all(case["jobs"] == 6 and case["rate"] > 0 and case["memory_peak"] > 0 for case in cases)
    assert "on ÷ off" in printed


@pytest.mark.cluster
def test_paints_and_long_tasks_are_measured(tmp_path: Path) -> None:
    """At tiny size: two lists, of which the larger sends one page; a table that is scrolled, sorted and searched with few rows."""
    pytest.importorskip("tests.service.browser")
    from tests.service.browser import chromium

    with chromium():
        pass  # skips where there is none
    cases, printed = run_script("service_page", tmp_path)
    few, many = (case for case in cases if case["experiment"] == "paint")
    done = {case["doing"]: case for case in cases if case["experiment"] == "long tasks"}

    assert 0 < few["paint_ms"]["median"] <= few["row_ms"]["high"]
    assert 0 < many["list_bytes"] < 30 * few["list_bytes"]
    assert done.keys() == {"open", "wheel", "sort", "search"}
    assert done["search"]["rows"] == 1
    assert 0 < done["wheel"]["rows"] < 100
    assert "| ratio |" in printed
