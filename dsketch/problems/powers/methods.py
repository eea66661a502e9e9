"""The methods for functions of AᵀA, by name: a new one is one file and one line."""

from dsketch.problems.method import table_of
from dsketch.problems.powers.alternating import Alternating
from dsketch.problems.powers.alternating_cg import AlternatingCG
from dsketch.problems.powers.factored import Factored
from dsketch.problems.powers.factored_whitened import FactoredWhitened

# By A's own factor: for every function of AᵀA.
DIRECT = table_of((Factored(), FactoredWhitened()))
# For powers.
METHODS = table_of((*DIRECT.values(), Alternating(), AlternatingCG()))
