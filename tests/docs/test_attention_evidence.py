"""The script behind the claims on attention runs at tiny size."""

from pathlib import Path

import pytest

from tests.scripts import run_here, run_script


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


@pytest.mark.cluster
@pytest.mark.usefixtures("importable_scripts")
def test_a_long_run_goes_on(tmp_path: Path) -> None:
    """The script of a million rows removes what it needed no more; what lies there from before is gone on with, not made again."""
    from attention import measure_large
    from record import Record

    (case,), printed = run_here("attention_million", tmp_path, draws=False)
    assert case["error"] <= 2 * case["claimed"]
    assert (case["resumed"], case["processor_seconds"] > 0) == (False, True)
    assert "attention-million" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"attention_million.jsonl"}

    record, folder = Record(tmp_path, "again"), tmp_path / "kept"
    folder.mkdir()
    for _ in range(2):
        measure_large(record, 300, 500, folder, causal=False)
    first, second = record.cases
    assert [first["resumed"], second["resumed"]] == [False, True]
    assert second["error"] == first["error"]
