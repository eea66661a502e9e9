"""Absent chunks are named whatever the fill value is, wherever they were to be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BytesCodec, ShardingCodec, ZstdCodec

import dsketch as ds
from dsketch._inspect import inspect
from dsketch.errors import DataError, MissingDataError
from tests.matrix.csr import sparse
from tests.matrix.stored import WAYS, chunk_files

N, D = 103, 7
NUMBERS = np.random.default_rng(0).integers(1, 100, (N, D)).astype(float)

FILLS: dict[str, Any] = {"null": None, "NaN": np.nan, "minus zero": -0.0, "infinity": np.inf, "-9999": -9999.0}
LOST = [(way, fill) for way in sorted(WAYS) for fill in FILLS if fill != "null" or WAYS[way].get("zarr_format") == 2]


def write(path: Path, array: np.ndarray, **options: Any) -> str:
    """Write every chunk of an array and return its path."""
    options = {"config": {"write_empty_chunks": True}, **options}
    zarr.create_array(store=str(path), shape=array.shape, dtype=array.dtype, **options)[:] = array
    return str(path)


def lose(path: str) -> str:
    """Remove the second chunk, or the only one."""
    chunk_files(path)[:2][-1].unlink()
    return path


@pytest.mark.parametrize(("way", "fill"), LOST)
def test_lost_chunk_is_named_whatever_the_fill_value(way: str, fill: str, tmp_path: Path) -> None:
    """A chunk that is gone is missing data, never zeros and never cells to impute."""
    path = lose(write(tmp_path / "A.zarr", NUMBERS, fill_value=FILLS[fill], **WAYS[way]))

    with pytest.raises(MissingDataError, match=r"chunk \d of A is absent"):
        ds.open_matrix(path).read(0, N)


@pytest.mark.parametrize("compressors", [None, ZstdCodec()], ids=["raw", "zstd"])
@pytest.mark.parametrize(
    ("dtype", "fill"), [("f8", np.nan), ("f4", np.nan), ("i4", None), ("u1", None), ("bool", None), ("f8", None)]
)
def test_lost_chunk_is_named_in_every_dtype(dtype: str, fill: Any, compressors: Any, tmp_path: Path) -> None:
    """The same for floats, integers and booleans."""
    options: dict[str, Any] = {} if fill is not None else {"zarr_format": 2}
    if fill is not None or compressors is None:  # else format 2 takes its own default
        options["compressors"] = compressors
    path = write(tmp_path / "A.zarr", np.ones((N, D), dtype), chunks=(20, D), fill_value=fill, **options)

    with pytest.raises(MissingDataError, match="chunk 1 of A is absent"):
        ds.open_matrix(lose(path)).read(0, N)


@pytest.mark.parametrize("way", ["v2 raw", "v2 compressed"])
def test_nothing_is_filled_where_the_fill_value_is_null(way: str, tmp_path: Path) -> None:
    """With missing='fill' there must be something to fill with; an array without a loss is read all the same."""
    path = write(tmp_path / "A.zarr", NUMBERS, fill_value=None, **WAYS[way])
    assert np.array_equal(ds.open_matrix(path, missing="fill").read(0, N), NUMBERS)

    with pytest.raises(MissingDataError, match=r"chunk 1 of A is absent .*missing='fill' needs a fill value.*null"):
        ds.lstsq(lose(path), np.ones(N), missing="fill")


@pytest.mark.parametrize("way", ["raw", "zstd", "sharded", "column chunks"])
def test_stored_nans_are_nans(way: str, tmp_path: Path) -> None:
    """A chunk that is there and holds nothing but NaN is data that is not finite, not lost data."""
    numbers = NUMBERS.copy()
    numbers[20:40] = np.nan
    path = write(tmp_path / "A.zarr", numbers, fill_value=np.nan, **WAYS[way])

    with pytest.raises(DataError, match="A must be finite; row 20, column 0 is nan") as caught:
        ds.lstsq(path, np.ones(N))
    assert not isinstance(caught.value, MissingDataError)


@pytest.mark.parametrize("place", ["A", "b", "weights", "rows to predict", "rows to check"])
def test_every_operand_is_looked_at(place: str, tmp_path: Path) -> None:
    """A lost chunk of NaN fill is named in whatever belongs to the rows, on every way in."""
    vector = place in ("b", "weights")
    numbers = NUMBERS[:, 0] if vector else NUMBERS
    path = lose(write(tmp_path / "z.zarr", numbers, chunks=(20, D)[: numbers.ndim], fill_value=np.nan))
    ones = np.ones(N)
    ask = {
        "A": lambda: ds.ridge(path, ones, 1.0),
        "b": lambda: ds.lstsq(NUMBERS, path),
        "weights": lambda: ds.lstsq(NUMBERS, ones, weights=path),
        "rows to predict": lambda: ds.predict(np.ones(D), path),
        "rows to check": lambda: ds.check(ds.LeastSquares(path, ones), np.ones(D)),
    }[place]

    with pytest.raises(MissingDataError, match=r"chunk 1 of .* is absent"):
        ask()


@pytest.mark.parametrize("name", ["data", "indices", "indptr"])
def test_parts_of_csr_are_looked_at(name: str, tmp_path: Path) -> None:
    """A lost chunk of any of the three arrays in format 2 with a null fill value."""
    held = sparse().tocsr()
    group = zarr.open_group(tmp_path / "C.zarr", mode="w", zarr_format=2)
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": list(held.shape)})
    for part in ("data", "indices", "indptr"):
        write(tmp_path / "C.zarr" / part, getattr(held, part), chunks=(100,), zarr_format=2, fill_value=None)
    lose(str(tmp_path / "C.zarr" / name))

    with pytest.raises(MissingDataError, match=f"chunk 1 of A/{name} is absent"):
        ds.lstsq(str(tmp_path / "C.zarr"), np.ones(held.shape[0]))


@pytest.mark.parametrize("fill", [0.0, np.nan])
@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("columns", [D, 4])
def test_inner_chunk_that_a_shard_leaves_out_is_named(fill: float, location: str, columns: int, tmp_path: Path) -> None:
    """A shard that is there but holds no inner chunk for some rows is as incomplete as a folder without a file."""
    codec = ShardingCodec(chunk_shape=(10, columns), codecs=[BytesCodec(), ZstdCodec()], index_location=location)
    options: dict[str, Any] = {
        "chunks": (20, 2 * columns if columns < D else D),
        "serializer": codec,
        "compressors": None,
        "fill_value": fill,
    }
    numbers = NUMBERS.copy()
    numbers[30:40] = fill
    left_out = write(tmp_path / "A.zarr", numbers, config={"write_empty_chunks": False}, **options)
    with pytest.raises(MissingDataError, match=r"chunk 3 of A is absent \(from the shard .*c/1/0"):
        ds.open_matrix(left_out).read(0, N)

    written = write(tmp_path / "B.zarr", numbers, **options)
    assert np.array_equal(ds.open_matrix(written).read(0, N), numbers, equal_nan=True)


@pytest.mark.parametrize(("fill", "words"), [(None, "nothing can stand for them"), (np.nan, "impute"), (0.0, "--missing fill")])
def test_info_advises_what_can_be_done(fill: Any, words: str, tmp_path: Path) -> None:
    """``--missing fill`` is advised only where it gives numbers."""
    path = lose(write(tmp_path / "A.zarr", NUMBERS, chunks=(20, D), fill_value=fill, zarr_format=2))

    assert words in inspect(path).advice[0].remedy
