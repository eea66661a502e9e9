"""Small words about columns: norms and safe ratios."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def norms(V: Floats) -> Floats:
    """Return the Euclidean norm of each column."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->j", V, V)))


def ratio(above: Floats, below: Floats) -> Floats:
    """Return above/below, 0 where above is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(above > 0, above / below, 0.0)
