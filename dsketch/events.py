"""What a run tells those who listen: frozen values, no behaviour.

The library never prints.  Anything that wants to show, log or store progress passes a ``tell`` function and is handed
these in order: ``PassStarted``, ``Progress`` …, ``PassFinished`` for every pass, and ``Note`` when a method changes course.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class PassStarted:
    """A pass over the rows begins."""

    number: int
    kind: str
    total_bytes: int
    expected_passes: int


@dataclass(frozen=True)
class Progress:
    """Some more of the current pass is done; ``done_bytes`` counts from its start."""

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class PassFinished:
    """A pass over the rows ended; ``replayed`` means that the journal knew its result."""

    number: int
    kind: str
    seconds: float
    read_bytes: int
    replayed: bool


@dataclass(frozen=True)
class Note:
    """A sentence about a decision of the method: a fallback, a refinement, a rank."""

    text: str


Event = PassStarted | Progress | PassFinished | Note
Tell = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing; the default of every ``tell``."""
    del event
