"""Not more rows than columns: every score is 1 whatever x, and runs end with a status and numbers."""

import numpy as np
import pytest

import dsketch as ds
from dsketch.problems.inversion.distribution_methods import METHODS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 4), (4, 4)])
@pytest.mark.parametrize("score", [1.0, 0.5])
def test_scores_that_no_x_changes(method: str, shape: tuple[int, int], score: float) -> None:
    """No x is called right: these scores determine none."""
    rng = np.random.default_rng(2)
    problem = ds.LeverageDistribution(rng.standard_normal(shape), rng.standard_normal(shape[0]), np.full(shape[0], score))

    found = ds.solve(problem, method=method, cluster="serial", progress=False)

    assert np.isfinite(found.x).all()
    assert found.status is ds.Status.UNDETERMINED
