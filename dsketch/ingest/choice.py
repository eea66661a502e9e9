"""Which columns of a source are used and what for, and what happens to nulls and to levels."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dsketch.errors import DataError, SpecError
from dsketch.ingest.dialect import Dialect
from dsketch.ingest.like import Like
from dsketch.ingest.remedy import ChoiceError, Remedy

_NULLS = ("error", "drop")
_UNSEEN = ("error", "zero")


@dataclass(frozen=True)
class ColumnChoice:
    """What the caller asked for, independent of the format of the source.

    Parameters
    ----------
    targets : tuple of str
        Columns that become b.
    weights : str, optional
        Column that becomes the weights.
    wants_target, wants_weights : bool
        Whether a place for b, or for the weights, was given.
    columns : tuple of str, optional
        Columns of A in their order; None means all, in the order of the source.
    drop : tuple of str
        Columns to leave out.
    nulls : {"error", "drop"}
        Refuse missing values, or drop each row that has one.
    drop_first : bool
        Leave the first level of each one-hot column out.
    base : tuple of str
        Levels to leave out instead, as ``column=level`` or, where one column alone has it, as ``level``.
    categories : tuple of str
        Columns whose values are levels, whatever they look like.
    like : Like, optional
        Columns and levels of a matrix that is there, which A is to have too.
    unseen : {"error", "zero"}
        Refuse a level that ``like`` does not have, or let it be none of the levels.
    dialect : Dialect
        How a CSV file is written.
    """

    targets: tuple[str, ...] = ()
    weights: str | None = None
    wants_target: bool = False
    wants_weights: bool = False
    columns: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    nulls: str = "error"
    drop_first: bool = False
    base: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    like: Like | None = None
    unseen: str = "error"
    dialect: Dialect = field(default_factory=Dialect)

    def __post_init__(self) -> None:
        _require_one_of("nulls", self.nulls, _NULLS)
        _require_one_of("unseen", self.unseen, _UNSEEN)
        if self.weights is not None and not isinstance(self.weights, str):
            raise SpecError(f"weights: the name of one column was expected; got {self.weights!r}. Write it as a text.")
        for name in self.sides:
            if name in self.drop:
                raise SpecError(f"a target that is kept was expected; {name!r} is also in drop. Remove it from one.")
        _refuse_repeats(self.sides, SpecError, "target and weights")
        if self.columns is not None:
            _refuse_repeats(self.columns, SpecError, "columns")
        if self.like is None and self.unseen != "error":
            raise SpecError("unseen is about levels that another matrix has; no like (--like A.zarr) was given. Name the matrix.")
        if self.like is not None:
            self._check_like(self.like)

    @property
    def sides(self) -> tuple[str, ...]:
        """Columns beside A: the targets, then the weights."""
        return (*self.targets, *([] if self.weights is None else [self.weights]))

    def concerns(self, name: str) -> bool:
        """Whether a column of the source is used, as far as one can say by its name alone."""
        wanted = self.columns if self.like is None else self.like.sources
        return name in self.sides or (name not in self.drop and (wanted is None or name in wanted))

    def pick(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of A, before any encoding, out of the ``names`` that the source has.

        Raises
        ------
        SpecError
            For a name that the source does not have, a target without a place, or no column left.
        DataError
            If the source has a name twice that is not dropped, or lacks a column that ``like`` has.
        """
        _refuse_repeats([name for name in names if name not in self.drop], DataError, "the source")
        self._check_places()
        for name in (*(self.columns or ()), *self.drop, *self.sides, *self.categories):
            _require_known(name, names)
        if self.like is not None:
            return self.like.pick(names)
        left_out = {*self.drop, *self.sides}
        picked = tuple(name for name in (names if self.columns is None else self.columns) if name not in left_out)
        if not picked:
            raise ChoiceError(
                f"at least one column for A was expected; none of {_list_names(names)} is left",
                Remedy("name more in columns or fewer in drop", "give the file more columns"),
            )
        return picked

    def used(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of A followed by the targets and the weights."""
        return (*self.pick(names), *self.sides)

    def ignored(self, names: Sequence[str]) -> list[str]:
        """Return the columns that ``like`` has no place for and nobody named."""
        if self.like is None:
            return []
        known = {*self.like.sources, *self.drop, *self.sides}
        return [name for name in names if name not in known]

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns that cannot be left out: those of ``like``."""
        return () if self.like is None else tuple(self.like.sources)

    def _check_like(self, like: Like) -> None:
        for option, given in _options_of_like(self):
            if given:
                raise SpecError(f"with like the columns are those of {like.path}; {option} was given too. Leave one of them out.")
        for name in (*self.drop, *self.sides):
            if name in like.sources:
                raise SpecError(
                    f"columns that {like.path} does not have can be left out or become b; {name!r} is one of its own."
                )

    def _check_places(self) -> None:
        what = ", ".join(map(repr, self.targets))
        _require_pair("target", what, self.wants_target, "b")
        _require_pair("weights", "" if self.weights is None else repr(self.weights), self.wants_weights, "the weights")


def _options_of_like(choice: ColumnChoice) -> Iterator[tuple[str, bool]]:
    """Yield the options that ``like`` leaves no room for, and whether they were given."""
    yield "columns", choice.columns is not None
    yield "drop_first (--drop-first)", choice.drop_first
    yield "base", bool(choice.base)
    yield "categories", bool(choice.categories)


def base_texts(base: Mapping[str, str] | Sequence[str]) -> tuple[str, ...]:
    """Return reference levels as texts ``column=level``.

    >>> base_texts({"city": "Ulm"}), base_texts(["Ulm"])
    (('city=Ulm',), ('Ulm',))
    """
    if isinstance(base, str):
        raise SpecError(f"base: a dict of levels by column was expected; got the text {base!r}. Write [{base!r}].")
    if isinstance(base, Mapping):
        return tuple(f"{column}={level}" for column, level in base.items())
    return tuple(map(str, base))


def _require_pair(word: str, named: str, has_place: bool, what: str) -> None:
    if named and not has_place:
        raise SpecError(
            f"{word}_to was expected with the {word} {named}; got none. "
            f"Give the path for {what}, or leave the column out with drop."
        )
    if has_place and not named:
        raise SpecError(f"a {word} was expected with {word}_to; got none. Name the column that becomes {what}.")


def _require_one_of(word: str, value: object, allowed: tuple[str, str]) -> None:
    if value not in allowed:
        raise SpecError(f"{word}: {allowed[0]!r} or {allowed[1]!r} was expected; got {value!r}. Choose one of the two.")


def _refuse_repeats(names: Iterable[str], error: type[SpecError] | type[DataError], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise error(f"{where}: different column names were expected; {name!r} is there twice. Rename or remove one.")
        seen.add(name)


def _require_known(name: str, names: Sequence[str]) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"It has {_list_names(names)}."
    raise SpecError(f"a column of the source was expected; got {name!r}. {hint}")


def _list_names(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(map(repr, names[:most])) + (f" … ({len(names):,} in all)" if len(names) > most else "")
