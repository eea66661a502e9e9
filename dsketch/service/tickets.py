"""Tickets for downloads: each opens one answer of one caller, once, within a minute.

A browser that saves a file by itself, straight to the disk, sends no header of ours; so what it asks for is named by a ticket.  A ticket
is good for nothing else, and no longer than who asked for it may come in.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from dsketch.errors import DsketchError
from dsketch.service.auth import Caller, Tokens
from dsketch.service.errors import UnknownJob

TICKET_SECONDS = 60
_MOST_OF_OWNER = 64  # tickets that are not used yet; the oldest gives way
_BYTES = 32
PATTERN = "^dst_[A-Za-z0-9_-]{43}$"


@dataclass(frozen=True)
class Ticket:
    """What a ticket opens.

    Attributes
    ----------
    caller : Caller
        Who asked for it.
    job, of : str
        The job, and which part of its answer.
    asked : mapping
        Of the request (an ASGI scope): what says who sent it.
    until : float
        By the clock that nobody sets.
    """

    caller: Caller
    job: str
    of: str
    asked: MutableMapping[str, Any]
    until: float


class Tickets:
    """The tickets that are not used yet; they end with the process.

    Parameters
    ----------
    tokens : Tokens
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._known: OrderedDict[str, Ticket] = OrderedDict()
        self._guard = threading.Lock()

    def issue(self, caller: Caller, job: str, of: str, scope: MutableMapping[str, Any]) -> str:
        """Return a new ticket for a part of a job's answer, to the sender of a request."""
        name = f"dst_{secrets.token_urlsafe(_BYTES)}"
        asked = {"headers": scope["headers"], "client": scope.get("client")}
        with self._guard:
            now = time.monotonic()
            mine = [one for one, ticket in self._known.items() if ticket.caller.owner == caller.owner]
            late = [one for one, ticket in self._known.items() if ticket.until < now]
            for one in {*late, *mine[: max(len(mine) + 1 - _MOST_OF_OWNER, 0)]}:
                del self._known[one]
            self._known[name] = Ticket(caller, job, of, asked, now + TICKET_SECONDS)
        return name

    def redeem(self, name: str) -> Ticket:
        """Return what a ticket opens; it is used then.

        Raises
        ------
        UnknownJob
            If there is none, it was used, it is too old, or who asked for it may not come in any more: the same sentence for all.
        """
        with self._guard:
            found = self._known.pop(name, None)
        if found is not None and time.monotonic() <= found.until and self._is_welcome(found):
            return found
        raise UnknownJob(
            f"a ticket that was not used, of the last {TICKET_SECONDS} seconds, was expected; there is none such. Ask for another."
        )

    def _is_welcome(self, ticket: Ticket) -> bool:
        try:
            return self._tokens.caller_of(ticket.asked) == ticket.caller
        except DsketchError:
            return False
