"""Requests that a sample leaves on their way: the pass that comes reads the same rows for the same run, and takes them over."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsketch.matrix.window import Asked

_KEPT_SECONDS = 60.0  # a plan is made in a few; what nobody took by then nobody will, and its bytes are let go


class Left:
    """What is on its way for whoever asks for it next, by run and key.

    Guarantees: a request is taken over once; none outlives :data:`_KEPT_SECONDS` here.  All but :meth:`has` runs in zarr's event loop.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin anew, as a process does that was forked: requests are its parent's."""
        self._left: dict[tuple[str, str], list[tuple[Asked, asyncio.Task[Any]]]] = {}

    def has(self, asked: "Asked") -> bool:
        """Whether something of that key is left for that run."""
        return bool(asked.run) and (asked.run, asked.wanted.key) in self._left

    async def put(self, some: "Sequence[Asked]") -> None:
        """Take requests from the stores that announced them."""
        for asked in some:
            for task in await asked.store.let_go(asked.wanted):
                self._left.setdefault((asked.run, asked.wanted.key), []).append((asked, task))
        asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._drop, some)

    async def take(self, asked: "Asked") -> "list[Asked]":
        """Hand what is left of these bytes to the store that asks for them now."""
        place, wanted = (asked.run, asked.wanted.key), asked.wanted
        some = self._left.pop(place, [])
        found = [pair for pair in some if pair[0].wanted.covers(wanted.start, wanted.stop)]
        if rest := [pair for pair in some if pair not in found]:
            self._left[place] = rest
        for known, task in found:
            await asked.store.take_over(known.wanted, task)
        return [replace(known, store=asked.store) for known, _ in found]

    def _drop(self, some: "Sequence[Asked]") -> None:
        for place in {(asked.run, asked.wanted.key) for asked in some}:
            for _, task in self._left.pop(place, ()):
                task.cancel()


LEFT = Left()  # of this process
os.register_at_fork(after_in_child=LEFT.begin_anew)
