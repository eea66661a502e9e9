"""Names of uploaded files, and how the document of a run names one: ``upload:NAME`` is its matrix, ``upload:NAME#COLUMN`` a column."""

import re
from dataclasses import dataclass

from dsketch.errors import SpecError

ENDINGS = (".csv", ".tsv", ".parquet", ".npy", ".npz")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_MARK = "upload:"
_MOST_CHARACTERS = 100


@dataclass(frozen=True)
class UploadAddress:
    """What a document names.

    Attributes
    ----------
    name : str
        Of the uploaded file.
    column : str or None
        That is taken out of it; None: all columns that no other word takes.
    """

    name: str
    column: str | None = None


def is_upload(address: str) -> bool:
    """Whether a document names an upload.

    >>> is_upload("upload:cars.csv#price"), is_upload("cars.zarr")
    (True, False)
    """
    return address.startswith(_MARK)


def address_of(address: str, what: str) -> UploadAddress:
    """Return what an address of an upload names.

    Raises
    ------
    SpecError

    Examples
    --------
    >>> address_of("upload:cars.csv#price", "b")
    UploadAddress(name='cars.csv', column='price')
    """
    name, mark, column = address.removeprefix(_MARK).partition("#")
    if not NAME.fullmatch(name) or (mark and not column):
        raise SpecError(
            f"{what} was expected as upload:NAME or upload:NAME#COLUMN; got {address[:200]!r}. List the uploads for their names."
        )
    return UploadAddress(name, column if mark else None)


def clean_name(given: str) -> str:
    r"""Return the name under which a file is kept: no folder, no sign that means something to a shell or a path.

    Raises
    ------
    SpecError
        If its ending is of no format that is taken.

    Examples
    --------
    >>> clean_name(r"C:\data\House prices (2).CSV"), clean_name("../../etc/.x.npy")
    ('House_prices_2_.csv', 'x.npy')
    """
    last = re.split(r"[/\\]", given)[-1]
    ending = next((ending for ending in ENDINGS if last.lower().endswith(ending)), None)
    if ending is None:
        raise SpecError(
            f"a file of {', '.join(ENDINGS)} was expected; got {last[:100]!r}. Convert it, or write larger data as Zarr below a data root."
        )
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", last[: -len(ending)]).lstrip(".-_")
    return f"{stem[: _MOST_CHARACTERS - len(ending)] or 'data'}{ending}"
