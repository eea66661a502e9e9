"""The columns that several files have in common, by name."""

from collections.abc import Mapping, Sequence

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
    SourceError
        Naming a used column and the first file that lacks it.
    """
    found = dict.fromkeys(name for columns in names.values() for name in columns)
    for name in found:
        lacking = [file for file, columns in names.items() if name not in columns]
        if lacking and choice.concerns(name):
            owner = next(file for file, columns in names.items() if name in columns)
            raise remedy.SourceError(
                f"the same columns in all files were expected; {lacking[0]} has no {name!r}, {owner} has",
                remedy.at_source("add it"),
                remedy.at_source("leave the file out"),
                remedy.drop_column(name, "the column"),
            )
    return list(found)
