"""Several problems on heads of one A, answered together: the passes of the slowest, not their sum."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._units import format_bytes
from dsketch.errors import PlanError, SpecError
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes.base import Flow
from dsketch.planning.choice import MEMORY_SHARE, Choice
from dsketch.planning.price import Estimate, Machines
from dsketch.problems.base import Problem, require_names
from dsketch.problems.heads.lockstep import advance_together, base_of, require_one_base
from dsketch.problems.linear.methods import METHODS as LINEAR
from dsketch.problems.outcome import Certificate, Outcome
from dsketch.problems.powers.methods import METHODS as POWERS
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
    methods = MappingProxyType({**POWERS, **LINEAR})
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
        plans: list[Choice] = []
        for problem in self.problems:
            require_names(problem, method, settings)
            plans.append(problem.plan(method, settings, machines))
            method = plans[0].method
        first, passes = plans[0], max(made.estimate.passes for made in plans)
        parts = sum(made.estimate.part_bytes for made in plans[1:])
        memory = max(made.estimate.memory_bytes for made in plans) + 2 * parts
        if memory > (room := MEMORY_SHARE * first.memory_limit_bytes):
            raise PlanError(
                f"the heads together need {format_bytes(memory)} of {format_bytes(room)} a thread. Solve them in groups, or give workers "
                "more memory."
            )
        cost = Estimate(passes, sum(made.estimate.seconds for made in plans), memory, first.estimate.part_bytes + parts)
        return replace(
            first,
            estimate=cost,
            matrix=f"{len(plans)} heads of {self.rows.A.describe()}, the first: {first.matrix}",
            read_bytes=passes * self.rows.nbytes,
            details=(*first.details, f"{len(plans)} heads share every reading; seconds are those of each alone, together"),
        )

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Answer all heads in lockstep."""
        found = yield from advance_together([problem.answer(choice) for problem in self.problems])
        x = np.concatenate([outcome.x.reshape(problem.x_shape) for outcome, problem in zip(found, self.problems, strict=True)])
        notes = [f"head {number}: {note}" for number, outcome in enumerate(found) for note in outcome.notes]
        status = gravest(outcome.status for outcome in found)
        method = ", ".join(dict.fromkeys(outcome.method for outcome in found))
        return Outcome(x, status, method, _join([outcome.certificate for outcome in found]), tuple(notes), tuple(found))

    def judge(self, x: Floats) -> Flow[Certificate]:
        """Judge all heads in lockstep."""
        found = yield from advance_together(
            [problem.judge(part) for problem, part in zip(self.problems, self.split(x), strict=True)]
        )
        return _join(found)


def _join(certificates: Sequence[Certificate]) -> Certificate:
    """Return the certificate of all: numbers side by side, the worst condition."""
    worst = max(certificates, key=lambda certificate: certificate.condition)
    return Certificate(
        backward_error=np.concatenate([certificate.backward_error for certificate in certificates]),
        residual_norm=np.concatenate([certificate.residual_norm for certificate in certificates]),
        forward_error=np.concatenate([certificate.forward_error for certificate in certificates]),
        condition=worst.condition,
        rank=sum(certificate.rank for certificate in certificates),
        rank_reason=f"{len(certificates)} heads; of the worst conditioned: {worst.rank_reason}",
    )
