"""x is written whole or not at all, and over nothing that nobody gave up."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from dsketch._results.output import Output
from dsketch._results.remote import create_array
from dsketch.errors import DataError, SpecError
from dsketch.matrix.open import open_matrix

X = np.arange(6.0).reshape(3, 2) / 7
SUFFIXES = pytest.mark.parametrize("suffix", [".zarr", ".npy"])


def read(path: Path) -> np.ndarray:
    """Read x back."""
    return np.load(path) if path.suffix == ".npy" else zarr.open_array(path, mode="r")[...]


def leftovers(folder: Path) -> list[str]:
    """Return temporaries."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@SUFFIXES
@pytest.mark.parametrize("x", [X, X[:, 0], np.zeros(4)], ids=["matrix", "vector", "zeros"])
def test_x_comes_back(tmp_path: Path, suffix: str, x: np.ndarray) -> None:
    """Every bit and the shape come back; folders above are made, nothing else is left."""
    output = Output.at(tmp_path / "new" / f"x{suffix}")
    output.probe(x.nbytes)
    output.write(x, {"status": "solved"})
    np.testing.assert_array_equal(read(output.path), x)
    assert leftovers(output.path.parent) == []


def test_a_zarr_output_says_what_it_is(tmp_path: Path) -> None:
    """The attributes are stored with x, and every chunk is on the disk, zeros too."""
    Output.at(tmp_path / "x.zarr").write(np.zeros(3), {"status": "solved", "backward_error": [1e-17]})
    stored = zarr.open_array(tmp_path / "x.zarr", mode="r")
    assert stored.attrs.asdict() == {"status": "solved", "backward_error": [1e-17]}
    assert stored.nchunks_initialized == stored.nchunks


@SUFFIXES
def test_an_existing_output_is_kept_unless_given_up(tmp_path: Path, suffix: str) -> None:
    """Without overwrite neither probe nor write touches it; with overwrite it is replaced."""
    path = tmp_path / f"x{suffix}"
    Output.at(path).write(X, {})
    with pytest.raises(DataError, match="exists"):
        Output.at(path).probe(X.nbytes)
    with pytest.raises(DataError, match="exists"):
        Output.at(path).write(X + 1, {})
    np.testing.assert_array_equal(read(path), X)
    Output.at(path, overwrite=True).probe(X.nbytes)
    np.testing.assert_array_equal(read(path), X)
    Output.at(path, overwrite=True).write(X + 1, {})
    np.testing.assert_array_equal(read(path), X + 1)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["x.zarr", "x.npy"])
def test_something_else_is_never_replaced(tmp_path: Path, name: str) -> None:
    """To overwrite means an earlier x, not a folder of photographs."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "photo").write_text("smile")
    with pytest.raises(DataError, match="something else"):
        Output.at(tmp_path / name, overwrite=True).probe(8)
    assert (tmp_path / name / "photo").read_text() == "smile"


def test_data_cannot_be_overwritten_by_x(tmp_path: Path) -> None:
    """An output that is A, lies in A, or holds A is refused even with overwrite."""
    A = tmp_path / "data" / "A.zarr"
    Output.at(A).write(X, {})
    for place in (A, A / "x.npy", A.parent):
        with pytest.raises(SpecError, match="overlap"):
            Output.at(place, overwrite=True).probe(8, [str(A), None, "s3://bucket/b"])


@SUFFIXES
@pytest.mark.parametrize("place", ["file/x", "/proc/x"])
def test_a_place_that_cannot_be_written_is_found_by_the_probe(tmp_path: Path, place: str, suffix: str) -> None:
    """A file for a folder, or a file system that takes no files, is one clear error that names the path."""
    (tmp_path / "file").write_text("")
    path = tmp_path / f"{place}{suffix}"  # an absolute place replaces tmp_path
    with pytest.raises(DataError, match=str(path)):
        Output.at(path).probe(8)


def test_a_url_holds_an_array_that_says_whether_it_is_complete() -> None:
    """Behind a URL nothing can be renamed: a mark is true only when the last chunk is there."""
    url = "memory://bucket/whole.zarr"
    output = Output.at(url)
    output.probe(X.nbytes, ["s3://bucket/A.zarr", None])
    output.write(X, {"status": "solved"})
    stored = zarr.open_array(url, mode="r")
    np.testing.assert_array_equal(stored[...], X)
    assert stored.attrs.asdict() == {"status": "solved", "complete": True}
    with pytest.raises(DataError, match="exists"):
        output.probe(X.nbytes)
    with pytest.raises(DataError, match="exists"):
        output.write(X, {})
    Output.at(url, overwrite=True).write(X + 1, {})
    np.testing.assert_array_equal(zarr.open_array(url, mode="r")[...], X + 1)


def test_what_a_crash_leaves_behind_a_url_is_refused_and_replaced() -> None:
    """An array that was begun and not ended is no matrix; the next writer may have its place without being told."""
    url = "memory://bucket/half.zarr"
    output = Output.at(url)
    with output.fill(X.shape, 1, {}) as array:
        array[0] = 1.0
        with pytest.raises(DataError, match="must be complete"):
            open_matrix(url)
        array[1:] = 1.0  # a crash would have come before
    assert open_matrix(url).shape == X.shape

    with pytest.raises(RuntimeError, match="crash"), Output.at(url, overwrite=True).fill(X.shape, 1, {}):
        raise RuntimeError("crash")
    with pytest.raises(DataError, match="no Zarr array"):
        open_matrix(url)
    create_array(url, X.shape, 1, {"complete": False})  # as a killed process leaves it
    output.write(X, {})
    np.testing.assert_array_equal(open_matrix(url).read(0, 3), X)


def test_urls_that_cannot_be_are_refused() -> None:
    """A NumPy file has no chunks to be put behind a URL; data are not overwritten there either."""
    with pytest.raises(SpecError, match="local disk"):
        Output.at("s3://bucket/x.npy")
    for other in ("memory://bucket/A.zarr", "memory://bucket", "memory://bucket/A.zarr/x.zarr"):
        with pytest.raises(SpecError, match="overlap"):
            Output.at("memory://bucket/A.zarr", overwrite=True).probe(8, [other])


def test_a_result_with_as_many_rows_as_data_is_written_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """x of a kernel has n rows: chunks of bounded size, all of them there, zeros too."""
    monkeypatch.setattr("dsketch._results.output._CHUNK_BYTES", 160)
    x = np.concatenate([np.zeros((50, 2)), np.ones((3, 2))])
    Output.at(tmp_path / "x.zarr").write(x, {})
    stored = zarr.open_array(tmp_path / "x.zarr", mode="r")
    assert stored.chunks == (10, 2)
    assert stored.nchunks_initialized == stored.nchunks
    np.testing.assert_array_equal(stored[...], x)


def test_more_than_the_disk_has_is_found_by_the_probe(tmp_path: Path) -> None:
    """A result larger than what is free is refused with both numbers, and no file is written to find out."""
    with pytest.raises(DataError, match=r"are needed and .* are free"):
        Output.at(tmp_path / "x.zarr").probe(10**18)
    assert list(tmp_path.iterdir()) == []
