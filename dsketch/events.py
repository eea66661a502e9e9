"""What a run tells those who listen: frozen values, no behaviour.

The library never prints.  Anything that wants to show, log or store progress passes a ``tell`` function and is handed
these in order: ``PassStarted``, ``Progress`` …, ``PassFinished`` for every pass, ``Converged`` where the method measured how far it
has come, and ``Note`` when it changes course.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class PassStarted:
    """A pass over the rows begins; ``expected_passes`` is 0 where nobody can say how many there will be."""

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


@dataclass(frozen=True)
class Converged:
    """How far the answer has come, measured by the data; methods yield it between two looks, and whoever drives them tells it.

    Attributes
    ----------
    backward_error, residual_norm : float
        The largest of all right-hand sides.
    number : int
        Of the pass that measured it; the driver knows it.
    """

    backward_error: float
    residual_norm: float
    number: int = 0


Event = PassStarted | Progress | PassFinished | Converged | Note
Tell = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing; the default of every ``tell``."""
    del event


@dataclass(frozen=True)
class PassRecord:
    """One line of the ledger."""

    number: int
    kind: str
    read_bytes: int
    seconds: float
    replayed: bool = False

    @property
    def gigabytes_per_second(self) -> float:
        """Decoded bytes over seconds."""
        return self.read_bytes / 1e9 / self.seconds if self.seconds else 0.0
