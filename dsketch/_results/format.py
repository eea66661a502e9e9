"""The format of a stored x: which versions can read what it says of itself."""

from typing import Any

from dsketch.errors import DataError
from dsketch.version import __version__

FORMAT = 1  # the number grows only when an earlier version would read the attributes wrongly; added attributes need none
OURS = {"created_by": "dsketch", "version": __version__, "format": FORMAT}


def require_known_format(attributes: dict[str, Any], address: str) -> None:
    """Refuse an x of dsketch that a later version stored in a format which this one would read wrongly; no mark means format 1.

    Raises
    ------
    DataError
        Naming both formats and versions.
    """
    found = attributes.get("format", FORMAT)
    if attributes.get("created_by") == OURS["created_by"] and not (isinstance(found, int) and found <= FORMAT):
        raise DataError(
            f"an x of format {FORMAT} or earlier was expected; {address} has format {found!r}, of dsketch "
            f"{attributes.get('version', '(a later version)')}. Use that version (this is {__version__}), or solve again."
        )
