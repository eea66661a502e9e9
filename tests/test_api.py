"""The verbs: open, plan, solve, resume, check."""

import numpy as np

import dsketch as ds


def test_lstsq_equals_lapack() -> None:
    """The one-line shortcut gives LAPACK's answer."""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((500, 7)), rng.standard_normal(500)

    solution = ds.lstsq(A, b)

    assert np.allclose(solution.x, np.linalg.lstsq(A, b)[0], rtol=1e-12)
    assert solution.status is ds.Status.SOLVED
