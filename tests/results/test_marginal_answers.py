"""Answers of marginal regressions: a Zarr group that workers write and xarray opens, resumed, shown, fetched from a service."""

import json
import multiprocessing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client

import dsketch as ds
from dsketch.engine import local_cluster
from dsketch.matrix.transposed import Transposed
from dsketch.passes.marginal import FIELDS, MarginalFields
from tests.command_line import found, good, run

N, M, K = 80, 90, 3


@pytest.fixture(autouse=True)
def _many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep blocks as they are chunked, and a panel for each."""
    monkeypatch.setattr("dsketch.matrix.base.BLOCK_BYTES", 1)
    monkeypatch.setattr("dsketch.engine.panels.PANEL_BYTES", 1)


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """Columns in chunks of ten, one of them constant, targets of which one misses a row, covariates."""
    rng = np.random.default_rng(0)
    G, Y = rng.integers(0, 3, (N, M)).astype("int8"), rng.standard_normal((N, K))
    G[:, 33], Y[4, 1] = 1, np.nan
    arrays = {"G": G, "Y": Y, "C": rng.standard_normal((N, 2))}
    for name, array in arrays.items():
        zarr.create_array(str(tmp_path / f"{name}.zarr"), data=array, chunks=(25, min(10, array.shape[1])))
    return {name: str(tmp_path / f"{name}.zarr") for name in arrays}


def marginal(data: dict[str, str], out: Any = None, **options: Any) -> ds.MarginalResult:
    """Return the answer of this process, unless it is told another."""
    return ds.marginal(data["G"], data["Y"], out, covariates=data["C"], **{"cluster": "serial", "progress": False, **options})


def bits(result: ds.MarginalResult) -> dict[str, bytes]:
    """Return the bytes of each field."""
    return {name: np.asarray(getattr(result, name)[...], np.float64).tobytes() for name in FIELDS}


def test_what_is_written_is_what_is_gathered(data: dict[str, str], tmp_path: Path) -> None:
    """The same bits, in chunks of a block; xarray opens the group without a warning, by names of dimensions."""
    xarray = pytest.importorskip("xarray")
    gathered, written = marginal(data), marginal(data, tmp_path / "out.zarr")

    assert bits(written) == bits(gathered)
    assert isinstance(written.beta, zarr.Array)
    assert written.beta.chunks == (10, K)
    assert (written.status, written.notes) == (ds.Status.SOLVED, gathered.notes)
    assert str(written.certificate) == str(gathered.certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xarray.open_zarr(tmp_path / "out.zarr")
    assert opened["beta"].dims == ("column", "target")
    assert np.array_equal(opened["p"].values, gathered.p, equal_nan=True)
    assert opened.attrs["problem"]["missing"] == "mean"
    assert opened.attrs["status"] == "solved"


@pytest.mark.cluster
def test_workers_write_the_bits_of_one_process(data: dict[str, str], client: Client, tmp_path: Path) -> None:
    """Two of them, and three; and of what lies in memory too."""
    here = bits(marginal(data, missing="drop"))
    arrays = {name: zarr.open_array(path, mode="r")[...] for name, path in data.items()}

    assert bits(marginal(data, tmp_path / "two.zarr", missing="drop", cluster=client)) == here
    with local_cluster(3, 1) as three, Client(three, set_as_default=False) as other:
        assert bits(marginal(data, tmp_path / "three.zarr", missing="drop", cluster=other)) == here
        in_memory: Any = arrays
        assert bits(marginal(in_memory, missing="drop", cluster=other)) == bits(marginal(in_memory, missing="drop"))


def test_other_chunks_change_last_bits_alone(data: dict[str, str], tmp_path: Path) -> None:
    """The chunk law: sums of 80 products of a column that keeps a good part of itself beside the covariates."""
    other = str(tmp_path / "other.zarr")
    zarr.create_array(other, data=zarr.open_array(data["G"])[...], chunks=(80, 7))

    one, two = marginal(data), marginal({**data, "G": other})

    size = np.nanmax(np.abs(one.beta))
    assert np.nanmax(np.abs(one.beta - two.beta)) <= 100 * N * np.finfo(float).eps * size


def test_a_run_that_was_stopped_makes_what_it_lacks(
    data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the fifth block: nothing stands at the place; resumed, what is there is neither read nor made again but to be compared."""
    monkeypatch.setattr("dsketch.problems.marginal.system.PROBES", 2)
    made: list[int] = []
    reads: list[tuple[int, int]] = []
    whole, read = MarginalFields.make, Transposed.read

    def note(self: Transposed, start: int, stop: int, out: Any = None) -> Any:
        reads.append((start, stop))
        return read(self, start, stop, out)

    def stop(self: MarginalFields, block: Any) -> Any:
        made.append(block.start)
        if len(made) == 5:
            raise KeyboardInterrupt
        return whole(self, block)

    monkeypatch.setattr(MarginalFields, "make", stop)
    out, journal = tmp_path / "out.zarr", tmp_path / "journal"
    words = ("marginal", data["G"], data["Y"], "--covariates", data["C"], "--out-dir", out, "--journal", journal)
    assert run(*words, "--scheduler", "serial").exit_code == 130
    assert not out.exists()
    monkeypatch.setattr(Transposed, "read", note)
    assert good("resume", journal).exit_code == 0
    there = set(made[:4]) - {0, M - 10}  # of which columns are compared
    assert len(there) >= 2
    assert sorted(made[5 : 5 + M // 10 - len(there)]) == sorted(set(range(0, M, 10)) - there)
    assert not there & {start for start, stop in reads if stop - start == 10}

    here = marginal(data)
    group = zarr.open_group(out, mode="r")
    assert {name: np.asarray(group[name], np.float64).tobytes() for name in FIELDS} == bits(here)
    assert "as it is" not in good("resume", journal).stderr


def test_a_block_that_was_cut_off_is_made_again(data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one array of a group that was interrupted."""
    from dsketch.engine.serial import SerialEngine

    out, journal = tmp_path / "out.zarr", tmp_path / "journal"
    whole = SerialEngine.run

    def damage(self: SerialEngine, look: Any, tell: Any) -> Any:
        whole(self, look, tell)
        (part,) = tmp_path.glob(".out.zarr.part-*")
        (part / "t" / "c" / "2" / "0").write_bytes(b"cut")
        (part / "p" / "c" / "3" / "0").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(SerialEngine, "run", damage)
    with pytest.raises(KeyboardInterrupt):
        marginal(data, out, journal=journal)
    monkeypatch.setattr(SerialEngine, "run", whole)

    assert bits(marginal(data, out, journal=journal)) == bits(marginal(data))


def test_what_is_there_is_replaced_only_when_asked(data: dict[str, str], tmp_path: Path) -> None:
    """And a group is no NumPy file."""
    marginal(data, tmp_path / "out.zarr")
    with pytest.raises(ds.DataError, match="exists"):
        marginal(data, tmp_path / "out.zarr")
    again = marginal(data, tmp_path / "out.zarr", missing="drop", overwrite=True)
    assert bits(again) == bits(marginal(data, missing="drop"))
    with pytest.raises(ds.SpecError, match="folder for a Zarr group"):
        marginal(data, tmp_path / "out.npy")
    with pytest.raises(ds.SpecError, match="overlap"):
        marginal(data, data["G"], overwrite=True)
    with pytest.raises(ds.SpecError, match="replicas"):
        marginal(data, tmp_path / "other.zarr", replicas=3)


def test_what_no_memory_holds_is_refused_before_the_pass(
    data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the bytes of all fields; and groups of targets by those of a worker."""
    monkeypatch.setattr("dsketch._results.rows.IN_MEMORY_BYTES", 6 * 8 * M * K - 1)
    with pytest.raises(ds.PlanError, match=r"12.96 kB.*--out"):
        marginal(data)
    with pytest.raises(ds.PlanError, match="2 patterns"):
        marginal(data, tmp_path / "out.zarr", memory_limit="10kB")


def test_behind_a_url_the_group_says_that_it_is_complete(data: dict[str, str]) -> None:
    """Nothing can be renamed there."""
    pytest.importorskip("fsspec")
    written = marginal(data, "memory://marginal/out.zarr")

    assert bits(written) == bits(marginal(data))
    with pytest.raises(ds.DataError, match="exists"):
        marginal(data, "memory://marginal/out.zarr")
    marginal(data, "memory://marginal/out.zarr", overwrite=True)


def test_the_command_line_shows_and_judges(data: dict[str, str], tmp_path: Path) -> None:
    """The first coefficients by column, or all in a group, which ``check`` takes; JSON has the fields."""
    usual = (data["G"], data["Y"], "--covariates", data["C"])
    beta = np.asarray(marginal(data).beta)
    said = good("marginal", *usual)
    assert f"column 0   {beta[0, 0]: .10g}" in said.stdout
    journal = tmp_path / "journal"
    good("marginal", *usual, "--missing", "drop", "--out-dir", tmp_path / "drop.zarr", "--journal", journal)
    assert np.array_equal(zarr.open_group(tmp_path / "drop.zarr")["t"][...], marginal(data, missing="drop").t, equal_nan=True)
    assert str(ds.resume(journal, cluster="serial", progress=False).problem.parameters["missing"]) == "drop"
    assert "determined by the covariates: numbers are NaN" in said.stdout
    told = found("marginal", *usual)
    assert np.array(told["t"], float)[0, 0] == marginal(data).t[0, 0]
    good("solve", "marginal", *usual, "--no-intercept", "--out", tmp_path / "out.zarr")
    assert zarr.open_group(tmp_path / "out.zarr").attrs["problem"]["intercept"] is False


# ---- the service -------------------------------------------------------------------------------------------------------


@pytest.fixture
def work(data: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that works on a job in this process, and returns its folder and what was told."""
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

    def act(**more: Any) -> Any:
        words = {"problem": "marginal", "G": data["G"], "Y": data["Y"], "covariates": data["C"], **more}
        folder = store.folder(store.accept("local", "", spec_of(words).document(), None, "")[0].id)
        ours, theirs = multiprocessing.Pipe()
        lead(theirs, JobWork(spec_of(words).document(), folder.path, roots, 10**9, None, 10**9))
        lines = []
        while ours.poll():
            lines.append(json.loads(ours.recv_bytes()))
        return folder, lines

    return act


@pytest.mark.parametrize("out", [None, "assoc.zarr"])
def test_a_job_keeps_the_group(data: dict[str, str], tmp_path: Path, work: Any, out: str | None) -> None:
    """In its folder, or at ``out``, with the bits of the library; the coefficients are x, small enough to be fetched in one piece."""
    folder, lines = work(missing="drop", **({} if out is None else {"out": out}))

    assert lines[-1]["event"] == "ended", lines[-1]
    here = marginal(data, missing="drop")
    group = zarr.open_group(folder.path / "fit.zarr" if out is None else tmp_path / "out" / out, mode="r")
    assert {name: np.asarray(group[name], np.float64).tobytes() for name in FIELDS} == bits(here)
    told = folder.solution()
    assert told["x"]["shape"] == [M, K]
    assert np.load(folder.path / told["x"]["file"]).tobytes() == bits(here)["beta"]
    assert np.array_equal(np.array(told["p"]["first"], float), here.p[:10], equal_nan=True)


def test_a_job_reads_a_vcf_store(tmp_path: Path, work: Any) -> None:
    """A group under a data root."""
    calls = np.random.default_rng(0).integers(0, 2, (20, N, 2)).astype("int8")
    group = zarr.create_group(str(tmp_path / "vcf.zarr"))
    names = ("variants", "samples", "ploidy")
    group.create_array("call_genotype", data=calls, chunks=(5, 40, 2), dimension_names=names)

    folder, lines = work(G="vcf.zarr")

    assert lines[-1]["event"] == "ended", lines[-1]
    assert folder.solution()["x"]["shape"] == [20, K]
