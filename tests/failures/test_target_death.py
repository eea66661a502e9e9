"""Whoever writes answers of targets is killed between two arrays of a tile: in the end the group has the bits of one undisturbed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import dsketch
from tests.failures.processes import drivers
from tests.failures.target_driver import dying, small_grid, stored

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut these small data as the drivers do."""
    monkeypatch.setattr("dsketch.matrix.tiles.grid_of", small_grid)


def bits(fields: Any) -> dict[str, bytes]:
    """Return the bytes of each array."""
    return {name: np.asarray(values[...]).tobytes() for name, values in fields.items()}


def test_a_killed_driver_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    """Twice, in tiles of their own; nothing stands at the place until the end, and no leftover beside it."""
    A, b = stored(tmp_path)
    whole = dsketch.lstsq(A, b, missing="drop", cluster="serial", progress=False)
    assert len(whole.problem.rows.cuts) > 5
    out, journal = tmp_path / "fit.zarr", tmp_path / "journal"
    with drivers("tests.failures.target_driver", tmp_path / "log") as driver:
        for tile in ("2", "4"):
            driver(A, b, str(out), str(journal), tile)
            assert not out.exists()

    found = dsketch.resume(journal, cluster="serial", progress=False)

    assert bits(found.fields) == bits(whole.fields)
    assert found.notes == whole.notes
    assert not [path for path in tmp_path.rglob("*") if ".partial" in path.name or path.name.startswith(".fit")]


@pytest.mark.cluster
def test_a_killed_worker_costs_nothing_but_time(hurt_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writes its tiles, each chunk whole."""
    A, b = stored(tmp_path)
    whole = dsketch.lstsq(A, b, missing="drop", cluster="serial", progress=False)
    monkeypatch.setattr("dsketch.problems.targets.problem.Tiles", dying(3, tmp_path / "died"))

    found = dsketch.lstsq(A, b, missing="drop", out_dir=tmp_path / "fit.zarr", cluster=hurt_client, progress=False)

    assert (tmp_path / "died").exists()
    assert bits(found.fields) == bits(whole.fields)
