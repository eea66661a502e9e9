"""The exact kernel, swept tile by tile and never formed, by preconditioned conjugate gradients with a refinement.

n²/2 exponentials an iteration, and as many iterations as the preconditioner leaves.  Without a ridge b is taken to lie in the range of K,
and x need not be the shortest.
"""

import math
from typing import Any

from dsketch._linalg.columns import norms
from dsketch.passes.base import Flow
from dsketch.problems.kernel.answer import KernelAnswer, bound_condition, explain_rank, resolve_entries
from dsketch.problems.kernel.candidates import Candidate, candidate_named, choose_candidate
from dsketch.problems.kernel.case import KernelCase
from dsketch.problems.kernel.method import FIXED_PASSES, KernelMethod, KernelWork
from dsketch.problems.kernel.pivoted_cholesky import Pivots
from dsketch.problems.kernel.preconditioners import Woodbury, woodbury
from dsketch.problems.kernel.refinement import Goal, Solved, observe_condition, refine
from dsketch.problems.kernel.system import KernelSystem
from dsketch.settings import Settings


class ConjugateGradient(KernelMethod):
    """Preconditioned conjugate gradients on the exact kernel."""

    name = "conjugate_gradient"
    takes = ("features", "rank")
    reason = "there is a ridge: the exact kernel, preconditioned"

    def unfit(self, case: KernelCase) -> str | None:
        """Without a ridge low_rank tells more."""
        return None if case.alpha else "does not tell the rank, nor the shortest x"

    def work(self, case: KernelCase) -> KernelWork:
        """Forecast what each preconditioner would leave, or the one that was asked for."""
        settings, is_free = case.settings, case.settings.features == "auto"
        taken = choose_candidate(case.candidates, *case.dimensions, case.tol)
        if not is_free:
            taken = candidate_named(case.sample.system, settings.features, settings.rank, case.most, case.dimensions[0])
            alike = (candidate for candidate in case.candidates if _key(candidate) == _key(taken))
            taken = next(alike, taken)
        steps = taken.iterations(case.tol) if math.isfinite(taken.condition) else 0
        passes = FIXED_PASSES + taken.looks[0] + steps * taken.looks[1]
        return KernelWork(taken, steps, passes, case.most if is_free else taken.columns)

    def details(self, case: KernelCase) -> tuple[str, ...]:
        """Say which preconditioner, and what is forecast of it."""
        work = self.work(case)
        taken = work.taken
        if not math.isfinite(taken.condition):
            return (f"preconditioner {taken.name} with {taken.columns} columns",)
        return (
            f"preconditioner {taken.name} with {taken.columns} columns: condition number about {taken.condition:.1e} (forecast from "
            f"sampled rows), at most {work.iterations} iterations",
            *(
                ("the solve forecasts once more, from rows of all blocks, and may take another",)
                if case.settings.features == "auto"
                else ()
            ),
        )

    def solve(self, system: KernelSystem, settings: Settings, start: Any = None) -> Flow[KernelAnswer]:
        """Answer with the preconditioner of the settings, or of the pivots that low_rank chose."""
        goal, first = Goal.of(settings), None
        made: Woodbury | None = None
        if isinstance(start, Pivots):
            made = yield from woodbury(system, start.features(system), "pivoted_cholesky+diagonal", residual=True)
            first = Candidate("pivoted_cholesky", made.columns, made.columns, math.inf)
        elif settings.features != "auto":
            first = candidate_named(system, settings.features, settings.rank, goal.columns, system.rows)
        return _answer_from(system, (yield from refine(system, first, goal, made)))


def _answer_from(system: KernelSystem, solved: Solved) -> KernelAnswer:
    """Return the answer in the user's rows."""
    left, frame = observe_condition(solved.ritz), system.frame
    size = norms(frame * solved.residual)
    notes = (
        f"{solved.iterations} iterations with {solved.preconditioner.name}, {solved.preconditioner.columns} columns; "
        f"Ritz values show a preconditioned condition number of {left:.1e}",
    )
    return KernelAnswer(
        x=solved.y / system.growth,
        residual_norm=size,
        reducible=size,
        x_norm=norms(solved.y / frame),
        b_norm=norms(frame * system.beta),
        norm=solved.norm,
        condition=bound_condition(system, solved.norm),
        rank=system.rows,
        rank_reason=explain_rank(system),
        preconditioned=left,
        iterations=solved.iterations,
        columns=solved.preconditioner.columns,
        is_scaled=not system.is_representable,
        resolution=resolve_entries(system),
        notes=(*system.notes, *solved.notes, *notes),
    )


def _key(candidate: Candidate) -> tuple[str, int]:
    return candidate.name, candidate.columns
