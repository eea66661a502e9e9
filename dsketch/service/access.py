"""A line in the log for every request: who asked what, and how it was answered."""

import logging
import time

from dsketch.errors import DsketchError
from dsketch.service.auth import Tokens
from dsketch.service.middleware import App, Message, Receive, Scope, Send, path_below

log = logging.getLogger("dsketch.service.access")

_ROUTINE = ("/healthz", "/readyz", "/metrics")  # programs ask these every few seconds
_MOST_CHARACTERS = 300


class Access:
    """Notes every request when it is answered; refusals as warnings, probes only for debugging.

    A line has the owner, never the token; what a client sent stands in it encoded, so that it can add no line of its own.

    Parameters
    ----------
    app : App
    tokens : Tokens
    """

    def __init__(self, app: App, tokens: Tokens) -> None:
        self.app, self._tokens = app, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            self._note(scope, status, time.monotonic() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        level = logging.WARNING if status in (401, 403, 429) or status >= 500 else logging.INFO
        if path_below(scope) in _ROUTINE:
            level = logging.DEBUG
        if not log.isEnabledFor(level):
            return
        address = str((scope.get("client") or ("-",))[0])
        asked = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope.get("query_string", b"").decode("latin-1")
        target = ascii(f"{asked}?{query}" if query else asked)[1:-1][:_MOST_CHARACTERS]
        answered = str(status) if status else "gone"
        log.log(level, "%s %s %s %s %s %.0f ms", address, self._owner(scope), scope["method"], target, answered, 1e3 * seconds)

    def _owner(self, scope: Scope) -> str:
        try:
            return self._tokens.caller(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")).owner
        except DsketchError:
            return "-"
