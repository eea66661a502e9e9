"""Turn the failures of disks and parsers into one sentence of dsketch's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dsketch.errors import DataError, DsketchError


@contextmanager
def reading(source: str, *failures: type[Exception]) -> Iterator[None]:
    """Raise a DataError that names ``source`` in place of an OSError or one of ``failures``."""
    caught: tuple[type[Exception], ...] = (OSError, *failures)
    try:
        yield
    except DsketchError:
        raise
    except caught as error:
        raise DataError(f"a readable file was expected; {source} gave: {_cause(error)}. Repair it or write it anew.") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise a DataError that names ``path`` in place of an OSError: disk full, read-only, no such place."""
    try:
        yield
    except DsketchError:
        raise
    except OSError as error:
        raise DataError(
            f"a place that can be written was expected; {path} gave: {_cause(error)}. "
            "Free some space, correct the permissions, or choose another path."
        ) from error


def _cause(error: Exception, most: int = 300) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = " ".join(str(said).split()).rstrip(".")
    return line if len(line) <= most else line[:most] + " …"
