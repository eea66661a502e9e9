"""The passes by which powers are certified: products with AᵀA at any scale, and the residual of b."""

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.passes import Both, Gradient, Look, Normal, Slope
from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem
from dsketch.problems.powers.gram_factor import Core
from dsketch.problems.powers.wide_range import WideColumns

NORM_VECTORS, NORM_LOOKS = 8, 2  # of the iteration for ‖A‖


def multiply_levels(system: LinearSystem, core: Core, vectors: list[WideColumns]) -> Flow[list[WideColumns]]:
    """Return G v for each of the vectors, shapes (d, k).  One pass, however many they are."""
    wide, through = _columns(core, vectors)
    found = yield Look(Normal(wide), system.rows)
    return _split(core, vectors, found, through)


def multiply_levels_with_slope(
    system: LinearSystem, core: Core, vectors: list[WideColumns], y: Floats
) -> Flow[tuple[list[WideColumns], Slope]]:
    """Return G v for each of the vectors, and the slope at y, in the same pass."""
    wide, through = _columns(core, vectors)
    slope, found = yield Look(Both(Gradient(y), Normal(wide)), system.rows)
    return _split(core, vectors, found, through), slope


def multiply(system: LinearSystem, exponent: int, v: WideColumns) -> Flow[WideColumns]:
    """Return G v.  One pass; v travels as v · 2^-e, so that no intermediate number is a square of A's."""
    found = yield Look(Normal(np.ldexp(v.mantissas, -exponent)), system.rows)
    return WideColumns.of(found, v.exponents + exponent)


def estimate_norm(system: LinearSystem, core: Core) -> Flow[float]:
    """Return log₂ of ‖A‖ by subspace iteration from the leading singular vectors of a sketch.

    It is below the truth, by a few parts in a hundred after the first look (the sketch's vectors err by ε, the Ritz value by ε²) and
    much less after the second; the sketch alone would err by ε, which ‖A‖^(2j) makes a large factor.
    """
    V = core.singular[1][:NORM_VECTORS].T
    value = core.norm
    for _ in range(NORM_LOOKS):
        found = yield from multiply(system, core.exponent, WideColumns(V, np.zeros(V.shape[1], dtype=np.int64)))
        W = found.over(np.full(V.shape[1], 2 * core.exponent))
        top = float(np.linalg.eigvalsh(V.T @ W)[-1])
        value = float(np.log2(top) / 2) + core.exponent
        V = np.linalg.qr(W)[0]
    return value


def propagate_in_data(system: LinearSystem, core: Core, residuals: list[WideColumns]) -> Flow[WideColumns]:
    """Return Σ G^(i−1) r_i by Horner's rule in the data.  One pass less than there are residuals."""
    total = residuals[-1]
    for residual in reversed(residuals[:-1]):
        total = (yield from multiply(system, core.exponent, total)).plus(residual)
    return total


def residual_after(core: Core, slope: Slope, moved: WideColumns) -> tuple[WideColumns, Floats]:
    """Return Aᵀ(b − A(y − m)) and log₂ of ‖b − A(y − m)‖ from the slope at y and the step m."""
    g = WideColumns.of(slope.g).plus(core.forward(moved))
    # The cross term gᵀm is left out: g is rounding at y.
    return g, np.logaddexp2(2 * residual_norms(slope), 2 * core.half(moved).norms) / 2


def residual_norms(slope: Slope) -> Floats:
    """Return log₂ of ‖b − A y‖ of each side."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log2(slope.rr) / 2)


def side_norms(slope: Slope) -> Floats:
    """Return log₂ of ‖b‖ of each side, from the moments that a gradient pass takes."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log2(slope.spread + slope.weight * slope.mean**2) / 2)


def _columns(core: Core, vectors: list[WideColumns]) -> tuple[Floats, bool]:
    """Return what to multiply by 2^-e G: all vectors side by side, or the identity where that is narrower."""
    wide = np.concatenate([v.mantissas for v in vectors], axis=1)
    through = wide.shape[1] > wide.shape[0]
    return np.ldexp(np.eye(wide.shape[0]) if through else wide, -core.exponent), through


def _split(core: Core, vectors: list[WideColumns], found: Floats, through: bool) -> list[WideColumns]:
    k = vectors[0].mantissas.shape[1]
    pieces = [found @ v.mantissas for v in vectors] if through else np.split(found, found.shape[1] // k, axis=1)
    return [WideColumns.of(piece, v.exponents + core.exponent) for piece, v in zip(pieces, vectors, strict=True)]
