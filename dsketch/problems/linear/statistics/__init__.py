"""Statistics of a least-squares fit from the exact factor R: mathematics that asks for passes, as a method does.

It stands below :mod:`dsketch.solution` and knows no engine: ``Solution.summary()`` is handed what answers its looks.
"""

from dsketch.statistics.inference import Wish, summarized
from dsketch.statistics.summary import Summary

__all__ = ["Summary", "Wish", "summarized"]
