"""Newton's method by weighted Gram matrices: one pass a step, and the step's own look is the next Hessian.

Passes: 5 to 9.  Trusted up to a condition number of √H A of 1e6, columns scaled; beyond, :mod:`~dsketch.problems.smooth.newton_qr`.

References
----------
P. J. Green, "Iteratively reweighted least squares for maximum likelihood estimation, and some robust and resistant alternatives", J. R.
Statist. Soc. B 46, 1984.
"""

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.passes.linked import Local
from dsketch.planning.work import LINKED, LINKED_LIGHT, Work
from dsketch.problems.method import Case
from dsketch.problems.smooth.descent import descend
from dsketch.problems.smooth.method import Carry, SmoothAnswer, SmoothMethod
from dsketch.problems.smooth.metric import factor_of_gram
from dsketch.problems.smooth.newton_qr import NewtonQr
from dsketch.problems.smooth.system import Model
from dsketch.settings import Settings

_TRUSTED_CONDITION = 1e6
_HEAVY, _LIGHT = 5, 2  # passes that are common, with and without a Hessian


class Newton(SmoothMethod):
    """Newton steps by Cholesky factors of Hessians."""

    name = "newton"
    successor = NewtonQr.name
    is_squared = True

    def works(self, settings: Settings, d: int) -> tuple[Work, ...]:
        """Return 5 + 2 passes."""
        del settings, d
        return Work((LINKED,), _HEAVY), Work((LINKED_LIGHT,), _LIGHT)

    def part_bytes(self, settings: Settings, d: int) -> int:
        """Return the bytes of the Hessian."""
        del settings
        return 8 * d * (d + 2)

    def unfit(self, case: Case) -> str | None:
        """Speak up where the probed rows are worse than a Gram matrix can bear."""
        found = case.found
        if not found.is_deficient and found.condition <= _TRUSTED_CONDITION:
            return None
        hint = "lack rank" if found.is_deficient else f"have condition {found.condition:.0e}"
        return f"the probed rows {hint}; a Hessian is trusted to {_TRUSTED_CONDITION:.0e}"

    def solve(self, system: Model, settings: Settings, start: Carry | None = None) -> Flow[SmoothAnswer]:
        """Solve by Newton steps from ``start``.

        Raises
        ------
        Breakdown
            If a Hessian does not vouch for its Cholesky factor; x goes along.
        """

        def see(model: Model, x: Floats, *, lengths: Floats | None, begins: bool) -> Flow[tuple[Local, Factor]]:
            local = yield from model.look(x, has_gram=True, lengths=lengths, begins=begins)
            if local.gram is None:
                raise ValueError("a look with its Gram matrix was expected")
            return local, factor_of_gram(local.gram)

        return (yield from descend(system, settings, see, start))
