"""An x to be judged, from wherever it comes, as the problem has it: its shape, its columns in A's order."""

import os
from typing import Any

import numpy as np
import zarr

from dsketch._linalg.arrays import Floats
from dsketch._results.read import StoredX, numbers_of, read_x
from dsketch._results.solution import Solution
from dsketch.errors import DataError
from dsketch.matrix.columns import Columns, list_names
from dsketch.problems import Problem, TargetRegression


def fit_x(problem: Problem, answer: Any) -> tuple[Floats, str | None]:
    """Return x as the problem judges it, shape ``x_shape``, and a sentence if its rows had to change places.

    Parameters
    ----------
    problem : Problem
    answer : Solution, path, URL, zarr.Array or array_like

    Raises
    ------
    DataError
        If it has another shape, belongs to columns of other names or levels, or is not finite.
    """
    if isinstance(problem, TargetRegression):
        problem.refuse_judging()
    (x, attributes), known = _read_x(answer)
    is_shaped = x.ndim <= 2 or x.shape[1:] == problem.trailing
    vectors = x.reshape(len(x), -1) if x.ndim and is_shaped else x
    there = problem.columns
    order = None if known is None or there is None else known.order_in(there, "those of A")
    if vectors.shape != problem.x_shape:
        raise DataError(
            f"x must have shape {problem.x_shape} to fit {_data_of(problem)}; it has {x.shape}. Give the x of this problem"
            f"{_of_an_intercept(attributes, problem)}."
        )
    if order is None or there is None or not problem.x_has_columns:
        return vectors, None
    places = np.argsort(order)  # A's column j has the coefficient that x has at the place of that name
    moved = np.concatenate([vectors[places], vectors[len(places) :]])
    return moved, f"the rows of x were put in the order of A's columns, {list_names(there.names)}, by their names"


def _read_x(answer: Any) -> tuple[StoredX, Columns | None]:
    if isinstance(answer, Solution):
        return StoredX(np.asarray(answer.x), {"problem": answer.problem.parameters}), answer.columns
    if isinstance(answer, str | os.PathLike | zarr.Array):
        found = read_x(answer)
        return found, Columns.from_attributes(found.attributes) if found.attributes.get("created_by") == "dsketch" else None
    return StoredX(numbers_of(answer), {}), None


def _data_of(problem: Problem) -> str:
    """Return the names of what a problem must be given: A and b."""
    return " and ".join(option.name for option in problem.inputs) or "A"


def _of_an_intercept(attributes: dict[str, Any], problem: Problem) -> str:
    """Return a hint where one of both has an intercept."""
    asked = attributes.get("problem")
    if not isinstance(asked, dict) or bool(asked.get("intercept")) == bool(problem.parameters.get("intercept")):
        return ""
    return f", or say intercept={bool(asked.get('intercept'))}, with which it was solved"
