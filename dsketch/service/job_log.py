"""The log of a job's process, a part at a time, as its owner may read it."""

from dataclasses import dataclass
from pathlib import Path

from dsketch.service.hidden import hide_addresses

MOST_BYTES = 65_536  # of a part
_LEFT_OUT = f"[part of a line of more than {MOST_BYTES:,} bytes is left out]\n"


@dataclass(frozen=True)
class LogPart:
    """Some lines of a log.

    Attributes
    ----------
    text : str
        Whole lines, without addresses of the cluster and without control characters.
    next : int
        Where the next part begins, in bytes of the file.
    size : int
        Of the file.
    """

    text: str
    next: int
    size: int


def read_log(path: Path, after: int, *, is_final: bool) -> LogPart:
    """Return the lines that begin at or after a place in a log, as many as go into a part.

    A part begins and ends between two lines: an address that is cut in two could not be told from other text.

    Parameters
    ----------
    path : Path
        Of the file; none there is an empty log.
    after : int
        Bytes that are known already.
    is_final : bool
        Whether nothing more will be written: what follows the last line's end is a line then, too.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            first = min(max(after - 1, 0), size)  # the byte before tells whether a line begins at ``after``
            file.seek(first)
            found = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return LogPart("", 0, 0)
    is_whole = is_final and first + len(found) >= size
    begin = 0 if after == 0 else found.find(b"\n") + 1
    if after and not begin:  # in the midst of a line that does not end here
        return LogPart("", first + len(found) if is_whole or len(found) > MOST_BYTES else min(after, size), size)
    end = len(found) if is_whole else found.rfind(b"\n") + 1
    if end <= begin and len(found) - begin >= MOST_BYTES:
        return LogPart(_LEFT_OUT, first + len(found), size)
    text = found[begin : max(begin, end)].decode(errors="replace")
    return LogPart(hide_addresses(_printable(text)), first + max(begin, end), size)


def _printable(text: str) -> str:
    """Return a text that a terminal shows and does not obey."""
    return "".join(mark if mark.isprintable() or mark in "\n\t" else "\ufffd" for mark in text.replace("\r\n", "\n"))
