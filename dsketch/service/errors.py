"""The status of an error over HTTP, and the one shape in which every error goes out: ``{error, message, found, try}``.

============== ===
UnknownJob     404: no such job, or not yours
other JobError 409: its state does not allow that, or the idempotency key came with another request
TokenError     401: no token, or a wrong one
AccessError    403: data outside the declared places
SizeError      413: the request, or the answer asked for, is too large
RateError      429: too many requests, streams or jobs
ServiceError   503: the service cannot do it now
EngineError    503: its cluster cannot
JournalError   409
other errors   422
============== ===
"""

from typing import Any

from dsketch.errors import (
    AccessError,
    DataError,
    DsketchError,
    EngineError,
    ForbiddenMove,
    JobError,
    JournalError,
    KeyTaken,
    PlaceError,
    PlanError,
    RateError,
    ServiceError,
    SizeError,
    SpecError,
    TokenError,
    UnknownJob,
)
from dsketch.service.labels import name_in, with_label

__all__ = [
    "AccessError",
    "ForbiddenMove",
    "KeyTaken",
    "PlaceError",
    "RateError",
    "ServiceError",
    "SizeError",
    "TokenError",
    "UnknownJob",
    "document_of",
    "error_document",
    "http_status_of",
]

_STATUS: dict[type[DsketchError], int] = {
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


def http_status_of(error: DsketchError) -> int:
    """Return the HTTP status of an error: that of the first class of its ancestry in the table."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def error_document(name: str, message: str) -> dict[str, Any]:
    """Return an error as it goes out.

    Messages have three parts, "what was expected; what was found. What to do."; ``found`` and ``try`` are the latter two, None
    where a message has no such part.  A message about an option calls it by its label, as the form does, with the name of the keyword
    beside it; ``field`` is that name, None of a message about something else.

    >>> told = error_document("SpecError", "alpha must be a number ≥ 0; got -1. Use 0 for plain least squares.")
    >>> told["message"], told["field"], told["found"]
    ('Penalty (alpha) must be a number ≥ 0; got -1. Use 0 for plain least squares.', 'alpha', 'got -1')
    """
    field, message = name_in(message), with_label(message)
    head, dot, advice = message.strip().removesuffix(".").rpartition(". ")
    expected_found = head if dot else advice
    _, semicolon, found = expected_found.partition("; ")
    return {
        "error": name,
        "message": message,
        "field": field,
        "found": found if semicolon else None,
        "try": f"{advice}." if dot else None,
    }


def document_of(error: DsketchError) -> dict[str, Any]:
    """Return an error of dsketch as it goes out."""
    return error_document(type(error).__name__, str(error))
