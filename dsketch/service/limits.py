"""What memory a job may use where nobody said: a share of what this machine, or this container, has."""

from collections.abc import Iterator
from pathlib import Path

import psutil

_SHARE = (
    0.5  # of the memory, for the processes of all jobs at once; the rest is for workers, the page cache and the service itself
)
_LEAST_BYTES = 512 * 2**20  # the process of a job does not get far with less: an interpreter with SciPy has 150 MB


def default_memory(most_jobs: int, total_bytes: int | None = None) -> int:
    """Return the memory limit of a job's process in bytes.

    >>> default_memory(2, 16 * 2**30) // 2**20, default_memory(8, 2**30) // 2**20
    (4096, 512)
    """
    total = memory_bytes() if total_bytes is None else total_bytes
    return max(int(_SHARE * total) // most_jobs, _LEAST_BYTES)


def memory_bytes(system: Path = Path("/sys/fs/cgroup"), process: Path = Path("/proc/self/cgroup")) -> int:
    """Return the memory of this machine, or the least that a control group above this process allows: a container, a unit."""
    return min(int(psutil.virtual_memory().total), *_control_group_limits(system, process), 2**63)


def _control_group_limits(system: Path, process: Path) -> Iterator[int]:
    """Yield the limits of control groups, from the process's own upwards (version 2, and the one of version 1)."""
    try:
        own = next((line[3:].strip("/\n") for line in process.read_text().splitlines() if line.startswith("0::")), "")
    except OSError:
        own = ""
    places = [system / own, *(system / own).parents] if own else [system]
    files = [place / "memory.max" for place in places if place.is_relative_to(system)]
    for file in [*files, system / "memory" / "memory.limit_in_bytes"]:
        try:
            yield int(file.read_text())
        except (OSError, ValueError):  # none there, or "max"
            continue
