"""The script behind the claims on attention layers runs at tiny size."""

from pathlib import Path

from tests.scripts import run_here


def test_attention_layers_are_measured(tmp_path: Path) -> None:
    """Layers that made the data are found from both starts, noise ends at a stationary point, every width and heads are solved."""
    cases, printed = run_here("attention_layer", tmp_path)
    parts = {part: [case for case in cases if case["part"] == part] for part in ("starts", "noise", "columns", "heads", "agree")}

    for case in (*parts["starts"], *parts["columns"], *parts["heads"]):
        assert case["status"] == "solved"
        assert case["steps"] <= (8 if case["heads"] == 1 else 20)
        assert case["loss"] <= 1e-16
    assert [case["method"] for case in parts["agree"]] == 2 * ["levenberg", "gauss_newton_cg"]
    assert all(case["apart"] <= 1e-12 for case in parts["agree"] if case["apart"] != "")
    assert {case["status"] for case in parts["noise"]} == {"local"}
    for part in parts:
        assert f"layer-{part}" in printed
