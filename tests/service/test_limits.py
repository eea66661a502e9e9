"""A job has a limit of memory where nobody gave one, and words that are true where it does not fit."""

from pathlib import Path

import psutil
import pytest

from dsketch.service.job_process import _out_of_memory
from dsketch.service.limits import default_memory, memory_bytes

GIB = 2**30


@pytest.mark.parametrize(
    ("own", "limits", "wanted"),
    [
        ("0::/", {"memory.max": str(GIB)}, GIB),
        ("0::/", {"memory.max": "max"}, None),
        ("0::/system.slice/dsketch.service", {"system.slice/dsketch.service/memory.max": str(2 * GIB)}, 2 * GIB),
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": str(GIB)}, GIB),
        ("4:memory:/x", {"memory/memory.limit_in_bytes": str(GIB)}, GIB),
        ("4:memory:/x", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
        ("", {}, None),
    ],
)
def test_a_container_s_memory_is_what_counts(own: str, limits: dict[str, str], wanted: int | None, tmp_path: Path) -> None:
    """The least of the machine's and of what the control groups above the process allow."""
    (tmp_path / "own").write_text(f"{own}\n")
    for name, text in limits.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    total = psutil.virtual_memory().total
    assert memory_bytes(tmp_path / "groups", tmp_path / "own") == min(total, wanted or total)
    assert memory_bytes(tmp_path / "groups", tmp_path / "nothing") <= total


def test_jobs_share_half(tmp_path: Path) -> None:
    """So that all at once leave the other half; never so little that none starts."""
    assert default_memory(4, 64 * GIB) == 8 * GIB
    assert default_memory(100, GIB) == GIB // 2
    assert default_memory(1) <= memory_bytes()


def test_the_sentence_is_true() -> None:
    """Without a limit none is named; NumPy's words for what was asked stand in it; the remedy says how far it reaches."""
    free = _out_of_memory(None, MemoryError("Unable to allocate 64.0 EiB for an array"))
    bound = _out_of_memory(GIB, MemoryError())

    assert "its limit" not in free
    assert "64.0 EiB" in free
    assert "limits.memory" not in free
    assert "its limit of 1.07 GB" in bound
    assert "up to the service's --max-memory" in bound
