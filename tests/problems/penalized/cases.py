"""Small problems with a known answer, and what two right answers may differ by."""

from typing import Any

import numpy as np

import dsketch as ds
from dsketch._linalg.arrays import Floats

EPS = float(np.finfo(float).eps)


def data(n: int = 600, d: int = 8, seed: int = 0, units: float = 0.0) -> tuple[Floats, Floats]:
    """Return A, of which every second column matters, and b; columns in units of up to 10^±units."""
    rng = np.random.default_rng(seed)
    plain = rng.standard_normal((n, d)) + 0.4 * rng.standard_normal((n, 1))
    scale = 10.0 ** rng.uniform(-units, units, d)
    b = plain[:, ::2] @ rng.standard_normal(plain[:, ::2].shape[1]) + rng.standard_normal(n) + 2.0
    return plain * scale, b


def solve(problem: Any, **options: Any) -> ds.Solution:
    """Solve in this process, in silence."""
    return ds.solve(problem, cluster="serial", progress=False, **options)


def centred(A: Floats, b: Floats, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """Return A and b without their weighted means."""
    return A - np.average(A, axis=0, weights=weights), b - np.average(b, axis=0, weights=weights)


def spread(A: Floats, x: Floats) -> Floats:
    """Return x in units in which all columns vary alike."""
    return x * np.linalg.norm(A - A.mean(axis=0), axis=0) / np.sqrt(len(A))
