"""Features: every map of the table keeps the contract."""

from collections.abc import Callable

import numpy as np
import pytest

from dsketch.features import (
    FEATURES,
    Centres,
    GaussianMap,
    Recipe,
    RowMap,
    TensorSketchPower,
    TensorSRHTPower,
)
from dsketch.testing.features import GaussianTests, PowerTests, RandomGaussianTests, mean, rows


class TestRandom(RandomGaussianTests):
    """The maps of the table that draw."""

    @pytest.fixture(params=sorted(set(FEATURES) - {"taylor"}))
    def recipe(self, request: pytest.FixtureRequest) -> Recipe:
        """Return a recipe."""
        return FEATURES[request.param]


class TestTaylor(GaussianTests):
    """The map of the table that does not."""

    @pytest.fixture
    def recipe(self) -> Recipe:
        """Return its recipe."""
        return FEATURES["taylor"]


def _centres(mean_: np.ndarray, scale: float, size: int, degree: int, seed: int) -> GaussianMap:
    """Return kernel columns at rows drawn around the mean, which move with it and shrink as the scale grows."""
    del degree
    root = np.sqrt(scale) if 0 < scale < np.inf else 1.0
    return Centres(mean_, scale, (rows(size, len(mean_), seed) - mean(len(mean_))) / root + mean_)


def _mixed(mean_: np.ndarray, scale: float, size: int, degree: int, seed: int) -> GaussianMap:
    """Return the same times a well-conditioned triangle."""
    mix = np.triu(np.random.default_rng(seed).uniform(-1, 1, (size, size)) / size) + np.eye(size)
    return Centres(mean_, scale, _centres(mean_, scale, size, degree, seed).centres, mix)  # type: ignore[attr-defined]


class TestCentres(GaussianTests):
    """Kernel columns, plain and mixed; more of them than a panel has."""

    size = 300

    @pytest.fixture(params=[_centres, _mixed])
    def recipe(self, request: pytest.FixtureRequest) -> Recipe:
        """Return a recipe."""
        recipe: Recipe = request.param
        return recipe


class TestPowers(PowerTests):
    """Sketches of one power."""

    @pytest.fixture(params=[TensorSketchPower, TensorSRHTPower])
    def family(self, request: pytest.FixtureRequest) -> Callable[[int, int, int], RowMap]:
        """Return a class."""
        family: Callable[[int, int, int], RowMap] = request.param
        return family
