"""The block SRHT: a subsampled randomized Hadamard transform for every run of B rows, added up.

S restricted to rows [iB, (i+1)B) is √(1/m) · P_i H Π_i D_i with signs D_i, a permutation Π_i, the Hadamard matrix H and a
sample P_i of m of its B rows, all drawn from (seed, i).  A full SRHT mixes all rows and cannot obey the chunk law; this one
does.  Without the permutation it loses rank when the leverage sits in adjacent rows, as it does in sorted data; with it, it does
not.  Cost n·d·log₂ B additions.

References
----------
O. Balabanov, M. Beaupère, L. Grigori, V. Lederer, "Block subsampled randomized Hadamard transform for low-rank approximation
on distributed architectures", ICML 2023 (the permutation is ours).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.hadamard import hadamard
from dsketch._linalg.streams import SRHT_MIXING, SRHT_SAMPLE
from dsketch.sketch.base import Sketch


@dataclass(frozen=True)
class BlockSRHT(Sketch):
    """Hadamard transforms of runs of B ≥ m rows, subsampled and added."""

    name: ClassVar[str] = "block_srht"

    @property
    def run(self) -> int:
        """Rows B of one transform: the least power of two that is at least 2m (so that sampling leaves something out)."""
        return int(2 ** np.ceil(np.log2(max(2 * self.size, 2))))

    def operator(self, start: int, stop: int) -> Callable[[Floats], Floats]:
        """Return a sum of transforms: one for every run that the rows touch, absent rows of a run being zero."""

        def apply(X: Floats) -> Floats:
            total = np.zeros((self.size, X.shape[1]))
            for number in range(start // self.run, (stop - 1) // self.run + 1):
                low, high = max(start, number * self.run), min(stop, (number + 1) * self.run)
                sign, place, sample = self._draw(number)
                padded = np.zeros((self.run, X.shape[1]))
                local = slice(low - number * self.run, high - number * self.run)
                rows: Any = X[low - start : high - start]
                padded[place[local]] = sign[local, None] * (rows.toarray() if scipy.sparse.issparse(rows) else rows)
                total += hadamard(padded)[sample]
            return np.asarray(total / np.sqrt(self.size))

        return apply

    def _draw(self, number: int) -> tuple[Floats, np.ndarray, np.ndarray]:
        """Return signs (B,), permutation (B,) and the m sampled rows of run ``number``."""
        start, stop = number * self.run, (number + 1) * self.run
        raw = random_words.draw(self.seed, SRHT_MIXING, start, stop, 2)
        sample = np.argsort(random_words.draw(self.seed, SRHT_SAMPLE, start, stop, 1)[:, 0], kind="stable")
        return random_words.signs(raw[:, 0]), np.argsort(raw[:, 1], kind="stable"), sample[: self.size]
