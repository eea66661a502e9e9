"""Small files of the service, as JSON."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dsketch._atomic import write_flushed, write_whole


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON and flush it, in a folder that nobody looks into yet."""
    write_flushed(path, _json(value))


def put_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    write_whole(path, _json(value))


def get_json(path: Path) -> Any | None:
    """Return what a JSON file holds, or None if there is none."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None


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
