"""The script behind the claims on attention layers runs at tiny size."""

from pathlib import Path

from tests.scripts import run_here


def test_attention_layers_are_measured(tmp_path: Path) -> None:
    """Layers that made the data are found from both starts, noise ends at a stationary point, and every width is solved."""
    cases, printed = run_here("attention_layer", tmp_path)
    parts = {part: [case for case in cases if case["part"] == part] for part in ("starts", "noise", "columns")}

    for case in (*parts["starts"], *parts["columns"]):
        assert case["status"] == "solved"
        assert case["steps"] <= 8
        assert case["loss"] <= 1e-16
    assert {case["status"] for case in parts["noise"]} == {"local"}
    for part in parts:
        assert f"layer-{part}" in printed
