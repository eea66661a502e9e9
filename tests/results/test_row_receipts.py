"""Receipts of answers with a number for each row of A: one root holds for every byte of x, wherever it was made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.engine.journal import Journal

RNG = np.random.default_rng(4)
A = RNG.standard_normal((1000, 4))


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Store A in blocks of 60 rows: leaves are of some rows, the last one of fewer."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 60 * 4 * 8)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
    array = zarr.create_array(str(tmp_path / "A.zarr"), shape=A.shape, chunks=(30, 4), dtype="f8")
    array[...] = A
    return str(tmp_path / "A.zarr")


def faults(found: Any) -> list[str]:
    """Return where an audit found something false."""
    return [fault.where for fault in found.faults]


def test_one_root_wherever_rows_are_made(stored: str, tmp_path: Path) -> None:
    """Gathered or written, by one process or several, in one go or replayed: the receipt says the same of x."""
    gathered = ds.leverage_scores(stored, journal=tmp_path / "gathered")
    ds.leverage_scores(stored, out=tmp_path / "h.zarr", journal=tmp_path / "written", cluster="local", workers=2)
    ds.solve(ds.LeverageScores(stored), journal=tmp_path / "gathered")

    one, other = (ds.receipt(tmp_path / name).answer for name in ("gathered", "written"))

    assert one == other
    assert one["rows"]["height"] == 60
    assert one["sha256"] is None
    assert ds.audit(tmp_path / "gathered", x=gathered.x).is_clean
    assert ds.audit(tmp_path / "gathered", x=tmp_path / "h.zarr").is_clean
    assert one["rows"]["root"] in str(ds.receipt(tmp_path / "gathered"))


def test_a_changed_row_is_found(stored: str, tmp_path: Path) -> None:
    """Any bit of the x that was written, by an audit that only knows the journal; where x is not there, that is said."""
    ds.leverage_scores(stored, out=tmp_path / "h.zarr", journal=tmp_path / "run")
    kept = zarr.open_array(str(tmp_path / "h.zarr"), mode="r+")
    whole = kept[...]
    for _ in range(20):
        changed = whole.copy()
        changed.view(np.uint8)[RNG.integers(changed.nbytes)] ^= np.uint8(1 << RNG.integers(8))
        assert faults(ds.audit(tmp_path / "run", x=np.nan_to_num(changed, nan=-1.0))) == ["answer"]
    assert ds.audit(tmp_path / "run", x=whole).is_clean
    assert faults(ds.audit(tmp_path / "run", x=whole[:-1])) == ["answer"]
    assert faults(ds.audit(tmp_path / "run", x=whole[::-1].copy())) == ["answer"]
    lost = ds.audit(tmp_path / "run", x=tmp_path / "nothing.zarr")
    assert lost.is_clean
    assert "x was not compared with the receipt" in lost.notes[0]
    assert "give it: x=" in ds.audit(tmp_path / "run").notes[0]
    Journal(tmp_path / "run").keep_out(str(tmp_path / "h.zarr"), overwrite=False)  # as the command line does
    assert ds.audit(tmp_path / "run").notes == ()
    (tmp_path / "h.zarr" / "c" / "3").write_bytes(b"")
    assert faults(ds.audit(tmp_path / "run")) == ["answer"]


def test_a_receipt_of_before_is_taken(stored: str, tmp_path: Path) -> None:
    """It has no root of rows: a replayed run is still of it, and the audit says what was not compared."""
    ds.leverage_scores(stored, journal=tmp_path / "run")
    receipt = ds.receipt(tmp_path / "run")
    before = ds.Receipt(**{**vars(receipt), "answer": {key: receipt.answer[key] for key in receipt.answer if key != "rows"}})
    (tmp_path / "run" / "receipt.json").write_text(before.to_json())

    ds.leverage_scores(stored, journal=tmp_path / "run")

    assert ds.receipt(tmp_path / "run") == before
    found = ds.audit(tmp_path / "run")
    assert found.is_clean
    assert "it is not in the receipt" in found.notes[0]
