"""No file outside the declared folders is read, whenever and however a link comes to lead there."""

import json
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import zarr

import dsketch
from dsketch import open_matrix
from dsketch.ingest.csr import write_csr
from dsketch.service.errors import PlaceError
from dsketch.service.places import Roots

ROWS, COLUMNS, CHUNK = 100, 2, 50
SECRET = 666.0

KINDS: dict[str, dict[str, Any]] = {
    "raw": {"compressors": None},
    "zstd": {},
    "column chunks": {"compressors": None, "chunks": (CHUNK, 1)},
    "shards": {"shards": (CHUNK, COLUMNS), "chunks": (10, COLUMNS)},
    "format 2": {"zarr_format": 2, "compressors": None},
}


def write(place: Path, value: float, kind: str) -> Path:
    """Write an array of one value and return its folder."""
    options = {"chunks": (CHUNK, COLUMNS), **KINDS[kind]}
    made = zarr.create_array(str(place), shape=(ROWS, COLUMNS), dtype="f8", **options)
    made[:] = value
    return place


@pytest.fixture
def places(tmp_path: Path) -> tuple[Roots, Path, Path]:
    """Declared places, the data root, and a folder outside."""
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    return Roots.of([str(tmp_path / "root")]), tmp_path / "root", tmp_path / "outside"


def to_outside(array: Path, secret: Path) -> None:
    """Let every chunk be a link to the one outside."""
    for file in [
        path for path in array.rglob("*") if path.is_file() and not path.name.startswith(".") and path.suffix != ".json"
    ]:
        file.unlink()
        file.symlink_to(secret / file.relative_to(array))


def folder_to_outside(array: Path, secret: Path) -> None:
    """Let the array's folder be a link to the one outside."""
    array.rename(array.with_name("moved"))
    array.symlink_to(secret)


def by_two_links(array: Path, secret: Path) -> None:
    """Let it be a link to a folder that is declared, whose files are links out."""
    array.rename(array.with_name("other"))
    to_outside(array.with_name("other"), secret)
    array.symlink_to(array.with_name("other"))


WAYS: list[Callable[[Path, Path], None]] = [to_outside, folder_to_outside, by_two_links]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_link_that_comes_after_opening_is_refused(
    kind: str, way: Callable[[Path, Path], None], places: tuple[Roots, Path, Path]
) -> None:
    """Between the look and the reading files are exchanged: the reading looks too, also in another process."""
    roots, root, outside = places
    array, secret = write(root / "A", 1.0, kind), write(outside / "A", SECRET, kind)
    roots.screen(str(array))
    matrix = open_matrix(roots.open(str(array)))
    assert (matrix.read(0, ROWS) == 1.0).all()
    matrix = pickle.loads(pickle.dumps(matrix))  # noqa: S301 - our own, as a task carries it
    way(array, secret)

    with pytest.raises(PlaceError, match=r"expected to lie under declared places; .* links out of them\. Store a copy"):
        matrix.read(0, ROWS)


def test_links_of_links_are_refused_from_the_start(places: tuple[Roots, Path, Path]) -> None:
    """A folder of chunks that links to a declared folder whose files link out: no look at entries finds it, the reading does."""
    roots, root, outside = places
    array, secret = write(root / "A", 1.0, "raw"), write(outside / "A", SECRET, "raw")
    (array / "c").rename(root / "other")
    (array / "c").symlink_to(root / "other")
    for file in (root / "other").glob("*/0"):
        file.unlink()
        file.symlink_to(secret / "c" / file.relative_to(root / "other"))
    roots.screen(str(array))

    with pytest.raises(PlaceError, match="links out"):
        dsketch.lstsq(roots.open(str(array)), np.ones(ROWS), cluster="serial")


def test_links_between_declared_places_are_followed(places: tuple[Roots, Path, Path], tmp_path: Path) -> None:
    """A link is no crime: what it leads to counts."""
    _, root, outside = places
    roots = Roots.of([str(root), str(outside)])
    array, other = write(root / "A", 1.0, "raw"), write(outside / "A", 2.0, "raw")
    to_outside(array, other)

    assert (open_matrix(roots.open(str(array))).read(0, ROWS) == 2.0).all()


@pytest.mark.parametrize("name", ["zarr.json", ".zarray"])
def test_metadata_elsewhere_are_not_read(name: str, places: tuple[Roots, Path, Path]) -> None:
    """Metadata are files like others: what stands in a foreign one does not come out in a message either."""
    roots, root, outside = places
    array = write(root / "A", 1.0, "raw" if name == "zarr.json" else "format 2")
    (outside / "secret").write_text('{"password": "xyzzy"}')
    (array / name).unlink()
    (array / name).symlink_to(outside / "secret")

    with pytest.raises(PlaceError, match="links out") as caught:
        open_matrix(roots.open(str(array)))
    assert "xyzzy" not in str(caught.value)


def test_every_operand_is_guarded(places: tuple[Roots, Path, Path]) -> None:
    """A, b, weights, and the vectors of a sparse matrix."""
    roots, root, outside = places
    rng = np.random.default_rng(0)
    sparse = scipy.sparse.random_array((ROWS, COLUMNS), density=0.5, format="csr", rng=rng)
    with_parts = root / "csr"
    write_csr(with_parts, sparse)
    vector = zarr.create_array(str(root / "b"), shape=(ROWS,), chunks=(CHUNK,), dtype="f8", compressors=None)
    vector[:] = rng.standard_normal(ROWS)
    A = open_matrix(roots.open(str(with_parts)))
    secret = outside / "b"
    (root / "b").rename(secret)
    (root / "b").symlink_to(secret)
    for operands in ({"b": "b"}, {"weights": "b"}):
        words = {name: roots.open(str(root / place), name) for name, place in operands.items()}
        with pytest.raises(PlaceError, match=f"^{next(iter(operands))} was expected"):
            dsketch.lstsq(A, words.pop("b", np.ones(ROWS)), cluster="serial", **words)
    for part in ("data", "indices", "indptr"):
        (with_parts / part).rename(outside / part)
        (with_parts / part).symlink_to(outside / part)
        with pytest.raises(PlaceError, match="links out"):
            open_matrix(roots.open(str(with_parts))).read(0, ROWS)
        (with_parts / part).unlink()
        (outside / part).rename(with_parts / part)


def test_a_pipe_keeps_nobody_waiting(places: tuple[Roots, Path, Path]) -> None:
    """A pipe in place of a chunk is refused, not opened."""
    roots, root, _ = places
    array = write(root / "A", 1.0, "raw")
    matrix = open_matrix(roots.open(str(array)))
    (array / "c" / "0" / "0").unlink()
    os.mkfifo(array / "c" / "0" / "0")

    with pytest.raises(PlaceError, match="something else"):
        matrix.read(0, ROWS)


@pytest.mark.parametrize("kind", ["raw", "zstd"])
def test_no_moment_lets_a_foreign_byte_through(kind: str, places: tuple[Roots, Path, Path]) -> None:
    """While folders are exchanged for links and back as fast as possible, each reading gives the declared data or an error."""
    roots, root, outside = places
    array, secret = write(root / "A", 1.0, kind), write(outside / "A", SECRET, kind)
    matrix, is_over = open_matrix(roots.open(str(array))), threading.Event()
    link = root / "link"
    link.symlink_to(secret / "c")

    def exchange() -> None:
        while not is_over.is_set():
            (array / "c").rename(root / "aside")
            link.rename(array / "c")
            (array / "c").rename(link)
            (root / "aside").rename(array / "c")

    swapping = threading.Thread(target=exchange)
    swapping.start()
    try:
        for _ in range(1_000):
            try:
                assert not (matrix.read(0, CHUNK) == SECRET).any()
            except (PlaceError, dsketch.DataError, FileNotFoundError):
                continue
    finally:
        is_over.set()
        swapping.join()


def test_absent_and_damaged_data_are_named_as_ever(places: tuple[Roots, Path, Path]) -> None:
    """The store changes no message: nothing there, a file, a lost chunk, damaged metadata."""
    roots, root, _ = places
    array = write(root / "A", 1.0, "raw")
    (root / "table.csv").write_text("1,2")
    (root / "empty").mkdir()
    (root / "damaged").mkdir()
    (root / "damaged" / "zarr.json").write_text("{")
    (array / "c" / "1" / "0").unlink()
    for place, said in (
        ("nowhere", f"A was expected at {root}/nowhere; there is nothing"),
        ("table.csv", "dsketch ingest"),
        ("empty", f"A was expected at {root}/empty; there is no Zarr array"),
        ("damaged", f"A at {root}/damaged cannot be opened"),
    ):
        with pytest.raises(dsketch.DataError, match=said):
            open_matrix(roots.open(str(root / place)))
    with pytest.raises(dsketch.MissingDataError, match="chunk 1 of A is absent"):
        open_matrix(roots.open(str(array))).read(0, ROWS)


def test_a_refusal_comes_back_from_a_worker() -> None:
    """The error has the same sentence after a journey between processes."""
    error = pickle.loads(pickle.dumps(PlaceError("A was expected here; it is there. Move it.")))  # noqa: S301 - our own

    assert isinstance(error, PlaceError)
    assert str(error) == "A was expected here; it is there. Move it."


@pytest.mark.parametrize("where", [".zmetadata", "zarr.json"])
def test_consolidated_metadata_are_screened(where: str, places: tuple[Roots, Path, Path]) -> None:
    """A codec that runs code is refused wherever it is named, nested documents included."""
    roots, root, _ = places
    codec = {"compressor": {"id": "pickle"}} if where == ".zmetadata" else {"codecs": [{"name": "numcodecs.pickle"}]}
    held = {"metadata": {"data/.zarray": {"zarr_format": 2, **codec}}}
    (root / "csr").mkdir()
    (root / "csr" / where).write_text(json.dumps({"consolidated_metadata": held, **held}))

    with pytest.raises(PlaceError, match="pickle"):
        roots.screen(str(root / "csr"))
