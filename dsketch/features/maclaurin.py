"""Random Maclaurin features: products of random signs' projections, of random degree.

Feature i draws a degree N with P(N = p) = 2^{−p−1} and N sign vectors ω, and is √(2^{N+1} / N!) ∏_t ⟨ω_t, x⟩: unbiased for
exp ⟨x, y⟩.  Here for comparison: the spread over degrees costs variance that exact low degrees and tensor sketches do not have.

References
----------
P. Kar, H. Karnick, "Random feature maps for dot product kernels", AISTATS 2012 (Algorithm 1, p = 2).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch._linalg.streams import MACLAURIN_DEGREES, MACLAURIN_SIGNS
from dsketch.features.base import DrawnMap, multiply_rows

_HIGHEST_DEGREE = 50  # a higher degree has probability 2⁻⁵¹


@dataclass(frozen=True, eq=False)
class Maclaurin(DrawnMap):
    """m features of random degree; fields as those of :class:`~dsketch.features.base.DrawnMap`."""

    name: ClassVar[str] = "maclaurin"

    def expand(self, C: Floats, weight: Floats, out: Floats) -> None:
        """Multiply projections: factor t is needed by the features of degree t or more, the first ones."""
        out[:] = weight[:, None]
        for signs in self._factors:
            projected = scratch("projected", (len(C), signs.shape[1]))
            multiply_rows(C, signs, projected)
            out[:, : signs.shape[1]] *= projected
        out *= self._scales

    @cached_property
    def _degrees(self) -> NDArray[np.int64]:
        """The degree of each feature, falling: the number of zeros below the lowest one of a random word."""
        raw = random_words.draw(self.seed, MACLAURIN_DEGREES, 0, self.size, 1)[:, 0]
        lowest = raw & (~raw + np.uint64(1))
        return np.sort(np.minimum(np.log2(np.maximum(lowest, 1)).astype(np.int64), _HIGHEST_DEGREE))[::-1]

    @cached_property
    def _scales(self) -> Floats:
        logs = np.array([(degree + 1) * math.log(2) - math.lgamma(degree + 1) for degree in self._degrees])
        return np.asarray(np.exp(0.5 * logs) / np.sqrt(self.size))

    @cached_property
    def _factors(self) -> list[Floats]:
        """Signs (d × as many features as have that many factors), one array for each factor."""
        found = []
        for factor in range(1, int(self._degrees[0]) + 1):
            count = int(np.count_nonzero(self._degrees >= factor))
            raw = random_words.draw(self.seed, MACLAURIN_SIGNS.at(factor), 0, len(self.mean), -(-count // 64))
            bits = np.unpackbits(raw.view(np.uint8), axis=1, bitorder="little")[:, :count]
            found.append(1.0 - 2.0 * bits.astype(np.float64))
        return found
