"""The paper's approximate Newton: exact gradient, and a Hessian from rows sampled by leverage; linear, three looks a step.

What is sampled is 3Q = Σ3σqqᵀ, the larger part of the Hessian, by the leverages of its own rows.  The leverages cost what the whole sum
does, so that :mod:`~dsketch.problems.inversion.quasi_newton` takes fewer looks for a better step: the paper counts operations of another
machine than one that reads its rows from a disk.

References
----------
C. Li, Z. Song, Z. Xu, J. Yin, "Inverting the leverage score gradient", arXiv 2408.11267, 2024.
"""

from dataclasses import dataclass

import numpy as np

from dsketch._linalg.arrays import Floats
from dsketch._linalg.factor import Factor
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.jacobian import Jacobian
from dsketch.passes.sampled_gram import Sample, SampledGram
from dsketch.passes.slack_rows import VolumeRows
from dsketch.problems.inversion.descent import Step
from dsketch.problems.inversion.method import GradientMethod
from dsketch.problems.inversion.system import GradientSystem, Place
from dsketch.problems.nonlinear.newton_sampled import NewtonSampled as Weighted
from dsketch.problems.nonlinear.row_system import root_of
from dsketch.settings import Settings

SAMPLES = 40  # rows kept for each column: the error then falls to about 0.4 a step


class NewtonSampled(GradientMethod):
    """Steps by a sampled Hessian."""

    name = "newton_sampled"
    steps = 40
    has_cube = False
    looks_a_step = 3
    is_offered = False
    aside = "converges linearly; three looks a step, and the leverages cost what the whole sum does"
    takes = ("sketch_rows",)
    weighted = Weighted()

    def find_step(self, system: GradientSystem, settings: Settings) -> Step:
        """Return the step by fresh samples."""
        return _Sampling(system, settings).step


@dataclass
class _Sampling:
    """Draws for one run.

    Attributes
    ----------
    system : GradientSystem
    settings : Settings
    place : int
        Of the random words.
    """

    system: GradientSystem
    settings: Settings
    place: int = 0

    def step(self, here: Place) -> Flow[tuple[Floats, float]]:
        """Sample 3Q, and step by it."""
        sample = yield from sample_volume(self.system, here, self.settings, self.place)
        self.place += 1
        return here.newton_step(sample.matrix)


def sample_volume(system: GradientSystem, here: Place, settings: Settings, place: int) -> Flow[Sample]:
    """Return Σ3σqqᵀ/p over the rows that are kept, in the basis of the whitener."""
    r = len(here.slope)
    root = Factor(root_of(3 * here.sums.weighted))
    T = root.whitener.apply(np.eye(r))
    wanted = settings.sketch_rows or SAMPLES * len(here.x)
    sampling = SampledGram(T, wanted / max(root.rank, 1), settings.seed, place)
    sample, _ = yield Look(Jacobian(sampling, VolumeRows(here.x, here.factor.whitener)), system.rows)
    found: Sample = sample
    return found
