"""A bounded cache of decoded blocks, one per process.

Keep-first, not least-recently-used: passes scan the same blocks in the same order, and a cyclic scan larger than an LRU cache
misses every time.  Keeping a fixed subset gives the hit rate cache size / data size.
"""

import threading
from collections.abc import Hashable

from dsketch.matrix.base import AnyArray


class BlockCache:
    """Decoded blocks by key, at most ``limit_bytes`` in all; safe to use from several threads."""

    def __init__(self, limit_bytes: int = 0) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.hits = 0
        self._blocks: dict[Hashable, AnyArray] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> AnyArray | None:
        """Return the block kept under ``key``, or None."""
        block = self._blocks.get(key)
        self.hits += block is not None
        return block

    def offer(self, key: Hashable, block: AnyArray) -> None:
        """Keep a copy of ``block`` if it fits; otherwise do nothing."""
        with self._lock:
            if key in self._blocks or self.used_bytes + block.nbytes > self.limit_bytes:
                return
            self._blocks[key] = block.copy()
            self.used_bytes += block.nbytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._blocks.clear()
            self.used_bytes = 0


BLOCKS = BlockCache()  # the process's own; the engine sets its limit
