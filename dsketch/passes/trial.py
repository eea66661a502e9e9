"""The light pass of a line search: the loss at several points of a line."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss
from dsketch.matrix.beside import Places
from dsketch.matrix.rows import SLICE_BYTES
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.linked import predictor


@dataclass(frozen=True)
class Trial(SlicePass[Floats]):
    """Finish to Σ w φ at x + s p for every s, shape (steps,).

    Parameters
    ----------
    loss : Loss
    places : Places
    x, direction : ndarray, shape (d, outputs)
        x and p.
    steps : tuple of float

    Notes
    -----
    One read, 4 n d flops for each output, and the loss of every row for every step.
    """

    loss: Loss
    places: Places
    x: Floats
    direction: Floats
    steps: tuple[float, ...]

    kind: ClassVar[str] = "trial"
    takes_sparse: ClassVar[bool] = True

    def rows_at_once(self, columns: int) -> int:
        """Return a height that stays in the cache between the two products."""
        return max(SLICE_BYTES // (8 * columns), 256)

    def zero(self, columns: int, sides: int) -> Part:
        """Return zero losses."""
        del columns, sides
        return (np.zeros(len(self.steps)),)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the losses of a slice."""
        del start
        y, weight = Y[:, 0], self.places.weight(Y)
        eta = predictor(X, self.x, self.places.of("offset", Y))
        along = predictor(X, self.direction, None)
        for place, step in enumerate(self.steps):
            values = self.loss.values(eta + step * along, y)
            part[0][place] += values.sum() if weight is None else values @ weight

    def finish(self, part: Part) -> Floats:
        """Return the losses."""
        losses: Floats = part[0]
        return losses

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number a step."""
        del columns, sides
        return 8 * len(self.steps)
