"""What a job is and how its state may change: values and one table, no clock, no I/O.

::

    queued → planning → running → solved | not_solved | failed
       ↑         │          │
       └─ interrupted ←─────┘        cancelled: from every state in which something is still to come
       ↑
       └─ failed, cancelled          by resume
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from dsketch.service.errors import ForbiddenMove

ID = re.compile(r"[0-9a-f]{20}")  # 12 digits of milliseconds, 8 random ones

MOST_FAULTS = 5  # so many without a pass recorded in between end a job; a cluster that is restarted costs two or three


class State(Enum):
    """Where a job stands; ``sentence`` says it to people."""

    QUEUED = "queued"
    PLANNING = "planning"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    SOLVED = "solved"
    NOT_SOLVED = "not_solved"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def sentence(self) -> str:
        """What the state means, unless a step has more to say."""
        return _SENTENCES[self]

    @property
    def is_active(self) -> bool:
        """Whether a process works on the job."""
        return self in (State.PLANNING, State.RUNNING)

    @property
    def is_resting(self) -> bool:
        """Whether nothing happens by itself any more."""
        return self in (State.SOLVED, State.NOT_SOLVED, State.FAILED, State.CANCELLED)

    @property
    def has_solution(self) -> bool:
        """Whether there is an answer to fetch."""
        return self in (State.SOLVED, State.NOT_SOLVED)


_SENTENCES = {
    State.QUEUED: "waits for its turn",
    State.PLANNING: "a few blocks of the data are read to choose the method",
    State.RUNNING: "passes over the data are made; each is recorded when it ends",
    State.INTERRUPTED: "stopped from outside; goes on after the last recorded pass",
    State.SOLVED: "the answer and its certificate can be fetched",
    State.NOT_SOLVED: "an answer can be fetched, but it did not reach the tolerance",
    State.FAILED: "ended by an error; resume goes on after the last recorded pass",
    State.CANCELLED: "ended on request; resume goes on after the last recorded pass",
}

_VALUES = tuple(state.value for state in State)

MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.PLANNING, State.CANCELLED, State.FAILED}),
    State.PLANNING: frozenset({State.RUNNING, State.FAILED, State.CANCELLED, State.INTERRUPTED}),
    State.RUNNING: frozenset({State.SOLVED, State.NOT_SOLVED, State.FAILED, State.CANCELLED, State.INTERRUPTED}),
    State.INTERRUPTED: frozenset({State.QUEUED, State.CANCELLED, State.FAILED, State.SOLVED, State.NOT_SOLVED}),
    State.SOLVED: frozenset(),
    State.NOT_SOLVED: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
}


@dataclass(frozen=True)
class StateChange:
    """One change of state.

    Attributes
    ----------
    state : State
    at : float
        Seconds since 1970, UTC.
    sentence : str
        Why, for people.
    passes : int
        Recorded so far.
    is_fault : bool
        Whether something broke, as opposed to somebody stopping it.
    is_asked : bool
        Whether somebody asked for it, by submitting or resuming; counts of faults and seconds begin again there.
    worked : float or None
        Seconds that a process worked in the state before, by a clock that nobody sets; None: nobody counted.
    more : dict
        What another version wrote of the step, kept as it was.
    """

    state: State
    at: float
    sentence: str
    passes: int = 0
    is_fault: bool = False
    is_asked: bool = False
    worked: float | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the step as JSON can hold it."""
        known = {**vars(self), "state": self.state.value}
        return {**{name: value for name, value in known.items() if name != "more"}, **self.more}

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "StateChange":
        """Return the step that :meth:`to_dict` described, of whatever version.

        A state that this version does not know is shown as failed: nothing happens to the job by itself, and what is written of the
        step stays as it was.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it describes none.
        """
        names = cls.__dataclass_fields__.keys() - {"more"}
        known = {name: value for name, value in fields.items() if name in names}
        more = {name: value for name, value in fields.items() if name not in names}
        if known["state"] not in _VALUES:
            more["state"], more["sentence"] = known["state"], fields.get("sentence", "")
            said = f"in a state that this version does not know ({known['state']!r:.50}); resume goes on after the last recorded pass"
            known |= {"state": State.FAILED, "sentence": said}
        state = State(known["state"])
        known |= {"state": state, "at": float(known["at"]), "passes": int(known.get("passes", 0)), "more": more}
        return cls(**{"sentence": state.sentence, **known})


@dataclass(frozen=True)
class Job:
    """A run that somebody asked for, with everything that happened to its state.

    Attributes
    ----------
    id : str
        Sorts by time of acceptance.
    owner, name : str
    spec : dict
        The document of the run (:mod:`dsketch.service.specs`).
    created : float
        Seconds since 1970, UTC.
    history : tuple of StateChange
        Oldest first, never empty.
    key, digest : str or None
        The client's idempotency key, and a digest of what came with it.
    tags : tuple of str
        What people find it by; they may change.
    """  # what else another version wrote stays in the job's folder, where job.json and spec.json are never changed

    id: str
    owner: str
    name: str
    spec: dict[str, Any]
    created: float
    history: tuple[StateChange, ...]
    key: str | None = None
    digest: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """Where the job stands."""
        return self.history[-1].state

    @property
    def sentence(self) -> str:
        """What there is to say of its state."""
        return self.history[-1].sentence

    @property
    def priority(self) -> int:
        """Its place in its owner's line: larger goes first."""
        return int(self.spec.get("priority", 0))

    @property
    def faults(self) -> int:
        """How often in a row something broke without a pass recorded in between, since somebody last asked for the job."""
        found, passes = 0, None
        for step in reversed(self.history):
            if step.is_asked:
                break
            if step.is_fault and step.state is State.INTERRUPTED:
                if passes not in (None, step.passes):
                    break
                found, passes = found + 1, step.passes
        return found

    def with_state(
        self,
        state: State,
        at: float,
        sentence: str = "",
        *,
        passes: int | None = None,
        is_fault: bool = False,
        is_asked: bool = False,
        worked: float | None = None,
    ) -> "Job":
        """Return the job after a change of state.

        Raises
        ------
        ForbiddenMove
            If the table does not allow it.
        """
        if state not in MOVES[self.state]:
            allowed = ", ".join(sorted(move.value for move in MOVES[self.state])) or "nothing else"
            raise ForbiddenMove(
                f"a job that can become {state.value} was expected; job {self.id} is {self.state.value}, from where it can become "
                f"{allowed}. Look at its state first."
            )
        known = self.history[-1].passes if passes is None else passes
        step = StateChange(state, at, sentence or state.sentence, known, is_fault, is_asked, worked)
        return replace(self, history=(*self.history, step))

    def seconds(self, now: float) -> float:
        """Return how long processes have worked on the job since somebody last asked for it."""
        following = [*self.history[1:], None]
        total = 0.0
        for step, after in zip(self.history, following, strict=True):
            if step.is_asked:
                total = 0.0
            elif step.state.is_active:
                counted = None if after is None else after.worked
                total += max((now if after is None else after.at) - step.at, 0.0) if counted is None else counted
        return total


def stamp(at: float) -> str:
    """Return a time as ISO 8601 in UTC.

    >>> stamp(0)
    '1970-01-01T00:00:00.000Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
