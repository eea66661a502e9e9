"""The script behind the claims on polynomial attention runs at tiny size."""

from pathlib import Path

import pytest

from tests.scripts import run_script


@pytest.mark.cluster
def test_polynomial_attention_is_measured(tmp_path: Path) -> None:
    """Every error is within its claim, causal or not; a sketch is called an estimate."""
    cases, printed = run_script("polynomial", tmp_path)
    timed, sketched = ([case for case in cases if case["part"] == part] for part in ("time", "sketch"))

    assert {case["causal"] for case in timed} == {"yes", "all"}
    for case in timed:
        assert case["status"] == "solved"
        assert case["seconds"] > 0
        assert case["error"] <= 2 * case["claimed"]  # the formula rounds too
    assert {case["status"] for case in sketched} == {"estimated"}
    assert all(f"polynomial-{part}" in printed for part in ("time", "sketch"))
