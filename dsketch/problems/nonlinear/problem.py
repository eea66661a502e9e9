"""What the nonlinear problems share: starts, the best of their answers, its examination, statuses."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.planning.work import Kind
from dsketch.problems.arguments import as_numbers, as_penalty
from dsketch.problems.base import Problem, require_names, require_settings
from dsketch.problems.heads.lockstep import advance_beside
from dsketch.problems.inputs import RESTARTS, START
from dsketch.problems.nonlinear.certificate import ESCAPES, NonlinearCertificate, certify, leave, status_at
from dsketch.problems.nonlinear.check import check_nonlinear
from dsketch.problems.nonlinear.choose import plan_nonlinear
from dsketch.problems.nonlinear.method import NonlinearAnswer, NonlinearMethod, NonlinearTask
from dsketch.problems.nonlinear.methods import METHODS
from dsketch.problems.nonlinear.notes import note_blur, note_kink, note_rank, note_starts
from dsketch.problems.nonlinear.starts import draw_starts
from dsketch.problems.nonlinear.system import Curvature, Examination, NonlinearSystem
from dsketch.problems.outcome import Outcome
from dsketch.settings import Option, Settings


@dataclass(frozen=True)
class NonlinearDetail:
    """What was found besides x.

    Attributes
    ----------
    answers : tuple of NonlinearAnswer
        One for each start.
    best : int
        Which of them x is.
    examination : Examination
        Of x.
    """

    answers: tuple[NonlinearAnswer, ...]
    best: int
    examination: Examination


class NonlinearProblem(Problem):
    """min ½‖f(x) − b‖² + ½ alpha ‖x‖² for an f that looks at rows.

    Attributes
    ----------
    system : NonlinearSystem
    given : ndarray, shape (d,), or None
        The start.
    restarts : int
        Points drawn besides.
    work : Kind
        One look of a step, to be priced.
    units : int
        m where f has a number for each column of A₂; 0 where it has one for each row.
    has_row_sums : bool
        Whether the Hessian has a sum over rows to sample from.
    begins_at_zero : bool
        Whether 0 is where to begin if no start is given; else a drawn point is.
    """

    options: ClassVar[tuple[Option, ...]] = (
        START,
        RESTARTS,
        Option("alpha", float, 0.0, "Penalty ½ alpha ‖x‖², not divided by n.", label="Penalty"),
    )
    methods: ClassVar[Mapping[str, NonlinearMethod]] = METHODS
    work: ClassVar[Kind]
    units: int = 0
    has_row_sums: bool = True
    begins_at_zero: bool = True
    system: NonlinearSystem

    def __init__(self, rows: Rows, start: Any, restarts: int, alpha: float, parameters: Mapping[str, Any]) -> None:
        if isinstance(restarts, bool) or not (isinstance(restarts, Integral) and restarts >= 0):
            raise SpecError(f"restarts must be a number of points ≥ 0; got {restarts!r}. Leave it out to begin at one.")
        self.rows = rows
        self.restarts: int = int(restarts)
        self.alpha: float = as_penalty(alpha, "Use 0 for no penalty.")
        d = rows.shape[1]
        self.given: Floats | None = (
            None if start is None else as_numbers("start", start, (d,), f"Give one for each of the {d} columns.")
        )
        self.parameters = {
            "problem": self.name,
            "start": None if self.given is None else self.given.tolist(),
            "restarts": self.restarts,
            "alpha": self.alpha,
            **parameters,
        }

    @property
    def sides(self) -> int:
        """One."""
        return 1

    @property
    def starts(self) -> int:
        """Points to begin at."""
        return self.restarts + (self.begins_at_zero or self.given is not None or not self.restarts)

    @property
    def judge_passes(self) -> int:
        """One for the centre, one for the QR."""
        return 2

    @abstractmethod
    def explain_start(self) -> str:
        """Return what to do where the loss does not exist at a start."""

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Probe a few blocks, price the methods."""
        require_names(self, method, settings)
        require_settings(settings, self.shape[1])
        return plan_nonlinear(self, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Begin at every start, keep the best answer, examine it.

        Raises
        ------
        SpecError
            If the loss exists at no start.
        """
        method, settings = self.methods[choice.method], choice.settings
        starts = yield from self._begin(settings.seed)
        answers = yield from advance_beside([method.solve(NonlinearTask(self.system, start), settings) for start in starts])
        best = int(np.argmin([answer.local.value for answer in answers]))
        if answers[best].end == "outside":
            raise SpecError(
                f"a start where the loss exists was expected; {self.system.explain_absence(answers[best].local)}. {self.explain_start()}"
            )
        answer, found = yield from self._settle(method, settings, answers[best])
        answers[best] = answer
        detail = NonlinearDetail(tuple(answers), best, found)
        return (yield from self._conclude(detail, choice.method, settings))

    def _begin(self, seed: int) -> Flow[list[Floats]]:
        """Return the starts: given or 0, and drawn ones."""
        first = (
            []
            if self.given is None and not self.begins_at_zero
            else [np.zeros(self.shape[1]) if self.given is None else self.given]
        )
        drawn = yield from draw_starts(self.system, self.starts - len(first), seed)
        return [*first, *drawn]

    def _settle(
        self, method: NonlinearMethod, settings: Settings, answer: NonlinearAnswer
    ) -> Flow[tuple[NonlinearAnswer, Examination]]:
        """Examine an answer; leave a saddle, and go on from there."""
        found = yield from self.system.examine(answer.x_vector, answer.local)
        for _ in range(ESCAPES):
            if not certify(found).is_saddle:
                break
            tried = yield from method.solve(NonlinearTask(self.system, leave(found)), settings)
            if not tried.local.value < answer.local.value:
                break
            said = "left a saddle of the loss along the direction in which it falls"
            answer = replace(tried, steps=answer.steps + tried.steps, notes=(*answer.notes, said, *tried.notes))
            found = yield from self.system.examine(answer.x_vector, answer.local)
        return answer, found

    def _conclude(self, detail: NonlinearDetail, method: str, settings: Settings) -> Flow[Outcome]:
        """Return the outcome; where directions have no effect, of the shortest x."""
        found = detail.examination
        is_deficient, is_symmetry = found.factor.is_deficient or found.is_open, False
        if is_deficient and not found.is_open:
            short = yield from self.system.shortest(found.x, found)
            if short is not None:
                is_symmetry = True
                near = yield from self.system.evaluate(short, Curvature.NONE, detail.answers[detail.best].local)
                found = yield from self.system.examine(short, near)
        certificate = certify(found)
        status = status_at(certificate, self.accepted(settings.tol), is_deficient=is_deficient, is_symmetry=is_symmetry)
        notes = (
            *note_starts(detail.answers, detail.best),
            *detail.answers[detail.best].notes,
            *note_blur(certificate, self.accepted(settings.tol)),
            *found.remarks,
            *note_kink(status, self.units),
            *note_rank(found, certificate, self.columns, is_symmetry=is_symmetry),
        )
        return Outcome(found.x, status, method, certificate, notes, replace(detail, examination=found))

    def judge(self, x: Floats) -> Flow[NonlinearCertificate]:
        """Judge x by a QR of its Jacobian: two looks, with units at most two.

        Raises
        ------
        DataError
            If the loss does not exist at x.
        """
        return (yield from check_nonlinear(self.system, x[:, 0]))
