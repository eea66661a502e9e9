"""Problems: what is asked; one file each, one line in the table."""

from dsketch.problems.base import Flow, LinearProblem
from dsketch.problems.least_squares import LeastSquares
from dsketch.problems.ridge import Ridge

PROBLEMS: dict[str, type[LinearProblem]] = {"lstsq": LeastSquares, "ridge": Ridge}

__all__ = ["PROBLEMS", "Flow", "LeastSquares", "LinearProblem", "Ridge"]
