"""The format of a stored x: what is marked, what an older or a later version marked, and what is not ours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._results.format import FORMAT
from dsketch._results.output import Output, attributes_of
from dsketch._results.read import read_x
from dsketch.errors import DataError
from dsketch.version import __version__

A = np.eye(6, 2) + 1.0


@pytest.fixture
def x(tmp_path: Path) -> Path:
    """A stored answer."""
    solution = ds.lstsq(A, A @ [1.0, 2.0], progress=False)
    Output(tmp_path / "x.zarr").write(solution.x, attributes_of(solution, None))
    return tmp_path / "x.zarr"


def marked(x: Path, **attributes: Any) -> Path:
    """Return x with other attributes; None takes one out."""
    array = zarr.open_array(x, mode="r+")
    kept = {**array.attrs.asdict(), **attributes}
    array.attrs.put({name: value for name, value in kept.items() if value is not None})
    return x


def test_what_is_stored_says_its_format(x: Path) -> None:
    """Format and version stand with it."""
    attributes = read_x(x).attributes

    assert (attributes["format"], attributes["version"]) == (FORMAT, __version__) == (1, __version__)


def test_no_mark_is_the_first_format(x: Path) -> None:
    """Answers of versions that marked none are read as before."""
    assert np.allclose(ds.predict(marked(x, format=None, version=None), A, progress=False), A @ [1.0, 2.0])


@pytest.mark.parametrize(("version", "words"), [("9.0", "9.0"), (None, r"\(a later version\)")])
def test_a_later_format_is_refused(x: Path, version: str | None, words: str) -> None:
    """With both formats and versions, before anything is predicted from what may mean something else."""
    with pytest.raises(
        DataError, match=rf"format 1 or earlier was expected; .*x\.zarr has format 2, of dsketch {words}\. .*{__version__}"
    ):
        ds.predict(marked(x, format=2, version=version), A, progress=False)


def test_an_array_of_others_may_say_what_it_likes(x: Path) -> None:
    """The attribute ``format`` of what dsketch did not store means nothing to it."""
    assert read_x(marked(x, created_by="me", format="netCDF")).attributes["format"] == "netCDF"
