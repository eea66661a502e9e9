"""A solution as a cell of a notebook shows it: what was found, and x by its names."""

from typing import Any

import numpy as np

from dsketch._html import join_parts, lines_table, number_table
from dsketch._results.dimensions import targets_of
from dsketch._results.frames import names_of_rows

_MOST_ROWS = 20
_MOST_TARGETS = 6


def solution_html(solution: Any) -> str:
    """Return status, certificate and notes, and the first coefficients of the first targets."""
    return join_parts([lines_table(str(solution)), _coefficients(solution)])


def solution_word(solution: Any) -> str:
    """Return a solution in one line, for lists and prompts."""
    worst = float(np.max(solution.certificate.backward_error, initial=0.0))
    passes = len(solution.passes)
    return (
        f"<Solution of {solution.problem.parameters['problem']} by {solution.method}: {solution.status.name}, x {tuple(solution.x.shape)}, "
        f"backward error {worst:.1e}, {passes} pass{'es' * (passes != 1)}>"
    )


def _coefficients(solution: Any) -> str:
    """Return the table of x; nothing where x has a number for each row of A, or lies where it was written."""
    if solution.problem.answers_rows or not solution.problem.x_has_columns or not isinstance(solution.x, np.ndarray):
        return ""
    x = np.asarray(solution.x)
    table = x.reshape(len(x), -1)[:_MOST_ROWS, :_MOST_TARGETS]
    names = names_of_rows(solution.problem, len(x))
    labels, own = targets_of(solution.problem), solution.target_names
    head = ["x"] if x.ndim == 1 else [f"{place}" if own is None else own[place] for place in range(table.shape[1])]
    sides = x[0].size
    caption = (
        ""
        if sides == 1
        else f"{sides:,} targets"
        + (f" ({', '.join(labels.dims)})" if labels.dims else "")
        + (f", the first {_MOST_TARGETS}" if sides > _MOST_TARGETS else "")
    )
    rows = [(name, *(f"{value:.6g}" for value in row)) for name, row in zip(names, table, strict=False)]
    return number_table(caption, ["", *head], rows, len(x) - len(table))
