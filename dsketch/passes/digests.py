"""Digests of parts, of sampled rows and of panels: what a journal's chain is made of.

Parts and rows are hashed by BLAKE3, which runs at 2 to 4 GB/s on any processor with vectors, where SHA-256 does 0.3 without
instructions of its own: a part of 1,000 columns would cost a Gram matrix 5 %.  Links of records and the tree over panels are SHA-256, and
so is all of journals from before.
"""

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from dsketch.matrix.raw import UnreadRows
from dsketch.matrix.rows import Block
from dsketch.passes.base import Part, leaves

Digests = NDArray[np.uint8]

DIGEST_BYTES = 32  # of SHA-256 and of BLAKE3
DIGESTS = 4  # how panels are: 1 all bytes of a part; 2 of symmetric arrays the triangle; 3 sampled rows together; 4 by BLAKE3
_SMALL_BYTES = 4096  # of an array that is hashed with others at once: calls would cost more than bytes
_STRIP, _STRIP_BEFORE = 128, 64  # rows of a symmetric array digested at once; in kinds 2 and 3
_SAMPLED_ROWS = 4  # at the start of a block: enough for a chunk that was replaced to show
_SAMPLED_BYTES = 4096  # of a block; of wider rows one
_KEPT_BYTES = 32_768  # of a block, until its panel is digested


class UnknownDigestsError(ValueError):
    """Digests are of a kind that only a newer version makes."""


def digest_part(part: Part, digests: int = DIGESTS) -> bytes:
    """Return the digest of the type, shape and every bit of each array of a part, in C order.

    Of an array that is symmetric to the last bit one triangle is hashed, and that it was: a bit that flips in the other half leaves no
    symmetric array, and so another digest.

    Parameters
    ----------
    part : Part
    digests : int
        4, by BLAKE3; 2 or 3, by SHA-256; 1 hashes every array whole, as records do that do not say.

    Raises
    ------
    UnknownDigestsError
        If it is none of these.
    """
    if digests not in range(1, DIGESTS + 1):
        raise UnknownDigestsError(f"its digests are of kind {digests!r}, and kinds 1 to {DIGESTS} are known here")
    state, small = _start(digests), list[bytes]()
    for array in leaves(part):
        if array.nbytes <= _SMALL_BYTES:
            small += _name(array), array.tobytes()
            continue
        state.update(b"".join(small))
        small.clear()
        triangle = _add_triangle(state, array, _STRIP if digests > 3 else _STRIP_BEFORE) if digests > 1 else None
        if triangle is not None:
            state = triangle
        else:
            state.update(_name(array))
            state.update(_bytes_of(array))
    state.update(b"".join(small))
    found: bytes = state.digest()
    return found


def digest_rows(sampled: Digests, digests: int) -> bytes:
    """Return the digest of what was sampled of the blocks of a panel."""
    found: bytes = _start(digests, sampled).digest()
    return found


def digest_leaf(pair: Digests) -> bytes:
    """Return the digest of a leaf of the tree over panels: of its sampled rows and its part."""
    return hashlib.sha256(b"\0" + pair.tobytes()).digest()


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


def sample_rows(block: Block, digests: int) -> bytes:
    """Return where a block lies and its first rows as they are stored; the digest of that if it is many bytes, or of kinds 1 and 2."""
    if digests < 3:
        return hashlib.sha256(_name_arrays(block, _take_rows(block, _SAMPLED_ROWS))).digest()
    width = int(block.A.shape[1]) * block.A.dtype.itemsize
    arrays = _take_rows(block, min(_SAMPLED_ROWS, max(_SAMPLED_BYTES // max(width, 1), 1)))
    if digests == 3:
        rows = _name_arrays(block, arrays)
        return rows if len(rows) <= _SAMPLED_BYTES else hashlib.sha256(rows).digest()
    rows = b"".join([b"%d:%d" % (block.start, block.stop), *(array.tobytes() for array in arrays)])
    return rows if len(rows) <= _KEPT_BYTES else blake3(rows).digest()


def _start(digests: int, first: Any = b"") -> Any:
    """Return a hash of a kind that has seen some bytes."""
    return blake3(first) if digests > 3 else hashlib.sha256(first)


def _add_triangle(state: Any, array: NDArray[Any], height: int) -> Any:
    """Return the state with the triangle of an array added; None if it is no symmetric square of more than a strip, or stack of such.

    A strip of so many rows is hashed as soon as its tiles were compared with those across the diagonal, while it is in the cache.
    """
    if array.ndim not in (2, 3) or array.shape[-1] != array.shape[-2] or array.shape[-1] <= height or array.dtype != np.float64:
        return None
    added = state.copy()
    added.update(f"symmetric {array.dtype.str}{array.shape}".encode())  # no type begins with a letter
    for square in array.reshape(-1, *array.shape[-2:]).view(np.uint64):
        for i in range(0, len(square), height):
            strip = np.ascontiguousarray(square[i : i + height, : i + height])
            for j in range(0, i + height, height):
                if not np.array_equal(strip[:, j : j + height], square[j : j + height, i : i + height].T):
                    return None
            added.update(_bytes_of(strip))
    return added


def _take_rows(block: Block, count: int) -> list[NDArray[Any]]:
    """Return the first rows of a block, and what is beside them."""
    height = min(count, block.stop - block.start)
    A: Any = block.A
    if isinstance(A, np.ndarray):
        arrays = [A[:height]]
    elif isinstance(A, UnreadRows):
        arrays = [A.read(0, height, np.empty((height, A.shape[1]), A.dtype))]
    else:
        rows = A[:height]
        arrays = [rows.data, rows.indices, rows.indptr]
    return arrays + [beside[:height] for beside in (block.b, block.weights) if beside is not None]


def _name_arrays(block: Block, arrays: list[NDArray[Any]]) -> bytes:
    """Return the bytes of sampled rows with their numbers, types and shapes, as records of before have them."""
    told = [f"{block.start}:{block.stop}".encode()]
    for array in arrays:
        told += _name(array), array.tobytes()
    return b"".join(told)


def _name(array: NDArray[Any]) -> bytes:
    return _name_of(array.dtype, array.shape)


@lru_cache(maxsize=64)  # the same few for every block and panel of a pass
def _name_of(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return f"{dtype.str}{shape}".encode()


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
