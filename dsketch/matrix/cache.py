"""A bounded cache of decoded blocks, one per process.

Keep-first, not least-recently-used: passes scan the same blocks in the same order, and a cyclic scan larger than an LRU cache
misses every time.  Keeping a fixed subset gives the hit rate cache size / data size.

Blocks belong to a run and serve no other: the data may have changed in between.  The blocks of older runs make room when a
newer one needs it; matrices of one run, whose names differ behind the last hyphen, keep theirs side by side.
"""

import threading
from collections.abc import Callable

import numpy as np

from dsketch.matrix.base import AnyArray, bytes_of

Span = tuple[int, int]


class BlockCache:
    """Decoded blocks by run and row span, at most ``limit_bytes`` in all; safe to use from several threads."""

    def __init__(self, limit_bytes: int = 0) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.hits = 0
        self._runs: dict[str, dict[tuple[str, Span], AnyArray]] = {}  # oldest run first
        self._lock = threading.Lock()

    def get(self, run: str, span: Span) -> AnyArray | None:
        """Return the block of a run, or None."""
        with self._lock:
            block = self._runs.get(_group(run), {}).get((run, span))
            self.hits += block is not None
            return block

    def has(self, run: str, span: Span) -> bool:
        """Whether the block of a run is kept."""
        with self._lock:
            return (run, span) in self._runs.get(_group(run), {})

    def place(self, run: str, span: Span, shape: tuple[int, int], dtype: np.dtype[np.generic]) -> AnyArray | None:
        """Return memory for a block that is to be kept, to be handed to :meth:`fill`; None where there is no room for it."""
        size = shape[0] * shape[1] * dtype.itemsize
        with self._lock:
            has_room = self._make_room(run, span, size)
            self.used_bytes += size * has_room
        return np.empty(shape, dtype) if has_room else None

    def fill(self, run: str, span: Span, place: AnyArray, read: Callable[[AnyArray], AnyArray]) -> AnyArray:
        """Return what is read into a place, and keep it: it is written once, where it stays."""
        try:
            block = read(place)
            kept = block if np.may_share_memory(block, place) else block.copy()
        except BaseException:
            with self._lock:
                self.used_bytes -= place.nbytes
            raise
        with self._lock:
            is_first = self._runs.setdefault(_group(run), {}).setdefault((run, span), kept) is kept
            self.used_bytes -= place.nbytes * (not is_first)  # another thread read the same
        return kept

    def offer(self, run: str, span: Span, block: AnyArray) -> None:
        """Keep a copy of ``block`` if it fits beside the run's own blocks; otherwise do nothing."""
        size = bytes_of(block)
        with self._lock:
            if self._make_room(run, span, size):
                self._runs[_group(run)][run, span] = block.copy()
                self.used_bytes += size

    def _make_room(self, run: str, span: Span, size: int) -> bool:
        """Whether a block of so many bytes is to be kept; blocks of older runs have given way then."""
        group = _group(run)
        own = self._runs.setdefault(group, {})
        while self.used_bytes + size > self.limit_bytes and next(iter(self._runs)) != group:
            oldest = self._runs.pop(next(iter(self._runs)))
            self.used_bytes -= sum(bytes_of(kept) for kept in oldest.values())
        return (run, span) not in own and self.used_bytes + size <= self.limit_bytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._runs.clear()
            self.used_bytes = 0


def _group(run: str) -> str:
    return run.rpartition("-")[0] or run


BLOCKS = BlockCache()  # the cache of the process; the engine sets its limit
