"""x is written whole or not at all, and over nothing that nobody gave up."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from dsketch.errors import DataError, SpecError
from dsketch.output import Output

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


def test_urls_are_refused() -> None:
    """An object store has no rename, so nothing could be promised."""
    with pytest.raises(SpecError, match="local disk"):
        Output.at("s3://bucket/x.zarr")
