"""The methods for functions of AᵀA, by name: a new one is one file and one line."""

from dsketch.problems.method import Answer, Method, table_of
from dsketch.problems.powers.alternating import Alternating
from dsketch.problems.powers.alternating_cg import AlternatingCG
from dsketch.problems.powers.factored import Factored
from dsketch.problems.powers.factored_whitened import FactoredWhitened
from dsketch.problems.powers.method import PowerCase
from dsketch.problems.powers.system import GramSystem, PowerSystem

# By A's own factor: for every function of AᵀA.
DIRECT: dict[str, Method[PowerCase, GramSystem, Answer]] = table_of((Factored(), FactoredWhitened()))
# For powers.
METHODS: dict[str, Method[PowerCase, PowerSystem, Answer]] = table_of((*DIRECT.values(), Alternating(), AlternatingCG()))
