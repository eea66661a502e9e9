"""The sweep of an attention layer: rows of A₁ against all rows of A₂ and A₃, and what softmax makes of the keys, values and their products.

With f the weights of row j, k the rows of A₂ and w those of A₃ the sweep gives E_f[w], E_f[k] and the covariance P_j = E_f[k wᵀ] −
E_f[k]E_f[w]ᵀ, from which every row of the Jacobian of softmax(A₁XA₂ᵀ)A₃Y follows: ∂f_jb/∂X_ac = A₁_ja (P_jY)_cb.  Tiles of weights are
never stored.  Softmax does not feel what is added to all keys, nor a covariance what is added to all values: both are taken about their
means, so that fewer digits are lost.

References
----------
Y. Gao, Z. Song, W. Wang, J. Yin, "A fast optimization view: reformulating single layer attention in LLM based on tensor and SVM trick, and
solving it in matrix multiplication time", arXiv 2309.07418, 2023.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats, State
from dsketch._linalg.scratch import scratch
from dsketch.passes.attention import TILE, weigh_exponentials
from dsketch.passes.sight import Sight, tiles
from dsketch.passes.spans import Spans


class Seen(NamedTuple):
    """What rows of A₁ see.

    Attributes
    ----------
    values : ndarray, shape (h, p)
        E_f[w]: rows of softmax · A₃.
    keys : ndarray, shape (h, d')
        E_f[k − mean].
    covariance : ndarray, shape (h, d', p)
        P_j.
    top, weight : ndarray, shape (h, 1)
        The largest logit, and the sum of exp(logit − top).
    reach : ndarray, shape (d',)
        The largest |k − mean| of each column.
    """

    values: Floats
    keys: Floats
    covariance: Floats
    top: Floats
    weight: Floats
    reach: Floats


@dataclass(frozen=True)
class Keys:
    """A₂ and A₃ as a layer sweeps over them: in bases of what can matter, about their means.

    Parameters
    ----------
    others : Spans
        A₂, shape (m, ·), and A₃, shape (m, ·).
    key_basis, value_basis : ndarray, shape (·, d') and (·, p)
        Orthonormal columns: the rows that are meant are A₂ times the one and A₃ times the other.
    key_mean, value_mean : ndarray, shape (d',) and (p,)
        Of these.
    """

    others: Spans
    key_basis: Floats
    value_basis: Floats
    key_mean: Floats
    value_mean: Floats

    def state(self) -> Iterator[State]:
        """Yield what tells the keys apart."""
        yield from self.others.state()
        yield from (self.key_basis, self.value_basis, self.key_mean, self.value_mean)

    def spans(self) -> Iterator[tuple[Floats, Floats]]:
        """Yield keys and values of each span, about their means."""
        others = self.others
        for left in range(0, others.rows, others.height):
            K, W = others.read(left, min(left + others.height, others.rows))
            yield K @ self.key_basis - self.key_mean, W @ self.value_basis - self.value_mean

    def sweep(self, L: Floats) -> Seen:
        """Return what rows see whose logits are L times the keys.

        Parameters
        ----------
        L : ndarray, shape (h, d')
        """
        h, (d, p) = len(L), (len(self.key_mean), len(self.value_mean))
        sums, top, reach = np.zeros((h, d * p + d + p + 1)), np.full((h, 1), -np.inf), np.zeros(d)
        for K, W in self.spans():
            np.maximum(reach, np.abs(K).max(axis=0), out=reach)
            V = np.concatenate([(K[:, :, None] * W[:, None, :]).reshape(len(K), -1), K, W, np.ones((len(K), 1))], axis=1)
            for rows, columns in cut_tiles(h, len(K)):
                T = scratch("tile", (rows.stop - rows.start, columns.stop - columns.start))
                np.matmul(L[rows], K[columns].T, out=T)
                weigh_exponentials(T, sums[rows], top[rows])
                sums[rows] += np.matmul(T, V[columns], out=scratch("tile sums", (len(T), V.shape[1])))
        weight = sums[:, -1:].copy()
        sums /= weight
        keys, values = sums[:, d * p : d * p + d], sums[:, d * p + d : -1]
        covariance = sums[:, : d * p].reshape(h, d, p) - keys[:, :, None] * values[:, None, :]
        return Seen(values + self.value_mean, keys, covariance, top, weight, reach)

    def bend(self, L: Floats, seen: Seen, E: Floats, Y: Floats) -> tuple[Floats, Floats]:
        """Return Σ t k kᵀ with t = f∘(v − E_f[v]), v = ⟨w, e⟩, and E_f[(w Y)²] of values about their mean; a sweep of its own.

        Parameters
        ----------
        L : ndarray, shape (h, d')
        seen : Seen
            By :meth:`sweep` of the same.
        E : ndarray, shape (h, p)
            e of each row.
        Y : ndarray, shape (p, q)

        Returns
        -------
        ndarray, shape (h, d', d')
        ndarray, shape (h, q)
        """
        h, d = L.shape
        curved, sizes = np.zeros((h, d * d)), np.zeros((h, Y.shape[1]))
        mean = ((seen.values - self.value_mean) * E).sum(axis=1, keepdims=True)
        for K, W in self.spans():
            pairs, squares = (K[:, :, None] * K[:, None, :]).reshape(len(K), -1), (W @ Y) ** 2
            for rows, columns in cut_tiles(h, len(K)):
                T = scratch("tile", (rows.stop - rows.start, columns.stop - columns.start))
                np.matmul(L[rows], K[columns].T, out=T)
                T -= seen.top[rows]
                np.exp(T, out=T)
                T /= seen.weight[rows]
                sizes[rows] += T @ squares[columns]
                G = np.matmul(E[rows], W[columns].T, out=scratch("second tile", (T.shape[0], T.shape[1])))
                G -= mean[rows]
                T *= G
                curved[rows] += T @ pairs[columns]
        return curved.reshape(h, d, d), sizes


class Views(NamedTuple):
    """What rows of A₁ see by all heads, beside each other; a covariance is 0 outside the blocks of its heads.

    Attributes
    ----------
    values, keys, covariance : ndarray, shapes (h, heads · p), (h, heads · d') and (h, heads · d', heads · p)
    seen : tuple of Seen
    """

    values: Floats
    keys: Floats
    covariance: Floats
    seen: tuple[Seen, ...]

    def bend(self, keys: Keys, L: Floats, r: Floats, Y: Floats) -> tuple[Floats, tuple[Floats, ...]]:
        """Return what :meth:`Keys.bend` does for the misfits r: Σ t k kᵀ in blocks, and the squares of each head."""
        parts = [
            keys.bend(own, one, r @ mine.T, mine) for one, own, mine in zip(self.seen, *_cut(len(self.seen), L, Y), strict=True)
        ]
        return _blocks([curved for curved, _ in parts]), tuple(squares for _, squares in parts)

    def by_heads(self, L: Floats, X: Floats, Y: Floats, squares: tuple[Floats, ...]) -> Iterator[tuple[Any, ...]]:
        """Yield X, L, what is seen, squares and Y of each head."""
        heads = len(self.seen)
        own, mine = _cut(heads, L, Y)
        yield from zip(np.split(X, heads, axis=1), own, self.seen, squares, mine, strict=True)


def view(keys: Keys, L: Floats) -> Views:
    """Return what rows see whose logits are L times the keys, L of all heads beside each other."""
    heads = L.shape[1] // len(keys.key_mean)
    if heads == 1:
        seen = keys.sweep(L)
        return Views(seen.values, seen.keys, seen.covariance, (seen,))
    parts = tuple(keys.sweep(own) for own in _cut(heads, L)[0])
    values, means = (np.concatenate([getattr(one, name) for one in parts], axis=1) for name in ("values", "keys"))
    return Views(values, means, _blocks([one.covariance for one in parts]), parts)


def doubt_of(keys: Keys, A: Floats, X: Floats, L: Floats, seen: Seen, squares: Floats, Y: Floats) -> Floats:
    """Return how far f of a head may be off, in roundings, shape (h, k).

    Sums of d products are off by less than the sum of their sizes, as are A₁ and X as they are stored (N. J. Higham, T. Mary, 2019).
    What is off in a row of A₁X is so for all keys, and f feels it by its slope T_j; what is off in single logits and exponentials is
    independent, and adds as squares: Σ f²(v − f̄)² ≤ max f · E_f(v − f̄)².  Sums over keys are taken tile by tile, of which each has
    some 64 roundings, and the tiles one after the other: both are random walks.

    Parameters
    ----------
    squares : ndarray, shape (h, k)
        E_f[(w Y)²], by :meth:`Keys.bend`.
    """
    tiles = -(-keys.others.rows // TILE)
    mean = (seen.values - keys.value_mean) @ Y
    deviation = np.sqrt(np.maximum(squares - mean**2, 0.0))
    common = 2 * ((np.abs(A) @ np.abs(X))[:, None, :] @ np.abs(seen.covariance @ Y))[:, 0, :]
    single = (2 * np.abs(L) @ seen.reach + 2)[:, None] * deviation / np.sqrt(seen.weight)
    summed = (8 / np.sqrt(tiles) + np.sqrt(tiles / 3) + 2) * np.sqrt(squares)
    return np.asarray(common + single + summed + 2 * np.abs(seen.values) @ np.abs(Y))


def _cut(heads: int, L: Floats, Y: Floats | None = None) -> tuple[list[Floats], list[Floats]]:
    """Return L by heads, whose columns they have, and Y, whose rows."""
    own = [np.ascontiguousarray(part) for part in np.split(L, heads, axis=1)]
    return own, [] if Y is None else np.split(Y, heads)


def _blocks(parts: list[Floats]) -> Floats:
    """Return matrices of each row as the blocks of one."""
    if len(parts) == 1:
        return parts[0]
    (rows, high, wide), heads = parts[0].shape, len(parts)
    whole = np.zeros((rows, heads, high, heads, wide))
    for head, part in enumerate(parts):
        whole[:, head, :, head] = part
    return whole.reshape(rows, heads * high, heads * wide)


def cut_tiles(rows: int, others: int) -> Iterator[tuple[slice, slice]]:
    """Yield places of rows and of keys that meet in a tile."""
    for own, other, _ in tiles(Sight(None), (0, rows), (0, others), TILE):
        yield own, other
