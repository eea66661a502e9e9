"""The tree of QRs of S⁻¹A for slacks s = A x − b: the factor by which leverage scores σ(x) are had, and how near the slacks are to 0.

A column of ones goes along: its part outside the range of S⁻¹A says how far b is from the range of A, for S⁻¹A x − S⁻¹b = 1.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass
from dsketch.passes.triangle import Triangle
from dsketch.settings import EPS

ENDLESS = 1e300  # the room of a step that meets no slack of 0; parts are finite
_ROWS_PER_COLUMN = 64  # what the triangle is handed at once: enough for two levels of its tree
_LEAST_ROWS = 4096


class SlackFacts(NamedTuple):
    """What the pass finds.

    ``R``, shape (d, d), with RᵀR = AᵀS⁻²A; ``ones``, shape (d,): Qᵀ1; ``apart``: ‖(I − QQᵀ)1‖.  ``negative``: how many slacks are;
    ``closeness``: the least abs(s)/(abs(a)ᵀabs(x) + abs(b)), ``row`` and ``slack`` where it is; ``rounding``: √Σ of those quotients'
    inverse squares.  ``logs``: Σσ* log abs(s), if the rows have a σ* beside b.  ``room``: the largest multiple of the step that keeps the
    sign of every slack, at most 1 if this x does not.
    """

    R: Floats
    ones: Floats
    apart: float
    negative: int
    closeness: float
    row: int
    slack: float
    rounding: float
    logs: float
    room: float

    @property
    def is_inside(self) -> bool:
        """Whether no slack is 0 to rounding, nor has changed its sign on the step."""
        return self.closeness > EPS and self.room > 1.0


@dataclass(frozen=True)
class SlackTriangle(Pass[SlackFacts]):
    """Finish to R of S⁻¹A, and what is known of the slacks.

    Parameters
    ----------
    x : ndarray, shape (d,)
    step : ndarray, shape (d,), or None
        x less the point from which it was reached.

    Notes
    -----
    One read, about 2 n (d + 1)² flops, d (d + 1) + 8 numbers a part.  A row whose slack is 0 to rounding counts as 0.
    """

    x: Floats
    step: Floats | None = None

    kind: ClassVar[str] = "slack triangle"
    accumulates: ClassVar[bool] = False

    def map(self, block: Block, part: Part | None) -> Part:
        """Add a block: its scaled rows to the triangle, its slacks to the facts."""
        for start, X, Y in block.slices(max(_ROWS_PER_COLUMN * block.columns, _LEAST_ROWS)):
            s, size = slacks(X, self.x, Y[:, 0])
            scaled = scale_rows(X, s, size)
            triangle = Triangle().map(Block(start, start + len(s), scaled, np.ones((len(s), 1)), None, False), None)
            found = (triangle, *self._facts(start, X, s, size, Y[:, 1:]))
            part = found if part is None else self.merge(part, found)
        return part

    def _facts(self, start: int, X: Floats, s: Floats, size: Floats, given: Floats) -> Part:
        closeness = np.divide(np.abs(s), size, out=np.zeros_like(s), where=size > 0)
        row, is_held = int(np.argmin(closeness)), closeness > EPS
        room = ENDLESS
        if self.step is not None:
            before = s - X @ self.step
            falls = before * (before - s) > 0
            room = float((before[falls] / (before[falls] - s[falls])).min(initial=ENDLESS))
        logs = float(np.sum(given[is_held] * np.log(np.abs(s[is_held]))[:, None]))
        sums = np.array([np.count_nonzero(s < 0), np.sum(closeness[is_held] ** -2), logs])
        return np.array([closeness[row], start + row, s[row]]), sums, np.array([room])

    def merge(self, left: Part, right: Part) -> Part:
        """Merge the triangles; keep the closest row (the first of equals) and the least room; add the sums."""
        closest = min(left[1], right[1], key=lambda fact: (fact[0], fact[1]))
        return Triangle().merge(left[0], right[0]), closest, left[2] + right[2], np.minimum(left[3], right[3])

    def finish(self, part: Part) -> SlackFacts:
        """Return the facts."""
        found = Triangle().finish(part[0])
        closeness, row, slack = part[1]
        negative, rounding, logs = part[2]
        return SlackFacts(
            found.R,
            found.z[:, 0],
            float(found.rest[0]),
            int(negative),
            float(closeness),
            int(row),
            float(slack),
            float(np.sqrt(rounding)),
            float(logs),
            float(part[3][0]),
        )

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d (d + 1) + 8 numbers."""
        del sides
        return 8 * (columns * (columns + 1) + 8)


def slacks(X: Floats, x: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Return s = X x − b and abs(X) abs(x) + abs(b), by whose rounding s may be off; both of shape (rows,)."""
    return X @ x - b, np.abs(X) @ np.abs(x) + np.abs(b)


def scale_rows(X: Floats, s: Floats, size: Floats) -> Floats:
    """Return the rows over their slacks, 0 where the slack is no more than rounding."""
    return X * np.divide(1.0, s, out=np.zeros_like(s), where=np.abs(s) > EPS * size)[:, None]
