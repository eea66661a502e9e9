"""Whoever writes a group is killed between two arrays of a block: in the end the group is whole, with the bits of one undisturbed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import dsketch
from dsketch.passes.marginal import FIELDS
from dsketch.problems.marginal.system import MarginalSystem
from tests.failures.group_driver import dying, stored
from tests.failures.processes import drivers

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def _small_panels(_small_blocks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every chunk a block and every block a panel, as the drivers do."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 1)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)


def bits(fields: Any) -> dict[str, bytes]:
    """Return the bytes of each field."""
    return {name: np.asarray(fields[name][...], np.float64).tobytes() for name in FIELDS}


def test_a_killed_driver_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    """Twice, in blocks of their own; nothing stands at the place until the end, and no leftover beside it."""
    G, Y = stored(tmp_path)
    whole = dsketch.marginal(G, Y, cluster="serial", progress=False)
    out, journal = tmp_path / "out.zarr", tmp_path / "journal"
    with drivers("tests.failures.group_driver", tmp_path / "log") as driver:
        for column in ("24", "57"):
            driver(G, Y, str(out), str(journal), column)
            assert not out.exists()

    found = dsketch.resume(journal, cluster="serial", progress=False)

    assert bits(found.fields) == bits(whole.solution.fields)
    assert found.certificate.backward_error.tobytes() == whole.certificate.backward_error.tobytes()
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.cluster
def test_a_killed_worker_costs_nothing_but_time(hurt_client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writes its blocks, each chunk whole."""
    G, Y = stored(tmp_path)
    whole = dsketch.marginal(G, Y, cluster="serial", progress=False)
    monkeypatch.setattr(MarginalSystem, "marginal", dying(44, tmp_path / "died"))

    found = dsketch.marginal(G, Y, tmp_path / "out.zarr", cluster=hurt_client, progress=False)

    assert (tmp_path / "died").exists()
    assert bits(found.solution.fields) == bits(whole.solution.fields)
