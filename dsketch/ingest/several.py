"""The columns that several files have in common, by name."""

from collections.abc import Mapping, Sequence

from dsketch.errors import DataError
from dsketch.ingest import remedy
from dsketch.ingest.choice import ColumnChoice


def common_columns(names: Mapping[str, Sequence[str]], choice: ColumnChoice) -> list[str]:
    """Return all columns of some files, in the order of the first.

    Parameters
    ----------
    names : dict
        By file, its columns.
    choice : ColumnChoice
        Columns that are not used, or dropped, need not be in all files.

    Raises
    ------
    DataError
        Naming a used column and the first file that lacks it.
    """
    found = dict.fromkeys(name for columns in names.values() for name in columns)
    for name in found:
        lacking = [file for file, columns in names.items() if name not in columns]
        if lacking and choice.concerns(name):
            owner = next(file for file, columns in names.items() if name in columns)
            raise DataError(
                f"the same columns in all files were expected; {lacking[0]} has no {name!r}, {owner} has. "
                f"Add it, leave the file out, or leave the column out with {remedy.drop_text(name)}."
            )
    return list(found)
