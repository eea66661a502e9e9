"""Files that are there whole or not at all, also after a crash or on a full disk: the one place that knows how.

What is written lies first beside its place under a name of its own (:func:`beside`), is flushed to the disk, takes its place in one
rename, and then the folder is flushed, so that the rename survives a power cut.  Only SIGKILL or a power cut leaves something beside,
until somebody writes to the same place again (:func:`clear_left_behind`).
"""

import contextlib
import glob
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO


def beside(path: Path) -> Path:
    """Return where this process writes what shall take the place of ``path``.

    >>> beside(Path("runs/x.npy")).name.startswith(".x.npy.part-")
    True
    """
    return path.with_name(f".{path.name}.part-{_machine()}-{os.getpid()}")


def clear_left_behind(path: Path) -> None:
    """Remove what processes of this machine that do not live any more have left beside a path; what cannot be removed stays."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.part-{_machine()}-*"):
        number = part.name.rpartition("-")[2]
        if not number.isdigit() or _lives(int(number)):
            continue
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                part.unlink()


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return what tells apart machines that share a folder, and containers of one machine: each numbers its processes itself."""
    try:
        numbering = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        numbering = 0
    return hashlib.sha256(f"{socket.gethostname()}:{numbering}".encode()).hexdigest()[:8]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of somebody else, or of a system that numbers them otherwise
        return True
    return True


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Yield an empty file that takes the place of ``path`` at the end; on any failure what was there stays, and nothing beside it.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    part = beside(path)
    try:
        with part.open("wb") as file:
            yield file
            _flush(file)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            part.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written; what was there stays.
    """
    with replacing(path) as file:
        file.write(data)


def write_flushed(path: Path, data: bytes) -> None:
    """Write a file to the disk, in a place that nobody looks into yet.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with path.open("wb") as file:
        file.write(data)
        _flush(file)


def flush_folder(folder: Path) -> None:
    """Make what was renamed in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
