"""The script behind the claims on marginal regressions runs at tiny size, and its judge is statsmodels."""

from pathlib import Path

import pytest

from tests.scripts import run_here

pytestmark = pytest.mark.usefixtures("importable_scripts")


def test_every_kind_of_store_is_measured(tmp_path: Path) -> None:
    """Each kind and each number of patterns is solved, and no number is farther from statsmodels' than is promised."""
    from marginal import KINDS

    cases, printed = run_here("marginal", tmp_path)

    assert [case["kind"] for case in cases if case["part"] == "speed"] == list(KINDS)
    assert [case["groups"] for case in cases if case["part"] == "groups"] == [1, 4, 5]  # of five targets
    for case in cases:
        assert case["error"] <= 1e-9
        assert case["share"] > 0
    for part in ("speed", "groups"):
        assert f"marginal-{part}" in printed
