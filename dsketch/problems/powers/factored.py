"""R by a tall-skinny QR, then triangular solves: 2 passes for any power, certificate included, and nothing stops it.

Prefer it to its sisters for every A whose n d² flops can be paid, and wherever A may lack rank.

References
----------
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, SIAM J. Sci. Comput. 34, 2012 (the triangle).
"""

from typing import Any

from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate, price_passes, rate
from dsketch.planning.work import TRIANGLE
from dsketch.problems.method import Answer, Method
from dsketch.problems.powers.method import DIRECT_DETAILS, PowerCase, rate_product
from dsketch.problems.powers.system import GramSystem
from dsketch.settings import Settings


class Factored(Method[PowerCase, GramSystem, Answer]):
    """By A's own factor from a QR."""

    name = "factored"
    is_safe = True

    def price(self, case: PowerCase) -> Estimate:
        """Return the cost of the QR and of the certificate."""
        w = case.workload
        return price_passes([(rate(TRIANGLE, w), 1), (rate_product(case.checked, w), 1)], 8 * (w.d * (w.d + w.k) + w.k), w)

    def details(self, case: PowerCase) -> tuple[str, ...]:
        """Return what its passes do not depend on."""
        del case
        return DIRECT_DETAILS

    def solve(self, system: GramSystem, settings: Settings, start: Any = None) -> Flow[Answer]:
        """Answer by R.  2 passes."""
        del start
        R, z, _ = yield from system.linear.triangle(settings.seed)
        return (yield from system.answer_by(Factor(R), z))
