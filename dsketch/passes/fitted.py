"""How well a smooth problem's x fits: deviance, Pearson's χ², and what counts, in one light pass."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss
from dsketch.matrix.beside import Places
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.linked import predictor

_LEAST_ROWS = 256
_SLICE_NUMBERS = 50_000  # of X at once: they stay in the second-level cache beside the columns


class Fitness(NamedTuple):
    """What is summed at x over the rows that count; w a row's prior weight, f its frequency.

    Attributes
    ----------
    deviance, pearson : float
        Σ f w d(y, μ), and Σ f w (y − μ)²/V(μ); of classes 0.
    weight : float
        Σ f w.
    response, beginning : float
        Σ f w y, and Σ f w (start(y) − offset).
    rows : float
        Σ f: the observations.
    """

    deviance: float
    pearson: float
    weight: float
    response: float
    beginning: float
    rows: float


@dataclass(frozen=True)
class Fitted(SlicePass[Fitness]):
    """Finish to the sums at x.

    Parameters
    ----------
    loss : Loss
    places : Places
    x : ndarray, shape (d, outputs)

    Notes
    -----
    One read, 2 n d flops and the logarithms of the family, six numbers a part.
    """

    loss: Loss
    places: Places
    x: Floats

    kind: ClassVar[str] = "fitted"
    takes_sparse: ClassVar[bool] = True

    def rows_at_once(self, columns: int) -> int:
        """Return a height that stays in the cache."""
        return max(_SLICE_NUMBERS // columns, _LEAST_ROWS)

    def zero(self, columns: int, sides: int) -> Part:
        """Return six zeros."""
        del columns, sides
        return (np.zeros(6),)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the sums of a slice.

        Raises
        ------
        DataError
            If y is outside of the domain of the loss.
        """
        self.loss.require(Y[:, 0], start)
        rows = of_rows(self.places, Y)
        eta = predictor(X, self.x, rows.offset)[rows.counting]
        y, weight, offset = rows.y[rows.counting], rows.whole, 0.0 if rows.offset is None else rows.offset[rows.counting]
        part[0][:] += (
            weight @ self.loss.deviance_at(eta, y),
            weight @ self.loss.pearson_at(eta, y),
            weight.sum(),
            weight @ y,
            weight @ (self.loss.start(y) - offset),
            rows.frequency.sum(),
        )

    def finish(self, part: Part) -> Fitness:
        """Return the sums."""
        return Fitness(*part[0].tolist())

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return six numbers."""
        del columns, sides
        return 48


class OfRows(NamedTuple):
    """What belongs to rows: all of them in y and offset, those that count in the others.

    Attributes
    ----------
    y : ndarray, shape (rows,)
    offset : ndarray, shape (rows,), or None
    counting : ndarray of bool, shape (rows,)
        Where weight and frequency are above 0.
    weight, frequency, whole : ndarray
        Prior weight w, frequency f and f w of the rows that count.
    """

    y: Floats
    offset: Floats | None
    counting: Any
    weight: Floats
    frequency: Floats
    whole: Floats


def of_rows(places: Places, Y: Floats) -> OfRows:
    """Return the columns of a block by what they are."""
    ones = np.ones(len(Y))
    weight, frequency = (ones if column is None else column for column in (places.of("weights", Y), places.of("frequencies", Y)))
    counting = (weight > 0) & (frequency > 0)
    weight, frequency = weight[counting], frequency[counting]
    return OfRows(Y[:, 0], places.of("offset", Y), counting, weight, frequency, weight * frequency)
