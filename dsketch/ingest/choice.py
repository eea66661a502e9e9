"""Which columns of a source are used, which one is the target, and what happens to nulls."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dsketch.errors import DataError, SpecError

_NULLS = ("error", "drop")


@dataclass(frozen=True)
class Choice:
    """What the caller asked for, independent of the format of the source.

    Parameters
    ----------
    target : str, optional
        Column that becomes b.
    wants_target : bool
        Whether a place for b was given.
    columns : tuple of str, optional
        Columns of A in their order; None means all, in the order of the source.
    drop : tuple of str
        Columns to leave out.
    nulls : {"error", "drop"}
        Refuse missing values, or drop each row that has one.
    drop_first : bool
        Leave the first level of each one-hot column out.
    """

    target: str | None = None
    wants_target: bool = False
    columns: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    nulls: str = "error"
    drop_first: bool = False

    def __post_init__(self) -> None:
        if self.nulls not in _NULLS:
            raise SpecError(f"nulls: 'error' or 'drop' was expected; got {self.nulls!r}. Choose one of the two.")
        if self.target is not None and self.target in self.drop:
            raise SpecError(f"a target that is kept was expected; {self.target!r} is also in drop. Remove it from one.")
        if self.columns is not None:
            _refuse_repeats(self.columns, SpecError, "columns")

    def pick(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of A, before any encoding, out of the ``names`` that the source has.

        Raises
        ------
        SpecError
            For a name that the source does not have, a target without a place, or no column left.
        DataError
            If the source has a name twice.
        """
        _refuse_repeats(names, DataError, "the source")
        self._check_pair()
        for name in (*(self.columns or ()), *self.drop, *([] if self.target is None else [self.target])):
            _known(name, names)
        left_out = {*self.drop, self.target}
        picked = tuple(name for name in (names if self.columns is None else self.columns) if name not in left_out)
        if not picked:
            raise SpecError(
                f"at least one column for A was expected; none of {_listed(names)} is left. "
                "Name more in columns or fewer in drop."
            )
        return picked

    def used(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns of A followed by the target, if there is one."""
        return (*self.pick(names), *([] if self.target is None else [self.target]))

    def _check_pair(self) -> None:
        if self.target is not None and not self.wants_target:
            raise SpecError(
                f"target_to was expected with the target {self.target!r}; got none. "
                "Give the path for b, or leave the column out with drop."
            )
        if self.target is None and self.wants_target:
            raise SpecError("a target was expected with target_to; got none. Name the column that becomes b.")


def _refuse_repeats(names: Iterable[str], error: type[SpecError] | type[DataError], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise error(f"{where}: different column names were expected; {name!r} is there twice. Rename or remove one.")
        seen.add(name)


def _known(name: str, names: Sequence[str]) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"It has {_listed(names)}."
    raise SpecError(f"a column of the source was expected; got {name!r}. {hint}")


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(map(repr, names[:most])) + (f" … ({len(names):,} in all)" if len(names) > most else "")
