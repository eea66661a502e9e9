"""Engines: one tree, whoever climbs it."""

import itertools
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import ZstdCodec

import dsketch as ds
from dsketch.engine import DaskEngine, Engine, SerialEngine, connect_engine
from dsketch.engine.panels import MOST_PANELS, PANEL_BYTES, TASK_BYTES, merge_parts, panels_of, tasks_of
from dsketch.engine.stream import blocks_ahead, run_task
from dsketch.errors import EngineError, SpecError
from dsketch.events import ignore
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.rows import Rows
from dsketch.matrix.window import Window
from dsketch.passes import Gram, Look
from dsketch.testing.engines import CUTS, EngineTests, N, by_hand, values
from dsketch.testing.recut import Recut

RAW = {"compressors": None, "filters": None}


def source_of(kind: str, folder: Path, client: Client | None = None) -> Any:
    """Return A of the contract in some storage."""
    A, _, _ = values()
    if kind == "array":
        return A
    if kind in ("raw", "zstd"):
        options = RAW if kind == "raw" else {"compressors": ZstdCodec()}
        zarr.create_array(store=str(folder / "A.zarr"), shape=A.shape, dtype=A.dtype, chunks=(50, A.shape[1]), **options)[:] = A
        return str(folder / "A.zarr")
    lazy = da.from_array(A, chunks=(100, 4))
    return lazy if client is None or kind == "dask" else client.persist(lazy)


class TestSerial(EngineTests):
    """In one process, with one thread or several."""

    @pytest.fixture(params=[1, 3])
    def engine(self, request: pytest.FixtureRequest) -> Engine:
        """Return an engine."""
        return SerialEngine(request.param)

    @pytest.fixture(params=["array", "raw", "zstd", "dask"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
        """Return a storage."""
        return source_of(request.param, tmp_path)


@pytest.mark.cluster
class TestCluster(EngineTests):
    """Two worker processes."""

    @pytest.fixture
    def engine(self, client: Client) -> Engine:
        """Return an engine."""
        return DaskEngine(client)

    @pytest.fixture(params=["array", "raw", "zstd", "dask", "persisted"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path, client: Client) -> Any:
        """Return a storage."""
        return source_of(request.param, tmp_path, client)


# ---- panels and tasks ------------------------------------------------------------------------------------------------


class Imagined(Matrix):
    """A matrix of any size that is never read."""

    def __init__(self, rows: int, blocks: int) -> None:
        self.shape, self.dtype = (rows, 100), np.dtype("float64")
        self._cuts = np.unique(np.linspace(0, rows, blocks + 1).astype(np.int64))

    @property
    def cuts(self) -> AnyArray:
        """Even cuts."""
        return self._cuts

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Never."""
        raise AssertionError(f"rows {start}:{stop} were read into {out}")

    def fingerprint(self) -> str:
        """None."""
        return "imagined"


@given(rows=st.integers(1, 10**10), blocks=st.integers(1, 20_000), threads=st.integers(1, 3000))
def test_tasks_are_aligned_nodes_of_one_tree(rows: int, blocks: int, threads: int) -> None:
    """Panels are a power of two and a function of the data alone; tasks are aligned runs of 2^q of them that cover all rows."""
    data = Rows(Imagined(rows, min(blocks, rows)))

    panels, tasks = panels_of(data), tasks_of(data, threads)

    assert len(panels) & (len(panels) - 1) == 0
    assert len(panels) <= min(MOST_PANELS, len(data.cuts) - 1)
    assert np.array_equal(np.concatenate([panels[0], *(panel[1:] for panel in panels[1:])]), data.cuts)
    run = len(tasks[0].panels)
    assert run & (run - 1) == 0
    assert all(len(task.panels) == run for task in tasks)
    assert [int(panel[0]) for task in tasks for panel in task.panels] == [int(panel[0]) for panel in panels]
    assert (tasks[0].start, tasks[-1].stop) == (0, rows)
    assert [task.number for task in tasks] == list(range(len(tasks)))
    assert len(tasks) >= min(4 * threads, len(panels)) // 2 or len(tasks) == len(panels)


def test_large_data_make_bounded_tasks() -> None:
    """A terabyte: no task above about 2 GB, no panel below 64 MB, whatever the number of threads."""
    data = Rows(Imagined(10**12 // 800, 31_250))

    for threads in (1, 64, 1000):
        tasks = tasks_of(data, threads)
        bytes_each = [800 * (task.stop - task.start) for task in tasks]
        assert max(bytes_each) <= 2 * TASK_BYTES
        assert min(bytes_each) >= PANEL_BYTES


@given(parts=st.integers(1, 70))
def test_merge_tree_is_over_numbers(parts: int) -> None:
    """The stack merges what a binary tree over positions merges, in that order, holding few parts."""

    class Words(Gram):
        def merge(self, left: Any, right: Any) -> Any:
            return f"({left}{right})"

    def tree(words: list[str]) -> str:
        if len(words) == 1:
            return words[0]
        half = 1 << ((len(words) - 1).bit_length() - 1)
        return f"({tree(words[:half])}{tree(words[half:])})"

    words = [f"{number}." for number in range(parts)]

    assert merge_parts(Words(), iter(words)) == tree(words)


@given(data=st.data(), threads=st.integers(1, 40))
def test_any_number_of_tasks_is_the_same_tree(data: st.DataObject, threads: int) -> None:
    """Tree law by hand: run the tasks for any number of threads, in any order, merge by number: the same bits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)
        rows = Rows(Recut(ArrayMatrix(values()[0]), CUTS), ArrayMatrix(values()[1]))
        tasks = tasks_of(rows, threads)
        order = data.draw(st.permutations(range(len(tasks))))

        parts = {
            number: run_task(Gram(), rows.window(tasks[number].start, tasks[number].stop), tasks[number]) for number in order
        }

        found = merge_parts(Gram(), (parts[number] for number in range(len(tasks))))
        assert all(np.array_equal(*pair) for pair in zip(found, by_hand(Look(Gram(), rows)), strict=True))


@pytest.mark.parametrize("kind", ["array", "raw", "zstd", "dask"])
def test_blocks_come_in_order_one_ahead(kind: str, tmp_path: Path) -> None:
    """Reading ahead never mixes blocks up: each is what it should be while it is looked at."""
    A, b, w = values()
    rows = Rows(Recut(ds.open_matrix(source_of(kind, tmp_path)), CUTS), ArrayMatrix(b), ArrayMatrix(w))

    seen = []
    spans = list(itertools.pairwise(CUTS.tolist()))
    for block in blocks_ahead(rows, spans, Window(rows, spans)):
        assert np.array_equal(np.concatenate([part.copy() for _, part in block.stored_slices(9)]), A[block.start : block.stop])
        assert np.array_equal(block.b, b[block.start : block.stop])
        seen.append((block.start, block.stop))

    assert seen == spans


def test_reader_s_error_is_the_pass_s(tmp_path: Path) -> None:
    """A chunk that is gone is an error of the pass, from whatever thread read it."""
    path = source_of("zstd", tmp_path)
    next(file for file in Path(path).rglob("*") if file.is_file() and file.name != "zarr.json").unlink()

    for threads in (1, 3):
        with pytest.raises(ds.MissingDataError):
            SerialEngine(threads).run(Look(Gram(), Rows(ds.open_matrix(path))), ignore)


# ---- a real matrix of several blocks ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return a Zarr A of 35 chunks of 4 MB (140 MB, so five blocks and two panels) and b."""
    folder = tmp_path_factory.mktemp("larger")
    rng = np.random.default_rng(0)
    n, d, rows = 350_000, 50, 10_000
    A = zarr.create_array(store=str(folder / "A.zarr"), shape=(n, d), dtype="f8", chunks=(rows, d), **RAW)
    b = zarr.create_array(store=str(folder / "b.zarr"), shape=(n,), dtype="f8", chunks=(n,), **RAW)
    for start in range(0, n, rows):
        block = rng.standard_normal((rows, d))
        A[start : start + rows] = block
        b[start : start + rows] = block.sum(axis=1) + 0.1 * rng.standard_normal(rows)
    return str(folder / "A.zarr"), str(folder / "b.zarr")


@pytest.mark.cluster
@pytest.mark.parametrize("method", ["gram", "tsqr"])
def test_real_panels_give_the_same_bits_everywhere(larger: tuple[str, str], client: Client, method: str) -> None:
    """140 MB on disk, nothing patched: one thread, three threads, two worker processes, the same bits and the right answer."""
    found = [ds.lstsq(*larger, method=method, cluster=cluster) for cluster in (SerialEngine(1), SerialEngine(3), client)]

    assert all(np.array_equal(one.x, found[0].x) for one in found)
    assert all(np.array_equal(one.answer.factor.R, found[0].answer.factor.R) for one in found)
    assert all(one.certificate.backward_error.max() <= 2**-50 for one in found)
    assert np.abs(found[0].x - 1).max() <= 6 * 0.1 / np.sqrt(350_000) * 1.1  # six standard errors of each coefficient


# ---- connecting ------------------------------------------------------------------------------------------------------


def test_data_in_memory_need_no_cluster() -> None:
    """None means this process for data in its memory, 'serial' always; an engine is taken as it is."""
    rows = Rows(ArrayMatrix(values()[0]))
    mine = SerialEngine(2)

    with connect_engine(None, rows) as engine:
        assert isinstance(engine, SerialEngine)
    with connect_engine("serial", rows, threads=3) as engine:
        assert engine.workers().threads == 3
    with connect_engine(mine, rows) as engine:
        assert engine is mine


@pytest.mark.cluster
def test_client_cluster_and_address_are_taken(client: Client, cluster: Any) -> None:
    """A Client, a cluster object and an address lead to the same two workers, and are left running."""
    rows = Rows(ArrayMatrix(values()[0]))

    for target in (client, cluster, cluster.scheduler_address):
        with connect_engine(target, rows) as engine:
            assert isinstance(engine, DaskEngine)
            assert engine.workers().count == 2
    assert client.status == "running"


@pytest.mark.parametrize("cluster", [3, object(), ["tcp://x"]])
def test_unknown_kind_of_cluster_is_refused(cluster: object) -> None:
    """What is no cluster is refused with what is."""
    with (
        pytest.raises(SpecError, match="cluster must be an address, a scheduler file"),
        connect_engine(cluster, Rows(ArrayMatrix(values()[0]))),
    ):
        pass


def test_missing_scheduler_file_is_an_engine_error(tmp_path: Path) -> None:
    """The message has the path and what to start."""
    with (
        pytest.raises(EngineError, match="a scheduler file was expected at"),
        connect_engine(str(tmp_path / "none.json"), Rows(ArrayMatrix(values()[0]))),
    ):
        pass


def test_rows_of_the_contract_are_many_blocks() -> None:
    """The contract has forty blocks, the last one ragged."""
    assert len(CUTS) == 41
    assert CUTS[-1] - CUTS[-2] != 31
    assert CUTS[-1] == N


@pytest.mark.cluster
def test_decoded_blocks_of_two_matrices_are_kept_apart(client: Client, stored: Any) -> None:
    """A run that reads two matrices with the same grid gets each one's own blocks, from the second pass on as well."""
    rng = np.random.default_rng(5)
    both = [rng.standard_normal((400, 3)) for _ in range(2)]
    matrices = [ds.open_matrix(stored(f"A{place}", A, 100, compressors=ZstdCodec(), config={})) for place, A in enumerate(both)]
    engine = DaskEngine(client)

    for _ in range(2):
        for A, matrix in zip(both, matrices, strict=True):
            (G, *_) = engine.run(Look(Gram(), Rows(matrix)), ignore)
            assert np.allclose(G, A.T @ A, rtol=1e-13)
