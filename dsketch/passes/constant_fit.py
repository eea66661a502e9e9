"""How well a constant alone fits y, besides an offset: the null model of a smooth problem, from y and what belongs to it alone."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss
from dsketch.matrix.beside import Places
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.fitted import of_rows

_ROWS = 16_384


class Constant(NamedTuple):
    """What is summed at a constant: deviance, log-likelihood, and slope and curvature of the loss in the constant."""

    deviance: float
    log_likelihood: float
    slope: float
    curvature: float


@dataclass(frozen=True)
class ConstantFit(SlicePass[Constant]):
    """Finish to the sums at a mean, or at a constant beside the offset; its rows are those of y and what belongs to it.

    Parameters
    ----------
    loss : Loss
    places : Places
    at : float
        The mean of every row if ``is_mean``, else what is added to the offset.
    is_mean : bool
    dispersion : float
        That of the log-likelihood.
    is_expected : bool
        Whether the curvature is that expected given η.

    Notes
    -----
    A is not read.
    """

    loss: Loss
    places: Places
    at: float
    is_mean: bool
    dispersion: float
    is_expected: bool

    kind: ClassVar[str] = "constant"

    def rows_at_once(self, columns: int) -> int:
        """Return a height that stays in the cache."""
        del columns
        return _ROWS

    def zero(self, columns: int, sides: int) -> Part:
        """Return four zeros."""
        del columns, sides
        return (np.zeros(4),)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the sums of a slice of y and what belongs to it, which are X."""
        del start, Y
        rows = of_rows(self.places, X)
        y = rows.y[rows.counting]
        slope = curvature = np.zeros(len(y))
        if self.is_mean:
            mean = np.full(len(y), self.at)
            deviance = self.loss.deviance(y, mean)
            likelihood = self.loss.log_likelihood(y, mean, rows.weight, self.dispersion)
        else:
            eta = self.at + (np.zeros((len(y), 1)) if rows.offset is None else rows.offset[rows.counting, None])
            deviance = self.loss.deviance_at(eta, y)
            likelihood = self.loss.log_likelihood_at(eta, y, rows.weight, self.dispersion)
            terms = self.loss.terms(eta, y)
            slope, curvature = terms.slope[:, 0], self.loss.expected_curvature(eta) if self.is_expected else terms.curvature
        # What has no likelihood is told by the loss; a NaN here would be taken for one of the data.
        known = rows.frequency @ likelihood if np.isfinite(likelihood).all() else 0.0
        part[0][:] += (rows.whole @ deviance, known, rows.whole @ slope, rows.whole @ curvature)

    def finish(self, part: Part) -> Constant:
        """Return the sums."""
        return Constant(*part[0].tolist())

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return four numbers."""
        del columns, sides
        return 32
