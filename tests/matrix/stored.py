"""Numbers and how they are stored, for the tests of matrices."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec

N, D = 103, 7


def values(dtype: str = "float64", n: int = N, d: int = D) -> np.ndarray:
    """Return numbers that every dtype can hold."""
    numbers = np.random.default_rng(0).integers(0 if dtype[0] in "ub" else -100, 100, (n, d))
    return (numbers + (0.25 if dtype[0] == "f" else 0)).astype(dtype)


def write(path: Path, array: np.ndarray, **options: Any) -> str:
    """Write an array to Zarr and return its path."""
    made = zarr.create_array(
        store=str(path), shape=array.shape, dtype=array.dtype, **{"config": {"write_empty_chunks": True}, **options}
    )
    made[:] = array
    return str(path)


RAW: dict[str, Any] = {"compressors": None, "filters": None}

# name → (values, options of zarr.create_array)
STORED: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "v3 raw": (values(), {"chunks": (20, D), **RAW}),
    "v3 raw, one chunk": (values(), {"chunks": (N, D), **RAW}),
    "v3 raw, chunk beyond the end": (values(), {"chunks": (1000, D), **RAW}),
    "v3 raw, one row a chunk": (values(), {"chunks": (1, D), **RAW}),
    "v3 raw float32": (values("float32"), {"chunks": (20, D), **RAW}),
    "v3 raw int16": (values("int16"), {"chunks": (20, D), **RAW}),
    "v3 raw uint8": (values("uint8"), {"chunks": (20, D), **RAW}),
    "v3 raw bool": (values("bool"), {"chunks": (20, D), **RAW}),
    "v3 raw vector": (values()[:, 0], {"chunks": (20,), **RAW}),
    "v3 big-endian": (values(), {"chunks": (20, D), "serializer": BytesCodec(endian="big"), **RAW}),
    "v3 transposed": (values(), {"chunks": (20, D), "filters": [TransposeCodec(order=(1, 0))], "compressors": None}),
    "v3 zstd": (values(), {"chunks": (20, D), "compressors": ZstdCodec()}),
    "v3 zstd vector": (values()[:, 0], {"chunks": (20,), "compressors": ZstdCodec()}),
    "v3 blosc": (values(), {"chunks": (20, D), "compressors": BloscCodec()}),
    "v3 gzip float32": (values("float32"), {"chunks": (20, D), "compressors": GzipCodec()}),
    "v3 sharded": (values(), {"chunks": (10, D), "shards": (40, D), "compressors": ZstdCodec()}),
    "v3 sharded raw": (values(), {"chunks": (10, D), "shards": (40, D), **RAW}),
    "v3 column chunks": (values(), {"chunks": (20, 3), **RAW}),
    "v3 column chunks zstd": (values(), {"chunks": (20, 3), "compressors": ZstdCodec()}),
    "v3 sharded columns": (values(), {"chunks": (10, 2), "shards": (20, 4), "compressors": ZstdCodec()}),
    "v2 raw": (values(), {"chunks": (20, D), "zarr_format": 2, **RAW}),
    "v2 raw vector": (values()[:, 0], {"chunks": (20,), "zarr_format": 2, **RAW}),
    "v2 compressed": (values(), {"chunks": (20, D), "zarr_format": 2}),
    "v2 big-endian": (values(), {"chunks": (20, D), "zarr_format": 2, "dtype": ">f8", **RAW}),
    "v2 big-endian int16": (values("int16"), {"chunks": (20, D), "zarr_format": 2, "dtype": ">i2", **RAW}),
    "v2 Fortran order": (values(), {"chunks": (20, D), "zarr_format": 2, "order": "F", **RAW}),
}


def chunk_files(path: str) -> list[Path]:
    """Return the files that hold values, in order of their chunk's number."""
    files = [file for file in Path(path).rglob("*") if file.is_file() and file.name not in ("zarr.json", ".zarray", ".zattrs")]
    return sorted(
        files,
        key=lambda file: [int(part) for part in file.relative_to(path).as_posix().replace(".", "/").split("/") if part.isdigit()],
    )


WAYS = {
    "raw": {"chunks": (20, D), **RAW},
    "raw, mapped": {"chunks": (N, D), **RAW},
    "v2 raw": {"chunks": (20, D), "zarr_format": 2, **RAW},
    "zstd": {"chunks": (20, D), "compressors": ZstdCodec()},
    "v2 compressed": {"chunks": (20, D), "zarr_format": 2},
    "sharded": {"chunks": (10, D), "shards": (20, D), "compressors": ZstdCodec()},
    "column chunks": {"chunks": (20, 4), **RAW},
}
