"""The data of ``bits.py``: small, drawn from fixed seeds without BLAS, in memory or stored in a folder.

Every kind is one that some part of the library treats in its own way: where rows lie, of which type they are, what is special about
their columns.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import scipy.sparse
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from dsketch.ingest import write_csr

Floats = NDArray[np.float64]

ROWS, COLUMNS = 700, 6
KERNEL_ROWS, KERNEL_COLUMNS = 240, 3


class Data(NamedTuple):
    """A, b, and what else a linear problem is given with them."""

    A: Any
    b: Any
    more: Mapping[str, Any] = MappingProxyType({})


class Place:
    """A folder for one session of runs; what is stored is written once, under its own name."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._made = folder, dict[str, Data]()

    def data(self, kind: str) -> Data:
        """Return data of one of ``KINDS``."""
        if kind not in self._made:
            self._made[kind] = KINDS[kind](self)
        return self._made[kind]

    def store(self, name: str, array: Any, chunk_rows: int, **options: Any) -> str:
        """Write an array, bytes as they are unless ``options`` say otherwise, and return its path."""
        path, array = self.folder / f"{name}.zarr", np.asarray(array)
        chunks = (chunk_rows, *array.shape[1:])
        options = {"compressors": None, **options}
        zarr.create_array(path, shape=array.shape, chunks=chunks, dtype=array.dtype, **options)[...] = array
        return str(path)

    def store_csr(self, name: str, X: Any, **options: Any) -> str:
        """Write sparse rows and return their path."""
        return write_csr(self.folder / f"{name}.zarr", X, **options)

    def pair(self, name: str, A: Any, b: Any, **options: Any) -> tuple[str, str]:
        """Store A and b in blocks of different heights."""
        return self.store(f"{name}-A", A, 128, **options), self.store(f"{name}-b", b, 300, **options)


def generator(*seed: int) -> np.random.Generator:
    """Return the random numbers of a seed."""
    return np.random.default_rng([9, *seed])


def matrix(*seed: int) -> Floats:
    """Return ROWS × COLUMNS normal numbers; columns have norms from about 30 to 3,000."""
    return generator(*seed).standard_normal((ROWS, COLUMNS)) * np.logspace(0, 2, COLUMNS)


def targets(A: Any, sides: int = 0, noise: float = 0.5) -> Floats:
    """Return A x plus noise for a fixed x, without BLAS: its sums would depend on the processor."""
    A = np.asarray(A, dtype=np.float64)
    clean = (A * (1.0 + np.arange(A.shape[1]))).sum(axis=1)
    shape = (len(A), sides) if sides else (len(A),)
    scale = 1.0 + np.arange(sides) if sides else 1.0
    return (clean[:, None] * scale if sides else clean) + noise * generator(99, sides).standard_normal(shape)


def row_weights() -> Floats:
    """Return weights from 0.1 to 10, a few of them 0."""
    w = 10.0 ** generator(7).uniform(-1, 1, ROWS)
    w[::50] = 0.0
    return w


def sparse_rows() -> Any:
    """Return CSR of full rank with a third of its entries."""
    rng = generator(11)
    dense = np.where(rng.random((ROWS, COLUMNS)) < 0.3, rng.standard_normal((ROWS, COLUMNS)), 0.0)
    return scipy.sparse.csr_array(dense)


def _of(A: Any, **more: Any) -> Data:
    return Data(A, targets(A), more)


def _raw(place: Place) -> Data:
    A = matrix(1)
    return Data(*place.pair("raw", A, targets(A)))


def _compressed(place: Place) -> Data:
    A = matrix(1)
    return Data(*place.pair("compressed", A, targets(A), compressors=BloscCodec()))


def _old(place: Place) -> Data:
    A = matrix(1)
    return Data(*place.pair("old", A, targets(A), compressors="auto", zarr_format=2))


def _sharded(place: Place) -> Data:
    A = matrix(1)
    shards = {"shards": (256, COLUMNS), "compressors": "auto"}
    return Data(place.store("sharded-A", A, 64, **shards), targets(A))


def _absent(place: Place) -> Data:
    A = matrix(1)
    A[128:256] = 0.0
    path = place.store("absent-A", A, 128, fill_value=0.0)
    return Data(path, targets(A), {"missing": "fill"})  # a chunk of fill values is not written


def _named(place: Place) -> Data:
    A = matrix(1)
    names = {"columns": ["age", "dose", "height", "weight", "hours", "rooms"]}
    return Data(place.store("named-A", A, 128, attributes=names), targets(A))


def _weights(place: Place) -> Data:
    A = matrix(2)
    return Data(*place.pair("weights", A, targets(A)), {"weights": place.store("weights-w", row_weights(), 77)})


def _intercept(place: Place) -> Data:
    A = matrix(3)
    return Data(*place.pair("intercept", A, targets(A) + 5.0), {"intercept": True})


def far_columns() -> Floats:
    """Return columns of which two lie 1e9 and 1e6 times their spread from 0: beside an intercept they are shifted."""
    A = matrix(4)
    A[:, 1] = 1.7e9 + A[:, 1] / np.abs(A[:, 1]).max()
    A[:, 3] = 5e6 + A[:, 3] / np.abs(A[:, 3]).max()
    return A


def _far(place: Place) -> Data:
    A = far_columns()
    return Data(*place.pair("far", A, targets(matrix(4))), {"intercept": True})


def _far_integers(place: Place) -> Data:
    A = generator(5).integers(-1000, 1000, (ROWS, COLUMNS))
    A[:, 2] += 1_700_000_000_000_000_000
    b = targets(A - A[:1])
    return Data(*place.pair("far-integers", A, b), {"intercept": True, "weights": row_weights()})


def _sides(place: Place) -> Data:
    A = matrix(6)
    return Data(*place.pair("sides", A, targets(A, sides=5)))


def _float32(place: Place) -> Data:
    A = matrix(1).astype(np.float32)
    return Data(*place.pair("float32", A, targets(A).astype(np.float32)))


def _int16(place: Place) -> Data:
    A = generator(8).integers(-300, 300, (ROWS, COLUMNS)).astype(np.int16)
    return Data(*place.pair("int16", A, targets(A)))


def deficient_columns() -> Floats:
    """Return columns of which two are equal."""
    A = matrix(1)
    A[:, -1] = A[:, 0]
    return A


def _deficient(place: Place) -> Data:
    A = deficient_columns()
    return Data(*place.pair("deficient", A, targets(A)))


def _ill(place: Place) -> Data:
    A = matrix(1)
    A[:, -1] = A[:, 0] + 1e-10 * A[:, -1]
    A[:, 2] *= 1e-9
    return Data(*place.pair("ill", A, targets(A)))


def _zero(_: Place) -> Data:
    A = matrix(1)
    A[:, 3] = 0.0
    return _of(A)


def _exact(_: Place) -> Data:
    A = generator(10).integers(-9, 10, (ROWS, COLUMNS)).astype(np.float64)
    return Data(A, targets(A, noise=0.0))


def _csr(place: Place) -> Data:
    X = sparse_rows()
    return Data(place.store_csr("csr", X, chunk_nonzeros=200), targets(X.toarray()))


def _csr_intercept(place: Place) -> Data:
    X = sparse_rows()
    return Data(place.store_csr("csr-intercept", X), targets(X.toarray()) - 3.0, {"intercept": True, "weights": row_weights()})


def _csr_memory(_: Place) -> Data:
    X = sparse_rows()
    return Data(X, targets(X.toarray()))


def _dask(_: Place) -> Data:
    A = matrix(1)
    return Data(da.from_array(A, chunks=(150, COLUMNS)), da.from_array(targets(A), chunks=400))


KINDS: dict[str, Callable[[Place], Data]] = {
    "memory": lambda _: _of(matrix(1)),
    "raw": _raw,
    "compressed": _compressed,
    "zarr 2": _old,
    "sharded": _sharded,
    "absent chunk": _absent,
    "named columns": _named,
    "weights": _weights,
    "intercept": _intercept,
    "far columns": _far,
    "far integers": _far_integers,
    "five sides": _sides,
    "float32": _float32,
    "int16": _int16,
    "deficient": _deficient,
    "ill-conditioned": _ill,
    "zero column": _zero,
    "exact": _exact,
    "csr": _csr,
    "csr intercept": _csr_intercept,
    "csr memory": _csr_memory,
    "dask": _dask,
}


def columns_side(sides: int = 0) -> Floats:
    """Return a b with a row for each column, as powers of the Gram matrix have it."""
    b = 1.0 + np.arange(COLUMNS)
    return b[:, None] * (1.0 + np.arange(sides)) ** 0.5 if sides else b


def narrow_rows() -> Floats:
    """Return rows so short that exp(AᵀA) is a number."""
    return matrix(1) / 4000.0


def kernel_rows() -> Floats:
    """Return rows for an attention kernel, of lengths about 1."""
    return 0.6 * generator(20).standard_normal((KERNEL_ROWS, KERNEL_COLUMNS))


def kernel_targets(sides: int = 0) -> Floats:
    """Return smooth targets of the kernel's rows with noise."""
    A = kernel_rows()
    shape = (KERNEL_ROWS, sides) if sides else (KERNEL_ROWS,)
    clean = np.sin(2 * A[:, 0]) + A[:, 1] * A[:, 2]
    return (clean[:, None] if sides else clean) + 0.1 * generator(21, sides).standard_normal(shape)
