"""Small files that are there whole or not at all, also after a crash or on a full disk."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def put(path: Path, data: bytes) -> None:
    """Write a file beside its place, flush it, and rename it there; on any failure the old file stays.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _write(part, data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON and flush it, in a folder that nobody looks into yet."""
    _write(path, _json(value))


def put_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    put(path, _json(value))


def get_json(path: Path) -> Any | None:
    """Return what a JSON file holds, or None if there is none."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def flush_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def with_umask(mask: int) -> Iterator[None]:
    """Make files that others may read too, as far as the mask lets them."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, indent=1).encode()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
