"""A method in forty lines, to be added to the table of a family and taken away again: what there is to say of a method, and no more.

    with add_method(METHODS, ByHand()):
        dsketch.lstsq(A, b, method="by_hand")

For good it would be a file in ``problems/linear`` and a line in ``problems/linear/methods.py``: plans, journals, the command line, the
service and the estimators have it from there.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.planning.work import GRADIENT, TRIANGLE, Work
from dsketch.problems.linear.method import LinearAnswer, LinearMethod, square_bytes
from dsketch.problems.linear.polish import certify_and_correct
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.tsqr import Tsqr
from dsketch.problems.method import Breakdown, Case, Method
from dsketch.settings import Settings

_TRUSTED_CONDITION = 1e4  # up to here one correction mends the share u·kappa² of x = (RᵀR)⁻¹Aᵀb that is wrong


class ByHand(LinearMethod):
    """Corrected semi-normal equations without a guess: RᵀR x = Aᵀb with R from a QR of A alone; right, and never the cheapest.

    Passes: 1 (R) + 1 (Aᵀb, the gradient at 0) + 1 (the certificate, which corrects), rarely one more.

    References
    ----------
    Å. Björck, "Stability analysis of the method of semi-normal equations for linear least squares problems", Linear Algebra Appl. 88/89,
    1987.
    """

    name = "by_hand"  # in method=, --method and documents
    successor = Tsqr.name  # goes on after a Breakdown, and the notes say so

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return what its passes do to every row: plans have their number, seconds and bytes from it."""
        del settings, d
        return Work((TRIANGLE,)), Work((GRADIENT,), 3)

    def part_bytes(self, settings: Settings, d: int, k: int) -> int:
        """Return the bytes of the triangle of [A b]: what a worker holds beside its blocks."""
        del settings
        return square_bytes(d, k)

    def unfit(self, case: Case) -> str | None:
        """Return why ``auto`` should not take it; this stands in the plan as the reason."""
        if case.found.condition <= _TRUSTED_CONDITION:
            return None
        return f"the probed rows have condition {case.found.condition:.0e}; semi-normal equations are trusted to {_TRUSTED_CONDITION:.0e}"

    def solve(self, system: LinearSystem, settings: Settings, start: Any = None) -> Flow[LinearAnswer]:
        """Answer: each ``yield from system.…`` is one look at all rows, by whatever engine, from a journal where it has the pass.

        Raises
        ------
        Breakdown
            If A is too ill-conditioned.
        """
        del start  # what a method before left: nothing that this one needs
        R, _, _ = yield from system.triangle(settings.seed)
        factor = Factor(R)
        if factor.scaled_condition > _TRUSTED_CONDITION:
            raise Breakdown(f"the condition number is {factor.scaled_condition:.1e} (columns scaled)")
        slope = yield from system.gradient(np.zeros((system.shape[1], system.sides)))
        x = factor.solve(factor.solve_transposed(slope.g))
        return (yield from certify_and_correct(system, factor, x, settings))


@contextmanager
def add_method(table: MutableMapping[str, Any], method: Method[Any, Any, Any]) -> Iterator[None]:
    """Have a method in a table for a while.

    Raises
    ------
    ValueError
        If there is one of that name.
    """
    if method.name in table:
        raise ValueError(f"a method with a name of its own was expected; {method.name} is in the table")
    table[method.name] = method
    try:
        yield
    finally:
        del table[method.name]
