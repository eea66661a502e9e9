"""resume writes x where solve was told to, and a journal is of the columns that it began with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

import dsketch as ds
from dsketch._cli import main
from dsketch.engine.journal import Journal
from tests.engine.unchained import unchain

A = np.random.default_rng(0).standard_normal((40, 2))
B = A @ [1.0, 2.0]


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """A and b in Zarr, A with names."""
    for name, values in (("A", A), ("b", B)):
        array = zarr.create_array(str(tmp_path / f"{name}.zarr"), shape=values.shape, chunks=values.shape, dtype="f8")
        array[...] = values
        array.attrs["columns"] = ["u", "v"][: values.ndim]
    return [str(tmp_path / "A.zarr"), str(tmp_path / "b.zarr")]


def run(*words: Any) -> Any:
    """Run the command line; return its result, which must be good."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done


def interrupted(*given: Any, **choices: Any) -> None:
    """Stop as Ctrl-C does."""
    raise KeyboardInterrupt


def other(path: Path) -> None:
    """Put something else there."""
    zarr.create_array(str(path), data=np.ones(2), overwrite=True)


@pytest.mark.parametrize("name", ["x.zarr", "x.npy"])
def test_resume_writes_where_solve_was_told_to(tmp_path: Path, paths: list[str], name: str, monkeypatch: Any) -> None:
    """After an interruption the place is known, whatever the folder; --out says otherwise, and that is then the place."""
    journal, out = tmp_path / "run", tmp_path / name
    monkeypatch.setattr("dsketch._results.run.Run.solve", interrupted)
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(main, ["solve", "lstsq", *paths, "--journal", str(journal), "--out", name])
    assert not out.exists()
    monkeypatch.undo()

    done = run("resume", journal)
    np.testing.assert_allclose(ds.predict(out, np.eye(2)), [1.0, 2.0])
    assert "x           in " in done.stdout

    run("resume", journal, "--out", tmp_path / "other.zarr")
    assert (tmp_path / "other.zarr").exists()


def test_a_finished_run_is_left_where_it_is(tmp_path: Path, paths: list[str]) -> None:
    """Resuming once more finds x in its place; something else there is not replaced, but said."""
    journal, out = tmp_path / "run", tmp_path / "x.zarr"
    run("solve", "lstsq", *paths, "--journal", journal, "--out", out)
    before = (out / "zarr.json").stat().st_mtime_ns

    assert "x           in " in run("resume", journal).stdout
    assert (out / "zarr.json").stat().st_mtime_ns == before
    other(out)
    done = run("resume", journal)
    assert "holds something else than this x and is left as it is" in done.stderr
    assert "x           u " in done.stdout
    run("resume", journal, "--overwrite")
    np.testing.assert_allclose(zarr.open_array(str(out))[...], [1.0, 2.0])


def test_leave_to_overwrite_is_kept(tmp_path: Path, paths: list[str]) -> None:
    """What solve might replace, resume may."""
    journal, out = tmp_path / "run", tmp_path / "x.zarr"
    other(out)
    run("solve", "lstsq", *paths, "--journal", journal, "--out", out, "--overwrite")
    other(out)

    run("resume", journal)
    np.testing.assert_allclose(zarr.open_array(str(out))[...], [1.0, 2.0])


def test_another_run_does_not_move_the_place(tmp_path: Path, paths: list[str]) -> None:
    """A solve that the journal refuses leaves the place alone."""
    journal = tmp_path / "run"
    run("solve", "lstsq", *paths, "--journal", journal, "--out", tmp_path / "x.zarr")
    words = ["solve", "ridge", *paths, "--journal", str(journal), "--out", str(tmp_path / "y.zarr")]

    assert CliRunner().invoke(main, words).exit_code != 0
    assert Journal(journal).read_out() == (str(tmp_path / "x.zarr"), False)


def test_nothing_said_is_nothing_kept(tmp_path: Path, paths: list[str]) -> None:
    """Without --out x is printed, then and later."""
    run("solve", "lstsq", *paths, "--journal", tmp_path / "run")

    assert Journal(tmp_path / "run").read_out() is None
    assert "x           u " in run("resume", tmp_path / "run").stdout


def test_a_journal_is_of_its_columns(tmp_path: Path, paths: list[str]) -> None:
    """Other names of the same numbers are another run; a journal from before names were kept is taken."""
    journal = tmp_path / "run"
    run("solve", "lstsq", *paths, "--journal", journal)
    header = json.loads((journal / "header.json").read_text())
    assert header["columns"] == {"columns": ["u", "v"]}
    zarr.open_array(paths[0]).attrs["columns"] = ["v", "u"]

    with pytest.raises(ds.JournalError, match=r"columns are 'u', 'v'.*this run's are 'v', 'u'"):
        ds.resume(journal)
    unchain(journal)
    header = json.loads((journal / "header.json").read_text())
    del header["columns"]
    (journal / "header.json").write_text(json.dumps(header))
    assert ds.resume(journal).names == ("v", "u")


@pytest.mark.parametrize("kind", ["lstsq", "ridge"])
def test_a_run_with_shifted_columns_has_one_journal(tmp_path: Path, paths: list[str], kind: str) -> None:
    """The journal that keeps the place of x is that of the passes, also where columns are shifted beside an intercept."""
    array = zarr.open_array(paths[0], mode="r+")
    far = A + np.array([1.7e9, 0.0])
    array[...] = far
    journal, out = tmp_path / "run", tmp_path / "x.zarr"
    run("solve", kind, *paths, "--intercept", "--journal", journal, "--out", out)
    run("resume", journal)
    bits = np.asarray(zarr.open_array(str(out))[...])

    run("resume", journal, "--out", tmp_path / "again.zarr")
    np.testing.assert_array_equal(zarr.open_array(str(tmp_path / "again.zarr"))[...], bits)
    if kind == "lstsq":
        np.testing.assert_allclose(ds.predict(out, far), B, atol=1e-6)
