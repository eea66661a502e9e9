"""Workers that compute what the driver would: the same Python, NumPy, SciPy and dsketch, and all that dsketch imports."""

import re
from collections.abc import Iterable

from distributed import Client

from dsketch.engine.worker import versions
from dsketch.errors import EngineError

# How Dask hands over an exception that it could not pickle, and how Python words a package that is not there or is kept out.
_AS_TEXT = re.compile(r"(?:ModuleNotFound|Import)Error\((.+)\)", re.DOTALL)
_PACKAGE = re.compile(r"(?:No module named|import of|cannot import name '\w+' from) '?(\w+)")


def require_same_versions(client: Client, addresses: Iterable[str]) -> set[str]:
    """Return which of these workers answered, all of them with the driver's versions; one that died while it was asked did not.

    Raises
    ------
    EngineError
        Naming a worker that cannot import dsketch or what it needs, or that has another version.
    """
    here = versions()
    answers = client.run(versions, workers=list(addresses), on_error="return")
    for address, found in answers.items():
        if isinstance(found, Exception) and (text := _import_words(found)):
            package = _PACKAGE.search(text)
            raise EngineError(
                f"workers must be able to import what dsketch needs; {address} cannot import {package[1] if package else 'it'} ({text}). "
                "Install it in their environment."
            )
        if not isinstance(found, OSError) and found != here:
            said = found if isinstance(found, dict) else f"something else ({type(found).__name__}: {found})"
            raise EngineError(
                f"workers must run the driver's versions {here}; {address} runs {said}. Use one environment for both."
            )
    return {address for address, found in answers.items() if not isinstance(found, OSError)}


def find_missing_import(error: BaseException) -> str | None:
    """Return the words of the failed import that an error comes from, if it comes from one."""
    cause: BaseException | None = error
    while cause is not None:
        if text := _import_words(cause):
            return text
        cause = cause.__cause__
    return None


def _import_words(error: BaseException) -> str | None:
    if isinstance(error, ImportError):
        return str(error)
    found = _AS_TEXT.search(str(error))
    return found[1][1:-1] if found else None
