"""Features of rows: one map a file, one line in the table, and a view that makes any of them a matrix.

The table holds the maps that need no look at the data but its mean; :class:`Centres` needs rows of A as well.

>>> sorted(FEATURES)
['maclaurin', 'positive', 'taylor', 'tensor_sketch', 'tensor_srht']
"""

from typing import Protocol

from dsketch._linalg.arrays import Floats
from dsketch._registry import Registry
from dsketch.features.base import GaussianMap, RowMap
from dsketch.features.centres import Centres
from dsketch.features.maclaurin import Maclaurin
from dsketch.features.positive import Positive
from dsketch.features.squared import SquaredSketch
from dsketch.features.taylor import Monomials, Taylor, degree_for, estimate_tail, monomials
from dsketch.features.tensor_sketch import TensorSketch, TensorSketchPower
from dsketch.features.tensor_srht import TensorSRHT, TensorSRHTPower
from dsketch.features.view import FeatureView


class Recipe(Protocol):
    """Makes a map with at most ``size`` columns of the series up to ``degree``; ``radius2`` is s ‖c‖², typical of the rows."""

    def __call__(self, mean: Floats, scale: float, size: int, degree: int, seed: int = 0, radius2: float = 1.0) -> GaussianMap:
        """Return the map."""


def _maclaurin(mean: Floats, scale: float, size: int, degree: int, seed: int = 0, radius2: float = 1.0) -> Maclaurin:
    """Return random Maclaurin features, of all degrees."""
    del degree, radius2
    return Maclaurin(mean, scale, size, seed)


def _positive(mean: Floats, scale: float, size: int, degree: int, seed: int = 0, radius2: float = 1.0) -> Positive:
    """Return positive features, of all degrees."""
    del degree, radius2
    return Positive(mean, scale, size, seed)


def _taylor(mean: Floats, scale: float, size: int, degree: int, seed: int = 0, radius2: float = 1.0) -> Taylor:
    """Return all monomials of the highest degree up to ``degree`` that fit in ``size`` columns."""
    del seed, radius2
    fitting = [power for power in range(degree + 1) if monomials(len(mean), power) <= size]
    return Taylor(mean, scale, max(fitting, default=0))


FEATURES: Registry[Recipe] = Registry(
    "features",
    {
        "maclaurin": _maclaurin,
        "positive": _positive,
        "taylor": _taylor,
        "tensor_sketch": TensorSketch,
        "tensor_srht": TensorSRHT,
    },
)

__all__ = [
    "FEATURES",
    "Centres",
    "FeatureView",
    "GaussianMap",
    "Maclaurin",
    "Monomials",
    "Positive",
    "Recipe",
    "RowMap",
    "SquaredSketch",
    "Taylor",
    "TensorSRHT",
    "TensorSRHTPower",
    "TensorSketch",
    "TensorSketchPower",
    "degree_for",
    "estimate_tail",
    "monomials",
]
