"""The file of tokens: a line ``owner:sha256:role`` each, ``:until`` after it where a token's time ends, ``:label`` where it has a name.

A role is ``user``, ``admin`` (sees and changes the jobs of all owners) or ``reader`` (looks at its owner's jobs, and changes nothing).

A token is 256 random bits, so one round of SHA-256 is as good as a slow hash: there is nothing to guess.  ``until`` is in seconds
since 1970.  A token is added at the end of the file and revoked where it stands, by as many bytes as it had: the file stays the same
one, so that who has it open, or sees it through a mount of this one file, sees the change.
"""

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dsketch.errors import SpecError

_PREFIX = "dsk_"
_REVOKED = b"# revoked"
DAY_SECONDS = 86_400
ROLES = ("user", "admin", "reader")
_SHOWN = 8  # digits of a hash that name a token to people who can read the file
HANDLE = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Token:
    """What the file knows of a token.

    Attributes
    ----------
    owner : str
    digest : str
        SHA-256 of the token.
    role : str
        One of :data:`ROLES`.
    until : int or None
        Seconds since 1970, when its time ends; None: never.
    label : str
        What its owner calls it.
    """

    owner: str
    digest: str
    role: str = "user"
    until: int | None = None
    label: str = ""

    @property
    def id(self) -> str:
        """What names it to people; nobody can come in with it."""
        return self.digest[:_SHOWN]

    @property
    def handle(self) -> str:
        """What names it over HTTP: a digest of its digest, of which no part can be told from it."""
        return hashlib.sha256(f"handle {self.digest}".encode()).hexdigest()[:16]

    def is_expired(self, now: float) -> bool:
        """Whether its time has ended."""
        return self.until is not None and now >= self.until

    def line(self) -> str:
        """Return it as the file has it."""
        more = ["" if self.until is None else str(self.until), self.label]
        return ":".join([self.owner, self.digest, self.role, *more]).rstrip(":")


def hash_of(token: str) -> str:
    """Return what the file keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token(
    path: Path, owner: str, *, is_admin: bool = False, days: float | None = None, is_reader: bool = False, label: str = ""
) -> str:
    """Return a new token for an owner; its hash is appended to the file, which only this account can read if it is made now.

    Parameters
    ----------
    path : Path
    owner : str
    is_admin : bool
    days : float, optional
        That it is good for; None: until it is revoked.
    is_reader : bool
        Whether it changes nothing.
    label : str
        What its owner calls it.

    Raises
    ------
    SpecError
        If the owner's name or the label would not fit in the file, both roles are asked for, or the file cannot be written.
    """
    if not is_plain_name(owner):
        raise SpecError(f"an owner of letters, digits, '.', '_', '-', '@' was expected; got {owner!r}. Choose such a name.")
    if label and not _is_label(label):
        raise SpecError(f"a label was expected that begins with a letter, as a plain name; got {label!r}. Choose such a name.")
    if is_admin and is_reader:
        raise SpecError("one role was expected; an admin changes everything, a reader nothing. Choose --admin or --reader.")
    token = _PREFIX + secrets.token_urlsafe(32)
    role = "admin" if is_admin else "reader" if is_reader else "user"
    until = None if days is None else int(time.time() + days * DAY_SECONDS)
    _append(path, Token(owner, hash_of(token), role, until, label))
    return token


def _append(path: Path, token: Token) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            end = file.tell()
            is_cut = end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"  # an editor left no end of line
            file.write(f"{chr(10) * is_cut}{token.line()}\n".encode())
    except OSError as error:
        raise SpecError(f"a token file was expected at {path}; it gave: {error.strerror}. Choose another path.") from error


def is_plain_name(name: str) -> bool:
    """Whether a name may be an owner's: it breaks no line, neither of the file nor of a log."""
    return 0 < len(name) <= 100 and all(mark.isalnum() or mark in "._-@" for mark in name)


def _is_label(name: str) -> bool:
    return is_plain_name(name) and name[0].isalpha()  # so that half an end of time is none


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Return the tokens of a file, expired ones as well.

    Raises
    ------
    SpecError
        If there is none, it cannot be read as one, or others than its owner and a group can.
    """
    found = _tokens(path, _read(path))
    if not found:
        raise SpecError(f"a token was expected in {path}; there is none. Make one with dsketch token OWNER --token-file {path}.")
    return found


def revoke(path: Path, who: str) -> tuple[Token, ...]:
    """Take the tokens of an owner, else the one of an id, else those of a label, out of the file, and return them.

    Raises
    ------
    SpecError
        If there are none.
    """
    gone = _find(path, who)
    strike(path, gone)
    return gone


def expire(path: Path, who: str, days: float = 0.0) -> tuple[Token, ...]:
    """Let the time of such tokens, as of :func:`revoke`, end so many days from now, whenever it would have ended; 0: at once.

    Raises
    ------
    SpecError
        If there are none.
    """
    until = int(time.time() + days * DAY_SECONDS)
    return tuple(set_end(path, token, until) for token in _find(path, who))


def _find(path: Path, who: str) -> tuple[Token, ...]:
    """Return the tokens of a file that an owner's name, an id, here or over HTTP, or a label means."""
    known = _tokens(path, _read(path))
    names_of = ("owner", "id", "handle", "label") if who else ()
    found = next((these for name in names_of if (these := tuple(one for one in known if getattr(one, name) == who))), ())
    if not found:
        names = ", ".join(sorted({token.owner for token in known})) or "nobody"
        raise SpecError(
            f"an owner, or the id or label of a token, in {path} was expected; got {who!r} (it has: {names}). See --list."
        )
    return found


def set_end(path: Path, token: Token, until: int) -> Token:
    """Let the time of a token of the file end, in seconds since 1970, and return it: a new line takes the place of its own.

    Raises
    ------
    SpecError
        If the file cannot be written.
    """
    before, ended = _read(path), replace(token, until=until)
    _append(path, ended)  # of two lines with one hash the later counts
    _strike(path, before, [token])
    return ended


def strike(path: Path, gone: Iterable[Token]) -> None:
    """Take tokens out of the file, each where it stands.

    Raises
    ------
    SpecError
        If the file cannot be written.
    """
    _strike(path, _read(path), gone)


def _strike(path: Path, data: bytes, gone: Iterable[Token]) -> None:
    """Take the lines of tokens out that stand in a file's first bytes."""
    digests = {token.digest.encode() for token in gone}
    try:
        with path.open("r+b", buffering=0) as file:
            place = 0
            for line in data.splitlines(keepends=True):
                text = line.rstrip(b"\r\n")
                if not text.startswith(b"#") and any(digest in text for digest in digests):
                    os.pwrite(file.fileno(), _REVOKED.ljust(len(text)), place)
                place += len(line)
            os.fsync(file.fileno())
    except OSError as error:
        raise SpecError(
            f"a token file that can be written was expected at {path}; it gave: {error.strerror}. Revoke as its owner."
        ) from error


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o037:  # a group may read: so Kubernetes and packages hand a file to an account that is not root
            raise SpecError(
                f"a token file that only its owner, and at most a group, can read was expected; {path} is open to others. "
                f"chmod 600 {path}, or 640"
            )
        return path.read_bytes()
    except OSError as error:
        raise SpecError(
            f"a token file was expected at {path}; it gave: {error.strerror}. Make one with dsketch token OWNER --token-file {path}."
        ) from error


def _tokens(path: Path, data: bytes) -> tuple[Token, ...]:
    lines = data.decode("utf-8", errors="replace").splitlines()
    return tuple(_token(path, number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#"))


def _token(path: Path, number: int, line: str) -> Token:
    owner, *rest = line.strip().split(":")
    digest, role, until, label = (*rest, "", "", "", "")[:4]
    is_whole = {2: True, 3: until.isdigit(), 4: (not until or until.isdigit()) and _is_label(label)}.get(len(rest), False)
    if not owner or len(digest) != 64 or role not in ROLES or not is_whole:
        raise SpecError(
            f"owner:sha256:role was expected, the role one of {', '.join(ROLES)}; line {number} of {path} is something else. Make it "
            "anew."
        )
    return Token(owner, digest, role, int(until) if until else None, label)
