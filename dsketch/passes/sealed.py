"""A pass that also says, of each panel, what it read and what came of it: the leaves of a journal's chain.

Beside the part of the pass itself its part has, for every panel, two digests (of sampled rows, and of each bit of the panel's part as it
goes up the tree) and two numbers: what the panel adds to a sum with random signs, and the size of its terms.  They cost a hash of the
part (of a symmetric one its triangle) and of a few rows, and only they travel.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.random_words import draw
from dsketch._linalg.streams import SUM_SIGNS
from dsketch.matrix.raw import UnreadRows
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, leaves

Digests = NDArray[np.uint8]

DIGEST_BYTES = 32  # of SHA-256
DIGESTS = 3  # how panels are: 1 all bytes of a part; 2 of symmetric arrays the triangle; 3 sampled rows together, signs by runs
_STRIP = 64  # rows of a symmetric array digested at once, up to their diagonal block
_RUN = 64  # numbers that are added one after the other, before their sums are in pairs
_SMALL_BYTES = 4096  # of an array that is hashed with others at once: calls would cost more than bytes
_SMALL = _SMALL_BYTES // 8  # numbers of a part that are weighed at once, for the same reason
_RUNS = 512  # whose numbers stay in the cache from one sum to the next, 256 kB
_SAMPLED_ROWS = 4  # at the start of a block: enough for a chunk that was replaced to show
_SAMPLED_BYTES = 4096  # of a block; of wider rows one


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
        return merkle_root([hashlib.sha256(b"\0" + pair.tobytes()).digest() for pair in self.digests]).hex()


@dataclass(frozen=True)
class Sealed(Pass[Any]):
    """A pass, and what it says of its panels.

    Parameters
    ----------
    inner : Pass
    seed : int
        Of the signs.
    digests : int
        How panels are digested and weighed: 3, or as records of before say, 1 or 2.
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
        """Add a block to the inner part, and a digest of its first rows."""
        sample = np.frombuffer(_sample(block) if self.digests > 2 else _digest_sample(block), np.uint8)
        if part is None:
            return self.inner.map(block, None), sample, _NO_SUMS
        return self.inner.map(block, part[0]), np.concatenate([part[1], sample]), part[2]

    def end_panel(self, part: Part) -> Part:
        """Take the digests of a panel's blocks as one, and add that of its part."""
        own, seen = self.inner.end_panel(part[0]), part[1]
        pair = hashlib.sha256(seen.tobytes()).digest() + digest_part(own, self.digests)
        return own, np.frombuffer(pair, np.uint8).reshape(1, 2, DIGEST_BYTES), self.weigh(own)[None]

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
        if all(sizes) and 0 < sum(sizes) <= _SMALL:
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
        """Merge the inner parts by their rule; put what was said of the panels behind each other."""
        own = self.inner.merge(left[0], right[0])
        return own, np.concatenate([left[1], right[1]]), np.concatenate([left[2], right[2]])

    def finish(self, part: Part) -> tuple[Part, Panels]:
        """Return the inner part, not finished, and the panels."""
        return part[0], Panels(part[1], part[2])

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


_NO_SUMS = np.zeros((0, 0, 2))


def digest_part(part: Part, digests: int = DIGESTS) -> bytes:
    """Return the SHA-256 of the type, shape and every bit of each array of a part, in C order.

    Of an array that is symmetric to the last bit one triangle is hashed, and that it was: a bit that flips in the other half leaves no
    symmetric array, and so another digest.

    Parameters
    ----------
    part : Part
    digests : int
        2 or 3; 1 hashes every array whole, as records do that do not say.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if digests not in range(1, DIGESTS + 1):
        raise ValueError(f"digests of kind 1 to {DIGESTS} are known, not {digests!r}")
    state, small = hashlib.sha256(), list[bytes]()
    for array in leaves(part):
        if array.nbytes <= _SMALL_BYTES:
            small += _name(array), array.tobytes()
            continue
        state.update(b"".join(small))
        small.clear()
        triangle = _add_triangle(state, array) if digests > 1 else None
        if triangle is not None:
            state = triangle
        else:
            _add(state, array)
    state.update(b"".join(small))
    return state.digest()


def _add_triangle(state: Any, array: NDArray[Any]) -> Any:
    """Return the state with the triangle of an array added; None if it is no symmetric square of more than a strip, or stack of such.

    A strip is hashed as soon as it was compared with the other half, while it is in the cache.
    """
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2] or array.shape[-1] <= _STRIP or array.dtype != np.float64:
        return None
    added = state.copy()
    added.update(f"symmetric {array.dtype.str}{array.shape}".encode())  # no type begins with a letter
    for square in array.reshape(-1, *array.shape[-2:]).view(np.uint64):
        for i in range(0, len(square), _STRIP):
            strip = np.ascontiguousarray(square[i : i + _STRIP, : i + _STRIP])
            if not np.array_equal(strip, square[: i + _STRIP, i : i + _STRIP].T):
                return None
            added.update(strip.data)
    return added


def merkle_root(digests: list[bytes]) -> bytes:
    """Return the root of the binary tree over digests, in order; one without a sibling rises as it is.

    Leaves must be hashed with another first byte than the nodes, 1, so that none can pass for the other (RFC 6962, section 2.1).

    >>> merkle_root([b"alone"])
    b'alone'
    """
    while len(digests) > 1:
        pairs = [digests[place : place + 2] for place in range(0, len(digests), 2)]
        digests = [hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return digests[0]


def _sample(block: Block) -> bytes:
    """Return the first rows of a block, as they are stored; the digest of them where they are many bytes."""
    width = int(block.A.shape[1]) * block.A.dtype.itemsize
    rows = _take_rows(block, min(_SAMPLED_ROWS, max(_SAMPLED_BYTES // max(width, 1), 1)))
    return rows if len(rows) <= _SAMPLED_BYTES else hashlib.sha256(rows).digest()


def _digest_sample(block: Block) -> bytes:
    """Return the digest of the first rows of a block, as records of before have it."""
    return hashlib.sha256(_take_rows(block, _SAMPLED_ROWS)).digest()


def _take_rows(block: Block, count: int) -> bytes:
    """Return the bytes of the first rows of a block, and of what is beside them, with their numbers, types and shapes."""
    height = min(count, block.stop - block.start)
    A: Any = block.A
    if isinstance(A, np.ndarray):
        arrays = [A[:height]]
    elif isinstance(A, UnreadRows):
        arrays = [A.read(0, height, np.empty((height, A.shape[1]), A.dtype))]
    else:
        rows = A[:height]
        arrays = [rows.data, rows.indices, rows.indptr]
    arrays += [beside[:height] for beside in (block.b, block.weights) if beside is not None]
    told = [f"{block.start}:{block.stop}".encode()]
    for array in arrays:
        told += _name(array), array.tobytes()
    return b"".join(told)


def _name(array: NDArray[Any]) -> bytes:
    return _name_of(array.dtype, array.shape)


@lru_cache(maxsize=64)  # the same few for every block and panel of a pass
def _name_of(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return f"{dtype.str}{shape}".encode()


def _add(state: Any, array: NDArray[Any]) -> None:
    state.update(_name(array))
    state.update(np.ascontiguousarray(array).data)
