"""The Gaussian sketch: the reference for distortion, never for speed (m·n·d flops and m·n normal numbers).

References
----------
K. R. Davidson, S. J. Szarek, "Local operator theory, random matrices and Banach spaces", 2001, Theorem II.13: the singular
values of S Q lie in 1 ± √(d/m) up to a Gaussian tail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.streams import SKETCH_ENTRIES
from dsketch.sketch.base import Sketch


@dataclass(frozen=True)
class Gaussian(Sketch):
    """Independent normal entries of variance 1/m."""

    name: ClassVar[str] = "gaussian"
    slice_rows: ClassVar[int] = 1024  # m × rows normal numbers are in memory at once

    def operator(self, start: int, stop: int) -> Callable[[Floats], Floats]:
        """Return one dense product with m normal numbers a row."""
        raw = random_words.draw(self.seed, SKETCH_ENTRIES, start, stop, self.size)
        S = (ndtri(random_words.uniforms(raw)) / np.sqrt(self.size)).T
        return lambda X: S @ X
