"""What is known of an X and Y of many numbers: by sums that have no matrix by X.

The backward error is bounded by −r rᵀJ/‖r‖², the change of J after which Jᵀr is 0 (G. W. Stewart, "Research, development, and LINPACK",
1977): ‖Jᵀr‖/‖r‖, relative to ‖J‖, columns scaled.  It is never below the Karlson–Waldén estimate that a QR gives.  Rank, condition and the
distance from a minimum would take a matrix: they are not measured.  That the loss falls along some direction is looked for by Lanczos's
method on the Hessian with Y eliminated, from a vector drawn by the seed: its least Ritz value is never below the least eigenvalue, so that
a saddle that is told is one, and one may be missed.

References
----------
C. Lanczos, "An iteration method for the solution of the eigenvalue problem of linear differential and integral operators", J. Res. Nat.
Bur. Standards 45, 1950.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import powers_near
from dsketch._linalg.streams import LAYER_LANCZOS
from dsketch.errors import DataError
from dsketch.passes.base import Flow
from dsketch.passes.layer_sizes import LayerExtent, LayerSizes
from dsketch.problems.attention.layer_products import ProductLayer
from dsketch.problems.attention.visible_layer import VisibleLayer
from dsketch.problems.nonlinear.certificate import BLURRED, ZERO, NonlinearCertificate
from dsketch.problems.nonlinear.system import U
from dsketch.settings import EPS

SADDLE_PRODUCTS = 24  # of Lanczos's method, of three sweeps each


@dataclass(frozen=True)
class LayerExamination:
    """What was found at an X and Y.

    Attributes
    ----------
    extent : LayerExtent
    certificate : NonlinearCertificate
    """

    extent: LayerExtent
    certificate: NonlinearCertificate


def examine_by_products(layer: VisibleLayer, X: Floats, Y: Floats) -> Flow[LayerExamination]:
    """Examine X and Y: one look of a wide sweep, and unless the loss is 0 to rounding 24 products with the Hessian.

    Raises
    ------
    DataError
        If logits overflow.
    """
    found: LayerExtent = yield from layer.look(LayerSizes(layer.keys, layer.basis, layer.beside(X), Y))
    if not (np.isfinite(found.slope).all() and np.isfinite(found.misfit)):
        raise DataError("an X where the logits are float64 numbers was expected; they overflow. Look where x comes from.")
    first = _certify(layer, X, Y, found, np.nan)
    if first.is_zero:
        return LayerExamination(found, first)
    least = yield from _find_least(layer, X)
    return LayerExamination(found, _certify(layer, X, Y, found, least))


def _certify(layer: VisibleLayer, X: Floats, Y: Floats, found: LayerExtent, least: float) -> NonlinearCertificate:
    """Return what sums tell."""
    alpha, (of_x, of_y) = layer.system.alpha, layer.numbers
    x = np.concatenate([X, Y.reshape(-1)])
    gradient = np.concatenate([found.slope.reshape(-1), found.slope_values.reshape(-1)]) + alpha * x
    norms = np.sqrt(np.concatenate([found.squares.reshape(-1), np.repeat(found.squares_values, Y.shape[1])]) + alpha)
    scale = powers_near(norms)
    scaled, size = gradient / scale, float(np.linalg.norm(norms / scale))
    value = 0.5 * (found.misfit**2 + alpha * float(x @ x))
    residual, doubt, length = float(np.sqrt(2 * value)), U * (found.doubt + found.target), float(np.linalg.norm(scale * x))
    room, share = max(size * length, residual, found.target), float(np.linalg.norm(scaled))
    hidden = doubt / room if room > 0 else 0.0
    stationary = share / (size * residual) if size * residual > 0 else 0.0
    exact = found.misfit / found.target if found.target > 0 and residual <= found.misfit else np.inf if residual > 0 else 0.0
    is_zero = bool(residual <= found.misfit <= ZERO * doubt <= ZERO * BLURRED * found.target)
    return NonlinearCertificate(
        backward_error=np.array([min(stationary, exact) + hidden]),
        residual_norm=np.array([residual]),
        forward_error=np.array([np.nan]),
        condition=np.nan,
        rank=of_x + of_y - layer.spare,
        rank_reason=f"rank not measured: {of_x + of_y:,} numbers are too many for a matrix",
        scaled_condition=np.nan,
        gradient_norm=stationary,
        decrement=np.nan,
        loss=value,
        least_eigenvalue=least,
        doubt=doubt,
        is_zero=is_zero,
    )


def _find_least(layer: VisibleLayer, X: Floats) -> Flow[float]:
    """Return the least Ritz value of the Hessian with the best Y, relative to the largest; NaN where there is none."""
    model = ProductLayer(layer)
    place = yield from model.evaluate(model.enter(X))
    if not np.isfinite(place.value):
        return np.nan
    numbers = len(place.x)
    words = random_words.draw(0, LAYER_LANCZOS, 0, 1, numbers)
    basis, diagonal, beside = [ndtri(random_words.uniforms(words))[0]], list[float](), list[float]()
    basis[0] /= np.linalg.norm(basis[0])
    for _ in range(min(SADDLE_PRODUCTS, numbers)):
        v = yield from model.multiply(place, basis[-1], is_exact=True)
        diagonal.append(float(v @ basis[-1]))
        for _twice in range(2):  # against what rounding brings back
            for one in basis:
                v = v - (v @ one) * one
        beside.append(float(np.linalg.norm(v)))
        if not beside[-1] > EPS * numbers * max(map(abs, diagonal)):
            break
        basis.append(v / beside[-1])
    off = np.diag(beside[: len(diagonal) - 1], 1)
    values = np.linalg.eigvalsh(np.diag(diagonal) + off + off.T)
    largest = float(np.abs(values).max())
    return float(values[0]) / largest if largest > 0 else np.nan
