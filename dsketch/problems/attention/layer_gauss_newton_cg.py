"""Gauss–Newton steps by conjugate gradients, Y eliminated; Newton's where the misfit asks for them: no matrix by X."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes import Pass
from dsketch.passes.base import Flow
from dsketch.passes.layer_products import LayerCurve, LayerFollow, LayerSlope
from dsketch.passes.layer_sizes import LayerSizes
from dsketch.passes.layer_sweep import Keys
from dsketch.planning.price import Estimate
from dsketch.problems.attention.layer_examination import SADDLE_PRODUCTS
from dsketch.problems.attention.layer_method import LayerCase, LayerMethod, LayerTask, note_valley
from dsketch.problems.attention.layer_price import driver_seconds, time_sweep
from dsketch.problems.attention.layer_products import Kept, ProductLayer
from dsketch.problems.attention.visible_layer import Point, VisibleLayer
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.problems.truncated_newton import TruncatedAnswer, truncated_newton
from dsketch.settings import Settings

# Products of conjugate gradients, and steps: 70 to 118 and 7 to 11 were taken where a layer fits, 170 to 233 and 13 to 16 where B has
# noise, at d = 12 to 64 (the same layer takes 190 to 233 by the last bits of a processor's sums).  Which it is nobody knows before: a plan
# says what lies between, within a factor of 1.9 of both.
_FITS, _NOISE = (70, 7), (230, 15)
_COVARIANCE_BYTES = 64_000_000  # of the examination, as in :mod:`dsketch.passes.layer_sizes`
_FEW_ROWS = 64  # on which the examination is timed


def _common(layer: VisibleLayer) -> tuple[Keys, Floats, Floats, Floats, Floats, Floats]:
    return layer.keys, layer.basis, layer.beside(np.zeros(layer.numbers[0])), layer.no_values, *layer.white


def _sizes(layer: VisibleLayer) -> LayerSizes:
    return LayerSizes(*_common(layer)[:4])


def _along(layer: VisibleLayer) -> Floats:
    return layer.beside(np.zeros(layer.numbers[0]))


_PASSES: tuple[Callable[[VisibleLayer], Pass[Any]], ...] = (
    lambda layer: LayerSlope(*_common(layer), False),
    lambda layer: LayerSlope(*_common(layer), True),
    lambda layer: LayerFollow(*_common(layer), _along(layer), False),
    lambda layer: LayerCurve(*_common(layer), _along(layer), layer.no_values, False),
)


class LayerGaussNewtonCG(LayerMethod):
    """Products of three sweeps in place of a matrix: for X of many numbers."""

    name = "gauss_newton_cg"
    reason = "no matrix with a row for each number of X"

    def unfit(self, case: LayerCase) -> str | None:
        """Return why not for few numbers."""
        return "for X of many numbers; here a matrix by X has the loss of a step in one look" if case.system.has_matrix else None

    def price(self, case: LayerCase) -> Estimate:
        """Return what lies between a layer that fits and noise in B; how many products it takes only the data tell."""
        system, rows, others = case.system, case.system.rows, case.system.others
        d, e, p, k = system.shapes
        of_x, of_y = system.heads * d * e, system.heads * p * k
        own = 8 * int(rows.cuts[1]) * (d + k + 6 * system.heads * (e + p))
        memory = own + 8 * others.height * (2 * (e + p) + e * p) + 4 * _COVARIANCE_BYTES + case.starts * 6 * 8 * (of_x + of_y)
        sweeps = [time_sweep(system, case.sample, make) for make in _PASSES]
        examined = [] if system.has_matrix else [time_sweep(system, case.sample, _sizes, _FEW_ROWS)]
        low, high = (
            case.price(zip([*sweeps, *examined], times, strict=False), (memory, 16 * (of_x + of_y))) for times in _looks(case)
        )
        found = replace(high, passes=round(math.sqrt(low.passes * high.passes)), seconds=math.sqrt(low.seconds * high.seconds))
        if not system.has_matrix:
            return found
        last = case.examination.seconds(rows.shape[0], others.rows) / min(case.machines.threads, len(rows.cuts) - 1)
        return replace(found, passes=found.passes + 1, seconds=found.seconds + last + driver_seconds(system, 0))

    def details(self, case: LayerCase) -> tuple[str, ...]:
        """Return how many products are usual, and how many starts there are."""
        low, high = (sum(times) + 2 for times in _looks(case))
        told = (
            f"about {low} passes where a layer fits, {high} where B has noise, from a start near the answer: planned is a middle",
        )
        return (*told, f"{case.starts} starts share every reading") if case.starts > 1 else told

    def solve(self, system: LayerTask, settings: Settings, start: Any = None) -> Flow[NonlinearAnswer]:
        """Step from the task's start."""
        del start
        layer = system.layer
        model = ProductLayer(layer)
        found = yield from truncated_newton(model, model.enter(layer.turn_back(system.start)), settings)
        Z = layer.turn(model.leave(found.place.x).reshape(-1))
        kept: Kept | None = found.place.kept
        Y = layer.no_values if kept is None else kept.Y
        place = found.place
        local = Local(place.value, place.gradient, np.zeros((0, 0)), place.size, kept=Point(Z, Y, np.zeros((0, 0, 0))))
        notes = (
            f"{found.products} products with {'the Hessian' if found.is_exact else 'JᵀJ'}, of three sweeps each",
            *_tell_end(found),
            *note_valley(layer, None if found.first is None else found.first.kept.Y, kept),
        )
        return NonlinearAnswer(Z, local, found.trials, found.end, notes)


def _looks(case: LayerCase) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return how many looks of each kind a layer takes that fits, and with noise; then a saddle is looked for, from a place of its own."""
    system = case.system
    of_x = system.heads * system.shapes[0] * system.shapes[1]
    found = []
    for (products, slopes), looked in ((_FITS, 0), (_NOISE, 0 if system.has_matrix else SADDLE_PRODUCTS)):
        count = min(products, slopes * of_x) + min(looked, of_x)
        found.append((slopes + bool(looked), slopes, count, count, 1))
    return found[0], found[1]


def _tell_end(found: TruncatedAnswer) -> tuple[str, ...]:
    """Return why steps ended above the goal, as the last of them was at rounding."""
    if found.end != "rounding":
        return ()
    residual = float(np.sqrt(2 * found.place.value))
    return (
        f"steps ended at rounding: the last made the gradient no smaller, and would have taken at most {found.left:.1e} from ‖r‖ = "
        f"{residual:.1e}",
    )
