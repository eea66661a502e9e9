"""What we need of uvicorn beyond what it documents: the only place that knows, so that a new version is met here.

What stands here is so in all versions from 0.34 on.  Besides, :class:`~dsketch.service.serve.Server` replaces
``uvicorn.Server.handle_exit``, which uvicorn's handlers of signals call.
``tests/service/test_compat.py`` holds that each does what we need.
"""

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Http11(H11Protocol):
    """uvicorn's protocol of HTTP/1.1 by h11, as a class to refine.

    Stands on ``uvicorn.protocols.http.h11_impl.H11Protocol``, an ``asyncio.Protocol`` with the attributes ``loop``, ``transport`` and
    ``cycle`` (None, or the request under way, with ``response_complete``).  To be replaced by a time limit of uvicorn's own for the head
    of a request.
    """

    @property
    def is_answering(self) -> bool:
        """Whether a request is under way: its head has come, and its answer is not yet complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def close_after(self, seconds: float) -> Any:
        """Return a timer that closes the connection, to be cancelled."""
        return self.loop.call_later(seconds, self.transport.close)
