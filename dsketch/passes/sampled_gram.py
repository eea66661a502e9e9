"""The sampled Hessian of the papers: rows kept by their leverage, each divided by the chance that it had.

References
----------
Z. Li, Z. Song, Z. Wang, J. Yin, "Local convergence of approximate Newton method for two layer nonlinear regression", arXiv 2311.15390,
2023.
Z. Song, W. Wang, J. Yin, "A unified scheme of ResNet and softmax", arXiv 2309.13482, 2023.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.streams import SAMPLED_HESSIAN
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.unit_moments import SoftmaxBend


class Sample(NamedTuple):
    """What was sampled: ``matrix``, shape (d, d); ``kept``, the number of rows; ``total``, Σ‖Tᵀaᵢ‖² over all rows, the weights counted."""

    matrix: Floats
    kept: int
    total: float


@dataclass(frozen=True)
class SampledGram(SlicePass[Sample]):
    """Finish to Σ aᵢaᵢᵀ/pᵢ over the rows kept.

    Row i is kept with the chance pᵢ = min(1, c‖Tᵀaᵢ‖²), whatever becomes of the others; its random word belongs to its number.

    Parameters
    ----------
    whitener : ndarray, shape (d, r)
        T with A T nearly orthonormal, so that ‖Tᵀaᵢ‖² is the leverage and their sum r.
    rate : float
        c: about c r rows are kept.
    seed, place : int
        Of the words; another place, other words.

    Notes
    -----
    One read; 2 n d r flops for the leverages, which is what the whole Gram matrix costs.
    """

    whitener: Floats
    rate: float
    seed: int
    place: int

    kind: ClassVar[str] = "sampled gram"

    def zero(self, columns: int, sides: int) -> Part:
        """Return a zero matrix and no rows."""
        del sides
        return np.zeros((columns, columns)), np.zeros(2)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows that are kept."""
        del Y
        kept, p = self.keep(part[1], start, X, np.ones(len(X)))
        Z = X[kept] / np.sqrt(p)[:, None]
        part[0][...] += Z.T @ Z

    def keep(self, counts: Floats, start: int, X: Floats, weights: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Return which rows of a slice are kept, and the chances that those had: leverages times ``weights``; both are counted."""
        Z = X @ self.whitener
        leverages = weights * np.einsum("ij,ij->i", Z, Z)
        chances = np.minimum(self.rate * leverages, 1.0)
        words = random_words.draw(self.seed, SAMPLED_HESSIAN.at(self.place), start, start + len(X), 1)[:, 0]
        kept = np.flatnonzero(random_words.uniforms(words) < chances)
        counts += [len(kept), leverages.sum()]
        return kept, chances[kept]

    def finish(self, part: Part) -> Sample:
        """Return the sum, the number of rows and the sum of all leverages."""
        return Sample(part[0], int(part[1][0]), float(part[1][1]))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d² + 2 numbers."""
        del sides
        return 8 * (columns**2 + 2)


@dataclass(frozen=True)
class SampledBend(SlicePass[Sample]):
    """Finish to Σ tᵢcᵢcᵢᵀ/pᵢ over the rows kept, the terms of :class:`~dsketch.passes.unit_moments.SoftmaxBend`.

    Parameters
    ----------
    bend : SoftmaxBend
    draw : SampledGram
        The chances: leverages of the rows times abs(t).
    """

    bend: SoftmaxBend
    draw: SampledGram

    kind: ClassVar[str] = "sampled bend"

    def zero(self, columns: int, sides: int) -> Part:
        """Return a zero matrix and no rows."""
        return self.draw.zero(columns, sides)

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows that are kept."""
        C, t = self.bend.rows_of(X, Y)
        kept, p = self.draw.keep(part[1], start, C, np.abs(t))
        part[0][...] += (C[kept] * (t[kept] / p)[:, None]).T @ C[kept]

    def finish(self, part: Part) -> Sample:
        """Return the sum, the number of rows and the sum of all leverages."""
        return self.draw.finish(part)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d² + 2 numbers."""
        return self.draw.part_bytes(columns, sides)
