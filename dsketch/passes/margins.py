"""The light pass behind separation: whether the loss of every row falls, or stays, for ever along a direction."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss
from dsketch.matrix.beside import Places
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.linked import add_weighted_gram, predictor

_FAR = 1e12  # so far along the direction the loss of a row is its slope for ever, to as many digits


class Extreme(NamedTuple):
    """A row that goes farthest to one side: its number, its y, its δ = aᵀv (of the output that moves most)."""

    row: int
    y: float
    step: float


class Margin(NamedTuple):
    """What a direction does.

    Attributes
    ----------
    worst : float
        The largest slope that the loss of a row keeps for ever, per unit of the direction, or its abs δ if that is less; not above 0 where
        all fall or stay.
    most, least : float
        Largest and least abs δ of a row.
    up, down : Extreme
        The rows with the largest and the least δ.
    heights : ndarray, shape (d,)
        The largest abs aᵢⱼ of each column: its unit, whatever the curvatures.
    flat : ndarray
        AᵀA of the rows with abs δ at most ``level``, shape (d, d), of several outputs (d · outputs, d · outputs) by
        :meth:`~dsketch.losses.base.Loss.held`; (0, 0) if nobody asked.
    """

    worst: float
    most: float
    least: float
    up: Extreme
    down: Extreme
    heights: Floats
    flat: Floats


@dataclass(frozen=True)
class Margins(SlicePass[Margin]):
    """Finish to the margins of a direction.

    Parameters
    ----------
    loss : Loss
        Convex.
    places : Places
    direction : ndarray, shape (d, outputs)
        v, of such a size that no abs δ is much above 1.
    level : float
        Rows with abs δ at most this are flat; negative: their AᵀA is not made.

    Notes
    -----
    One read; n d² flops if AᵀA of the flat rows is made.  Rows with weight 0 are left out.
    """

    loss: Loss
    places: Places
    direction: Floats
    level: float = -1.0

    kind: ClassVar[str] = "margins"
    takes_sparse: ClassVar[bool] = True

    def zero(self, columns: int, sides: int) -> Part:
        """Return what no rows give; numbers that every row changes are far away, and finite."""
        del sides
        wide = columns * self.direction.shape[1] if self.level >= 0 else 0
        sides_far = np.array([[0.0, 0.0, -1e300], [0.0, 0.0, -1e300]])
        return np.array([-1e300, 0.0, -1e300]), sides_far, np.zeros(columns), np.zeros((wide, wide))

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the margins of a slice."""
        most, sides, heights, gram = part
        y, weight = Y[:, 0], self.places.weight(Y)
        step = predictor(X, self.direction, None)
        kept = np.ones(len(y)) if weight is None else (weight > 0).astype(np.float64)
        if not kept.any():
            return
        slope = (self.loss.values(_FAR * step, y) - self.loss.values(0.0 * step, y)) / _FAR
        size = np.abs(step).max(axis=1)
        slope = np.minimum(slope, size)  # of losses that rise faster than linearly δ says how far a row is from staying
        found = np.where(kept > 0, [slope, size, -size], -1e300).max(axis=1)
        np.maximum(most, found, out=most)
        for side, sign in zip(sides, (1.0, -1.0), strict=True):
            reach = np.where(kept > 0, (sign * step).max(axis=1), -1e300)
            row = int(np.argmax(reach))
            if reach[row] > side[2]:
                side[:] = start + row, y[row], reach[row]
        np.maximum(heights, _heights(X if weight is None else X[weight > 0]), out=heights)
        if self.level >= 0:
            held = self.loss.held(step, y, self.level)
            add_weighted_gram(gram, X, held * (kept if held.ndim == 1 else kept[:, None, None]))

    def merge(self, left: Part, right: Part) -> Part:
        """Keep the larger of each; of two equal rows the first."""
        later = right[1][:, 2:] > left[1][:, 2:]
        heights = np.maximum(left[2], right[2])
        return np.maximum(left[0], right[0]), np.where(later, right[1], left[1]), heights, left[3] + right[3]

    def finish(self, part: Part) -> Margin:
        """Return the margins."""
        (worst, most, least), ((row, y, up), (other, z, down)), heights, gram = part
        return Margin(
            float(worst),
            float(most),
            -float(least),
            Extreme(int(row), float(y), float(up)),
            Extreme(int(other), float(z), -float(down)),
            heights,
            gram,
        )

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return (d · outputs)² numbers and d, or d and a few."""
        del sides
        return 8 * (9 + columns + ((columns * int(self.direction.shape[1])) ** 2 if self.level >= 0 else 0))


def _heights(X: Any) -> Floats:
    """Return the largest abs entry of each column."""
    if scipy.sparse.issparse(X):
        return np.asarray(abs(X).max(axis=0).toarray()).ravel()
    return np.asarray(np.maximum(X.max(axis=0), -X.min(axis=0)))
