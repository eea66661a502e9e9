"""Where to begin: at the numbers that were given, at 0, and at points drawn by the seed in the units of the columns."""

import numpy as np
from scipy.special import ndtri

from dsketch._linalg import random_words
from dsketch._linalg.arrays import Floats
from dsketch._linalg.streams import DRAWN_STARTS
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.moments import Spread
from dsketch.problems.nonlinear.system import NonlinearSystem


def draw_starts(system: NonlinearSystem, count: int, seed: int) -> Flow[list[Floats]]:
    """Return points x at which A x is spread about its mean by the system's reach, more or less.  One look; none for no points.

    Parameters
    ----------
    count : int
    seed : int
    """
    if not count:
        return []
    spread: Floats = yield Look(Spread(), system.rows)
    words = random_words.draw(seed, DRAWN_STARTS, 0, count, system.columns)
    units = np.where(spread > 0, spread, np.inf) * np.sqrt(max(int(np.count_nonzero(spread)), 1))
    return list(system.reach * ndtri(random_words.uniforms(words)) / units)
