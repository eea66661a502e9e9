"""What a request can hold of what Python has: paths as text, NumPy's numbers as numbers, no data."""

import os
from typing import Any

import numpy as np

from dsketch.client.connection import Document
from dsketch.errors import SpecError
from dsketch.problems import PROBLEMS
from dsketch.problems.arguments import jsonable_numbers
from dsketch.settings import Numbers


def sendable(spec: Document) -> Document:
    """Return a document as JSON can hold it: paths as text, NumPy's numbers as numbers; of what may be several numbers a list.

    Raises
    ------
    SpecError
        If a word is what only this process has, such as an array.
    """
    several = _names_of_numbers(spec.get("problem"))
    return {
        name: _sendable_numbers(name, value) if name in several else sendable_word(name, value) for name, value in spec.items()
    }


def _names_of_numbers(problem: Any) -> set[str]:
    """Return the words of a problem that may be several numbers; none of one that only the service knows."""
    asked = PROBLEMS.get(str(problem))
    return set() if asked is None else {word.name for word in (*asked.inputs, *asked.options) if word.kind is Numbers}


def _sendable_numbers(name: str, value: Any) -> Any:
    """Return a number or a list: of an array, an earlier answer, a text with commas or a file that is here."""
    return None if value is None else jsonable_numbers(name, value, "Give a number or several.")


def sendable_word(name: str, value: Any) -> Any:
    """Return the value of one word as JSON can hold it.

    Raises
    ------
    SpecError
        If it is what only this process has.
    """
    if isinstance(value, dict):
        return {key: sendable_word(f"{name}.{key}", part) for key, part in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        raise SpecError(f"{name}: a finite number was expected; got {value}. Leave it out for the default.")
    if value is None or isinstance(value, str | int | float):
        return value
    shape = getattr(value, "shape", None)
    found = type(value).__name__ + (f" of shape {shape}" if isinstance(shape, tuple) else "")
    raise SpecError(
        f"{name}: a path was expected; got {found}. Write the data to a Zarr array below a data root of the service, and send its path "
        "(dsketch.solve takes data in memory)."
    )
