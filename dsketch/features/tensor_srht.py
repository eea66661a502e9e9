"""TensorSRHT: a binary tree of subsampled Hadamard transforms of tensor products.

Degree 2: the t-th feature of (x, y) is (H D₁ x)_{i_t} (H D₂ y)_{i'_t} / √m with random signs D and sampled places i, i': a sample of
m of the m² entries of H D₁ x ⊗ H D₂ y in O(m log m).  Degree p: a tree of p − 1 such nodes over leaves x, padded to a power of two where
they fit (no error) and hashed by OSNAP where they do not.  A tree's error grows polynomially in p where TensorSketch's grows
exponentially; at low degrees both have about 1/√m.  Nodes over leaves a … b are shared by all degrees that contain them.  Random
are the signs of each node and its places alone: O(p) vectors.

References
----------
T. D. Ahle, M. Kapralov, J. B. T. Knudsen, R. Pagh, A. Velingker, D. P. Woodruff, A. Zandieh, "Oblivious sketching of high-degree
polynomial kernels", SODA 2020 (arXiv 1909.01410).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.hadamard import hadamard
from dsketch._linalg.scratch import scratch
from dsketch._linalg.streams import TREE_LEAVES, TREE_PLACES, TREE_SIGNS
from dsketch.features.hashing import osnap
from dsketch.features.stacking import Hashed, PowerMap, Sizes, Stacked

_NONZEROS = 4  # a leaf's row has so many: with 1 the leaves' own error doubles that of the tree, above 4 it no longer shows
_LONGEST = 64  # no tree has so high a degree: a node's place in its streams is 64 · start + length

Node = tuple[int, int]  # the first leaf, and how many


@dataclass
class Tree:
    """The nodes over one slice of rows, each made once.

    Attributes
    ----------
    hashed : callable
        Gives the leaves.
    columns : int
        d.
    size : int
        Features of an inner node, a power of two.
    seed : int
    """

    hashed: Hashed
    columns: int
    size: int
    seed: int
    mixed: dict[Node, Floats] = field(default_factory=dict)

    def features(self, node: Node, count: int) -> Floats:
        """Return the first ``count`` features of a node, shape (count, h): products of places of its two mixed children."""
        start, length = node
        first, second = _places(self.seed, node, self.size)
        if length == 1:
            product = _take(self.mix(node), first[:count], f"{node}")
        else:
            half = 1 << ((length - 1).bit_length() - 1)
            left, right = self.mix((start, half)), self.mix((start + half, length - half))
            product = _take(left, first[:count], f"{node} of {count}")
            product *= _take(right, second[:count], "right")
        product /= np.sqrt(count)
        return product

    def mix(self, node: Node) -> Floats:
        """Return H D v of a node's vector v, of a length that is a power of two."""
        if node not in self.mixed:
            vector = self._leaf(node) if node[1] == 1 else self.features(node, self.size)
            vector *= _signs(self.seed, node, len(vector))[:, None]
            self.mixed[node] = hadamard(vector)
        return self.mixed[node]

    def _leaf(self, node: Node) -> Floats:
        """Return the rows themselves, padded, or their OSNAP where they are longer than a node."""
        padded = 1 << (self.columns - 1).bit_length()
        if padded > self.size:
            return self.hashed(osnap(self.seed, TREE_LEAVES.at(node[0]), self.columns, self.size, min(_NONZEROS, self.size)))
        plain = self.hashed(_identity(self.columns))
        leaf = scratch(f"leaf {node}", (padded, plain.shape[1]))
        leaf[: self.columns], leaf[self.columns :] = plain, 0.0
        return leaf


def _take(vector: Floats, places: NDArray[np.int64], name: str) -> Floats:
    """Return the vector's entries at random places, in memory that the next slice overwrites."""
    result = scratch(f"tree {name}", (len(places), vector.shape[1]))
    return np.take(vector, places & (len(vector) - 1), axis=0, out=result, mode="clip")  # clip: the mode without a copy


def _place(node: Node) -> int:
    return _LONGEST * node[0] + node[1]


@lru_cache(maxsize=128)
def _signs(seed: int, node: Node, length: int) -> Floats:
    return random_words.signs(random_words.draw(seed, TREE_SIGNS.at(_place(node)), 0, length, 1)[:, 0])


@lru_cache(maxsize=128)
def _places(seed: int, node: Node, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return two random words of 31 bits for each feature of a node; a power of two of lowest bits is a uniform place."""
    raw = random_words.draw(seed, TREE_PLACES.at(_place(node)), 0, size, 1)[:, 0]
    return (raw >> np.uint64(33)).astype(np.int64), (raw & np.uint64(2**31 - 1)).astype(np.int64)


@lru_cache(maxsize=16)
def _identity(columns: int) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array((np.ones(columns), np.arange(columns), np.arange(columns + 1)))


def _tree_powers(hashed: Hashed, columns: int, sizes: Sizes, seed: int) -> Iterator[tuple[int, Floats]]:
    """Yield (p, sketch of the p-th tensor power, shape (m_p, h)) for every degree of ``sizes``."""
    tree = Tree(hashed, columns, 1 << (max(sizes.values(), default=1) - 1).bit_length(), seed)
    for power in sorted(sizes):
        yield power, tree.features((1, power), sizes[power])


@dataclass(frozen=True, eq=False)
class TensorSRHT(Stacked):
    """The exponential: exact low degrees, a TensorSRHT tree for each of the others."""

    name: ClassVar[str] = "tensor_srht"

    def powers(self, hashed: Hashed, columns: int, sizes: Sizes) -> Iterator[tuple[int, Floats]]:
        """Yield each degree's sketch."""
        return _tree_powers(hashed, columns, sizes, self.seed)


@dataclass(frozen=True, eq=False)
class TensorSRHTPower(PowerMap):
    """The single power ⟨x, y⟩^p by one TensorSRHT tree."""

    name: ClassVar[str] = "tensor_srht_power"

    def powers(self, hashed: Hashed, columns: int, sizes: Sizes) -> Iterator[tuple[int, Floats]]:
        """Yield the degree's sketch."""
        return _tree_powers(hashed, columns, sizes, self.seed)
