"""How many requests this process has at a store at once: as many as are of use, and fewer for a while where the store is busy.

An object store answers each request after 30 to 100 ms and then sends 25 to 90 MB/s on each connection, so that speed there is the number
of requests in flight.  A store that is asked too much says so (503, 429); then half as many are made, and one more after each round that
went well.

References
----------
D. M. Chiu, R. Jain, "Analysis of the increase and decrease algorithms for congestion avoidance in computer networks", Computer Networks
and ISDN Systems 17, 1989: additive increase, multiplicative decrease.
Amazon Web Services, "Best practices design patterns: optimizing Amazon S3 performance": concurrent requests for ranges of 8 to 16 MB.
"""

import asyncio
import os
from collections import deque
from contextvars import ContextVar
from types import TracebackType

REQUESTS = 16  # of a process at once: what one machine of two cores can still decode

is_patient: ContextVar[bool] = ContextVar("is_patient", default=False)  # a request ahead of its time, which lets others pass


class Slots:
    """Turns at the store, first come first served, but for those that somebody waits for; of one event loop.

    Parameters
    ----------
    most : int
        Requests at once.
    """

    def __init__(self, most: int = REQUESTS) -> None:
        self.most = self.limit = most
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin anew, as a process does that was forked from one with requests under way."""
        self.active = self._good = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self.active < self.limit and not self._waiting:
            self.active += 1
            return
        turn = asyncio.get_running_loop().create_future()
        (self._waiting.append if is_patient.get() else self._waiting.appendleft)(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._good += 1
            if self._good >= self.limit:
                self.limit, self._good = min(self.limit + 1, self.most), 0
        self._leave()

    def slow_down(self) -> None:
        """Halve the requests at once: the store said that they are too many."""
        self.limit, self._good = max(self.limit // 2, 1), 0

    def _leave(self) -> None:
        """Give a turn back, and hand out those that are free."""
        self.active -= 1
        while self._waiting and self.active < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.active += 1
                turn.set_result(None)


SLOTS = Slots()  # of this process
os.register_at_fork(after_in_child=SLOTS.begin_anew)
