"""Problems: what is asked; one file each, one line in the table."""

from dsketch.problems.base import Outcome, Problem
from dsketch.problems.least_squares import LeastSquares
from dsketch.problems.linear import LinearProblem
from dsketch.problems.ridge import Ridge

PROBLEMS: dict[str, type[Problem]] = {"lstsq": LeastSquares, "ridge": Ridge}

__all__ = ["PROBLEMS", "LeastSquares", "LinearProblem", "Outcome", "Problem", "Ridge"]
