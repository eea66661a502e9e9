"""The script behind the claims on attention by a convolution basis runs at tiny size."""

import importlib
import json
from pathlib import Path

import pytest

from tests.scripts import run_here


@pytest.mark.cluster
def test_attention_by_a_basis_is_measured(tmp_path: Path) -> None:
    """Every error is within its claim; the basis is found, and rows of wide range are refused."""
    cases, printed = run_here("conv", tmp_path)
    parts = ("speed", "growth", "gradient", "noise")
    speed, growth, gradient, noise = ([case for case in cases if case["part"] == part] for part in parts)

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
    assert all(f"conv-{part}" in printed for part in parts)


@pytest.mark.cluster
@pytest.mark.usefixtures("importable_scripts")
def test_what_takes_workers_is_measured(tmp_path: Path) -> None:
    """Rows on two workers, within the claim, and gradients of as many columns; into a file of their own."""
    conv = importlib.import_module("conv")

    conv.measure_large(tmp_path, (700, 300))

    cases = [json.loads(line) for line in (tmp_path / "conv_large.jsonl").read_text().splitlines()]
    assert [case["part"] for case in cases] == ["workers", "gradient", "gradient"]
    assert cases[0]["error"] <= 2 * cases[0]["claimed"]
    assert 0 < cases[0]["own_bytes"] < 2**30
