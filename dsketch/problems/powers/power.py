"""What even and odd powers share: one option, one table of methods, and how an answer is made, told and judged."""

from functools import cached_property
from typing import ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.passes.base import Flow
from dsketch.planning.choice import Choice
from dsketch.problems.fallback import with_fallback
from dsketch.problems.outcome import Outcome
from dsketch.problems.powers.answer import event_of
from dsketch.problems.powers.certificate import PowerCertificate, power_certificate, power_notes, power_status
from dsketch.problems.powers.check import check_power
from dsketch.problems.powers.methods import METHODS
from dsketch.problems.powers.problem import PoweringProblem
from dsketch.problems.powers.system import PowerSystem
from dsketch.settings import Option


class PowerProblem(PoweringProblem):
    """(AᵀA)ʲ or A(AᵀA)ʲ to be inverted.

    Attributes
    ----------
    is_odd : bool
        Whether b has n rows.
    power : int
        j ≥ 1.
    """

    is_odd: ClassVar[bool]
    options = (Option("power", int, 1, "The power j ≥ 1.", most=64, label="Power"),)
    methods = METHODS
    power: int

    @property
    def right(self) -> Floats | None:
        """The b of d rows; None where b rides along with A."""
        return None

    @property
    def stages(self) -> int:
        """Solves with AᵀA: j, and the least-squares solve of an odd power."""
        return self.power + self.is_odd

    @property
    def judge_passes(self) -> int:
        """‖A‖, each product, and for odd powers the gradient at b."""
        return 1 + self.stages

    @property
    def checked(self) -> int:
        """All levels of all sides, or the whole Gram matrix where that is narrower."""
        return min(self.power * self.sides, self.shape[1])

    @cached_property
    def system(self) -> PowerSystem:
        """A, b and the power."""
        return PowerSystem(self.linear, self.right, self.power)

    def answer(self, choice: Choice) -> Flow[Outcome]:
        """Solve by the plan's method, or by QR where that cannot go on.

        Raises
        ------
        DataError
            If x does not fit into float64.
        """
        answer, method = yield from with_fallback(self.methods, choice.method, self.system, choice.settings)
        yield event_of(answer.backward_error, answer.residual_norm)
        status = power_status(answer, choice.settings, self.accepted(choice.settings.tol), is_odd=self.is_odd)
        notes = power_notes(answer, choice.settings, self.power, is_odd=self.is_odd)
        return Outcome(self.shape_like_b(answer.x), status, method, power_certificate(answer, self.power), notes, answer)

    def judge(self, x: Floats) -> Flow[PowerCertificate]:
        """Judge x by j real products with AᵀA, after one pass for ‖A‖; for odd powers one gradient at b more."""
        return power_certificate((yield from check_power(self.system, x)), self.power)
