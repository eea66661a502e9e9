"""Attention of stored data of every kind, on every engine, judged and refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import zarr
from distributed import Client

import dsketch as ds
from dsketch._results.make_plan import machines_of
from dsketch.engine import SerialEngine
from dsketch.passes.attention import SoftmaxRows
from dsketch.planning.price import Machines
from dsketch.settings import Settings
from tests.problems.attention.dense import by_heads, data, softmax


def stored(folder: Path, A: np.ndarray, name: str, chunk: int = 200, **options: Any) -> str:
    """Store a matrix in chunks; return its path."""
    zarr.create_array(store=str(folder / name), data=A, chunks=(chunk, *A.shape[1:]), **options)
    return str(folder / name)


@pytest.mark.cluster
def test_workers_write_the_bits_that_are_gathered(tmp_path: Path, client: Client) -> None:
    """Several blocks on two workers, of raw and of compressed chunks: at ``out`` lie the bits of one process."""
    Q, K, V = data(1300, 900, 5, 4)
    here = ds.attention(Q, K, V, cluster="serial", progress=False)
    for kind, options in (("raw", {"compressors": None}), ("compressed", {})):
        places = [stored(tmp_path, A, f"{kind}-{name}", **options) for name, A in zip("QKV", (Q, K, V), strict=True)]
        out = tmp_path / f"{kind}-Y"

        found = ds.attention(*places, out, cluster=client, progress=False)

        assert zarr.open_array(out, mode="r")[...].tobytes() == here.x.tobytes()
        assert zarr.open_array(out, mode="r").chunks == (512, 4)
        assert found.certificate.forward_error.tobytes() == here.certificate.forward_error.tobytes()


@pytest.mark.cluster
def test_arrays_persisted_on_a_cluster_are_swept(client: Client) -> None:
    """Q where its chunks lie; K and V are copied, as a sweep needs them everywhere."""
    import dask.array as da

    Q, K, V = data(700, 600, 4, 3)
    there = [da.from_array(A, chunks=(250, -1)).persist(scheduler=client) for A in (Q, K, V)]

    found = ds.attention(*there, cluster=client, progress=False)

    assert np.abs(found.x - softmax(Q, K, V)).max() <= 1e-12


def test_heads_are_cut_from_one_stored_matrix(tmp_path: Path) -> None:
    """[Q K V] side by side in one array, two heads of each: as the dense formula by heads."""
    Q, K, V = data(600, 600, 6, 4)
    A = ds.open_matrix(stored(tmp_path, np.concatenate([Q, K, V], axis=1), "QKV"))
    parts = [ds.Head(A, columns=ends) for ends in ((0, 6), (6, 12), (12, 16))]

    found = ds.attention(*parts, heads=2, causal=True, cluster="serial", progress=False)

    assert np.abs(found.x - by_heads(2, Q, K, V, causal=True)).max() <= 1e-12


@pytest.mark.parametrize("kind", ["float32", "int16", "csr"])
def test_other_numbers_are_swept_as_float64(kind: str) -> None:
    """Narrow floats, integers, sparse rows."""
    Q, K, V = (np.round(4 * A) for A in data(50, 80, 4, 3))
    given = [scipy.sparse.csr_array(A) if kind == "csr" else A.astype(kind) for A in (Q, K)]

    found = ds.attention(*given, V, cluster="serial", progress=False)

    assert np.abs(found.x - softmax(Q, K, V)).max() <= 1e-12


def test_a_run_goes_on_from_its_journal(tmp_path: Path) -> None:
    """The passes before the sweep are replayed; the rows are made again, to the same bits."""
    places = [stored(tmp_path, A, name) for name, A in zip("QKV", data(90, 70, 3, 2), strict=True)]
    whole = ds.attention(*places, journal=tmp_path / "journal", cluster="serial", progress=False)

    found = ds.resume(tmp_path / "journal", cluster="serial", progress=False)

    assert found.x.tobytes() == whole.x.tobytes()
    assert [record.replayed for record in found.passes] == [True, True, False]


@pytest.fixture
def swept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first rows of the blocks that are swept, as they come; who puts a row into it beforehand is interrupted there."""
    starts, attend = list[int](), SoftmaxRows.rows_at

    def attend_or_stop(self: SoftmaxRows, start: int, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        if start and start in starts:
            raise KeyboardInterrupt
        starts.append(start)
        return attend(self, start, X, Y)

    monkeypatch.setattr(SoftmaxRows, "rows_at", attend_or_stop)
    return starts


def test_a_sweep_that_was_interrupted_makes_the_blocks_that_lack(tmp_path: Path, swept: list[int]) -> None:
    """Three blocks of 512 rows, of which two were written: the third is swept, to the bits of a run in one piece; nothing stays beside."""
    arrays = data(1300, 300, 3, 2)
    whole, out, run = ds.attention(*arrays, cluster="serial", progress=False), tmp_path / "out" / "Y", tmp_path / "journal"
    places = [stored(tmp_path, A, name) for name, A in zip("QKV", arrays, strict=True)]
    swept[:] = [1024]
    with pytest.raises(KeyboardInterrupt):
        ds.attention(*places, out, journal=run, cluster="serial", progress=False)
    assert 512 in swept
    swept.clear()

    found = ds.attention(*places, out, journal=run, cluster="serial", progress=False)

    assert [start for start in swept if start] == [1024]  # a plan times tiles at 0
    assert found.x[...].tobytes() == whole.x.tobytes()
    assert found.certificate.backward_error.tobytes() == whole.certificate.backward_error.tobytes()
    assert [path.name for path in out.parent.iterdir()] == ["Y"]


def test_a_chunk_that_was_cut_off_is_made_again(tmp_path: Path, swept: list[int]) -> None:
    """What a killed process left of one is not taken for rows."""
    arrays = data(1300, 300, 3, 2)
    whole, out, run = ds.attention(*arrays, cluster="serial", progress=False), tmp_path / "out" / "Y", tmp_path / "journal"
    places = [stored(tmp_path, A, name) for name, A in zip("QKV", arrays, strict=True)]
    swept[:] = [1024]
    with pytest.raises(KeyboardInterrupt):
        ds.attention(*places, out, journal=run, cluster="serial", progress=False)
    (chunk,) = out.parent.glob(".Y.part-*/c/1/0")
    chunk.write_bytes(chunk.read_bytes()[:100])
    swept.clear()

    found = ds.attention(*places, out, journal=run, cluster="serial", progress=False)

    assert [start for start in swept if start] == [512, 1024]
    assert found.x[...].tobytes() == whole.x.tobytes()


def test_rows_of_another_run_are_not_taken(tmp_path: Path, swept: list[int]) -> None:
    """An interrupted run with another scale leaves chunks of its own, which the next one, of another journal, does not touch."""
    arrays = data(1300, 300, 3, 2)
    whole, out = ds.attention(*arrays, cluster="serial", progress=False), tmp_path / "out" / "Y"
    places = [stored(tmp_path, A, name) for name, A in zip("QKV", arrays, strict=True)]
    swept[:] = [1024]
    with pytest.raises(KeyboardInterrupt):
        ds.attention(*places, out, scale=2.0, journal=tmp_path / "other", cluster="serial", progress=False)
    swept.clear()

    found = ds.attention(*places, out, journal=tmp_path / "journal", cluster="serial", progress=False)

    assert found.x[...].tobytes() == whole.x.tobytes()


def test_check_tells_right_rows_from_wrong_ones() -> None:
    """Rows by the dense formula are right; one number moved by 1e-9 of the largest value is found, and how far it is."""
    Q, K, V = data(300, 400, 4, 3)
    problem, rows = ds.Attention(Q, K, V), softmax(Q, K, V)
    moved = rows.copy()
    moved[123, 1] += 1e-9 * np.abs(V[:, 1]).max()

    right, wrong = (ds.check(problem, x, cluster="serial", progress=False) for x in (rows, moved))

    accepted = problem.accepted(None)
    assert right.is_right(accepted)
    assert not wrong.is_right(accepted)
    assert wrong.forward_error[1] == pytest.approx(1e-9, rel=1e-3)


def test_a_plan_knows_what_a_sweep_costs() -> None:
    """Time grows with n m, memory does not; half the entries where rows see half."""
    machines = machines_of(SerialEngine(1), None)
    thin = np.broadcast_to(np.ones(8), (400_000, 8))
    shapes = ((100_000, False), (400_000, False), (400_000, True))
    problems = [ds.Attention(thin[:n], thin[:n], thin[:n], causal=causal) for n, causal in shapes]

    small, large, causal = (problem.plan("auto", Settings(), machines).estimate for problem in problems)

    assert 4 < large.seconds / small.seconds < 64  # 16, by tiles that are timed on a busy machine
    assert 8 * large.seconds > causal.seconds  # twice as many, by tiles of two kinds that are timed apart
    assert large.memory_bytes < 4 * small.memory_bytes < 1e9


def test_a_plan_refuses_workers_that_are_too_small() -> None:
    """With the bytes that it would need."""
    machines = machines_of(SerialEngine(1), None)
    few = Machines(**{**vars(machines), "memory_bytes": 1_000_000})

    with pytest.raises(ds.PlanError, match=r"sweep .* would be needed"):
        ds.Attention(*data(1000, 1000, 64, 64)).plan("auto", Settings(), few)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"K": np.ones((7, 4))}, "Q and K must have the same columns; they have 3 and 4"),
        ({"V": np.ones((6, 2))}, "one row for each of the 7 of K; it has 6"),
        ({"heads": 2}, "columns of Q must be cut into 2 heads"),
        ({"heads": 3}, "columns of V must be cut into 3 heads"),
        ({"Q": np.ones((8, 3)), "causal": True}, "Q has 8 rows, K 7"),
        ({"V": np.ones((0, 2)), "K": np.ones((0, 3))}, "K must have at least one row"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    """A sentence with both numbers."""
    given = {"Q": np.ones((5, 3)), "K": np.ones((7, 3)), "V": np.ones((7, 2)), **change}

    with pytest.raises(ds.DataError, match=message):
        ds.Attention(**given)


@pytest.mark.parametrize(
    "options", [{"heads": 0}, {"heads": 1.5}, {"heads": True}, {"scale": 0.0}, {"scale": np.inf}, {"causal": 2}]
)
def test_options_out_of_their_range_are_refused(options: dict[str, Any]) -> None:
    """By name."""
    with pytest.raises(ds.SpecError, match=next(iter(options))):
        ds.Attention(*data(5, 5, 2, 2), **options)


@pytest.mark.parametrize("name", ["Q", "K", "V"])
def test_what_is_not_finite_is_named(name: str) -> None:
    """The matrix, its row and its column, also far from the rows that a plan looks at."""
    given = dict(zip("QKV", data(9000, 9000, 3, 2), strict=True))
    given[name][8765, 1] = np.nan

    with pytest.raises(ds.DataError, match=f"{name} must be finite; row 8765, column 1 is nan"):
        ds.solve(ds.Attention(**given), cluster="serial", progress=False)


def test_logits_beyond_float64_are_refused() -> None:
    """With both lengths."""
    Q, K, V = data(5, 5, 2, 2)

    with pytest.raises(ds.DataError, match="Scale them down"):
        ds.solve(ds.Attention(1e150 * Q, 1e150 * K, V, scale=1e20), cluster="serial", progress=False)
