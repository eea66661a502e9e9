"""Factors of blocks are those of each block alone, whatever was asked before; what depends is told."""

import numpy as np
import pytest

from dsketch._linalg.bordered import Bordered, block
from dsketch.settings import EPS

D = 90


def gram(seed: int) -> np.ndarray:
    """Return the Gram matrix of 400 rows whose columns have something in common."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((400, D)) + rng.standard_normal((400, 1))
    return A.T @ A / 400


def require_solved(blocks: Bordered, H: np.ndarray, columns: np.ndarray, ridge: np.ndarray) -> None:
    """Compare step and extent with those of the block alone."""
    side = np.random.default_rng(columns.size).standard_normal(columns.size)
    M = block(H, columns, ridge)
    assert blocks.factor(columns, ridge)
    x = blocks.solve(columns, side)
    size = np.linalg.norm(M, 2) * np.linalg.norm(x) if columns.size else 1.0
    assert np.linalg.norm(M @ x - side) <= 8 * D * EPS * size  # a backward error of Cholesky's: at most about k eps
    if columns.size:
        least, condition = blocks.extent()
        values = np.linalg.eigvalsh(M)
        assert least == pytest.approx(1 / np.sum(1 / values), rel=1e-9)
        assert condition == pytest.approx(np.sqrt(values.sum() * np.sum(1 / values)) / columns.size, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_walk_over_blocks(seed: int) -> None:
    """Columns come and go, one or many, all and none; the ridge changes now and then."""
    rng, H = np.random.default_rng(seed), gram(seed)
    blocks, wanted, ridge = Bordered(H), np.zeros(D, dtype=bool), np.zeros(D)
    for turn in range(60):
        wanted[rng.integers(D, size=rng.integers(1, 8))] ^= True
        if turn % 10 == 7:
            wanted = rng.random(D) < rng.random()
        if turn % 15 == 11:
            ridge[rng.integers(D)] = rng.random()
        if turn % 20 == 19:
            wanted[:] = False
        columns = np.flatnonzero(wanted)
        require_solved(blocks, H, columns, ridge[columns])


@pytest.mark.parametrize("others", [3, 80])
def test_dependent_columns_are_told_and_forgotten(others: int) -> None:
    """A column twice, appended or among many, is no factor, but with a ridge it is; without it the blocks go on."""
    H = gram(0)
    H[-1], H[:, -1] = H[0], H[:, 0]
    H[-1, -1] = H[0, 0]
    blocks, columns = Bordered(H), np.arange(others)
    twice = np.append(columns, D - 1)

    require_solved(blocks, H, columns, np.zeros(others))
    assert not blocks.factor(twice, np.zeros(others + 1))
    assert not Bordered(H).factor(twice, np.zeros(others + 1))
    require_solved(blocks, H, twice, np.full(others + 1, 0.1))
    require_solved(blocks, H, columns, np.zeros(others))
    require_solved(blocks, H, columns[1:], np.zeros(others - 1))
