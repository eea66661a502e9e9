"""``dsketch info`` of a group of answers: which arrays, of how many targets, the worst certificate."""

from pathlib import Path

import numpy as np
import pytest
import zarr

import dsketch as ds
from dsketch._inspect import answers_at
from tests.command_line import found, good


@pytest.fixture
def fit(tmp_path: Path) -> str:
    """Return the path of answers of six targets, one of which has no value."""
    rng = np.random.default_rng(0)
    b = rng.standard_normal((20, 2, 3))
    b[:, 0, 0] = np.nan
    ds.lstsq(rng.standard_normal((20, 2)), b, missing="drop", out_dir=tmp_path / "fit.zarr", cluster="serial")
    return str(tmp_path / "fit.zarr")


def test_a_group_of_answers_says_what_it_holds(fit: str) -> None:
    """For people and as JSON: arrays, targets, how many are answered, the worst backward error."""
    said = good("info", fit).stdout
    assert "targets  6, 5 of them answered" in said
    assert "array    x, 2 × 2 × 3 float64" in said
    told = found("info", fit)
    assert told["worst"] == max(np.nanmax(zarr.open_group(fit)["backward_error"][...]), 0.0)
    assert set(told["arrays"]) == set(zarr.open_group(fit).array_keys())


def test_other_groups_are_none(tmp_path: Path) -> None:
    """A group of somebody else, an array, and nothing are no answers."""
    zarr.create_group(str(tmp_path / "group.zarr")).create_array("x", shape=3, dtype="f8")
    zarr.create_array(str(tmp_path / "array.zarr"), shape=3, dtype="f8")
    assert [answers_at(tmp_path / name) for name in ("group.zarr", "array.zarr", "nothing")] == [None] * 3


def test_answers_of_an_interrupted_writer_are_refused(fit: str) -> None:
    """What is marked as not complete is said."""
    zarr.open_group(fit).update_attributes({"complete": False})
    with pytest.raises(ds.DataError, match="interrupted"):
        answers_at(fit)
