"""What we need of zarr beyond what it publishes: each private name still does what the compat module says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import zarr
from zarr.abc.codec import BytesBytesCodec
from zarr.abc.store import Store
from zarr.codecs import GzipCodec, ZstdCodec
from zarr.storage import LocalStore, MemoryStore, WrapperStore

from dsketch.matrix import compat
from dsketch.matrix.bounded import BoundedBytes

VALUES = np.arange(12.0).reshape(6, 2)


def stored(zarr_format: int = 3) -> "zarr.Array[Any]":
    """Return a small compressed array in memory."""
    array = zarr.create_array(MemoryStore(), name="A", shape=(6, 2), chunks=(3, 2), dtype="f8", zarr_format=zarr_format)
    array[...] = VALUES
    return array


class Counting(WrapperStore):
    """A store that counts what is asked of its own ``get`` and ``set``."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.asked: list[str] = []

    async def get(self, key: str, *given: Any, **named: Any) -> Any:
        """Note the key."""
        self.asked.append(key)
        return await super().get(key, *given, **named)

    async def set(self, key: str, value: Any) -> None:
        """Note the key."""
        self.asked.append(key)
        await super().set(key, value)


def test_a_coroutine_is_waited_for() -> None:
    """A store's answer comes to a caller without an event loop."""
    array = stored()

    assert compat.wait_for(array.store.exists("A/zarr.json")) is True


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_array_is_put_on_another_store(zarr_format: int) -> None:
    """It reads the same numbers with the same configuration, through the new store."""
    array = stored(zarr_format)
    store = Counting(array.store)
    moved = compat.array_on(array, store)

    assert np.array_equal(moved[...], VALUES)
    assert moved.metadata == array.metadata
    assert moved.path == array.path
    assert any("A/" in key for key in store.asked) or not hasattr(zarr.Array, "async_array")


def test_an_array_decodes_by_other_codecs() -> None:
    """The codecs that are given decode, whatever the metadata say: gzip does not take what zstd wrote."""
    array = stored()
    same = compat.with_codecs(array, array.metadata.codecs)

    assert np.array_equal(same[...], VALUES)
    with pytest.raises(Exception, match=r"(?i)gzip"):
        compat.with_codecs(array, [*array.metadata.codecs[:-1], GzipCodec()])[...]


def test_the_codec_of_format_2_has_filters_and_compressor() -> None:
    """One codec stands for the whole chain, and its parts are those of numcodecs."""
    codec = compat.codec_of_format_2(stored(2))

    assert not codec.filters
    assert codec.compressor.codec_id == stored(2).metadata.compressor.codec_id


def test_the_numcodec_within_is_found_or_made() -> None:
    """Either decodes what its sister encoded."""
    for codec in (ZstdCodec(), None):
        assert compat.numcodec_of(codec, "zstd").codec_id == "zstd"


def test_a_wrapped_store_is_found() -> None:
    """The inner one of a wrapper; None of any other."""
    inner = MemoryStore()

    assert compat.inner_store(WrapperStore(inner)) is inner
    assert compat.inner_store(inner) is None


def test_many_requests_go_one_by_one_through_the_wrapper() -> None:
    """What the wrapper does to one request it does to each of many."""
    store = Counting(stored().store)
    prototype = zarr.buffer.default_buffer_prototype()

    async def both() -> list[Any]:
        found = [
            answer async for answer in compat.get_each(store, [("A/zarr.json", prototype, None), ("A/none", prototype, None)])
        ]
        await compat.set_each(store, [("B", prototype.buffer.from_bytes(b"x"))])
        return found

    found = dict(compat.wait_for(both()))

    assert found["A/zarr.json"] is not None
    assert found["A/none"] is None
    assert sorted(store.asked) == ["A/none", "A/zarr.json", "B"]


def test_hooks_that_we_fill_in_are_still_called_so(tmp_path: Path) -> None:
    """A hook of another name would be passed over in silence."""
    for kind, hooks in (
        (Store, ("_get_many", "_set_many")),
        (WrapperStore, ("_with_store",)),
        (BytesBytesCodec, ("_decode_single",)),
    ):
        assert [name for name in hooks if not hasattr(kind, name)] == []
    assert hasattr(BoundedBytes, "_decode_sync")
    assert hasattr(LocalStore(tmp_path), "root")


def test_labelled_data_say_whether_they_are_in_memory(tmp_path: Path) -> None:
    """True for an array in memory, false for one in a file, true for what does not tell."""
    xarray = pytest.importorskip("xarray")
    xarray.DataArray(VALUES, dims=("row", "column"), name="A").to_netcdf(tmp_path / "A.nc", engine="scipy")
    with xarray.open_dataarray(tmp_path / "A.nc", engine="scipy") as lazy:
        assert not compat.is_in_memory(lazy)
        assert compat.is_in_memory(lazy.load())
    assert compat.is_in_memory(VALUES)


@pytest.mark.parametrize("sides", [None, 1, 3])
def test_rows_are_multiplied_where_they_lie(sides: int | None) -> None:
    """There and back, for a vector and for several, of rows in the midst of others, to the bits of SciPy's own products."""
    rng = np.random.default_rng(0)
    X = sp.random_array((40, 7), density=0.3, format="csr", rng=rng)
    some, shape = X[10:30], () if sides is None else (sides,)
    for V, height, turned, wanted in (
        (rng.standard_normal((7, *shape)), 20, False, lambda V: some @ V),
        (rng.standard_normal((20, *shape)), 7, True, lambda V: some.T @ V),
    ):
        found = compat.multiply_csr(X.indptr[10:31], X.indices, X.data, np.asfortranarray(V), height, turned=turned)

        assert np.array_equal(found, wanted(V))
