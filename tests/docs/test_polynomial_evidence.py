"""The script behind the claims on polynomial attention runs at tiny size."""

from pathlib import Path

import pytest

from tests.scripts import run_script


@pytest.mark.cluster
def test_polynomial_attention_is_measured(tmp_path: Path) -> None:
    """Every error is within its claim, causal or not, of gradients too; a sketch is called an estimate, and what is taken for it is not."""
    cases, printed = run_script("polynomial", tmp_path)
    timed, sloped, sketched = ([case for case in cases if case["part"] == part] for part in ("time", "gradient", "sketch"))

    assert {case["causal"] for case in timed} == {case["causal"] for case in sloped} == {"yes", "all"}
    assert {case["wrt"] for case in sloped} == {"dQ", "dK"}
    for case in timed + sloped:
        assert case["status"] == "solved"
        assert case["seconds"] > 0
        assert (case["error"] or 0) <= 2 * case["claimed"]  # the formula rounds too
    assert [(case["taken"], case["status"]) for case in sketched] == [("monomials", "solved"), ("sketch", "estimated")]
    assert all(f"polynomial-{part}" in printed for part in ("time", "gradient", "sketch"))
