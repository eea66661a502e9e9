"""A convolution basis: causal logits whose column, read from the diagonal on, is one of few profiles.

Column j of segment r has the logits c_r(i − j) of rows i ≥ j.  So H = Σ conv(b_r, n − e_r) in the words of the paper, with
c_r = b₁ + … + b_r and e_r the first column of the segment; c_r is what column e_r itself holds.

References
----------
Y. Liang, H. Liu, Z. Shi, Z. Song, Z. Xu, J. Yin, "Conv-Basis: a new paradigm for efficient attention inference and gradient computation in
transformers", arXiv 2405.05219.
M. van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and octagonal kernels", Pattern Recognition
Letters, 1992.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State

Indices = NDArray[np.int64]

_LEAST = 1e-290  # a sum of exponentials below may have been rounded up: it counts as nothing
_MOST = 600.0  # exponents beyond are not taken
_SURE = 1 - 1e-9  # more than rounding of a sum of 10⁶ numbers takes: what is left is a lower bound


class Segment(NamedTuple):
    """Columns ``first:stop`` of the logits, and their profile c, shape (n − first,)."""

    first: int
    stop: int
    profile: Floats


@dataclass(frozen=True)
class Basis:
    """The profiles of all heads.

    Attributes
    ----------
    starts : tuple of tuple of int
        The first column of each segment, for each head.
    logits : ndarray, shape (profiles, n)
        Row r, from its segment's first column on, is the profile.
    """

    starts: tuple[tuple[int, ...], ...]
    logits: Floats

    @property
    def rows(self) -> int:
        """n."""
        return int(self.logits.shape[1])

    def segments(self, head: int) -> list[Segment]:
        """Return the segments of a head, in order."""
        mine = self.starts[head]
        before = sum(len(other) for other in self.starts[:head])
        ends = (*mine[1:], self.rows)
        return [
            Segment(first, stop, self.logits[before + place, first:])
            for place, (first, stop) in enumerate(zip(mine, ends, strict=True))
        ]

    def at(self, head: int, rows: Indices, columns: Indices) -> Floats:
        """Return the logits of a head at rows and columns, which broadcast; −∞ where they are hidden."""
        firsts = np.asarray(self.starts[head])
        place = np.searchsorted(firsts, columns, side="right") - 1
        before = sum(len(other) for other in self.starts[:head])
        lag = rows - columns
        found = self.logits[before + place, np.maximum(firsts[place] + lag, 0)]
        return np.asarray(np.where(lag >= 0, found, -np.inf))

    def state(self) -> Iterator[State]:
        """Yield what tells bases apart."""
        yield repr(self.starts)
        yield self.logits


def lags(segment: Segment, low: int, high: int) -> Floats:
    """Return the profile at lags ``low:high``; −∞ below 0, which is hidden."""
    if low >= 0:
        return segment.profile[low:high]
    return np.concatenate([np.full(-low, -np.inf), segment.profile[: max(high, 0)]])


class Bounds(NamedTuple):
    """Of rows of one head: the largest logit, and at least so much is Σ exp(z − top), no less than 1."""

    top: Floats
    weight: Floats


def bound_weights(segments: list[Segment], start: int, stop: int) -> Bounds:
    """Return what the weights of rows ``start:stop`` come to, from sliding windows over the profiles: O(stop − start + n) each.

    Windows are cut into a suffix and a prefix of blocks of their length, so that sums of positive numbers do not cancel.
    """
    top, weight = np.full(stop - start, -np.inf), np.zeros(stop - start)
    for segment in segments:
        if segment.first >= stop:
            break
        low, width = max(start, segment.first), min(segment.stop, stop) - segment.first
        g = lags(segment, low - segment.first - width + 1, stop - segment.first)
        largest = float(g.max())
        mine = slice(low - start, None)
        highest = np.maximum(top[mine], _slide_max(g, width))
        sums = _slide_sum(np.exp(g - largest), width)
        sums[sums < _LEAST] = 0.0
        weight[mine] = weight[mine] * np.exp(top[mine] - highest) + sums * np.exp(np.minimum(largest - highest, _MOST))
        top[mine] = highest
    return Bounds(top, np.maximum(weight * _SURE, 1.0))


def _blocks(g: Floats, width: int, fill: float) -> Floats:
    rest = -len(g) % width
    return np.concatenate([g, np.full(rest, fill)]).reshape(-1, width) if rest else g.reshape(-1, width)


def _slide_max(g: Floats, width: int) -> Floats:
    blocks, count = _blocks(g, width, -np.inf), len(g) - width + 1
    before = np.maximum.accumulate(blocks, axis=1).ravel()
    after = np.maximum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.maximum(after[:count], before[width - 1 : width - 1 + count])


def _slide_sum(g: Floats, width: int) -> Floats:
    blocks, count = _blocks(g, width, 0.0), len(g) - width + 1
    before = np.cumsum(blocks, axis=1).ravel()
    after = np.cumsum(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    sums = after[:count] + before[width - 1 : width - 1 + count]
    sums[::width] = after[:count:width]  # a whole block, which is not to be counted twice
    return sums
