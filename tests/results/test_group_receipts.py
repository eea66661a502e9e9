"""Receipts of answers that are several arrays: one root holds for every byte of all of them, wherever they were made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch.matrix import tiles

RNG = np.random.default_rng(5)
A, B, Y = RNG.standard_normal((30, 2)), RNG.standard_normal((30, 13, 24)), RNG.standard_normal((30, 3))


@pytest.fixture(params=["targets", "marginal"])
def solve(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that solves with several blocks, and returns the arrays by name."""
    monkeypatch.setattr(tiles, "grid_of", lambda b, grid_of=tiles.grid_of: grid_of(b, 10_000))
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 1)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
    stored = {"A": (A, A.shape), "B": (B, (30, 3, 24)), "G": (B.reshape(30, -1), (30, 50)), "Y": (Y, Y.shape)}
    for name, (data, chunks) in stored.items():
        zarr.create_array(str(tmp_path / name), data=data, chunks=chunks, compressors=None)

    def act(journal: Path, out: Path | None = None, **more: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {"journal": journal, "out_dir": out, "progress": False, "cluster": "serial", **more}
        if request.param == "marginal":
            return dict(ds.marginal(tmp_path / "G", tmp_path / "Y", **asked).solution.fields)
        found: Any = ds.lstsq(str(tmp_path / "A"), str(tmp_path / "B"), missing="drop", **asked)
        return dict(found.arrays)

    return act


@pytest.mark.cluster
def test_one_root_wherever_arrays_are_made(solve: Any, tmp_path: Path, client: Any) -> None:
    """Gathered or written, by one process or several, in one go or read again: the receipt says the same."""
    gathered = solve(tmp_path / "gathered")
    solve(tmp_path / "written", tmp_path / "one.zarr")
    solve(tmp_path / "workers", tmp_path / "two.zarr", cluster=client)
    ds.resume(tmp_path / "written", cluster="serial", progress=False)

    one, *others = (ds.receipt(tmp_path / name).answer for name in ("gathered", "written", "workers"))

    assert others == [one, one]
    assert (one["sha256"], one["arrays"]["names"]) == (None, list(gathered))
    for name in ("gathered", "written", "workers"):
        for x in (gathered, tmp_path / "one.zarr", tmp_path / "two.zarr"):
            assert ds.audit(tmp_path / name, x=x).is_clean
    assert ds.audit(tmp_path / "written").notes == ()
    assert one["arrays"]["root"] in str(ds.receipt(tmp_path / "written"))


def test_a_changed_byte_is_found(solve: Any, tmp_path: Path) -> None:
    """Of any array; a chunk that is gone, too.  A group that is not there is told."""
    kept = solve(tmp_path / "run", tmp_path / "out.zarr")
    values = {name: np.array(array[...]) for name, array in kept.items()}
    assert ds.audit(tmp_path / "run", x=values).is_clean
    for name, array in values.items():
        raw = array.reshape(-1).view(np.uint8)
        raw[RNG.integers(raw.size)] ^= 1
        assert [fault.where for fault in ds.audit(tmp_path / "run", x=values).faults] == ["answer"], name
        values[name] = np.array(kept[name][...])
    lost = ds.audit(tmp_path / "run", x=tmp_path / "nothing.zarr")
    assert lost.is_clean
    assert "not compared" in lost.notes[0]
    last = sorted(path for path in (tmp_path / "out.zarr" / "counts" / "c").rglob("*") if path.is_file())[-1]
    last.unlink()
    assert [fault.where for fault in ds.audit(tmp_path / "run").faults] == ["answer"]
