"""The whitened Gram pass: with Y = A T nearly orthonormal, YᵀY squares nothing that hurts.

References
----------
Y. Fan, Y. Guo, T. Lin, "A novel randomized XR-based preconditioned CholeskyQR algorithm", arXiv 2111.11148, 2021.
M. Melnichenko, O. Balabanov, R. Murray, J. Demmel, M. W. Mahoney, P. Luszczek, "CholeskyQR with randomization and pivoting for
tall matrices (CQRRPT)", arXiv 2311.08316, 2023.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.products import add_gram, mirror
from dsketch._linalg.scratch import scratch
from dsketch._linalg.whitener import Whitener
from dsketch.passes.base import Part, SlicePass


@dataclass(frozen=True)
class WhitenedGram(SlicePass[tuple[Floats, Floats]]):
    """Finish to ``(YᵀY, Yᵀb)`` for Y = A T, with shapes (r, r), (r, k).

    Parameters
    ----------
    whitener : Whitener
        T, from the factor of a sketch; r of its d directions were kept.

    Notes
    -----
    One read; about 1.3 n d² flops for Y and n d² for its Gram matrix, all BLAS-3; r (r + k) numbers a part.
    """

    whitener: Whitener

    kind: ClassVar[str] = "whitened"

    def zero(self, columns: int, sides: int) -> Part:
        """Return zero products."""
        del columns
        return np.zeros((self.whitener.rank, self.whitener.rank)), np.zeros((self.whitener.rank, sides))

    def add(self, part: Part, start: int, X: Floats, Y: Floats) -> None:
        """Add (X T)ᵀ(X T) and (X T)ᵀY."""
        del start
        W, c = part
        white = self.whitener.apply(X, scratch("whitened", (X.shape[0], self.whitener.rank)))
        add_gram(W, white)
        c += white.T @ Y

    def end_panel(self, part: Part) -> Part:
        """Return the part with both triangles, which a digest takes for one."""
        return mirror(part[0]), part[1]

    def finish(self, part: Part) -> tuple[Floats, Floats]:
        """Return (YᵀY, Yᵀb)."""
        return mirror(part[0]), part[1]

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d (d + k) numbers."""
        return 8 * columns * (columns + sides)
