"""Predictions of a model that was solved with an offset: by the offset of the new rows, or at 0, and then this is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from scipy.sparse import csr_array

import dsketch as ds
from dsketch._results.output import Output, attributes_of
from dsketch.events import Note
from tests.command_line import run

random = np.random.default_rng(2)
A, OFFSET = random.standard_normal((300, 3)), random.standard_normal(300)
Y = random.poisson(np.exp(A @ [0.3, -0.2, 0.1] + OFFSET)).astype(float)
NEW, ITS = random.standard_normal((50, 3)), random.standard_normal(50)
SOLVED = ds.solve(ds.GLM(A, Y, family="poisson", offset=OFFSET, intercept=True), cluster="serial", progress=False)
MEANS = np.exp(NEW @ SOLVED.x[:-1] + SOLVED.x[-1])


def notes_of(**options: Any) -> list[str]:
    """Return what is said while new rows are predicted."""
    told: list[Any] = []
    SOLVED.predict(NEW, cluster="serial", progress=told.append, **options)
    return [event.text for event in told if isinstance(event, Note)]


def test_the_offset_of_new_rows_is_added() -> None:
    """To dense and sparse rows, in memory and from Zarr; a column is a vector."""
    for rows in (NEW, csr_array(NEW), zarr.array(NEW, chunks=(7, 3))):
        for offset in (ITS, ITS[:, None], zarr.array(ITS, chunks=(11,))):
            found = SOLVED.predict(rows, offset=offset, cluster="serial", progress=False)
            np.testing.assert_allclose(found, MEANS * np.exp(ITS), rtol=1e-13)


def test_without_one_it_is_said() -> None:
    """At offset 0, with a sentence; with an offset, or of a model that had none, there is nothing to say."""
    assert any("solved with an offset" in note for note in notes_of())
    assert not notes_of(offset=ITS)
    plain = ds.solve(ds.GLM(A, Y, family="poisson"), cluster="serial", progress=False)
    told: list[Any] = []
    plain.predict(NEW, cluster="serial", progress=told.append)
    assert not [event for event in told if isinstance(event, Note)]


def test_an_offset_that_does_not_fit_is_refused() -> None:
    """Of another length, or for an answer that predicts without one."""
    with pytest.raises(ds.DataError, match="each of the 50 new rows"):
        SOLVED.predict(NEW, offset=ITS[:-1], cluster="serial", progress=False)
    with pytest.raises(ds.SpecError, match="generalised linear models"):
        ds.predict(np.ones(3), NEW, offset=ITS, cluster="serial", progress=False)
    classes = ds.solve(ds.Multinomial(A, np.arange(300) % 3), cluster="serial", progress=False)
    with pytest.raises(ds.SpecError, match="Leave it out"):
        classes.predict(NEW, offset=ITS, cluster="serial", progress=False)


def test_the_command_line_takes_it(tmp_path: Path) -> None:
    """``--offset``; without it the sentence stands on standard error."""
    Output.at(tmp_path / "x.zarr").write(SOLVED.x, attributes_of(SOLVED, None))
    for name, array in {"new": NEW, "its": ITS}.items():
        zarr.create_array(store=str(tmp_path / f"{name}.zarr"), data=array)
    words = [
        "predict",
        tmp_path / "x.zarr",
        tmp_path / "new.zarr",
        "--scheduler",
        "serial",
        "--overwrite",
        "--out",
        tmp_path / "p.zarr",
    ]

    without = run(*map(str, words))
    assert without.exit_code == 0
    assert "solved with an offset" in without.stderr
    np.testing.assert_allclose(zarr.open_array(tmp_path / "p.zarr")[...], MEANS, rtol=1e-13)
    given = run(*map(str, words), "--offset", str(tmp_path / "its.zarr"))
    assert "solved with an offset" not in given.stderr
    np.testing.assert_allclose(zarr.open_array(tmp_path / "p.zarr")[...], MEANS * np.exp(ITS), rtol=1e-13)
