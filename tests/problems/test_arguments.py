"""One number or several, from Python, a text or a file: the same array, or a sentence."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr

from dsketch.errors import DataError, SpecError
from dsketch.problems.arguments import as_numbers, jsonable_numbers

WANTED = np.array([1.0, 0.0, -2.5])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the numbers in a NumPy file and in a Zarr array."""
    np.save(tmp_path / "p.npy", WANTED)
    zarr.create_array(store=str(tmp_path / "p.zarr"), data=WANTED)
    return tmp_path


def test_numbers_are_the_same_from_everywhere(files: Path) -> None:
    """A list, an array, a text with commas, files by text or path, an earlier answer."""
    for given in (
        [1, 0, -2.5],
        WANTED.astype(np.float32),
        "1,0,-2.5",
        " 1, 0 ,-25e-1",
        str(files / "p.npy"),
        files / "p.npy",
        str(files / "p.zarr"),
        SimpleNamespace(x=WANTED),
    ):
        assert np.array_equal(as_numbers("alpha", given, (3,), "Leave it out."), WANTED)


def test_one_number_stands_for_all() -> None:
    """As a number, as a text, in a list of one."""
    for given in (0.5, "0.5", [0.5], np.float64(0.5)):
        assert as_numbers("alpha", given, (2, 2), "Leave it out.").tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_a_flat_list_fills_a_matrix_row_by_row() -> None:
    """What a form or a command line can say of a matrix; one of the other shape is refused."""
    assert as_numbers("start", "1,2,3,4,5,6", (3, 2), "Leave it out.").tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    with pytest.raises(
        SpecError, match=r"start must be one number, or of shape \(3, 2\); it has shape \(2, 3\)\. Leave it out\."
    ):
        as_numbers("start", np.ones((2, 3)), (3, 2), "Leave it out.")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([1.0, np.nan, 3.0], "must be finite; got nan"),
        ([1.0, 2.0], r"it has shape \(2,\)"),
        ([[1.0], [2.0, 3.0]], "must be numbers"),
        (object(), "must be numbers"),
        ("1,two,3", "is neither"),
        ("/nowhere/p.npy", "is neither .FileNotFoundError"),
        ("", "is neither"),
    ],
)
def test_what_is_no_number_is_said(given: Any, said: str) -> None:
    """The name, what was expected, what was found, and what to do."""
    with pytest.raises(SpecError, match=rf"^alpha .*{said}.*Leave it out\.$"):
        as_numbers("alpha", given, (3,), "Leave it out.")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (0.5, 0.5),
        ([1, None], [1.0, None]),
        (np.array([[1.0, np.inf], [-np.inf, 2.0]]), [[1.0, None], [None, 2.0]]),
        ("-inf", None),
        (SimpleNamespace(x=WANTED), WANTED.tolist()),
    ],
)
def test_a_document_has_null_for_an_infinity(given: Any, said: Any) -> None:
    """As JSON has none; what is not a number at all is refused before it is sent."""
    assert jsonable_numbers("lower", given, "Leave it out.") == said
    with pytest.raises(SpecError, match="lower must be numbers; got nan"):
        jsonable_numbers("lower", [1.0, np.nan], "Leave it out.")


def test_what_is_masked_is_no_number() -> None:
    """A masked array keeps some number below the mask, which nobody meant."""
    with pytest.raises(DataError, match="start"):
        as_numbers("start", np.ma.array(WANTED, mask=[False, True, False]), (3,), "Leave it out.")


def test_a_pickle_is_not_unpacked(tmp_path: Path) -> None:
    """A NumPy file of objects could run what it holds; it is refused."""
    np.save(tmp_path / "p.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(SpecError, match="is neither"):
        as_numbers("alpha", tmp_path / "p.npy", (2,), "Leave it out.")
