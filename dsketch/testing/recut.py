"""The same rows in other blocks: many tiny panels without much data."""

from dsketch.matrix.recut import Recut

__all__ = ["Recut"]
