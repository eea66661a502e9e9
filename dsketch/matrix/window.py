"""The window of a task on what it will read: announced ahead of its blocks, forgotten behind them, bounded in between."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from dsketch.matrix.ahead import PIECE_BYTES, AheadStore, Wanted
from dsketch.matrix.compat import wait_for
from dsketch.matrix.left import LEFT
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
    run : str
        Under which the matrix is known to whoever reads it again; empty: it has no name.
    """

    store: AheadStore
    wanted: Wanted
    stop: int
    run: str = ""


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
    later : sequence of (int, int, int)
        Rows of blocks that are not read here but by the next task, and the row where that ends: they are announced last and left on
        their way.
    """

    def __init__(
        self,
        rows: "Rows",
        spans: list[tuple[int, int]],
        limit_bytes: int = WINDOW_BYTES,
        later: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        self._rows, self._limit_bytes = rows, limit_bytes
        self._todo, self._open = deque(spans), list[Asked]()
        self._later, self._left = deque(later), list[Asked]()
        self._stop = spans[-1][1] if spans else 0
        height = sum(each[1] - each[0] for each in (*spans, *later))
        total = rows.nbytes * height // rows.shape[0]
        pieces = min(limit_bytes // REQUESTS, total // (_ROUNDS * REQUESTS), PIECE_BYTES)
        self._piece_bytes = max(pieces, _LEAST_PIECE)

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None and self._left:
            wait_for(LEFT.put(self._left))
        self._left = []
        self._forget(self._rows.shape[0])

    def advance(self, start: int, stop: int) -> None:
        """Announce what blocks behind rows ``start:stop``, which are read next, will need; forget what none does."""
        self._forget(start)
        while self._todo and self._todo[0][1] <= start:
            self._todo.popleft()
        fresh: list[Asked] = []
        ahead = sum(asked.wanted.likely_bytes for asked in self._open if asked.stop > stop)
        while self._todo and (self._todo[0][0] < stop or ahead < self._limit_bytes):
            ahead += self._ask(*self._todo.popleft(), self._stop, stop, fresh)
        while self._later and not self._todo and ahead < self._limit_bytes:
            first, last, until = self._later.popleft()
            ahead += self._ask(first, last, until, stop, fresh, is_left=True)
        for store, wanted in _by_store(fresh):
            wait_for(store.announce(wanted, self._piece_bytes))

    def _ask(self, start: int, stop: int, until: int, done: int, fresh: list[Asked], *, is_left: bool = False) -> int:
        """Return how many bytes more come for rows from ``done`` on; what is to be announced for rows ``start:stop`` goes to ``fresh``."""
        count = len(self._open)
        for asked in self._rows.ask_ahead(start, stop, until):
            if LEFT.has(asked):
                self._open += wait_for(LEFT.take(asked))
            known = next((other for other in self._open if _serves(other, asked)), None)
            if known is None:
                known = asked
                fresh.append(asked)
                self._open.append(asked)
            if is_left and not any(known is other for other in self._left):
                self._left.append(known)
        return sum(asked.wanted.likely_bytes for asked in self._open[count:] if asked.stop > done)

    def _forget(self, start: int) -> None:
        """Drop what no row from ``start`` on needs, and nobody later."""
        left = {id(asked) for asked in self._left}
        over = [asked for asked in self._open if asked.stop <= start and id(asked) not in left]
        self._open = [asked for asked in self._open if asked.stop > start or id(asked) in left]
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
