"""Positive orthogonal features (FAVOR+): exp(⟨ω, x⟩ − ‖x‖²/2) for Gaussian ω, orthogonal in blocks of d.

E exp(⟨ω, x⟩ − ‖x‖²/2) exp(⟨ω, y⟩ − ‖y‖²/2) = exp ⟨x, y⟩, and no feature is negative, so that sums over rows of the kernel stay
positive.  Here for comparison: for solving, the relative error of an entry is what counts, and it is √(e^{‖x + y‖²} − 1) / √m.

References
----------
K. Choromanski and others, "Rethinking attention with Performers", ICLR 2021 (arXiv 2009.14794, section 2.4).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.streams import POSITIVE_DIRECTIONS, POSITIVE_LENGTHS, Stream
from dsketch.features.base import DrawnMap, multiply_rows, squares


@dataclass(frozen=True, eq=False)
class Positive(DrawnMap):
    """m positive features; fields as those of :class:`~dsketch.features.base.DrawnMap`."""

    name: ClassVar[str] = "positive"

    def expand(self, C: Floats, weight: Floats, out: Floats) -> None:
        """Write exp(⟨ω, C⟩ − ‖C‖²) / √m; the weight is part of the exponent, which so stays below ‖ω‖²/4."""
        del weight
        multiply_rows(C, self._frequencies, out)
        out -= squares(C)[:, None]
        np.exp(out, out=out)
        out *= 1.0 / np.sqrt(self.size)

    @cached_property
    def _frequencies(self) -> Floats:
        """ω, shape (d, m): orthonormal blocks times lengths of Gaussian vectors."""
        columns = len(self.mean)
        blocks = []
        for number, low in enumerate(range(0, self.size, columns)):
            count = min(columns, self.size - low)
            basis, corner = np.linalg.qr(_gaussian(self.seed, POSITIVE_DIRECTIONS.at(number), columns, count))
            lengths = np.linalg.norm(_gaussian(self.seed, POSITIVE_LENGTHS.at(number), columns, count), axis=0)
            blocks.append(basis * (np.sign(np.diag(corner)) * lengths))  # the signs make the directions uniform
        return np.hstack(blocks)


def _gaussian(seed: int, stream: Stream, rows: int, columns: int) -> Floats:
    return np.asarray(ndtri(random_words.uniforms(random_words.draw(seed, stream, 0, rows, columns))))
