"""Several problems on heads of one A, answered together: the passes of the slowest, not their sum."""

from collections.abc import Sequence

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.planning.price import Machines
from dsketch.problems.base import Problem
from dsketch.problems.heads.certificate import join_certificates
from dsketch.problems.heads.check import check_heads
from dsketch.problems.heads.choose import plan_heads
from dsketch.problems.heads.lockstep import advance_together, base_of, require_one_base
from dsketch.problems.heads.methods import METHODS
from dsketch.problems.outcome import Certificate, Outcome
from dsketch.problems.status import gravest
from dsketch.settings import Settings


class Heads(Problem):
    """Problems on one A, or on heads of it (:class:`~dsketch.matrix.head.Head`), in shared passes.

    x has the answers of all heads one under the other; :meth:`split` parts them, and ``Solution.answer`` has each head's own outcome:
    x, status, certificate, notes.

    Parameters
    ----------
    problems : sequence of Problem
        With matrices that come from one opened A, and the same number k of right-hand sides.  One method answers them all.

    Raises
    ------
    SpecError
        If there are none, they are of different matrices, or differ in k.

    References
    ----------
    Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304 (its
    third open question).

    Examples
    --------
    >>> import dsketch
    >>> from dsketch.matrix.head import Head
    >>> from dsketch.problems import GramPower
    >>> A = dsketch.open_matrix(np.diag([1.0, 2.0, 4.0, 8.0]))
    >>> heads = Heads([GramPower(Head(A, columns=(0, 2)), [1.0, 4.0]), GramPower(Head(A, columns=(2, 4)), [256.0, 4096.0], power=2)])
    >>> solution = dsketch.solve(heads)
    >>> [x.ravel() for x in heads.split(solution.x)], len(solution.passes)
    ([array([1., 1.]), array([1., 1.])], 2)
    """

    name = "heads"
    title = "Several problems on heads of one A, in shared passes."
    methods = METHODS
    x_has_columns = False

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        if not self.problems:
            raise SpecError("heads need at least one problem; got none. Pass a list of problems on one A.")
        require_one_base([problem.rows.A for problem in self.problems])
        sides = {problem.sides for problem in self.problems}
        if len(sides) > 1:
            raise SpecError(f"heads must have the same number of right-hand sides; got {sorted(sides)}. Solve them in groups.")
        self.rows = Rows(base_of(self.problems[0].rows.A), pieces=max(problem.rows.pieces for problem in self.problems))
        self.parameters = {"problem": self.name, "heads": [problem.parameters for problem in self.problems]}

    def data(self) -> dict[str, Matrix | None]:
        """Return the matrices of every head, by its number."""
        return {f"{name}{number}": m for number, problem in enumerate(self.problems) for name, m in problem.data().items()}

    @property
    def sides(self) -> int:
        """Right-hand sides k of each head."""
        return self.problems[0].sides

    @property
    def x_shape(self) -> tuple[int, int]:
        """All rows of x, and k."""
        return sum(problem.x_shape[0] for problem in self.problems), self.sides

    @property
    def trailing(self) -> tuple[int, ...]:
        """The dimensions of the targets, where every head has the same."""
        found = {problem.trailing for problem in self.problems}
        return next(iter(found)) if len(found) == 1 else ()

    def split(self, x: Floats) -> list[Floats]:
        """Return each head's rows of x."""
        ends = np.cumsum([problem.x_shape[0] for problem in self.problems])
        return np.split(np.asarray(x), ends[:-1])

    def plan(self, method: str, settings: Settings, machines: Machines) -> Choice:
        """Plan the first head, the others by its method; the work adds up, the passes do not.

        Raises
        ------
        PlanError
            If the parts of all heads together do not fit in memory.
        """
        return plan_heads(self.problems, self.rows, method, settings, machines)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Answer all heads in lockstep."""
        found = yield from advance_together([problem.answer(choice) for problem in self.problems])
        x = np.concatenate([outcome.x.reshape(problem.x_shape) for outcome, problem in zip(found, self.problems, strict=True)])
        notes = [f"head {number}: {note}" for number, outcome in enumerate(found) for note in outcome.notes]
        status = gravest(outcome.status for outcome in found)
        method = ", ".join(dict.fromkeys(outcome.method for outcome in found))
        x = x.reshape(len(x), *(self.trailing or (self.sides,)))
        return Outcome(
            x, status, method, join_certificates([outcome.certificate for outcome in found]), tuple(notes), tuple(found)
        )

    def judge(self, x: Floats) -> Flow[Certificate]:
        """Judge all heads in lockstep."""
        return (yield from check_heads(self.problems, self.split(np.asarray(x).reshape(self.x_shape))))
