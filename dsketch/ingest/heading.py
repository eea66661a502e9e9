"""What the first lines of a delimited file show: its delimiter, and whether the first line has names."""

from collections.abc import Sequence
from pathlib import Path

from dsketch.events import Note
from dsketch.ingest import remedy
from dsketch.ingest.dialect import BLANKS, Dialect, name_of_sign
from dsketch.ingest.looks import is_number

_SIGNS = (";", "\t", "|", ",", ":")
# What pandas and R write where the labels of the rows have no name, and what pandas makes of that.
_INDEX = ("", "__index_level_0__", "Unnamed: 0")


def require_delimiter(path: Path, lines: Sequence[str], dialect: Dialect, sign: str) -> None:
    """Raise a DataError that names the delimiter, if the one column of a file is several.

    Parameters
    ----------
    path : Path
        The file, for the message.
    lines : sequence of str
        The first lines.
    dialect : Dialect
        A delimiter that was said is believed.
    sign : str
        The delimiter that was used.
    """
    if dialect.delimiter is not None or not lines or sign in lines[0]:
        return
    seen = next((other for other in _SIGNS if other != sign and _splits(other, lines)), None)
    if seen is None and _are_aligned(lines):
        seen = BLANKS
    if seen is not None:
        what = "blanks" if seen == BLANKS else "a tab" if seen == "\t" else repr(seen)
        value = name_of_sign(seen)
        wanted = "a tab" if sign == "\t" else repr(sign)
        raise remedy.SourceError(
            f"columns with {wanted} between them were expected; {path} has the one column {lines[0][:80]!r}, with {what} inside",
            remedy.Remedy(f"say delimiter='{value.strip(chr(39))}' (--delimiter {value})", f"write {wanted} between columns"),
            remedy.Remedy(f"if it is one column, --delimiter {name_of_sign(sign)}"),
        )


def require_heading(path: Path, names: Sequence[str], dialect: Dialect) -> None:
    """Raise a DataError if the first line is a row of numbers.

    Whole numbers may be names beside others (years), and 0, 1, 2, … are those that pandas gives; see :func:`odd_names`.
    """
    if dialect.header is not None:
        return
    numbers = [name for name in names if is_number(name)]
    others = [name for name in numbers if not name.isdigit()]
    is_row = len(numbers) == len(names) and not _are_counted(names)
    if is_row or others:
        what = "only numbers" if is_row else f"the number {others[0]!r}"
        shown = ", ".join(map(repr, names[:4])) + (", …" if len(names) > 4 else "")
        raise remedy.SourceError(
            f"a first line with the names of the columns was expected; in {path} it has {what}: {shown}",
            remedy.without_heading(),
            remedy.Remedy("if these are names, header=True (--header)", "if these are names, begin them with a letter"),
        )


def odd_names(names: Sequence[str], dialect: Dialect) -> list[Note]:
    """Return a note on names that are numbers, if they may be a row and nobody said that they are names."""
    numbers = [name for name in names if name.isdigit()]
    if dialect.header is not None or not numbers or _are_counted([name for name in names if name not in _INDEX]):
        return []
    finding = f"the first line was taken for names, and {numbers[0]!r} among them is a number"
    return [remedy.note_on(finding, remedy.without_heading())]


def is_index(name: str) -> bool:
    """Whether a column has the name of row labels: none, or what pandas calls them.

    >>> is_index(""), is_index("__index_level_0__"), is_index("x")
    (True, True, False)
    """
    return name in _INDEX or (name.startswith("__index_level_") and name.endswith("__"))


def _are_counted(names: Sequence[str]) -> bool:
    return list(names) == [str(number) for number in range(len(names))] and len(names) > 1


def _splits(sign: str, lines: Sequence[str]) -> bool:
    # Rows of one width; a colon or the like inside a name alone is none of our business.
    counts = {line.count(sign) for line in lines}
    return min(counts) > 0 and (len(counts) == 1 or sign != ":")


def _are_aligned(lines: Sequence[str]) -> bool:
    widths = {len(line.split()) for line in lines}
    return len(widths) == 1 and widths.pop() > 1 and (len(lines) > 1 or is_number(lines[0].split()[0]))
