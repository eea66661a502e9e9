"""Audits of runs on columns of a stored matrix, by the places of data that an auditor has, and of a journal with a receipt of its own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import dsketch as ds
from dsketch._cli import main

RNG = np.random.default_rng(3)


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Store a matrix of 12 columns; return its path."""
    zarr.create_array(str(tmp_path / "A.zarr"), data=RNG.standard_normal((300, 12)), chunks=(100, 12))
    return str(tmp_path / "A.zarr")


def audited(*words: Any) -> tuple[int, str]:
    """Return exit code and words of ``dsketch audit``."""
    found = CliRunner().invoke(main, ["audit", *map(str, words)])
    return found.exit_code, found.output


def test_attention_of_columns_is_audited_by_their_matrix(tmp_path: Path, place: str) -> None:
    """``--data Q=PATH`` and so on: the journal says which columns were taken; the place of one lacking is asked for by name."""
    stored = ds.open_matrix(place)
    parts = [ds.Head(stored, columns=ends) for ends in ((0, 4), (4, 8), (8, 12))]
    ds.attention(*parts, tmp_path / "Y.zarr", heads=2, journal=tmp_path / "run", cluster="serial", progress=False)

    code, said = audited(tmp_path / "run", *(word for name in "QKV" for word in ("--data", f"{name}={place}")))
    lacking = audited(tmp_path / "run", "--data", f"Q={place}")

    assert code == 0, said
    assert "made again" in said
    assert lacking[0] == 2
    assert "--data K=PATH --data V=PATH" in lacking[1]


def test_several_problems_are_audited_by_their_matrix(tmp_path: Path, place: str) -> None:
    """``--data A=PATH`` stands for the A of every head; without it links are checked, and it is said what the steps take."""
    stored, b = ds.open_matrix(place), RNG.standard_normal((300, 1))
    zarr.create_array(str(tmp_path / "b.zarr"), data=b, chunks=(100, 1))
    heads = ds.problems.Heads(
        [ds.LeastSquares(ds.Head(stored, columns=ends), str(tmp_path / "b.zarr")) for ends in ((0, 5), (5, 12))]
    )
    ds.solve(heads, journal=tmp_path / "run", cluster="serial", progress=False)

    code, said = audited(tmp_path / "run", "--data", place)
    blind = audited(tmp_path / "run")

    assert code == 0, said
    assert "replayed to the bits of x" in said
    assert "made again" in said
    assert blind[0] == 0
    assert "the steps were not replayed" in blind[1]
    assert "--data A=PATH" in blind[1]


def test_a_product_is_audited_with_the_problem(tmp_path: Path, place: str) -> None:
    """Of a head A W the journal has a digest of W: from Python, with the problem; the message says so."""
    W = RNG.standard_normal((12, 3))
    problem = ds.Attention(*(ds.Head(place, projection=W + shift) for shift in range(3)))
    ds.solve(problem, journal=tmp_path / "run", cluster="serial", progress=False)

    code, said = audited(tmp_path / "run", *(word for name in "QKV" for word in ("--data", f"{name}={place}")))

    assert code == 2
    assert "audit(receipt, data=problem)" in said
    assert ds.audit(tmp_path / "run", data=problem).is_clean


def test_a_receipt_is_held_against_the_one_in_the_journal(tmp_path: Path, place: str) -> None:
    """The one given is true of the records; one in the journal that says another answer, or has a changed byte, is told."""
    ds.ridge(place, RNG.standard_normal(300), 0.1, journal=tmp_path / "run")
    given, own = tmp_path / "receipt.json", tmp_path / "run" / "receipt.json"
    given.write_bytes(own.read_bytes())
    assert ds.audit(given, journal=tmp_path / "run").is_clean

    other = ds.ridge(place, RNG.standard_normal(300), 0.2, journal=tmp_path / "other")
    assert other.status is ds.Status.SOLVED
    own.write_bytes((tmp_path / "other" / "receipt.json").read_bytes())
    (fault,) = ds.audit(given, journal=tmp_path / "run").faults
    assert fault.where == "receipt"
    assert json.loads(own.read_text())["root"] in fault.text

    own.write_bytes(given.read_bytes().replace(b"SOLVED", b"SOLVEB"))
    (fault,) = ds.audit(given, journal=tmp_path / "run").faults
    assert "cannot be read" in fault.text


def test_an_audit_that_reads_much_names_the_share(tmp_path: Path, place: str) -> None:
    """More than 5 % of what the solve read without a share chosen: which part it was, and that ``--share`` bounds it."""
    problem = ds.Ridge(place, RNG.standard_normal(300), alpha=0.1)
    ds.solve(problem, journal=tmp_path / "own", cluster="serial", progress=False)
    found, chosen = ds.audit(tmp_path / "own", data=problem), ds.audit(tmp_path / "own", data=problem, share=0.9)

    assert any("100.0% of what the solve read; --share 0.05" in note for note in found.notes)
    assert not any("--share" in note for note in chosen.notes)
