"""An excerpt is some runs of rows, read where they lie."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse

from dsketch.engine import SerialEngine
from dsketch.errors import DataError
from dsketch.events import ignore
from dsketch.matrix.beside import Beside
from dsketch.matrix.excerpt import Excerpt
from dsketch.matrix.open import open_matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.gather import Gather

A = np.arange(400.0).reshape(100, 4)
STARTS = (3, 40, 81)
CHOSEN = np.concatenate([np.arange(start, start + 7) for start in STARTS])


@pytest.mark.parametrize("kind", ["array", "stored", "csr"])
def test_runs_are_read_where_they_lie(stored: Any, kind: str) -> None:
    """Whatever the storage and its chunks; the gathered rows are those of the base, the intercept and y beside them."""
    base = {"array": lambda: A, "stored": lambda: stored("A", A, chunk_rows=9), "csr": lambda: scipy.sparse.csr_array(A)}[kind]()
    y = Beside(y=open_matrix(np.arange(100)))
    excerpt = Excerpt(open_matrix(base), STARTS, 7)
    rows = Rows(excerpt, Excerpt(y, STARTS, 7), None, intercept=True)

    found = Gather().finish(SerialEngine(1).run(Look(Gather(), rows), ignore))

    assert excerpt.shape == (21, 4)
    assert excerpt.cuts.tolist() == [0, 7, 14, 21]
    assert np.array_equal(found, np.column_stack([A[CHOSEN], np.ones(21), CHOSEN]))


def test_windows_keep_the_rows() -> None:
    """What a worker is handed reads the same numbers, and errors name rows of the base."""
    y = np.arange(100.0)
    y[42] = np.inf
    excerpt = Excerpt(Beside(y=open_matrix(y)), STARTS, 7)

    assert np.array_equal(excerpt.window(14, 21).read(15, 18), excerpt.read(15, 18))
    with pytest.raises(DataError, match="row 42 is inf"):
        excerpt.read(7, 14)
    assert excerpt.fingerprint() != Excerpt(excerpt.base, STARTS, 6).fingerprint()


def test_what_is_not_finite_is_left_to_the_whole_look() -> None:
    """A gathered NaN is 0: the look at all rows names it by its number."""
    B = A.copy()
    B[4, 1] = np.nan
    rows = Rows(Excerpt(open_matrix(B), STARTS, 7), Excerpt(Beside(y=open_matrix(np.ones(100))), STARTS, 7))

    found = Gather().finish(SerialEngine(1).run(Look(Gather(), rows), ignore))

    assert found[1].tolist() == [16.0, 0.0, 18.0, 19.0, 1.0]
