"""The methods that heads may be answered by: those of the families that heads can be of, each family's own."""

from types import MappingProxyType

from dsketch.problems.linear.methods import METHODS as LINEAR
from dsketch.problems.powers.methods import METHODS as POWERS

METHODS = MappingProxyType({**POWERS, **LINEAR})
