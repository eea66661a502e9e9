"""A bounded cache of decoded blocks, one per process.

Keep-first, not least-recently-used: passes scan the same blocks in the same order, and a cyclic scan larger than an LRU cache
misses every time.  Keeping a fixed subset gives the hit rate cache size / data size.

Blocks belong to a run and serve no other: the data may have changed in between.  The blocks of older runs make room when a
newer one needs it; matrices of one run, whose names differ behind the last hyphen, keep theirs side by side.
"""

import threading

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

    def offer(self, run: str, span: Span, block: AnyArray) -> None:
        """Keep a copy of ``block`` if it fits beside the run's own blocks; otherwise do nothing."""
        size, group = bytes_of(block), _group(run)
        with self._lock:
            own = self._runs.setdefault(group, {})
            while self.used_bytes + size > self.limit_bytes and next(iter(self._runs)) != group:
                oldest = self._runs.pop(next(iter(self._runs)))
                self.used_bytes -= sum(bytes_of(kept) for kept in oldest.values())
            if (run, span) not in own and self.used_bytes + size <= self.limit_bytes:
                own[run, span] = block.copy()
                self.used_bytes += size

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._runs.clear()
            self.used_bytes = 0


def _group(run: str) -> str:
    return run.rpartition("-")[0] or run


BLOCKS = BlockCache()  # the cache of the process; the engine sets its limit
