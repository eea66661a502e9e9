"""What a method is: one object in one file that owns its flow, its price, the sentence for when it does not fit, and its successor.

A family of problems has a tuple of methods, a :class:`Case` on which they are priced, and a system that their passes look at; choosing
(:mod:`dsketch.problems.choose`) and giving way (:mod:`dsketch.problems.fallback`) are the same for all families.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from dsketch._linalg.arrays import Floats
from dsketch._linalg.bounds import Known
from dsketch._units import format_bytes, format_count
from dsketch.passes.base import Flow
from dsketch.planning.choice import describe_room
from dsketch.planning.price import Estimate, Workload
from dsketch.planning.probe import Probe
from dsketch.settings import SETTINGS, Settings

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
    def factor(self) -> Known | None:
        """Of A, or of its sketch, or what is known without one; None where nothing is."""


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


class Priced(Protocol):
    """What choosing needs to know of the case that methods are priced on."""

    @property
    def memory_bytes(self) -> int:
        """Of one task thread."""

    def explain_need(self, prices: Mapping[str, Estimate]) -> str:
        """Return the message for when none of these methods fits into a task thread."""


class Planned(Priced, Protocol):
    """What a plan tells besides."""

    @property
    def settings(self) -> Settings:
        """As they were given."""

    @property
    def sides(self) -> int:
        """Number of right-hand sides k."""

    @property
    def found(self) -> Probe | None:
        """What a probe of A told; None where the method's own look tells more."""


@dataclass(frozen=True)
class Case:
    """What a method is priced on where a probe of A tells what there is to know; families add what their prices depend on.

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

    @property
    def sides(self) -> int:
        """Number of right-hand sides k."""
        return self.workload.k

    @property
    def memory_bytes(self) -> int:
        """Of one task thread."""
        return self.workload.memory_bytes

    def explain_need(self, prices: Mapping[str, Estimate]) -> str:
        """Return the message for when none of these methods fits into a task thread."""
        workload = self.workload
        needs = ", ".join(f"{name} {format_bytes(price.memory_bytes)}" for name, price in prices.items())
        return (
            f"{describe_room(workload.memory_bytes)}; {needs} would be needed: {workload.blocks} block(s) of "
            f"{format_bytes(workload.block_bytes)} and the parts for {format_count(workload.d)} columns. Give workers "
            "more memory or fewer threads, or store smaller chunks."
        )


C = TypeVar("C", bound=Priced, contravariant=True)
S = TypeVar("S", contravariant=True)
A = TypeVar("A", bound=Answer, covariant=True)
M = TypeVar("M", bound="Method[Any, Any, Any]")


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
    aside : str or None
        Where it is not offered: why not, as a sentence without a dot, if plans are to tell it.
    reason : str or None
        Why it is taken where nothing else fits the problem, likewise; None: by its price.
    is_safe : bool
        Whether it is stable for every A: taken at a price a little above the cheapest.
    is_squared : bool
        Whether its factor comes from AᵀA.
    """

    name: ClassVar[str]
    successor: ClassVar[str | None] = None
    takes: ClassVar[tuple[str, ...]] = ()
    is_offered: ClassVar[bool] = True
    aside: ClassVar[str | None] = None
    reason: ClassVar[str | None] = None
    is_safe: ClassVar[bool] = False
    is_squared: ClassVar[bool] = False

    @abstractmethod
    def price(self, case: C) -> Estimate:
        """Return passes, seconds, memory."""

    def unfit(self, case: C) -> str | None:
        """Return why ``auto`` should not take it here, as a sentence without a dot; None if nothing speaks against it."""
        del case
        return None

    def require(self, case: C) -> None:
        """Refuse a case that it cannot answer although it was asked for by name.

        Raises
        ------
        SpecError
            Saying what it is for.
        """
        del case

    def details(self, case: C) -> tuple[str, ...]:
        """Return further lines of a plan by this method: degrees, sizes, stages."""
        del case
        return ()

    @abstractmethod
    def solve(self, system: S, settings: Settings, start: Any = None) -> Flow[A]:
        """Answer; ``start`` is what the method before left.

        Raises
        ------
        Breakdown
            If it cannot go on; ``successor`` does.
        """


def table_of(methods: Iterable[M]) -> dict[str, M]:
    """Return methods by name, in the order given: that in which plans weigh and tell them.

    Raises
    ------
    ValueError
        If two have one name, a successor is not among them, or one takes what is no setting: a fault of the table, found when it is
        imported.
    """
    methods = tuple(methods)
    table = {method.name: method for method in methods}
    lost = [method.name for method in table.values() if method.successor not in (None, *table)]
    if lost or len(table) != len(methods):
        raise ValueError(f"methods with names of their own and successors among them were expected; got {lost or list(table)}.")
    if unknown := {name for method in methods for name in method.takes} - {option.name for option in SETTINGS}:
        raise ValueError(f"takes must name settings of dsketch.settings; got {', '.join(sorted(unknown))}.")
    return table
