"""Queries and keys whose causal logits are exactly those of a convolution basis, up to the rounding of their own numbers."""

from collections.abc import Sequence

import numpy as np

from dsketch._linalg.arrays import Floats

_CIRCLE = 1 << 24  # angles are whole parts of it, so that those of far rows are as exact as those of the first


def rotary_rows(n: int, d: int, starts: Sequence[int], *, size: float = 1.0, seed: int = 0) -> tuple[Floats, Floats]:
    """Return Q and K with ⟨qᵢ, kⱼ⟩ = c_r(i − j) for every j of segment r, both of shape (n, d).

    Parameters
    ----------
    starts : sequence of int
        The first row of each segment of K, of which the first is 0.
    size : float
        The root mean square of c_r.

    Notes
    -----
    q is turned by its position, ω i in each of d/2 planes, as rotary embeddings do; k likewise, and its amplitudes and phases change from
    segment to segment: c_r(t) = Σ_l a_rl cos(ω_l t − φ_rl).  An odd d has a last column of q that is 1 and one of k that is constant.

    >>> Q, K = rotary_rows(6, 4, [0, 3])
    >>> Z = Q @ K.T
    >>> bool(np.allclose([Z[4, 1], Z[5, 4]], [Z[5, 2], Z[4, 3]]))
    True
    """
    rng = np.random.default_rng(seed)
    planes = max(d // 2, 0)
    segment = np.searchsorted(np.asarray(starts), np.arange(n), side="right") - 1
    turn = np.outer(np.arange(n), rng.integers(1, _CIRCLE // 2, planes))
    amplitude = size * np.sqrt(2 / max(planes, 1)) * rng.choice([-1.0, 1.0], (len(starts), planes))
    phase = rng.integers(0, _CIRCLE, (len(starts), planes))
    Q, K = np.ones((n, d)), np.zeros((n, d))
    Q[:, 0 : 2 * planes : 2], Q[:, 1 : 2 * planes : 2] = _turn(turn)
    cosine, sine = _turn(turn + phase[segment])
    K[:, 0 : 2 * planes : 2], K[:, 1 : 2 * planes : 2] = amplitude[segment] * cosine, amplitude[segment] * sine
    if d % 2:
        K[:, -1] = size * rng.standard_normal(len(starts))[segment]
    return Q, K


def _turn(parts: np.ndarray) -> tuple[Floats, Floats]:
    """Return cosine and sine of angles in parts of a circle."""
    angle = (parts % _CIRCLE) * (2 * np.pi / _CIRCLE)
    return np.cos(angle), np.sin(angle)
