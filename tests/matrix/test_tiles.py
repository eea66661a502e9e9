"""b cut into tiles of targets: every target once, the same numbers however it is stored, what is absent said or left out."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import zarr

from dsketch.errors import DataError, MissingDataError, SpecError
from dsketch.matrix.open_targets import open_targets
from dsketch.matrix.tiles import Grid, TileMatrix, grid_of

B = np.random.default_rng(0).standard_normal((20, 7, 11))


def store(path: Path, array: np.ndarray, chunks: tuple[int, ...], **more: object) -> str:
    """Return the path of a Zarr array; raw unless told otherwise."""
    made = zarr.create_array(
        str(path),
        shape=array.shape,
        chunks=chunks,
        dtype=array.dtype,
        **{"compressors": None, **more},  # type: ignore[arg-type]
    )
    made[...] = array
    return str(path)


def numbers_of(grid: Grid) -> list[int]:
    """Return the numbers of all targets in the order in which tiles and pieces have them."""
    order = np.arange(np.prod(grid.shape[1:], dtype=int)).reshape(grid.shape[1:])
    boxes = (grid.box_of(number) for number in range(len(grid.cuts) - 1))
    return [int(number) for box in boxes for piece in grid.pieces_of(box) for number in order[piece].ravel()]


@pytest.mark.parametrize("most", [200, 1600, 5000, 10**9])
@pytest.mark.parametrize(
    ("chunks", "codec"), [((20, 7, 11), None), ((5, 2, 3), None), ((1, 7, 11), "auto"), ((20, 3, 11), "auto")]
)
def test_tiles_have_every_target_once(tmp_path: Path, chunks: tuple[int, ...], codec: str | None, most: int) -> None:
    """Pieces of all tiles are all targets, and no chunk of the results belongs to two tiles."""
    grid = grid_of(open_targets(store(tmp_path / "b.zarr", B, chunks, compressors=codec)), most)
    assert sorted(numbers_of(grid)) == list(range(77))
    assert grid.cuts[-1] == 77
    corners = [
        tuple(one.start // size for one, size in zip(piece, grid.piece, strict=True))
        for number in range(len(grid.cuts) - 1)
        for piece in grid.pieces_of(grid.box_of(number))
    ]
    assert len(set(corners)) == len(corners)


@pytest.mark.parametrize("chunks", [(20, 7, 11), (5, 2, 3), (1, 7, 11), (20, 7, 1), (3, 7, 4)])
@pytest.mark.parametrize("codec", [None, "auto"])
def test_boxes_are_the_array(tmp_path: Path, chunks: tuple[int, ...], codec: str | None) -> None:
    """Any box has the numbers of the array, raw or decoded."""
    targets = open_targets(store(tmp_path / "b.zarr", B, chunks, compressors=codec))
    assert targets.is_divisible == (codec is None)
    for (low, high), first, last in itertools.product([(0, 20), (3, 9)], [slice(0, 7), slice(2, 5)], [slice(0, 11), slice(4, 6)]):
        out = np.empty((high - low, first.stop - first.start, last.stop - last.start))
        np.testing.assert_array_equal(targets.read(low, high, (first, last), out), B[low:high, first, last])
        targets.ask_for((first, last))


def test_a_window_has_its_tiles_alone() -> None:
    """What travels with a task are the tiles that it reads."""
    matrix = TileMatrix(open_targets(B), Grid(B.shape, (3, 11), (3, 11), 20))
    window = matrix.window(33, 77)
    np.testing.assert_array_equal(window.read(33, 66), B[:, 3:6].reshape(20, -1).T)
    with pytest.raises(KeyError):
        window.read(0, 33)


def test_how_b_is_cut_follows_its_chunks(tmp_path: Path) -> None:
    """Small chunks are taken together, large raw ones cut, large decoded ones streamed."""
    wide = np.zeros((4, 1000))
    raw = grid_of(open_targets(store(tmp_path / "raw", wide, (4, 1000))), 8000)
    assert raw.is_whole
    assert raw.box == (500,)  # a run in the file is a page at least
    decoded = grid_of(open_targets(store(tmp_path / "decoded", wide, (2, 1000), compressors="auto")), 8000)
    assert (decoded.rows, decoded.box) == (2, (1000,))
    small = grid_of(open_targets(store(tmp_path / "small", wide, (4, 10), compressors="auto")), 8000)
    assert (small.is_whole, small.box) == (True, (250,))


def test_an_absent_chunk_is_an_error_unless_it_means_missing(tmp_path: Path) -> None:
    """Lost data and a chunk of missing values look the same; missing='drop' takes it for the latter where the fill value says so."""
    for fill, codec in itertools.product((np.nan, 0.0), (None, "auto")):
        path = tmp_path / f"{fill}-{codec}.zarr"
        made = zarr.create_array(str(path), shape=(4, 6), chunks=(4, 3), dtype="float64", fill_value=fill, compressors=codec)
        made[:, :3] = 1.0
        out, box = np.empty((4, 6)), (slice(0, 6),)
        for missing in ("error", "drop") if fill == 0 else ("error",):
            with pytest.raises(MissingDataError, match=r"\(0, 1\) of b is absent"):
                open_targets(str(path), missing=missing).read(0, 4, box, out)
        if fill != fill:
            assert np.isnan(open_targets(str(path), missing="drop").read(0, 4, box, out)[:, 3:]).all()
        else:
            assert not open_targets(str(path), missing="fill").read(0, 4, box, out)[:, 3:].any()


def test_a_chunk_of_another_length_is_named(tmp_path: Path) -> None:
    """A truncated raw chunk is refused by its place."""
    path = store(tmp_path / "b.zarr", B, (20, 7, 11))
    (chunk,) = (file for file in (tmp_path / "b.zarr" / "c").rglob("*") if file.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"chunk \(0, 0, 0\) of b .* must have 12320 bytes; it has 12312"):
        open_targets(path).read(0, 20, (slice(0, 7), slice(0, 11)), np.empty(B.shape))


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("nowhere.zarr", MissingDataError, "nothing"),
        (np.zeros((3, 0)), DataError, "rows and targets"),
        (np.zeros((3, 2), complex), DataError, "real numbers"),
        (object(), SpecError, "got object"),
    ],
)
def test_what_is_no_b_is_refused(source: object, error: type[Exception], words: str) -> None:
    """Each with a sentence."""
    with pytest.raises(error, match=words):
        open_targets(source)
