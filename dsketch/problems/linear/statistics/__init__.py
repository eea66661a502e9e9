"""Statistics of a least-squares fit from the exact factor R: mathematics that asks for passes, as a method does.

It stands below :mod:`dsketch._results.solution` and knows no engine: ``Solution.summary()`` is handed what answers its looks.
"""

from dsketch.problems.linear.statistics.inference import summarize
from dsketch.problems.linear.statistics.summary import Summary

__all__ = ["Summary", "summarize"]
