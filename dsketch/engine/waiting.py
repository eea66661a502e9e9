"""Wait for workers, wake those that sleep, and say why none come."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client

from dsketch._units import format_bytes
from dsketch.engine.compat import describe_workers, list_ended_for_memory
from dsketch.errors import EngineError

_ASK_SECONDS = 0.1  # the pause between two looks at who is there
_RESTARTS = 3  # when so many workers have been restarted for their memory while we wait, the next would be no better


class Waiting:
    """A wait for running workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
    most_seconds : float
    """

    def __init__(self, client: Client, most_seconds: float) -> None:
        self.client, self.most_seconds = client, most_seconds
        self._began = time.monotonic()
        self._restarts = len(list_ended_for_memory(self.client))
        self._limits: list[int] = []  # of the workers that were there at any look

    def wait_for_workers(self) -> list[dict[str, Any]]:
        """Return the descriptions of running workers, at least one, waiting for the first.

        A cluster that has none is given something to do meanwhile: one that adapts itself to its work starts workers for it.

        Raises
        ------
        EngineError
            If none comes, saying what is there instead.
        OSError
            If the scheduler does not answer.
        """
        if found := self._running(self._infos()):
            return found
        with self._work():
            while not (found := self._running(infos := self._infos())):
                self.pause(infos)
        return found

    def pause(self, infos: list[dict[str, Any]]) -> None:
        """Wait a moment before the next look.

        Raises
        ------
        EngineError
            If it has been long enough.
        """
        lost = list_ended_for_memory(self.client)[self._restarts :]
        if len(lost) >= _RESTARTS:
            raise EngineError(self._explain_restarts(lost))
        if time.monotonic() - self._began > self.most_seconds:
            raise EngineError(self._explain_absence(infos))
        time.sleep(_ASK_SECONDS)

    # ---- what the scheduler knows ---------------------------------------------------------------------------------

    def _infos(self) -> list[dict[str, Any]]:
        infos = describe_workers(self.client)
        self._limits = [info["memory_limit"] for info in infos if info.get("memory_limit")] or self._limits
        return infos

    @staticmethod
    def _running(infos: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [info for info in infos if info.get("status", "running") == "running"]

    @contextmanager
    def _work(self) -> Iterator[None]:
        future = self.client.submit(int, key=f"dsketch-wake-{id(self)}", pure=False)
        try:
            yield
        finally:
            future.release()

    # ---- words ----------------------------------------------------------------------------------------------------

    def _explain_absence(self, infos: list[dict[str, Any]]) -> str:
        where = self.client.scheduler.address
        if paused := sum(info["status"] == "paused" for info in infos):
            verb, whose = ("was", "its memory is") if paused == 1 else ("were", "their memory is")
            return (
                f"at least one running worker was expected at {where}; for {self.most_seconds:g} seconds there {verb} {paused} "
                f"worker{'s' * (paused > 1)}, paused: {whose} full. Give workers more memory, or free what they hold, by Client.restart()."
            )
        return f"at least one worker was expected at {where}; there was none for {self.most_seconds:g} seconds. Start workers."

    def _explain_restarts(self, lost: list[dict[str, Any]]) -> str:
        limit = f" of {format_bytes(min(self._limits))}" if self._limits else ""
        return (
            f"workers were expected to stay at {self.client.scheduler.address}; they were restarted {len(lost)} times for exceeding their "
            f"memory limit{limit} (the last with {format_bytes(int(lost[-1]['rss']))}), before they had anything to do. Give workers more "
            "memory."
        )
