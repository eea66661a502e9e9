"""What a method is: one object in one file that owns its flow, its price, the sentence for when it does not fit, and its successor.

A family of problems has a tuple of methods, a :class:`Case` on which they are priced, and a system that their passes look at; choosing
(:mod:`dsketch.problems.choose`) and giving way (:mod:`dsketch.problems.fallback`) are the same for all families.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Floats, Flow
from dsketch.planning.price import Estimate, Workload
from dsketch.planning.probe import Probe
from dsketch.settings import Settings

SKETCHING = ("sketch", "sketch_rows")  # the settings that a method reads if it draws a sketch


class Answer(Protocol):
    """What every method finds, whatever the family; each adds its own."""

    @property
    def x(self) -> Floats:
        """Rows of the answer, for each of k right-hand sides."""

    @property
    def backward_error(self) -> Floats:
        """How much the data must change, relatively, for x to be exact, shape (k,)."""

    @property
    def residual_norm(self) -> Floats:
        """Of what the problem minimizes, shape (k,)."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided on the way."""

    @property
    def factor(self) -> Factor | None:
        """Of A, or of its sketch; None where none was made."""


@dataclass
class Breakdown(Exception):  # noqa: N818 - a turn of the road, not an error: the next method takes over
    """A method met what it cannot do.

    Attributes
    ----------
    reason : str
        A sentence for the status.
    start : object
        What the next method need not make again: the factor of a good sketch, a preconditioner; None if there is nothing.
    """

    reason: str
    start: Any = field(default=None)


@dataclass(frozen=True)
class Case:
    """What a method is priced on; families add what their prices depend on.

    Attributes
    ----------
    settings : Settings
    workload : Workload
        Data and machines in numbers.
    found : Probe
        What a few rows told.
    """

    settings: Settings
    workload: Workload
    found: Probe


C = TypeVar("C", bound=Case, contravariant=True)
S = TypeVar("S", contravariant=True)
A = TypeVar("A", bound=Answer, covariant=True)


class Method(ABC, Generic[C, S, A]):
    """How a family of problems is answered.

    Attributes
    ----------
    name : str
        Its word in ``method=``.
    successor : str or None
        Who takes over after a :class:`Breakdown`; None: nothing stops it.
    takes : tuple of str
        The settings that it reads besides ``tol`` and ``seed``.
    is_offered : bool
        Whether ``auto`` considers it.
    is_safe : bool
        Whether it is stable for every A: taken at a price a little above the cheapest.
    is_squared : bool
        Whether its factor comes from AᵀA.
    """

    name: ClassVar[str]
    successor: ClassVar[str | None] = None
    takes: ClassVar[tuple[str, ...]] = ()
    is_offered: ClassVar[bool] = True
    is_safe: ClassVar[bool] = False
    is_squared: ClassVar[bool] = False

    @abstractmethod
    def price(self, case: C) -> Estimate:
        """Return passes, seconds, memory."""

    def unfit(self, case: C) -> str | None:
        """Return why ``auto`` should not take it here, as a sentence without a dot; None if nothing speaks against it."""
        del case
        return None

    @abstractmethod
    def solve(self, system: S, settings: Settings, start: Any = None) -> Flow[A]:
        """Answer; ``start`` is what the method before left.

        Raises
        ------
        Breakdown
            If it cannot go on; ``successor`` does.
        """


def table_of(methods: Iterable[Method[Any, Any, Any]]) -> dict[str, Any]:
    """Return methods by name, in the order given: that in which plans weigh and tell them.

    Raises
    ------
    ValueError
        If two have one name, or a successor is not among them: a fault of the table, found when it is imported.
    """
    methods = tuple(methods)
    table = {method.name: method for method in methods}
    lost = [method.name for method in table.values() if method.successor not in (None, *table)]
    if lost or len(table) != len(methods):
        raise ValueError(f"methods with names of their own and successors among them were expected; got {lost or list(table)}.")
    return table
