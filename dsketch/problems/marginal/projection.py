"""Covariates projected out of the targets once, of the columns by matrix products with an orthonormal basis.  Passes: 1.

References
----------
R. Frisch, F. V. Waugh, "Partial time regressions as compared with individual trends", Econometrica 1, 1933; M. C. Lovell, "Seasonal
adjustment of economic time series and multiple regression analysis", Journal of the American Statistical Association 58, 1963.
D. Fabregat-Traver, Y. Aulchenko, P. Bientinesi, "Solving sequences of generalized least-squares problems on multi-threaded
architectures", Applied Mathematics and Computation 234, 2014 (a grid of regressions as matrix products).
"""

from typing import Any

from dsketch._units import format_count
from dsketch.passes.base import Flow
from dsketch.passes.column_tiles import TILE_SAMPLES
from dsketch.passes.partialled import KEPT_BYTES, groups_bytes
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate
from dsketch.problems.marginal.method import MarginalAnswer, MarginalCase, MarginalMethod
from dsketch.problems.marginal.system import MarginalSystem
from dsketch.settings import Settings

_FIELD_SECONDS = 0.9e-6  # of one column and target, its errors, t, p and logarithm: most of it Student's distribution
_FIELDS_BYTES = 8 * 16  # of one column and target: its products, squares, fields, and what they are made of


class Projection(MarginalMethod):
    """The one way there is."""

    name = "projection"
    is_safe = True
    reason = "the only method"

    def price(self, case: MarginalCase) -> Estimate:
        """Return one pass: products, reading, and what follows from the sums."""
        system, threads = case.system, max(case.machines.threads, 1)
        m, n = system.columns.shape
        width = case.sides + case.groups * (system.covariates + 1)
        products = 2 * n * m * width * case.flop_seconds
        seconds = (products + m * case.column_seconds * case.groups + m * case.sides * _FIELD_SECONDS) / threads
        tasks = case.machines.tasks(system.rows)
        part = 8 * 6 * case.sides * system.columns.block_bytes // max(n * system.columns.dtype.itemsize, 1)
        return Estimate(1, seconds + PASS_SECONDS + TASK_SECONDS * tasks, self._memory(case), part)

    def _memory(self, case: MarginalCase) -> int:
        """Return the bytes of one thread: two blocks and one that is decoded, a tile, fields; targets and covariates, twice."""
        system, k, q = case.system, case.sides, case.system.covariates
        n = system.columns.shape[1]
        columns = max(int(system.columns.cuts[1]), 1)
        together = min(groups_bytes(n, k, q, case.groups), KEPT_BYTES + groups_bytes(n, k, q, 1))
        sides = 8 * n * (3 * k + 2 * q) + together
        return 3 * system.columns.block_bytes + 8 * TILE_SAMPLES * 2 * columns + _FIELDS_BYTES * columns * (k + q) + sides

    def details(self, case: MarginalCase) -> tuple[str, ...]:
        """Return how G is read, how many groups of targets there are, and what stands for what is missing."""
        system = case.system
        m, n = system.columns.shape
        lines = [
            f"{format_count(m)} columns of {format_count(n)} rows, {format_count(int(system.columns.cuts[1]))} at a time, beside "
            f"{system.covariates} covariates"
        ]
        if case.groups > 1:
            lines.append(f"targets miss rows in {case.groups} patterns, each with products of its own")
        words = {"mean": "is set to its mean", "drop": "is left out with its row", "error": "is refused"}
        return (*lines, f"what is missing of a column {words[system.missing]}")

    def solve(self, system: MarginalSystem, settings: Settings, start: Any = None) -> Flow[MarginalAnswer]:
        """Return the pass; there is nothing to look at before."""
        del settings, start
        yield from ()
        return MarginalAnswer(system.marginal())
