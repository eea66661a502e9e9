"""On what the methods for attention layers are priced, what they are asked, and what they find."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.errors import SpecError
from dsketch.passes.layer import LayerMoments
from dsketch.planning.price import Estimate, Machines
from dsketch.problems.attention.layer_directions import see_all
from dsketch.problems.attention.layer_price import ROWS, Sweep, driver_seconds, price_sweeps, time_examination, time_sweep
from dsketch.problems.attention.layer_system import MOST_OF_MATRIX, LayerSystem
from dsketch.problems.attention.method import explain_room
from dsketch.problems.attention.sample import Sample
from dsketch.problems.attention.visible_layer import VisibleLayer
from dsketch.problems.method import Method
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.settings import Settings

# Times as long as at the start.  Of 30 drawn starts with noise those at which steps end well have Y 15 times as long in the median, and
# the two that end nowhere 1,000 times and more.
_GROWN = 50.0
_QUICK = 256  # numbers of X, up to which a look at 512 rows takes some milliseconds


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

    def price(self, sweeps: Iterable[tuple[Sweep, int]], memory: tuple[int, int]) -> Estimate:
        """Return the cost of looks, each so often, and of the two light ones before; memory of a task thread, and of a part."""
        machines = self.machines
        return price_sweeps(self.system, sweeps, machines.threads, machines.tasks(self.system.rows), self.starts, memory)

    @cached_property
    def step(self) -> Sweep:
        """Of a look that has JᵀJ."""
        return time_sweep(self.system, self.sample, _moments, ROWS if self.system.numbers <= _QUICK else 128)

    @cached_property
    def examination(self) -> Sweep:
        """Of the last look."""
        return time_examination(self.system, self.sample)

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


def note_valley(layer: VisibleLayer, first: Floats | None, kept: Any) -> tuple[str, ...]:
    """Return that Y became large: with X small a layer is all but linear in A₁, the better the larger Y is, and never quite.

    Parameters
    ----------
    first : ndarray
        The best Y at the start.
    kept : object with ``Y``, or None
        The best at the end.
    """
    if first is None or kept is None or layer.system.alpha:
        return ()
    before, after = float(np.linalg.norm(first)), float(np.linalg.norm(kept.Y))
    if not after > _GROWN * before:
        return ()
    return (
        f"‖Y‖ grew from {before:.1e} to {after:.1e} along a valley in which X becomes small: its minimum is far from the start, or there "
        "is none; alpha > 0 bounds both",
    )


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


def price_matrices(case: LayerCase, looks: int) -> Estimate:
    """Return the cost of so many looks that have JᵀJ, of the examination, and of what the driver does with them."""
    system, rows, others = case.system, case.system.rows, case.system.others
    d, e, p, k = system.shapes
    height = int(rows.cuts[1])
    part = _moments(see_all(system)).part_bytes(d, k)
    own = 8 * height * (3 * (d + k) + system.heads**2 * (3 * (e * p + e + p) + e * e))
    memory = own + 8 * others.height * 2 * (e + p + e * max(e, p)) + case.starts * 6 * part
    found = case.price([(case.step, looks)], (memory, part))
    last = case.examination.seconds(rows.shape[0], others.rows) / min(case.machines.threads, len(rows.cuts) - 1)
    seconds = found.seconds + last + driver_seconds(system, looks * case.starts)
    return replace(found, passes=found.passes + 1, seconds=seconds)


def _moments(layer: VisibleLayer) -> LayerMoments:
    return layer.moments(np.zeros(layer.numbers[0]), layer.no_values)
