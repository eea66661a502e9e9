"""The condition of sampled CSR rows by a few products: near the true one, or no answer at all."""

import numpy as np
import scipy.sparse as sp

from dsketch.planning.near import condition_by_steps


def rows_of(n: int, d: int, per_row: int = 6) -> sp.csr_array:
    """Return normal numbers at random columns."""
    rng = np.random.default_rng(d)
    return sp.csr_array(
        (rng.standard_normal(n * per_row), rng.integers(0, d, n * per_row), np.arange(0, n * per_row + 1, per_row))
    )


def test_well_conditioned_rows_are_known_in_a_few_steps() -> None:
    """Within a fifth of the condition number of the columns, scaled; their units do not matter."""
    for d in (5, 60, 300):
        X = rows_of(4000, d)
        scaled = X.toarray() / np.linalg.norm(X.toarray(), axis=0)
        for units in (np.ones(d), np.logspace(-6, 6, d)):
            found = condition_by_steps([sp.csr_array(X[:1000] * units), sp.csr_array(X[1000:] * units)], None, 4000)

            assert found is not None
            assert 0.8 <= found.condition / np.linalg.cond(scaled) <= 1.25


def test_rows_that_are_far_from_orthogonal_are_left_to_a_triangle() -> None:
    """No answer for dependent or nearly dependent columns, empty columns, and numbers whose squares are none."""
    X = rows_of(2000, 300)
    near = X.toarray() @ np.triu(np.ones((300, 300)))  # condition 400, of no few directions
    empty = X.toarray()
    empty[:, 3] = 0

    for M in (near, empty, X.toarray()[:, np.r_[0:300, 0]], 1e200 * X.toarray()):
        with np.errstate(over="ignore"):
            assert condition_by_steps([sp.csr_array(M)], None, 2000) is None


def test_a_penalty_makes_rows_near_orthogonal() -> None:
    """What ridge adds counts, in the share that was sampled: empty columns are then as good as others."""
    X = rows_of(2000, 40).toarray()
    X[:, 3] = 0

    found = condition_by_steps([sp.csr_array(X)], np.full(40, 1e6), 2000)

    assert found is not None
    assert found.condition < 1.1
