"""Errors of the service, and the one shape in which every error goes out: ``{error, message, found, try}``.

::

    DsketchError
    ├── JobError(LookupError)
    │   ├── UnknownJob              404: no such job, or not yours
    │   ├── ForbiddenMove           409: its state does not allow that
    │   └── KeyTaken                409: the idempotency key came with another request
    ├── AccessError(PermissionError)
    │   ├── TokenError              401: no token, or a wrong one
    │   └── PlaceError              403: data outside the declared places
    ├── SizeError(ValueError)       413: the request, or the answer asked for, is too large
    ├── RateError(RuntimeError)     429: too many requests, streams or jobs
    └── ServiceError(RuntimeError)  503: the service cannot do it now
"""

from typing import Any

from dsketch.errors import (
    DataError,
    DsketchError,
    EngineError,
    JobError,
    JournalError,
    PlanError,
    SpecError,
)


class UnknownJob(JobError):  # noqa: N818 - reads as what it is
    """No job of this id that the caller may see."""


class ForbiddenMove(JobError):  # noqa: N818 - reads as what it is
    """The state of the job does not allow what was asked."""


class KeyTaken(JobError):  # noqa: N818 - reads as what it is
    """The idempotency key was used before, with another request."""


class AccessError(DsketchError, PermissionError):
    """The caller may not do that."""

    def __str__(self) -> str:
        # PermissionError formats (errno, strerror) pairs; ours is one sentence.
        return str(self.args[0]) if self.args else ""


class TokenError(AccessError):
    """No token came with the request, or one that nobody has."""


class PlaceError(AccessError):
    """The data lie outside the places that the service may open."""


class SizeError(DsketchError, ValueError):
    """The request, or the answer that it asks for, is too large."""


class RateError(DsketchError, RuntimeError):
    """Too much at once."""


class ServiceError(DsketchError, RuntimeError):
    """The service cannot do it at the moment."""


STATUS: dict[type[DsketchError], int] = {
    UnknownJob: 404,
    JobError: 409,
    TokenError: 401,
    AccessError: 403,
    SizeError: 413,
    RateError: 429,
    ServiceError: 503,
    EngineError: 503,
    JournalError: 409,
    SpecError: 422,
    DataError: 422,
    PlanError: 422,
}


def status_of(error: DsketchError) -> int:
    """Return the HTTP status of an error: that of the first class of its ancestry in the table."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def shape(name: str, message: str) -> dict[str, Any]:
    """Return an error as it goes out.

    Messages have three parts, "what was expected; what was found. What to do."; ``found`` and ``try`` are the latter two, None
    where a message has no such part.

    >>> shape("SpecError", "alpha must be a number ≥ 0; got -1. Use 0 for plain least squares.")["found"]
    'got -1'
    """
    head, dot, advice = message.strip().removesuffix(".").rpartition(". ")
    expected_found = head if dot else advice
    _, semicolon, found = expected_found.partition("; ")
    return {
        "error": name,
        "message": message,
        "found": found if semicolon else None,
        "try": f"{advice}." if dot else None,
    }


def shape_of(error: DsketchError) -> dict[str, Any]:
    """Return an error of dsketch as it goes out."""
    return shape(type(error).__name__, str(error))
