"""R by a sketch and the Gram matrix of A R₀⁻¹, all BLAS-3, then triangular solves: 3 passes for any power.

Prefer it to the QR where A is read fast and d is large: its flops run at the speed of matrix products.

References
----------
Y. Fan, Y. Guo, T. Lin, arXiv 2111.11148, 2021 (the whitened Gram matrix).
"""

from typing import Any

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch._linalg.householder import householder
from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate, price_passes, rate
from dsketch.planning.work import WHITENED_GRAM, sketching_kind
from dsketch.problems.linear.method import require_full_rank
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.linear.whitened import lower_factor
from dsketch.problems.method import SKETCHING, Answer, Breakdown, Method
from dsketch.problems.powers.factored import Factored
from dsketch.problems.powers.method import DIRECT_DETAILS, PowerCase, explain_lack_of_rank, rate_product
from dsketch.problems.powers.system import GramSystem
from dsketch.settings import Settings
from dsketch.sketch.draw import choose_rows, draw_sketch
from dsketch.sketch.size import FOR_WHITENING

_SIGNS = 4  # so many a row of the sparse sketch: only injectivity matters where a Gram matrix follows
_WEAKEST_SKETCH = 10.0  # a good sketch leaves cond(A R₀⁻¹) at 3 to 9; the Gram matrix then holds R to u·10²


class FactoredWhitened(Method[PowerCase, GramSystem, Answer]):
    """By A's own factor from a sketch and a whitened Gram matrix."""

    name = "factored_whitened"
    successor = Factored.name
    takes = SKETCHING

    def price(self, case: PowerCase) -> Estimate:
        """Return the cost of the sketch, the whitened Gram matrix and the certificate."""
        w, settings = case.workload, case.settings
        m, sketch = choose_rows(settings, w.d, FOR_WHITENING), sketching_kind(settings.sketch, FOR_WHITENING, _SIGNS)
        rates = [(rate(sketch, w), 1), (rate(WHITENED_GRAM, w), 1), (rate_product(case.checked, w), 1)]
        return price_passes(rates, 8 * max(m, w.d) * (w.d + w.k), w)

    def unfit(self, case: PowerCase) -> str | None:
        """Leave an A that may lack rank to a QR."""
        return explain_lack_of_rank(case)

    def details(self, case: PowerCase) -> tuple[str, ...]:
        """Return what its passes do not depend on."""
        del case
        return DIRECT_DETAILS

    def solve(self, system: GramSystem, settings: Settings, start: Any = None) -> Flow[Answer]:
        """Answer by R.  3 passes.

        Raises
        ------
        Breakdown
            If the sketch lacks rank, or whitened A so weakly that the factor would lose digits.
        """
        del start
        factor, z = yield from _factor_by_whitening(system.linear, settings)
        return (yield from system.answer_by(factor, z))


def _factor_by_whitening(system: LinearSystem, settings: Settings) -> Flow[tuple[Factor, Floats]]:
    """Return the factor of A, and z with min ‖R y − z‖ the least-squares problem (of no columns without b).  2 passes.

    Raises
    ------
    Breakdown
        If the sketch lacks rank, or whitened A so weakly that the factor would lose digits: here nothing corrects it afterwards.
    """
    SA, _ = yield from system.sketch(draw_sketch(settings, system.shape[1], FOR_WHITENING, nonzeros=_SIGNS))
    start = Factor.of(SA)
    require_full_rank(start)
    W, c = yield from system.whitened(start)
    L = lower_factor(W)
    if (left := float(np.linalg.cond(L))) > _WEAKEST_SKETCH:
        raise Breakdown(f"the sketch did not whiten A: cond(A R⁻¹) is {left:.1e}, about 3 was expected")
    d = system.shape[1]
    full = householder(np.concatenate([L.T @ start.whitener.matrix, sl.solve_triangular(L, c, lower=True)], axis=1))
    return Factor(full[:, :d]), full[:, d:]
