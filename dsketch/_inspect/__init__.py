"""What a stored matrix is like, and what to change so that passes over it are fast."""

from dsketch.storage.advice import GOOD_CHUNK_BYTES
from dsketch.storage.facts import Advice, Storage
from dsketch.storage.inspect import inspect

__all__ = ["GOOD_CHUNK_BYTES", "Advice", "Storage", "inspect"]
