"""Methods: how a problem is answered; one file each, the paper on top."""

from dsketch.problems.linear.method import Answer, Breakdown
from dsketch.problems.linear.methods import METHODS, NEXT, with_fallback
from dsketch.settings import Settings

__all__ = ["METHODS", "NEXT", "Answer", "Breakdown", "Settings", "with_fallback"]
