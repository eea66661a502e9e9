"""Levels of one-hot columns: are they levels at all, and which is the reference."""

import shlex
from collections.abc import Sequence

from dsketch.errors import SpecError
from dsketch.events import Note
from dsketch.ingest import remedy
from dsketch.ingest.columns import ColumnKind, unfit_error
from dsketch.ingest.encode import Encoder, OneHot
from dsketch.ingest.looks import appearance_of_levels, is_number

# Plain numbers beside a few words, or with a unit, may well be categories (grades, doses) while they are this few.
_FEW_LEVELS = 12
# A text that differs from row to row says which row it is.  Tables smaller than this have a level a row by chance.
_FEW_ROWS = 7
_SAME_AS_ROWS = 0.9


def judge_levels(name: str, kind: ColumnKind, levels: Sequence[str], rows: int, witness: str) -> Note | None:
    """Return a note on levels of text that one should know of, or None.

    Parameters
    ----------
    name : str
        Column of the source.
    kind : ColumnKind
        Whether it was text by its type or by its cells.
    levels : sequence of str
        Its distinct values.
    rows : int
        Rows that stay.
    witness : str
        Which cell is no number; empty where the type decided.

    Raises
    ------
    SourceError
        If the values are numbers, dates, … written as text.
    """
    found = appearance_of_levels(levels)
    if found is not None and (found[0] not in ("numbers", "numbers with a unit") or len(levels) > _FEW_LEVELS):
        what, example = found
        beside = f"; {witness}" if witness and what == "numbers" else ""
        raise unfit_error(
            name, f"{what} ({example}, …) as text{beside}" if what != "dates" else f"dates ({example}, …)", may_be_levels=True
        )
    numbers = [level for level in levels if is_number(level)]
    if found is not None or (numbers and kind is ColumnKind.CELL):
        why = witness or f"{(numbers or [found[1] if found else ''])[0]!r} is one of them, and its type is text"
        return Note(f"column {name!r} is one-hot with {len(levels):,} levels: {why}")
    if rows > _FEW_ROWS and len(levels) > _SAME_AS_ROWS * rows:
        return remedy.note_on(
            f"column {name!r} is one-hot with {len(levels):,} levels in {rows:,} rows ({levels[0]!r}, …), so it says which row it is",
            remedy.drop_column(name),
        )
    return None


def sort_levels(levels: Sequence[str]) -> tuple[str, ...]:
    """Return levels sorted, by size where all are numbers.

    >>> sort_levels(["10", "9"]), sort_levels(["b", "10", "9"])
    (('9', '10'), ('10', '9', 'b'))
    """
    return tuple(sorted(levels, key=lambda text: (float(text), text))) if all(map(is_number, levels)) else tuple(sorted(levels))


def with_bases(encoders: Sequence[Encoder], base: Sequence[str]) -> list[Encoder]:
    """Return the encoders with the reference levels that were asked for.

    Parameters
    ----------
    encoders : sequence of Encoder
        Of all columns.
    base : sequence of str
        ``column=level``, or ``level`` where only one column has it.

    Raises
    ------
    SpecError
        If no column has such a level, if several have, or if a column is given two.
    """
    chosen: dict[str, str] = {}
    for text in base:
        name, level = _resolve_level([one for one in encoders if isinstance(one, OneHot)], text)
        if chosen.setdefault(name, level) != level:
            raise SpecError(
                f"one reference level a column was expected; {name!r} was given {chosen[name]!r} and {level!r}. Leave one out."
            )
    return [
        OneHot(one.name, one.levels, chosen[one.name], one.takes_others)
        if isinstance(one, OneHot) and one.name in chosen
        else one
        for one in encoders
    ]


def _resolve_level(columns: Sequence[OneHot], text: str) -> tuple[str, str]:
    pairs = [(one.name, level) for one in columns for level in one.levels]
    exact = [(name, level) for name, level in pairs if f"{name}={level}" == text]
    found = exact or [(name, level) for name, level in pairs if level == text]
    if len(found) == 1:
        return found[0]
    if found:
        said = " or ".join(f"--base {shlex.quote(f'{name}={level}')}" for name, level in found[:3])
        raise SpecError(f"base: a level of one column was expected; {text!r} is in several. Say {said}.")
    raise SpecError(f"base: a level of a text column was expected; got {text!r}. {_hint(columns, text)}")


def _hint(columns: Sequence[OneHot], text: str, most: int = 12) -> str:
    owner = next((one for one in columns if text.startswith(f"{one.name}=")), columns[0] if len(columns) == 1 else None)
    if owner is not None:
        shown = ", ".join(map(repr, owner.levels[:most])) + (" …" if len(owner.levels) > most else "")
        return f"Column {owner.name!r} has {shown}."
    names = ", ".join(repr(one.name) for one in columns[:most])
    return f"Write column=level; columns with levels are {names}." if names else "No column of the source is text."
