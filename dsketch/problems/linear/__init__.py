"""Methods: how a problem is answered; one file each, the paper on top."""

from dsketch.methods.base import Answer, Breakdown, Settings
from dsketch.methods.chain import METHODS, NEXT, solved_by

__all__ = ["METHODS", "NEXT", "Answer", "Breakdown", "Settings", "solved_by"]
