"""Tables that the tests of this folder write."""

from pathlib import Path

import pyarrow as pa
import zarr
from pyarrow import parquet


def put(folder: Path, name: str, text: str | bytes) -> Path:
    """Write a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def put_parquet(folder: Path, name: str, **columns: object) -> Path:
    """Write a Parquet file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)
    return path


def said(path: object) -> dict:
    """Return the attributes of an array."""
    return dict(zarr.open_array(str(path), mode="r").attrs)
