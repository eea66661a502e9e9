"""Write a ``scipy.sparse`` matrix to Zarr in the layout of AnnData, and bring in what ``scipy.sparse.save_npz`` left."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import zarr

from dsketch.errors import DataError
from dsketch.ingest.failure import reading, writing
from dsketch.ingest.staged import staging
from dsketch.matrix.csr import ENCODING, PARTS

_CHUNK_NONZEROS = 8_000_000  # 64 MB of float64: opening a larger chunk no longer shows
_MEMBERS = {"data.npy", "indices.npy", "indptr.npy", "shape.npy", "format.npy"}


def write_csr(
    path: str | os.PathLike[str],
    X: Any,
    *,
    chunk_nonzeros: int = _CHUNK_NONZEROS,
    overwrite: bool = False,
    attributes: dict[str, Any] | None = None,
    **options: Any,
) -> str:
    """Write a sparse matrix as a Zarr group that :func:`dsketch.open_matrix` and AnnData read.

    Parameters
    ----------
    path : path
        On a local disk; it appears when it is complete.
    X : scipy.sparse matrix or array, shape (n, d)
        Formats other than CSR are converted.  Entries are written as they are: not sorted, not summed, explicit zeros kept.
    chunk_nonzeros : int
        Entries of a chunk of ``data`` and ``indices``, and row pointers of one of ``indptr``.
    overwrite : bool
        Replace a Zarr array or group that is there.
    attributes : dict, optional
        More attributes of the group, such as ``columns``, the names.
    **options
        Of :func:`zarr.create_array` for the three arrays, such as ``compressors``; by default bytes as they are.  ``zarr_format`` is
        2 or 3.

    Returns
    -------
    str
        The path.

    Raises
    ------
    DataError
        If X is not sparse with two dimensions, the path is taken, or it cannot be written.
    """
    if not scipy.sparse.issparse(X) or len(X.shape) != 2:
        raise DataError(f"a scipy.sparse matrix was expected; got {type(X).__name__}. Make one with scipy.sparse.csr_array(…).")
    X = X.tocsr()
    final = Path(path).resolve()
    zarr_format = options.pop("zarr_format", 3)
    options = {"compressors": None, "config": {"write_empty_chunks": True}, **options}
    with staging([final], overwrite=overwrite) as (part,), writing(final):
        said = {"encoding-type": ENCODING, "encoding-version": "0.1.0", "shape": [int(size) for size in X.shape]}
        group = zarr.open_group(str(part), mode="w", zarr_format=zarr_format, attributes={**said, **(attributes or {})})
        for name in PARTS:
            values = np.asarray(getattr(X, name))
            size = max(min(chunk_nonzeros, values.size), 1)
            array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(size,), **options)
            array[...] = values
    return str(final)


def is_sparse_npz(source: Path) -> bool:
    """Whether a file is what ``scipy.sparse.save_npz`` writes."""
    if source.suffix.lower() != ".npz" or not zipfile.is_zipfile(source):
        return False
    with zipfile.ZipFile(source) as archive:
        return set(archive.namelist()) >= _MEMBERS


def load_npz(source: Path) -> Any:
    """Return the matrix of such a file as CSR, whole in memory.

    Raises
    ------
    DataError
        If it is damaged.
    """
    with reading(str(source), ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return scipy.sparse.load_npz(source).tocsr()
