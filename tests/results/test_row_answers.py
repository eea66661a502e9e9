"""Answers with a number for each row of A: gathered, written by who reads the rows, resumed, told, judged, fetched from a service."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._results import rows as row_answers
from dsketch._results.output import Output
from dsketch._results.read import holds
from dsketch._results.slices import digest_of, pieces_of
from dsketch.engine.journal import Journal
from dsketch.engine.serial import SerialEngine
from tests.command_line import found, good, run

N, D = 1200, 4


@pytest.fixture
def A(stored: Callable[..., str]) -> str:
    """Rows in Zarr, in blocks of 100."""
    return stored("A", np.random.default_rng(0).standard_normal((N, D)), 100)


@pytest.fixture(autouse=True)
def _many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep blocks as they are chunked: many panels of few rows."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 3200)


def scores(A: Any, out: Any = None, **options: Any) -> ds.Solution:
    """Return the scores in this process."""
    return ds.leverage_scores(A, out, cluster="serial", progress=False, **options)


def test_written_rows_are_those_that_are_gathered(A: str, tmp_path: Path) -> None:
    """At ``out`` stand the same bits, with what they are; x is the opened array."""
    gathered, written = scores(A), scores(A, tmp_path / "h.zarr")

    assert isinstance(written.x, zarr.Array)
    assert written.x.shape == (N,)
    assert np.array_equal(written.x[...], gathered.x)
    attributes = zarr.open_array(tmp_path / "h.zarr", mode="r").attrs.asdict()
    assert attributes["problem"]["problem"] == "leverage-scores"
    assert attributes["sources"]["A"] == A
    assert attributes["status"] == "solved"
    assert [record.kind for record in written.passes] == ["triangle", "leverages → Zarr"]


def test_a_numpy_file_and_memory_come_from_the_driver(A: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in one piece is written here; what is too large for that is refused before the first pass, with both sizes."""
    scores(A, tmp_path / "h.npy")
    assert np.array_equal(np.load(tmp_path / "h.npy"), scores(A).x)

    monkeypatch.setattr(row_answers, "IN_MEMORY_BYTES", 8 * N - 1)
    for out in (None, tmp_path / "other.npy"):
        with pytest.raises(ds.PlanError, match=r"leverage-scores has 1200 rows of it, 9.60 kB.*--out"):
            scores(A, out, journal=tmp_path / "journal")
    assert not (tmp_path / "journal").exists()
    assert scores(A, tmp_path / "h.zarr").x.shape == (N,)


def test_what_is_there_is_replaced_only_when_asked(A: str, tmp_path: Path) -> None:
    """A free path, or ``overwrite``; never A itself."""
    scores(A, tmp_path / "h.zarr")
    with pytest.raises(ds.DataError, match="exists"):
        scores(A, tmp_path / "h.zarr")
    scores(A, tmp_path / "h.zarr", alpha=3.0, overwrite=True)
    assert np.array_equal(zarr.open_array(tmp_path / "h.zarr")[...], scores(A, alpha=3.0).x)
    with pytest.raises(ds.SpecError, match="overlap"):
        scores(A, A, overwrite=True)


def test_rows_are_there_whole_or_not_at_all(A: str, tmp_path: Path) -> None:
    """A row that cannot be read late in the pass that writes: what was there before stays, and nothing beside it."""
    scores(A, tmp_path / "h.zarr")
    before = zarr.open_array(tmp_path / "h.zarr")[...]
    values = zarr.open_array(A)[...]
    values[1100, 2] = np.nan
    bad = str(tmp_path / "bad.zarr")
    zarr.create_array(bad, data=values, chunks=(100, D))

    with pytest.raises(ds.DataError, match="row 1100, column 2"):
        scores(bad, tmp_path / "h.zarr", overwrite=True)

    assert np.array_equal(zarr.open_array(tmp_path / "h.zarr")[...], before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A.zarr", "bad.zarr", "h.zarr"]


def test_a_resumed_run_makes_the_rows_again(A: str, tmp_path: Path) -> None:
    """The journal has the passes before, not the rows; the bits are those of a whole run, in memory and written."""
    journal = tmp_path / "journal"
    first = scores(A, journal=journal)
    assert sorted(path.name for path in journal.glob("pass-*")) == ["pass-0001.npz"]

    again = ds.resume(journal, progress=False)
    written = scores(A, tmp_path / "h.zarr", journal=journal)

    assert [record.replayed for record in again.passes] == [True, False]
    assert np.array_equal(again.x, first.x)
    assert np.array_equal(written.x[...], first.x)


def test_a_run_stopped_while_it_writes_goes_on(A: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stands at the place then; ``resume`` knows the place and writes it."""
    journal, out = tmp_path / "journal", tmp_path / "h.zarr"
    whole = SerialEngine.run

    def stop(self: SerialEngine, look: Any, tell: Any) -> Any:
        if "Zarr" in look.pass_.names():
            raise KeyboardInterrupt
        return whole(self, look, tell)

    monkeypatch.setattr(SerialEngine, "run", stop)
    assert run("solve", "leverage-scores", A, "--journal", journal, "--out", out).exit_code == 130
    assert not out.exists()
    monkeypatch.setattr(SerialEngine, "run", whole)

    said = good("resume", journal)

    assert "pass 1 of 2  triangle  from the journal" in said.stderr
    assert np.array_equal(zarr.open_array(out)[...], scores(A).x)
    assert Journal(journal).read_out() == (str(out), False)


def test_no_list_of_millions(tmp_path: Path) -> None:
    """JSON has x while it is short, then its shape, its first rows and where it lies."""
    rows = np.random.default_rng(0).standard_normal((20_000, 2))

    short, long, written = scores(rows[:50]), scores(rows), scores(rows[:50], tmp_path / "h.zarr")

    assert short.to_dict()["x"] == short.x.tolist()
    assert long.to_dict()["x"] == {"zarr": None, "shape": [20_000], "first": long.x[:10].tolist()}
    told = json.loads(json.dumps(written.to_dict()))["x"]
    assert told == {"zarr": f"file://{tmp_path / 'h.zarr'}", "shape": [50], "first": short.x[:10].tolist()}
    assert len(str(long)) < 1000


def test_pieces_are_whole_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored answer is read, copied and digested by chunks, to the same bits as in memory."""
    monkeypatch.setattr("dsketch._results.slices._PIECE_BYTES", 8 * 25)
    x = np.arange(95.0)
    array = zarr.create_array(str(tmp_path / "x.zarr"), shape=(95,), chunks=(10,), dtype="f8")
    array[...] = x

    assert [(start, len(piece)) for start, piece in pieces_of(array)] == [(0, 20), (20, 20), (40, 20), (60, 20), (80, 15)]
    assert digest_of(array) == digest_of(x)
    Output.at(tmp_path / "y.zarr").write(array, {})
    assert holds(str(tmp_path / "y.zarr"), array)
    assert holds(str(tmp_path / "y.zarr"), x)
    assert holds(str(tmp_path / "x.zarr"), array)
    assert not holds(str(tmp_path / "x.zarr"), x[:-1])


def test_any_scores_are_judged(A: str, tmp_path: Path) -> None:
    """``check`` takes a solution with an array or a stored x, a path, an open array."""
    problem, out = ds.LeverageScores(A), tmp_path / "h.zarr"
    written = scores(A, out)

    for x in (scores(A), written, out, written.x):
        judged = ds.check(problem, x, cluster="serial", progress=False)
        assert judged.backward_error[0] <= problem.accepted(None)
    with pytest.raises(ds.DataError, match=r"shape \(1200, 1\)"):
        ds.check(problem, np.ones(3))
    with pytest.raises(ds.SpecError, match="predicts rows"):
        ds.predict(written, np.ones((3, D)))
    with pytest.raises(ds.SpecError, match="least squares"):
        written.summary()


# ---- the command line --------------------------------------------------------------------------------------------------


def test_the_command_line_writes_and_shows_rows(A: str, tmp_path: Path) -> None:
    """``solve`` shows the first scores by their row, or writes all; ``check`` judges what was written."""
    said = good("solve", "leverage-scores", A, "--alpha", 2, "--intercept")
    first = scores(A, alpha=2.0, intercept=True).x[0]
    assert f"row 0   {first: .10g}" in said.stdout
    assert "and 1180 more: --out writes them" in said.stdout

    out = tmp_path / "h.zarr"
    told = found("solve", "leverage-scores", A, "--out", out)
    assert told["x"]["shape"] == [N]
    assert good("check", "leverage-scores", A, out).stdout.startswith("verdict     right")
    assert "leverage-scores" in good("plan", "leverage-scores", "--help").stdout
    plain = good("solve", "leverage-scores", A, "--out", out, "--overwrite", "--method", "sketched").stdout
    assert "estimated" in plain
    assert "x           in " in plain
    assert run("check", "leverage-scores", A, out).exit_code == 1


# ---- the service -------------------------------------------------------------------------------------------------------


@pytest.fixture
def work(A: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that works on a job in this process, and returns what was told."""
    pytest.importorskip("fastapi")
    from dsketch.service.job_process import lead
    from dsketch.service.job_work import JobWork
    from dsketch.service.places import Roots
    from dsketch.service.specs import spec_of
    from dsketch.service.store import Store

    monkeypatch.setattr("dsketch.service.job_process.signal.signal", lambda *_: None)
    monkeypatch.setattr("dsketch.service.job_limits.os.dup2", lambda *_: None)
    store = Store(tmp_path / "s" / "state")
    roots = Roots.of([str(tmp_path)], [str(tmp_path / "out")])

    def act(folder: Any = None, **more: Any) -> Any:
        spec = spec_of({"problem": "leverage-scores", "A": A, **more}).document()
        if folder is None:
            folder = store.folder(store.accept("local", "", spec, None, "")[0].id)
        ours, theirs = multiprocessing.Pipe()
        lead(theirs, JobWork(spec, folder.path, roots, 10**9, None, 10**9))
        lines = []
        while ours.poll():
            lines.append(json.loads(ours.recv_bytes()))
        return folder, lines

    return act


@pytest.mark.parametrize("limit", [10**9, 10], ids=["gathered", "by workers"])
def test_a_job_leaves_its_rows_in_its_folder_and_at_out(
    A: str, tmp_path: Path, work: Any, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small answers pass through, large ones are written where the rows are; both lie where ``out`` says, and are told by their digest.

    A process that died before its last word is followed by one that finds its own rows there, and replaces them.
    """
    monkeypatch.setattr("dsketch.service.job_answer.IN_MEMORY_BYTES", limit)
    monkeypatch.setattr("dsketch.service.job_answer.NPY_BYTES", limit)
    expected = scores(A).x

    folder, lines = work(out="h.zarr")
    told = folder.solution()
    (folder.path / "solution.json").unlink()
    again = work(folder, out="h.zarr")[1]

    assert (lines[-1]["event"], again[-1]["event"]) == ("ended", "ended")
    assert told["status"] == "solved"
    assert told["x"]["shape"] == [N]
    assert told["x"]["sha256"] == digest_of(expected) == folder.solution()["x"]["sha256"]
    assert holds(str(folder.x()), expected)
    assert np.array_equal(zarr.open_array(tmp_path / "out" / "h.zarr", mode="r")[...], expected)
    other = work(out="h.zarr")[1]
    assert other[-1]["event"] == "failed"
    assert "a free path was expected" in other[-1]["message"]


def test_a_large_job_without_out_writes_to_its_folder(A: str, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There too the workers write, and nothing is gathered."""
    monkeypatch.setattr("dsketch.service.job_answer.IN_MEMORY_BYTES", 10)
    monkeypatch.setattr("dsketch._results.rows.IN_MEMORY_BYTES", 10)
    monkeypatch.setattr("dsketch.service.job_answer.NPY_BYTES", 10)

    folder, lines = work()

    assert lines[-1]["event"] == "ended"
    assert folder.x().name == "x.zarr"
    assert holds(str(folder.x()), scores_of(A, monkeypatch))


def scores_of(A: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Return the scores as an array, with room for them."""
    monkeypatch.setattr("dsketch._results.rows.IN_MEMORY_BYTES", 10**9)
    return np.asarray(scores(A).x)
