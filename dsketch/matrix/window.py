"""The window of a task on what it will read: announced ahead of its blocks, forgotten behind them, bounded in between."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from dsketch.matrix.ahead import PIECE_BYTES, AheadStore, Wanted
from dsketch.matrix.compat import wait_for
from dsketch.matrix.slots import REQUESTS

if TYPE_CHECKING:
    from dsketch.matrix.rows import Rows

WINDOW_BYTES = REQUESTS * PIECE_BYTES  # what keeps all connections busy
_MEMORY_SHARE = 1 / 8  # of a thread's memory, for bytes that are still to be decoded
_LEAST_PIECE = 1_000_000
_ROUNDS = 3  # a task that is soon over comes in so many pieces a connection at least, or the last of them would wait for one


@dataclass(frozen=True)
class Asked:
    """What rows will ask of a store.

    Attributes
    ----------
    store : AheadStore
    wanted : Wanted
    stop : int
        Row after the last that needs it.
    """

    store: AheadStore
    wanted: Wanted
    stop: int


def window_bytes(memory_bytes: int) -> int:
    """Return how many bytes a task thread with so much memory may have under way, besides those of the block that it reads."""
    return min(WINDOW_BYTES, int(memory_bytes * _MEMORY_SHARE))


class Window:
    """A context in which the blocks of a task are read in order.

    Parameters
    ----------
    rows : Rows
    spans : list of (int, int)
        Rows of the blocks.
    limit_bytes : int
        Of what is announced beyond the block that is read.
    """

    def __init__(self, rows: "Rows", spans: list[tuple[int, int]], limit_bytes: int = WINDOW_BYTES) -> None:
        self._rows, self._limit_bytes = rows, limit_bytes
        self._todo, self._open = deque(spans), list[Asked]()
        self._stop = spans[-1][1] if spans else 0
        total = rows.nbytes * (self._stop - spans[0][0]) // rows.shape[0] if spans else 0
        pieces = min(limit_bytes // REQUESTS, total // (_ROUNDS * REQUESTS), PIECE_BYTES)
        self._piece_bytes = max(pieces, _LEAST_PIECE)

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._forget(self._stop)

    def advance(self, start: int, stop: int) -> None:
        """Announce what blocks behind rows ``start:stop``, which are read next, will need; forget what none does."""
        self._forget(start)
        while self._todo and self._todo[0][1] <= start:
            self._todo.popleft()
        fresh: list[Asked] = []
        ahead = sum(asked.wanted.likely_bytes for asked in self._open if asked.stop > stop)
        while self._todo and (self._todo[0][0] < stop or ahead < self._limit_bytes):
            for asked in self._rows.ask_ahead(*self._todo.popleft(), self._stop):
                if not any(_serves(other, asked) for other in self._open):
                    fresh.append(asked)
                    self._open.append(asked)
                    ahead += asked.wanted.likely_bytes * (asked.stop > stop)
        for store, wanted in _by_store(fresh):
            wait_for(store.announce(wanted, self._piece_bytes))

    def _forget(self, start: int) -> None:
        """Drop what no row from ``start`` on needs."""
        over = [asked for asked in self._open if asked.stop <= start]
        self._open = [asked for asked in self._open if asked.stop > start]
        for store, wanted in _by_store(over):
            wait_for(store.forget(wanted))


def _serves(known: Asked, asked: Asked) -> bool:
    """Whether what is known to come holds what is asked."""
    other, wanted = known.wanted, asked.wanted
    return known.store is asked.store and other.key == wanted.key and other.covers(wanted.start, wanted.stop)


def _by_store(asked: list[Asked]) -> Iterator[tuple[AheadStore, list[Wanted]]]:
    """Yield what is asked of each store, in order."""
    stores = {id(one.store): one.store for one in asked}
    for name, store in stores.items():
        yield store, [one.wanted for one in asked if id(one.store) == name]
