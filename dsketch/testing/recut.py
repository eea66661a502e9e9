"""The same rows in other blocks: many tiny panels without much data."""

from dsketch.matrix.regrid import Recut

__all__ = ["Recut"]
