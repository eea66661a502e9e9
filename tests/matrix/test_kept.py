"""What memory keeps of blocks from pass to pass: the stored numbers, written once, where they stay."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import BytesCodec, ZstdCodec

import dsketch
from dsketch.engine.panels import merge_parts, tasks_of
from dsketch.engine.stream import run_task
from dsketch.errors import DataError
from dsketch.matrix.base import AnyArray, Matrix
from dsketch.matrix.cache import BLOCKS, BlockCache
from dsketch.matrix.raw import PackedRows
from dsketch.matrix.regrid import Recut
from dsketch.matrix.rows import Rows
from dsketch.passes import Gram

N, D, CUTS = 90, 4, [0, 20, 40, 80, 90]


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockCache]:
    """The cache of this process, with room."""
    BLOCKS.clear()
    monkeypatch.setattr(BLOCKS, "limit_bytes", 10**6)
    yield BLOCKS
    BLOCKS.clear()


def stored(path: Path, dtype: str, attributes: dict[str, Any] | None = None, **options: Any) -> Matrix:
    """Write integers and open them, in blocks of a few rows."""
    values = np.random.default_rng(0).integers(0, 100, (N, D)).astype(dtype)
    array = zarr.create_array(str(path), data=values, chunks=(20, D), **{"compressors": ZstdCodec(), **options})
    array.attrs.update(attributes or {})
    return Recut(dsketch.open_matrix(str(path)), CUTS)


def gram(rows: Rows) -> Any:
    """Return the part of a pass."""
    return merge_parts(Gram(), (run_task(Gram(), rows, task) for task in tasks_of(rows, 2)))


KINDS: dict[str, tuple[str, dict[str, Any], dict[str, Any], int]] = {
    "float64": ("float64", {}, {}, 8),
    "float32": ("float32", {}, {}, 4),
    "float16": ("float16", {}, {}, 2),
    "int8": ("int8", {}, {}, 1),
    "big-endian": ("float64", {}, {"serializer": BytesCodec(endian="big"), "compressors": None}, 8),
    "marked": ("int16", {"_FillValue": -1}, {}, 2),
    "packed": ("int16", {"scale_factor": 0.1, "add_offset": 3.0, "_FillValue": -1}, {}, 2),
    "packed, unsigned": ("int8", {"scale_factor": 0.1, "_Unsigned": "true"}, {}, 1),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_stored_numbers_are_kept(kind: str, cache: BlockCache, tmp_path: Path) -> None:
    """Blocks take the bytes of what is stored, and passes over them have the bits of passes that decode."""
    dtype, attributes, options, itemsize = KINDS[kind]
    matrix = stored(tmp_path / "A", dtype, attributes, **options)
    alone = gram(Rows(matrix))
    kept = Rows(matrix, run="run")

    first, hits = gram(kept), cache.hits
    second = gram(kept)

    assert matrix.kept_bytes == cache.used_bytes == itemsize * N * D
    assert cache.hits - hits == len(CUTS) - 1
    for parts in (first, second):
        assert all(np.array_equal(one, other) for one, other in zip(parts, alone, strict=True))


def test_a_kept_block_is_written_once(cache: BlockCache, tmp_path: Path) -> None:
    """What a pass looks at the first time is the memory that stays."""
    rows = Rows(stored(tmp_path / "A", "float32"), run="run")

    block = rows.block(20, 40)

    assert block.A is cache.get("run", (20, 40))


def test_what_does_not_fit_is_decoded_again(cache: BlockCache, tmp_path: Path) -> None:
    """A cache for half of the blocks keeps that half; the others come into the caller's buffer."""
    cache.limit_bytes = 8 * 40 * D
    rows = Rows(stored(tmp_path / "A", "float64"), run="run")
    found = [gram(rows) for _ in range(2)]

    assert cache.used_bytes == 8 * 40 * D
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def test_a_mark_is_named_in_each_pass(cache: BlockCache, tmp_path: Path) -> None:
    """A packed cell that stands for no number is refused by row and column, from memory too."""
    matrix = stored(tmp_path / "A", "int16", {"scale_factor": 0.5, "_FillValue": -7})
    array = zarr.open_array(str(tmp_path / "A"))
    array[33, 2] = -7
    rows = Rows(matrix, run="run")

    for _ in range(2):
        with pytest.raises(DataError, match="row 33, column 2 is -7, its _FillValue"):
            gram(rows)
    assert isinstance(rows.block(20, 40).A, PackedRows)
    assert cache.get("run", (20, 40)) is not None


def test_a_nan_in_the_middle_is_named(cache: BlockCache, tmp_path: Path) -> None:
    """The part that is not finite sends us back to the row, whether it was kept or not."""
    matrix = stored(tmp_path / "A", "float32")
    zarr.open_array(str(tmp_path / "A"))[47, 1] = np.nan

    for _ in range(2):
        with pytest.raises(DataError, match="row 47, column 1 is nan"):
            gram(Rows(matrix, run="run"))


def test_a_failed_read_gives_its_room_back() -> None:
    """Room is taken before a block is read, and is there for others when it could not be."""
    cache = BlockCache(limit_bytes=800)

    def fail(out: AnyArray) -> AnyArray:
        raise DataError(f"not {out.shape}")

    place = cache.place("run", (0, 10), (10, 10), np.dtype("f8"))
    assert place is not None
    assert cache.place("run", (10, 20), (10, 10), np.dtype("f8")) is None
    with pytest.raises(DataError):
        cache.fill("run", (0, 10), place, fail)

    assert cache.used_bytes == 0
    assert cache.place("run", (10, 20), (10, 10), np.dtype("f8")) is not None


def test_two_that_read_the_same_keep_one() -> None:
    """Two tasks that meet at a block count its bytes once, and what was kept first stays."""
    cache = BlockCache(limit_bytes=10_000)
    places = [cache.place("run", (0, 10), (10, 10), np.dtype("f8")) for _ in range(2)]

    found = [cache.fill("run", (0, 10), place, lambda out: out) for place in places if place is not None]

    assert cache.used_bytes == 800
    assert cache.get("run", (0, 10)) is found[0] is not found[1]


def test_blocks_of_a_task_share_two_buffers(tmp_path: Path) -> None:
    """A task's panels are read into the same memory: nothing fresh for each of them."""
    matrix, seen = stored(tmp_path / "A", "float64"), set()

    class Watched(Recut):
        def read(self, start: int, stop: int, out: AnyArray | None = None) -> AnyArray:
            rows = super().read(start, stop, out)
            seen.add(rows.ctypes.data)
            return rows

    rows = replace(Rows(Watched(matrix, list(itertools.chain(range(0, N, 10), [N])))), pieces=8)
    (task,) = tasks_of(rows, 0)[:1]
    run_task(Gram(), rows, task)

    assert len(seen) <= 2
