"""In which order jobs are listed, which are found by a word, and where the next page begins: values and clauses of SQL, no connection."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dsketch.service.job import Job, State
from dsketch.service.tags import lines_of

_RANKS = {State.RUNNING: 0, State.PLANNING: 1, State.INTERRUPTED: 2, State.QUEUED: 3}
_RESTING = 4
_COMPLEMENT = str.maketrans("0123456789abcdef", "fedcba9876543210")


class Order(Enum):
    """In which order jobs are listed; one that begins with a minus is the other one from its end."""

    NEWEST = "newest"
    OLDEST = "oldest"
    ACTIVE = "active"
    STATE = "state"
    STATE_BACK = "-state"
    NAME = "name"
    NAME_BACK = "-name"
    PROBLEM = "problem"
    PROBLEM_BACK = "-problem"
    OWNER = "owner"
    OWNER_BACK = "-owner"
    PASSES = "passes"
    PASSES_BACK = "-passes"
    WORK = "work"
    WORK_BACK = "-work"

    @property
    def column(self) -> str | None:
        """Of the index, by which it sorts before the id; None: by the id alone."""
        return _COLUMNS.get(self.value.removeprefix("-"))

    @property
    def is_backward(self) -> bool:
        """Whether it begins with what is last in the alphabet, or oldest."""
        return self is Order.OLDEST or self.value.startswith("-")

    @property
    def is_growing(self) -> bool:
        """Whether it is by what gets more while a job is under way."""
        return self.column in _GROWING


_GROWING = ("passes", "work")
_COLUMNS = {
    "active": "rank",
    "state": "state",
    "name": "title",
    "problem": "problem",
    "owner": "owner",
    **{one: one for one in _GROWING},
}
_OF_STATE = ("rank", "state")  # the same for all jobs of a state


@dataclass(frozen=True)
class Look:
    """Which jobs are looked for.

    Attributes
    ----------
    owner : str or None
        None: everybody's.
    state : State or None
        None: in any.
    search : str
        Part of name, owner, problem, data, tags or id, whatever the case; empty: all.
    order : Order
    tags : tuple of str
        All of which a job has, whatever the case.
    after : str or None
        The cursor of the job before, as :func:`cursor_of` gives it.
    limit : int
    grown : mapping of str to float
        By id, what each job under way has done by now of what a growing order is about: it stands where that puts it, not where it stood
        when it began.
    """

    owner: str | None = None
    state: State | None = None
    search: str = ""
    order: Order = Order.NEWEST
    after: str | None = None
    limit: int = 100
    tags: tuple[str, ...] = ()
    grown: Mapping[str, float] = field(default_factory=dict)

    def clause(self) -> tuple[str, list[Any]]:
        """Return what follows FROM jobs in SQL, and the values that it binds; jobs that have grown are left out."""
        column = None if self.order.column in _OF_STATE and self.state is not None else self.order.column
        mark, direction = ("<", "DESC") if self.order.is_backward else (">", "ASC")
        terms, values = self.terms()
        if self.grown:
            terms, values = [*terms, f"id NOT IN ({', '.join('?' * len(self.grown))})"], [*values, *self.grown]
        if self.after is not None:
            value, _, id_ = self.after.rpartition("~")
            before: list[Any] = [back_of(id_)]
            if column is not None:
                before = [_value_from(column, value), *before]
            names = "back" if column is None else f"{column}, back"
            terms, values = [*terms, f"({names}) {mark} ({', '.join('?' * len(before))})"], [*values, *before]
        where = f"WHERE {' AND '.join(terms)} " if terms else ""
        first = f"{column} {direction}, " if column else ""
        return f"{where}ORDER BY {first}back {direction} LIMIT ?", [*values, self.limit]

    def grown_clause(self) -> tuple[str, list[Any]]:
        """Return what follows FROM jobs in SQL for those that have grown, on whatever page they are, and the values that it binds."""
        terms, values = self.terms()
        terms, values = [*terms, f"id IN ({', '.join('?' * len(self.grown))})"], [*values, *self.grown]
        return f"WHERE {' AND '.join(terms)}", values

    def is_later(self, value: float, id_: str) -> bool:
        """Return whether a job that has grown to a value comes after the job before."""
        if self.after is None:
            return True
        before, _, last = self.after.rpartition("~")
        here, there = (value, back_of(id_)), (_amount_from(before), back_of(last))
        return here < there if self.order.is_backward else here > there

    def terms(self) -> tuple[list[str], list[Any]]:
        """Return the conditions of owner, state, search and tags, and the values that they bind."""
        terms, values = list[str](), list[Any]()
        for condition, value in (("owner = ?", self.owner), ("state = ?", None if self.state is None else self.state.value)):
            if value is not None:
                terms, values = [*terms, condition], [*values, value]
        for word in fold(self.search).split():
            terms, values = [*terms, "instr(words, ?)"], [*values, word]
        for tag in self.tags:
            terms, values = [*terms, "instr(tags, ?)"], [*values, lines_of([tag])]
        return terms, values


def cursor_of(job: Job, order: Order, grown: Mapping[str, float] | None = None) -> str:
    """Return where a page goes on after a job."""
    value = {
        "rank": rank_of(job.state),
        "state": job.state.value,
        "title": title_of(job),
        "problem": problem_of(job),
        "owner": job.owner,
        "passes": (grown or {}).get(job.id, passes_of(job)),
        "work": (grown or {}).get(job.id, work_of(job)),
        None: None,
    }[order.column]
    return job.id if value is None else f"{value}~{job.id}"


def back_of(id_: str) -> str:
    """Return what sorts as ids do, the newest first: one direction for all columns of an order lets an index give it.

    >>> back_of("00ff") > back_of("0100")
    True
    """
    return id_.translate(_COMPLEMENT)


def rank_of(state: State) -> int:
    """Return what comes first in a list: what runs, what is about to, what waits, what rests."""
    return _RANKS.get(state, _RESTING)


def _value_from(column: str, text: str) -> str | float:
    """Return the value in a cursor."""
    if column == "rank":
        return _rank_from(text)
    return _amount_from(text) if column in _GROWING else text


def _amount_from(text: str) -> float:
    """Return the number in a cursor; 0 where somebody wrote something else."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0


def _rank_from(text: str) -> int:
    """Return the rank in a cursor; that of what comes first, where somebody wrote another."""
    return int(text) if text in map(str, range(_RESTING + 1)) else 0


def title_of(job: Job) -> str:
    """Return by what a job is sorted among names; those without one come last."""
    return fold(job.name) or "\U0010ffff"


def problem_of(job: Job) -> str:
    """Return the problem of a job."""
    return str(job.spec.get("problem", ""))


def passes_of(job: Job) -> int:
    """Return the passes of a job that were recorded when it came into its state."""
    return job.history[-1].passes


def work_of(job: Job) -> float:
    """Return the seconds that processes had worked on a job when it came into its state."""
    return job.seconds(job.history[-1].at)


def words_of(job: Job) -> str:
    """Return what a search looks through, each part on a line of its own."""
    data = [value for value in job.spec.values() if isinstance(value, str) and "/" in value]  # addresses are full
    return fold("\n".join([job.name, job.owner, job.id, problem_of(job), *data, *job.tags]))


def fold(text: str) -> str:
    """Return a text as it is compared.

    >>> fold("Straße") == fold("STRASSE")
    True
    """
    return text.casefold()
