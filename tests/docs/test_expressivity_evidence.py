"""The script behind the claim on what degree separates two classes runs at tiny size."""

from pathlib import Path

from tests.scripts import run_here


def test_the_transition_is_where_it_is_predicted(tmp_path: Path) -> None:
    """By every detector, also of a self-attention; none raises an alarm without the feature, and softmax never sees it on such products."""
    cases, printed = run_here("expressivity", tmp_path)
    powers = [case for case in cases if case["detector"] != "softmax"]

    assert [case["detector"] for case in powers] == ["weights", "signs", "sketched", "self"]
    for case in powers:
        assert abs(case["ratio"] - 1) <= 0.15
        assert case["early"] <= 0.1
        assert case["late"] >= 0.9
        assert case["false_alarms"] <= 0.05
    (softmax,) = (case for case in cases if case["detector"] == "softmax")
    assert softmax["raw"] < 0.01
    assert abs(softmax["switch"] - 1) <= 0.01
    assert "expressivity-softmax" in printed
