"""Who is asking: bearer tokens, one or more for each owner, kept as hashes in a file that is read again when it changes.

A token is 256 random bits, so one round of SHA-256 is as good as a slow hash: there is nothing to guess.
"""

import hashlib
import hmac
import ipaddress
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from dsketch.errors import SpecError
from dsketch.service.errors import TokenError

LOCAL_OWNER = "local"
_PREFIX = "dsk_"

log = logging.getLogger("dsketch.service")


@dataclass(frozen=True)
class Caller:
    """Somebody whose token was right.

    Attributes
    ----------
    owner : str
    is_admin : bool
        Sees and changes the jobs of all owners.
    """

    owner: str
    is_admin: bool = False

    @property
    def sees(self) -> str | None:
        """The owner whose jobs the caller sees; None for all."""
        return None if self.is_admin else self.owner


class Tokens:
    """The tokens of a file: a line ``owner:sha256:user`` or ``owner:sha256:admin`` each; none at all without a file.

    Guarantees: a line that is added or taken away counts from the next request on.  While the file cannot be read as one, nobody is
    let in, and the log says why.

    Parameters
    ----------
    path : Path or None
        None: everybody who reaches the service is the owner ``local``.

    Raises
    ------
    SpecError
        If the file cannot be read as one, or others than its owner can.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        # What is looked at before is never newer than what is read after.
        self._read_at = None if path is None else _changed_at(path)
        self._known = () if path is None else _read(path)

    @property
    def are_needed(self) -> bool:
        """Whether a request must bring a token."""
        return self._path is not None

    def caller(self, header: str | None) -> Caller:
        """Return who sends this ``Authorization`` header.

        Raises
        ------
        TokenError
            The same for no token, a wrong scheme and a wrong token.
        """
        if self._path is None:
            return Caller(LOCAL_OWNER, is_admin=True)
        self._read_if_changed(self._path)
        scheme, _, token = (header or "").partition(" ")
        given = _hash(token.strip()) if scheme.lower() == "bearer" else ""
        found = None
        for known, caller in self._known:  # to the end, so that the time taken tells nothing
            if hmac.compare_digest(known, given):
                found = caller
        if found is None:
            raise TokenError("a valid bearer token was expected; there is none. Send the header Authorization: Bearer TOKEN.")
        return found

    def _read_if_changed(self, path: Path) -> None:
        changed_at = _changed_at(path)
        if changed_at == self._read_at:
            return
        try:
            self._known = _read(path)
        except SpecError as error:
            self._known = ()
            log.error("nobody is let in: %s", error)
        self._read_at = changed_at


def new_token(path: Path, owner: str, *, is_admin: bool = False) -> str:
    """Return a new token for an owner; its hash is appended to the file, which only this account can read.

    Raises
    ------
    SpecError
        If the owner's name would not fit in the file, or the file cannot be written.
    """
    if not owner or not all(mark.isalnum() or mark in "._-@" for mark in owner) or len(owner) > 100:
        raise SpecError(f"an owner of letters, digits, '.', '_', '-', '@' was expected; got {owner!r}. Choose such a name.")
    token = _PREFIX + secrets.token_urlsafe(32)
    line = f"{owner}:{_hash(token)}:{'admin' if is_admin else 'user'}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.write(line)
    except OSError as error:
        raise SpecError(f"a token file was expected at {path}; it gave: {error.strerror}. Choose another path.") from error
    return token


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


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _changed_at(path: Path) -> tuple[int, ...] | None:
    """Return what tells one content of a file from the next; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


def _read(path: Path) -> tuple[tuple[str, Caller], ...]:
    try:
        if path.stat().st_mode & 0o037:  # a group may read: so Kubernetes and systemd hand a file to an account that is not root
            raise SpecError(
                f"a token file that only its owner, and at most a group, can read was expected; {path} is open to others. chmod 600 {path}"
            )
        lines = path.read_text().splitlines()
    except OSError as error:
        raise SpecError(
            f"a token file was expected at {path}; it gave: {error.strerror}. Make one with dsketch token OWNER --token-file {path}."
        ) from error
    found = tuple(
        _caller(path, number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")
    )
    if not found:
        raise SpecError(f"a token was expected in {path}; there is none. Make one with dsketch token OWNER --token-file {path}.")
    return found


def _caller(path: Path, number: int, line: str) -> tuple[str, Caller]:
    owner, _, rest = line.strip().partition(":")
    digest, _, role = rest.partition(":")
    if not owner or len(digest) != 64 or role not in ("user", "admin"):
        raise SpecError(
            f"owner:sha256:user or owner:sha256:admin was expected; line {number} of {path} is something else. Make it anew."
        )
    return digest, Caller(owner, role == "admin")
