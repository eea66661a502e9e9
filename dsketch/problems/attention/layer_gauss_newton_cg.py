"""Gauss–Newton steps by conjugate gradients, Y eliminated; Newton's where the misfit asks for them: no matrix by X."""

from typing import Any

import numpy as np

from dsketch.passes.base import Flow
from dsketch.planning.price import Estimate
from dsketch.problems.attention.layer_method import LayerCase, LayerMethod, LayerTask, price_looks
from dsketch.problems.attention.layer_products import Kept, ProductLayer
from dsketch.problems.attention.visible_layer import Point
from dsketch.problems.levenberg import Local
from dsketch.problems.nonlinear.method import NonlinearAnswer
from dsketch.problems.truncated_newton import truncated_newton
from dsketch.settings import Settings


class LayerGaussNewtonCG(LayerMethod):
    """Products of three sweeps in place of a matrix: for X of many numbers."""

    name = "gauss_newton_cg"
    reason = "no matrix with a row for each number of X"

    def price(self, case: LayerCase) -> Estimate:
        """Return what is usual; how many looks it takes only the data tell."""
        return price_looks(case, 10)

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
        notes = (f"{found.products} products with {'the Hessian' if found.is_exact else 'JᵀJ'}, of three sweeps each",)
        return NonlinearAnswer(Z, local, found.trials, found.end, notes)
