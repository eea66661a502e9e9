"""Sketched tensor powers as a preconditioner: the attention-regression paper's features, with the diagonal that they leave.

TensorSketch and TensorSRHT keep the low degrees exactly where those fit and sketch the others.  A sketch of m columns has an error
of about 1/√m of the whole, and a preconditioner helps only down to a ridge of that size: take it where no degree of monomials
fits and rows are too many for pivots, or to compare.

References
----------
Z. Song, J. Yin, L. Zhang, "Solving attention kernel regression problem via pre-conditioner", AISTATS 2024, arXiv 2308.14304.
"""

import math

import numpy as np

from dsketch.features.stacking import HIGHEST_DEGREE
from dsketch.features.tensor_sketch import TensorSketch
from dsketch.features.tensor_srht import TensorSRHT
from dsketch.passes.base import Flow
from dsketch.problems.kernel.preconditioner import Woodbury, woodbury
from dsketch.problems.kernel.system import KernelSystem

_TAIL = 1e-3  # of the series, left to the residual diagonal: far below the sketch's own error


def tensor(system: KernelSystem, name: str, size: int, seed: int) -> Flow[Woodbury]:
    """Return the preconditioner of ``size`` sketched features.  Two passes over them."""
    return (yield from woodbury(system, sketched(system, name, size, seed, _TAIL), name, residual=True))


def sketched(system: KernelSystem, name: str, size: int, seed: int, tail: float) -> TensorSketch | TensorSRHT:
    """Return the map of a family, of a degree beyond which the series of a typical row has less than a share ``tail``."""
    kind, radius = {"tensor_sketch": TensorSketch, "tensor_srht": TensorSRHT}[name], typical(system)
    made = kind(system.mean, system.scale, size, degree_within(radius, tail), seed, radius)
    assert isinstance(made, TensorSketch | TensorSRHT)  # noqa: S101 - the table has no others
    return made


def typical(system: KernelSystem) -> float:
    """Return s ‖c‖² of a typical row."""
    return max(float(np.mean(system.radius)), 1e-3)


def degree_within(radius: float, tail: float) -> int:
    """Return the degree q beyond which the series of e^ρ has less than a share ``tail``.

    Examples
    --------
    >>> degree_within(1.0, 1e-3), degree_within(4.0, 1e-3)
    (5, 11)
    """
    left, degree = 1.0, -1
    while left > tail and degree < HIGHEST_DEGREE:
        degree += 1
        left -= math.exp(degree * math.log(radius) - math.lgamma(degree + 1) - radius)
    return max(degree, 1)
