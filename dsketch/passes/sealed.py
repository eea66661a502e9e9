"""A pass that also says, of each panel, what it read and what came of it: the leaves of a journal's chain.

Beside the part of the pass itself its part has, for every panel, two digests (of sampled rows, and of each bit of the panel's part as it
goes up the tree) and two numbers: what the panel adds to a sum with random signs, and the size of its terms.  They cost a hash of the
part and of a few rows, about 0.1 MB a panel at d = 100, and only they travel.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.random_words import draw
from dsketch._linalg.streams import SUM_SIGNS
from dsketch.matrix.raw import RawRows
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, Pass, leaves

Digests = NDArray[np.uint8]

DIGEST_BYTES = 32  # of SHA-256
_SAMPLED_ROWS = 16  # at either end of a block: enough for a chunk that was replaced to show, and few bytes of a block to hash


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
    """

    inner: Pass[Any]
    seed: int

    @property
    def kind(self) -> str:  # type: ignore[override]  # that of the pass, by which tasks are named
        """The inner kind."""
        return self.inner.kind

    @property
    def accumulates(self) -> bool:  # type: ignore[override]
        """As the inner pass does."""
        return self.inner.accumulates

    def map(self, block: Block, part: Part | None) -> Part:
        """Add a block to the inner part, and a digest of its first and last rows."""
        own, seen, none = (None, _NO_DIGESTS, _NO_SUMS) if part is None else part
        state = hashlib.sha256(f"{block.start}:{block.stop}".encode())
        rows = block.stop - block.start
        _sample(state, block, 0, min(_SAMPLED_ROWS, rows))
        own = self.inner.map(block, own)
        _sample(state, block, max(rows - _SAMPLED_ROWS, 0), rows)
        return own, np.concatenate([seen, _as_array(state.digest())[None, None]]), none

    def end_panel(self, part: Part) -> Part:
        """Take the digests of a panel's blocks as one, and add that of its part."""
        own, seen, _ = part
        pair = np.stack([_as_array(hashlib.sha256(seen.tobytes()).digest()), _as_array(digest_part(own))])
        return own, pair[None], self.weigh(own)[None]

    def weigh(self, own: Part) -> Floats:
        """Return, for each array of an inner part that merges by being added, what it comes to with the signs, and its size.

        Returns
        -------
        ndarray, shape (arrays, 2)
        """
        arrays = self.inner.added(own)
        words = draw(self.seed, SUM_SIGNS, 0, -(-sum(array.size for array in arrays) // 64), 1)
        is_less, first, found = np.unpackbits(words.view(np.uint8)).view(np.bool_), 0, np.zeros((len(arrays), 2))
        for place, array in enumerate(arrays):
            values, less = array.ravel(), is_less[first : first + array.size]
            found[place] = np.where(less, -values, values).sum(), np.abs(values).sum()
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


_NO_DIGESTS, _NO_SUMS = np.zeros((0, 1, DIGEST_BYTES), np.uint8), np.zeros((0, 0, 2))


def digest_part(part: Part) -> bytes:
    """Return the SHA-256 of the type, shape and every bit of each array of a part, in C order."""
    state = hashlib.sha256()
    for array in leaves(part):
        _add(state, array)
    return state.digest()


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


def _as_array(digest: bytes) -> Digests:
    return np.frombuffer(digest, np.uint8)


def _sample(state: Any, block: Block, low: int, high: int) -> None:
    """Add rows ``low:high`` of a block, as they are stored."""
    A: Any = block.A
    if isinstance(A, RawRows):
        _add(state, A.read(low, high, np.empty((high - low, A.shape[1]), A.dtype)))
    elif scipy.sparse.issparse(A):
        rows = A[low:high]
        for array in (rows.data, rows.indices, rows.indptr):
            _add(state, array)
    else:
        _add(state, A[low:high])
    for beside in (block.b, block.weights):
        if beside is not None:
            _add(state, beside[low:high])


def _add(state: Any, array: NDArray[Any]) -> None:
    state.update(f"{array.dtype}{array.shape}".encode())
    state.update(np.ascontiguousarray(array).data)
