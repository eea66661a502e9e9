"""‖(ℓ² RᵀR + ρ² I)^(-1/2) h‖ for several h, ℓ and ρ by triangular solves, where the extent of R is proven.

With φ = ρ/ℓ and w = R⁻ᵀh the square is hᵀ(RᵀR + φ²I)⁻¹h / ℓ², and also wᵀ(I + φ²XᵀX)⁻¹w / ℓ² with X = R⁻¹.  The condition numbers of
the two matrices multiply to κ(R)², so that the better one is at most κ(R), and its Cholesky factor loses nothing that R has.  Neither is
needed where φ is far from the singular values: ‖h‖/ρ and ‖w‖/ℓ are upper bounds, within a tenth for φ ≥ 2.2 σ₁ and φ ≤ 0.45 σ_d.
"""

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch._linalg.extent import Extent
from dsketch._linalg.tiled import factor_in_place, solve_turned, square
from dsketch.settings import EPS

_NEAR = 1.1  # how far above the truth a bound may be; φ is rounded down to powers of it where there are many
_CELLS = 8  # more Cholesky factors than that, and the singular values serve all


def divide_by_root(extent: Extent, h: Floats, length: Floats, residual: Floats) -> Floats | None:
    """Return ‖(ℓ² RᵀR + ρ² I)^(-1/2) h‖ of each side, never less and a tenth more at most; None where that takes too many factors.

    Parameters
    ----------
    h : ndarray, shape (d, k)
    length, residual : ndarray, shape (k,)
        ℓ and ρ.
    """
    w = np.array(h, order="C")
    solve_turned(extent.R, w)
    by_residual, by_length = ratio(norms(h), residual), ratio(norms(w) * (1 + extent.doubt), length)
    phi, (least, largest), spare = residual / length, extent.bounds, np.sqrt(_NEAR**2 - 1)
    found = np.minimum(by_residual, by_length)
    needed = (found > 0) & (phi < largest / spare) & (phi > least * spare)
    cells = _cells(phi, needed)
    if len(cells) > _CELLS:
        return None
    for sides in cells:
        own = _between(extent, h[:, sides], w[:, sides], float(phi[sides].min()))
        found[sides] = np.minimum(found[sides], own / length[sides])
    return found


def _cells(phi: Floats, needed: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Return the sides whose φ are one to a tenth, of those for which a factor is needed."""
    places = np.flatnonzero(needed)
    _, which = np.unique(np.floor(np.log(phi[places]) / np.log(_NEAR)), return_inverse=True)
    return [places[which == number] for number in range(int(which.max(initial=-1)) + 1)]


def _between(extent: Extent, h: Floats, w: Floats, phi: float) -> Floats:
    """Return ‖(RᵀR + φ² I)^(-1/2) h‖, from above by what rounding may take."""
    least, largest = extent.bounds
    kappa = np.hypot(largest, phi) / np.hypot(least, phi)  # of RᵀR + φ²I it is the square; of the other κ(R)² over that
    if kappa**2 <= largest / least:
        M, side, condition = square(extent.R), h.copy(), kappa**2
        shift = phi**2
    else:
        M, side, condition = square(extent.X), w.copy(), (largest / least / kappa) ** 2
        M *= phi**2
        shift = 1.0
    M.flat[:: len(M) + 1] += shift
    solve_turned(factor_in_place(M), side)
    return np.asarray(norms(side) * (1 + len(M) * EPS * condition))
