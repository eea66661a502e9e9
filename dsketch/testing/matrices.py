"""The contract of a matrix: the same bytes for the same rows however they are cut, a grid that covers, small pickles, honest prints."""

import itertools
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.rows import Rows

LAW = settings(
    deadline=None,
    derandomize=True,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
_SMALL_PICKLE = 20_000  # the most bytes of a pickled matrix that is stored somewhere: it travels with every task


class MatrixTests:
    """What every matrix guarantees; give it and the values it must have as fixture ``pair``."""

    @pytest.fixture
    def pair(self) -> tuple[Matrix, AnyArray]:
        """Return the matrix to test and its values, shape (n, d), in its dtype."""
        raise NotImplementedError

    def test_shape_and_dtype_are_the_values_own(self, pair: tuple[Matrix, AnyArray]) -> None:
        """A matrix has two dimensions, a native dtype and the size that follows from them; a vector has one column."""
        matrix, values = pair

        assert matrix.shape == values.shape
        assert matrix.dtype == values.dtype
        assert matrix.dtype.isnative
        assert matrix.nbytes == values.nbytes if matrix.nonzeros is None else matrix.nbytes > 0
        assert matrix.shape[1] == 1 or not matrix.is_vector

    @LAW
    @given(data=st.data())
    def test_any_window_reads_the_same_bytes(self, pair: tuple[Matrix, AnyArray], data: st.DataObject) -> None:
        """``read(start, stop)`` gives the values' bytes for any rows."""
        matrix, values = pair
        start = data.draw(st.integers(0, values.shape[0] - 1), label="start")
        stop = data.draw(st.integers(start + 1, values.shape[0]), label="stop")

        _same(matrix.read(start, stop), values[start:stop])

    @LAW
    @given(data=st.data())
    def test_any_split_reads_the_same_bytes(self, pair: tuple[Matrix, AnyArray], data: st.DataObject) -> None:
        """However the rows are cut, the pieces make the whole, also when they are read into a buffer that is used again."""
        matrix, values = pair
        n = values.shape[0]
        cuts = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=8), label="cuts")})
        buffer = np.empty_like(values)

        for start, stop in itertools.pairwise(cuts):
            out = buffer if matrix.needs_buffer(start, stop) else None
            _same(matrix.read(start, stop, out), values[start:stop])

    def test_a_buffer_is_filled_where_one_is_asked_for(self, pair: tuple[Matrix, AnyArray]) -> None:
        """Where ``needs_buffer`` says so, the rows lie in ``out`` afterwards: no fresh memory for every block."""
        matrix, values = pair
        start, stop = int(matrix.cuts[0]), int(matrix.cuts[1])
        if not matrix.needs_buffer(start, stop):
            pytest.skip("reads are views")
        out = np.empty((stop - start + 3, values.shape[1]), matrix.dtype)

        found = matrix.read(start, stop, out)

        assert np.shares_memory(found, out)

    def test_opened_rows_are_the_same_bytes(self, pair: tuple[Matrix, AnyArray]) -> None:
        """What a pass looks at, read already or by slices, is what ``read`` gives."""
        matrix, values = pair
        rows = Rows(matrix)
        for start, stop in itertools.pairwise(int(cut) for cut in matrix.cuts):
            for step in (5, stop - start):
                pieces = [_array(piece) for _, piece in rows.block(start, stop).stored_slices(step)]
                _same(np.concatenate(pieces), values[start:stop])

    def test_cuts_increase_and_cover(self, pair: tuple[Matrix, AnyArray]) -> None:
        """The grid runs from 0 to n in steps of at least one row, and is the same every time."""
        matrix, values = pair
        cuts = np.asarray(matrix.cuts)

        assert cuts[0] == 0
        assert cuts[-1] == values.shape[0]
        assert (np.diff(cuts) > 0).all()
        assert np.array_equal(matrix.cuts, cuts)

    def test_blocks_make_the_whole(self, pair: tuple[Matrix, AnyArray]) -> None:
        """Reading block by block gives every row once, in order."""
        matrix, values = pair
        cuts = [int(cut) for cut in matrix.cuts]

        blocks = [_array(matrix.read(start, stop)) for start, stop in itertools.pairwise(cuts)]

        _same(np.concatenate(blocks), values)

    def test_window_reads_by_global_rows(self, pair: tuple[Matrix, AnyArray]) -> None:
        """What travels with a task reads the task's rows under their own numbers, also after a journey."""
        matrix, values = pair
        cuts = [int(cut) for cut in matrix.cuts]
        middle = (len(cuts) - 1) // 2
        start, stop = cuts[middle], cuts[middle + 1]

        window = _send_and_receive(matrix.window(start, stop))

        assert window.shape[1] == values.shape[1]
        for low, high in ((start, stop), (start, start + 1), (stop - 1, stop)):
            _same(window.read(low, high), values[low:high])

    def test_stored_matrices_pickle_small(self, pair: tuple[Matrix, AnyArray]) -> None:
        """A matrix that lies somewhere travels as its address, even when it was read before."""
        matrix, values = pair
        matrix.read(0, values.shape[0])
        if matrix.source is None:
            pytest.skip("the matrix has no address")

        assert len(pickle.dumps(matrix)) < _SMALL_PICKLE
        _same(_send_and_receive(matrix).read(0, values.shape[0]), values)

    def test_fingerprint_is_stable(self, pair: tuple[Matrix, AnyArray]) -> None:
        """The fingerprint is a short text that reading and travelling do not change."""
        matrix, values = pair
        first = matrix.fingerprint()
        matrix.read(0, values.shape[0])

        assert isinstance(first, str)
        assert 8 <= len(first) <= 64
        assert matrix.fingerprint() == first
        assert _send_and_receive(matrix).fingerprint() == first

    def test_threads_may_read_together(self, pair: tuple[Matrix, AnyArray]) -> None:
        """Four threads that read different rows of one matrix at once get their own."""
        matrix, values = pair
        edges = np.unique(np.linspace(0, values.shape[0], 9).astype(int)).tolist()
        spans = list(itertools.pairwise(edges)) * 5

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda span: _array(matrix.read(*span)), spans))

        for (start, stop), rows in zip(spans, found, strict=True):
            _same(rows, values[start:stop])

    def test_describe_is_for_people(self, pair: tuple[Matrix, AnyArray]) -> None:
        """A few words in one line."""
        description = pair[0].describe()

        assert description
        assert "\n" not in description


def _same(found: Any, expected: AnyArray) -> None:
    """Check shape, dtype and bytes (so that −0.0 and NaN count); CSR rows count as the array that they stand for."""
    found = _array(found)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.ascontiguousarray(found).tobytes() == np.ascontiguousarray(expected).tobytes()


def _array(rows: Any) -> AnyArray:
    """Return rows as an array of its own."""
    return np.array(rows.toarray() if scipy.sparse.issparse(rows) else rows)


def _send_and_receive(matrix: Matrix) -> Matrix:
    packed: Matrix = pickle.loads(pickle.dumps(matrix))  # noqa: S301 - our own bytes
    return packed
