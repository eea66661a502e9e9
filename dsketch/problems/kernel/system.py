"""The guarded form of (K + λ I) x = b with K = exp(s A Aᵀ), entry by entry.

K = E G E with E = diag exp(s ‖a‖²/2) and the Gaussian G ≤ 1.  So y = E x solves (G + λ E⁻²) y = E⁻¹ b, in which nothing overflows; the
two systems are congruent, so conjugate gradients take the same steps in either.  Norms are taken in the user's rows, E r, as long
as K itself can be represented.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.columns import norms, ratio
from dsketch.errors import DataError
from dsketch.matrix.array import ArrayMatrix
from dsketch.matrix.base import Matrix
from dsketch.matrix.rows import Rows
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.kernel_tiles import LONGEST, KernelProduct, augment, sweep_rows
from dsketch.passes.moments import Mean
from dsketch.passes.rowwise import RowFacts
from dsketch.problems.persisted import copy_persisted
from dsketch.settings import EPS

LEAST_DIAGONAL = 16 * EPS  # rounding leaves about this of a unit diagonal; D is nowhere below it
_REPRESENTABLE = 170.0  # s‖a‖²/2 of the longest row up to which K and the squares of its entries, e^(4·170), are numbers


@dataclass(frozen=True)
class KernelSystem:
    """(G + diag shift) y = β.

    Attributes
    ----------
    A : Matrix, shape (n, d)
    mean : ndarray, shape (d,)
    scale, alpha : float
        s and λ.
    half : ndarray, shape (n,)
        s ‖a‖²/2: log E.
    radius : ndarray, shape (n,)
        s ‖a − mean‖²: squared lengths of the centred rows.
    b : ndarray, shape (n, k)
    """

    A: Matrix
    mean: Floats
    scale: float
    alpha: float
    half: Floats
    radius: Floats
    b: Floats

    @property
    def rows(self) -> int:
        """The order n."""
        return len(self.half)

    @property
    def dimensions(self) -> tuple[int, int, int]:
        """(n, d, k)."""
        return self.rows, self.A.shape[1], self.b.shape[1]

    @property
    def is_representable(self) -> bool:
        """Whether K's entries are float64 numbers."""
        return bool(self.half.max() <= _REPRESENTABLE)

    @property
    def growth(self) -> Floats:
        """E, shape (n, 1)."""
        return np.exp(self.half)[:, None]

    @property
    def frame(self) -> Floats:
        """What residuals are multiplied by: E, or 1 where K cannot be represented; shape (n, 1)."""
        return self.growth if self.is_representable else np.ones((self.rows, 1))

    @property
    def shift(self) -> Floats:
        """Λ E⁻², shape (n, 1)."""
        return self.alpha * np.exp(-2 * self.half)[:, None]

    @property
    def beta(self) -> Floats:
        """E⁻¹ b, shape (n, k)."""
        return self.b * np.exp(-self.half)[:, None]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the guard did."""
        if self.is_representable:
            return ()
        return (
            f"exp(s‖a‖²) is beyond float64 for the longest row (s‖a‖² = {2 * self.half.max():.0f}); solved in rows scaled by "
            "exp(−s‖a‖²/2), in which residual and backward error are measured",
        )

    def product(self, y: Floats) -> Flow[Floats]:
        """Return (G + diag shift) y.  One sweep."""
        Gy: Floats = yield Look(KernelProduct(self.A, self.mean, self.scale, y), sweep_rows(self.A))
        return Gy + self.shift * y

    def gaussian(self, X: Floats, Z: Floats) -> Floats:
        """Return G(X, Z) for a few rows of A's kind."""
        left = augment(X, self.mean, self.scale, is_left=True)
        right = augment(Z, self.mean, self.scale, is_left=False)
        return np.asarray(np.exp(np.minimum(left @ right.T, 0.0)))

    def features(self, view: Matrix, weights: Floats | None = None) -> Rows:
        """Return rows of features of A, with weights where they are given."""
        return Rows(view, weights=None if weights is None else ArrayMatrix(np.ascontiguousarray(weights)))


def guard_system(A: Matrix, b: Matrix, scale: float, alpha: float) -> Flow[KernelSystem]:
    """Return the guarded system.  Two light passes.

    Raises
    ------
    DataError
        If a row is too long for its own exponential.
    """
    A = yield from copy_persisted(A)
    rows = sweep_rows(A)
    mean: Floats = yield Look(Mean(), rows)
    facts: Floats = yield Look(RowFacts(mean), Rows(rows.A, b, pieces=rows.pieces))
    half = 0.5 * scale * facts[:, 0]
    require_short(half, scale)
    return KernelSystem(A, mean, scale, alpha, half, scale * facts[:, 1], facts[:, 2:])


def require_short(half: Floats, scale: float, what: str = "") -> None:
    """Refuse rows whose exponential overflows even in the guarded form.

    Raises
    ------
    DataError
        Naming the longest row.
    """
    worst = int(np.argmax(half))
    if not half[worst] <= LONGEST:
        what = what or f"row {worst}"
        raise DataError(
            f"s‖a‖²/2 must be at most {LONGEST:.0f} for every row, or exp overflows; {what} has "
            f"{half[worst]:.4g} at scale={scale:g}. "
            f"Use scale ≤ {scale * LONGEST / half[worst]:.2g}, or normalise the rows."
        )


def bound_norm(system: KernelSystem, w: Floats, product: Floats) -> float:
    """Return a lower bound of ‖K + λ I‖ (in the frame) from one product: the largest ‖(K + λ I) v‖/‖v‖.

    Parameters
    ----------
    w, product : ndarray, shape (n, k)
        y and (G + diag shift) y.
    """
    return float(np.max(ratio(norms(system.frame * product), norms(w / system.frame)), initial=0.0))
