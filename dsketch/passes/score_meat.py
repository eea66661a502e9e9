"""The passes behind robust errors of smooth problems: sums of squared scores by row, with leverages, and by group.

References
----------
H. White, "Maximum likelihood estimation of misspecified models", Econometrica 50, 1982.
J. G. MacKinnon, H. White, "Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample
properties", Journal of Econometrics 29, 1985 (HC1 to HC3, of least squares: here of the tangent problem).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.whitener import Whitener
from dsketch.losses.base import Loss
from dsketch.matrix.beside import Places
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, heavy_rows
from dsketch.passes.fitted import of_rows
from dsketch.passes.group_scores import GroupScores
from dsketch.passes.linked import predictor
from dsketch.passes.sandwich import Meat, join_rows
from dsketch.settings import EPS


class Scores(NamedTuple):
    """Derivatives of a slice's rows, those that count nothing as 0; frequency left out.

    ``slope`` = w φ′ and ``curvature`` = w φ″, each of shape (rows,); ``frequency``, shape (rows,), 0 for rows that do not count.
    """

    slope: Floats
    curvature: Floats
    frequency: Floats


def scores_of(loss: Loss, places: Places, x: Floats, is_expected: bool, X: Any, Y: Floats) -> Scores:
    """Return the derivatives of the rows of a slice at x, shape (d, 1)."""
    rows = of_rows(places, Y)
    eta = predictor(X, x, rows.offset)
    terms = loss.terms(eta, rows.y)
    curvature = loss.expected_curvature(eta) if is_expected else terms.curvature
    weight, frequency = np.zeros(len(Y)), np.zeros(len(Y))
    weight[rows.counting], frequency[rows.counting] = rows.weight, rows.frequency
    return Scores(weight * terms.slope[:, 0], weight * curvature, frequency)


@dataclass(frozen=True)
class ScoreMeat(Pass[Meat]):
    """Finish to Σ f r²/(1 − h)^(2 power) yyᵀ in whitened coordinates, and the rows whose leverage is too near 1 for it.

    Parameters
    ----------
    loss : Loss
    places : Places
    x : ndarray, shape (d, 1)
    is_expected : bool
        Whether curvatures are those expected given η.
    whitener : Whitener
        T of the Hessian's factor: y = Tᵀa, and h = w φ″ ‖y‖² the leverage of one of the f rows that a row stands for.
    power : float
        0 for HC0 and HC1, ½ for HC2, 1 for HC3.
    near : float
        Rows with 1 − h at most this are set aside, as rows of the tangent problem; 0 where some curvatures are negative.

    Notes
    -----
    One read, about 4 n d² flops, d² numbers a part.
    """

    loss: Loss
    places: Places
    x: Floats
    is_expected: bool
    whitener: Whitener
    power: float
    near: float

    kind: ClassVar[str] = "score meat"

    def map(self, block: Block, part: Part | None) -> Part:
        """Add the block's weighted Gram matrix."""
        meat, *aside = part or (np.zeros((self.whitener.rank, self.whitener.rank)),)
        for start, X, Y in block.slices(heavy_rows(block.columns)):
            scores = scores_of(self.loss, self.places, self.x, self.is_expected, X, Y)
            white = self.whitener.apply(X)
            room = 1.0 - scores.curvature * np.einsum("ij,ij->i", white, white)
            is_near = (room <= self.near) & (scores.frequency > 0) if self.near else np.zeros(len(room), dtype=bool)
            if is_near.any():
                aside = join_rows(aside, [start + np.flatnonzero(is_near).astype(np.float64), *_tangent(X, scores, is_near)])
            room = np.maximum(np.where(is_near, 1.0, room), EPS)
            size = np.where(is_near, 0.0, np.sqrt(scores.frequency) * scores.slope) / room**self.power
            Z = white * size[:, None]
            meat += Z.T @ Z
        return (meat, *aside)

    def merge(self, left: Part, right: Part) -> Part:
        """Add the meats; put the rows set aside behind each other."""
        return (left[0] + right[0], *join_rows(left[1:], right[1:]))

    def finish(self, part: Part) -> Meat:
        """Return the meat, shape (1, r, r), and the rows set aside, in order."""
        meat, *aside = part
        rows, X, Y = aside or (np.zeros(0), np.zeros((0, len(self.x))), np.zeros((0, 1)))
        order = np.argsort(rows)
        return Meat(meat[None], rows[order], X[order], Y[order])

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return d² numbers, and d rows."""
        del sides
        return 8 * (columns**2 + columns * (columns + 2))


def _tangent(X: Floats, scores: Scores, chosen: Any) -> Sequence[Floats]:
    """Return √h a and −r/√h of the chosen rows."""
    roots = np.sqrt(scores.curvature[chosen])
    return [X[chosen] * roots[:, None], (-scores.slope[chosen] / roots)[:, None]]


@dataclass(frozen=True)
class SmoothGroupScores(GroupScores):
    """The scores of a smooth problem by group; columns of the right-hand sides are those of ``places``, then the group.

    Parameters
    ----------
    whitener, sides, most
        As in :class:`~dsketch.passes.group_scores.GroupScores`.
    loss : Loss
    places : Places
    x : ndarray, shape (d, 1)
    """

    loss: Loss
    places: Places
    x: Floats

    kind: ClassVar[str] = "smooth group scores"

    def score(self, X: Any, Y: Floats, start: int) -> tuple[Floats, Floats]:
        """Return −f w φ′, and f for each row that counts."""
        del start
        scores = scores_of(self.loss, self.places, self.x, False, X, Y)
        return (-scores.frequency * scores.slope)[:, None], scores.frequency
