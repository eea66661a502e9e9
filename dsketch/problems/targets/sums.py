"""What has been added up of targets that each have rows of their own, a slice at a time, and slices put together again.

A slice is as many targets as stay in the cache with all their rows; their small systems are concluded some thousands at a time.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch.problems.targets.fields import Found
from dsketch.problems.targets.packed import Inverse


@dataclass
class Sums:
    """What the rows of w targets add up to; the last axis is 1 where all targets have the same rows.

    Attributes
    ----------
    packed : ndarray, shape (r (r + 1)/2, w or 1)
        G.
    counts : ndarray, shape (w or 1,)
    c : ndarray, shape (r, w)
    """

    packed: Floats
    counts: Floats
    c: Floats

    def of(self, places: Any) -> "Sums":
        """Return those of some targets."""
        return Sums(self.packed[:, places], self.counts[places], self.c[:, places])

    @classmethod
    def join(cls, parts: "list[Sums]", width: list[int]) -> "Sums":
        """Return the sums of neighbours together."""
        return cls(
            _beside([one.packed for one in parts], width),
            _beside([one.counts for one in parts], width),
            np.concatenate([one.c for one in parts], axis=1),
        )


@dataclass
class Seen:
    """A first x of w targets, shape (r, w), and what its residual tells: ‖e‖², shape (w,), and Aᵀe, added up over rows."""

    x: Floats
    rr: Floats
    g: Floats

    def of(self, places: Any) -> "Seen":
        """Return that of some targets."""
        return Seen(self.x[:, places], self.rr[places], self.g[:, places])

    @classmethod
    def join(cls, parts: "list[Seen]") -> "Seen":
        """Return that of neighbours together."""
        return cls(*(np.concatenate([getattr(one, name) for one in parts], axis=-1) for name in ("x", "rr", "g")))


class Systems(NamedTuple):
    """The system of each of w targets, with its penalty, and its inverse; shape (r, r, w), or (r, r, 1) where all have the same rows."""

    H: Floats
    inverse: Inverse

    @classmethod
    def join(cls, parts: "list[Systems]", width: list[int]) -> "Systems":
        """Return those of neighbours together."""
        inverse = Inverse(*(_beside(list(both), width) for both in zip(*(one.inverse for one in parts), strict=True)))
        return cls(_beside([one.H for one in parts], width), inverse)


class Begun(NamedTuple):
    """A slice of targets after its reading: where it lies in its tile, and which of its targets have answers of their own rows."""

    which: slice
    sums: Sums
    systems: Systems
    seen: Seen
    lost: NDArray[np.intp]
    alone: Found | None


def _beside(parts: list[Floats], width: list[int]) -> Floats:
    """Return numbers of neighbours side by side; those that all targets of a part share are repeated."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(
        [np.broadcast_to(part, (*part.shape[:-1], count)) for part, count in zip(parts, width, strict=True)], axis=-1
    )
