"""The row pass of smooth problems: the mean of y that an x expects for each row."""

from dataclasses import dataclass
from typing import ClassVar

from dsketch._linalg.arrays import Floats
from dsketch.losses.base import Loss
from dsketch.passes.rowwise import RowPass


@dataclass(frozen=True)
class MeanResponse(RowPass):
    """Finish to μ(Xx + offset), shape (n, outputs).

    Parameters
    ----------
    loss : Loss
    x : ndarray, shape (d, outputs)
    intercept : bool
        Whether the last row of x is one.
    has_offset : bool
        Whether b is the offset of each row; else it is 0.

    Notes
    -----
    One read, 2 n d flops for each output, and the mean of every row.
    """

    loss: Loss
    x: Floats
    intercept: bool = False
    has_offset: bool = False

    kind: ClassVar[str] = "mean response"
    takes_sparse: ClassVar[bool] = True

    def of(self, X: Floats, Y: Floats) -> Floats:
        """Return the means."""
        eta = X @ (self.x[:-1] if self.intercept else self.x)
        if self.intercept:
            eta = eta + self.x[-1]
        return self.loss.mean(eta + Y[:, :1] if self.has_offset else eta)

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return a number for each output and row of the largest block, at least."""
        del columns, sides
        return 8 * int(self.x.shape[1]) * 65_536
