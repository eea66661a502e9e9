"""The methods for penalized and bounded problems: one file each, one line here."""

from collections.abc import Mapping

from dsketch.problems.method import table_of
from dsketch.problems.penalized.gram import GramPoints
from dsketch.problems.penalized.method import PenalizedMethod
from dsketch.problems.penalized.triangle import TrianglePoints

METHODS: Mapping[str, PenalizedMethod] = table_of((GramPoints(), TrianglePoints()))
