"""The table of coefficients of an answer, where it costs no further look at the rows."""

from typing import Any

from dsketch._results.solution import Solution
from dsketch.errors import DataError, SpecError
from dsketch.problems.tables import SummaryOptions

_MOST_NUMBERS = 1_000_000  # coefficients: of more, targets are answered into a group, which holds their errors


def table_at_hand(solution: Solution) -> Any | None:
    """Return what :meth:`Solution.summary` gives by default, if that needs no pass; None if it does, or there is no such table."""
    problem = solution.problem
    if not problem.has_table or solution.x.size > _MOST_NUMBERS:
        return None
    doubts = () if solution.status.is_success else (solution.status.value,)
    try:
        flow = problem.summarize(solution.answer, solution.method, SummaryOptions(), doubts)
        next(flow)
    except StopIteration as done:
        return done.value
    except (SpecError, DataError):  # a penalty: its estimates have no such errors
        return None
    flow.close()
    return None
