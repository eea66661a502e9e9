"""A small example of what each problem must be given, made from its inputs: a new problem needs none of its own unless y is of a domain."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Matrix
from dsketch.problems import PROBLEMS, Problem
from dsketch.settings import Numbers
from dsketch.testing.convolution import rotary_rows

ROWS, COLUMNS = 60, 3
# Rows and columns of the matrices of attention, which are not of one height, and of a wide one with its targets.
_SHAPES = {"G": (ROWS, 5), "Y": (ROWS, 2), "Q": (ROWS, COLUMNS), "K": (45, COLUMNS), "V": (45, 2), "dY": (ROWS, 2)}

# What a problem must be asked for a method to be for it.
METHOD_OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("attention", "features"): {"kind": "polynomial"},
    ("attention", "sketched"): {"kind": "polynomial"},
    ("attention", "conv"): {"kind": "conv", "causal": True},
    ("attention-gradient", "features"): {"kind": "polynomial"},
    ("attention-gradient", "conv"): {"kind": "conv", "causal": True},
}


def data_of(problem: type[Problem], method: str = "") -> dict[str, Any]:
    """Return arrays for each input of a problem, by name: a b with a number for each row are shares, so that a softmax can come near.

    Parameters
    ----------
    method : str
        One that is for other data than the rest.
    """
    rng = np.random.default_rng(0)
    if method == "conv":
        Q, K = rotary_rows(ROWS, COLUMNS, (0, 21, 22))
        values = {"V": rng.standard_normal((ROWS, 2)), "dY": rng.standard_normal((ROWS, 2))}
        return {"Q": Q, "K": K} | {option.name: values[option.name] for option in problem.inputs if option.name in values}
    found: dict[str, Any] = {}
    for option in problem.inputs:
        if option.kind is Numbers:
            found[option.name] = np.linspace(0.05, 0.2, COLUMNS) if option.name == "b" else np.ones(COLUMNS)
        elif option.name in _SHAPES:
            found[option.name] = rng.standard_normal(_SHAPES[option.name])
        elif option.name.startswith("A"):
            found[option.name] = rng.standard_normal((ROWS, COLUMNS)) / 4
        elif option.name == "y":
            found[option.name] = rng.integers(0, 2, ROWS).astype(np.float64)
        else:
            found[option.name] = np.ones(COLUMNS) if "length d" in option.help else _shares(rng)
    return found


def _shares(rng: np.random.Generator) -> Floats:
    weights = rng.random(ROWS)
    return np.asarray(weights / weights.sum())


def example_of(name: str, example_method: str = "", **options: Any) -> Problem:
    """Return a problem of a few rows, of the data of a method if it is for others."""
    kind: Any = PROBLEMS[name]
    problem: Problem = kind(**data_of(kind, example_method), **options)
    return problem


def document_of(problem: type[Problem]) -> Mapping[str, Any]:
    """Return the shortest document of a run: its name and what must be given."""
    given = {option.name: f"{option.name}.zarr" if option.kind is Matrix else [1.0, 2.0] for option in problem.inputs}
    return {"problem": problem.name, **given}
