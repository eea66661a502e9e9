"""In which order jobs are listed, which are found by a word, and where the next page begins: values and clauses of SQL, no connection."""

from dataclasses import dataclass
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

    @property
    def column(self) -> str | None:
        """Of the index, by which it sorts before the id; None: by the id alone."""
        return _COLUMNS.get(self.value.removeprefix("-"))

    @property
    def is_backward(self) -> bool:
        """Whether it begins with what is last in the alphabet, or oldest."""
        return self is Order.OLDEST or self.value.startswith("-")


_COLUMNS = {"active": "rank", "state": "state", "name": "title", "problem": "problem", "owner": "owner"}
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
    """

    owner: str | None = None
    state: State | None = None
    search: str = ""
    order: Order = Order.NEWEST
    after: str | None = None
    limit: int = 100
    tags: tuple[str, ...] = ()

    def clause(self) -> tuple[str, list[Any]]:
        """Return what follows FROM jobs in SQL, and the values that it binds."""
        column = None if self.order.column in _OF_STATE and self.state is not None else self.order.column
        mark, direction = ("<", "DESC") if self.order.is_backward else (">", "ASC")
        terms, values = self.terms()
        if self.after is not None:
            value, _, id_ = self.after.rpartition("~")
            before: list[Any] = [back_of(id_)]
            if column is not None:
                before = [_rank_from(value) if column == "rank" else value, *before]
            names = "back" if column is None else f"{column}, back"
            terms, values = [*terms, f"({names}) {mark} ({', '.join('?' * len(before))})"], [*values, *before]
        where = f"WHERE {' AND '.join(terms)} " if terms else ""
        first = f"{column} {direction}, " if column else ""
        return f"{where}ORDER BY {first}back {direction} LIMIT ?", [*values, self.limit]

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


def cursor_of(job: Job, order: Order) -> str:
    """Return where a page goes on after a job."""
    value = {
        "rank": rank_of(job.state),
        "state": job.state.value,
        "title": title_of(job),
        "problem": problem_of(job),
        "owner": job.owner,
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


def _rank_from(text: str) -> int:
    """Return the rank in a cursor; that of what comes first, where somebody wrote another."""
    return int(text) if text in map(str, range(_RESTING + 1)) else 0


def title_of(job: Job) -> str:
    """Return by what a job is sorted among names; those without one come last."""
    return fold(job.name) or "\U0010ffff"


def problem_of(job: Job) -> str:
    """Return the problem of a job."""
    return str(job.spec.get("problem", ""))


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
