"""The methods for leverage scores, by name, in the order in which plans weigh and tell them."""

from dsketch.problems.leverage.exact import Exact
from dsketch.problems.leverage.method import LeverageMethod
from dsketch.problems.leverage.sketched import Sketched
from dsketch.problems.method import table_of

METHODS: dict[str, LeverageMethod] = table_of((Exact(), Sketched()))
