"""A storage that dsketch does not know: a class with the few things that the contract of a matrix asks for."""

import numpy as np
import pytest

import dsketch as ds
from dsketch.matrix.base import AnyArray, Cuts, Matrix, even_cuts
from dsketch.testing.matrices import MatrixTests


class Column(Matrix):
    """A column of numbers that somebody else keeps."""

    dtype = np.dtype(np.float64)

    def __init__(self, values: list[float], *, is_vector: bool) -> None:
        self.shape, self.is_vector, self._values = (len(values), 1), is_vector, values

    @property
    def cuts(self) -> Cuts:
        """Blocks of three rows."""
        return even_cuts(self.shape[0], 3)

    def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
        """Return the rows as a fresh array."""
        del out
        return np.array(self._values[start:stop])[:, None]

    def fingerprint(self) -> str:
        """Return all that there is."""
        return str(self._values)


class TestColumn(MatrixTests):
    """A foreign storage keeps the contract of every matrix."""

    @pytest.fixture
    def pair(self) -> tuple[Matrix, AnyArray]:
        """Return ten numbers, as a vector."""
        return Column([float(number) for number in range(10)], is_vector=True), np.arange(10.0)[:, None]


@pytest.mark.parametrize(("is_vector", "shape"), [(True, (2,)), (False, (2, 1))])
def test_foreign_b_says_whether_it_is_a_vector(is_vector: bool, shape: tuple[int, ...]) -> None:
    """A vector b gives a vector x, also where the storage is not one of ours."""
    A = np.vander(np.arange(5.0), 2)

    x = ds.lstsq(A, Column((A @ [2.0, 1.0]).tolist(), is_vector=is_vector)).x

    assert x.shape == shape
    assert np.allclose(x.ravel(), [2.0, 1.0], rtol=1e-12)
