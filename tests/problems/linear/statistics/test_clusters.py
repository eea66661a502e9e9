"""Errors for rows that depend on each other within groups, judged by statsmodels and by the dense formula."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from distributed import Client

import dsketch as ds
from tests.problems.linear.statistics.oracle import Case, Counting, assert_equal, sm

N = 1200


def data(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return A, b whose rows depend on each other, weights, and the group of each row."""
    rng = np.random.default_rng(seed)
    A, groups = rng.standard_normal((N, 4)), rng.integers(0, 60, N)
    A[:, 1] += 0.5 * rng.standard_normal(60)[groups]
    b = A @ np.array([1.0, -2, 0, 0.3]) + rng.standard_normal(60)[groups] + rng.standard_normal(N)
    return A, b, rng.uniform(0.1, 3, N), groups


def cases() -> Iterator[Any]:
    """Yield regressions with groups."""
    A, b, w, groups = data()
    zero = w * (np.arange(N) % 7 > 0) * (groups != 3)
    yield pytest.param(Case(A, b), groups, id="plain")
    yield pytest.param(Case(A, b, w), groups, id="weights")
    yield pytest.param(Case(A, b, intercept=True), groups, id="intercept")
    yield pytest.param(Case(A, b, w, True), groups * 2.5 - 8, id="weights and intercept, any numbers")
    yield pytest.param(Case(A, b, zero, True), groups, id="a group without weight")
    yield pytest.param(Case(A, b, intercept=True), np.sort(groups), id="contiguous")
    yield pytest.param(Case(A[:, :1], b), groups.astype(np.uint16), id="one column")
    yield pytest.param(Case(A * 10.0 ** np.array([-2, 2, 0, 1]), b), np.arange(N), id="units, each row a group")


def oracle(case: Case, groups: np.ndarray, side: int = 0) -> Any:
    """Return statsmodels' fit of the rows that count, with t of the groups' degrees of freedom."""
    counts = slice(None) if case.weights is None else case.weights > 0
    b = case.b.reshape(len(case.A), -1)[counts, side]
    model = sm.OLS(b, case.whole[counts]) if case.weights is None else sm.WLS(b, case.whole[counts], weights=case.weights[counts])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(cov_type="cluster", cov_kwds={"groups": groups[counts]}, use_t=True)


@pytest.mark.parametrize(("case", "groups"), list(cases()))
def test_equals_statsmodels(case: Case, groups: np.ndarray) -> None:
    """Errors, t, p, intervals and F by group are those of ``cov_type="cluster"``, its small-sample factor included."""
    summary = case.solve().summary(groups=groups)

    assert_equal(summary, oracle(case, groups), max(case.tolerance(), 1e-12))
    counts = np.ones(N, dtype=bool) if case.weights is None else case.weights > 0
    assert (summary.robust, summary.groups) == ("cluster", len(np.unique(groups[counts])))
    assert summary.test_degrees == summary.groups - 1
    assert f"by {summary.groups:,} groups of rows" in str(summary)


def test_each_side_is_that_of_its_side_alone() -> None:
    """Two right-hand sides with one column of groups give the two tables; one pass gives both."""
    A, b, w, groups = data()
    case = Case(A, np.column_stack([b, b**2 / 3]), w, True)
    engine = Counting()
    solution = case.solve(cluster=engine)
    before = len(engine.ran)

    summary = solution.summary(groups=groups)

    assert engine.ran[before:] == ["linear group scores"]
    for side in range(2):
        assert_equal(summary, oracle(case, groups, side), case.tolerance(side), side)


def test_a_group_a_row_is_hc0() -> None:
    """With each row its own group the errors are HC0's times √(n/(n − rank)), that is, HC1's."""
    A, b, w, _ = data()
    solution = Case(A, b, w, True).solve()

    by_row = solution.summary(groups=np.arange(N)[::-1]).standard_errors

    np.testing.assert_allclose(by_row, solution.summary(robust="HC1").standard_errors, rtol=1e-12)


def test_columns_far_from_0() -> None:
    """Where columns are shifted on the way, the errors of slopes and intercept are those of the columns as they are stored."""
    A, b, _, groups = data()
    shift = np.array([1e9, 0, -3e7, 5])

    far = ds.lstsq(A.round(3) + shift, b, intercept=True).summary(groups=groups)
    near = ds.lstsq(A.round(3), b, intercept=True).summary(groups=groups)

    cov = near.covariance()
    whole = np.sqrt(cov[-1, -1] - 2 * shift @ cov[:-1, -1] + shift @ cov[:-1, :-1] @ shift)
    np.testing.assert_allclose(far.standard_errors[:-1], near.standard_errors[:-1], rtol=1e-7)
    np.testing.assert_allclose(far.standard_errors[-1], whole, rtol=1e-7)


def test_dependent_columns() -> None:
    """The minimum-norm answer has the pseudoinverse's covariance by group, and no t where the data decide nothing."""
    A, b, _, groups = data()
    twice = np.column_stack([A, A[:, 0]])

    summary = ds.lstsq(twice, b).summary(groups=groups)

    P = np.linalg.pinv(twice)
    r = b - twice @ (P @ b)
    scores = np.stack([P[:, groups == g] @ r[groups == g] for g in range(60)])
    covariance = scores.T @ scores * 60 / 59 * (N - 1) / (N - 4)
    np.testing.assert_allclose(summary.standard_errors, np.sqrt(np.diag(covariance)), rtol=1e-10)
    assert np.isnan(summary.t_values).tolist() == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        (np.zeros(N), "at least 2"),
        (np.where(np.arange(N) == 41, np.nan, 1.0), "row 41 is nan"),
        (np.arange(N) + 2**60, "row 0 has 1.15"),
        (np.arange(N - 1), f"one row for each of the {N}"),
        (np.ones((N, 2)), "one number a row"),
    ],
    ids=["one group", "NaN", "beyond float64", "too short", "two columns"],
)
def test_groups_that_are_none(groups: np.ndarray, error: str) -> None:
    """What are no groups is refused with the row and a remedy."""
    A, b, _, _ = data()
    solution = ds.lstsq(A, b)

    with pytest.raises(ds.DataError, match=error):
        solution.summary(groups=groups)


def test_groups_beside_other_errors() -> None:
    """Two kinds of errors at once are refused; few groups are remarked on."""
    A, b, _, groups = data()
    solution = ds.lstsq(A, b)

    with pytest.raises(ds.SpecError, match="Leave one out"):
        solution.summary(groups=groups, robust="HC1")
    with pytest.raises(ds.SpecError, match="information must be one of expected, observed"):
        solution.summary(information="fisher")
    assert any("12 are few" in note for note in solution.summary(groups=groups % 12).notes)
    assert any("singular" in note for note in solution.summary(groups=groups % 3).notes)


@pytest.mark.cluster
def test_cluster_gives_the_same_bits(client: Client, stored: Callable[..., str]) -> None:
    """Groups are spread over all blocks, tables merge along the tree: two workers give the bits of one process."""
    rng = np.random.default_rng(3)
    n = 40_000
    A, b, groups = rng.standard_normal((n, 10)), rng.standard_normal(n), rng.integers(0, 900, n)
    paths = [stored(name, array, 3000, compressors="auto") for name, array in (("A", A), ("b", b), ("g", groups))]

    here, there = (
        ds.lstsq(*paths[:2], intercept=True, method="tsqr", cluster=cluster).summary(groups=paths[2])
        for cluster in ("serial", client)
    )

    assert np.array_equal(here.standard_errors, there.standard_errors)
    assert np.array_equal(here.covariance(), there.covariance())
