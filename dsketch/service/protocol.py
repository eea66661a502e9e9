"""HTTP/1.1 that does not wait for ever: a connection must bring the head of a request in time, or is closed.

Clients that send a byte now and then would otherwise hold connections, and with them file descriptors, for as long as they like.
"""

import asyncio
from typing import Any

from dsketch.service.compat import Http11


class PatientProtocol(Http11):
    """uvicorn's protocol with a limit on the time until the head of a request is there."""

    patience_seconds = 20.0

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take bytes; wait on, or no longer, by whether a request is under way now."""
        super().data_received(data)
        if self.is_answering:
            self._stop_waiting()
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.close_after(self.patience_seconds)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def protocol_with(patience_seconds: float) -> type[PatientProtocol]:
    """Return the protocol with another limit; uvicorn takes a class."""
    return type("PatientProtocol", (PatientProtocol,), {"patience_seconds": patience_seconds})
