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
DIGESTS = 2  # how parts are digested: 1 all bytes; 2 of symmetric arrays the triangle
_STRIP = 64  # rows of a symmetric array digested at once, up to their diagonal block
_RUN = 64  # numbers that are added one after the other, before their sums are in pairs
_SMALL_BYTES = 4096  # of an array that is hashed with others at once: calls would cost more than bytes
_SAMPLED_ROWS = 4  # at the start of a block: enough for a chunk that was replaced to show


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
        How parts are digested, as :func:`digest_part`.
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
        own, seen, none = (None, _NO_DIGESTS, _NO_SUMS) if part is None else part
        digest = np.frombuffer(_digest_sample(block), np.uint8).reshape(1, 1, DIGEST_BYTES)
        return self.inner.map(block, own), digest if not len(seen) else np.concatenate([seen, digest]), none

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
        signs, first, found = _draw_signs(self.seed, sum(array.size for array in arrays)), 0, np.zeros((len(arrays), 2))
        for place, array in enumerate(arrays):
            found[place] = _add_with(signs[first : first + array.size], array), np.abs(array).sum()
            first += array.size
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


def _add_with(signs: Floats, array: Floats) -> float:
    """Return the sum of an array with signs: products by the processor's vectors, short runs of which are added in pairs.

    Not by BLAS, which adds from the first aligned number on: bits would depend on where the array lies.
    """
    whole = array.size // _RUN * _RUN
    rest = 0.0 if whole == array.size else float((signs[whole:] * array[whole:]).sum())
    if not whole:
        return rest + 0.0  # as the sum of no runs is
    runs = np.einsum("ij,ij->i", signs[:whole].reshape(-1, _RUN), array[:whole].reshape(-1, _RUN))
    return float(runs.sum()) + rest


_NO_DIGESTS, _NO_SUMS = np.zeros((0, 1, DIGEST_BYTES), np.uint8), np.zeros((0, 0, 2))


def digest_part(part: Part, digests: int = DIGESTS) -> bytes:
    """Return the SHA-256 of the type, shape and every bit of each array of a part, in C order.

    Of an array that is symmetric to the last bit one triangle is hashed, and that it was: a bit that flips in the other half leaves no
    symmetric array, and so another digest.

    Parameters
    ----------
    part : Part
    digests : int
        2; 1 hashes every array whole, as records do that do not say.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if digests not in (1, DIGESTS):
        raise ValueError(f"digests of kind 1 or {DIGESTS} are known, not {digests!r}")
    state, small = hashlib.sha256(), list[bytes]()
    for array in leaves(part):
        if array.nbytes <= _SMALL_BYTES and not (digests > 1 and _is_symmetric(array)):
            small += _name(array), array.tobytes()
            continue
        state.update(b"".join(small))
        small.clear()
        if digests > 1 and _is_symmetric(array):
            _add_triangle(state, array)
        else:
            _add(state, array)
    state.update(b"".join(small))
    return state.digest()


def _is_symmetric(array: NDArray[Any]) -> bool:
    """Whether an array is a square of more than a strip, or a stack of such, that is its transpose bit for bit."""
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2] or array.shape[-1] <= _STRIP or array.dtype != np.float64:
        return False
    bits = array.reshape(-1, *array.shape[-2:]).view(np.uint64)
    strips = range(0, bits.shape[-1], _STRIP)
    return all(
        np.array_equal(square[i : i + _STRIP, : i + _STRIP], square[: i + _STRIP, i : i + _STRIP].T)
        for square in bits
        for i in strips
    )


def _add_triangle(state: Any, array: NDArray[Any]) -> None:
    state.update(f"symmetric {array.dtype.str}{array.shape}".encode())  # no type begins with a letter
    for square in array.reshape(-1, *array.shape[-2:]):
        for i in range(0, len(square), _STRIP):
            state.update(np.ascontiguousarray(square[i : i + _STRIP, : i + _STRIP]).data)


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


def _digest_sample(block: Block) -> bytes:
    """Return the digest of the first rows of a block, as they are stored."""
    height = min(_SAMPLED_ROWS, block.stop - block.start)
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
    return hashlib.sha256(b"".join(told)).digest()


def _name(array: NDArray[Any]) -> bytes:
    return _name_of(array.dtype, array.shape)


@lru_cache(maxsize=64)  # the same few for every block and panel of a pass
def _name_of(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return f"{dtype.str}{shape}".encode()


def _add(state: Any, array: NDArray[Any]) -> None:
    state.update(_name(array))
    state.update(np.ascontiguousarray(array).data)
