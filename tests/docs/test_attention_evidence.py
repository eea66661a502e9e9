"""The script behind the claims on attention runs at tiny size."""

from pathlib import Path

import pytest

from tests.scripts import run_script


@pytest.mark.cluster
def test_attention_is_measured(tmp_path: Path) -> None:
    """Every sweep has a speed, every error is within its claim, and large ones are solved by workers with little memory."""
    cases, printed = run_script("attention", tmp_path)
    parts = {part: [case for case in cases if case["part"] == part] for part in ("speed", "accuracy", "large")}

    assert all(case["nanoseconds"] > 0 for case in parts["speed"])
    assert {case["of"] for case in parts["accuracy"]} == {"Y", "Q", "K", "V"}
    for case in (*parts["accuracy"], *parts["large"]):
        assert case["status"] == "solved"
        assert case["error"] <= 2 * case["claimed"]  # the dense formula rounds too
    assert {case["causal"] for case in parts["large"]} == {"yes", "all"}
    for part in parts:
        assert f"attention-{part}" in printed
