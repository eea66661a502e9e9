"""A factor of A itself, for what is asked after a method that made none."""

import numpy as np
import scipy.linalg as sl

from dsketch._linalg.bounds import Bounds, Known
from dsketch._linalg.columns import powers_near
from dsketch._linalg.factor import Factor
from dsketch.passes.base import Flow
from dsketch.problems.linear.system import LinearSystem

_NEAR = 1e3  # up to this condition number, columns scaled, a Gram matrix leaves u·kappa² = 1e-10 in its factor


def is_near(known: Known) -> bool:
    """Whether bounds prove columns so near orthogonal that a Gram matrix is a factor's worth."""
    return isinstance(known, Bounds) and known.scaled_condition <= _NEAR


def gram_factor(system: LinearSystem) -> Flow[Factor]:
    """Return the factor of AᵀA and the penalty, of A with columns near orthogonal.  One pass."""
    G, _, _ = yield from system.gram()
    scale = powers_near(np.sqrt(np.diag(G)))
    return Factor(np.asarray(sl.cholesky(G / np.outer(scale, scale))) * scale)


def factor_of(system: LinearSystem, known: Bounds) -> Flow[Factor]:
    """Return the factor of what only bounds are known of.  One pass."""
    if is_near(known):
        return (yield from gram_factor(system))
    return Factor((yield from system.triangle(0))[0])
