"""Parts beside each other: one block of numbers, each part answerable for its own."""

from typing import Any

import numpy as np
import pytest

from dsketch.errors import DataError
from dsketch.matrix.beside import Beside
from dsketch.matrix.open import open_matrix


def parts(**given: Any) -> Beside:
    """Return parts beside each other, opened."""
    return Beside(**{name: open_matrix(part, what=name) for name, part in given.items()})


def test_columns_are_the_parts_in_order(stored: Any) -> None:
    """Whatever their dtypes and chunks."""
    y, w = np.arange(50), np.linspace(0, 1, 50).astype(np.float32)
    beside = parts(y=stored("y", y[:, None], chunk_rows=7), weights=w)

    assert beside.shape == (50, 2)
    assert np.array_equal(beside.read(3, 20), np.column_stack([y, w.astype(float)])[3:20])
    assert beside.nbytes == y.nbytes + w.nbytes
    block = beside.read(0, 4)
    assert np.array_equal(beside.places.of("weights", block), w[:4].astype(float))
    assert beside.places.of("offset", block) is None


def test_weights_and_frequencies_multiply() -> None:
    """A row counts weight times frequency; without either nobody multiplies."""
    beside = parts(y=[0.0, 1.0], weights=[2.0, 3.0], frequencies=[5, 7])

    assert np.array_equal(beside.places.weight(beside.read(0, 2)), [10.0, 21.0])
    assert parts(y=[1.0]).places.weight(np.ones((1, 1))) is None


def test_windows_and_fingerprints_are_the_parts_own() -> None:
    """A window reads the same rows by their global numbers; another part is another fingerprint."""
    beside = parts(y=np.arange(9.0), offset=np.ones(9))

    assert np.array_equal(beside.window(4, 8).read(5, 7), beside.read(5, 7))
    assert beside.fingerprint() != parts(y=np.arange(9.0), weights=np.ones(9)).fingerprint()
    assert beside.futures() == []
    assert np.array_equal(beside.holding([]).read(0, 9), beside.read(0, 9))


@pytest.mark.parametrize(("name", "bad", "text"), [
    ("offset", np.inf, r"offset must be finite; row 3 is inf"),
    ("y", np.nan, r"y must be finite; row 3 is nan"),
    ("weights", -1.0, r"weights must be ≥ 0; row 3 has -1"),
    ("frequencies", -2, r"frequencies must be ≥ 0; row 3 has -2"),
])  # fmt: skip
def test_a_bad_number_is_named(name: str, bad: float, text: str) -> None:
    """With the part and the global row."""
    values = np.ones(6, dtype=np.int64 if isinstance(bad, int) else np.float64)
    values[3] = bad
    given = {"y": np.ones(6), name: values}

    with pytest.raises(DataError, match=text):
        parts(**given).read(2, 6)


def test_parts_must_fit() -> None:
    """One column each, and as many rows as the first."""
    with pytest.raises(DataError, match=r"weights must have one row for each of the 3 rows of y; its shape is \(2, 1\)"):
        parts(y=np.ones(3), weights=np.ones(2))
    with pytest.raises(DataError, match=r"offset must be one number a row; its shape is \(3, 2\)"):
        parts(y=np.ones(3), offset=np.ones((3, 2)))
