"""On what the methods for attention layers are priced, what they are asked, and what they find."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.planning.price import PASS_SECONDS, TASK_SECONDS, Estimate, Machines
from dsketch.problems.attention.layer_directions import see_all
from dsketch.problems.attention.layer_system import MOST_OF_MATRIX, LayerSystem
from dsketch.problems.attention.method import explain_room
from dsketch.problems.attention.sample import Sample
from dsketch.problems.attention.visible_layer import VisibleLayer
from dsketch.problems.method import Method
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.settings import Settings


@dataclass(frozen=True)
class LayerCase:
    """What a method is priced on: a few rows of each matrix tell the speed of a sweep.

    Attributes
    ----------
    settings : Settings
    machines : Machines
    system : LayerSystem
    sample : Sample
        Of A₁, A₂, A₃ and B.
    starts : int
        Points to begin at.
    """

    settings: Settings
    machines: Machines
    system: LayerSystem
    sample: Sample
    starts: int

    @property
    def found(self) -> None:
        """None: nothing is probed."""

    @property
    def sides(self) -> int:
        """One: x is a vector."""
        return 1

    @property
    def memory_bytes(self) -> int:
        """Of one task thread."""
        return self.machines.memory_bytes

    @cached_property
    def entry_seconds(self) -> float:
        """Seconds of an entry of A₁XA₂ᵀ in a look of a step, one thread."""
        A1, A2, A3, B = self.sample.matrices
        few = see_all(replace(self.system, A1=A1, A2=A2, A3=A3, B=B))
        return self.sample.entry_seconds(few.moments(np.zeros(few.numbers[0]), few.no_values), few.system.rows)

    def explain_need(self, prices: Mapping[str, Estimate]) -> str:
        """Say what is too large for workers."""
        return explain_room(self.memory_bytes, prices)


@dataclass(frozen=True)
class LayerTask:
    """A layer, and the Z to begin at.

    Attributes
    ----------
    layer : VisibleLayer
    start : ndarray, shape (d d',)
    """

    layer: VisibleLayer
    start: Floats


class LayerMethod(Method[LayerCase, LayerTask, NonlinearAnswer]):
    """How an attention layer is fitted, from one start."""


def require_matrix(case: LayerCase, method: str) -> None:
    """Refuse a layer whose X or Y has more numbers than a matrix may have rows.

    Raises
    ------
    SpecError
        With both numbers.
    """
    if not case.system.has_matrix:
        raise SpecError(
            f"{method} is for layers whose X, Y and products of a key and a value, of all heads, have at most {MOST_OF_MATRIX:,} numbers "
            f"(d to about 30); one of them has {case.system.numbers:,}. Use method='gauss_newton_cg'."
        )


def price_looks(case: LayerCase, looks: int) -> Estimate:
    """Return the cost of so many looks from each start, which share a reading, and of the two light ones before."""
    system, rows, others = case.system, case.system.rows, case.system.others
    d, e, p, k = system.shapes
    blocks, height = len(rows.cuts) - 1, int(rows.cuts[1])
    work = rows.shape[0] * others.rows * case.entry_seconds * case.starts / min(case.machines.threads, blocks)
    layer = see_all(system)
    part = layer.moments(np.zeros(layer.numbers[0]), layer.no_values).part_bytes(d, k)
    own = 8 * height * (3 * (d + k) + system.heads**2 * (3 * (e * p + e + p) + e * e))
    memory = own + 8 * others.height * 2 * (e + p + e * max(e, p)) + case.starts * 6 * part
    passes = looks + 2
    return Estimate(passes, looks * work + passes * (PASS_SECONDS + TASK_SECONDS * case.machines.tasks(rows)), memory, part)
