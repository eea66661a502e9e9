"""What routes share: who is asking, and which errors they document."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Header, Path, Request, Security
from fastapi.security import APIKeyHeader

from dsketch.service.auth import Caller, Tokens
from dsketch.service.errors import AccessError
from dsketch.service.job import ID
from dsketch.service.models import Trouble

_WHY = {
    401: "No valid token.",
    403: "The caller may not: its token only reads, it is no admin, or the data lie outside the declared places.",
    404: "No such job, upload, or token.",
    408: "The body came too slowly.",
    409: "The state of the job, the idempotency key, the name of another upload, or that nobody could come in any more does not allow it.",
    413: "The body is too large, or a quota has no room for it.",
    422: "The request is not well formed, or the data cannot be used.",
    429: "Too many requests.",
    503: "Not now: the cluster or the disk fails.",
}

Id = Annotated[str, Path(alias="id", pattern=f"^{ID.pattern}$", description="Of a job.")]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200, pattern="^[!-~ ]+$")]
_LOOKS = ("GET", "HEAD")
Who = Callable[..., Awaitable[Caller]]


def who_asks(tokens: Tokens) -> Who:
    """Return the dependency that finds the caller of a request; one who only reads gets no further than what changes nothing."""
    scheme = APIKeyHeader(
        name="Authorization", auto_error=False, description="Bearer TOKEN; not needed on an open loopback service."
    )

    async def caller(request: Request, header: Annotated[str | None, Security(scheme)]) -> Caller:
        del header  # named for the document of the API
        found = tokens.caller_of(request.scope)
        if found.is_reader and request.method not in _LOOKS:
            raise AccessError(
                f"a token that may change something was expected; this one of {found.owner} only reads. Use another token."
            )
        return found

    return caller


def troubles(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documents of errors: those that every route has, and these."""
    return {status: {"model": Trouble, "description": _WHY[status]} for status in sorted({401, 429, *statuses})}
