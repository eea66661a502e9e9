"""Whether jobs are accepted and run: asked of the parts that would have to, in a time that has an end."""

import asyncio
import contextlib
import logging

import anyio
import anyio.to_thread

from dsketch.service.auth import Tokens
from dsketch.service.dispatch import Dispatcher

log = logging.getLogger("dsketch.service")

LOOK_SECONDS = 3.0  # probes of containers wait 4 or 5

Standing = tuple[str, str]  # a word for programs, a sentence for people
READY: Standing = ("ready", "jobs are accepted and run")


class Readiness:
    """Answers whether the service is ready.

    Guarantees: an answer within ``LOOK_SECONDS``, also when the disk does not answer at all; however many ask, one looks.

    Parameters
    ----------
    dispatcher : Dispatcher
    tokens : Tokens
    """

    def __init__(self, dispatcher: Dispatcher, tokens: Tokens) -> None:
        self._dispatcher, self._tokens = dispatcher, tokens
        self._limiter = anyio.CapacityLimiter(1)
        self._look: asyncio.Task[Standing] | None = None

    async def standing(self) -> Standing:
        """Return how it stands."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(anyio.to_thread.run_sync(self._judge, limiter=self._limiter))
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._look), LOOK_SECONDS)
        return "silent", "the disk of the state directory does not answer"

    def _judge(self) -> Standing:
        if not self._dispatcher.is_alive:
            return "stopping", "jobs are not taken from the line"
        if self._tokens.trouble() is not None:
            return "locked", "nobody is let in: the token file cannot be used; the service's log says why"
        try:
            trouble = self._dispatcher.store.trouble()
        except Exception:  # whatever keeps it from looking keeps it from working
            log.exception("the state directory cannot be looked at")
            trouble = "the state directory cannot be used; the service's log says why"
        return READY if trouble is None else ("full" if "full" in trouble else "broken", trouble)
