"""The table of coefficients of an answer, where it costs no further look at the rows."""

from typing import TYPE_CHECKING, Any, NamedTuple

from dsketch.errors import DataError, SpecError
from dsketch.problems.tables import SummaryOptions

if TYPE_CHECKING:
    from dsketch._results.solution import Solution

_MOST_NUMBERS = 1_000_000  # coefficients: of more, targets are answered into a group, which holds their errors


class AtHand(NamedTuple):
    """What is known of errors without a look at the rows: the table, or why it is not there, for people."""

    table: Any | None
    lacks: str = ""


def find_table(solution: "Solution") -> AtHand:
    """Return what :meth:`Solution.summary` gives by default, if that needs no pass, else what it would need."""
    problem = solution.problem
    if not problem.has_table:
        return AtHand(None, f"no intervals: {problem.parameters['problem']} has no standard errors")
    if solution.x.size > _MOST_NUMBERS:
        return AtHand(None, "intervals of so many: summary=solution.summary()")
    doubts = () if solution.status.is_success else (solution.status.value,)
    try:
        flow = problem.summarize(solution.answer, solution.method, SummaryOptions(), doubts)
        next(flow)
    except StopIteration as done:
        return AtHand(done.value)
    except (SpecError, DataError):  # a penalty: its estimates have no such errors
        return AtHand(None, "no intervals: the estimates are biased, or no rows are left over")
    flow.close()
    return AtHand(None, "intervals need a look at the rows: summary=solution.summary()")


def table_at_hand(solution: "Solution") -> Any | None:
    """Return the table of :func:`find_table`; None where there is none."""
    return find_table(solution).table
