"""Kernel columns at chosen rows."""

import numpy as np
import pytest

from dsketch.errors import SpecError
from dsketch.features import (
    Centres,
)
from dsketch.testing.features import COLUMNS, EPS, gaussian, mean, rows


def test_centres_are_kernel_columns() -> None:
    """Φ is G between rows and centres, within the rounding of exponents of size ‖x‖² + ‖z‖²."""
    X, scale = rows(120), 0.7
    C = (X - mean()) * np.sqrt(scale)

    found = Centres(mean(), scale, X[:30]).apply(X)

    assert np.abs(found - gaussian(C)[:, :30]).max() <= 4 * (COLUMNS + 4) * EPS
    assert (found <= 1).all()


def test_mixed_centres_interpolate() -> None:
    """With T = R⁻¹ of the centres' own factor F Fᵀ is the Nyström approximation: exact at the centres, below G elsewhere."""
    X = rows(150)
    G = gaussian(X - mean())
    R = np.linalg.cholesky(G[:40, :40]).T
    condition = np.linalg.cond(G[:40, :40])

    F = Centres(mean(), 1.0, X[:40], np.linalg.inv(R)).apply(X)

    assert np.abs(F[:40] @ F[:40].T - G[:40, :40]).max() <= 40 * condition * EPS
    assert np.linalg.eigvalsh(G - F @ F.T)[0] >= -150 * condition * EPS


@pytest.mark.parametrize(
    ("centres", "mix"),
    [
        (np.zeros((0, 3)), None),
        (np.zeros((4, 2)), None),
        (np.full((4, 3), np.nan), None),
        (np.zeros((4, 3)), np.ones((4, 4))),
        (np.zeros((4, 3)), np.eye(3)),
    ],
)
def test_bad_centres_are_refused(centres: np.ndarray, mix: np.ndarray | None) -> None:
    """No centres, other columns, numbers that are none, a mix that is no triangle of their order."""
    with pytest.raises(SpecError, match=r"centres|mix"):
        Centres(np.zeros(3), 1.0, centres, mix)
