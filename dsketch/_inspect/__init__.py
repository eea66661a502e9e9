"""What a stored matrix is like, and what to change so that passes over it are fast; what a group of answers holds."""

from dsketch._inspect.advice import GOOD_CHUNK_BYTES
from dsketch._inspect.answers import answers_at
from dsketch._inspect.facts import Advice, Storage, StoredAnswers
from dsketch._inspect.inspect import inspect

__all__ = ["GOOD_CHUNK_BYTES", "Advice", "Storage", "StoredAnswers", "answers_at", "inspect"]
