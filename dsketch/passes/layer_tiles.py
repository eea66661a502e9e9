"""Sweeps of one head of a layer along a direction: what softmax makes of the values, how that changes, and what comes back to the keys.

No product of a key and a value is summed, so that a sweep costs some 2 n m (2 d' + p) flops: what a step of conjugate gradients asks for
where the covariances of :mod:`dsketch.passes.layer_sweep` are too many numbers.

With f the weights of a row, z' its logits along a direction and q = ⟨w, e⟩ of any e: forwards E_f[w] and its change E_f[(z' − E z')w];
backwards Σ f (q − E q) k, the change of ⟨E_f[w], e⟩ by the logits' left side, and how that changes itself along the direction.
"""

from typing import NamedTuple

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.scratch import scratch
from dsketch.passes.attention import weigh_exponentials
from dsketch.passes.layer_sweep import Keys, cut_tiles


class Forward(NamedTuple):
    """What rows of A₁ see of the values.

    Attributes
    ----------
    values : ndarray, shape (h, p)
        E_f[w].
    top, weight : ndarray, shape (h, 1)
        The largest logit, and the sum of exp(logit − top).
    change : ndarray, shape (h, p)
        Of the values along the direction; empty without one.
    drift : ndarray, shape (h, 1)
        E_f[z'].
    """

    values: Floats
    top: Floats
    weight: Floats
    change: Floats
    drift: Floats


class Bend(NamedTuple):
    """Along what a way back is differentiated: the left side of z', shape (h, d'), and e, shape (h, p)."""

    direction: Floats
    E: Floats


def sweep_forward(keys: Keys, L: Floats, direction: Floats | None = None) -> Forward:
    """Return what rows see whose logits are L times the keys, and how it changes along a direction of L.

    Parameters
    ----------
    L, direction : ndarray, shape (h, d')
    """
    h, wide = len(L), len(keys.value_mean) + 1
    sums, top = np.zeros((h, wide if direction is None else 2 * wide)), np.full((h, 1), -np.inf)
    for K, W in keys.spans():
        V = np.concatenate([W, np.ones((len(W), 1))], axis=1)
        for rows, columns in cut_tiles(h, len(K)):
            T = scratch("tile", (rows.stop - rows.start, columns.stop - columns.start))
            np.matmul(L[rows], K[columns].T, out=T)
            weigh_exponentials(T, sums[rows], top[rows])
            sums[rows, :wide] += np.matmul(T, V[columns], out=scratch("tile sums", (len(T), wide)))
            if direction is not None:
                G = np.matmul(direction[rows], K[columns].T, out=scratch("second tile", (T.shape[0], T.shape[1])))
                T *= G
                sums[rows, wide:] += np.matmul(T, V[columns], out=scratch("tile sums", (len(T), wide)))
    weight = sums[:, wide - 1 : wide].copy()
    sums /= weight
    values, drift = sums[:, : wide - 1], sums[:, -1:]
    change = sums[:, wide:-1] - drift * values if direction is not None else np.zeros((h, 0))
    return Forward(values + keys.value_mean, top, weight, change, drift)


def sweep_back(keys: Keys, L: Floats, seen: Forward, E: Floats, bend: Bend | None = None) -> Floats:
    """Return Σ f (q − E_f[q]) k of each row, shape (h, d'), q = ⟨w, e⟩.

    Parameters
    ----------
    L : ndarray, shape (h, d')
    seen : Forward
        By :func:`sweep_forward` of the same.
    E : ndarray, shape (h, p)
        e of each row.
    bend : Bend, optional
        Adds the change of such a sum, with an e that stays, along a direction: Σ f ((z' − E z')(q − E q) − E_f[(z' − E z')q]) k.
    """
    h, out = len(L), np.zeros(L.shape)
    values = seen.values - keys.value_mean
    mean, own = (values * E).sum(axis=1, keepdims=True), np.zeros((h, 1))
    if bend is not None:
        mean += (seen.change * bend.E).sum(axis=1, keepdims=True)
        own = (values * bend.E).sum(axis=1, keepdims=True)
    for K, W in keys.spans():
        for rows, columns in cut_tiles(h, len(K)):
            T = scratch("tile", (rows.stop - rows.start, columns.stop - columns.start))
            np.matmul(L[rows], K[columns].T, out=T)
            T -= seen.top[rows]
            np.exp(T, out=T)
            G = np.matmul(E[rows], W[columns].T, out=scratch("second tile", (T.shape[0], T.shape[1])))
            G -= mean[rows]
            if bend is not None:
                M = np.matmul(bend.direction[rows], K[columns].T, out=scratch("third tile", (T.shape[0], T.shape[1])))
                M -= seen.drift[rows]
                N = np.matmul(bend.E[rows], W[columns].T, out=scratch("fourth tile", (T.shape[0], T.shape[1])))
                N -= own[rows]
                M *= N
                G += M
            T *= G
            out[rows] += np.matmul(T, K[columns], out=scratch("tile sums", (len(T), K.shape[1])))
    return np.asarray(out / seen.weight)


def sweep_squares(keys: Keys, L: Floats, top: Floats, weight: Floats, Y: Floats) -> Floats:
    """Return E_f[(w Y)²] of values about their mean, shape (h, k)."""
    h, out = len(L), np.zeros((len(L), Y.shape[1]))
    for K, W in keys.spans():
        squares = (W @ Y) ** 2
        for rows, columns in cut_tiles(h, len(K)):
            T = scratch("tile", (rows.stop - rows.start, columns.stop - columns.start))
            np.matmul(L[rows], K[columns].T, out=T)
            T -= top[rows]
            np.exp(T, out=T)
            out[rows] += T @ squares[columns]
    return np.asarray(out / weight)
