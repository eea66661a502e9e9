"""Workers and drivers are killed while they write predictions: the output is whole or not there, and its bits do not change."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

import dsketch
from dsketch._results.output import Output
from tests.failures.scale import BLOCKS, COLUMNS, ROWS
from tests.failures.traps import ArmedBy, Pipes, Trap, die, killing_all, wait_for_release, while_caught
from tests.forked import Fork

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

X = np.linspace(-1.0, 1.0, COLUMNS)
KIND = "affine → Zarr"


def files(folder: Path) -> list[str]:
    """Return what a writer left that is neither the output nor the test's own."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".y.zarr")]


def assert_whole(y: Path, tall: tuple[str, str]) -> None:
    """Compare bit by bit with an undisturbed prediction; no temporary is left in it or beside it."""
    stored = zarr.open_array(y, mode="r")
    assert stored.nchunks_initialized == stored.nchunks == BLOCKS
    assert stored[...].tobytes() == dsketch.predict(X, tall[0], cluster="serial").tobytes()
    assert files(y.parent) == list(y.rglob("*.partial")) == []


def test_killed_worker_s_chunks_are_written_again(tall: tuple[str, str], hurt_client: Client, tmp_path: Path) -> None:
    """A worker killed between two of its chunks costs nothing but time."""
    trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "trap", ROWS // 2 + 1, die)
    dsketch.predict(X, trap, tmp_path / "y.zarr", cluster=hurt_client, progress=ArmedBy(trap, KIND))
    assert trap.has_sprung()
    assert trap.reads(1).total() > BLOCKS
    assert_whole(tmp_path / "y.zarr", tall)


def test_all_workers_killed_at_once(tall: tuple[str, str], hurt_client: Client, tmp_path: Path) -> None:
    """The pass waits for the nannies and begins again, over the chunks that are there."""
    workers = list(hurt_client.run(os.getpid).values())
    trap = Trap(dsketch.open_matrix(tall[0]), tmp_path / "trap", ROWS // 2, wait_for_release)
    thread = while_caught(Pipes(trap), killing_all(workers))
    dsketch.predict(X, trap, tmp_path / "y.zarr", cluster=hurt_client, progress=ArmedBy(trap, KIND))
    thread.join()
    assert_whole(tmp_path / "y.zarr", tall)


def test_a_worker_killed_in_the_middle_of_a_chunk_leaves_no_trace(tall: tuple[str, str], tmp_path: Path) -> None:
    """The half of a chunk that its writer left beside its place is cleared away before the output takes its name."""
    with Output.at(tmp_path / "y.zarr").fill((ROWS,), ROWS // BLOCKS, {}) as array:
        array[...] = dsketch.predict(X, tall[0], cluster="serial")
        (Path(array.store.root) / "c" / "3.0123abcd.partial").write_bytes(b"half")
    assert_whole(tmp_path / "y.zarr", tall)


def test_killed_driver_leaves_nothing_under_the_name(
    tall: tuple[str, str], cluster: LocalCluster, client: Client, tmp_path: Path
) -> None:
    """Neither here nor on a cluster that lives on does half an output appear; the next driver is not disturbed by what is left."""
    np.save(tmp_path / "x.npy", X)
    for where in ("serial", cluster.scheduler_address):
        words = (str(tmp_path / "x.npy"), tall[0], str(tmp_path / "y.zarr"), "in:1", where)
        process = Fork("tests.failures.predictor", *words, output=tmp_path / "log")
        assert process.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()
        assert not (tmp_path / "y.zarr").exists()
    assert files(tmp_path)  # beside it, under the dead drivers' numbers
    dsketch.predict(X, tall[0], tmp_path / "y.zarr", cluster=client)
    assert (
        zarr.open_array(tmp_path / "y.zarr", mode="r")[...].tobytes() == dsketch.predict(X, tall[0], cluster="serial").tobytes()
    )
