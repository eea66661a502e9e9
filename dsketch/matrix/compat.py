"""What we need of zarr, xarray and SciPy beyond what they publish: the only place that knows, so that a new version is met here.

Each function names what it stands on, in all versions from zarr 3.1 on unless said, and what would take its place.  Besides, stores and
codecs of ours fill in hooks that zarr calls and does not document: ``WrapperStore._with_store``, ``Store._get_many``, ``Store._set_many``,
``get_sync`` of local stores (3.2 and later), ``BytesBytesCodec._decode_single`` and ``_decode_sync``.
``tests/matrix/test_compat.py`` holds that each does what we need.
"""

import importlib
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numcodecs
import numpy as np
import zarr
import zarr.core.array
from numpy.typing import NDArray
from scipy.sparse import _sparsetools
from zarr.abc.store import Store
from zarr.core.sync import sync
from zarr.storage import StorePath

T = TypeVar("T")


def wait_for(coroutine: "Coroutine[Any, Any, T]") -> T:
    """Return what a coroutine of a store returns, from zarr's own event loop, in which the store's connections live.

    Stands on ``zarr.core.sync.sync``.  To be replaced by synchronous methods of stores, once they all have them.
    """
    result: T = sync(coroutine)
    return result


def array_on(array: "zarr.Array[Any]", store: Any) -> "zarr.Array[Any]":
    """Return an array as it is, metadata and configuration, over another store.

    Stands on ``Array._async_array`` and ``AsyncArray._config``; ``Array.async_array`` and ``config`` are public in
    later versions and will do when 3.1.0 is no longer accepted.
    """
    inner = array._async_array
    config = getattr(inner, "config", None) or getattr(inner, "_config", None)
    return zarr.Array(zarr.AsyncArray(inner.metadata, StorePath(store, array.path), config))


def with_codecs(array: "zarr.Array[Any]", codecs: Iterable[Any]) -> "zarr.Array[Any]":
    """Return an array that decodes by other codecs than its metadata say.

    Stands on ``AsyncArray.codec_pipeline``, which a frozen dataclass makes from the metadata and takes none.  Nothing public is
    planned.

    Raises
    ------
    NotImplementedError
        If one implementation does all codecs at once.
    """
    made = array_on(array, array.store)._async_array
    object.__setattr__(made, "codec_pipeline", type(made.codec_pipeline).from_codecs(codecs))
    return zarr.Array(made)


def codec_of_format_2(array: "zarr.Array[Any]") -> Any:
    """Return the one codec that stands for filters and compressor of an array of format 2, a dataclass with both.

    Stands on ``zarr.core.array.create_codec_pipeline`` and ``zarr.codecs.V2Codec``'s fields ``filters`` and ``compressor``.
    """
    (codec,) = zarr.core.array.create_codec_pipeline(array.metadata)
    return codec


def numcodec_of(codec: Any, name: str) -> Any:
    """Return the codec of numcodecs inside one of format 3, or a fresh one of that name.

    Stands on ``numcodecs.zarr3`` and ``zarr.codecs.numcodecs``, whose classes keep it as ``_codec``.
    """
    return getattr(codec, "_codec", None) or numcodecs.get_codec({"id": name})


def inner_store(store: Any) -> Any:
    """Return the store that another one wraps, or None.

    Stands on ``WrapperStore._store``.
    """
    return getattr(store, "_store", None)


def fsspec_settings() -> dict[str, Any]:
    """Return what ``FSSPEC_…`` in the environment and fsspec's own files say, by protocol; nothing where fsspec is not installed."""
    try:
        found: dict[str, Any] = importlib.import_module("fsspec.config").conf
    except ImportError:
        return {}
    return found


@dataclass(frozen=True)
class S3Client:
    """Where and as whom a file system of s3fs speaks to a store.

    Attributes
    ----------
    address : str
    region : str or None
    credentials : object or None
        With a coroutine ``get_frozen_credentials``; None for nobody in particular.
    """

    address: str
    region: str | None
    credentials: Any


async def s3_client_of(filesystem: Any) -> S3Client | None:
    """Return the client of a file system of s3fs; None if it asks for more than objects by name (keys of encryption, who pays).

    Stands on ``S3FileSystem.set_session``, ``req_kw`` and ``anon``, and on ``_request_signer._credentials`` of the client below it.
    Where one of them is gone, objects are read by s3fs alone.
    """
    made = await filesystem.set_session()
    if filesystem.req_kw or filesystem.kwargs or getattr(filesystem, "session", None) is None:
        return None
    credentials = None if filesystem.anon else made._request_signer._credentials
    return (
        None
        if credentials is None and not filesystem.anon
        else S3Client(made.meta.endpoint_url, made.meta.region_name, credentials)
    )


async def get_each(store: Store, requests: Iterable[tuple[str, Any, Any]]) -> AsyncIterator[tuple[str, Any]]:
    """Yield the answers of a store's own ``get`` for keys, prototypes and ranges.

    Stands on ``Store._get_many``: a ``WrapperStore`` would ask the store within for all at once, past the wrapper.
    """
    async for found in Store._get_many(store, requests):
        yield found


async def set_each(store: Store, values: Iterable[tuple[str, Any]]) -> None:
    """Write objects by a store's own ``set``; stands on ``Store._set_many``, as :func:`get_each`."""
    await Store._set_many(store, values)


def is_in_memory(labelled: Any) -> bool:
    """Whether an xarray ``DataArray`` or ``Variable`` has its numbers in memory.

    Stands on ``Variable._in_memory``; nothing public tells it without loading.  True where it is gone.
    """
    return bool(getattr(getattr(labelled, "variable", labelled), "_in_memory", True))


def below_graph(source: Any) -> Any:
    """Return what an array of Dask, or one of xarray over it, reads chunk by chunk and does nothing else with; None if it does.

    Stands on what ``dask.array.from_array`` makes: a layer ``original-NAME`` that holds the one object, and a layer NAME whose tasks are
    all ``getter(object, slices)``.
    """
    array = getattr(source, "data", source)
    name, graph = getattr(array, "name", None), getattr(array, "dask", None)
    layers = getattr(graph, "layers", {})
    original = f"original-{name}"
    if set(layers) != {original, name} or len(layers[original]) != 1:
        return None
    (held,) = dict(layers[original]).values()
    if not getattr(getattr(getattr(layers[name], "task", None), "func", None), "__name__", "").startswith("getter"):
        return None
    return getattr(held, "value", held)


def backend_of(data: Any) -> tuple[Any, str | None]:
    """Return what a lazy array of xarray reads from, and the name of the function that it applies, if any; None where it does more.

    Stands on ``xarray.core.indexing`` and ``xarray.backends.zarr.ZarrArrayWrapper``: adapters keep what they wrap as ``array``, a lazily
    indexed array has a ``key`` of slices besides, one that decodes a ``func``.
    """
    if not hasattr(data, "array") and hasattr(getattr(data, "variable", data), "_data"):
        return getattr(data, "variable", data)._data, None
    if hasattr(data, "get_array"):  # the Zarr array itself
        return data.get_array(), None
    key = getattr(getattr(data, "key", None), "tuple", ())
    if not hasattr(data, "array") or not all(isinstance(part, slice) and part == slice(None) for part in key):
        return None, None
    func = getattr(data, "func", None)
    if func is None:
        return data.array, None
    return data.array, getattr(getattr(func, "func", func), "__name__", "")


def multiply_csr(
    pointers: NDArray[Any],
    columns: NDArray[Any],
    values: NDArray[np.float64],
    V: NDArray[np.float64],
    height: int,
    *,
    turned: bool,
) -> NDArray[np.float64]:
    """Return A V of CSR rows, or Aᵀ V if ``turned``, of ``height`` rows, for a vector or several; pointers may begin anywhere.

    The kernels behind ``csr_array @ V``, without the 0.1 ms in which SciPy makes an array of a slice and looks it through.  They do not
    look at what they are given: it must have been done.

    Stands on ``scipy.sparse._sparsetools.csr_matvec``, ``csr_matvecs``, ``csc_matvec`` and ``csc_matvecs``.  To be replaced by
    ``csr_array``, should these go.
    """
    V = np.ascontiguousarray(V, dtype=np.float64)
    made, shape = np.zeros((height, *V.shape[1:])), (height, len(V))
    kernel = "csc_matvec" if turned else "csr_matvec"
    if V.ndim == 1:
        getattr(_sparsetools, kernel)(*shape, pointers, columns, values, V, made)
    else:
        getattr(_sparsetools, kernel + "s")(*shape, V.shape[1], pointers, columns, values, V.ravel(), made.ravel())
    return made
