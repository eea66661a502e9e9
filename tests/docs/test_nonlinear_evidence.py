"""The script behind the claims on softmax regression and two layers runs at tiny size."""

from pathlib import Path

import pytest

from dsketch.problems.nonlinear.methods import METHODS
from tests.scripts import run_here

pytestmark = pytest.mark.usefixtures("importable_scripts")


def test_the_benchmark_measures_all_experiments(tmp_path: Path) -> None:
    """At tiny size: every x found within the looks that are claimed, every method rated, sampled Hessians within 0.4 a step."""
    cases, printed = run_here("nonlinear", tmp_path)

    by = {name: [case for case in cases if case["experiment"] == name] for name in ("recovery", "rates", "starts", "rivals")}
    assert {case["kind"] for case in by["recovery"]} == {"softmax", "resnet", "softmax first", "relu first"}
    for case in by["recovery"]:
        assert case["looks_loss"] <= 8
        assert case["error"] <= 1e-12
        assert case["status"] == "SOLVED"
        assert case["error"] <= 4 * case["claimed"]
    assert {case["method"] for case in by["rates"]} == {*METHODS}
    for case in by["rates"]:
        if case["method"] == "newton_sampled":
            assert case["rate"] <= 0.4
        if case["method"] == "levenberg" and not case["noise"]:
            assert case["rate"] <= 1e-2
    assert all(case["our_error"] <= 1e-12 for case in by["rivals"])
    assert "nonlinear-recovery" in printed
