"""What a run of ``bits.py`` is: a name, and a function that returns facts, field → text.

It names its method (what ``auto`` takes may depend on timings), except where data are so small that nothing timed decides.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from bits_data import (
    Place,
)
from bits_facts import Facts, facts_of_solution

import dsketch as ds

LINEAR = ("cholesky", "gram", "whitened", "tsqr", "conjugate_gradient", "gradient_descent", "sketch_and_solve")
NONLINEAR = ("levenberg", "newton", "newton_sampled", "gradient_descent")
SMOOTH = ("newton", "newton_qr", "newton_sketch", "conjugate_gradient", "gradient_descent")
POWERS = ("factored", "factored_whitened", "alternating", "alternating_cg")
SKETCHES = ("sparse_sign", "count_sketch", "gaussian", "block_srht")
FEATURES = ("none", "pivoted_cholesky", "taylor", "tensor_sketch", "tensor_srht")
ITERATED = {"method": "conjugate_gradient", "features": "pivoted_cholesky", "rank": 30}  # of an attention kernel
HC = (None, "HC0", "HC1", "HC2", "HC3")


class Run(NamedTuple):
    """One run: where it belongs, and what gives its facts."""

    problem: str
    method: str
    about: str
    go: Callable[[Place], Facts]
    is_tiny: bool = False

    @property
    def name(self) -> str:
        """The name under which it is recorded."""
        return " · ".join(part for part in (self.problem, self.method, self.about) if part)


Ask = Callable[[Place], Any]


def solve(ask: Ask, place: Place, **choices: Any) -> Facts:
    """Return the facts of a solve, with all that it told on the way."""
    told: list[Any] = []
    choices = {"cluster": "serial", **choices}
    return facts_of_solution(ds.solve(ask(place), progress=told.append, **choices), told)
