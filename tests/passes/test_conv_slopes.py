"""Slopes of a tile by its profile: those of every logit, and taken where they cost less than transforms."""

import numpy as np
import pytest

from dsketch.passes.basis import Segment
from dsketch.passes.conv_slopes import Felt, pays_by_shape, pays_by_weights, slopes
from dsketch.passes.conv_tiles import Tile


@pytest.mark.parametrize("size", [1.0, 900.0])
@pytest.mark.parametrize("bounds", [(0, 700, 0, 300), (400, 720, 10, 290), (5, 6, 0, 1)])
def test_slopes_are_those_of_every_logit(bounds: tuple[int, int, int, int], size: float) -> None:
    """S ∘ (P − D), on the diagonal and off it, also where weights of one tile are 300 exponents apart."""
    rng = np.random.default_rng(3)
    top, bottom, left, right = bounds
    profile, above, values = (
        size * rng.standard_normal(800),
        rng.standard_normal((bottom - top, 3)),
        rng.standard_normal((right - left, 3)),
    )
    lag = np.arange(top, bottom)[:, None] - np.arange(left, right)[None, :]
    Z = np.where(lag >= 0, profile[np.maximum(lag, 0)], -np.inf)
    log_sums, D = np.logaddexp.reduce(Z, axis=1), rng.standard_normal(bottom - top)
    tile = Tile(Segment(0, 800, profile), top, bottom, left, right, is_fft=False)

    E = np.full(Z.shape, np.nan)
    for rows, columns, some in slopes(tile, Felt(above, D, log_sums), values):
        E[rows, columns] = some

    exact = np.exp(Z - log_sums[:, None]) * (above @ values.T - D[:, None])
    assert np.abs(E - exact).max() <= 1e-14 * (1 + size) * np.abs(exact).max()


def test_weights_are_taken_where_transforms_are_many() -> None:
    """By shapes alone: 64 columns have 4,160 transforms a tile, 8 have 72; what FFT does not carry is always taken so."""
    assert pays_by_shape(4096, 4096, 64, 64)
    assert not pays_by_shape(4096, 4096, 8, 8)
    assert not pays_by_shape(65_536, 65_536, 64, 64)
    assert pays_by_weights(Tile(Segment(0, 9000, np.zeros(9000)), 4096, 8192, 0, 4096, is_fft=False), 8, 8)
