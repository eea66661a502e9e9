"""The pass that draws rows by their leverage: each on its own, with a chance that grows with its score.

Whether a row is drawn depends on the seed, its number and its score alone, so that any cut into blocks and any order draws the same rows.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import draw, uniforms
from dsketch._linalg.streams import LEVERAGE_ROWS
from dsketch._linalg.whitener import Whitener
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.leverages import leverages_of

_HEIGHT = 2048  # rows of a slice: heavy work, BLAS-3
_PART_ROWS = 65_536  # a pass knows no n; parts of this many rows are merged where they lie rather than by the driver


class Drawn(NamedTuple):
    """Rows that were drawn, in their order.

    ``numbers``, shape (r,), are their places among all rows; ``X``, shape (r, d), and ``Y``, shape (r, k), the rows of [A 1] and b as they
    are, without weights; ``counts``, shape (r,), for how many rows each stands: its weight over its chance; ``total`` is the sum of the
    scores of all rows.
    """

    numbers: NDArray[np.int64]
    X: Floats
    Y: Floats
    counts: Floats
    total: float


@dataclass(frozen=True)
class Drawing(Pass[Drawn]):
    """Draw row i with the chance pᵢ = min(1, rate ‖Tᵀaᵢ‖²), independently of the others (Poisson sampling).

    Parameters
    ----------
    whitener : Whitener
        T: of a factor of A, or of a sketch's in few random directions.
    rate : float
        Infinite: every row that is not 0.
    seed : int

    Notes
    -----
    One read, about 1.3 n d² flops, or 2 n d r with T of r columns; r (d + k + 2) numbers for the r rows that a part has.  Σ w / p over
    the rows drawn has the mean Σ w over all.
    """

    whitener: Whitener
    rate: float
    seed: int

    kind: ClassVar[str] = "draw rows"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the rows that are drawn of a block, and what shows a number that is not finite."""
        found = [] if part is None else [part]
        for start, X, Y in replace(block, weights=None).slices(_HEIGHT):
            found.append(self._draw(start, X, Y, _weights_of(block, start, len(X))))
        return _join(found)

    def _draw(self, start: int, X: Floats, Y: Floats, weights: Floats) -> Part:
        scores = weights * leverages_of(X, self.whitener)
        chances = np.zeros(len(X))
        chances[scores > 0] = np.minimum(1.0, self.rate * scores[scores > 0])
        mine = np.flatnonzero(uniforms(draw(self.seed, LEVERAGE_ROWS, start, start + len(X), 1)[:, 0]) < chances)
        facts = np.array([scores.sum(), np.abs(Y).max(initial=0.0)])
        return (start + mine).astype(np.float64), X[mine], Y[mine], weights[mine] / chances[mine], facts

    def merge(self, left: Part, right: Part) -> Part:
        """Put the rows of one under those of the other."""
        return _join([left, right])

    def finish(self, part: Part) -> Drawn:
        """Return the rows."""
        numbers, X, Y, counts, facts = part
        return Drawn(numbers.astype(np.int64), X, Y, counts, float(facts[0]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return r (d + k + 2) numbers, r in the mean as the scores add up to the columns of T; of a large block where all are drawn."""
        rows = self.rate * self.whitener.rank if np.isfinite(self.rate) else _PART_ROWS
        return int(8 * rows * (columns + sides + 2))


def _weights_of(block: Block, start: int, rows: int) -> Floats:
    """Return the weights of some rows of a block; ones if it has none."""
    if block.weights is None:
        return np.ones(rows)
    low = start - block.start
    return block.weights[low : low + rows, 0].astype(np.float64)


def _join(parts: list[Part]) -> Part:
    """Return the rows of all parts, one under the other, and their facts: a sum, and a largest."""
    rows = tuple(np.concatenate([part[place] for part in parts]) for place in range(4))
    facts = np.stack([part[4] for part in parts])
    return *rows, np.array([facts[:, 0].sum(), facts[:, 1].max()])
