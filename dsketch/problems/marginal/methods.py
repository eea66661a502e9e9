"""The methods for marginal regressions, by name: one."""

from dsketch.problems.marginal.method import MarginalMethod
from dsketch.problems.marginal.projection import Projection
from dsketch.problems.method import table_of

METHODS: dict[str, MarginalMethod] = table_of((Projection(),))
