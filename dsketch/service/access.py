"""What is kept of every request: a line in the log, one in the audit log, its figures; and the id by which they are found."""

import logging
import re
import time

from dsketch.errors import DsketchError
from dsketch.service.audit_log import REQUEST_ID, begin_request, facts, write_line
from dsketch.service.auth import Caller, Tokens
from dsketch.service.metrics import Metrics
from dsketch.service.middleware import App, Message, Receive, Scope, Send, path_below

log = logging.getLogger("dsketch.service.access")

_ROUTINE = ("/healthz", "/readyz", "/metrics")  # programs ask these every few seconds
_MOST_CHARACTERS = 300
_TOKEN = re.compile(r"(dsk_|dst_)[A-Za-z0-9_-]+")  # one that somebody put into an address, or a ticket
_OF_PAGE = "/page"  # the route of whatever is no route of the API


class Access:
    """Notes every request when it is answered; refusals as warnings, probes only for debugging.

    A line has the owner, never the token; what a client sent stands in it encoded, so that it can add no line of its own.  Every
    answer has the request's id, as ``X-Request-Id``.

    Parameters
    ----------
    app : App
    tokens : Tokens
    metrics : Metrics
    """

    def __init__(self, app: App, tokens: Tokens, metrics: Metrics) -> None:
        self.app, self._tokens, self._metrics = app, tokens, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, until_answer = time.monotonic(), 0, 0.0
        id_ = begin_request(dict(scope["headers"]))

        async def sending(message: Message) -> None:
            nonlocal status, until_answer
            if message["type"] == "http.response.start":
                status, until_answer = message["status"], time.monotonic() - began
                message["headers"] = [*message.get("headers", []), (REQUEST_ID.lower().encode(), id_.encode())]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception:
            status = status or 500  # as the application answers outside of here
            raise
        finally:
            caller = self._caller(scope)
            self._note(scope, caller, status, time.monotonic() - began, id_)
            self._metrics.count_request(scope["method"], _route_of(scope), status, until_answer or time.monotonic() - began)
            self._audit(scope, caller, status, time.monotonic() - began)

    def _audit(self, scope: Scope, caller: Caller | None, status: int, seconds: float) -> None:
        """Write a line of what is no look at the page or at the service's health, and of every refusal."""
        if status < 400 and not path_below(scope).startswith("/v1/"):
            return
        told = {
            **facts(),
            "who": None if caller is None else caller.owner,
            "role": None if caller is None else caller.role,
            "address": _address_of(scope),
            "method": scope["method"],
            "route": _route_of(scope),
            "status": status,
            "outcome": "gone" if not status else "done" if status < 400 else "refused" if status < 500 else "failed",
            "seconds": round(seconds, 4),
        }
        if (job := scope.get("path_params", {}).get("id")) is not None:
            told.setdefault("job", str(job)[:_MOST_CHARACTERS])
        write_line("request", **told)

    def _note(self, scope: Scope, caller: Caller | None, status: int, seconds: float, id_: str) -> None:
        level = logging.WARNING if status in (401, 403, 429) or status >= 500 else logging.INFO
        if path_below(scope) in _ROUTINE:
            level = logging.DEBUG
        if not log.isEnabledFor(level):
            return
        asked = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope.get("query_string", b"").decode("latin-1")
        target = _TOKEN.sub(r"\1...", ascii(f"{asked}?{query}" if query else asked)[1:-1])[:_MOST_CHARACTERS]
        answered, owner = str(status) if status else "gone", "-" if caller is None else caller.owner
        told = _address_of(scope), owner, scope["method"], target, answered, 1e3 * seconds, id_
        log.log(level, "%s %s %s %s %s %.0f ms, request %s", *told)

    def _caller(self, scope: Scope) -> Caller | None:
        """Return who asks: whose ticket opened what was asked for, else whose token it is."""
        if isinstance(found := scope.get("dsketch.caller"), Caller):
            return found
        try:
            return self._tokens.caller_of(scope)
        except DsketchError:
            return None


def _address_of(scope: Scope) -> str:
    return str((scope.get("client") or ("-",))[0])


def _route_of(scope: Scope) -> str:
    """Return the template of a request's route, of which there are a few: never what the client wrote."""
    return str(getattr(scope.get("route"), "path", _OF_PAGE))
