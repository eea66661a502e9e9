"""Remedies as one can type them: option and value, quoted for a shell, and the same in Python."""

import shlex


def option_text(flag: str, name: str) -> str:
    """Return an option that takes a list of names, with one name.

    >>> print(option_text("--drop", "Date Egg"), option_text("--drop", ""), option_text("--drop", "a,b"))
    --drop 'Date Egg' --drop '' --drop '"a,b"'
    """
    is_list = any(sign in name for sign in ',"\r\n') or name != name.lstrip()
    quoted = '"' + name.replace('"', '""') + '"' if is_list else name
    # A value that begins with a dash would be taken for an option.
    return f"{flag}={shlex.quote(quoted)}" if quoted.startswith("-") else f"{flag} {shlex.quote(quoted)}"


def drop_text(name: str) -> str:
    """Return how a column is left out.

    >>> drop_text("day")
    "drop=('day',) (--drop day)"
    """
    return f"drop=({name!r},) ({option_text('--drop', name)})"


def categories_text(name: str) -> str:
    """Return how each value of a column is declared a level.

    >>> categories_text("zip")
    "categories=('zip',) (--categories zip)"
    """
    return f"categories=({name!r},) ({option_text('--categories', name)})"
