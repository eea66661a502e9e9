"""What surrounds the work in the process of a job: its lock, its log, its limit of memory, its tie to the service."""

import fcntl
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from dsketch.service.errors import ServiceError
from dsketch.service.folder import Folder

_LOCK_SECONDS = 60  # the process of an earlier service has so long to notice that it is alone


def end_with_parent() -> None:
    """Wait for the service to end, then end at once: nobody would hear how the work went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def limit_memory(limit_bytes: int | None) -> None:
    """Make allocations beyond the limit fail; the service also watches, for what no limit of the system counts."""
    if limit_bytes is None or not hasattr(resource, "RLIMIT_DATA"):
        return
    found = psutil.Process().memory_info()
    reserved = max(getattr(found, "data", found.vms) - found.rss, 0)  # promised to the process and never used
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes + reserved, limit_bytes + reserved))


@contextmanager
def hold_lock(folder: Folder) -> Iterator[None]:
    """Hold the job's lock.

    Raises
    ------
    ServiceError
        If another process keeps it.
    """
    with (folder.path / "lock").open("a") as file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"a job without another process was expected; one still works on {folder.path.name}. End it, then resume."
                    ) from error
                time.sleep(0.02)
        yield


@contextmanager
def redirect_prints(folder: Folder) -> Iterator[None]:
    """Send what the process prints to the job's log."""
    descriptor = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    yield
