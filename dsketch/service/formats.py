"""The state directory as such: who may look into it, and which versions can read it."""

import contextlib
import logging
import os
from pathlib import Path

from dsketch.service.errors import ServiceError
from dsketch.service.files import get_json, put_json
from dsketch.version import __version__

log = logging.getLogger("dsketch.service")

FORMAT = 1  # the number grows only when an earlier version would read a state wrongly; added fields need none
_OURS = {"jobs", "lock", "ballast", "format.json", "index.sqlite", "uploads"}


def make_private(state: Path) -> None:
    """Make a state directory for this account alone; one that others share is left as it is, with a warning.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = state.stat().st_mode
    if not mode & 0o077:
        return
    names = {entry.name for entry in state.iterdir()}
    if not names or (names & _OURS and not mode & 0o1000):  # never close /tmp or a home to others
        with contextlib.suppress(PermissionError):
            state.chmod(0o700)
            return
    log.warning("the state directory %s is open to other accounts; its files are not. chmod 700 %s", state, state)


def require_known_format(state: Path) -> None:
    """Read the mark of the format, or set it where there is none.

    Raises
    ------
    ServiceError
        If a later version wrote in a format that this one would read wrongly.
    """
    path = state / "format.json"
    try:
        mark = get_json(path)
        found = 0 if mark is None else int(mark["format"])
    except (ValueError, TypeError, KeyError):
        log.warning("the mark %s cannot be read and is made anew", path)
        found = 0
    if found > FORMAT:
        by = mark.get("version", "a later version") if isinstance(mark, dict) else "a later version"
        raise ServiceError(
            f"a state directory of format {FORMAT} or earlier was expected; {state} has format {found}, of dsketch {by}. Start that "
            f"version (this is {__version__}), or choose another --state."
        )
    if found < FORMAT:
        with contextlib.suppress(OSError):  # a disk without room: it is set at another start
            put_json(path, {"format": FORMAT, "version": __version__})


def private_umask() -> int:
    """Let what this process makes be for this account alone, and return how it was before."""
    return os.umask(0o077)
