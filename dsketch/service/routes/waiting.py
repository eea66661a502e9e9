"""Requests that may take long: on threads of their own, and no longer than somebody waits for the answer."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request

from dsketch.service.plans import PLANS_AT_ONCE, Planning

T = TypeVar("T")

_ENDINGS_AT_ONCE = 16  # so many cancels and removals; more of them wait, and hold no thread while they do


class Threads:
    """The threads of slow verbs: the short ones, on the server's own threads, never wait for these.

    Guarantees: a plan that was begun has a thread at once; when its client has gone its process is ended.
    """

    def __init__(self) -> None:
        self._planning = anyio.CapacityLimiter(PLANS_AT_ONCE)
        self._ending = anyio.CapacityLimiter(_ENDINGS_AT_ONCE)
        self._watching = anyio.CapacityLimiter(PLANS_AT_ONCE)

    async def plan(self, request: Request, planning: Planning) -> dict[str, Any]:
        """Return a plan, unless the client goes."""
        watching = asyncio.create_task(self._watch(request, planning))
        try:
            return await anyio.to_thread.run_sync(planning.go, limiter=self._planning)
        finally:
            watching.cancel()

    async def end(self, act: Callable[..., T], *given: Any) -> T:
        """Return what a verb gives that ends something."""
        return await anyio.to_thread.run_sync(act, *given, limiter=self._ending)

    async def _watch(self, request: Request, planning: Planning) -> None:
        """Wait for the client to go, and end the plan's process then."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        await anyio.to_thread.run_sync(planning.stop, limiter=self._watching)
