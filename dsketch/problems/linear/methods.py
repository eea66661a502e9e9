"""Run a method; where it meets what it cannot do, go on with the next one and say so."""

from dataclasses import replace

from dsketch.passes.base import Flow
from dsketch.problems.linear.cholesky import cholesky
from dsketch.problems.linear.conjugate_gradient import conjugate_gradient
from dsketch.problems.linear.gradient_descent import gradient_descent
from dsketch.problems.linear.gram import gram
from dsketch.problems.linear.method import Answer, Breakdown, MethodFlow
from dsketch.problems.linear.sketch_and_solve import sketch_and_solve
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.tsqr import tsqr
from dsketch.problems.linear.whitened import whitened
from dsketch.settings import Settings

METHODS: dict[str, MethodFlow] = {
    "cholesky": cholesky,
    "conjugate_gradient": conjugate_gradient,
    "gradient_descent": gradient_descent,
    "gram": gram,
    "sketch_and_solve": sketch_and_solve,
    "tsqr": tsqr,
    "whitened": whitened,
}

# Who takes over; tsqr has nobody behind it, for nothing stops it.
NEXT = {
    "cholesky": "whitened",
    "gram": "whitened",
    "whitened": "tsqr",
    "conjugate_gradient": "tsqr",
    "gradient_descent": "conjugate_gradient",
}


def with_fallback(problem: LinearSystem, settings: Settings, name: str) -> Flow[tuple[Answer, str]]:
    """Return the answer and the name of the method that gave it, through as many methods as it takes."""
    notes: tuple[str, ...] = ()
    start = None
    while True:
        try:
            answer = yield from METHODS[name](problem, settings, start)
        except Breakdown as stop:
            notes += (f"{name} gave way to {NEXT[name]}: {stop.reason}",)
            name, start = NEXT[name], stop.start
        else:
            return replace(answer, notes=(*notes, *answer.notes)), name
