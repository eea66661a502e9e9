"""Who is asking: bearer tokens, one or more for each owner, of a file that is read again when it changes."""

import hmac
import ipaddress
import logging
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsketch.errors import SpecError
from dsketch.service.errors import TokenError
from dsketch.service.token_use import TokenUse
from dsketch.service.tokens import Token, hash_of, new_token, read_tokens
from dsketch.service.trust import TrustedHeader

__all__ = ["Caller", "Tokens", "is_loopback", "new_token", "require_safe_host", "version_of"]

_LOCAL_OWNER = "local"
_SETTLED_NANOSECONDS = 2_000_000_000  # file systems tell two changes within some milliseconds, or a second, by nothing

log = logging.getLogger("dsketch.service")


@dataclass(frozen=True)
class Caller:
    """Somebody whose token was right.

    Attributes
    ----------
    owner : str
    is_admin : bool
        Sees and changes the jobs of all owners.
    is_reader : bool
        Sees the jobs of its owner, and changes nothing.
    token : str
        What names its token over HTTP; empty without one.
    """

    owner: str
    is_admin: bool = False
    is_reader: bool = False
    token: str = field(default="", compare=False)

    @property
    def role(self) -> str:
        """Its word in the file of tokens."""
        return "admin" if self.is_admin else "reader" if self.is_reader else "user"

    @property
    def sees(self) -> str | None:
        """The owner whose jobs the caller sees; None for all."""
        return None if self.is_admin else self.owner


class Tokens:
    """The tokens of a file (:mod:`dsketch.service.tokens`); none at all without a file.

    Guarantees: a line that is added or taken away counts from the next request on, and so does the end of a token's time.  While the
    file cannot be read as one, nobody is let in, and the log says why.

    Parameters
    ----------
    path : Path or None
        None without a ``trusted`` header: everybody who reaches the service is the owner ``local``.
    trusted : TrustedHeader, optional
        By which a proxy says who logged in there.

    Raises
    ------
    SpecError
        If the file cannot be read as one, or others than its owner can.
    """

    def __init__(self, path: Path | None, trusted: TrustedHeader | None = None) -> None:
        self._path, self._trusted = path, trusted
        self._use: TokenUse | None = None
        # What is looked at before is never newer than what is read after.
        self._read_at = None if path is None else version_of(path)
        self._known = () if path is None else read_tokens(path)
        self._trouble: str | None = None
        self._is_settled = False

    @property
    def are_needed(self) -> bool:
        """Whether a request must bring a token, or come from a proxy where somebody logged in."""
        return self._path is not None or self._trusted is not None

    @property
    def path(self) -> Path | None:
        """Of the file."""
        return self._path

    def remember(self, path: Path) -> None:
        """Keep in a file when each token was last used, from now on."""
        self._use = TokenUse(path)

    def last_use(self, token: Token) -> float | None:
        """Return when a token was last used, in seconds since 1970; None if nobody knows."""
        return None if self._use is None else self._use.last(token)

    def close(self) -> None:
        """Write down when tokens were last used."""
        if self._use is not None:
            if self.trouble() is None:  # else nobody knows which tokens there are
                self._use.forget_others(self._known)
            self._use.keep()

    def caller_of(self, scope: MutableMapping[str, Any]) -> Caller:
        """Return who sends a request (an ASGI scope): whom a trusted proxy names, else whose token it has.

        Raises
        ------
        TokenError
            As :meth:`caller`, and where the proxy's header comes from elsewhere.
        """
        named = None if self._trusted is None else self._trusted.owner(scope)
        if named is not None:
            return Caller(named)
        return self.caller(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))

    def caller(self, header: str | None) -> Caller:
        """Return who sends this ``Authorization`` header.

        Raises
        ------
        TokenError
            The same for no token, a wrong scheme and a wrong token.
        """
        if not self.are_needed:
            return Caller(_LOCAL_OWNER, is_admin=True)
        if self._path is not None:
            self._read_if_changed(self._path)
        scheme, _, token = (header or "").partition(" ")
        given = hash_of(token.strip()) if scheme.lower() == "bearer" else ""
        found = None
        for known in self._known:  # to the end, so that the time taken tells nothing
            if hmac.compare_digest(known.digest, given):
                found = known
        if found is not None and not found.is_expired(time.time()):
            if self._use is not None:
                self._use.note(found)
            return Caller(found.owner, found.role == "admin", found.role == "reader", found.handle)
        raise TokenError("a valid bearer token was expected; there is none. Send the header Authorization: Bearer TOKEN.")

    def of(self, token: str) -> Token:
        """Return what the file knows of a token that was just made."""
        digest = hash_of(token)
        return next(known for known in reversed(self.known()) if known.digest == digest)

    def known(self) -> tuple[Token, ...]:
        """Return what the file knows of tokens, expired ones as well."""
        if self._path is not None:
            self._read_if_changed(self._path)
        return self._known

    def trouble(self) -> str | None:
        """Return why nobody is let in; None if somebody is."""
        if self._path is not None:
            self._read_if_changed(self._path)
        return self._trouble

    def _read_if_changed(self, path: Path) -> None:
        changed_at = version_of(path)
        if changed_at == self._read_at and self._is_settled:
            return
        self._is_settled = changed_at is None or time.time_ns() - changed_at[0] > _SETTLED_NANOSECONDS
        try:
            self._known, self._trouble = read_tokens(path), None
        except SpecError as error:
            self._known, self._trouble = (), str(error)
            log.error("nobody is let in: %s", error)
        self._read_at = changed_at


def require_safe_host(host: str, tokens: Tokens) -> None:
    """Refuse to listen where others can reach the service without a token.

    Raises
    ------
    SpecError
    """
    if tokens.are_needed or is_loopback(host):
        return
    raise SpecError(
        f"a token file was expected for a service that other machines can reach; --host is {host} and there is no --token-file. Make "
        "one with dsketch token OWNER --token-file FILE, or listen on 127.0.0.1."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host name or address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def version_of(path: Path) -> tuple[int, ...] | None:
    """Return what tells one content of a file from the next; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
