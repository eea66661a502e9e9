"""What stands before the application: limits of body, time and rate, hosts, and the headers of every answer (pure ASGI)."""

import asyncio
import contextlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from dsketch.service.auth import Tokens, is_loopback
from dsketch.service.errors import TokenError, error_document

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_POLICY = b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; \
form-action 'self'; frame-ancestors 'none'"
_DOCS_POLICY = _POLICY + b"; script-src 'self' 'unsafe-inline'"  # the page of the API documents starts itself by a script in it
_HEALTH = ("/healthz", "/readyz")
UPLOADS = "/v1/uploads"  # its bodies are files, which no part of the service holds whole
_DISCARDED = 16  # so many times the largest body are read of a larger one, to be thrown away
_MOST_CLIENTS = 10_000  # the rates of so many clients are remembered


@dataclass(frozen=True)
class RequestBounds:
    """What a request may be.

    Attributes
    ----------
    body_bytes : int
    patience_seconds : float
        Until the whole head has come, and again for the body.
    rate : float
        Requests a second of one client on average; four times as many may come at once.
    """

    body_bytes: int = 1_000_000
    patience_seconds: float = 20.0
    rate: float = 100.0


class Headers:
    """Adds the headers of security to every answer."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = path_below(scope)
        policy = _DOCS_POLICY if path in ("/docs", "/redoc") else _POLICY
        is_data = path.startswith("/v1/")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", []) if pair[0].lower() != b"server"]
                own = [*_HEADERS, (b"content-security-policy", policy)]
                if not any(name.lower() == b"cache-control" for name, _ in kept):
                    # The page's files are asked for again, by their ETag: after an upgrade old and new ones must not mix.
                    own.append((b"cache-control", b"no-store" if is_data else b"no-cache"))
                message["headers"] = [*kept, *own]
            await send(message)

        await self.app(scope, receive, sending)


class Prefix:
    """Lets requests come with or without the prefix under which a proxy shows the service: inside, every path has it.

    The application knows the prefix as the ``root_path`` of its requests.  Proxies differ in whether they cut it off.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; the prefix itself leads to the page, whose links are relative."""
        prefix = scope.get("root_path", "")
        if scope["type"] == "http" and prefix:
            if scope["path"] == prefix:
                extra = [(b"location", f"{prefix}/".encode())]
                await _send_answer(
                    send, 307, error_document("Moved", f"{prefix}/ was expected; got {prefix}. Add the slash."), extra=extra
                )
                return
            if not scope["path"].startswith(f"{prefix}/"):
                scope = {**scope, "path": prefix + scope["path"]}
        await self.app(scope, receive, send)


class Hosts:
    """Refuses requests that a page of somebody else sent through a browser.

    Without tokens, reaching a loopback port is all the right one needs; a browser lets any page do that, by a name that resolves to
    127.0.0.1 or by a form.  So the name must be one of this machine's own, or one that was allowed, and what changes something must
    not come from another page.  Where tokens are needed no page of somebody else has one: any name will do, unless some were allowed.

    Parameters
    ----------
    app : App
    host : str
        Where the service listens.
    is_open : bool
        Whether it asks for no tokens.
    allowed : tuple of str
        Further names; ``*.example.com`` allows all below one.
    """

    def __init__(self, app: App, host: str, is_open: bool = True, allowed: tuple[str, ...] = ()) -> None:
        self.app, self._host, self._is_open = app, host.strip("[]").lower(), is_open
        self._allowed = tuple(name.strip("[]").lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; of its health the service tells whoever asks, as probes know an address and no name."""
        if scope["type"] == "http" and path_below(scope) not in _HEALTH:
            refusal = self._refusal(dict(scope["headers"]), scope["method"])
            if refusal is not None:
                await _send_answer(send, 403, error_document("AccessError", refusal))
                return
        await self.app(scope, receive, send)

    def _refusal(self, headers: dict[bytes, bytes], method: str) -> str | None:
        asked = headers.get(b"host", b"").decode("latin-1")
        name = _host_of(asked)
        if name and not self._is_known(name):
            if self._allowed:
                return f"a name that --allowed-host allows was expected as host; got {name[:100]!r}. Use one of those."
            return (
                f"a name of this machine was expected as host; got {name[:100]!r}. Use http://127.0.0.1, or let whoever runs the "
                "service give --token-file or --allowed-host."
            )
        if method in ("GET", "HEAD", "OPTIONS"):
            return None
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        is_other = site not in (b"same-origin", b"none")
        if site is None:  # older browsers, and plain http to another machine; programs send neither
            is_other = origin is not None and not self._is_own(origin.decode("latin-1"), asked)
        elif origin is not None and self._is_open:
            is_other = is_other or not self._is_own(origin.decode("latin-1"), asked)
        if is_other:
            return "a request of the service's own page was expected; it came from another one. Open the service's page."
        return None

    def _is_known(self, name: str) -> bool:
        """Whether a request may name this host."""
        if name == self._host or is_loopback(name):
            return True
        if self._allowed:
            return any(name == one or (one.startswith("*.") and name.endswith(one[1:])) for one in self._allowed)
        return not self._is_open or not is_loopback(self._host)

    def _is_own(self, origin: str, asked: str) -> bool:
        """Whether a page comes from where it asks: the same name and port, or an allowed name before a proxy."""
        scheme, _, place = origin.lower().partition("://")
        if scheme not in ("http", "https"):
            return False
        standard = {"http": ":80", "https": ":443"}[scheme]
        same = {place, place.removesuffix(standard)} & {asked.lower(), asked.lower().removesuffix(standard)}
        return bool(same) or (bool(self._allowed) and not is_loopback(_host_of(place)) and self._is_known(_host_of(place)))


class Bodies:
    """Refuses bodies that are too large or come too slowly, before anything looks at them."""

    def __init__(self, app: App, bounds: RequestBounds) -> None:
        self.app, self._bounds = app, bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        if path_below(scope) == UPLOADS and scope["method"] == "POST":
            await self._pass_on(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._read(scope, receive), self._bounds.patience_seconds)
        except TimeoutError:
            said = f"a body within {self._bounds.patience_seconds:g} seconds was expected; it did not come. Send it again."
            await _send_answer(send, 408, error_document("SlowRequest", said), close=True)
            return
        if body is None:
            said = f"a body of at most {self._bounds.body_bytes} bytes was expected; it is larger. Send data as Zarr, not in the request."
            await _send_answer(send, 413, error_document("SizeError", said), close=True)
            return
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replayed() -> Message:
            return next(given, None) or await receive()

        await self.app(scope, replayed, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a file through piece by piece: its route bounds it; of one that is refused some more is read and thrown away."""
        is_whole = False

        async def noting() -> Message:
            nonlocal is_whole
            message = await receive()
            is_whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def rest() -> None:
            count = 0
            while not is_whole and count <= _DISCARDED * self._bounds.body_bytes:
                count += len((await noting()).get("body", b""))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_whole and message["status"] != 408:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(rest(), self._bounds.patience_seconds)
            await send(message)

        await self.app(scope, noting, sending)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the body, or None if it is too large.

        Of one that is too large some more is read and thrown away: who is still sending would not hear the answer.
        """
        most = self._bounds.body_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > _DISCARDED * most:
            return None
        body, count = bytearray(), 0
        while True:
            message = await receive()
            piece = message.get("body", b"")
            count += len(piece)
            if count <= most:
                body += piece
            if count > _DISCARDED * most:
                return None
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return bytes(body) if count <= most else None


class Rates:
    """Refuses clients that ask too often: so many requests a second on average, some more at once.

    A client is the owner of a valid token, or an address from which requests come without one.
    """

    def __init__(self, app: App, bounds: RequestBounds, tokens: Tokens) -> None:
        self.app, self._tokens, self._rate, self._burst = app, tokens, bounds.rate, max(4 * bounds.rate, 1.0)
        self._left: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and not self._admits(scope):
            said = f"at most {self._rate:g} requests a second were expected; there were more. Ask again a little later."
            await _send_answer(send, 429, error_document("RateError", said), extra=[(b"retry-after", b"1")])
            return
        await self.app(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        who = self._client(scope)
        now = time.monotonic()
        left, before = self._left.pop(who, (self._burst, now))
        left = min(left + (now - before) * self._rate, self._burst)
        self._left[who] = (max(left - 1, 0.0), now)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return left >= 1

    def _client(self, scope: Scope) -> tuple[str, str]:
        if self._tokens.are_needed:
            with contextlib.suppress(TokenError):
                return "owner", self._tokens.caller_of(scope).owner
        return "address", str((scope.get("client") or ("",))[0])


def path_below(scope: Scope) -> str:
    """Return the path of a request below the prefix under which a proxy shows the service."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def _host_of(place: str) -> str:
    """Return the name or address in ``name:port``, without brackets.

    >>> _host_of("[::1]:8750"), _host_of("Solver.example.com:80"), _host_of("127.0.0.1")
    ('::1', 'solver.example.com', '127.0.0.1')
    """
    if place.startswith("["):
        return place[1:].partition("]")[0].lower()
    return place.rsplit(":", 1)[0].lower()


async def _send_answer(
    send: Send, status: int, body: dict[str, Any], *, extra: list[tuple[bytes, bytes]] | None = None, close: bool = False
) -> None:
    headers = [(b"content-type", b"application/json"), *(extra or []), *([(b"connection", b"close")] if close else [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
