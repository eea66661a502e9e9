"""Randomly pivoted Cholesky: kernel columns at rows chosen in proportion to the diagonal that the columns before them leave.

A round draws a block of candidates in proportion to the diagonal left of K, then walks through them and takes each with the probability
that its diagonal has by then: pivots are distributed as if chosen one by one, and a round costs two passes however many it takes.
Prefer it where rows lie in clusters or their lengths differ much, and no degree of monomials is enough.

References
----------
Y. Chen, E. N. Epperly, J. A. Tropp, R. J. Webber, "Randomly pivoted Cholesky: practical approximation of a kernel matrix with few entry
evaluations", Communications on Pure and Applied Mathematics, 2025 (arXiv 2207.06503).
E. N. Epperly, J. A. Tropp, R. J. Webber, "Embrace rejection: kernel matrix approximation by accelerated randomly pivoted Cholesky",
arXiv 2410.03969, 2024.
M. Díaz, E. N. Epperly, Z. Frangella, J. A. Tropp, R. J. Webber, "Robust, randomized preconditioning for kernel ridge regression",
arXiv 2304.12465, 2023.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from dsketch._linalg.arrays import Floats
from dsketch._linalg.random_words import draw, uniforms
from dsketch._linalg.streams import KERNEL_PIVOTS
from dsketch.features.centres import Centres
from dsketch.features.view import FeatureView
from dsketch.passes import Look
from dsketch.passes.base import Flow
from dsketch.passes.rowwise import Picked, RowSquares
from dsketch.problems.kernel.forecast import Sample, draw_sample
from dsketch.problems.kernel.preconditioners import Woodbury, woodbury
from dsketch.problems.kernel.system import KernelSystem
from dsketch.settings import EPS

ROUNDS = 10  # a given rank is shared over so many rounds
_MOST_ROUNDS = 40  # the spectrum has ended when so many rounds reject most candidates
_ENOUGH = 0.1  # a trace below this share of the ridge leaves a condition number of at most 1.1
_LEAST_PIVOT = 8 * EPS  # of a unit diagonal there is nothing but rounding below it


@dataclass(frozen=True)
class Pivots:
    """Columns of G at chosen rows.

    Attributes
    ----------
    numbers : ndarray of int64, shape (r,)
        The chosen rows, in order.
    centres : ndarray, shape (r, d)
        The rows themselves.
    L : ndarray, shape (r, r)
        Lower triangular factor of G(centres, centres).
    left : ndarray, shape (n,)
        The diagonal that they leave of G.
    """

    numbers: NDArray[np.int64]
    centres: Floats
    L: Floats
    left: Floats

    @property
    def rank(self) -> int:
        """How many rows were chosen."""
        return len(self.numbers)

    def mix(self, first: int = 0) -> Floats:
        """Return the columns from ``first`` on of L⁻ᵀ: G(rows, centres) L⁻ᵀ are the features."""
        wanted = np.eye(self.rank)[:, first:]
        return np.asarray(sl.solve_triangular(self.L, wanted, lower=True, trans="T"))

    def features(self, system: KernelSystem) -> Centres:
        """Return the map to G(rows, centres) L⁻ᵀ."""
        return Centres(system.mean, system.scale, self.centres, np.triu(self.mix()))


def pivoted_cholesky(system: KernelSystem, rank: int, seed: int, seen: Sample | None = None) -> Flow[Woodbury]:
    """Return the preconditioner of ``rank`` pivots, with the diagonal that they leave where a sample says that this is better.

    About 2 · ``ROUNDS`` + 3 passes over columns of G.

    Parameters
    ----------
    seen : Sample, optional
        Of the rows; None: one is drawn.
    """
    longest = float(system.half.max())
    chosen = yield from choose_pivots(system, rank, seed, _ENOUGH * system.alpha * np.exp(-2 * longest))
    if seen is None:
        seen = yield from draw_sample(system, seed)
    features = chosen.features(system)
    residual = not system.alpha or seen.condition(features) < seen.condition(features, residual=False)
    name = "pivoted_cholesky" + ("+diagonal" if residual else "")
    return (yield from woodbury(system, features, name, residual=residual))


def choose_pivots(system: KernelSystem, rank: int, seed: int, enough: float) -> Flow[Pivots]:
    """Choose rows until there are ``rank`` of them, or the trace left of K is small.

    Parameters
    ----------
    enough : float
        Trace left of K at which to stop, relative to K's largest diagonal entry.
    """
    weight = np.exp(2 * (system.half - system.half.max()))  # K's diagonal over its largest
    d = system.A.shape[1]
    chosen = Pivots(np.empty(0, np.int64), np.empty((0, d)), np.empty((0, 0)), np.ones(system.rows))
    block = max(-(-rank // ROUNDS), min(rank, 32))
    for number in range(_MOST_ROUNDS):
        share = weight * chosen.left
        if chosen.rank >= rank or share.sum() <= max(enough, _LEAST_PIVOT * weight.sum()):
            break
        draws = uniforms(draw(seed, KERNEL_PIVOTS, number * block, (number + 1) * block, 2))
        candidates = _draw_pivots(share, draws[:, 0])
        rows: Floats = yield Look(Picked(candidates), system.features(system.A))
        first = chosen.rank
        chosen = _grow_factor(system, chosen, candidates, rows, draws[:, 1], rank)
        if chosen.rank > first:
            view = FeatureView(system.A, Centres(system.mean, system.scale, chosen.centres))
            squares: Floats = yield Look(RowSquares(chosen.mix(first)), system.features(view))
            left = np.maximum(chosen.left - squares[:, 0], 0.0)
            left[chosen.numbers] = 0.0
            chosen = Pivots(chosen.numbers, chosen.centres, chosen.L, left)
    return chosen


def _draw_pivots(share: Floats, draws: Floats) -> NDArray[np.int64]:
    """Return row numbers drawn in proportion to ``share``, one for each uniform number."""
    total = np.cumsum(share)
    return np.asarray(np.minimum(np.searchsorted(total, draws * total[-1], side="right"), len(share) - 1), dtype=np.int64)


def _grow_factor(
    system: KernelSystem, chosen: Pivots, candidates: NDArray[np.int64], rows: Floats, draws: Floats, rank: int
) -> Pivots:
    """Return the pivots with those candidates that pass the rejection.

    A candidate was drawn by the diagonal left before the round; it is taken if a uniform share of that is still below what is left
    after the candidates taken before it.
    """
    L_mixed = sl.solve_triangular(chosen.L, system.gaussian(chosen.centres, rows), lower=True) if chosen.rank else None
    H = system.gaussian(rows, rows)
    if L_mixed is not None:
        H -= L_mixed.T @ L_mixed
    before = chosen.left[candidates]
    taken: list[int] = []
    columns = np.zeros((len(rows), 0))
    for place in range(len(rows)):
        now = H[place, place] - columns[place] @ columns[place]
        if now > _LEAST_PIVOT and draws[place] * before[place] < now and chosen.rank + len(taken) < rank:
            column = (H[:, place] - columns @ columns[place]) / np.sqrt(now)
            columns = np.column_stack([columns, column])
            taken.append(place)
    old = np.zeros((chosen.rank, len(taken)))
    below = columns[taken] if L_mixed is None else np.concatenate([L_mixed[:, taken].T, columns[taken]], axis=1)
    L = np.tril(np.concatenate([np.concatenate([chosen.L, old], axis=1), below]))
    return Pivots(
        np.concatenate([chosen.numbers, candidates[taken]]), np.concatenate([chosen.centres, rows[taken]]), L, chosen.left
    )
