"""Files of NumPy become Zarr arrays."""

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsketch
from dsketch.errors import DataError, SpecError
from dsketch.ingest import ingest
from tests.ingest.files import examples, leftovers, read, read_target


@examples
@given(
    matrix=arrays.arrays(
        st.sampled_from(["f8", "f4", ">f8", "i8", "u1", "?"]),
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=30),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    chunk_bytes=st.integers(1, 2000),
    is_fortran=st.booleans(),
    add_intercept=st.booleans(),
)
def test_npy_comes_back(tmp_path, matrix, chunk_bytes, is_fortran, add_intercept):
    """A matrix of any dtype, order and chunking comes back as the nearest floats, with ones behind it if wanted."""
    np.save(tmp_path / "m.npy", np.asfortranarray(matrix) if is_fortran else matrix)
    done = ingest(tmp_path / "m.npy", tmp_path / "A", add_intercept=add_intercept, chunk_bytes=chunk_bytes, overwrite=True)
    expected = np.column_stack([matrix, np.ones(len(matrix))]) if add_intercept else matrix
    np.testing.assert_array_equal(read(done), expected.astype(np.float64))
    assert done.shape == expected.shape
    assert done.rows_read == len(matrix)


def test_the_module_is_called_as_its_function(tmp_path):
    """``dsketch.ingest(…)`` calls ``dsketch.ingest.ingest``."""
    np.save(tmp_path / "A.npy", np.ones((5, 2)))
    assert dsketch.ingest(tmp_path / "A.npy", tmp_path / "A.zarr").shape == (5, 2)


def test_blocks_and_chunks_need_not_agree(tmp_path):
    """Rows that arrive in several blocks fill chunks of another height, for A and b alike."""
    matrix = np.arange(2_300_000, dtype="f4").reshape(-1, 1) + np.array([0, 0.5], dtype="f4")
    np.save(tmp_path / "m.npy", matrix)
    done = ingest(tmp_path / "m.npy", tmp_path / "A", target="x1", target_to=tmp_path / "b", chunk_bytes=3_333_332, nulls="drop")
    np.testing.assert_array_equal(read(done), matrix[:, :1])
    np.testing.assert_array_equal(read_target(done), matrix[:, 1])


def test_vector_stays_a_vector(tmp_path):
    """A 1-D source gives a 1-D array, as b has to be."""
    np.save(tmp_path / "v.npy", np.arange(5.0))
    np.testing.assert_array_equal(read(ingest(tmp_path / "v.npy", tmp_path / "b")), np.arange(5.0))


def test_npy_target_is_a_numbered_column(tmp_path):
    """Columns without names are x0, x1, …; one of them can be the target, others chosen or dropped."""
    matrix = np.arange(12.0).reshape(3, 4)
    np.save(tmp_path / "m.npy", matrix)
    done = ingest(tmp_path / "m.npy", tmp_path / "A", target="x1", target_to=tmp_path / "b", columns=["x3", "x0"])
    assert done.columns == ("x3", "x0")
    np.testing.assert_array_equal(read(done), matrix[:, [3, 0]])
    np.testing.assert_array_equal(read_target(done), matrix[:, 1])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keys", [("A", "b"), ("X", "y")])
def test_npz_with_matrix_and_target(tmp_path, save, keys):
    """A and b, or X and y, of an .npz go to their two places, compressed and Fortran-ordered too."""
    matrix, target = np.asfortranarray(np.arange(8.0).reshape(4, 2)), np.arange(4)
    save(tmp_path / "m.npz", **{keys[0]: matrix, keys[1]: target.reshape(4, 1)})
    done = ingest(tmp_path / "m.npz", tmp_path / "A", target_to=tmp_path / "b")
    np.testing.assert_array_equal(read(done), matrix)
    np.testing.assert_array_equal(read_target(done), target)
    assert done.dtype == "float64"
    assert not leftovers(tmp_path)


def test_npz_with_one_array(tmp_path):
    """A single array is the matrix, whatever its name."""
    np.savez(tmp_path / "m.npz", weather=np.eye(3))
    np.testing.assert_array_equal(read(ingest(tmp_path / "m.npz", tmp_path / "A")), np.eye(3))


def test_npz_with_unknown_keys_names_them(tmp_path):
    """Arrays whose roles are unclear are refused, with their names."""
    np.savez(tmp_path / "m.npz", left=np.eye(3), right=np.eye(3))
    with pytest.raises(DataError, match="left, right"):
        ingest(tmp_path / "m.npz", tmp_path / "A")


def test_npz_never_loses_the_target_silently(tmp_path):
    """A file with b needs a place for it, or the word to drop it."""
    np.savez(tmp_path / "m.npz", A=np.eye(3), b=np.ones(3))
    with pytest.raises(SpecError, match="target_to"):
        ingest(tmp_path / "m.npz", tmp_path / "A")
    assert ingest(tmp_path / "m.npz", tmp_path / "A", drop=["b"]).target is None


def test_npz_target_of_other_length(tmp_path):
    """A and b must have the same rows."""
    np.savez(tmp_path / "m.npz", A=np.eye(3), b=np.ones(4))
    with pytest.raises(DataError, match=r"3 values .* \(4,\)"):
        ingest(tmp_path / "m.npz", tmp_path / "A", target_to=tmp_path / "b")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((2, 2, 2)), r"\(2, 2, 2\)"),
        (np.ones((0, 3)), "m.npy"),
        (np.ones(2, dtype=complex), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.array([{}], dtype=object), "Python objects"),
    ],
)
def test_npy_that_is_no_real_matrix(tmp_path, array, words):
    """Other shapes and types are refused by name."""
    np.save(tmp_path / "m.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=words):
        ingest(tmp_path / "m.npy", tmp_path / "A")
