"""Claims are never better than the truth: distances, existence, directions that no data determine."""

import numpy as np
import pytest
import scipy.linalg as sl

import dsketch as ds
from dsketch._linalg.arrays import Floats
from dsketch.problems.inversion.certificate import CONCORDANCE, find_reach
from tests.problems.inversion.known import Known, known, solve

EPS = float(np.finfo(float).eps)
UNITS = np.logspace(-4, 4, 4)
KINDS = {
    "one sign": {},
    "mixed": {"mixed": True, "share": 0.3},
    "few rows": {"n": 9},
    "one column": {"d": 1},
    "near the edge": {"share": 0.999},
    "units": {"units": UNITS},
}


def test_the_constant_of_self_concordance() -> None:
    """What the pairs of rows allow the third derivative is at most 6.67 times what they give the second, and nearly so at one point."""
    a, b = np.meshgrid(np.linspace(-1, 1, 2001), np.linspace(-1, 1, 401))
    third = np.abs(a + b) * np.abs(6 * (a - b) ** 2 + a * b) + 4 * (a - b) ** 2
    second = (a**2 + b**2) / 2 + (a - b) ** 2

    found = np.divide(third, second, out=np.zeros_like(third), where=second > 0).max()

    assert 6.66 <= found <= CONCORDANCE


@pytest.mark.parametrize("seed", range(40))
def test_third_derivatives_are_bounded(seed: int) -> None:
    """abs(D³V[h, h, h]) ≤ 6.67 max abs(S⁻¹A h) D²V[h, h], by the traces of random rows and directions, small n and heavy rows too."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(3, 30)), int(rng.integers(1, 4))
    q = np.linalg.qr(rng.standard_normal((max(n, d), d)) * 10.0 ** rng.uniform(-2, 2, (max(n, d), 1)))[0]
    for v in (q @ rng.standard_normal(d), q @ rng.standard_cauchy(d)):
        B = [(q * (v**power)[:, None]).T @ q for power in (0, 1, 2, 3)]
        second = 3 * np.trace(B[2]) - 2 * np.trace(B[1] @ B[1])
        third = -12 * np.trace(B[3]) + 18 * np.trace(B[1] @ B[2]) - 8 * np.trace(B[1] @ B[1] @ B[1])
        assert abs(third) <= CONCORDANCE * np.abs(v).max() * second * (1 + 1e-10)


def exact(case: Known, c: Floats) -> Floats:
    """Return the x with g(x) = c in long double, by Newton steps from the known x."""
    x = case.x.astype(np.longdouble)
    J = case.hessian(case.x)
    for _ in range(40):
        x = x - np.linalg.solve(J.astype(np.float64), (case.g(x) - c).astype(np.float64))
    return x


@pytest.mark.parametrize("kind", KINDS)
def test_the_distance_holds(kind: str) -> None:
    """At the answer and at points around it: the way to the exact x, in the metric of the Hessian and by columns, is within the claim."""
    case = known(**KINDS[kind])
    c = case.g(case.x).astype(np.float64)
    best, problem = exact(case, c), case.gradient(c)
    rng = np.random.default_rng(1)
    proven = 0

    for size in (0.0, *10.0 ** rng.uniform(-14, 0, 24)):
        x = (best + size * 0.3 * case.x * rng.uniform(-1, 1, len(best))).astype(np.float64)
        if (np.sign(case.A @ x - case.b) != np.sign(case.A @ case.x - case.b)).any():
            continue
        found = ds.check(problem, x, cluster="serial", progress=False)
        if not np.isfinite(found.reach):
            continue
        proven += 1
        J = np.asarray(case.hessian(x), np.float64)
        away = (x - best).astype(np.float64)
        assert np.sqrt(away @ J @ away) <= found.reach * (1 + 1e-6)
        D = np.linalg.norm(np.asarray(case.rows(x), np.float64), axis=0)
        assert np.linalg.norm(D * away) <= found.forward_error[0] * np.linalg.norm(D * x) * (1 + 1e-6)
        s, own = case.A @ x - case.b, (case.A @ best - case.b).astype(np.float64)
        assert np.abs(own / s - 1).max() <= found.kappa * found.reach * (1 + 1e-6)
        root = np.linalg.cholesky(J)
        rows = np.asarray(case.rows(x), np.float64)
        assert np.sqrt(np.sum(sl.solve_triangular(root, rows.T, lower=True) ** 2, axis=0)).max() <= found.kappa * (1 + 1e-6)

    assert proven >= 8
    assert np.isfinite(solve(problem).certificate.reach)


def test_no_distance_without_a_proof() -> None:
    """Where the decrement is too large for a proof nothing is claimed."""
    assert find_reach(0.2, 1.0) == np.inf
    assert np.isclose(find_reach(1e-3, 2.0), 1e-3 * (1 + 6.67e-3), rtol=1e-3)
    reach = [find_reach(1e-3, kappa) for kappa in (0.1, 1.0, 10.0)]
    assert reach == sorted(reach)


def test_a_gradient_that_no_point_has() -> None:
    """In an open cell c may be beyond every g(x): the run ends unsolved and says why, and x is finite."""
    case = known(40, 2)
    A, b = np.abs(case.A), case.b

    found = solve(ds.LeverageGradient(A, b, np.array([-50.0, 50.0])))

    assert found.status is ds.Status.NOT_SOLVED
    assert np.isfinite(found.x).all()
    assert any("no exact answer is proven nearby" in note for note in found.notes)
    assert "no exact answer is proven nearby" in str(found)


def test_columns_that_depend_on_others() -> None:
    """A double column: x is the shortest, and named; a c outside the range of Aᵀ has no answer."""
    case = known(300, 3)
    A = np.column_stack([case.A, case.A[:, 1]])
    c, off = case.g(case.x).astype(np.float64)[[0, 1, 2, 1]], np.array([0.0, 1.0, 0.0, -1.0])

    found, wrong = solve(ds.LeverageGradient(A, case.b, c)), solve(ds.LeverageGradient(A, case.b, c + off))

    assert found.status is ds.Status.MINIMUM_NORM
    assert np.allclose(found.x, case.x[[0, 1, 2, 1]] * [1, 0.5, 1, 0.5], rtol=1e-12)
    assert any("directions in column" in note for note in found.notes)
    assert wrong.status is ds.Status.NOT_SOLVED
    assert any("outside the range of Aᵀ" in note for note in wrong.notes)


# ---- leverage scores ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "one column"])
def test_scores_that_fit_are_solved_within_their_claim(kind: str) -> None:
    """Zero to rounding, and x as near as is said: relative to the columns of J."""
    case = known(**KINDS[kind])

    found = solve(case.scores())

    J = np.linalg.norm(case.scores().system and found.answer.examination.factor.R, axis=0)
    assert found.status is ds.Status.SOLVED
    assert found.certificate.is_zero
    assert np.linalg.norm(J * (found.x - case.x)) <= found.certificate.forward_error[0] * np.linalg.norm(J * case.x)


def test_no_other_point_of_the_cell_has_these_scores() -> None:
    """From many starts in one cell the same x is found: the potential is convex in the logarithms of slacks."""
    case = known(60, 3)
    rng = np.random.default_rng(0)

    for _ in range(20):
        direction = rng.standard_normal(3)
        ways = case.b / (case.A @ direction)
        start = 0.95 * ways[ways > 0].min() * direction
        found = solve(case.scores(start=start))
        assert found.status is ds.Status.SOLVED
        assert case.error(found.x) <= 1e-11


@pytest.mark.parametrize("n", [40, 2000])
def test_a_right_side_in_the_range_is_named(n: int) -> None:
    """With b = A y all slacks scale alike: not determined, the direction is x − y, and x has the scores all the same."""
    case = known(n, 3)
    y = np.array([1.0, -2.0, 0.5])
    b = case.A @ y
    rows = case.A / (case.A @ (y + case.x) - b)[:, None]
    sigma = np.sum(np.linalg.qr(rows)[0] ** 2, axis=1)

    found = solve(ds.LeverageDistribution(case.A, b, sigma, start=y + 1.5 * case.x + 1e-4))

    along = found.x - y
    assert found.status is ds.Status.UNDETERMINED
    assert found.certificate.residual_norm[0] <= 1e-12
    assert np.linalg.norm(along / np.linalg.norm(along) - case.x / np.linalg.norm(case.x)) <= 1e-9
    assert any("b lies in the range of A" in note and "scaled alike" in note for note in found.notes)
    assert (
        solve(ds.LeverageDistribution(case.A, b, sigma, start=y + 1.5 * case.x, alpha=1e-3)).status is not ds.Status.UNDETERMINED
    )


def test_rows_in_two_parts_that_share_no_column() -> None:
    """Each part has its own scale: what is lost is one direction for each part whose b is in its range."""
    case = known(60, 2)
    Z = np.zeros_like(case.A)
    A, y = np.block([[case.A, Z], [Z, case.A]]), np.array([1.0, 2.0])
    b = np.concatenate([case.A @ y, case.b])
    x = np.concatenate([y + case.x, case.x])
    sigma = np.sum(np.linalg.qr(A / (A @ x - b)[:, None])[0] ** 2, axis=1)

    found = solve(ds.LeverageDistribution(A, b, sigma, start=x * 1.01))

    assert found.status is ds.Status.UNDETERMINED
    assert any("column 0" in note or "column 1" in note for note in found.notes)
    assert np.allclose(found.x[2:], case.x, rtol=1e-9)


def test_scores_with_noise_end_at_a_minimum() -> None:
    """What no x has: a stationary point with a positive Hessian, the same by both methods."""
    case = known(500, 3)
    sigma = case.sigma(case.x).astype(np.float64) * (1 + 0.3 * np.random.default_rng(0).standard_normal(500))

    found, other = (solve(case.scores(sigma), method=method) for method in ("levenberg", "newton"))

    assert found.status is other.status is ds.Status.LOCAL
    assert found.certificate.least_eigenvalue > 0
    assert np.linalg.norm(found.x - other.x) <= 1e-9 * np.linalg.norm(other.x)
