"""p of many t at once is that of each."""

import numpy as np
import pytest
from scipy import special

from dsketch.problems.targets import tails


@pytest.mark.parametrize("degrees", [1, 3, 4, 10, 57, 477, 10**6])
def test_the_cubics_keep_eleven_digits(degrees: int) -> None:
    """For few and many degrees, t of every size, infinite and NaN ones too."""
    rng = np.random.default_rng(degrees)
    t = rng.standard_normal((3, 20_000)) * np.geomspace(1e-6, 60.0, 20_000)
    t[0, :3] = 0.0, np.inf, np.nan
    found = tails.tail(t, np.full(20_000, degrees))
    expected = 2 * special.stdtr(degrees, -np.abs(t))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-300)


def test_targets_of_different_degrees_are_taken_one_by_one() -> None:
    """Where values are missing, each has its own."""
    degrees = np.arange(1, 20_001)
    np.testing.assert_array_equal(tails.tail(np.full((3, 20_000), 2.0), degrees)[1], 2 * special.stdtr(degrees, -2.0))
