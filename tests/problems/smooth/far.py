"""Columns far from 0 for how much they vary, and the same data shifted by hand, which float64 holds exactly."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SHIFT = np.array([2000.0, 1.6e9, 1e8, 0.0])  # a year, a time in seconds, a number about 1, one that is not shifted


class Far(NamedTuple):
    """A, and A − 1 sᵀ without a rounding."""

    A: Floats
    near: Floats

    @property
    def eta(self) -> Floats:
        """A linear predictor of moderate size."""
        return self.near @ [0.05, 5e-4, 0.3, 0.2] + 0.2


def far(n: int = 2000, seed: int = 0) -> Far:
    """Return rows."""
    random = np.random.default_rng(seed)
    whole = [random.integers(-(2**power), 2**power, n) / 2**point for power, point in ((6, 3), (20, 10), (20, 19))]
    near = np.column_stack([*whole, random.standard_normal(n)])
    A = near + SHIFT
    assert np.array_equal(A - SHIFT, near)
    return Far(A, near)


def restored(d: int = 4, outputs: int = 1) -> Floats:
    """Return the linear map from (slopes, intercept) of the shifted columns to those of A."""
    one = np.eye(d + 1)
    one[-1, :-1] = -SHIFT[:d]
    return np.kron(np.eye(outputs), one)
