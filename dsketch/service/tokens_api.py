"""What admins do with tokens: look, make, end, revoke; no HTTP."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dsketch.errors import SpecError
from dsketch.service.audit_log import note
from dsketch.service.auth import Caller, Tokens
from dsketch.service.errors import AccessError, ForbiddenMove, ServiceError, UnknownJob
from dsketch.service.job import stamp
from dsketch.service.tokens import DAY_SECONDS, Token, new_token, set_end, strike

acts = logging.getLogger("dsketch.service.acts")
T = TypeVar("T")


class TokenDesk:
    """Where requests about tokens arrive.

    Guarantees: admins alone are served; no token that is in use goes out, and nothing by which one could come in; the last admin's token
    is neither revoked nor ended, so that somebody can still look after the others.

    Parameters
    ----------
    tokens : Tokens
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def describe(self, caller: Caller) -> list[dict[str, Any]]:
        """Return the tokens of the file, expired ones as well, in its order.

        Raises
        ------
        AccessError
        """
        require_admin(caller)
        return [self._tell(token, caller) for token in self._tokens.known()]

    def make(self, caller: Caller, owner: str, role: str, label: str, days: float | None) -> dict[str, Any]:
        """Return a new token, the only time that it is told.

        Raises
        ------
        AccessError
        SpecError
            If the owner's name or the label would not fit in the file.
        ServiceError
            If the file cannot be written.
        """
        require_admin(caller)
        path = self._file()
        made = _writing(
            lambda: new_token(path, owner, is_admin=role == "admin", is_reader=role == "reader", label=label, days=days)
        )
        token = self._tokens.of(made)
        note(token=token.handle, token_owner=owner)
        acts.info("%s made a token of %s, role %s", caller.owner, owner, role)
        return {**self._tell(token, caller), "token": made}

    def end(self, caller: Caller, id_: str, days: float) -> dict[str, Any]:
        """Let a token's time end so many days from now, and return it; 0: at once.

        Raises
        ------
        AccessError, UnknownJob, ForbiddenMove, ServiceError
        """
        token = self._known(caller, id_)
        if not days:
            self._require_another_admin(token)
        ended = _writing(lambda: set_end(self._file(), token, int(time.time() + days * DAY_SECONDS)))
        acts.info("%s ends a token of %s in %g days", caller.owner, token.owner, days)
        return self._tell(ended, caller)

    def revoke(self, caller: Caller, id_: str) -> None:
        """Take a token out of the file.

        Raises
        ------
        AccessError, UnknownJob, ForbiddenMove, ServiceError
        """
        token = self._known(caller, id_)
        self._require_another_admin(token)
        _writing(lambda: strike(self._file(), [token]))
        acts.info("%s revoked a token of %s", caller.owner, token.owner)

    def _known(self, caller: Caller, id_: str) -> Token:
        require_admin(caller)
        self._file()
        found = next((token for token in self._tokens.known() if token.handle == id_), None)
        if found is None:
            raise UnknownJob(f"a token was expected; there is none of id {id_!r}. List the tokens for their ids.")
        note(token=found.handle, token_owner=found.owner)
        return found

    def _require_another_admin(self, token: Token) -> None:
        now = time.time()
        admins = [one for one in self._tokens.known() if one.role == "admin" and not one.is_expired(now)]
        if [one.digest for one in admins] == [token.digest]:
            raise ForbiddenMove("another admin's token was expected before the last one ends; there is none. Make one first.")

    def _file(self) -> Path:
        if self._tokens.path is None:
            raise AccessError("a service with a file of tokens was expected; this one has none. Start it with --token-file.")
        return self._tokens.path

    def _tell(self, token: Token, caller: Caller) -> dict[str, Any]:
        used = self._tokens.last_use(token)
        return {
            "id": token.handle,
            "owner": token.owner,
            "label": token.label,
            "role": token.role,
            "until": None if token.until is None else stamp(token.until),
            "is_expired": token.is_expired(time.time()),
            "last_used": None if used is None else stamp(used),
            "is_yours": token.handle == caller.token,
        }


def require_admin(caller: Caller) -> None:
    """Refuse who is no admin.

    Raises
    ------
    AccessError
    """
    if not caller.is_admin:
        raise AccessError(f"an admin was expected; {caller.owner} is none. Use an admin's token.")


def _writing(act: Callable[[], T]) -> T:
    """Act on the file; that it cannot be written is no fault of who asks.

    Raises
    ------
    ServiceError
    """
    try:
        return act()
    except SpecError as error:
        if isinstance(error.__cause__, OSError):
            raise ServiceError(str(error)) from error
        raise
