"""The audit log: a line of JSON for every request and every change of a job's state: who, what, which data, with what outcome.

What a request is about is noted where it is known, on whatever thread, and written when it is answered.  No line holds a token, a
query or a body; other programs may move the file away at any time, and the next line begins a new one.
"""

import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import IO, Any

from dsketch.errors import SpecError
from dsketch.service.job import stamp

REQUEST_ID = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECRET = "dsk_"  # how tokens begin  # noqa: S105 - no secret
_MOST_CHARACTERS = 500  # of a text in a line

log = logging.getLogger("dsketch.service")
_files: list["_PrivateFile"] = []  # of this process; mostly one
_facts: ContextVar[dict[str, Any] | None] = ContextVar("facts", default=None)


class _PrivateFile(WatchedFileHandler):
    """A file for this account alone, opened anew when it was moved or removed."""

    def _open(self) -> IO[str]:  # type: ignore[override]
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a line is lost: a full disk keeps nobody from being served."""
        del record
        log.error("a line of the audit log %s is lost", self.baseFilename)


@contextmanager
def audit_log(path: Path | None) -> Iterator[None]:
    """Append lines to a file from now on; without one none are written.

    Raises
    ------
    SpecError
        If it cannot be written.
    """
    if path is None:
        yield
        return
    try:
        handler = _PrivateFile(path, encoding="utf-8")
    except OSError as error:
        raise SpecError(f"a file to append to was expected as --audit-log; {path} gave: {error.strerror}. Correct it.") from error
    _files.append(handler)
    try:
        yield
    finally:
        _files.remove(handler)
        handler.close()


def write_line(event: str, **facts: Any) -> None:
    """Append a line, if there is a file."""
    if _files:
        kept = {name: value[:_MOST_CHARACTERS] if isinstance(value, str) else value for name, value in facts.items()}
        line = json.dumps({"at": stamp(time.time()), "event": event, **kept})
        for file in _files:
            file.handle(logging.makeLogRecord({"msg": line, "levelno": logging.INFO}))


def begin_request(headers: Mapping[bytes, bytes]) -> str:
    """Begin to note the facts of a request, and return its id: the client's if it is a plain name and no token, else a new one."""
    given = headers.get(REQUEST_ID.lower().encode(), b"").decode("latin-1")
    id_ = given if _SANE.fullmatch(given) and _SECRET not in given else secrets.token_hex(8)
    _facts.set({"request": id_})
    return id_


def note(**facts: Any) -> None:
    """Note what the request under way is about; nothing where none is."""
    known = _facts.get()
    if known is not None:
        known.update(facts)


def facts() -> dict[str, Any]:
    """Return what was noted of the request under way, its id first."""
    return dict(_facts.get() or {})
