"""What a stored matrix is like, and what to change so that passes over it are fast."""

from dsketch._inspect.advice import GOOD_CHUNK_BYTES
from dsketch._inspect.facts import Advice, Storage
from dsketch._inspect.inspect import inspect

__all__ = ["GOOD_CHUNK_BYTES", "Advice", "Storage", "inspect"]
