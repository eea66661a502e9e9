"""Results as text or as JSON on standard output."""

import json
from typing import Any

import click
import numpy as np

from dsketch._jsonable import plain
from dsketch._results.solution import Solution
from dsketch._units import format_bytes, format_seconds
from dsketch.errors import SpecError
from dsketch.matrix.rows import Rows
from dsketch.problems.outcome import Certificate

QUIET_SECONDS = 10.0  # after so long without a sign of work a worker is said to stall
MOST_SHOWN = 20  # coefficients printed; more are for --out


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; numbers that JSON does not know (NaN, infinity) become null."""
    click.echo(json.dumps(plain(value), allow_nan=False))


def solution_text(solution: Solution, out: str | None) -> str:
    """Return status, certificate and x; only the place of x if it was written."""
    x = f"x           in {out}" if out else coefficients(solution)
    return f"{solution}\n{x}"


def coefficients(solution: Solution) -> str:
    """Return the first coefficients, a line each, under the names of A's columns if they are known."""
    x, rows = np.asarray(solution.x[:MOST_SHOWN]), solution.x.shape[0]
    x, shown = x.reshape(len(x), -1), len(x)
    word = "column" if solution.problem.arrays else "row"
    labels = (
        tuple(f"{word} {place}" for place in range(shown))
        if solution.problem.answers_rows
        else _labels(solution.problem.rows, rows)
    )
    wide = max(map(len, labels[:shown]))
    lines = [f"x           {label:<{wide}}  {row_text(values)}" for label, values in zip(labels[:shown], x, strict=True)]
    more = rows - shown
    return "\n".join([*lines, *([f"            and {more} more: {_more_hint(solution)}"] if more else [])])


def _more_hint(solution: Solution) -> str:
    """Return how all of x can be had."""
    if solution.problem.arrays:
        return "--out writes them, with their errors, t and p"
    return "--out writes them" if solution.problem.answers_rows else "--out writes them, --json prints them"


def _labels(rows: Rows, wanted: int) -> tuple[str, ...]:
    """Return the names of A's columns, or numbers where x has a number for each row."""
    if wanted != rows.shape[1]:
        return tuple(f"x{place}" for place in range(min(wanted, MOST_SHOWN)))
    names = rows.A.names or tuple(f"x{place}" for place in range(rows.A.shape[1]))
    return (*names, "intercept") if rows.intercept else names


def row_text(values: Any, most: int = 6) -> str:
    """Return the first numbers of a row."""
    text = "  ".join(f"{value: .10g}" for value in values[:most])
    return text + ("  …" if len(values) > most else "")


def worker_text(worker: dict[str, Any]) -> str:
    """Return what a worker of a running job does."""
    limit = "" if worker["memory_limit_bytes"] is None else f" of {format_bytes(worker['memory_limit_bytes'])}"
    quiet = worker["quiet_seconds"] or 0.0
    stalls = f", no sign of work for {format_seconds(quiet)}" if quiet >= QUIET_SECONDS else ""
    return f"worker {worker['name']}: {worker['doing'] or 'waits'}, {format_bytes(worker['memory_bytes'])}{limit}{stalls}"


def errors_text(rows: Rows, x: Any, c: Certificate) -> str:
    """Return a line for each coefficient with the bounds on |x − x*|, a number for each right-hand side.

    Raises
    ------
    SpecError
        If the problem has no errors by coefficient.
    """
    errors = getattr(c, "coefficient_errors", None)
    if errors is None:
        raise SpecError("errors by column are known of least squares and ridge; this is another problem. Leave --by-column out.")
    labels = _labels(rows, len(errors))
    wide = max(map(len, labels))
    vectors = x.reshape(len(errors), -1)
    pairs = zip(labels, vectors, errors, strict=True)
    return "\n".join(f"error       {label:<{wide}}  {row_text(value)}  ± {row_text(error)}" for label, value, error in pairs)


def certificate_text(c: Certificate, accepted: float) -> str:
    """Return a verdict and a certificate in a few lines, a number for each right-hand side."""
    return "\n".join([f"verdict     {verdict_of(c, accepted)}", *c.lines()])


def verdict_of(c: Certificate, accepted: float) -> str:
    """Return whether x is right, in a sentence, and if not why."""
    if c.is_right(accepted):
        return f"right: the backward error is within {accepted:.1e}"
    if c.obstacle:
        return f"not right: {c.obstacle}"
    if float(np.max(c.backward_error, initial=0.0)) <= accepted:
        return "not right: nothing is proven of x; it may be far from any minimizer, or the data have none"
    return f"not right: the backward error is above {accepted:.1e}; solve again, or accept it with a larger --tol"
