"""What to do about a source, as values: who can give options is told of them, and who has the file alone what to do to the file.

An option stands as one can type it: option and value, quoted for a shell, and the same in Python.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from dsketch.errors import DataError, DsketchError, SpecError
from dsketch.events import Note


@dataclass(frozen=True)
class Remedy:
    """One thing to do.

    Parameters
    ----------
    by_option : str
        What to do with the options of ingest.
    in_file : str
        What to do to the file instead, by who has no options; empty where that is nothing.
    """

    by_option: str
    in_file: str = ""


def at_source(text: str) -> Remedy:
    """Return what everybody can do, for it is done to the file."""
    return Remedy(text, text)


class _AdvisedError(DsketchError):
    """An error with remedies; its text is for who can give options."""

    def __init__(self, finding: str, *remedies: Remedy) -> None:
        super().__init__(finding, *remedies)

    def __str__(self) -> str:
        return self.text(has_options=True)

    def text(self, *, has_options: bool) -> str:
        """Return the sentences for who can give options of ingest, or for who has the file alone."""
        finding, *remedies = self.args
        return f"{finding}. {_advice(remedies, has_options)}"


class SourceError(_AdvisedError, DataError):
    """The source is not as it must be."""


class ChoiceError(_AdvisedError, SpecError):
    """What was asked does not fit the source."""


@dataclass(frozen=True)
class SourceNote(Note):
    """A sentence on a source with a remedy; its text is for who can give options.

    Parameters
    ----------
    in_file : str
        The same for who has the file alone.
    """

    in_file: str


def note_on(finding: str, remedy: Remedy) -> SourceNote:
    """Return a note with a remedy."""
    return SourceNote(f"{finding}; {remedy.by_option}", f"{finding}; {remedy.in_file}")


def _advice(remedies: Sequence[Remedy], has_options: bool) -> str:
    """Return remedies as a sentence.

    >>> _advice([at_source("correct it"), drop_column("day"), categories("day")], has_options=False)
    'Correct it, remove it from the file, or, if each value is a category, begin each with a letter.'
    """
    texts = [text for one in remedies if (text := one.by_option if has_options else one.in_file)]
    *most, last = texts
    joined = ", ".join([*most, f"or{',' if last.startswith('if ') else ''} {last}"]) if most else last
    return f"{joined[:1].upper()}{joined[1:]}."


def option_text(flag: str, name: str) -> str:
    """Return an option that takes a list of names, with one name.

    >>> print(option_text("--drop", "Date Egg"), option_text("--drop", ""), option_text("--drop", "a,b"))
    --drop 'Date Egg' --drop '' --drop '"a,b"'
    """
    is_list = any(sign in name for sign in ',"\r\n') or name != name.lstrip()
    quoted = '"' + name.replace('"', '""') + '"' if is_list else name
    # A value that begins with a dash would be taken for an option.
    return f"{flag}={shlex.quote(quoted)}" if quoted.startswith("-") else f"{flag} {shlex.quote(quoted)}"


def drop_column(name: str, what: str = "it") -> Remedy:
    """Return how a column is left out.

    >>> drop_column("day").by_option
    "leave it out with drop=('day',) (--drop day)"
    """
    return Remedy(f"leave {what} out with drop=({name!r},) ({option_text('--drop', name)})", f"remove {what} from the file")


def drop_rows() -> Remedy:
    """Return how rows that lack a value are left out."""
    return Remedy("drop such rows with nulls='drop' (--nulls drop)", "remove such rows")


def categories(name: str) -> Remedy:
    """Return how each value of a column is declared a level.

    >>> categories("zip").by_option
    "if each value is a category, say categories=('zip',) (--categories zip)"
    """
    lead = "if each value is a category,"
    return Remedy(f"{lead} say categories=({name!r},) ({option_text('--categories', name)})", f"{lead} begin each with a letter")


def without_heading() -> Remedy:
    """Return how the first line is declared a row."""
    return Remedy(
        "if the first line is a row, say header=False (--no-header)", "if the first line is a row, put one of names above it"
    )
