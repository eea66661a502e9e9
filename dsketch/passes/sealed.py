"""A pass that also says, of each panel, what it read and what came of it: the leaves of a journal's chain.

Beside the part of the pass itself its part has, for every panel, two digests (of sampled rows, and of each bit of the panel's part as it
goes up the tree) and two numbers: what the panel adds to a sum with random signs, and the size of its terms.  They cost a hash of the
part (of a symmetric one its triangle) and of a few rows, and only they travel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.random_words import draw
from dsketch._linalg.streams import SUM_SIGNS
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, leaves
from dsketch.passes.digests import DIGEST_BYTES, DIGESTS, Digests, digest_leaf, digest_part, digest_rows, merkle_root, sample_rows

_RUN = 64  # numbers that are added one after the other, before their sums are in pairs
_RUNS = 512  # whose numbers stay in the cache from one sum to the next, 256 kB
_SMALL, _SMALL_BEFORE = 4096, 512  # numbers of a part that are weighed at once, as calls would cost more; in kind 3
_WAITING_BYTES = 32_768  # of a part that may wait for the end of its task


class Panels(NamedTuple):
    """What a pass said of its panels, in their order.

    Attributes
    ----------
    digests : ndarray of uint8, shape (panels, 2, 32)
        Of sampled rows, and of the panel's part.
    sums : ndarray, shape (panels, arrays, 2)
        Of each array of the part that merges by being added: its sum with random signs, and the sum of its absolute values.
    """

    digests: Digests
    sums: Floats

    @property
    def root(self) -> str:
        """The Merkle root over panels: one digest that changes with any of them."""
        return merkle_root([digest_leaf(pair) for pair in self.digests]).hex()


class _Ended(NamedTuple):
    """A panel that was read: its part, and the rows that were sampled."""

    part: Part
    sampled: Digests

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in leaves(self.part))


@dataclass(frozen=True)
class Sealed(Pass[Any]):
    """A pass, and what it says of its panels.

    Parameters
    ----------
    inner : Pass
    seed : int
        Of the signs.
    digests : int
        How panels are digested and weighed: 4, or as records of before say, 1 to 3.
    """

    inner: Pass[Any]
    seed: int
    digests: int = DIGESTS

    @property
    def kind(self) -> str:  # type: ignore[override]  # that of the pass, by which tasks are named
        """The inner kind."""
        return self.inner.kind

    @property
    def accumulates(self) -> bool:  # type: ignore[override]
        """As the inner pass does."""
        return self.inner.accumulates

    def map(self, block: Block, part: Part | None) -> Part:
        """Add a block to the inner part, and keep its first rows."""
        sampled = np.frombuffer(sample_rows(block, self.digests), np.uint8)
        own, before = (None, ()) if part is None else part
        return self.inner.map(block, own), (*before, sampled)

    def end_panel(self, part: Part) -> Part:
        """Put the part of a panel beside what was sampled of it; one of many numbers is sealed while it is in the cache."""
        own = self.inner.end_panel(part[0])
        ended = _Ended(own, np.concatenate(part[1]))
        return own, (ended if ended.nbytes <= _WAITING_BYTES else self.seal(ended),)

    def end_task(self, part: Part) -> Part:
        """Seal the panels that wait, one after the other while the code to do so is in the cache."""
        panels = [self.seal(panel) if isinstance(panel, _Ended) else panel for panel in part[1]]
        return part[0], (tuple(np.concatenate(said) for said in zip(*panels, strict=True)),)

    def seal(self, panel: "_Ended") -> tuple[Digests, Floats]:
        """Return the digests of a panel, shape (1, 2, 32), and the sums of its part with signs, shape (1, arrays, 2)."""
        pair = digest_rows(panel.sampled, self.digests) + digest_part(panel.part, self.digests)
        return np.frombuffer(pair, np.uint8).reshape(1, 2, DIGEST_BYTES), self.weigh(panel.part)[None]

    def weigh(self, own: Part) -> Floats:
        """Return, for each array of an inner part that merges by being added, what it comes to with the signs, and its size.

        Returns
        -------
        ndarray, shape (arrays, 2)
        """
        arrays = [np.ascontiguousarray(array, np.float64).ravel() for array in self.inner.added(own)]
        if self.digests < 3:
            return _weigh_singly(self.seed, arrays)
        sizes = tuple(array.size for array in arrays)
        if all(sizes) and 0 < sum(sizes) <= (_SMALL if self.digests > 3 else _SMALL_BEFORE):
            return _weigh_together(*_draw_small(self.seed, sizes), np.concatenate(arrays))
        found, first, signs = (
            np.zeros((len(arrays), 2)),
            _RUN,
            _draw_signs(self.seed, _RUN + sum(-(-size // _RUN) for size in sizes)),
        )
        for place, array in enumerate(arrays):
            runs = -(-array.size // _RUN)
            found[place] = _weigh_runs(signs[first : first + runs], signs[:_RUN], array)
            first += runs
        return found

    def merge(self, left: Part, right: Part) -> Part:
        """Merge the inner parts by their rule; put what was said of blocks or panels behind each other."""
        return self.inner.merge(left[0], right[0]), left[1] + right[1]

    def finish(self, part: Part) -> tuple[Part, Panels]:
        """Return the inner part, not finished, and the panels."""
        return part[0], Panels(*(np.concatenate(said) for said in zip(*part[1], strict=True)))

    def part_bytes(self, columns: int, sides: int) -> int:
        """Return those of the inner part, and of a few panels."""
        return self.inner.part_bytes(columns, sides) + 1000

    def names(self) -> str:
        """Return the inner kind."""
        return self.inner.names()

    def state(self) -> Iterator[State]:
        """Yield the inner pass's: what is said of panels changes no part."""
        yield from self.inner.state()


@lru_cache(maxsize=2)  # all panels of a pass have the same ones
def _draw_signs(seed: int, count: int) -> Floats:
    words = draw(seed, SUM_SIGNS, 0, -(-count // 64), 1)
    signs: Floats = np.subtract(1.0, 2.0 * np.unpackbits(words.view(np.uint8), count=count), dtype=np.float64)
    return signs


@lru_cache(maxsize=2)
def _draw_small(seed: int, sizes: tuple[int, ...]) -> tuple[Floats, NDArray[np.intp]]:
    """Return the sign of each number of arrays that follow each other, and where each begins."""
    return _draw_signs(seed, sum(sizes)), np.cumsum((0, *sizes[:-1]))


def _weigh_together(signs: Floats, starts: NDArray[np.intp], numbers: Floats) -> Floats:
    found = np.empty((len(starts), 2))
    np.add.reduceat(signs * numbers, starts, out=found[:, 0])
    np.add.reduceat(np.abs(numbers), starts, out=found[:, 1])
    return found


def _weigh_runs(signs: Floats, pattern: Floats, array: Floats) -> tuple[float, float]:
    """Return the sum of an array with signs, one for each run times one for each place in a run, and that of its absolute values.

    After Freivalds, who tells a false matrix by vectors on its two sides: an error in one number always shows, others with a probability
    of a quarter at least, and there is no sign to read beside each number.  Not by BLAS, which adds from the first aligned number on: bits
    would depend on where the array lies.
    """
    whole = array.size // _RUN
    sums, sizes, scratch = np.zeros(len(signs)), 0.0, np.empty((min(_RUNS, max(whole, 1)), _RUN))
    for low in range(0, whole, _RUNS):
        runs = array[low * _RUN : min(low + _RUNS, whole) * _RUN].reshape(-1, _RUN)
        np.einsum("ij,j->i", runs, pattern, out=sums[low : low + len(runs)])
        sizes += float(np.abs(runs, out=scratch[: len(runs)]).sum())
    if rest := array.size - whole * _RUN:
        sums[whole] = (array[whole * _RUN :] * pattern[:rest]).sum()
        sizes += float(np.abs(array[whole * _RUN :]).sum())
    return float((signs * sums).sum()), sizes


def _weigh_singly(seed: int, arrays: list[Floats]) -> Floats:
    """Return the same by a sign for each number, as records of before have it."""
    signs, first, found = _draw_signs(seed, sum(array.size for array in arrays)), 0, np.zeros((len(arrays), 2))
    for place, array in enumerate(arrays):
        found[place] = (signs[first : first + array.size] * array).sum(), np.abs(array).sum()
        first += array.size
    return found
