"""The script behind the claims on attention by a convolution basis runs at tiny size."""

from pathlib import Path

import pytest

from tests.scripts import run_here


@pytest.mark.cluster
def test_attention_by_a_basis_is_measured(tmp_path: Path) -> None:
    """Every error is within its claim; the basis is found, and rows of wide range are refused."""
    cases, printed = run_here("conv", tmp_path)
    parts = ("speed", "growth", "gradient", "noise", "workers")
    speed, growth, gradient, noise, workers = ([case for case in cases if case["part"] == part] for part in parts)

    for case in (*speed, *growth):
        assert case["error"] <= 2 * case["claimed"]  # the formula rounds too
        assert case["processor"]["median"] > 0
    assert {(case["kind"], case["method"], case["status"]) for case in speed} == {
        ("conv", "conv", "estimated"),
        ("softmax", "sweep", "solved"),
    }
    assert {case["profiles"] for case in growth} == {8}
    assert {(case["wrt"], case["method"]) for case in gradient} == {(wrt, "conv") for wrt in "QKV"}
    assert all(case["error"] <= 2 * case["claimed"] for case in gradient)
    for case in noise:
        assert case["within"] == case["claimed"] == case["draws"]
    assert [(case["method"], 0 < case["own_bytes"] < 2**30) for case in workers] == [("conv", True)]
    assert workers[0]["error"] <= 2 * workers[0]["claimed"]
    assert all(f"conv-{part}" in printed for part in parts)
