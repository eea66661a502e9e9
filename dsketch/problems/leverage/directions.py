"""Random directions that keep lengths, and rows by which approximate scores are judged: drawn by the seed alone."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import below, draw, uniforms
from dsketch._linalg.streams import LEVERAGE_DIRECTIONS, LEVERAGE_SAMPLE

WIDTH = 64  # Gaussian directions: a score of ‖Gᵀy‖² has a relative standard deviation of √(2/64) = 0.18


def directions(seed: int, rank: int, width: int = WIDTH) -> Floats:
    """Return a Gaussian matrix G, shape (rank, width), with ‖Gᵀy‖² of mean ‖y‖².

    W. B. Johnson, J. Lindenstrauss, "Extensions of Lipschitz mappings into a Hilbert space", 1984.
    """
    return np.asarray(special.ndtri(uniforms(draw(seed, LEVERAGE_DIRECTIONS, 0, rank, width))) / np.sqrt(width))


def pick_rows(seed: int, rows: int, count: int) -> NDArray[np.int64]:
    """Return the numbers of at most ``count`` rows, drawn evenly, in order."""
    if rows <= count:
        return np.arange(rows)
    return np.unique(below(draw(seed, LEVERAGE_SAMPLE, 0, count, 1), rows)[:, 0])
