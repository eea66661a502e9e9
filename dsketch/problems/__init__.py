"""Problems: what is asked; one file each, one line in the table."""

from dsketch.problems.base import Outcome, Problem
from dsketch.problems.exp_kernel import ExpKernel
from dsketch.problems.gram_exponential import GramExponential
from dsketch.problems.gram_power import GramPower
from dsketch.problems.heads import Heads
from dsketch.problems.least_squares import LeastSquares
from dsketch.problems.linear import LinearProblem
from dsketch.problems.odd_gram_power import OddGramPower
from dsketch.problems.restricted_kernel import RestrictedKernel
from dsketch.problems.ridge import Ridge

PROBLEMS: dict[str, type[Problem]] = {
    kind.name: kind for kind in (LeastSquares, Ridge, GramPower, OddGramPower, GramExponential, ExpKernel, RestrictedKernel)
}

__all__ = [
    "PROBLEMS",
    "ExpKernel",
    "GramExponential",
    "GramPower",
    "Heads",
    "LeastSquares",
    "LinearProblem",
    "OddGramPower",
    "Outcome",
    "Problem",
    "RestrictedKernel",
    "Ridge",
]
