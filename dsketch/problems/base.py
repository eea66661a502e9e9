"""What a problem is: what is asked of which data, and how it plans, answers and judges.

A new problem is one file with one class that keeps this contract, and one line in the table.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

from dsketch._linalg.arrays import Floats
from dsketch.errors import DataError, SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.columns import Columns
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.inputs import SIDES, TALL
from dsketch.problems.method import Method
from dsketch.problems.options import require_taken
from dsketch.problems.outcome import ArrayOf, Certificate, Outcome
from dsketch.problems.tables import SummaryOptions, no_table_error, require_groups
from dsketch.settings import MAX_PASSES, MIN_PANELS, MISSING, Option, Settings
from dsketch.sketch import SKETCHES


class Predictor(NamedTuple):
    """What predicts new rows, and how many numbers a row; None: as many as x has columns.

    ``look(x, A)`` has an x of two dimensions; ``look(x, A, shift=s)``, of problems that shift columns, the x of shifted ones.
    """

    look: Callable[..., Look]
    sides: int | None = None


class Problem(ABC):
    """A question about data.

    Attributes
    ----------
    name : str
        Its word on the command line and in a spec.
    title : str
        One line: what is minimized.
    inputs : tuple of Option
        What must be given, in the order of the constructor: matrices with a row for each of A's, and :class:`~dsketch.settings.Numbers`.
    options : tuple of Option
        Its options besides A, b and ``missing``.
    missing_option : Option
        What ``missing`` may be, and means: an absent chunk, but for problems that know gaps.
    is_by_targets : bool
        Whether right-hand sides may be answered as targets, by tiles: into an ``out_dir``, each by the rows that it has.
    methods : mapping of str to Method
        What ``method=`` may name besides ``auto``: the family's table of methods.
    takes : tuple of str
        The settings that it reads itself, whatever the method.
    families : tuple of str
        What ``features=`` may name besides ``auto``; empty where there are no features.
    has_table : bool
        Whether its answers have a regression table: standard errors, t, p.
    answers_rows : bool
        Whether x has a number for each row of A and is made by the workers, where the rows are.
    predicts_linearly : bool
        Whether what is predicted of a row is the row times x, plus the intercept: a stored x then predicts without the problem's data.
    prediction_sides : int or None
        How many numbers are predicted for a row; None: as many as x has columns.
    read_whole : tuple of str
        Data that the driver itself reads: a row of them for each column of A.  A journal keeps them, so that it replays without data.
    x_has_columns : bool
        Whether the rows of x belong to the columns of A, so that they change places with them.
    rows : Rows
        What its passes read; the engine is chosen by it.
    parameters : dict
        What makes the problem again, as JSON can hold them: ``{"problem": name, …options}``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    inputs: ClassVar[tuple[Option, ...]] = (TALL, SIDES)
    options: ClassVar[tuple[Option, ...]] = ()
    missing_option: ClassVar[Option] = MISSING
    is_by_targets: ClassVar[bool] = False
    methods: ClassVar[Mapping[str, Method[Any, Any, Any]]]
    takes: ClassVar[tuple[str, ...]] = ()
    families: ClassVar[tuple[str, ...]] = ()
    has_table: ClassVar[bool] = False
    answers_rows: ClassVar[bool] = False
    lacks: ClassVar[Mapping[str, str]] = {}  # why methods of a sister problem are none of this one, and which to take
    read_whole: ClassVar[tuple[str, ...]] = ()
    x_has_columns: ClassVar[bool] = True
    predicts_linearly: ClassVar[bool] = False
    prediction_sides: int | None = None
    rows: Rows
    parameters: dict[str, Any]

    def data(self) -> dict[str, Matrix | None]:
        """Return the matrices that the constructor takes, by argument."""
        return {"A": self.rows.A, "b": self.rows.b, "weights": self.rows.weights}

    @property
    def columns(self) -> Columns | None:
        """Names and levels of A's columns, which new rows must have; None where A has no names."""
        return Columns.of(self.data().get("A"))

    @property
    def as_solved(self) -> "Problem":
        """The problem that is solved in its place: itself, or one that keeps more digits."""
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d) of A."""
        return self.rows.shape

    @property
    def sides(self) -> int:
        """Number of right-hand sides k."""
        return self.rows.sides

    @property
    def trailing(self) -> tuple[int, ...]:
        """The dimensions of b's targets, where they are several."""
        b = self.data().get("b")
        return () if b is None else b.trailing

    @property
    def x_shape(self) -> tuple[int, int]:
        """Rows and columns of the answer."""
        return self.shape[1], self.sides

    @property
    def arrays(self) -> tuple[ArrayOf, ...]:
        """What an answer of several arrays has, x first; empty where it is x alone."""
        return ()

    @property
    def answer_bytes(self) -> int:
        """Bytes of the answer, all its arrays together."""
        return 8 * sum(math.prod(array.shape) for array in self.arrays) or 8 * math.prod(self.x_shape)

    @abstractmethod
    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Return how the problem would be answered; may read a few blocks.

        Raises
        ------
        SpecError
            For unknown names.
        PlanError
            If memory cannot do it.
        DataError
            If the probed blocks cannot be read or hold a NaN.
        """

    @abstractmethod
    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Answer by the plan's method: a generator that yields looks."""

    @abstractmethod
    def judge(self, x: Floats) -> Flow[Certificate]:
        """Judge any x, of shape ``x_shape``, by the data, independently of how it was found."""

    def accepted(self, tol: float | None, x: Floats | None = None) -> float:
        """Return the backward error up to which an x is right, the same with which a solve to ``tol`` calls itself solved.

        Where the certificate is not that of x itself, as much is added as rounding this x to float64 changes it.
        """
        del x
        return Settings(tol).accepted

    def summarize(self, answer: Any, method: str, wish: SummaryOptions, doubts: tuple[str, ...] = ()) -> Flow[Any]:
        """Return the table of coefficients of an answer: a generator that yields looks where the answer alone does not tell.

        Parameters
        ----------
        answer : object
            The method's own, :attr:`~dsketch.problems.outcome.Outcome.detail`.
        method : str
            That gave it.
        wish : SummaryOptions
        doubts : tuple of str
            To be shown with the table: why the answer may not be right.

        Raises
        ------
        SpecError
            If the problem has no such table.
        """
        del answer, method, wish, doubts
        raise no_table_error(self.name)

    def require_table(self, wish: SummaryOptions) -> None:
        """Refuse a table that no answer of this problem can have, before anything is read.

        Raises
        ------
        SpecError
            If the problem has none, or none with these errors.
        DataError
            If groups are no number for each row of A.
        """
        if not self.has_table:
            raise no_table_error(self.name)
        if wish.groups is not None:
            require_groups(wish.groups, self.shape[0])

    def attributes(self, answer: Any) -> dict[str, Any]:
        """Return what a stored x says of itself besides, as JSON can hold it; ``answer`` is ``Solution.answer``."""
        del answer
        return {}

    @property
    def judge_passes(self) -> int:
        """About how many passes :meth:`judge` takes, for listeners; 0 where only the data tell."""
        return 1

    def predictor(self, x: Floats, A: Matrix) -> Look:
        """Return the look at a new matrix that finishes to what an answer x predicts for its rows, shape (m, k).

        Its pass gives for each block the rows of that block (a :class:`~dsketch.passes.rowwise.RowPass`), so that they can also be
        written where they are made.

        Raises
        ------
        SpecError
            If the problem predicts nothing.
        DataError
            If A has other columns than the problem's.
        """
        del x, A
        raise SpecError(f"a problem that predicts rows was expected; {self.name} does not. Use its x.")

    @classmethod
    def predictor_from(cls, parameters: Mapping[str, Any]) -> Predictor | None:
        """Return what predicts by the ``parameters`` of a stored answer alone; None where the problem's data must be opened again."""
        del parameters
        return None


def require_names(problem: Problem, method: str, settings: Settings, *, is_begun: bool = False) -> None:
    """Refuse a method, and features, that the problem does not know, and settings that none of its methods reads.

    A run that is begun keeps the settings that it began with, read or not.

    Raises
    ------
    SpecError
        Naming the value and the choices.
    """
    if method != "auto" and method not in problem.methods:
        why = f" {problem.lacks[method].capitalize()}." if method in problem.lacks else ""
        raise SpecError(f"method must be one of auto, {', '.join(sorted(problem.methods))}; got {method!r}.{why}")
    if not problem.families and (settings.features != "auto" or settings.rank is not None):
        raise SpecError(f"features and rank are for kernels; {problem.name} has no features. Leave them out.")
    if not is_begun:
        require_taken(problem, settings)
    if settings.features not in ("auto", *problem.families):
        raise SpecError(f"features must be one of auto, {', '.join(problem.families)}; got {settings.features!r}.")
    if settings.rank is not None and not (isinstance(settings.rank, int) and settings.rank >= 1):
        raise SpecError(f"rank must be a number of features ≥ 1; got {settings.rank!r}. Leave it out for the rule of the family.")


def require_columns(A: Matrix, columns: int, hint: str = "") -> None:
    """Refuse new rows that do not fit an answer.

    Raises
    ------
    DataError
        With both numbers.
    """
    if A.shape[1] != columns and A.is_vector and A.shape[0] == columns:
        raise DataError(
            f"A must have the {columns} columns that x belongs to; it is a vector of {columns} numbers, which are so many rows. "
            "For one row wrap it: predict([row])."
        )
    if A.shape[1] != columns:
        raise DataError(f"A must have the {columns} columns that x belongs to; it has {A.shape[1]}. Give the same columns{hint}.")


def require_settings(settings: Settings, columns: int) -> None:
    """Refuse unknown names and impossible numbers.

    Raises
    ------
    SpecError
        Naming the value and the choices.
    """
    SKETCHES.require(settings.sketch)
    if settings.tol is not None and not (isinstance(settings.tol, Real) and 0 < settings.tol < 1):
        raise SpecError(
            f"tol must lie between 0 and 1 (a relative backward error), or be None for the accuracy of QR; got {settings.tol!r}."
        )
    if settings.sketch_rows is not None and not (isinstance(settings.sketch_rows, Integral) and settings.sketch_rows >= columns):
        raise SpecError(
            f"sketch_rows must be at least the {columns} columns (4 times as many is common); got {settings.sketch_rows!r}. "
            "Leave it out for the rule of dsketch.sketch.size."
        )
    if not isinstance(settings.seed, int) or settings.seed < 0:
        raise SpecError(f"seed must be an integer ≥ 0; got {settings.seed!r}.")
    for option in (MAX_PASSES, MIN_PANELS):
        given, least, most = getattr(settings, option.name), option.least or 0, option.most
        is_number = isinstance(given, Integral) and not isinstance(given, bool)
        if given is not None and not (is_number and least <= given and (most is None or given <= most)):
            bounds = f"an integer ≥ {least}" if most is None else f"an integer from {least} to {most}"
            raise SpecError(f"{option.name} must be {bounds}, or be left out; got {given!r}.")
