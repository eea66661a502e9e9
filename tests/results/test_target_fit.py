"""Answers by target in a Zarr group: whole or not there, the same bits from any number of workers, gone on with after a death."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._results import rows
from dsketch.engine import SerialEngine
from dsketch.matrix import tiles
from dsketch.problems.targets.batch import Batch
from dsketch.problems.targets.chain import Chain

N, SHAPE = 30, (13, 24)
RNG = np.random.default_rng(3)
A = RNG.standard_normal((N, 2))
B = RNG.standard_normal((N, *SHAPE))
LACKING = np.where(RNG.random(B.shape) < 0.1, np.nan, B)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut these small data as large ones are cut."""
    monkeypatch.setattr(tiles, "grid_of", lambda b, grid_of=tiles.grid_of: grid_of(b, 10_000))


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, str]:
    """Return the paths of A, b, and b with missing values, which is compressed."""
    places = {name: str(tmp_path / f"{name}.zarr") for name in ("A", "B", "lacking")}
    zarr.create_array(places["A"], data=A, chunks=A.shape)
    zarr.create_array(places["B"], data=B, chunks=(N, 3, 24), compressors=None, dimension_names=("time", "lat", "lon"))
    zarr.create_array(places["lacking"], data=LACKING, chunks=(10, 13, 24), dimension_names=("time", "lat", "lon"))
    return places


def test_the_group_is_what_came_back(stored: dict[str, str], tmp_path: Path) -> None:
    """Every array has the numbers that come back without a place, in memory and on disk, with b's own dimensions."""
    for name, missing in (("B", "error"), ("lacking", "drop")):
        given = {"missing": missing, "cluster": "serial"}
        here = ds.solve(ds.TargetRegression(stored["A"], stored[name], missing=missing), cluster="serial")
        found = ds.lstsq(stored["A"], stored[name], out_dir=tmp_path / f"{name}-fit.zarr", **given)
        assert isinstance(here, ds.TargetFit)
        assert isinstance(found, ds.TargetFit)
        assert found.path == str(tmp_path / f"{name}-fit.zarr")
        for field, array in here.arrays.items():
            np.testing.assert_array_equal(found.arrays[field][...], array)
        group = zarr.open_group(found.path, mode="r")
        assert group["x"].metadata.dimension_names == ("column", "lat", "lon")
        assert group["counts"].metadata.dimension_names == ("lat", "lon")
        assert (group.attrs["status"], group.attrs["problem"]["problem"]) == ("solved", "targets")
        assert name == "lacking" or np.prod(SHAPE) > np.prod(group["counts"].chunks)  # several tiles
        assert not list(tmp_path.glob(".*part*"))


def test_xarray_opens_it(stored: dict[str, str], tmp_path: Path) -> None:
    """As a dataset with b's dimensions, and without a warning."""
    xarray = pytest.importorskip("xarray")
    found = ds.lstsq(stored["A"], stored["B"], out_dir=tmp_path / "fit.zarr", cluster="serial")
    with xarray.open_zarr(str(tmp_path / "fit.zarr")) as opened:
        assert dict(opened.sizes) == {"column": 2, "lat": 13, "lon": 24}
        np.testing.assert_array_equal(opened["t"], found.t[...])


@pytest.mark.cluster
def test_bits_do_not_depend_on_workers(stored: dict[str, str], tmp_path: Path, client: Any) -> None:
    """One process and several workers write the same bytes."""
    for name, missing in (("B", "error"), ("lacking", "drop")):
        one = ds.lstsq(stored["A"], stored[name], missing=missing, out_dir=tmp_path / f"{name}1.zarr", cluster="serial")
        other = ds.lstsq(stored["A"], stored[name], missing=missing, out_dir=tmp_path / f"{name}2.zarr", cluster=client)
        memory = ds.lstsq(A, LACKING if name == "lacking" else B, missing="drop", cluster=client)
        for field, array in one.arrays.items():
            assert array[...].tobytes() == other.arrays[field][...].tobytes(), field
            np.testing.assert_allclose(memory.arrays[field], array[...], rtol=1e-9, atol=1e-15)


def test_a_killed_run_goes_on_where_it_was(stored: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles that were written are not answered again, and the bytes are those of a run that nobody stopped."""
    whole = ds.lstsq(stored["A"], stored["B"], out_dir=tmp_path / "whole.zarr", cluster="serial")
    asked: dict[str, Any] = {"out_dir": tmp_path / "fit.zarr", "journal": tmp_path / "run", "cluster": SerialEngine(1)}
    answered = []
    answers = Chain.answers

    def stopping(self: Chain, tile: Any) -> Any:
        if len(answered) == 2:
            raise KeyboardInterrupt
        answered.append(tile.number)
        return answers(self, tile)

    monkeypatch.setattr(Chain, "answers", stopping)
    with pytest.raises(KeyboardInterrupt):
        ds.lstsq(stored["A"], stored["B"], **asked)
    assert not (tmp_path / "fit.zarr").exists()
    monkeypatch.setattr(Chain, "answers", lambda self, tile: answered.append(tile.number) or answers(self, tile))
    found = ds.resume(tmp_path / "run", cluster="serial")
    assert isinstance(found, ds.TargetFit)
    assert sorted(answered) == list(range(len(whole.plan.problem.rows.cuts) - 1))
    for field, array in whole.arrays.items():
        assert array[...].tobytes() == found.arrays[field][...].tobytes()
    assert (found.certificate.lines(), found.notes) == (whole.certificate.lines(), whole.notes)
    again = ds.resume(tmp_path / "run", cluster="serial")  # a finished run is read, nothing is answered
    assert (again.path, len(again.passes)) == (found.path, 0)  # type: ignore[attr-defined]


def test_a_failure_leaves_nothing(stored: dict[str, str], tmp_path: Path) -> None:
    """A cell that is refused leaves no group, nor what was there before touched; nothing is replaced without being told to."""
    with pytest.raises(ds.DataError, match="missing='drop'"):
        ds.lstsq(stored["A"], stored["lacking"], out_dir=tmp_path / "fit.zarr", cluster="serial")
    assert not list(tmp_path.glob("*fit*"))
    for place, words in ((stored["B"], "overlap"), (stored["A"], "overlap"), (tmp_path / "x.npy", "Zarr group")):
        with pytest.raises((ds.SpecError, ds.DataError), match=words):
            ds.lstsq(stored["A"], stored["B"], out_dir=place, overwrite=True, cluster="serial")
    ds.lstsq(stored["A"], stored["B"], out_dir=tmp_path / "fit.zarr", cluster="serial")
    with pytest.raises(ds.DataError, match="free path"):
        ds.ridge(stored["A"], stored["B"], out_dir=tmp_path / "fit.zarr", cluster="serial")
    found = ds.ridge(stored["A"], stored["B"], 2.0, out_dir=tmp_path / "fit.zarr", overwrite=True, cluster="serial")
    assert sorted(zarr.open_group(str(tmp_path / "fit.zarr")).array_keys()) == sorted(found.arrays)  # type: ignore[attr-defined]


def test_a_run_goes_on_over_what_replaced_its_answers_only_if_told(stored: dict[str, str], tmp_path: Path) -> None:
    """Resuming opens what this run wrote; over the group of another run it writes with overwrite=True, as the refusal says."""
    first = ds.lstsq(stored["A"], stored["B"], out_dir=tmp_path / "fit.zarr", journal=tmp_path / "run", cluster="serial")
    wanted = first.x[...]
    ds.ridge(stored["A"], stored["B"], 5.0, out_dir=tmp_path / "fit.zarr", overwrite=True, cluster="serial")
    with pytest.raises(ds.DataError, match="overwrite=True"):
        ds.resume(tmp_path / "run", cluster="serial")
    again = ds.resume(tmp_path / "run", overwrite=True, cluster="serial")
    assert again.x[...].tobytes() == wanted.tobytes()


def test_what_a_fit_does_not_do_is_said() -> None:
    """Tables and checks of so many targets are refused with what to do instead."""
    found = ds.lstsq(A, LACKING, missing="drop")
    assert isinstance(found, ds.TargetFit)
    for refused in (lambda: found.summary(), lambda: ds.check(found.problem, found.x.reshape(2, -1))):
        with pytest.raises(ds.SpecError, match=r"[A-Z]"):
            refused()
    with pytest.raises(ds.SpecError, match="lstsq, ridge can; glm cannot"):
        ds.problems.kind_of({"problem": "glm", "missing": "drop"})
    with pytest.raises(ds.SpecError, match="TargetRegression"):
        ds.LeastSquares(A, B.reshape(N, -1), missing="drop")
    facts = found.to_dict()
    assert facts["arrays"]["x"] == {"shape": [2, *SHAPE], "dtype": "float64"}
    assert "312 of 312 answered" in str(found)


def test_answers_that_fit_nowhere_are_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place, answers beyond memory are a plan that cannot be; the message says where to put them."""
    monkeypatch.setattr(rows, "IN_MEMORY_BYTES", 1000)
    with pytest.raises(ds.PlanError, match="out_dir="):
        ds.lstsq(A, B, missing="drop")


def test_a_plan_says_how_b_is_read(stored: dict[str, str]) -> None:
    """Tiles, readings, memory; twice where what lacks values does not fit."""
    once = ds.plan(ds.TargetRegression(stored["A"], stored["B"], missing="drop"), cluster="serial")
    twice = ds.plan(ds.TargetRegression(stored["A"], stored["lacking"], missing="drop"), cluster="serial")
    assert (once.estimate.passes, twice.estimate.passes) == (1, 2)
    assert "rows at a time" in str(twice)
    assert isinstance(twice.problem.fit, Batch)  # type: ignore[attr-defined]
    with pytest.raises(ds.PlanError, match="a tile of"):
        ds.plan(ds.TargetRegression(stored["A"], stored["B"]), cluster="serial", memory_limit="1MB")
