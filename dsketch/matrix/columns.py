"""What columns are called and which levels stand behind one-hot columns, compared where an answer meets other rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dsketch.errors import DataError
from dsketch.matrix.base import Matrix
from dsketch.matrix.reordered import Reordered

_MOST_NAMED = 6  # a message shows no more names
_LIKE = "Make such rows from their source with dsketch ingest … --like A.zarr, A.zarr being what x was solved from"


@dataclass(frozen=True)
class Columns:
    """Names of columns; of those that were made from levels, also the levels.

    Attributes
    ----------
    names : tuple of str
    levels : dict
        By the name of the source's column, its levels in order.
    base : dict
        By the same, the level that has no column of its own.
    """

    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    base: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, matrix: Matrix | None) -> "Columns | None":
        """Return those of a matrix, if its storage knows them."""
        if matrix is None or matrix.names is None:
            return None
        return cls(matrix.names, dict(matrix.levels), dict(matrix.base_levels))

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> "Columns | None":
        """Return those that :meth:`attributes` made, if they are there."""
        names = attributes.get("columns")
        if not isinstance(names, list | tuple):
            return None
        return cls(tuple(map(str, names)), _levels_of(attributes), _base_of(attributes))

    def attributes(self) -> dict[str, Any]:
        """Return the same as JSON holds it, in the words of ``dsketch ingest``."""
        levels = {name: list(found) for name, found in self.levels.items()}
        told = {"columns": list(self.names), "levels": levels, "base": dict(self.base)}
        return {word: value for word, value in told.items() if value}

    def order_in(self, other: "Columns", what: str = "the new rows") -> list[int] | None:
        """Return where each of these columns stands among others of the same names; None if they are in the same order.

        Parameters
        ----------
        other : Columns
        what : str
            Whose the others are, for errors.

        Raises
        ------
        DataError
            Naming the column or level that differs.
        """
        self._compare_levels(other, what)
        if other.names == self.names:
            return None
        self._compare_names(other, what)
        if len(set(self.names)) < len(self.names):
            raise DataError(
                f"columns of different names were expected, to be put in order; {list_names(self.names)} and, of {what}, "
                f"{list_names(other.names)} have one twice. Give them in the order of x."
            )
        places = {name: place for place, name in enumerate(other.names)}
        return [places[name] for name in self.names]

    def _compare_names(self, other: "Columns", what: str) -> None:
        lacking = [name for name in self.names if name not in set(other.names)]
        foreign = [name for name in other.names if name not in set(self.names)]
        if lacking:
            instead = f"{list_names(foreign)} instead" if foreign else list_names(other.names)
            raise DataError(
                f"column {lacking[0]!r} was expected, as x has a coefficient for it; {what} have {instead}. Give the columns "
                f"{list_names(self.names)}, by these names. {_LIKE}."
            )
        if foreign or len(other.names) != len(self.names):
            found = list_names(foreign) if foreign else f"one of {list_names(other.names)} twice"
            raise DataError(f"the columns {list_names(self.names)} were expected; {what} also have {found}. Leave that out.")

    def _compare_levels(self, other: "Columns", what: str) -> None:
        for name in (name for name in self.levels if name in other.levels):
            if new := [level for level in other.levels[name] if level not in self.levels[name]]:
                raise DataError(
                    f"levels {list_names(self.levels[name])} of {name!r} were expected; {what} also have {new[0]!r}, for which x has no "
                    "coefficient. Leave such rows out, solve with them, or let it be none of the levels: dsketch ingest … --like A.zarr "
                    "--unseen zero."
                )
            ours, theirs = self.base.get(name), other.base.get(name)
            if ours != theirs:
                raise DataError(
                    f"{_base_words(ours)} of {name!r} was expected, as where x was solved; {what} have {_base_words(theirs)}. {_LIKE}."
                )


def in_order(known: Columns | None, A: Matrix, what: str = "the new rows") -> tuple[Matrix, str | None]:
    """Return A with its columns in the order of those that x belongs to, and a sentence if that took a change.

    Where either has no names, columns are taken by their place.

    Raises
    ------
    DataError
        If names or levels differ.
    """
    found = Columns.of(A)
    order = None if known is None or found is None else known.order_in(found, what)
    if order is None or found is None:
        return A, None
    whose = what if what.startswith("the columns") else f"the columns of {what}"
    return Reordered(A, order), f"{whose} were put in the order of x by their names; they came as {list_names(found.names)}"


def _levels_of(attributes: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the attribute ``levels`` that ``dsketch ingest`` writes: the levels of each column that became one-hot."""
    found = attributes.get("levels")
    items = found.items() if isinstance(found, Mapping) else ()
    return {str(name): tuple(map(str, levels)) for name, levels in items if isinstance(levels, list | tuple)}


def _base_of(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the attribute ``base`` that ``dsketch ingest`` writes: the level of each such column that was left out."""
    found = attributes.get("base")
    return {str(name): str(level) for name, level in found.items()} if isinstance(found, Mapping) else {}


def attach_levels(matrix: Matrix, attributes: Mapping[str, Any]) -> Matrix:
    """Return an opened matrix that knows what its attributes say of levels and of the rows that stayed."""
    matrix.levels, matrix.base_levels = _levels_of(attributes), _base_of(attributes)
    digest = attributes.get("rows_digest")
    matrix.rows_digest = digest if isinstance(digest, str) else None
    return matrix


def _base_words(level: str | None) -> str:
    return "no reference level" if level is None else f"the reference level {level!r}"


def list_names(names: Sequence[str]) -> str:
    """Return names as a sentence has them: the first few, and how many more."""
    shown = ", ".join(map(repr, names[:_MOST_NAMED]))
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
