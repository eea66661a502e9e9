"""The look of a line search among slacks: V(x) = ½ log det AᵀS⁻²A at several points of a line, as long as no slack changes its sign."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.whitener import Whitener
from dsketch.passes.base import Part, SlicePass
from dsketch.passes.slack_leverage import whitened_rows
from dsketch.passes.slack_triangle import ENDLESS, scale_rows, slacks


@dataclass(frozen=True)
class SlackLine(SlicePass[Floats]):
    """Finish to V(x + t p) − V(x) for every t, shape (shares,), with the change of Σσ* log abs(s) if the rows have a σ* beside b.

    1e300 where a slack is 0 or has changed its sign.

    Parameters
    ----------
    x, step : ndarray, shape (d,)
        x and p.
    whitener : Whitener
        Of S⁻¹A at x, by which the Gram matrices are near I: their determinants keep their digits.
    shares : tuple of float

    Notes
    -----
    One read; about 3 n d² flops and n d² for each share, shares · d² numbers a part.
    """

    x: Floats
    step: Floats
    whitener: Whitener
    shares: tuple[float, ...]

    kind: ClassVar[str] = "slack line"

    def zero(self, columns: int, sides: int) -> Part:
        """Return zero sums, and no slack near 0."""
        del columns, sides
        r = self.whitener.rank
        return np.zeros((len(self.shares), r, r)), np.full(len(self.shares), ENDLESS), np.zeros(len(self.shares))

    def add(self, part: Part, start: int, X: Any, Y: Floats) -> None:
        """Add the rows of a slice."""
        del start
        q, _, _ = whitened_rows(X, self.x, Y[:, 0], self.whitener)
        s, size = slacks(X, self.x, Y[:, 0])
        change = scale_rows(X, s, size) @ self.step
        for place, share in enumerate(self.shares):
            left = 1.0 + share * change  # of the slack, as a share of what it was
            part[1][place] = min(part[1][place], left.min(initial=ENDLESS))
            part[2][place] += np.sum(Y[:, 1:] * np.log(left, out=np.zeros_like(left), where=left > 0)[:, None])
            scaled = q * np.divide(1.0, left, out=np.zeros_like(left), where=left > 0)[:, None]
            part[0][place] += scaled.T @ scaled

    def merge(self, left: Part, right: Part) -> Part:
        """Add the sums; keep the least."""
        return left[0] + right[0], np.minimum(left[1], right[1]), left[2] + right[2]

    def finish(self, part: Part) -> Floats:
        """Return the changes of V."""
        return np.array([_half_log_det(gram) + logs if room > 0 else ENDLESS for gram, room, logs in zip(*part, strict=True)])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d² + 2 numbers a share."""
        del sides
        return 8 * len(self.shares) * (columns**2 + 2)


def _half_log_det(gram: Floats) -> float:
    sign, value = np.linalg.slogdet(gram)
    return 0.5 * float(value) if sign > 0 and np.isfinite(value) else ENDLESS
