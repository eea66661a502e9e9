"""Methods: how a problem is answered; one file each, the paper on top."""

from dsketch.problems.linear.method import Answer, Breakdown
from dsketch.problems.linear.methods import METHODS, NEXT, solved_by
from dsketch.settings import Settings

__all__ = ["METHODS", "NEXT", "Answer", "Breakdown", "Settings", "solved_by"]
