"""The columns of a matrix that is there: what new rows need for its answer to be about them.

``dsketch ingest`` writes into the attributes of A the names of its columns, the levels behind each one-hot column, and
the reference level that was left out.  An x that is stored has the same words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zarr

from dsketch.errors import DataError, DsketchError, MissingDataError

INTERCEPT = "intercept"


@dataclass(frozen=True)
class Like:
    """Columns and levels to be made again.

    Parameters
    ----------
    path : str
        Of the matrix, or another name of it for messages.
    columns : tuple of str
        Its columns.
    levels : dict
        By source column, all levels in order.
    base : dict
        By source column, the level that has no column.
    has_intercept : bool
        Whether the last column is ones that no source has.
    """

    path: str
    columns: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    base: Mapping[str, str]
    has_intercept: bool

    @classmethod
    def read(cls, path: str) -> "Like":
        """Return those of the Zarr array or group at a path or URL.

        Raises
        ------
        MissingDataError
            If nothing is there.
        DataError
            If it does not say what its columns are, or contradicts itself.
        """
        return cls.of(_attributes(path), path)

    @classmethod
    def of(cls, said: Mapping[str, Any], path: str) -> "Like":
        """Return those that the attributes of a matrix, or of an x, tell of.

        Parameters
        ----------
        said : mapping
            ``columns``, and, where there are some, ``levels``, ``base`` and ``intercept``.
        path : str
            What to call it in messages.

        Raises
        ------
        DataError
            If it does not say what its columns are, or contradicts itself.
        """
        columns = said.get("columns")
        if not isinstance(columns, list) or not columns:
            raise DataError(
                f"a matrix that names its columns was expected for like; {path} has no attribute 'columns'. "
                "Make it with dsketch ingest, or write the attribute."
            )
        found = cls(
            path,
            tuple(map(str, columns)),
            {str(name): tuple(map(str, levels)) for name, levels in _mapping(said, "levels").items()},
            {str(name): str(level) for name, level in _mapping(said, "base").items()},
            has_intercept=str(columns[-1]) == INTERCEPT and bool(said.get("intercept", True)),
        )
        found._check()
        return found

    @property
    def sources(self) -> tuple[str, ...]:
        """Columns that a source must have, in the order of A; a column with a base level alone comes last."""
        owners = {label: name for name in self.levels for label in self.labels(name)}
        plain = self.columns[:-1] if self.has_intercept else self.columns
        return tuple(dict.fromkeys([*(owners.get(label, label) for label in plain), *self.levels]))

    def labels(self, name: str) -> tuple[str, ...]:
        """Return the columns that a one-hot column of the source becomes."""
        return tuple(f"{name}={level}" for level in self.levels[name] if level != self.base.get(name))

    def pick(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that a source with these ``names`` must give.

        Raises
        ------
        DataError
            Naming those that it lacks.
        """
        lacking = [name for name in self.sources if name not in names]
        if lacking:
            raise DataError(
                f"the columns of {self.path} were expected; the source lacks {_list_names(lacking)} and has {_list_names(names)}. "
                "Add or rename them."
            )
        return self.sources

    def _check(self) -> None:
        made = [label for name in self.sources for label in (self.labels(name) if name in self.levels else [name])]
        strange = next((name for name, level in self.base.items() if level not in self.levels.get(name, ())), None)
        if made != list(self.columns[: len(made)]) or len(self.columns) != len(made) + self.has_intercept or strange is not None:
            raise DataError(
                f"columns that follow from the levels were expected in the attributes of {self.path}; they do not fit. "
                "Make the matrix again with dsketch ingest."
            )


def _attributes(path: str) -> dict[str, Any]:
    try:
        return dict(zarr.open(path, mode="r").attrs)
    except FileNotFoundError as error:
        raise MissingDataError(f"a Zarr matrix was expected for like; there is nothing at {path}. Check the path.") from error
    except DsketchError:
        raise
    except Exception as error:  # a store fails in ways of its own
        raise DataError(
            f"a Zarr matrix was expected for like; {path} gave: {' '.join(str(error).split()) or type(error).__name__}. "
            "Name one that dsketch ingest made."
        ) from error


def _mapping(said: Mapping[str, Any], word: str) -> Mapping[str, Any]:
    found = said.get(word, {})
    return found if isinstance(found, Mapping) else {}


def _list_names(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(map(repr, names[:most])) + (f" … ({len(names):,} in all)" if len(names) > most else "")
