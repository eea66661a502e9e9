"""The right-hand sides as users have them: one vector, several beside each other, or targets of several dimensions."""

from dsketch._linalg.arrays import Floats
from dsketch.matrix.base import Matrix


def shape_by_side(values: Floats, b: Matrix | None) -> Floats:
    """Return numbers whose last axis is the right-hand sides as the targets of b have them: without that axis, with it, or with several."""
    if b is None or not (b.is_vector or b.trailing):
        return values
    return values.reshape((*values.shape[:-1], *b.trailing))


def is_vector(b: Matrix | None) -> bool:
    """Whether b came with one dimension, so that x has one too."""
    return b is not None and b.is_vector
